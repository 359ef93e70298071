"""Spans of requests for an OpenTelemetry collector, where the settings name one.

FastAPI makes the spans. Its metrics and logs stay off: Prometheus has the numbers, and messages of
errors could hold what people wrote. So could the query of an address, which is taken out.
"""

import threading
from typing import TYPE_CHECKING, Any

from fastapi.telemetry import TelemetryConfig

from service import __version__
from service.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

LAST_EXPORT_S = 2.0
# What machines ask all the time, and files.
_UNTRACED = ("/livez", "/healthz", "/readyz", "/metrics", "/static/")
_OFF = TelemetryConfig(
    tracing=False, metrics=False, logs=False, operation_spans=False, auto_configure=False
)


class Telemetry:
    def __init__(self, collector: str | None) -> None:
        """`collector` is the address of an OTLP receiver over HTTP; None sends nothing.

        Raises:
            ConfigurationError: the packages of the extra `otel` are not installed.
        """
        self._provider: TracerProvider | None = None
        if collector is not None:
            self._provider, self._exporter = _pipeline(f"{collector.rstrip('/')}/v1/traces")

    @property
    def config(self) -> TelemetryConfig:
        if self._provider is None:
            return _OFF
        return _OFF | TelemetryConfig(
            tracing=True, tracer_provider=self._provider, exclude=_is_untraced
        )

    def close(self) -> None:
        """Sends the spans that are left. It blocks, but not for long if no collector answers."""
        if self._provider is None:
            return
        give_up = threading.Timer(LAST_EXPORT_S, self._exporter.shutdown)
        give_up.start()
        self._provider.shutdown()
        give_up.cancel()


def _is_untraced(scope: Any) -> bool:
    return str(scope["path"]).startswith(_UNTRACED)


def _pipeline(address: str) -> tuple["TracerProvider", "SpanExporter"]:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise ConfigurationError(
            "IDEAPOOL_OTLP_URL needs packages that are not installed. Install "
            "opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http, which are the extra "
            "`otel`, or leave the setting out."
        ) from error

    class WithoutQuery(SpanProcessor):  # type: ignore[misc]
        def on_start(self, span: Any, parent_context: Any = None) -> None:  # noqa: ARG002
            if "url.query" in span.attributes:
                span.set_attribute("url.query", "REDACTED")

    resource = Resource.create({"service.name": "ideapool", "service.version": __version__})
    # The variables of OpenTelemetry come last, so that they can give another name.
    provider = TracerProvider(
        resource=resource.merge(OTELResourceDetector().detect()), shutdown_on_exit=False
    )
    provider.add_span_processor(WithoutQuery())
    exporter = OTLPSpanExporter(endpoint=address)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider, exporter
