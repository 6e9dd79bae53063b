"""``ephyrus identify``: which format a recording is of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ephyrus.cli import console
from ephyrus.cli.failures import Failure, Tally
from ephyrus.cli.inputs import find_sources
from ephyrus.registry import BY_NAME, Match, matches_of

__all__ = ["run"]

SURE = 0.95


def run(paths: Sequence[str], *, recursive: bool, as_json: bool) -> int:
    """Identify recordings; gives the exit code."""
    tally = Tally()
    entries: list[tuple[str, list[Match]]] = []
    for source in find_sources(paths, tally, recursive=recursive):
        with tally.attempt(source.path):
            matches = matches_of(source.path)
            if not matches:
                raise Failure(
                    f"{source.path}: none of the formats recognises it",
                    "'ephyrus formats' lists what is read",
                )
            entries.append((source.path, matches))
    if as_json:
        failed = tally.entries(format=None)
        console.write_json([_entry(path, matches) for path, matches in entries] + failed)
    elif entries:
        console.out().print(_table(entries))
    return tally.code


def _entry(path: str, matches: list[Match]) -> dict[str, Any]:
    best = matches[0]
    return {
        "path": path,
        "format": best.format.name,
        "label": best.format.label,
        "io_class": best.format.io_class,
        "confidence": best.confidence,
        "candidates": [
            {"format": match.format.name, "confidence": match.confidence} for match in matches
        ],
    }


def _table(entries: list[tuple[str, list[Match]]]) -> Any:
    has_others = any(len(matches) > 1 for _, matches in entries)
    heads = "recording", "format", "name", "recognised by", *(("or else",) if has_others else ())
    table = console.table(*heads)
    for column in table.columns[2:4]:
        column.no_wrap = True
    for path, matches in entries:
        best, *others = matches
        row = path, best.format.label, best.format.name, _grounds(best)
        rest = (", ".join(match.format.name for match in others),) if has_others else ()
        table.add_row(*console.cells(*row, *rest))
    return table


def _grounds(match: Match) -> str:
    """Say what speaks for a format."""
    if match.confidence >= SURE:
        return "its content"
    if match.confidence > BY_NAME:
        return "its content, probably"
    return "its name only"
