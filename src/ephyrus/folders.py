"""Which files of a folder are recordings, and which belong to another one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

from ephyrus.recording import Format
from ephyrus.registry import BY_NAME, Match, all_formats, matches_of

__all__ = ["best_match", "recognised", "without_companions"]


def recognised(path: str, wanted: Format | None = None) -> bool:
    """Tell whether a file or folder is a recording by its content, of a format if one is wanted.

    Raises
    ------
    OSError
        If the file system fails.
    """
    return best_match(path, wanted) is not None


def best_match(path: str, wanted: Format | None = None) -> Match | None:
    """Give the format of a file or folder that is a recording by its content, or None."""
    matches = matches_of(path)
    if wanted is not None:
        return next((match for match in matches if match.format.name == wanted.name), None)
    return matches[0] if matches and matches[0].confidence > BY_NAME else None


def without_companions(paths: Sequence[str], wanted: Format | None = None) -> list[str]:
    """Leave out files that belong to another one of the list (the .eeg of a .vhdr)."""
    if len(paths) < 2:
        return list(paths)
    formats = all_formats() if wanted is None else [wanted]
    there = {_key(path) for path in paths}
    return [path for path in paths if not any(_is_companion(path, each, there) for each in formats)]


def _is_companion(path: str, declared: Format, there: set[tuple[str, str, str]]) -> bool:
    """Tell whether the main file that a file belongs to is in the list."""
    folder, stem, ending = _key(path)
    if ending not in declared.companions:
        return False
    mains = set(declared.extensions) - set(declared.companions)
    if not any((folder, stem, main) in there for main in mains):
        return False
    return any(match.format.name == declared.name for match in matches_of(path))


def _key(path: str) -> tuple[str, str, str]:
    """Folder, stem and ending, so that files of one recording share the first two."""
    pure = PurePath(path)
    return str(pure.parent), pure.stem.casefold(), pure.suffix[1:].lower()
