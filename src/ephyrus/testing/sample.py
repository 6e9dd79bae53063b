"""A small recording of a format, for the contract suite."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["Sample"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One small recording that a synthetic writer makes.

    Attributes
    ----------
    format : str
        Name of the format.
    name : str
        What is special about it (``"abf2-episodic"``).
    write : callable
        Writes the files into the given folder and gives the path to open.
    options : mapping
        Options of opening that it needs.
    boundaries : callable
        Gives the byte offsets of the main file at which its structures begin or end.
    large : callable, optional
        Writes a recording of at least 100 MB in the same way, as a sparse file where the format
        allows that; for the tests of what opening costs.
    states_length : bool
        The file itself says how long it is, so that a cut end must be noticed.
    """

    format: str
    name: str
    write: Callable[[Path], Path]
    options: Mapping[str, Any] = field(default_factory=dict)
    boundaries: Callable[[bytes], list[int]] = lambda data: [0, len(data) // 2]
    large: Callable[[Path], Path] | None = None
    states_length: bool = True
