"""Addresses of files elsewhere (``s3://...``): told from paths, opened through fsspec."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ephyrus._shared.extras import optional_module

__all__ = ["filesystem", "is_url"]


def is_url(path: str | os.PathLike[str]) -> bool:
    """Tell whether `path` is an address for fsspec (``s3://...``) and not a local path."""
    scheme, separator, _ = os.fspath(path).partition("://")
    return bool(separator) and scheme.isalnum()


def filesystem(url: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """Give the fsspec file system and the path on it for an address."""
    fsspec = optional_module("fsspec", "cloud", f"Opening {url}")
    try:
        return fsspec.core.url_to_fs(url, **options)  # type: ignore[no-any-return]  # fsspec has no types
    except ImportError as error:  # each kind of address has a package of its own
        raise OSError(f"{url}: this kind of address needs another package: {error}") from error
    except ValueError as error:
        raise OSError(f"{url}: {error}") from error
