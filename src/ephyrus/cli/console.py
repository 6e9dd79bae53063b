"""Standard output and standard error: any terminal, any encoding, closed pipes."""

from __future__ import annotations

import codecs
import json
import math
import os
import sys
from collections.abc import Mapping
from datetime import date, datetime, time
from fractions import Fraction
from typing import Any, NoReturn

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

__all__ = [
    "cells",
    "err",
    "facts",
    "note",
    "out",
    "plain",
    "prepare_streams",
    "say",
    "section",
    "table",
    "write_json",
]

PIPE_WIDTH = 120  # columns where the output is no terminal and COLUMNS says nothing
_SPELLED = {
    "\N{MICRO SIGN}": "u",
    "\N{GREEK SMALL LETTER MU}": "u",
    "\N{GREEK CAPITAL LETTER OMEGA}": "Ohm",
    "\N{OHM SIGN}": "Ohm",
    "\N{DEGREE SIGN}": "deg",
    "…": "...",
    "–": "-",
    "—": "-",
    "×": "x",
    "→": "->",
    "✓": "ok",
    "✗": "!!",
}


class _Terminal(Console):
    """A console that leaves a closed pipe to the program's end."""

    def on_broken_pipe(self) -> NoReturn:
        """Hand the error on."""
        raise BrokenPipeError


def out() -> Console:
    """Give the console of standard output."""
    return _console(stderr=False)


def err() -> Console:
    """Give the console of standard error."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = _Terminal(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = PIPE_WIDTH
    return console


def say(text: str | Text) -> None:
    """Write one line to standard output, however long it is."""
    out().print(text, soft_wrap=True)


def note(kind: str, text: str) -> None:
    """Write one line to standard error: what kind of line it is, and what it says."""
    style = {"error": "bold red", "warning": "yellow"}.get(kind, "cyan")
    err().print(Text.assemble((f"{kind}: ", style), plain(text)), soft_wrap=True)


def plain(text: object) -> str:
    r"""Make text of a file or a file's name safe to show: one line, no control characters.

    Examples
    --------
    >>> plain("two\nlines\x1b[31m")
    'two lines\\x1b[31m'
    """
    return "".join(
        letter if letter.isprintable() else " " if letter.isspace() else _escaped(letter)
        for letter in str(text)
    )


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """Make a table whose cells are folded, never cut; `right` names the columns of numbers."""
    made = Table(header_style="dim", box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in columns:
        made.add_column(Text(name), justify="right" if name in right else "left", overflow="fold")
    return made


def section(title: str, content: Table) -> Group:
    """Put a title above a table, and a free line below it."""
    return Group(Text(plain(title), style="bold"), Padding(content, (0, 0, 1, 1), expand=False))


def facts() -> Table:
    """Make a borderless table of two columns: what, and its value."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="cyan", no_wrap=True)
    made.add_column(overflow="fold")
    return made


def cells(*values: object) -> list[Text]:
    """Make the cells of a table row from text that may come from a file."""
    return [Text("" if value is None else plain(value)) for value in values]


def write_json(value: Any) -> None:
    """Write JSON to standard output: plain ASCII, so that every encoding carries it."""
    sys.stdout.write(json.dumps(_jsonable(value), indent=2, allow_nan=False) + "\n")


def _jsonable(value: Any) -> Any:
    """Give a value in the types of JSON; what is not finite becomes null."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_jsonable(item) for item in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if hasattr(value, "tolist"):  # numpy arrays and scalars
        return _jsonable(value.tolist())
    if isinstance(value, float | Fraction):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return str(value)


def prepare_streams() -> None:
    """Let every character be written: those that the encoding lacks are spelled or escaped."""
    codecs.register_error("ephyrus", _spelled)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="ephyrus")


def _spelled(error: UnicodeError) -> tuple[str, int]:
    """Replace what an encoding lacks (an error handler of `codecs`)."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(_SPELLED.get(letter) or _escaped(letter) for letter in letters), error.end
