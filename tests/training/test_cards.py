"""The cards of models and score heads."""

import json
from typing import Any

from service.analysis.score_heads import ScoreHead
from service.settings import PROJECT_ROOT
from training.export.cards import ModelFacts, head_card, model_card

MODELS = PROJECT_ROOT / "models"
HASH = "ab" * 32
FACTS = ModelFacts(
    name="mine",
    base="small",
    base_sha256=HASH,
    base_licence="Apache-2.0",
    files=[{"file": "mine-f16.gguf", "kind": "f16", "size_bytes": 2_500_000, "sha256": "cd" * 32}],
    parity={
        "rows": 12,
        "nll_per_token": 2.5,
        "files": [{"file": "mine-f16.gguf", "nll_per_token": 2.501, "change": 0.0004}],
        "greedy_tokens": 1200,
        "greedy_agreement": 0.998,
    },
    config='name = "mine"\n',
    data={
        "splits": {
            "train": {
                "rows": 1500,
                "tasks": {"refine": 1500},
                "sources": {"plain": 1000, "dolly": 500},
                "licences": {"CC0-1.0": 1000, "CC-BY-SA-3.0": 500},
            },
            "test": {
                "rows": 100,
                "tasks": {"refine": 100},
                "sources": {"plain": 100},
                "licences": {"CC0-1.0": 100},
            },
        }
    },
    result={
        "test_nll": 2.4987654,
        "best_step": 60,
        "measured": [1, 2],
        "tasks": {
            "refine": {
                "rows": 51,
                "nll": 1.27946,
                "bits_per_byte": 0.5308,
                "base_nll": 1.65737,
                "base_bits_per_byte": 0.68758,
            }
        },
    },
    limits=("It cannot count.",),
)
FIGURES: dict[str, Any] = {
    "model": "small-q4_0.gguf",
    "weights_sha256": HASH,
    "identity": HASH,
    "records": {"plain/evaluate.jsonl": "00ff"},
    "subjects": 386,
    "penalties": {"novelty": 800.0, "clarity": 200.0},
    "agreement": {
        "notes": 540,
        "spearman": {"novelty": 0.4, "clarity": 0.8},
        "error": {"novelty": 1.6, "clarity": 1.0},
        "length": -0.014,
    },
    "agreement_by_set": {
        "plain/evaluate.jsonl": {
            "notes": 240,
            "spearman": {"novelty": 0.2, "clarity": 0.6},
            "error": {"novelty": 1.0, "clarity": 2.0},
        }
    },
    "pairs": {
        "right": 85,
        "pairs": 96,
        "share": {"value": 0.885, "low": 0.806, "high": 0.935},
        "by_criterion": {"novelty": [17, 24], "clarity": [24, 24]},
    },
    "praise": {
        "notes": 24, "mean": {"novelty": -0.1, "clarity": -0.2}, "overall": -0.15, "largest": 0.3
    },
    "filler": {
        "notes": 24, "mean": {"novelty": 0.1, "clarity": 0.3}, "overall": 0.2, "largest": 0.46
    },
}  # fmt: skip


def test_a_models_card_names_base_data_licences_figures_and_limits() -> None:
    card = model_card(FACTS)

    assert f"`small` (SHA-256 `{HASH}`, Apache-2.0)" in card
    assert "| mine-f16.gguf | f16 | 2.5 | `" in card
    assert "1,500 train rows, 100 test rows." in card
    assert "| CC-BY-SA-3.0 | 500 | 0 |" in card
    assert "| test_nll | 2.499 |" in card
    assert "| best_step | 60 |" in card
    assert "| refine | 51 | 1.657 | 1.279 | 0.6876 | 0.5308 |" in card
    assert "| mine-f16.gguf | 2.5010 | +0.04% |" in card
    assert "Of 1,200 tokens" in card
    assert "99.8%" in card
    assert "- It cannot count." in card
    assert card.endswith('```toml\nname = "mine"\n```\n')


def test_a_card_names_missing_data_and_figures() -> None:
    card = model_card(ModelFacts("m", "b", HASH, "x", [], FACTS.parity, ""))

    assert "The run has no data report." in card
    assert "The run has no recorded figures." in card
    assert "## Limits" not in card
    assert "## As served" not in card


def test_a_heads_card_lists_every_criterion_and_the_mean() -> None:
    card = head_card("head.npz", FIGURES)

    assert f"`small-q4_0.gguf`, SHA-256 `{HASH}`" in card
    assert "| plain/evaluate.jsonl | 240 | 0.40 | 1.50 | `00ff` |" in card
    assert "| novelty | 0.40 | 1.60 | 17 of 24 | -0.10 | +0.10 | 800 |" in card
    assert "| all | 0.60 | 1.30 | 85 of 96 | -0.15 | +0.20 |  |" in card
    assert "interval 81 to 94%" in card


def test_the_card_of_every_shipped_head_matches_its_figures() -> None:
    for path in MODELS.rglob("*-head.npz"):
        figures = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))

        assert ScoreHead.load(path).identity == figures["identity"]
        assert path.with_suffix(".md").read_text(encoding="utf-8") == head_card(path.name, figures)
