"""Settings of the service, from a file, the environment and the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import platformdirs
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

__all__ = ["Settings"]


def _data_folder() -> Path:
    """Folder for the database and the arrays of a service that is given none."""
    return Path(platformdirs.user_data_dir("ephyrus", appauthor=False)) / "service"


class Settings(BaseSettings):
    """What an administrator sets.

    Each setting is read from the environment variable ``EPHYRUS_SERVICE_<NAME>``, else from the
    settings file, else it has the default given here.
    """

    model_config = SettingsConfigDict(env_prefix="EPHYRUS_SERVICE_", extra="forbid", frozen=True)

    data_folder: Path = Field(default_factory=_data_folder)
    """Folder of the embedded database and of the arrays on disk."""
    database: str = ""
    """Address of the database (``postgresql+psycopg://...``); empty: SQLite in `data_folder`."""
    array_store: str = ""
    """Address of an object store for arrays (``s3://bucket/prefix``); empty: `data_folder`."""
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

    @property
    def database_url(self) -> str:
        """Address of the database that is used."""
        return self.database or f"sqlite:///{self.data_folder / 'catalog.sqlite'}"
