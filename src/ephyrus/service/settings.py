"""Settings of the service, from a file, the environment and the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import platformdirs
from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, TomlConfigSettingsSource
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

__all__ = ["FILE_VARIABLE", "Settings"]

FILE_VARIABLE = "EPHYRUS_SERVICE_SETTINGS"
"""Variable of the environment that names the settings file."""


def _data_folder() -> Path:
    """Folder for the database and the arrays of a service that is given none."""
    return Path(platformdirs.user_data_dir("ephyrus", appauthor=False)) / "service"


class Settings(BaseSettings):
    """What an administrator sets.

    Each setting is read from the environment variable ``EPHYRUS_SERVICE_<NAME>``, else from the
    settings file (TOML) that ``EPHYRUS_SERVICE_SETTINGS`` names, else it has the default given
    here.
    """

    model_config = SettingsConfigDict(env_prefix="EPHYRUS_SERVICE_", extra="forbid", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: Any,
        init_settings: Any,
        env_settings: Any,
        dotenv_settings: Any,
        file_secret_settings: Any,
    ) -> tuple[Any, ...]:
        """Give the places that settings come from, those that win first."""
        path = os.environ.get(FILE_VARIABLE, "")
        ordered = init_settings, env_settings
        if not path:
            return ordered
        if not Path(path).is_file():
            raise FileNotFoundError(f"{FILE_VARIABLE}: there is no settings file {path}")
        return (*ordered, TomlConfigSettingsSource(settings_cls, path))

    data_folder: Path = Field(default_factory=_data_folder)
    """Folder of the embedded database and of the arrays on disk."""
    database: str = ""
    """Address of the database (``postgresql+psycopg://...``); empty: SQLite in `data_folder`."""
    array_store: str = ""
    """Address of an object store for arrays (``s3://bucket/prefix``); empty: `data_folder`."""
    store_seconds: float = Field(default=20.0, gt=0)
    """Seconds that one request to the object store (8 MiB at most) may take."""
    id_style: Literal["int", "base32"] = "int"
    """Style of the ids of objects; fixed when the database is made."""
    host: str = "127.0.0.1"
    """Address to listen at."""
    port: int = 8420
    """Port to listen at; 0: any free one."""
    anonymous_read: bool = True
    """Show public objects to those who are not logged in."""
    max_upload_bytes: int = 64 * 2**30
    """Largest upload that is accepted."""
    max_request_bytes: int = 16 * 2**20
    """Largest body of a request that is not an upload."""
    upload_files: int = 1000
    """Most files of one upload."""
    max_array_bytes: int = 64 * 2**30
    """Largest array, unpacked, that is taken out of an uploaded file."""
    max_append_bytes: int = Field(default=256 * 2**20, ge=2**16)
    """Largest body of one append to an array."""
    merge_seconds: float = Field(default=30.0, gt=0)
    """Seconds without an append after which the pieces of an array that grew are joined."""
    max_unpack_ratio: int = 200
    """How many times larger than the file unpacked content may be (64 MiB always may)."""
    archive_max_files: int = 10_000
    """Most files that are unpacked from one archive."""
    archive_max_bytes: int = 256 * 2**30
    """Most bytes that are unpacked from one archive."""
    child_memory_bytes: int = 1024 * 2**20
    """Memory of the process that looks at an uploaded file, beyond what it starts with."""
    child_seconds: float = 60.0
    """Seconds that looking at an uploaded file may take (and another for every 20 MB)."""
    convert_memory_bytes: int = 4 * 2**30
    """Memory of the process that converts an uploaded file, beyond what it starts with."""
    convert_seconds: float = 6 * 3600.0
    """Seconds that the conversion of an uploaded file may take."""
    child_processes: int = 2
    """Most uploaded files that are looked at or converted at the same time by one process."""
    worker_threads: int = 1
    """Background jobs that this process does at the same time; 0: only `ephyrus worker` does."""
    job_attempts: int = 3
    """How often a background job is begun whose worker dies."""
    job_lease_seconds: float = 60.0
    """Seconds without a sign of life after which a worker is taken for dead."""
    leftover_hours: float = 24.0
    """Hours after which a stored file that nothing refers to is removed."""
    dask: str = ""
    """Address of a Dask scheduler that background jobs are handed to; empty: they are done here."""

    # database
    database_seconds: float = Field(default=5.0, gt=0)
    """Seconds in which a PostgreSQL server must answer the question that each request begins with,
    and after about which one that hangs is known to do so; requests are refused then (503)."""
    query_seconds: float = Field(default=30.0, gt=0)
    """Seconds that one query (SQLite: one request's queries together) may take."""
    lock_seconds: float = Field(default=30.0, gt=0)
    """Seconds that a writer waits for others."""

    # accounts: passwords
    password_min_length: int = Field(default=10, ge=1)
    """Fewest characters of a new password."""
    password_time_cost: int = Field(default=3, ge=1)
    """Passes of argon2 over its memory."""
    password_memory_kib: int = Field(default=65_536, ge=8)
    """Memory of one run of argon2."""
    password_parallelism: int = Field(default=4, ge=1)
    """Lanes of argon2."""
    password_concurrency: int = Field(default=2, ge=1)
    """Runs of argon2 at a time in one worker, so that logins cannot take all the memory."""
    password_waiting: int = Field(default=8, ge=0)
    """Logins that may wait for a run; further ones are told to come back (503)."""

    # accounts: sessions
    session_idle_seconds: int = Field(default=14 * 86_400, ge=1)
    """A session ends when it was not used for so long."""
    session_max_seconds: int = Field(default=90 * 86_400, ge=1)
    """A session ends so long after the login, used or not."""
    touch_seconds: int = Field(default=600, ge=1)
    """The last use of a session or token is written down at most once in this time."""
    token_max_seconds: int = Field(default=0, ge=0)
    """Longest life of a bearer token; 0: tokens without an end are allowed."""

    share_link_max_seconds: int = Field(default=366 * 86_400, ge=1)
    """Longest life of a share link."""

    # accounts: limits on logins, each over `login_window_seconds`
    login_window_seconds: int = Field(default=900, ge=1)
    """A used-up allowance of attempts is full again after this time."""
    login_attempts: int = Field(default=10, ge=1)
    """Failed attempts on one user name from one address."""
    login_attempts_name: int = Field(default=50, ge=1)
    """Failed attempts on one user name from all addresses that the user never logged in from."""
    login_attempts_address: int = Field(default=100, ge=1)
    """Failed attempts from one address on all user names."""
    login_rows: int = Field(default=100_000, ge=100)
    """Most rows that are kept about attempts."""

    # accounts: where requests may come from
    allowed_hosts: tuple[str, ...] = ()
    """Names that the service is called by; none: any, or only the names of this machine while it
    listens on a loopback address."""
    allowed_origins: tuple[str, ...] = ()
    """Origins of other sites whose pages may change things with a visitor's session."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks of proxies whose ``X-Forwarded-*`` headers are believed."""

    # accounts: OpenID Connect (extra ``oidc``)
    oidc_issuer: str = ""
    """Address of the provider; empty: no login through a provider."""
    oidc_client_id: str = ""
    """Name that the provider knows the service by."""
    oidc_client_secret: SecretStr = SecretStr("")
    """Secret shared with the provider; empty: a public client (PKCE alone)."""
    oidc_redirect_uri: str = ""
    """Address of ``/account/oidc/callback/`` as the provider knows it; empty: made from the
    request's own host."""
    oidc_scopes: tuple[str, ...] = ("openid", "profile", "email")
    """Scopes that are asked for."""
    oidc_algorithms: tuple[str, ...] = ("RS256", "ES256")
    """Algorithms of signatures that are believed."""
    oidc_first_login: Literal["refuse", "create"] = "refuse"
    """What becomes of someone whom no user is linked to: refused, or a new user is made."""
    oidc_name_claim: str = "preferred_username"
    """Claim that a new user's name is taken from."""

    # routes: limits of requests and answers
    max_json_bytes: int = Field(default=4 * 2**20, ge=1024)
    """Largest JSON body or form."""
    receive_timeout: float = Field(default=30.0, gt=0)
    """Seconds that a sender may pause within a body; a JSON body must come within this time."""
    send_timeout: float = Field(default=60.0, gt=0)
    """Seconds that a reader may take for one block (about 1 MiB) of a streamed answer."""
    stream_threads: int = Field(default=8, ge=1)
    """Threads of a process for the blocks of large answers."""
    stop_seconds: float = Field(default=10.0, ge=0)
    """Seconds that requests and background jobs under way may take when a process stops."""
    request_threads: int = Field(default=16, ge=1)
    """Threads of a process for requests that wait for the database or for files."""
    heavy_requests: int = Field(default=2, ge=1)
    """Requests of a process that reduce or search large arrays at the same time; others wait."""
    heavy_waiting: int = Field(default=64, ge=0)
    """Such requests that may wait; further ones are told to come back (429)."""
    cached_objects: int = Field(default=5000, ge=0)
    """Objects that a process keeps as they were read from the database until something changes."""
    cors_origins: tuple[str, ...] = ()
    """Origins of other sites whose pages may read from the service (``*``: any, without the
    visitor's session); none by default."""
    inline_points: int = Field(default=100_000, ge=1)
    """Most values that are put into an object itself (``format=json`` with ``q=data|full``)."""
    cascade_objects: int = Field(default=2000, ge=1)
    """Most objects that are shown in one object (``cascade=1``)."""
    events_life: float = Field(default=60.0, gt=0)
    """Seconds after which a stream of events ends; clients connect again by themselves."""
    events_interval: float = Field(default=0.5, gt=0)
    """Seconds between two looks for changes while somebody listens."""
    log_format: Literal["json", "text"] = "json"
    """How logs are written."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What is logged; requests are ``info``."""
    metrics_public: bool = False
    """Show ``/metrics`` to everybody; otherwise to requests from the same machine and to
    administrators."""

    @field_validator("database")
    @classmethod
    def _is_known_database(cls, value: str) -> str:
        try:
            kind = make_url(value).get_backend_name() if value else ""
        except ArgumentError:
            raise ValueError("it is not the address of a database") from None
        if kind not in ("", "sqlite", "postgresql"):
            raise ValueError(
                f"{kind} is neither SQLite nor PostgreSQL; give an address that begins with "
                "postgresql+psycopg:// or leave it empty"
            )
        return value

    @property
    def database_url(self) -> str:
        """Address of the database that is used."""
        return self.database or f"sqlite:///{self.data_folder / 'catalog.sqlite'}"
