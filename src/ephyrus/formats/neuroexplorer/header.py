"""Headers of .nex and .nex5 files: the file's own, and one for each variable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import TruncatedError, WrongFormatError
from ephyrus.formats.neuroexplorer import metadata
from ephyrus.formats.neuroexplorer.layout import (
    FIELD_NAME_BYTES,
    INDEX_TYPES,
    NEX5_FILE,
    NEX5_VARIABLE,
    NEX_FILE,
    NEX_VARIABLE,
    TEXT_TYPES,
    TICK_TYPES,
    VALUE_TYPES,
    WEIGHT,
    Kind,
    Types,
)
from ephyrus.recording import (
    ByteSource,
    Opening,
    as_fraction,
    corrupt,
    decode,
    read_entries,
    read_struct,
)

__all__ = ["MAGICS", "Header", "UnusableError", "Variable", "left_out", "parse"]

NEX, NEX5 = b"NEX1", b"NEX5"
MAGICS = (NEX, NEX5)
VERSIONS = {NEX: range(100, 107), NEX5: range(500, 503)}
SHIFT_SINCE, PRETHRESHOLD_SINCE = 105, 106  # versions of a .nex file
WIRE_SINCE, HEADER_PRETHRESHOLD_SINCE = 101, 102  # versions of a .nex variable header
END_SINCE = 501  # version of a .nex5 file
REACH = 2**32  # bytes that the offsets of a .nex file can tell apart
SLOWEST, FASTEST = 1e-9, 1e18  # Hz, of clocks and rates
LONGEST_SWEEP = 1e9  # s
SMALLEST_GAIN, LARGEST_GAIN = 1e-30, 1e30  # values are 32-bit floats in the end

Entry: TypeAlias = dict[str, Any]  # a variable header as plain Python values


class UnusableError(Exception):
    """A variable cannot be read; the message says why."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable, as its header describes it.

    Attributes
    ----------
    number : int
        Position among the variables of the file.
    place : int
        Byte offset of its header.
    kind : Kind
        What it is.
    name : str
        Its name.
    offset, count : int
        Byte offset of its data; number of items, fragments or weights.
    tick, value, index : numpy.dtype
        Types of time stamps, of samples, and of sample numbers of fragments.
    rate : float
        Samples per second of waveforms and continuous data.
    units : str
        Physical unit of samples.
    gain, shift : float
        Physical value = stored value * gain + shift.
    points : int
        Samples of each waveform, or of the whole continuous variable.
    prethreshold : float
        Seconds from the first sample of a waveform to its time stamp.
    fields, text_bytes : int
        Values of each marker, and bytes of each.
    has_numbers : bool
        The values of markers are numbers.
    unit : int
        Number of the unit; 0 where the header has none.
    annotations : dict
        Facts of neurons and waveforms; of .nex5 files, as the metadata tell them.
    """

    number: int
    place: int
    kind: Kind
    name: str
    offset: int
    count: int
    tick: np.dtype[Any]
    value: np.dtype[Any]
    index: np.dtype[Any]
    rate: float
    units: str
    gain: float
    shift: float
    points: int
    prethreshold: float
    fields: int
    text_bytes: int
    has_numbers: bool
    unit: int
    annotations: dict[str, Any]

    @property
    def data_bytes(self) -> int:
        """Bytes of its data, as its header has it."""
        ticks = self.count * self.tick.itemsize
        samples = self.points * self.value.itemsize
        if self.kind == Kind.POPULATION:
            return self.count * WEIGHT.itemsize
        if self.kind == Kind.INTERVAL:
            return 2 * ticks
        if self.kind == Kind.WAVEFORM:
            return ticks + self.count * samples
        if self.kind == Kind.CONTINUOUS:
            return ticks + self.count * self.index.itemsize + samples
        if self.kind == Kind.MARKER:
            return ticks + self.fields * (FIELD_NAME_BYTES + self.count * self.field_bytes)
        return ticks

    @property
    def field_bytes(self) -> int:
        """Bytes of each value of a marker."""
        return 4 if self.has_numbers else self.text_bytes


@dataclass(frozen=True, slots=True)
class Header:
    """What stands before the data.

    Attributes
    ----------
    version : int
        Of the file.
    comment : str
        Of the file.
    clock : Fraction
        Ticks per second.
    first_tick, end_tick : int or None
        Extent of the recording, as far as the file tells it.
    end : int
        First byte behind the headers.
    variables : tuple of Variable
        Those that can be read.
    metadata : object
        What the JSON text of a .nex5 file holds; None: nothing.
    """

    version: int
    comment: str
    clock: Fraction
    first_tick: int | None
    end_tick: int | None
    end: int
    variables: tuple[Variable, ...]
    metadata: Any = None


def parse(opening: Opening) -> Header:
    """Read the headers.

    Raises
    ------
    WrongFormatError
        If the file has another signature.
    FormatError
        If a header is damaged.
    """
    source = opening.files.main
    magic = source.head(4)
    if magic not in MAGICS:
        raise WrongFormatError(
            source.name,
            f"it begins with {magic!r}, expected {NEX!r} or {NEX5!r}",
            offset=0,
            field="signature",
        )
    head = read_struct(source, 0, NEX_FILE if magic == NEX else NEX5_FILE, "file header")
    version = int(head["version"])
    if version not in VERSIONS[magic]:
        opening.note(
            f"version {version} is not known; it is read like version {VERSIONS[magic][-1]}",
            offset=4,
            field="version",
        )
    clock = _clock(source, float(head["frequency"]))
    entries, place = _entries(opening, source, magic, int(head["variables"])), head.itemsize
    first, end = _extent(opening, magic, head, version)
    variables, facts = _variables(opening, source, magic, version, entries, place), None
    if magic == NEX5:
        least = place + entries.nbytes
        facts = metadata.read(opening, source, int(head["metadata"]), least)
        known = metadata.facts_by_name(facts)
        variables = [replace(each, annotations=known.get(each.name, {})) for each in variables]
    return Header(
        version=version,
        comment=_text(head["comment"]),
        clock=clock,
        first_tick=first,
        end_tick=end,
        end=place + entries.nbytes,
        variables=tuple(variables),
        metadata=facts,
    )


def _text(raw: Any) -> str:
    """Decode a text of fixed width, of whatever code page."""
    return decode(bytes(raw).split(b"\0", 1)[0]).strip()


def _is_rate(value: float) -> bool:
    return SLOWEST <= value <= FASTEST  # False for NaN


def _clock(source: ByteSource, frequency: float) -> Fraction:
    if not _is_rate(frequency):
        reason = f"{frequency} ticks per second, expected a number above 0"
        corrupt(source, reason, offset=264, field="frequency")
    return as_fraction(frequency)


def _entries(opening: Opening, source: ByteSource, magic: bytes, count: int) -> NDArray[Any]:
    """Read the headers of the variables; of a cut table, salvage gives what is there."""
    place, dtype = (
        (NEX_FILE.itemsize, NEX_VARIABLE) if magic == NEX else (NEX5_FILE.itemsize, NEX5_VARIABLE)
    )
    try:
        return read_entries(source, place, dtype, count, "variable headers")
    except TruncatedError as error:
        whole = (source.size - place) // dtype.itemsize
        opening.damaged(error, lost=count - whole)
        return read_entries(source, place, dtype, whole, "variable headers")


def _extent(
    opening: Opening, magic: bytes, head: np.void, version: int
) -> tuple[int | None, int | None]:
    """Give first and last tick of the recording, unless they contradict each other."""
    first, end = int(head["first_tick"]), int(head["end_tick"])
    if magic == NEX5 and version < END_SINCE:
        return first, None
    if end < first:
        opening.note(
            f"the recording ends at tick {end}, before it begins at tick {first}: both are ignored",
            field="extent",
        )
        return None, None
    return first, end


def _variables(
    opening: Opening,
    source: ByteSource,
    magic: bytes,
    version: int,
    entries: NDArray[Any],
    place: int,
) -> list[Variable]:
    """Give the variables that can be read, and note the others."""
    found = []
    maker = _nex_variable if magic == NEX else _nex5_variable
    reachable = _reachable(opening, source, magic, entries)
    names = entries.dtype.names or ()
    for number, values in enumerate(entries.tolist()):
        entry = dict(zip(names, values, strict=True))
        begin = place + number * entries.itemsize
        try:
            found.append(_sound(opening, maker(number, begin, entry, version), reachable))
        except UnusableError as error:
            left_out(opening, _text(entry["name"]), begin, error)
    return found


def left_out(opening: Opening, name: str, place: int, error: UnusableError, lost: int = 0) -> None:
    """Note that a variable is not read."""
    opening.note(f"the variable is left out: {error}", offset=place, field=name, lost=lost)


def _reachable(opening: Opening, source: ByteSource, magic: bytes, entries: NDArray[Any]) -> int:
    """Give how many of the variables lie where their offsets say, in a file of whatever size."""
    if magic != NEX or source.size <= REACH:
        return len(entries)
    opening.note(
        f"the file has {source.size:,} bytes, but offsets of a .nex file reach {REACH:,}: "
        "variables that follow the first one whose offset goes back are left out",
        field="size",
    )
    filled = np.flatnonzero(entries["count"] > 0)
    offsets = entries["offset"][filled]
    back = np.flatnonzero(offsets[1:] < offsets[:-1])
    return int(filled[back[0] + 1]) if back.size else len(entries)


def _kind(entry: Entry) -> Kind:
    try:
        return Kind(entry["kind"])
    except ValueError as error:
        raise UnusableError(f"variables of type {entry['kind']} are not known") from error


def _nex_variable(number: int, place: int, entry: Entry, version: int) -> Variable:
    facts: dict[str, Any] = {"x": entry["x"], "y": entry["y"]}
    if entry["version"] >= WIRE_SINCE:
        facts |= {"wire": entry["wire"], "unit": entry["unit"]}
    has_sweep = version >= PRETHRESHOLD_SINCE and entry["version"] >= HEADER_PRETHRESHOLD_SINCE
    return Variable(
        number=number,
        place=place,
        kind=_kind(entry),
        name=_text(entry["name"]),
        offset=entry["offset"],
        count=entry["count"],
        tick=TICK_TYPES[0],
        value=VALUE_TYPES[0],
        index=TICK_TYPES[0],
        rate=entry["rate"],
        units="mV",
        gain=entry["coefficient"],
        shift=entry["shift"] if version >= SHIFT_SINCE else 0.0,
        points=entry["points"],
        prethreshold=entry["prethreshold"] if has_sweep else 0.0,
        fields=entry["fields"],
        text_bytes=entry["text_bytes"],
        has_numbers=False,
        unit=facts.get("unit", 0),
        annotations=facts,
    )


def _nex5_variable(number: int, place: int, entry: Entry, version: int) -> Variable:
    kind = _kind(entry)
    sampled = kind in (Kind.WAVEFORM, Kind.CONTINUOUS)
    value = _type(entry, "value_type", VALUE_TYPES, is_used=sampled)
    is_scaled = value.kind == "i"
    texts = _type(entry, "text_type", TEXT_TYPES, is_used=kind == Kind.MARKER)
    return Variable(
        number=number,
        place=place,
        kind=kind,
        name=_text(entry["name"]),
        offset=entry["offset"],
        count=entry["count"],
        tick=_type(entry, "tick_type", TICK_TYPES, is_used=kind != Kind.POPULATION),
        value=value,
        index=_type(entry, "index_type", INDEX_TYPES, is_used=kind == Kind.CONTINUOUS),
        rate=entry["rate"],
        units=_text(entry["units"]) or "mV",
        gain=entry["coefficient"] if is_scaled else 1.0,
        shift=entry["shift"] if is_scaled else 0.0,
        points=entry["points"],
        prethreshold=entry["prethreshold"],
        fields=entry["fields"],
        text_bytes=entry["text_bytes"],
        has_numbers=texts.kind == "u",
        unit=0,
        annotations={},
    )


def _type(entry: Entry, field: str, types: Types, *, is_used: bool) -> np.dtype[Any]:
    """Give the type that a number stands for; variables of other kinds may have any number."""
    number = entry[field] if is_used else 0
    if number not in types:
        raise UnusableError(f"{field} {number} is not known")
    return types[number]


def _sound(opening: Opening, variable: Variable, reachable: int) -> Variable:
    """Check the numbers of a header; those that can be done without are replaced."""
    if variable.number >= reachable:
        raise UnusableError("its data may lie behind 4 GiB, where no offset can point")
    counts = {"count": variable.count}
    if variable.kind in (Kind.WAVEFORM, Kind.CONTINUOUS):
        counts["number of points"] = variable.points
    if variable.kind == Kind.MARKER:
        counts |= {"number of fields": variable.fields, "length": variable.text_bytes}
    for what, count in counts.items():
        if count < 0:
            raise UnusableError(f"a {what} of {count}")
    if variable.kind == Kind.WAVEFORM:
        return _sound_sweep(opening, _sound_scale(opening, variable))
    if variable.kind == Kind.CONTINUOUS and variable.count and variable.points:
        if not _is_rate(variable.rate):
            raise UnusableError(f"a sampling rate of {variable.rate} Hz")
        return _sound_scale(opening, variable)
    return variable


def _sound_scale(opening: Opening, variable: Variable) -> Variable:
    """Give stored numbers where a factor would lose them."""
    if SMALLEST_GAIN <= abs(variable.gain) <= LARGEST_GAIN and abs(variable.shift) <= LARGEST_GAIN:
        return variable
    opening.note(
        f"a scale of {variable.gain} and an offset of {variable.shift}: stored numbers are given",
        offset=variable.place,
        field=variable.name,
    )
    return replace(variable, gain=1.0, shift=0.0, units="")


def _sound_sweep(opening: Opening, variable: Variable) -> Variable:
    """Check what waveforms need besides their scale."""
    if not variable.points:
        opening.note(
            "waveforms of 0 points: the spikes have none",
            offset=variable.place,
            field=variable.name,
        )
        return variable
    if not _is_rate(variable.rate):
        opening.note(
            f"a sampling rate of {variable.rate} Hz: waveforms are given at 1 Hz",
            offset=variable.place,
            field=variable.name,
        )
        variable = replace(variable, rate=1.0)
    if not abs(variable.prethreshold) <= LONGEST_SWEEP:
        opening.note(
            f"a prethreshold time of {variable.prethreshold} s: taken as 0",
            offset=variable.place,
            field=variable.name,
        )
        variable = replace(variable, prethreshold=0.0)
    return variable
