"""How long the three actions take on a real model: `python -m benchmarks.bench_actions --model standard`.

Starts a server of its own, asks it one thing at a time, prints medians, the memory of both
processes and every answer, so that it can be read what the times are the times of.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.support.app_server import Server, serving

TOPICS = (
    "helping children eat more vegetables",
    "more customers for a small bicycle repair shop",
    "sleep better during exam weeks",
)
NOTES = (
    ("tool shelf", "shelf in the hall, people lend drills. 12 flats, maybe 40 euros for wood"),
    ("Lunch walks", "Every Wednesday at 12:30 the team walks around the lake. Carla leads."),
    ("compost", "3 bins behind the canteen, kitchen throws 15 kg a day, gardener wants it."),
    ("Homework radio", "FM 98.4 gives us 20 min on Tuesdays, pupils explain maths on air."),
    ("Bike evenings", "Workshop at the library, first Monday, 6-9 pm. Volunteers: Ali, Jo, Sam."),
)


def brainstorm(server: Server, topic: str, n: int) -> tuple[float, float]:
    """Seconds to the first suggestion and to the last."""
    began = time.perf_counter()
    moments = []
    print(f"\n{topic}")
    with server.http.stream(
        "POST",
        "/api/v1/brainstorm",
        json={"topic": topic, "n": n, "seed": 1},
        headers={"accept": "text/event-stream"},
    ) as stream:
        name = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: ") and name in ("suggestion", "error"):
                data = json.loads(line[6:])
                moments.append(time.perf_counter() - began)
                print("  ", data.get("detail") or f"{data['title']}: {data['text']}")
    return moments[0], moments[-1]


def ask(server: Server, action: str, title: str, body: str) -> float:
    began = time.perf_counter()
    answer: dict[str, Any] = server.http.post(
        f"/api/v1/{action}", json={"title": title, "body": body, "seed": 1}
    ).json()
    shown = ("detail", "title", "body", "changes", "scores", "strengths", "concerns", "next_step")
    print(f"\n{action}: {title}")
    for key in shown:
        if key in answer:
            print(f"   {key}: {answer[key]}")
    return time.perf_counter() - began


def memory_mb(process_id: int) -> float:
    for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("no such process")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="standard", help="a set of the catalog")
    parser.add_argument("-n", type=int, default=8)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder), IDEAPOOL_MODEL=options.model) as server,
    ):
        server.await_models()
        drawn = [brainstorm(server, topic, options.n) for topic in TOPICS]
        refined = [ask(server, "refine", *note) for note in NOTES]
        evaluated = [ask(server, "evaluate", *note) for note in NOTES]
        print(f"\n{options.model}, medians in seconds")
        print(f"first suggestion   {statistics.median(first for first, _ in drawn):6.1f}")
        print(f"suggestion {options.n:<3}     {statistics.median(last for _, last in drawn):6.1f}")
        print(f"refine             {statistics.median(refined):6.1f}")
        print(f"evaluate           {statistics.median(evaluated):6.1f}")
        print(f"server             {memory_mb(server.process.pid):6.0f} MB")
        print(f"model process      {memory_mb(server.model_process()):6.0f} MB")


if __name__ == "__main__":
    main()
