"""Vendors' libraries: reading through our layer against plain `ctypes` on the same library.

The library is that of the tests, compiled for the occasion. It makes its numbers as they are asked
for, which takes about as long as copying them.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from ctypes import POINTER, byref, c_char_p, c_double, c_int32, c_uint32
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.measure import Benchmark, Place, Work
from ephyrus.dll.isolated import IsolatedLibrary
from ephyrus.dll.library import DllLibrary
from ephyrus.dll.times import sample_times
from tests.dll.building import build, recording

SAMPLES = 16_000_000
ITEMS = 100_000
MOST = 32  # samples of an item
ITEM_SECONDS = 3e-6  # for a segment item, beyond the library's own time
ANALOG, NEURAL_RATE, SPIKES = 6, 30_000.0, 11

FLOOR = "plain ctypes: one call into a new array"
LOOP = "plain ctypes: a loop of calls, values into one array"


@dataclass(frozen=True)
class Opened:
    """One recording, opened through our layer and by plain ctypes."""

    ours: Any
    handle: int
    plain: ctypes.CDLL
    plain_handle: int
    count: int


def opened(place: Place, count: int, *, isolate: bool = False) -> Opened:
    """Compile the library and open a recording of so many samples and items."""
    path = build(place.folder)
    file = recording(place.folder / "a.nst", f"large {count}")
    ours = IsolatedLibrary(path) if isolate else DllLibrary(path)
    plain = ctypes.CDLL(str(path))
    numbers = [c_uint32, c_uint32, c_uint32]
    plain.ns_OpenFile.argtypes = [c_char_p, POINTER(c_uint32)]
    plain.ns_GetAnalogData.argtypes = [*numbers, c_uint32, POINTER(c_uint32), POINTER(c_double)]
    plain.ns_GetTimeByIndex.argtypes = [*numbers, POINTER(c_double)]
    plain.ns_GetSegmentData.argtypes = [
        c_uint32, c_uint32, c_int32, POINTER(c_double), POINTER(c_double), c_uint32,
        POINTER(c_uint32), POINTER(c_uint32),
    ]  # fmt: skip
    handle = c_uint32()
    assert plain.ns_OpenFile(str(file).encode(), byref(handle)) == 0
    return Opened(ours, ours.open(str(file)), plain, handle.value, count)


def _address(array: np.ndarray, kind: Any = c_double) -> Any:
    return array.ctypes.data_as(POINTER(kind))


def _analog(place: Place, *, isolate: bool) -> Work:
    """Read all samples of a channel, and how many have no gap."""
    file = opened(place, place.count(SAMPLES), isolate=isolate)

    def floor() -> np.ndarray:
        data, continuous = np.empty(file.count), c_uint32()
        asked = file.plain_handle, ANALOG, 0, file.count
        assert file.plain.ns_GetAnalogData(*asked, byref(continuous), _address(data)) == 0
        return data

    return Work(partial(file.ours.analog_data, file.handle, ANALOG, 0, file.count), floor)


def _times(place: Place) -> Work:
    """Give the times of all samples of a channel."""
    file = opened(place, place.count(SAMPLES))

    def floor() -> np.ndarray:
        start = c_double()
        assert file.plain.ns_GetTimeByIndex(file.plain_handle, ANALOG, 0, byref(start)) == 0
        times = np.arange(file.count) / NEURAL_RATE
        times += start.value
        return times

    asked = file.ours, file.handle, ANALOG, 0, file.count, NEURAL_RATE
    return Work(partial(sample_times, *asked), floor)


def _segments(place: Place) -> Work:
    """Read all items of a segment entity."""
    file = opened(place, place.count(ITEMS))

    def floor() -> np.ndarray:
        values, times = np.empty((file.count, 1, MOST)), np.empty(file.count)
        one, time, samples, unit = np.empty((1, MOST)), c_double(), c_uint32(), c_uint32()
        there, asked = _address(one), (byref(time), one.nbytes, byref(samples), byref(unit))
        call, handle = file.plain.ns_GetSegmentData, file.plain_handle
        for index in range(file.count):
            call(handle, SPIKES, index, asked[0], there, asked[1], asked[2], asked[3])
            values[index], times[index] = one, time.value
        return values

    return Work(partial(file.ours.segment_data, file.handle, SPIKES, 0, file.count), floor)


def benchmarks() -> Iterator[Benchmark]:
    """All benchmarks of this module."""

    def row(name: str, prepare: Callable[[Place], Work], floor: str, **bar: float) -> Benchmark:
        return Benchmark("neuroshare", name, prepare, floor_is=floor, **bar)

    yield row("analog data", partial(_analog, isolate=False), FLOOR, ratio=1.2)
    # The child's own time is not counted, so that there is no bar: only waiting and copying are.
    yield row("analog data, isolated (the parent alone)", partial(_analog, isolate=True), FLOOR)
    times = "plain ctypes for the first time, and numpy for the others"
    yield row("times", _times, times, ratio=1.5)
    yield row(f"{ITEMS} segment items", _segments, LOOP, seconds=ITEM_SECONDS * ITEMS)
