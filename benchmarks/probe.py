"""How fast a health endpoint answers: `python -m benchmarks.probe http://127.0.0.1:8000/livez`.

Asks every 50 ms on a new connection, as an orchestrator would, only more often; prints the seconds
each answer took as a JSON list. A process of its own, so that the load generator does not wait
for it. Standard library only.
"""

import argparse
import contextlib
import http.client
import json
import sys
import time
from urllib.parse import urlsplit

PERIOD_S = 0.05
PATIENCE_S = 10.0


def ask(host: str, port: int, path: str) -> float:
    """Seconds until the whole answer is there; the patience where none comes."""
    began = time.perf_counter()
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
        except OSError:
            return PATIENCE_S
    if answer.status != 200:
        raise SystemExit(f"{path} answered {answer.status}")
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--seconds", type=float, default=6.0)
    options = parser.parse_args()
    parts = urlsplit(options.url)
    times = []
    began = time.perf_counter()
    while (elapsed := time.perf_counter() - began) < options.seconds:
        times.append(ask(parts.hostname or "", parts.port or 80, parts.path))
        time.sleep(max(0.0, PERIOD_S - (time.perf_counter() - began - elapsed)))
    json.dump(times, sys.stdout)


if __name__ == "__main__":
    main()
