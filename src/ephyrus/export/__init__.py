"""Writers: one module per writable format, each takes a (lazy) Block tree; and `neo` objects.

A writer module has the name of its format and one function, ``write`` (see `Writer`). It writes
beside the target and renames at the end (:mod:`ephyrus.export.files`), piece by piece through the
``chunks()`` of the data objects, so that a recording of any size is written in bounded memory. The
layout tables stay in ``formats/<name>.py``, where the reader has them. The one module that is no
writer is :mod:`ephyrus.export.neo`, which makes objects of the package neo and takes them back.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from ephyrus.errors import NeoReadWriteError
from ephyrus.registry import all_formats, format_named

if TYPE_CHECKING:
    from ephyrus.core import Block
    from ephyrus.recording import Progress

__all__ = ["WriteReport", "Writer", "writer"]


@dataclass(frozen=True, slots=True)
class WriteReport:
    """What was written.

    Attributes
    ----------
    paths : tuple of Path
        The files; the first is the one to open.
    losses : tuple of str
        What the target format cannot hold and was left out, a sentence each.
    """

    paths: tuple[Path, ...]
    losses: tuple[str, ...] = ()


class Writer(Protocol):
    """The function ``write`` of a writer module."""

    def __call__(
        self,
        blocks: Sequence[Block],
        path: Path,
        options: Mapping[str, Any],
        *,
        progress: Progress,
    ) -> WriteReport:
        """Write blocks to `path` with checked write options."""


def writer(name: str) -> Writer:
    """Import the writer of a format.

    Parameters
    ----------
    name : str
        Name of the format or of its IO class.

    Raises
    ------
    NeoReadWriteError
        If the format is not written; the message lists those that are.
    """
    declared = format_named(name).FORMAT
    if not declared.writes:
        writable = ", ".join(each.name for each in all_formats() if each.writes)
        raise NeoReadWriteError(f"{declared.label} is not written; these are: {writable}")
    return cast("Writer", importlib.import_module(f"ephyrus.export.{declared.name}").write)
