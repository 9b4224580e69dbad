"""Every setting of an installation: one class, each field with its type, default and one sentence.

Settings are read from the environment (`CLARION_…`) and a `.env` file once, at start. The table in the README is
generated from this class (`clarion settings --markdown`) and a test holds the two together.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

from phonenumbers import SUPPORTED_REGIONS
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.errors import Invalid


def _region(code: str) -> str:
    if code.upper() not in SUPPORTED_REGIONS:
        raise ValueError(f"{code!r} is no country; write its two letters (ISO 3166), such as GB")
    return code.upper()


def _processes(number: int) -> int:
    """One process sends with about one core, and keeps the database and the receiving server as busy again."""
    return number or min(max(1, len(os.sched_getaffinity(0)) // 2), 64)


LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(str.upper)]


class Settings(BaseSettings):
    """The settings of one installation."""

    model_config = SettingsConfigDict(env_prefix="CLARION_", env_file=".env", extra="ignore", frozen=True)

    database_url: str | None = Field(
        None,
        description="PostgreSQL 15 or newer, `postgresql://user:password@host[,host2]/name`. Unset: the embedded server.",
    )
    broker_url: str | None = Field(
        None, description="`amqp://` (RabbitMQ, quorum queues) or `redis://`. Unset: the embedded Redis."
    )
    var_dir: Path = Field(Path("var"), description="Where embedded servers, uploads, exports and development secrets live.")
    base_url: str = Field(
        "http://127.0.0.1:8000",
        pattern=r"^https?://[^\s/?#]+[^\s?#]*$",
        description="Public address that links in messages point to.",
    )
    listen_host: str = Field("127.0.0.1", description="Address the API listens on.")
    listen_port: int = Field(8000, ge=0, le=65535, description="Port the API listens on; 0 takes a free one.")
    metrics_port: int = Field(
        0, ge=0, le=65535, description="Port for `/metrics` of `clarion worker` where it runs without the API; 0: none."
    )
    api_processes: int = Field(1, ge=1, le=64, description="API processes of `clarion up` and `clarion api`.")
    worker_processes: Annotated[int, AfterValidator(_processes)] = Field(
        0, ge=0, le=64, validate_default=True,
        description="Worker processes of `clarion up` and `clarion worker`. 0: half as many as there are cores, at least one.",
    )  # fmt: skip
    worker_threads: int = Field(8, ge=1, le=64, description="Jobs that one worker process runs at once.")
    database_pool_size: int = Field(10, ge=6, le=200, description="Database connections per process at most.")
    secret_keys: SecretStr | None = Field(
        None,
        description="Master keys, newest first: `id:base64,id:base64`. Unset: made on first start in `var_dir` (development).",
    )
    allow_private_egress: bool = Field(
        False,
        description="Let channels and fetches reach private and loopback addresses. For development only.",
    )
    cors_origins: str = Field("", description="Origins that browsers may call the API from, separated by commas.")
    websocket_origins: str = Field(
        "",
        description="Origins that may open subscriptions, separated by commas; clients without an Origin are allowed.",
    )
    explorer: bool = Field(True, description="Serve the GraphQL explorer page at `/graphql`.")
    graphql_max_depth: int = Field(12, ge=1, description="Deepest nesting of a GraphQL query.")
    graphql_max_cost: int = Field(5000, ge=1, description="Highest cost of a GraphQL query (rows times fields).")
    graphql_max_bytes: int = Field(200_000, ge=1000, description="Largest GraphQL request body in bytes.")
    page_size_max: int = Field(500, ge=1, le=5000, description="Largest page of a connection.")
    event_body_max_bytes: int = Field(256 * 1024**2, ge=1, description="Largest body of `POST /events` in bytes, unpacked.")
    upload_max_bytes: int = Field(10 * 1024**3, ge=1, description="Largest uploaded file in bytes.")
    file_retention_days: int = Field(
        30, ge=1, description="How long uploads, rejects and exports are kept after they are complete."
    )
    visitor_retention_days: int = Field(
        365,
        ge=0,
        le=36_500,
        description="How long visitors of whom nobody knows who they are are kept after their last change. 0: for good.",
    )
    privacy_confirm_delete: bool = Field(
        False, description="Let deletions that somebody asks for by a privacy request wait until they are confirmed."
    )
    default_country: Annotated[str, AfterValidator(_region)] = Field(
        "US", description="Country for phone numbers written without an international prefix."
    )
    lease_seconds: float = Field(8.0, gt=1, description="How long a worker keeps a claimed batch without a sign of life.")
    send_batch_size: int = Field(400, ge=1, le=10_000, description="Ledger rows claimed at once.")
    retry_first_seconds: float = Field(
        60.0, gt=0, description="Delay before the first retry of a transient failure; doubles each time."
    )
    retry_longest_seconds: float = Field(14_400.0, gt=0, description="Longest delay between two retries.")
    invalid_window: int = Field(1000, ge=10, description="Messages over which the share of invalid addresses is watched.")
    invalid_limit: float = Field(
        0.05, gt=0, le=1, description="Share of invalid addresses in the window that pauses a delivery."
    )
    reconcile_seconds: float = Field(
        2.0, gt=0, description="How often the reconciler looks for work that no wake-up announced."
    )
    log_level: LogLevel = Field("INFO", description="Lowest level that is logged.")
    log_format: Literal["auto", "console", "json"] = Field(
        "auto", description="`json`, `console`, or `auto` (console on a terminal)."
    )
    hit_wait_seconds: float = Field(5.0, gt=0, description="How long a click waits for the database before it is answered 503.")


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment; `overrides` win (tests, the CLI's options). Raises Invalid (BAD_SETTING)."""
    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        raise Invalid(
            f"CLARION_{name}: {first['msg'][:1].lower()}{first['msg'][1:]}",
            code="BAD_SETTING",
            hint="`clarion settings` lists every setting with its meaning.",
        ) from None
