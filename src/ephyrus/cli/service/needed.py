"""The packages of the extra ``service``: asked for before anything of it is imported."""

from __future__ import annotations

from importlib.util import find_spec

from ephyrus.errors import MissingExtraError

__all__ = ["check_installed"]

PACKAGES = (
    "alembic",
    "argon2",
    "brotli",
    "orjson",
    "prometheus_client",
    "pydantic_settings",
    "python_multipart",
    "sqlalchemy",
    "starlette",
    "uvicorn",
    "zstandard",
)


def check_installed(purpose: str) -> None:
    """Make sure that the service can be imported.

    Raises
    ------
    MissingExtraError
        If a package is missing; the message has the line for pip.
    """
    for package in PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError(package, "service", purpose)
