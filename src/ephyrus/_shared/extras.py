"""Optional packages: imported where they are used; where missing, the extra is named."""

from __future__ import annotations

import importlib
from typing import Any

from ephyrus.errors import MissingExtraError

__all__ = ["optional_module"]


def optional_module(name: str, extra: str, purpose: str) -> Any:
    """Import a module of an optional package.

    Parameters
    ----------
    name : str
        Module, with its package (``"dask.array"``).
    extra : str
        The extra of ephyrus that installs the package.
    purpose : str
        What it is needed for, completing the sentence "... needs the package <package>".

    Returns
    -------
    module

    Raises
    ------
    MissingExtraError
        If it cannot be imported.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(name.partition(".")[0], extra, purpose) from error
