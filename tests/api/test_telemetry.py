"""Spans for an OpenTelemetry collector: what it gets, and what it never gets."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from fastapi.testclient import TestClient
from opentelemetry import trace

from service.app import create_app
from service.errors import ConfigurationError
from service.settings import Settings
from service.web.telemetry import Telemetry
from tests.support.fake_backend import FakeBackend

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


class Collector:
    """Receives OTLP over HTTP; `bodies` has what was posted, `paths` where to."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.bodies: list[bytes] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                collector.paths.append(self.path)
                collector.bodies.append(body)
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def spans(self) -> list[Any]:
        service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
        return [
            span
            for body in self.bodies
            for resource in service.ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


def attributes(span: Any) -> dict[str, Any]:
    return {
        one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in span.attributes
    }


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = Collector()
    thread = threading.Thread(target=collector.server.serve_forever)
    thread.start()
    yield collector
    collector.server.shutdown()
    thread.join()
    collector.server.server_close()


def client_of(settings: Settings, collector: Collector) -> TestClient:
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http")
    traced = settings.model_copy(update={"otlp_url": f"{collector.url}/"})
    return TestClient(create_app(traced, FakeBackend()), base_url="http://localhost")


def test_the_collector_gets_a_span_of_each_request(
    settings: Settings, collector: Collector
) -> None:
    with client_of(settings, collector) as client:
        client.get(
            "/api/v1/runs/none", headers={"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}
        )
        client.post("/v1/completions", json={"model": "fake", "prompt": "A secret", "stream": True})

    assert set(collector.paths) == {"/v1/traces"}
    missing, streamed = collector.spans()
    assert missing.name == "GET /api/v1/runs/{run_id}"
    assert missing.trace_id.hex() == TRACE_ID
    assert attributes(missing)["http.response.status_code"] == 404
    assert streamed.name == "POST /v1/completions"
    assert b"ideapool" in collector.bodies[0]


def test_no_span_holds_a_search_or_a_prompt(settings: Settings, collector: Collector) -> None:
    with client_of(settings, collector) as client:
        client.get("/api/v1/ideas", params={"q": "xylophone"})
        client.post("/v1/completions", json={"model": "fake", "prompt": "xylophone"})
        client.post("/v1/completions", json={"model": "fake", "prompt": ["xylophone", 1.5]})

    searched, *_ = collector.spans()
    assert attributes(searched)["url.query"] == "REDACTED"
    assert b"xylophone" not in b"".join(collector.bodies)


def test_checks_and_static_files_make_no_spans(settings: Settings, collector: Collector) -> None:
    with client_of(settings, collector) as client:
        for path in ("/livez", "/readyz", "/healthz", "/metrics", "/static/app.css"):
            client.get(path)

    assert not collector.bodies


def test_a_missing_collector_stops_no_request(settings: Settings) -> None:
    collector = Collector()
    collector.server.server_close()
    with client_of(settings, collector) as client:
        assert client.get("/api/v1/boards").status_code == 200


def test_without_the_packages_the_server_does_not_start_and_names_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    traced = settings.model_copy(update={"otlp_url": "http://localhost:4318"})

    with pytest.raises(ConfigurationError, match="opentelemetry-sdk"):
        create_app(traced, FakeBackend())


def test_nothing_is_traced_unless_the_settings_name_a_collector(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even where the environment has FastAPI's own switch, or a tracer for the whole process."""
    asked = []

    class Recorder(trace.NoOpTracerProvider):
        def get_tracer(self, *args: Any, **options: Any) -> trace.Tracer:
            asked.append(args)
            return super().get_tracer(*args, **options)

    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setattr(trace, "get_tracer_provider", Recorder)
    with TestClient(create_app(settings, FakeBackend()), base_url="http://localhost") as client:
        assert client.get("/api/v1/boards").status_code == 200

    assert not asked
    assert Telemetry(None).config.get("auto_configure") is False


@pytest.mark.parametrize("url", ["localhost:4318", "http://key@localhost:4318", "ftp://localhost"])
def test_the_address_of_the_collector_is_checked(url: str) -> None:
    with pytest.raises(ValueError, match=r"must (look like|not have)"):
        Settings(otlp_url=url)
