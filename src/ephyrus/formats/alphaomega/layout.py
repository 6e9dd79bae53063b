"""Layout of .mpx and .map files: blocks, heads, definitions of channels, ports and streams."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ephyrus.recording import PacketLayout, as_fraction, fixed_text

__all__ = [
    "ANALOG",
    "BLOCKS",
    "BLOCK_HEAD",
    "DATA",
    "DEFINITIONS",
    "DIGITAL",
    "EVENT",
    "FILE_HEAD",
    "IGNORED",
    "INTERLEAVED",
    "MAP_HEAD",
    "MAP_VERSION",
    "MESSAGES",
    "MICROVOLT",
    "PORT",
    "SAMPLE",
    "SEGMENTED",
    "SIGNAL",
    "STREAM",
    "Definition",
    "definition",
]

BLOCKS = PacketLayout(4, (0,), sentinel=0xFFFF)
SAMPLE = np.dtype("<i2")
ANALOG = 6  # bytes of an analog data block before its samples; the stamp follows them
MAP_VERSION = 4
MICROVOLT = "uV"

HEAD = "h"
CHANNEL, STREAM, PORT_DEFINITION = "2", "S", "b"
DATA, EVENT, INTERLEAVED = ord("5"), ord("E"), ord("7")
DEFINITIONS = tuple(map(ord, (CHANNEL, STREAM, PORT_DEFINITION)))

BLOCK_HEAD = np.dtype(
    [
        ("length", "<u2"),  # of the whole block, with this head
        ("kind", "u1"),  # a character
        ("extra", "u1"),  # data: unit number; stream events: their type; else padding
    ]
)
_HEAD_FIELDS: list[tuple[str, Any]] = [
    ("block", BLOCK_HEAD),
    ("next_block", "<i4"),
    ("program_version", "<i2"),
    ("hour", "u1"),
    ("minute", "u1"),
    ("second", "u1"),
    ("hundredths", "u1"),
    ("day", "u1"),
    ("month", "u1"),
    ("year", "<u2"),
    ("day_of_week", "u1"),
    ("padding", "u1"),
    ("first_time", "<f8"),  # s, of the first and of the last sample in this file
    ("last_time", "<f8"),
]
MAP_HEAD = np.dtype(_HEAD_FIELDS)
FILE_HEAD = np.dtype(
    [
        *_HEAD_FIELDS,
        ("erase_count", "<i4"),
        ("map_version", "u1"),
        ("application", "S10"),
        ("resource_version", "u1", (4,)),
        ("padding_2", "u1"),
        ("reserved", "<i4"),
    ]
)

_CHANNEL = np.dtype(
    [
        ("block", BLOCK_HEAD),
        ("next_block", "<i4"),
        ("is_analog", "<i2"),
        ("is_input", "<i2"),
        ("number", "<i2"),
        ("colour", "u1", (4,)),  # a padding byte, blue, green, red
    ]
)
_CONTINUOUS = np.dtype(
    [
        ("mode", "<i2"),  # 0 continuous
        ("amplitude", "<f4"),  # uV per count before the gain ("bit resolution")
        ("rate", "<f4"),  # kHz
        ("block_samples", "<i2"),  # with the time stamp, which takes the place of two
        ("spike_mode", "<u2"),
        ("duration", "<f4"),
        ("total_gain", "<i2"),  # x 100
    ]
)
_SEGMENTED = np.dtype(
    [
        ("mode", "<i2"),  # 1 segmented
        ("amplitude", "<f4"),
        ("rate", "<f4"),
        ("block_samples", "<i2"),
        ("spike_mode", "<u2"),
        ("pre_trigger", "<f4"),  # ms
        ("post_trigger", "<f4"),
        ("level", "<i2"),
        ("trigger_mode", "<i2"),
        ("is_rms", "<i2"),
        ("total_gain", "<i2"),
    ]
)
_DIGITAL = np.dtype(
    [("rate", "<f4"), ("save_trigger", "<i2"), ("duration", "<f4"), ("previous", "<i2")]
)
_STREAM = np.dtype(
    [("block", BLOCK_HEAD), ("next_block", "<i4"), ("number", "<i2"), ("rate", "<f4")]
)
_PORT = np.dtype(
    [
        ("block", BLOCK_HEAD),
        ("board", "<i4"),
        ("number", "<i4"),
        ("rate", "<f4"),
        ("previous", "<u2"),
    ]
)

# AlphaMap: type 2 begins with number, colour (one i2) and, for analog channels, the mode
_MAP_CHANNEL = np.dtype(
    [
        ("block", BLOCK_HEAD),
        ("next_block", "<i4"),
        ("is_analog", "<i2"),
        ("is_input", "<i2"),
        ("number", "<i2"),
        ("colour", "<i2"),
    ]
)
_MAP_MODE = np.dtype([("mode", "<i2")])
_MAP_DIGITAL = np.dtype([("unused", "<i2"), *_DIGITAL.descr])
_MAP_CONTINUOUS = np.dtype(
    [
        ("mode", "<i2"),
        ("padding", "<i2"),
        ("amplitude", "<f4"),
        ("rate", "<f4"),
        ("block_samples", "<i2"),
        ("spike_mode", "<u2"),
        ("duration", "<f4"),
        ("auto_scale", "<i2"),
    ]
)
_MAP_TRIGGERED = [
    ("mode", "<i2"),
    ("amplitude", "<f4"),
    ("rate", "<f4"),
    ("block_samples", "<i2"),
    ("spike_mode", "<u2"),
    ("pre_trigger", "<f4"),
    ("post_trigger", "<f4"),
]
_MAP_LEVEL = np.dtype(
    [
        *_MAP_TRIGGERED,
        ("level", "<i2"),
        ("trigger_mode", "<i2"),
        ("is_rms", "<i2"),
        ("auto_scale", "<i2"),
    ]
)
_MAP_EXTERNAL = np.dtype([*_MAP_TRIGGERED, ("trigger_number", "<i2")])
_MAP_MODES = {1: _MAP_LEVEL, 2: _MAP_EXTERNAL}  # any other: continuous (0, 128 and 192 are known)

Kind = Literal["signal", "spikes", "digital", "port", "stream", "ignored"]
SIGNAL: Kind = "signal"
SEGMENTED: Kind = "spikes"
DIGITAL: Kind = "digital"
PORT: Kind = "port"
MESSAGES: Kind = "stream"
IGNORED: Kind = "ignored"

SLOWEST, FASTEST = 1e-3, 1e9  # Hz; beyond them it is no sampling rate
ROUNDEST = (1, 10, 100, 1000)  # denominators of rates in Hz: 44 kHz / 2^n, 312.5 kHz / 14 and so on
COARSEST_DEFAULT = 5.0  # amplitudes up to here are no bit resolution
DEFAULT_RESOLUTION = 1250000 / 2**15  # uV
STAMP_SAMPLES = 2
SPIKE_MODES = {1: "master", 2: "slave"}


@dataclass(frozen=True, slots=True)
class Definition:
    """A channel, port or stream of messages, as one block defines it.

    Attributes
    ----------
    kind : {"signal", "spikes", "digital", "port", "stream", "ignored"}
        What its data are; "ignored": outputs, which are not read.
    number : int
        Channel number of its data blocks.
    name : str
        Name; ``channel <number>`` where it has none.
    khz : float
        Sampling rate in kHz, as stored.
    amplitude, total_gain : float
        uV per count before the gain, 100 x gain, as stored; NaN where there is none.
    pre_trigger : float
        ms before the trigger.
    block_samples : int
        Samples of a data block.
    duration : float
        Duration as stored.
    facts : tuple of (str, value)
        Annotations.
    """

    kind: Kind
    number: int
    name: str
    khz: float = 0.0
    amplitude: float = math.nan
    total_gain: float = math.nan
    pre_trigger: float = 0.0
    block_samples: int = 0
    duration: float = 0.0
    facts: tuple[tuple[str, Any], ...] = ()

    @property
    def rate(self) -> Fraction | None:
        """Samples per second; None if that cannot be."""
        return _hertz(self.khz) if SLOWEST <= self.khz * 1000 <= FASTEST else None

    @property
    def is_scaled(self) -> bool:
        """The definition says what a count means."""
        return not math.isnan(self.total_gain)

    @property
    def bit_resolution(self) -> float:
        """Microvolt per count, before the gain."""
        known = COARSEST_DEFAULT < self.amplitude < math.inf
        return self.amplitude if known else DEFAULT_RESOLUTION

    @property
    def gain(self) -> float:
        """Total gain; 1 where the file has none above 0."""
        return self.total_gain / 100 if self.is_scaled and self.total_gain > 0 else 1.0

    @property
    def unit(self) -> str:
        """Unit of scaled values."""
        return MICROVOLT if self.is_scaled else ""

    @property
    def scale(self) -> float:
        """Microvolt (or count) per count."""
        return self.bit_resolution / self.gain if self.is_scaled else 1.0

    @property
    def left_sweep(self) -> Fraction:
        """Seconds before the trigger: whole samples, where rounding is all that is in the way."""
        rate = self.rate or Fraction(1)
        if not 0 <= self.pre_trigger < math.inf:
            return Fraction(0)
        samples = Fraction(float(np.float32(self.pre_trigger))) * rate / 1000
        whole = round(samples)
        return (Fraction(whole) if abs(samples - whole) < Fraction(1, 100) else samples) / rate


def _hertz(khz: float) -> Fraction:
    """Give the rate that was meant: of those that are stored as this number, the simplest one."""
    stored = np.float32(khz)
    exact = as_fraction(float(stored)) * 1000
    for most in ROUNDEST:
        simple = exact.limit_denominator(most)
        if simple > 0 and np.float32(float(simple / 1000)) == stored:
            return simple
    return exact


def channel_definition(raw: bytes, *, is_map: bool) -> Definition | None:
    """Read a block of type 2; None if it is too short."""
    head = _struct(raw, 0, _MAP_CHANNEL if is_map else _CHANNEL)
    if head is None:
        return None
    is_analog, is_input = int(head["is_analog"]), int(head["is_input"])
    number = int(head["number"])
    offset = (_MAP_CHANNEL if is_map else _CHANNEL).itemsize
    if is_input != 1 or is_analog not in (0, 1):
        return Definition(IGNORED, number, f"channel {number}")
    layout = _analog_layout(raw, offset, is_map=is_map) if is_analog else _digital(is_map=is_map)
    fields = None if layout is None else _struct(raw, offset, layout)
    if layout is None or fields is None:
        return None
    name = _name(raw, offset + layout.itemsize, number)
    if not is_analog:
        facts = (("previous_status", int(fields["previous"])),)
        return Definition(DIGITAL, number, name, float(fields["rate"]), facts=facts)
    return _analog(fields, number, name, is_map=is_map)


def _digital(*, is_map: bool) -> np.dtype[Any]:
    return _MAP_DIGITAL if is_map else _DIGITAL


def _analog_layout(raw: bytes, offset: int, *, is_map: bool) -> np.dtype[Any] | None:
    """Choose the layout by the mode of the channel."""
    mode = _struct(raw, offset, _MAP_MODE)
    if mode is None:
        return None
    if is_map:
        return _MAP_MODES.get(int(mode["mode"]), _MAP_CONTINUOUS)
    return _SEGMENTED if mode["mode"] == 1 else _CONTINUOUS


def _analog(fields: np.void, number: int, name: str, *, is_map: bool) -> Definition:
    names = fields.dtype.names or ()
    spike_mode = int(fields["spike_mode"])
    facts: dict[str, Any] = {}
    if spike_mode >> 12 in SPIKE_MODES:
        facts["spike_mode"] = SPIKE_MODES[spike_mode >> 12]
        facts["linked_channel"] = spike_mode & 0xFFF
    if "pre_trigger" in names:
        facts |= {key: int(fields[key]) for key in _TRIGGER_FACTS if key in names}
    return Definition(
        SEGMENTED if "pre_trigger" in names else SIGNAL,
        number,
        name,
        float(fields["rate"]),
        float(fields["amplitude"]),
        math.nan if is_map else float(fields["total_gain"]),
        float(fields["pre_trigger"]) if "pre_trigger" in names else 0.0,
        max(int(fields["block_samples"]) - STAMP_SAMPLES, 0),
        float(fields["duration"]) if "duration" in names else 0.0,
        tuple(facts.items()),
    )


_TRIGGER_FACTS = ("level", "trigger_mode", "is_rms", "trigger_number")


def stream_definition(raw: bytes) -> Definition | None:
    """Read a block of type S; None if it is too short."""
    fields = _struct(raw, 0, _STREAM)
    if fields is None:
        return None
    number = int(fields["number"])
    # the name follows the structure, or four more bytes that are zero
    name = fixed_text(raw[_STREAM.itemsize :].lstrip(b"\0")) or f"channel {number}"
    return Definition(MESSAGES, number, name, float(fields["rate"]))


def port_definition(raw: bytes) -> Definition | None:
    """Read a block of type b; None if it is too short."""
    fields = _struct(raw, 0, _PORT)
    if fields is None:
        return None
    number = int(fields["number"])
    facts = (("board", int(fields["board"])), ("previous_value", int(fields["previous"])))
    name = _name(raw, _PORT.itemsize, number)
    stored = int(np.array(number & 0xFFFF, np.uint16).astype(SAMPLE))  # as data blocks have it
    return Definition(PORT, stored, name, float(fields["rate"]), facts=facts)


READERS = {
    ord(STREAM): stream_definition,
    ord(PORT_DEFINITION): port_definition,
}


def definition(raw: bytes, *, is_map: bool) -> Definition | None:
    """Read a definition block of any type; None if it is too short."""
    reader = READERS.get(raw[2])
    return channel_definition(raw, is_map=is_map) if reader is None else reader(raw)


def _struct(raw: bytes, offset: int, dtype: np.dtype[Any]) -> np.void | None:
    if offset + dtype.itemsize > len(raw):
        return None
    fields: NDArray[Any] = np.frombuffer(raw, dtype, 1, offset)
    record: np.void = fields[0]
    return record


def _name(raw: bytes, offset: int, number: int) -> str:
    """Give the NUL-terminated name at the end of a block; what follows the NUL is not cleared."""
    return fixed_text(raw[offset:]) or f"channel {number}"
