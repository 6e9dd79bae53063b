"""The settings of a service, with faults told to the one who wrote them."""

from __future__ import annotations

import os
import tomllib
from typing import Any

from pydantic import ValidationError

from ephyrus.cli import console
from ephyrus.cli.failures import Failure
from ephyrus.service.settings import FILE_VARIABLE, Settings

__all__ = ["read_settings"]

PREFIX = "EPHYRUS_SERVICE_"


def read_settings(**values: Any) -> Settings:
    """Read the settings.

    Parameters
    ----------
    **values
        Those of the command line, which win.

    Raises
    ------
    Failure
        If one is wrong.
    """
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise Failure("; ".join(map(_told, error.errors())), _places()) from error
    except tomllib.TOMLDecodeError as error:
        raise Failure(f"{os.environ[FILE_VARIABLE]} is not TOML: {error}") from error
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name != FILE_VARIABLE and not _is_known(name):
            console.note("warning", f"there is no setting for {name} of the environment")
    return settings


def _is_known(variable: str) -> bool:
    return variable.removeprefix(PREFIX).lower() in Settings.model_fields


def _told(fault: Any) -> str:
    """Say which setting is wrong and why, but not what it is: it may be a secret."""
    name = ".".join(map(str, fault["loc"]))
    if fault["type"] == "extra_forbidden":
        return f"there is no setting {name!r}"
    reason = str(fault["msg"]).removeprefix("Value error, ")
    return f"the setting {name!r} is wrong: {reason[:1].lower()}{reason[1:]}"


def _places() -> str:
    """Say where settings come from."""
    file = os.environ.get(FILE_VARIABLE)
    return f"see {f'{file} and ' if file else ''}the variables {PREFIX}... of the environment"
