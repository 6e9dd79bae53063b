"""What a format module declares and offers: the `FORMAT` record, its options, its five functions.

A format is one module in :mod:`ephyrus.formats` (or an entry point of another package) with the
names of `FormatModule`. Opening a recording is ``parse_header`` (kilobytes), ``index`` (may walk
the file) and ``describe`` (values only); ``read_signal`` and ``read_table`` are all that is called
afterwards.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from ephyrus._logging import attach_handler
from ephyrus.errors import FormatError
from ephyrus.recording.files import FileSet
from ephyrus.recording.indexcache import cached_columns
from ephyrus.recording.limits import NullProgress, Progress
from ephyrus.recording.streams import Problem, RecordingInfo, SignalStream, TableStream

__all__ = [
    "Format",
    "FormatModule",
    "Opening",
    "Option",
    "Reading",
    "as_format_module",
    "by_keyword",
]

OptionKind = Literal[
    "int", "float", "text", "bool", "frequency", "time", "unit", "dtype", "list", "any"
]
HeaderT = TypeVar("HeaderT")
IndexT = TypeVar("IndexT")
_TRUE, _FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off"}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a format.

    Attributes
    ----------
    name : str
        Keyword of ``ephyrus.open``, of the IO class, and of ``--option`` on the command line.
    default : object
        Value where none is given; None is always accepted where it is the default.
    doc : str
        One sentence for the reference pages and ``ephyrus formats``.
    kind : str
        ``"frequency"`` and ``"time"`` take numbers (Hz, s) or quantities; ``"unit"`` text or a
        unit object; ``"list"`` a sequence or text with commas; ``"any"`` is not checked.
    choices : tuple
        Allowed values, where there is a list of them.
    aliases : tuple of str
        Older names of the keyword.
    """

    name: str
    default: Any
    doc: str
    kind: OptionKind = "any"
    choices: tuple[Any, ...] = ()
    aliases: tuple[str, ...] = ()

    def converted(self, value: Any) -> Any:
        """Check a value and give it in the form that the format reads.

        Raises
        ------
        ValueError, TypeError
            If it is not of the option's kind; the message names the option.
        """
        if value is None and self.default is None:
            return None
        try:
            result = _CONVERTERS[self.kind](value)
        except (TypeError, ValueError, OverflowError, SyntaxError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"option {self.name}={value!r}: expected {self.kind}") from error
        if self.choices and result not in self.choices:
            names = ", ".join(map(repr, self.choices))
            raise ValueError(f"option {self.name}={value!r}: expected one of {names}")
        return result


def by_keyword(options: Iterable[Option]) -> dict[str, Option]:
    """Give options by their names, older ones too."""
    return {name: option for option in options for name in (option.name, *option.aliases)}


def _integer(value: Any) -> int:
    if isinstance(value, float | np.floating) and not value.is_integer():
        raise ValueError(value)
    return int(value)


def _boolean(value: Any) -> bool:
    text = str(value).lower()
    if text not in _TRUE | _FALSE:
        raise ValueError(value)
    return text in _TRUE


def _in_units(unit: str) -> Any:
    def convert(value: Any) -> float:
        number = float(value.rescale(unit).magnitude) if hasattr(value, "rescale") else float(value)
        if not np.isfinite(number):
            raise ValueError(value)
        return number

    return convert


def _unit_text(value: Any) -> Any:
    """Text of a unit; sequences of units give lists of texts."""
    if isinstance(value, str):
        return value
    if isinstance(value, list | tuple):
        return [_unit_text(item) for item in value]
    return str(value.dimensionality.string if hasattr(value, "dimensionality") else value)


def _sequence(value: Any) -> list[Any]:
    if isinstance(value, str):
        return [_number_or_text(part.strip()) for part in value.split(",") if part.strip()]
    return list(value)


def _number_or_text(text: str) -> int | str:
    return int(text) if text.removeprefix("-").isdecimal() else text


_CONVERTERS: Mapping[str, Any] = {
    "int": _integer,
    "float": float,
    "text": str,
    "bool": _boolean,
    "frequency": _in_units("Hz"),
    "time": _in_units("s"),
    "unit": _unit_text,
    "dtype": np.dtype,
    "list": _sequence,
    "any": lambda value: value,
}


@dataclass(frozen=True, slots=True)
class Format:
    """The declaration of a format; everything outside its module is derived from it.

    Attributes
    ----------
    name : str
        The module's name: the IO class's name in lower case without ``IO``.
    label : str
        Name for people.
    io_class : str
        Name of the class in :mod:`ephyrus.io`.
    extensions : tuple of str
        Usual name endings, lower case without dot.
    companions : tuple of str
        Those of `extensions` that lie beside a main file of the same stem and belong to it
        (``"eeg"`` to a ``.vhdr``): lists show the recording once, writers replace them with it.
    holds : tuple of str
        Names of the core classes that can occur in a recording.
    mode : {"file", "dir", "database", "fake"}
        What a path of this format is; ``"fake"`` needs none.
    writes : tuple of str
        Classes that the writer in :mod:`ephyrus.export` takes ("Block", "Segment", ...).
    has_protocol : bool
        Files can hold command signals, which ``read_protocol`` gives.
    options : tuple of Option
        Options of opening.
    write_options : tuple of Option
        Options of writing.
    signal_group_modes : tuple of str
        Ways to group channels into signals; the first is the default.
    extras : tuple of (package, extra)
        Optional packages that reading needs.
    """

    name: str
    label: str
    io_class: str
    extensions: tuple[str, ...]
    holds: tuple[str, ...]
    mode: Literal["file", "dir", "database", "fake"] = "file"
    writes: tuple[str, ...] = ()
    has_protocol: bool = False
    options: tuple[Option, ...] = ()
    write_options: tuple[Option, ...] = ()
    signal_group_modes: tuple[str, ...] = ("group-by-same-units", "split-all")
    extras: tuple[tuple[str, str], ...] = ()
    companions: tuple[str, ...] = ()

    def option_values(self, given: Mapping[str, Any], *, writing: bool = False) -> dict[str, Any]:
        """Complete and check options.

        Raises
        ------
        TypeError
            If an option is unknown (the message lists those that exist) or given twice.
        ValueError
            If a value is not of its option's kind.
        """
        known = self.write_options if writing else self.options
        names = by_keyword(known)
        values = {option.name: option.default for option in known}
        seen: set[str] = set()
        for keyword, value in given.items():
            option = names.get(keyword)
            if option is None:
                there = ", ".join(values) or "none"
                raise TypeError(f"{self.label} has no option {keyword!r}; its options are: {there}")
            if option.name in seen:
                raise TypeError(f"option {option.name!r} is given twice, once by an older name")
            seen.add(option.name)
            values[option.name] = option.converted(value)
        return values

    def renamed(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Give keywords of opening their present names; of equal ones the last wins."""
        names = by_keyword(self.options)
        return {
            names[keyword].name if keyword in names else keyword: value
            for keyword, value in given.items()
        }


@dataclass(slots=True)
class Opening:
    """The context of opening one recording.

    Attributes
    ----------
    files : FileSet
        The recording's files.
    options : mapping
        Checked values of every option of the format.
    salvage : bool
        Read what is sound of a damaged file, and note the rest.
    progress : Progress
        Told about long walks.
    problems : list of Problem
        What was noted.
    format_name : str
        Name of the format.
    """

    files: FileSet
    options: Mapping[str, Any] = field(default_factory=dict)
    salvage: bool = False
    progress: Progress = field(default_factory=NullProgress)
    problems: list[Problem] = field(default_factory=list)
    format_name: str = ""

    def cached(
        self,
        name: str,
        build: Callable[[], Mapping[str, NDArray[Any]]],
        files: Sequence[str] = (),
    ) -> Mapping[str, NDArray[Any]]:
        """Give columns made by walking files; of large files they are kept for the next opening.

        Parameters
        ----------
        name : str
            What the columns are, among those of this format.
        build : callable
            Makes them: plain or structured numbers of one dimension. What it notes is kept too.
        files : sequence of str
            Names of the files they are made from (default: the main file).
        """
        purpose = {
            "format": self.format_name,
            "columns": name,
            "salvage": self.salvage,
            "options": sorted((key, repr(value)) for key, value in self.options.items()),
        }
        sources = tuple(files) or (self.files.name,)
        return cached_columns(self.files, sources, purpose, self.problems, build)

    def note(
        self,
        reason: str,
        *,
        path: str | None = None,
        offset: int | None = None,
        field: str | None = None,
        lost: int = 0,
    ) -> None:
        """Record something that was assumed or ignored, and log it as a warning."""
        problem = Problem(path or self.files.path, reason, offset, field, lost)
        self.problems.append(problem)
        attach_handler()
        log.warning("%s", problem)

    def damaged(self, error: FormatError, *, lost: int = 0) -> None:
        """Raise `error`, or note it where damage is to be salvaged."""
        if not self.salvage:
            raise error
        self.note(error.reason, path=error.path, offset=error.offset, field=error.field, lost=lost)


@dataclass(frozen=True, slots=True)
class Reading(Generic[HeaderT, IndexT]):
    """What ``read_signal`` and ``read_table`` read from: files, header, index."""

    files: FileSet
    header: HeaderT
    index: IndexT


class FormatModule(Protocol):
    """The names that a format module has.

    ``read_signal`` and ``read_table`` get checked arguments: streams of this recording, ranges
    within their length, channel positions as an integer array (or None for all, in order).
    Optional names: ``read_options(options, given)`` maps keywords of ``read_segment`` that are not
    plain options; ``read_rows(reading, stream, rows, columns)`` gives the items of a spikes stream
    at positions `rows` (ascending), so that one unit of several is read alone;
    ``read_blocks(reading, lazy)`` replaces the derived object tree;
    ``sample_places(reading, stream, run)`` tells where the samples of a run lie (see
    `ephyrus.recording.sampleplaces`; None: it cannot), so that many short ranges are read quickly.
    """

    FORMAT: Format

    def sniff(self, files: FileSet, head: bytes) -> float:
        """Tell how sure it is that a file is of this format: 0 no, 1 sure."""

    def parse_header(self, opening: Opening) -> Any:
        """Read the header: bytes in, values out, every count checked."""

    def index(self, opening: Opening, header: Any) -> Any:
        """Find where the samples and packets lie."""

    def describe(self, header: Any, index: Any) -> RecordingInfo:
        """Build the descriptors."""

    def read_signal(
        self,
        reading: Reading[Any, Any],
        stream: SignalStream,
        start: int,
        stop: int,
        channels: NDArray[np.intp] | None,
    ) -> NDArray[Any]:
        """Give stored numbers, shape (stop - start, channels)."""

    def read_table(
        self,
        reading: Reading[Any, Any],
        stream: TableStream,
        start: int,
        stop: int,
        columns: Sequence[str],
    ) -> dict[str, NDArray[Any]]:
        """Give columns of items [start, stop)."""


def as_format_module(module: object) -> FormatModule:
    """Give a module as what its names make it; checked by the contract suite."""
    return cast("FormatModule", module)
