"""Settings: environment variables in, one frozen object out. Nothing else in this package reads the environment."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

Port = Annotated[int, Field(ge=1, le=65535)]


_HANDFUL = 6

_URL = re.compile(
    r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)(:[0-9]{1,5})?(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?"
)


def _port_is_valid(url: str) -> bool:
    try:
        return urlsplit(url).port != 0
    except ValueError:
        return False


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class ConfigurationError(ValueError):
    """A setting that the operator has to change; its text says which one and how."""


class Rung(BaseModel):
    """One step of the ladder. The height is that of the short side, so that portrait pictures fit as well."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[A-Za-z0-9]{1,16}$")
    height: int = Field(ge=144, le=2160)
    video_kbps: int = Field(ge=100, le=20_000)
    audio_kbps: int = Field(default=128, ge=32, le=512)


DEFAULT_LADDER = (
    Rung(name="720p", height=720, video_kbps=2500),
    Rung(name="480p", height=480, video_kbps=1200),
    Rung(name="360p", height=360, video_kbps=700),
)


class Settings(BaseSettings):
    """Every name is an environment variable in capitals: the contract with the task definition and with compose."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore")

    environment: str = "local"
    backend_url: str
    backend_token: SecretStr | None = None
    leases_table: str | None = None
    aws_region: str | None = None  # ECS sets it, and boto3 reads another name
    # In copied broadcasts; an encoded one costs two. See docs/adr/0012-admission-only-at-the-door.md.
    max_streams: int = Field(default=4, ge=1)
    ladder: tuple[Rung, ...] = DEFAULT_LADDER
    segment_seconds: float = Field(default=2.0, ge=1.0, le=10.0)
    part_seconds: float = Field(default=0.35, ge=0.2, le=1.0)
    playlist_segments: int = Field(default=8, ge=4, le=60)
    # FFmpeg may be this far behind the source, and for this long: more than a start from the last key frame or a burst
    # from the network takes to catch up with. Then it hangs, or does not keep up and gets less to do.
    encoder_patience_seconds: float = Field(default=5.0, ge=1.0)
    cluster_name: str = "local"
    service_name: str = "origin"
    metrics_namespace: str = "LiveCommerce"
    stop_timeout_seconds: float = Field(default=120, ge=0)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    # Whose pages may read what we answer; empty says nothing, because behind CloudFront that one decides.
    cors_allow_origin: str = Field(default="", pattern=r"^(\*|https?://[A-Za-z0-9.:-]+)?$")

    # ECS itself sets these two in every container that it runs.
    ecs_container_metadata_uri_v4: str | None = Field(default=None, pattern="^http://")
    ecs_agent_uri: str | None = Field(default=None, pattern="^http://")

    # A broadcast that has been gone for this long has ended; its playlists stay for a while after that.
    end_after_seconds: float = Field(default=60, ge=1)
    forget_after_seconds: float = Field(default=300, ge=1)

    peer_cache_bytes: int = Field(default=64 << 20, ge=0)  # other tasks' playlists and media, kept for our viewers

    http_host: str = "0.0.0.0"  # noqa: S104 # the load balancer comes in here
    http_port: Port = 8080
    rtmp_host: str = "0.0.0.0"  # noqa: S104 # publishers come in here
    rtmp_port: Port = 1935
    nginx_instances: int | None = Field(default=None, ge=1, le=16)
    hooks_port: Port = 8090  # loopback: nginx asks origin here; status for people on this machine
    rtmp_module: Path = Path("/usr/local/lib/ngx_rtmp_module.so")  # what container/nginx/module/build.sh makes
    runtime_dir: Path = Path("/tmp/origin")  # noqa: S108 # a mount of its own where the root file system is read-only

    @property
    def rtmp_instances(self) -> int:
        """How many nginx share the publishers: one for each broadcast and one for strangers, up to a handful."""
        return self.nginx_instances or min(self.max_streams + 1, _HANDFUL)

    @field_validator("backend_url")
    @classmethod
    def _backend_url_is_plain_http(cls, value: str) -> str:
        # Never shows the value: somebody may have put a password into it.
        if not value.startswith(("http://", "https://")):
            raise ValueError("must be an http:// or https:// URL")
        if not _URL.fullmatch(value) or not _port_is_valid(value):
            raise ValueError(
                "must be http(s)://host[:port][/path], with no user, password, query, fragment or blanks; "
                "BACKEND_TOKEN is for what the backend is to know us by"
            )
        return value.rstrip("/")

    @field_validator("backend_token")
    @classmethod
    def _token_fits_into_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        token = value.get_secret_value().strip() if value else ""  # secrets often end with a line break
        if not re.fullmatch("[!-~]*", token):
            raise ValueError("must be printable ASCII without blanks")
        return SecretStr(token) if token else None

    @model_validator(mode="after")
    def _token_is_sent_over_tls(self) -> Self:
        if self.backend_token and self.backend_url.startswith("http://") and not _is_loopback(self.backend_url):
            raise ValueError(
                "BACKEND_URL must be https:// with BACKEND_TOKEN, or on this machine (localhost): "
                "everybody on the way would read the token"
            )
        return self

    @property
    def part_ms(self) -> int:
        """What packaging counts in."""
        return round(self.part_seconds * 1000)

    @property
    def segment_ms(self) -> int:
        return round(self.segment_seconds * 1000)

    @field_validator("ladder")
    @classmethod
    def _ladder_from_the_top(cls, value: tuple[Rung, ...]) -> tuple[Rung, ...]:
        if not value:
            raise ValueError("needs at least one rendition")
        if len({rung.name for rung in value}) < len(value) or len({rung.height for rung in value}) < len(value):
            raise ValueError("names and heights must differ from each other")
        return tuple(sorted(value, key=lambda rung: -rung.height))

    @model_validator(mode="after")
    def _parts_fit_segments(self) -> Self:
        if self.part_seconds * 2 > self.segment_seconds:
            raise ValueError(
                f"part_seconds must be at most half of segment_seconds ({self.segment_seconds}), "
                f"got {self.part_seconds}"
            )
        return self


def load() -> Settings:
    """Settings from the environment; a mistake becomes one ConfigurationError that names each wrong variable."""
    try:
        return Settings()  # type: ignore[call-arg] # pydantic-settings fills it from the environment
    except ValidationError as error:
        problems = [
            f"{'.'.join(str(part) for part in problem['loc']).upper() or 'settings'}: {problem['msg']}"
            for problem in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigurationError("; ".join(problems)) from None
    except SettingsError as error:  # no JSON where a list has to be; its text names the field
        raise ConfigurationError(f"{error}; must be JSON") from None
