"""What both layouts give: channels, and the blocks that hold their samples or items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import CorruptError
from ephyrus.recording import ByteSource, Opening, as_fraction

Order = Literal["<", ">"]  # byte order, as numpy writes it

# Kinds of channels, with the names that Spike2 gives them.
OFF = 0
ADC = 1  # waveform of 16-bit integers
EVENT_FALL = 2
EVENT_RISE = 3
LEVEL = 4  # both edges
MARKER = 5
WAVE_MARK = 6  # AdcMark
REAL_MARK = 7
TEXT_MARK = 8
REAL_WAVE = 9
KIND_NAMES = (
    "Off", "Adc", "Event-", "Event+", "EventBoth", "Marker", "AdcMark", "RealMark", "TextMark",
    "RealWave",
)  # fmt: skip
WAVES = (ADC, REAL_WAVE)
EVENTS = (EVENT_FALL, EVENT_RISE, LEVEL)
SPIKES = (WAVE_MARK, REAL_MARK)

DATA_BYTES = {WAVE_MARK: 2, REAL_MARK: 4, TEXT_MARK: 1}  # of a number attached to a marker

CODES = 4  # codes of a marker
ADC_COUNTS = 6553.6  # counts per unit of the scale
EARLIEST_YEAR, LATEST_YEAR = 1970, 2200
SLOWEST_TICK, FASTEST_TICK = Fraction(1000), Fraction(1, 10**15)  # seconds
LONGEST_INTERVAL = 2**40  # ticks
LATEST_TICK = 2**53

# Where the samples or items of a block lie.
BLOCKS = np.dtype([("offset", "<i8"), ("count", "<i8"), ("tick", "<i8")])


@dataclass(frozen=True, slots=True, eq=False)
class Channel:
    """One channel of a file.

    Attributes
    ----------
    slot : int
        Position among the channels of the file, from 0.
    kind : int
        What it holds.
    title, units, comment : str
        Texts.
    physical : int
        Number of the input.
    interval : int
        Ticks between samples (of waveforms: too); 0 where there are none.
    ideal_rate : float
        The rate that was asked for, in Hz.
    scale, offset : float
        Of 16-bit samples: value = count * scale / 6553.6 + offset.
    starts_high : bool
        Level before the first edge.
    pre_trigger : int
        Samples of a waveform before its time.
    rows, traces : int
        Data of an extended marker: points and traces, numbers, or bytes of text.
    item : numpy.dtype
        Of waveforms that are sampled on: the sample; else an item: time, codes, data.
    first : int
        Where the chain (or tree) of its blocks begins.
    block_bytes : int
        Size of a block on disk.
    block_count : int
        Number of blocks, as the header says.
    number : int
        What its blocks call it (64-bit: how often the slot was used).
    annotations : mapping
        Further facts.
    """

    slot: int
    kind: int
    title: str
    units: str
    comment: str
    physical: int
    interval: int
    ideal_rate: float
    scale: float
    offset: float
    starts_high: bool
    pre_trigger: int
    rows: int
    traces: int
    item: np.dtype[Any]
    first: int
    block_bytes: int
    block_count: int
    number: int = 0
    annotations: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """Identifier among all channels."""
        return f"ch{self.slot}"

    @property
    def name(self) -> str:
        """Title, or the identifier where there is none."""
        return self.title or self.id

    @property
    def is_wave(self) -> bool:
        """Whether it is sampled on and on."""
        return self.kind in WAVES

    @property
    def gain(self) -> float:
        """Units per count."""
        return 1.0 if self.kind == REAL_WAVE else self.scale / ADC_COUNTS

    @property
    def shift(self) -> float:
        """Value of a count of 0."""
        return 0.0 if self.kind == REAL_WAVE else self.offset

    @property
    def has_waveforms(self) -> bool:
        """Whether its items carry waveforms with a rate."""
        is_timed = 0 < self.interval <= LONGEST_INTERVAL
        return self.kind == WAVE_MARK and self.rows > 0 and is_timed

    @property
    def head(self) -> np.dtype[Any]:
        """Time and codes of an item, without its data."""
        names = [name for name in ("time", "codes") if name in (self.item.names or ())]
        return np.dtype([(name, *_field(self.item, name)) for name in names])


def _field(dtype: np.dtype[Any], name: str) -> tuple[Any, ...]:
    found = dtype[name]
    return (found.base, found.shape) if found.shape else (found,)


@dataclass(frozen=True, slots=True, eq=False)
class Header:
    """What stands before the data.

    Attributes
    ----------
    bits : int
        32 (.smr) or 64 (.smrx).
    version : str
        Version of the filing system.
    order : {"<", ">"}
        Byte order.
    unit : int
        Bytes that a pointer counts in.
    clock : Fraction
        Ticks per second.
    last_tick : int
        Last time in the file.
    channels : tuple of Channel
        Those that are in use and have blocks.
    empty : tuple of Channel
        Those that are in use and say that they have none.
    recorded : datetime or None
        Date of tick 0.
    creator : str
        What wrote the file.
    annotations : mapping
        Facts of the block.
    """

    bits: int
    version: str
    order: Order
    unit: int
    clock: Fraction
    last_tick: int
    channels: tuple[Channel, ...]
    empty: tuple[Channel, ...]
    recorded: datetime | None
    creator: str
    annotations: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """The blocks of a channel.

    Attributes
    ----------
    blocks : ndarray of BLOCKS
        In the order of the chain; empty ones are left out.
    is_broken : bool
        It ended before its end.
    """

    blocks: NDArray[Any]
    is_broken: bool


def data_field(kind: int, rows: int, traces: int) -> Any:
    """Type and shape of the data of an extended marker; traces are interleaved point by point."""
    return {
        WAVE_MARK: ("<i2", (rows, traces)),
        REAL_MARK: ("<f4", (rows * traces,)),
        TEXT_MARK: ("u1", (rows * traces,)),
    }[kind]


def clock_of(source: ByteSource, tick: Fraction, offset: int, field: str) -> Fraction:
    """Give ticks per second for the seconds of a tick.

    Raises
    ------
    CorruptError
        If no clock ticks like that.
    """
    if not FASTEST_TICK <= tick <= SLOWEST_TICK:
        raise CorruptError(
            source.name,
            f"a clock tick of {float(tick):g} s, expected one above 0",
            offset=offset,
            field=field,
        )
    return 1 / as_fraction(tick)


def recorded_at(opening: Opening, parts: NDArray[Any], year: int, offset: int) -> datetime | None:
    """Give the date of tick 0: hundredths, s, min, h, day, month; None where it is not set."""
    hundredths, second, minute, hour, day, month = (int(part) for part in parts)
    if not year and not parts.any():
        return None
    possible = EARLIEST_YEAR <= year <= LATEST_YEAR and hundredths < 100
    try:
        when = datetime(year, month, day, hour, minute, second, hundredths % 100 * 10_000)
    except ValueError:
        possible = False
    if possible:
        return when
    opening.note(
        f"the date {year}-{month}-{day} {hour}:{minute}:{second} cannot be true; none is given",
        offset=offset,
        field="date",
    )
    return None


def check_waveforms(opening: Opening, channel: Channel) -> None:
    """Note where the waveforms of spikes have no rate and cannot be given."""
    if channel.kind == WAVE_MARK and channel.rows and not channel.has_waveforms:
        opening.note(
            f"channel {channel.slot} ({channel.title}): an interval of {channel.interval} ticks "
            "between the points of waveforms; they are left out",
            field="waveform divide",
        )


def sound_scale(opening: Opening, name: str, scale: float, offset: float) -> tuple[float, float]:
    """Give scale and offset; 1 and 0 where they cannot be true."""
    if np.isfinite(scale) and scale != 0 and np.isfinite(offset):
        return scale, offset
    opening.note(
        f"{name}: a scale of {scale} and an offset of {offset}; counts are given in volts of a "
        "range of 5 V",
        field="scale",
    )
    return 1.0, 0.0
