"""`ideapool doctor`: what is there, what is missing, and what would be better."""

import argparse
import sys
from dataclasses import asdict

from service.cli.printing import as_json, line
from service.settings import Settings

MARKS = {"ok": "✓", "better": "!", "broken": "✗"}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--speed",
        action="store_true",
        help="measure the libraries of llama.cpp first; takes a minute",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=_doctor)


def _doctor(settings: Settings, options: argparse.Namespace) -> int:
    """Returns 1 if something is broken."""
    from service.cli.doctor import CHECKS
    from service.health import examine
    from service.served_models import measure_speeds

    if options.speed:
        measure_speeds(settings, lambda text: print(text, file=sys.stderr, flush=True))

    findings = []
    width = max(map(len, CHECKS))
    for found in examine(settings, CHECKS):
        findings.append(found)
        if not options.json:
            line(f"{MARKS[found.state]} {found.subject:{width}}  {found.text}")
            if found.advice:
                line(f"  {'':{width}}  → {found.advice}")
    if options.json:
        as_json([asdict(one) for one in findings])
    return int(any(one.state == "broken" for one in findings))
