"""Arguments and options that commands share, with their help."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

import typer

__all__ = [
    "AccessMode",
    "AccessOption",
    "ChannelsOption",
    "FilesArgument",
    "FormatOption",
    "JsonOption",
    "OptionOption",
    "QuietOption",
    "RecursiveOption",
    "SalvageOption",
    "assignments",
    "channel_list",
    "complete_format",
    "complete_written",
    "examples",
]

READING = "Reading"


def examples(*lines: str) -> str:
    """Lay examples out below a command's options."""
    return "\n".join(["[bold]Examples[/bold]", *(f"  {line}" for line in lines)])


class AccessMode(StrEnum):
    """How local files are read."""

    mmap = "mmap"
    pread = "pread"


def complete_format(incomplete: str) -> list[tuple[str, str]]:
    """Complete the name of a format (shell completion)."""
    from ephyrus.registry import all_formats

    return [
        (each.name, each.label)
        for each in all_formats()
        if each.name.startswith(incomplete.lower())
    ]


def complete_written(incomplete: str) -> list[tuple[str, str]]:
    """Complete the name of a format that is written (shell completion)."""
    from ephyrus.registry import all_formats

    return [
        (each.name, each.label)
        for each in all_formats()
        if each.writes and each.name.startswith(incomplete.lower())
    ]


FilesArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE",
        help="Recordings: files, folders (every recording in them), or addresses (s3://...).",
        show_default=False,
    ),
]
FormatOption = Annotated[
    str | None,
    typer.Option(
        "--format",
        "-f",
        metavar="NAME",
        help="Read as this format (default: found by content, then by name).",
        autocompletion=complete_format,
        rich_help_panel=READING,
        show_default=False,
    ),
]
OptionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        "-O",
        metavar="NAME=VALUE",
        help="An option of the format; 'ephyrus formats NAME' lists them. May be repeated.",
        rich_help_panel=READING,
        show_default=False,
    ),
]
SalvageOption = Annotated[
    bool,
    typer.Option(
        "--salvage",
        help="Read what is sound of a damaged file, and say what is not.",
        rich_help_panel=READING,
    ),
]
AccessOption = Annotated[
    AccessMode,
    typer.Option(
        "--access",
        help="Map files into memory (fast), or read them piece by piece (for network drives).",
        rich_help_panel=READING,
    ),
]
RecursiveOption = Annotated[
    bool, typer.Option("--recursive", "-r", help="Look into folders within folders too.")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Write a JSON list, one entry per recording, for programs.")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress bar and no remarks; errors are shown.")
]
ChannelsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--channels",
        "-c",
        metavar="LIST",
        help="Names or positions (from 0), with commas: Fp1,Cz or 0,3-7. May be repeated.",
        show_default=False,
    ),
]


def a_time(value: float | None) -> float | None:
    """Refuse a time that is no number, or endless.

    Raises
    ------
    typer.BadParameter
        If so.
    """
    if value is not None and not math.isfinite(value):
        raise typer.BadParameter(f"{value} is not a time in seconds")
    return value


def assignments(given: Sequence[str] | None, option: str) -> dict[str, Any]:
    """Split ``NAME=VALUE`` arguments.

    Raises
    ------
    typer.BadParameter
        If there is no name or no ``=``, or a name is given twice.
    """
    values: dict[str, Any] = {}
    for text in given or ():
        name, separator, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if not separator or not name:
            raise typer.BadParameter(f"{text!r} is not of the form NAME=VALUE", param_hint=option)
        if name in values:
            raise typer.BadParameter(f"{name} is given twice", param_hint=option)
        values[name] = value
    return values


def channel_list(given: Sequence[str] | None) -> list[str]:
    """Split lists of channels at their commas."""
    return [part.strip() for text in given or () for part in text.split(",") if part.strip()]
