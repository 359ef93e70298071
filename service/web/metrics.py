"""Metrics for Prometheus. Names follow its conventions; labels never contain users' text."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from service.engine.types import Stats
from service.runs.completions import CompletionEnd
from service.schemas.runs import RunPublic

_SECONDS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640)
# Of each server that answers in place of the catalog's models.
_OF_AN_ENGINE = {
    "ready": "Whether the engine gets requests without restraint.",
    "running": "Requests that the engine works on.",
    "slots": "Requests that the engine gets at a time.",
    "failures": "Requests that failed at the engine.",
    "moved": "Requests that another engine took over from this one.",
}


class Metrics:
    """Has one registry per app, so that two apps in a process do not mix their counts."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._runs = Counter(
            "ideapool_runs",
            "Runs and completions that ended.",
            ["kind", "status"],
            registry=self.registry,
        )
        self._refused = Counter(
            "ideapool_runs_refused",
            "Runs and completions refused because the queue was full.",
            registry=self.registry,
        )
        self._tokens = Counter(
            "ideapool_tokens", "Tokens read and written.", ["direction"], registry=self.registry
        )
        self._first = Histogram(
            "ideapool_run_first_seconds", "Time to the first suggestion, score or text.", ["kind"],
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self._total = Histogram(
            "ideapool_run_seconds", "Duration of finished runs.", ["kind"],
            buckets=_SECONDS, registry=self.registry,
        )  # fmt: skip
        self._active = Gauge(
            "ideapool_runs_active", "Runs waiting or running.", registry=self.registry
        )
        self._engine = Gauge(
            "ideapool_engine_requests", "Requests in the engine.", ["state"],
            registry=self.registry,
        )  # fmt: skip
        self._engines = {
            name: Gauge(f"ideapool_engine_{name}", about, ["url"], registry=self.registry)
            for name, about in _OF_AN_ENGINE.items()
        }
        self._shed = Counter(
            "ideapool_requests_shed",
            "Requests refused because they would have waited too long for a thread.",
            registry=self.registry,
        )
        self._restarts = Gauge(
            "ideapool_engine_restarts", "Number of restarts of the model process.",
            registry=self.registry,
        )  # fmt: skip

    def run_ended(self, run: RunPublic) -> None:
        self._runs.labels(run.kind, run.status).inc()
        usage, timing = run.usage or {}, run.timing or {}
        self._tokens.labels("prompt").inc(usage.get("prompt_tokens", 0))
        self._tokens.labels("completion").inc(usage.get("completion_tokens", 0))
        if timing.get("first_s") is not None:
            self._first.labels(run.kind).observe(timing["first_s"])
        if run.status == "done":
            self._total.labels(run.kind).observe(timing["total_s"])

    def completion_ended(self, end: CompletionEnd) -> None:
        if end.status == "refused":
            self.run_refused()
            return
        self._runs.labels(end.kind, end.status).inc()
        self._tokens.labels("prompt").inc(end.usage.prompt_tokens)
        self._tokens.labels("completion").inc(end.usage.completion_tokens)
        if end.first_s is not None:
            self._first.labels(end.kind).observe(end.first_s)
        if end.status == "done":
            self._total.labels(end.kind).observe(end.total_s)

    def run_refused(self) -> None:
        self._refused.inc()

    def request_shed(self) -> None:
        self._shed.inc()

    def exposition(self, *, active: int, stats: Stats) -> bytes:
        """The current values in Prometheus' text format, version 0.0.4."""
        self._active.set(active)
        self._engine.labels("running").set(stats.running)
        self._engine.labels("waiting").set(stats.waiting)
        self._restarts.set(stats.restarts)
        for engine in stats.engines:
            for name, gauge in self._engines.items():
                value = engine.state == "ready" if name == "ready" else getattr(engine, name)
                gauge.labels(engine.url).set(value)
        return generate_latest(self.registry)
