"""Many random requests to each operation of the API, compared with its description."""

from pathlib import Path

from service.settings import Settings
from tests.campaigns.report import Report, tell
from tests.support.fuzzing import fuzz

EXAMPLES = 100
PATIENCE_S = 3600.0


def campaign(settings: Settings, folder: Path, *, examples: int = EXAMPLES) -> Report:
    report = Report("Fuzzing the API")
    tell(f"{examples} examples an operation; nothing is shown until all were sent")
    fuzzed = fuzz(settings, folder, examples=examples, patience_s=PATIENCE_S)
    if not fuzzed.is_clean:
        tell(fuzzed.failures[:20_000])
    report.add(
        f"requests to {fuzzed.count('selected') or 'all'} operations, {examples} examples each",
        fuzzed.count("generated"),
        found="none" if fuzzed.is_clean else "failures, shown above",
        promised="no answer contradicts the OpenAPI document",
        holds=fuzzed.is_clean,
    )
    return report
