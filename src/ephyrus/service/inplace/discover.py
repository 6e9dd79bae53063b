"""Finds recordings below the files and folders that are served, and notices what changes.

Folders are walked as ``ephyrus identify -r`` does: hidden names are left out, a recording of
several files counts once, a folder may be a recording itself. Links are not followed out of the
folder that is served. What a file is, is asked once: as long as its size and time stay, looking
again costs one call of the system for each file.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from ephyrus.folders import best_match, without_companions
from ephyrus.recording import Format
from ephyrus.registry import format_named

__all__ = ["Found", "Scan", "Scanner", "is_inside", "plain_options"]

MOST_FILES = 200_000  # looked at in one walk
MOST_DEPTH = 40  # folders within folders

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """A recording, not opened yet.

    Attributes
    ----------
    path : str
        Its main file or folder, absolute.
    root : str
        The folder that is served; nothing outside of it is read.
    format : str
        Name of the format; empty: none fits.
    """

    path: str
    root: str
    format: str

    @property
    def name(self) -> str:
        """The path below the folder that is served."""
        return Path(self.path).relative_to(self.root).as_posix()


@dataclass(slots=True)
class Scan:
    """What was found.

    Attributes
    ----------
    found : dict of str to Found
        Recordings by path.
    problems : list of (str, str)
        Paths that could not be looked at, and why.
    hidden : list of str
        Those of them that are folders: nothing is known of what is in them.
    """

    found: dict[str, Found] = field(default_factory=dict)
    problems: list[tuple[str, str]] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)

    def is_gone(self, path: str) -> bool:
        """Tell whether a recording that was there is not there any more (or not served)."""
        if path in self.found:
            return False
        return not any(Path(path).is_relative_to(folder) for folder in self.hidden)


class Scanner:
    """Looks for recordings, again and again.

    Parameters
    ----------
    paths : sequence of str
        Files and folders.
    format : str, optional
        Only recordings of this format.
    options : mapping
        Options of the format, for all of them.

    Raises
    ------
    FileNotFoundError
        If a path is not there.
    ValueError, TypeError
        If there is no such format, or it has no such option.
    """

    def __init__(
        self,
        paths: Sequence[str],
        *,
        format: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.wanted: Format | None = None if format is None else format_named(format).FORMAT
        self.options = {} if self.wanted is None else plain_options(self.wanted, options or {})
        self.paths = [Path(os.path.abspath(Path(path).expanduser())) for path in paths]  # noqa: PTH100
        for path in self.paths:
            if not path.exists():
                raise FileNotFoundError(f"{path}: no such file or folder")
        self._folders = {path for path in self.paths if path.is_dir()}
        self._known: dict[str, tuple[tuple[int, int], str]] = {}
        self._kept: tuple[list[Any], list[str]] = [], []  # of the last walk

    def scan(self) -> Scan:
        """Look at everything once."""
        result, seen = Scan(), set[str]()
        roots: dict[str, str] = {}
        for path in self.paths:
            if not path.exists():
                self._missing(path, result)
                continue
            if path.is_dir() and not self._format(path, seen, result):
                names = self._within(path, seen, result)
            else:
                names = [(str(path), str(path.parent))]
                self._format(path, seen, result)
            if not path.exists():  # it went while it was looked at: part of it was seen
                self._missing(path, result)
                continue
            for name, root in names:
                roots.setdefault(name, root)
        for kept in self._mains(list(roots)):
            if not _is_text(kept):
                result.problems.append((kept, "its name is not text in UTF-8: rename it"))
                continue
            found = Found(kept, roots[kept], self._known.get(kept, ((0, 0), ""))[1])
            result.found[kept] = found
        self._known = {path: known for path, known in self._known.items() if path in seen}
        return result

    def _missing(self, path: Path, result: Scan) -> None:
        """Note a path that was there at the start; a drive that is gone may come back."""
        result.problems.append((str(path), "it is not there any more"))
        if path in self._folders:
            result.hidden.append(str(path))

    def _mains(self, paths: list[str]) -> list[str]:
        """Leave out files that belong to another one; ask again only where something changed."""
        now = [(path, self._known.get(path)) for path in paths]
        if now != self._kept[0]:
            self._kept = now, without_companions(paths, self.wanted)
        return self._kept[1]

    def _within(self, root: Path, seen: set[str], result: Scan) -> list[tuple[str, str]]:
        """Walk a folder."""
        found, inside = [], os.path.realpath(root)
        for number, path in enumerate(self._walk(root, seen, result)):
            if number >= MOST_FILES:
                result.problems.append((str(root), f"only {MOST_FILES:,} files are looked at"))
                break
            if path.is_symlink() and not is_inside(str(path), inside):
                log.info("%s leads out of the folder that is served; it is left out", path)
                continue
            if self._format(path, seen, result):
                found.append((str(path), str(root)))
        return found

    def _walk(self, root: Path, seen: set[str], result: Scan) -> Iterator[Path]:
        """Give files, and folders that are recordings, by name."""

        def tell(error: OSError) -> None:
            result.problems.append((str(error.filename), error.strerror or str(error)))
            result.hidden.append(str(error.filename))

        depth = len(root.parts)
        for base, folders, names in os.walk(root, onerror=tell):
            here = Path(base)
            visible = sorted(name for name in folders if not name.startswith("."))
            folders[:] = []
            for name in visible:
                folder = here / name
                if folder.is_symlink():
                    continue
                if self._format(folder, seen, result):
                    yield folder
                elif len(folder.parts) - depth <= MOST_DEPTH:
                    folders.append(name)
            yield from (here / name for name in sorted(names) if not name.startswith("."))

    def _format(self, path: Path, seen: set[str], result: Scan) -> str:
        """Tell the format of a file or folder; empty: it is no recording."""
        name = str(path)
        seen.add(name)
        try:
            status = path.stat()
            state = status.st_size, status.st_mtime_ns
            known = self._known.get(name)
            if known is None or known[0] != state:
                known = self._known[name] = state, self._looked_at(path)
        except OSError as error:
            if path.exists():
                result.problems.append((name, error.strerror or str(error)))
            return ""
        return known[1]

    def _looked_at(self, path: Path) -> str:
        if path.is_dir():
            if self.wanted is not None and self.wanted.mode == "file":
                return ""
        elif not path.is_file():
            return ""
        if self.wanted is not None and path in self.paths and path.is_file():
            return self.wanted.name
        match = best_match(str(path), self.wanted)
        if match is None:
            return ""
        if self.wanted is not None and not path.is_dir():
            is_named = path.suffix[1:].lower() in self.wanted.extensions
            return match.format.name if is_named else ""
        return match.format.name


def _is_text(path: str) -> bool:
    """Tell whether a path can be written down; names on disk may be any bytes."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def plain_options(declared: Format, options: Mapping[str, Any]) -> dict[str, Any]:
    """Give options as values that can be kept as JSON: checked, quantities as numbers."""
    values = declared.option_values(options)
    given = declared.renamed(options)
    kept: dict[str, Any] = json.loads(
        json.dumps({name: values[name] for name in given}, default=_as_number)
    )
    return kept


def _as_number(value: Any) -> Any:
    """Give numbers of any kind as those of Python."""
    if isinstance(value, Fraction):
        return float(value)
    if hasattr(value, "tolist"):  # numpy arrays and scalars
        return value.tolist()
    return str(value)


def is_inside(path: str, folder: str) -> bool:
    """Tell whether a path, after all links, lies in a folder (whose own links are followed)."""
    real = os.path.realpath(path)
    return os.path.commonpath([real, os.path.realpath(folder)]) == os.path.realpath(folder)
