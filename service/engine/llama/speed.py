"""The process that measures a model: `python -m service.engine.llama.speed MODEL THREADS GPU_LAYERS`.

It prints, as JSON, the tokens a second of reading a prompt and of writing one answer. A library can
be loaded only once in a process, and each is measured in one of its own.
"""

import json
import statistics
import sys
import time
from pathlib import Path

from service.engine.llama.context import Chunk, Context, ContextSize
from service.engine.llama.library import Library
from service.engine.llama.model import LlamaModel
from service.errors import ModelUnavailable

TEXT = "A note on how a village could share its tools, gardens and skills through the year. "
PROMPT_TOKENS, ANSWER_TOKENS, ROUNDS = 64, 16, 3


def measure(path: Path, threads: int, gpu_layers: int) -> dict[str, float]:
    """Medians of a few rounds. Raises ModelUnavailable if the model cannot be loaded."""
    library = Library()
    model = LlamaModel(library, path, gpu_layers=gpu_layers)
    size = ContextSize(PROMPT_TOKENS + ANSWER_TOKENS, 1, PROMPT_TOKENS, is_unified=True)
    context = Context(model, size, threads=threads)
    tokens = (model.tokenise(TEXT) * PROMPT_TOKENS)[:PROMPT_TOKENS]
    prompt_s, answer_s = [], []
    # The first round also reads the weights into the processor's caches.
    for _ in range(1 + ROUNDS):
        context.keep(0, 0)
        began = time.perf_counter()
        context.decode([Chunk(0, 0, tokens, "last")])
        prompt_s.append(time.perf_counter() - began)
        began = time.perf_counter()
        for position in range(PROMPT_TOKENS, PROMPT_TOKENS + ANSWER_TOKENS):
            context.decode([Chunk(0, position, tokens[:1], "last")])
        answer_s.append(time.perf_counter() - began)
    context.close()
    model.close()
    library.close()
    return {
        "prompt_tokens_per_s": PROMPT_TOKENS / statistics.median(prompt_s[1:]),
        "answer_tokens_per_s": ANSWER_TOKENS / statistics.median(answer_s[1:]),
    }


def main() -> None:
    path, threads, gpu_layers = sys.argv[1:]
    try:
        print(json.dumps(measure(Path(path), int(threads), int(gpu_layers))))
    except ModelUnavailable as error:
        sys.exit(error.detail)


if __name__ == "__main__":
    main()
