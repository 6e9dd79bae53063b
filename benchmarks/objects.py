"""The object model: each operation against the least that plain numpy or Python must do for it.

Our classes and neo's have the same constructors, so the same function makes the objects of both:
it is given the package to take them from.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import quantities as pq

import ephyrus
from benchmarks.measure import Benchmark, Operation, Place, Work

RATE = 20_000.0
Make = Callable[[Any], Operation]  # package -> the operation on objects of that package


def _both(place: Place, make: Make, floor: Operation) -> Work:
    """Give the operation on our objects, on neo's, and the floor."""
    return Work(make(ephyrus), floor, None if place.neo is None else make(place.neo))


def _construct(place: Place) -> Work:
    times = np.sort(np.random.default_rng(1).uniform(0, 1, (place.count(100_000), 10)))

    def make(package: Any) -> Operation:
        train = package.SpikeTrain
        return lambda: [train(each, units="s", t_stop=1.0) for each in times]

    return _both(place, make, lambda: [each.copy() for each in times])


def _signal(package: Any, data: np.ndarray) -> Any:
    return package.AnalogSignal(pq.Quantity(data, "mV"), sampling_rate=RATE * pq.Hz)


def _slice(place: Place) -> Work:
    data = np.zeros((place.count(10**8), 1), np.float32)
    values = pq.Quantity(data, "mV")
    middle = len(data) // 2

    def make(package: Any) -> Operation:
        signal = package.AnalogSignal(values, sampling_rate=RATE * pq.Hz, copy=None)
        return lambda: signal[middle : middle + 1000]

    return _both(place, make, lambda: data[middle : middle + 1000])


def _slice_time(place: Place) -> Work:
    data = np.zeros((place.count(10**7, 4), 1), np.float32)
    middle = len(data) // 2
    window = middle / RATE * pq.s, (middle + 1000) / RATE * pq.s

    def make(package: Any) -> Operation:
        signal = _signal(package, data)
        return lambda: signal.time_slice(*window)

    def floor() -> np.ndarray:
        return data[middle : middle + 1000].copy()

    return _both(place, make, floor)


def _slice_train(place: Place) -> Work:
    """Cut one second out of a thousand.

    The floor knows that the times are in order. A train may have times in any order, and numpy
    gives out its memory to be written without telling, so that nothing can be remembered: each
    slice looks at every time once. That alone (``times.max()``) takes about 32 times the floor,
    with all of the 8 MB in the processor's cache, so that the bar is out of reach.
    """
    times = np.sort(np.random.default_rng(1).uniform(0, 1000, place.count(10**6)))

    def make(package: Any) -> Operation:
        train = package.SpikeTrain(times, units="s", t_stop=1000.0)
        window = 500.0 * pq.s, 501.0 * pq.s
        return lambda: train.time_slice(*window)

    def floor() -> np.ndarray:
        first, last = np.searchsorted(times, 500.0, "left"), np.searchsorted(times, 501.0, "right")
        return times[first:last].copy()

    return _both(place, make, floor)


def _arrays() -> dict[str, Any]:
    """What one segment holds, as plain arrays."""
    rng = np.random.default_rng(1)
    times = np.arange(10) / 10
    return {
        "signal": np.zeros((1000, 4), np.float32),
        "trains": [np.sort(rng.uniform(0, 1, 20)) for _ in range(5)],
        "event": {"times": times, "labels": np.array([f"e{i}" for i in range(10)])},
        "epoch": {
            "times": times,
            "durations": np.full(10, 0.05),
            "labels": np.array([f"p{i}" for i in range(10)]),
        },
    }


def _segment(package: Any) -> Any:
    """A signal, five trains, an event, an epoch; each with an annotation or two."""
    arrays = _arrays()
    segment = package.Segment(name="trial", trial=1)
    signal = package.AnalogSignal(
        pq.Quantity(arrays["signal"], "mV"), sampling_rate=1000.0 * pq.Hz, gain=2.0
    )
    segment.analogsignals.append(signal)
    for number, times in enumerate(arrays["trains"]):
        train = package.SpikeTrain(times, units="s", t_stop=1.0, unit_id=number)
        segment.spiketrains.append(train)
    event, epoch = arrays["event"], arrays["epoch"]
    segment.events.append(package.Event(event["times"] * pq.s, labels=event["labels"]))
    segment.epochs.append(
        package.Epoch(epoch["times"] * pq.s, epoch["durations"] * pq.s, labels=epoch["labels"])
    )
    return segment


def _slice_segments(place: Place) -> Work:
    count = place.count(1000)
    plain = [_arrays() for _ in range(count)]

    def make(package: Any) -> Operation:
        segments = [_segment(package) for _ in range(count)]
        window = 0.2 * pq.s, 0.6 * pq.s
        return lambda: [segment.time_slice(*window) for segment in segments]

    def cut(times: np.ndarray, *columns: np.ndarray) -> list[np.ndarray]:
        first, last = np.searchsorted(times, (0.2, 0.6))
        return [column[first:last].copy() for column in (times, *columns)]

    def floor() -> list[Any]:
        return [
            (
                segment["signal"][200:600].copy(),
                [cut(times) for times in segment["trains"]],
                cut(*segment["event"].values()),
                cut(*segment["epoch"].values()),
            )
            for segment in plain
        ]

    return _both(place, make, floor)


def _merge(place: Place) -> Work:
    rng = np.random.default_rng(1)
    spikes = [np.sort(rng.uniform(0, 1, 100)) for _ in range(place.count(1000))]

    def make(package: Any) -> Operation:
        first, *others = [package.SpikeTrain(each, units="s", t_stop=1.0) for each in spikes]
        return lambda: first.merge(*others)

    def floor() -> np.ndarray:
        joined = np.concatenate(spikes)
        return joined[np.argsort(joined)]

    return _both(place, make, floor)


def _rescale(place: Place) -> Work:
    data = np.ones((place.count(10**8), 1), np.float32)
    values = pq.Quantity(data, "mV")

    def make(package: Any) -> Operation:
        signal = package.AnalogSignal(values, sampling_rate=RATE * pq.Hz, copy=None)
        return lambda: signal.rescale("uV")

    return _both(place, make, lambda: data * np.float32(1000))


def _block(package: Any, segments: int) -> Any:
    block = package.Block(name="recording")
    for _ in range(segments):
        block.segments.append(_segment(package))
    return block


def _plain_block(segments: int) -> dict[str, Any]:
    """The same arrays and annotations in dicts and lists."""
    return {
        "name": "recording",
        "segments": [_arrays() | {"name": "trial", "trial": 1} for _ in range(segments)],
    }


def _deepcopy(place: Place) -> Work:
    count = place.count(1000)

    def make(package: Any) -> Operation:
        return partial(copy.deepcopy, _block(package, count))

    return _both(place, make, partial(copy.deepcopy, _plain_block(count)))


def _unpickle(place: Place) -> Work:
    count = place.count(1000)

    def make(package: Any) -> Operation:
        return partial(pickle.loads, pickle.dumps(_block(package, count), protocol=5))

    return _both(place, make, partial(pickle.loads, pickle.dumps(_plain_block(count), protocol=5)))


def _append(place: Place, *, full: int) -> Work:
    """Append trains to a new segment; from the second run on they move from the one before."""
    count = place.count(full)

    def make(package: Any) -> Operation:
        times = np.arange(3.0)
        trains = [package.SpikeTrain(times, units="s", t_stop=3.0) for _ in range(count)]

        def append_all() -> Any:
            segment = package.Segment()
            for train in trains:
                segment.spiketrains.append(train)
            return segment

        return append_all

    items = [np.arange(3.0) for _ in range(count)]

    def floor() -> list[Any]:
        filled: list[Any] = []
        for item in items:
            filled.append(item)  # noqa: PERF402 - one at a time is what is measured
        return filled

    return _both(place, make, floor)


def _trains_to_multiplex(place: Place) -> Work:
    times = np.sort(np.random.default_rng(1).uniform(0, 1, (place.count(100_000), 10)))

    def make(package: Any) -> Operation:
        train = package.SpikeTrain
        module = __import__(f"{package.__name__}.core.spiketrainlist", fromlist=["SpikeTrainList"])
        trains = [train(each, units="s", t_stop=1.0) for each in times]

        def multiplexed() -> Any:  # a new list: neo keeps what it has multiplexed once
            return module.SpikeTrainList(items=trains).multiplexed

        return multiplexed

    parts = list(times)

    def floor() -> tuple[np.ndarray, np.ndarray]:
        ids = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
        return ids, np.concatenate(parts)

    return _both(place, make, floor)


def _multiplexed(place: Place) -> Work:
    count = place.count(100_000)
    rng = np.random.default_rng(1)
    times, ids = rng.uniform(0, 1, count * 10), rng.integers(0, count, count * 10)

    def make(package: Any) -> Operation:
        module = __import__(f"{package.__name__}.core.spiketrainlist", fromlist=["SpikeTrainList"])
        trains = module.SpikeTrainList.from_spike_time_array(
            times, ids, all_channel_ids=np.arange(count), t_stop=1.0 * pq.s, units="s"
        )
        return lambda: trains.multiplexed

    return _both(place, make, lambda: (ids.copy(), times.copy()))


def _filter(place: Place) -> Work:
    """Find those of the trains of a segment, 1 in 100, whose annotation has one value.

    The floor is ``[each for each in dicts if each.get(name) == value]``: the annotations alone,
    in a list of dicts. It has no objects to get them from, and no attribute of that name to look
    for, which a filter must find as well.
    """
    count = place.count(100_000)
    plain = [{"unit_id": number % 100, "quality": "good"} for number in range(count)]

    def make(package: Any) -> Operation:
        segment = package.Segment()
        for notes in plain:
            train = package.SpikeTrain([0.5], units="s", t_stop=1.0, **notes)
            segment.spiketrains.append(train)
        return lambda: segment.filter(unit_id=7)

    return _both(place, make, lambda: [each for each in plain if each.get("unit_id") == 7])


def _irregular(place: Place) -> Work:
    count = max(place.count(10**6), 2000)
    times = np.cumsum(np.random.default_rng(1).uniform(0.5, 1.5, count))
    data = np.zeros((count, 1))
    start, stop = times[-1200], times[-200]

    def make(package: Any) -> Operation:
        signal = package.IrregularlySampledSignal(times * pq.s, data * pq.mV)
        return lambda: signal.time_slice(start * pq.s, stop * pq.s)

    def floor() -> tuple[np.ndarray, np.ndarray]:
        first, last = np.searchsorted(times, start), np.searchsorted(times, stop, "right")
        return times[first:last].copy(), data[first:last].copy()

    return _both(place, make, floor)


def _region(place: Place) -> Work:
    images = np.random.default_rng(1).uniform(0, 1, (20, 128, 128))
    x, y = np.ogrid[:128, :128]
    rows, columns = np.nonzero((x - 64) ** 2 + (y - 64) ** 2 <= 100)

    def make(package: Any) -> Operation:
        facts = {"units": "V", "sampling_rate": 50.0 * pq.Hz, "spatial_scale": 1.0 * pq.um}
        if package is not ephyrus:  # neo's signature
            facts["t_start"] = 0.0 * pq.s
        sequence = package.ImageSequence(images, **facts)
        region = package.CircularRegionOfInterest(sequence, 64, 64, 10)
        return lambda: sequence.signal_from_region(region)

    return _both(place, make, lambda: images[:, rows, columns].mean(axis=1))


def _arithmetic(place: Place, *, how: str) -> Work:
    data = np.ones((place.count(2 * 10**7), 1), np.float32)

    def apply(signal: Any) -> Operation:
        if how == "sum":
            return lambda: signal + signal
        return lambda: signal * 2.0

    return _both(place, lambda package: apply(_signal(package, data)), apply(data))


def benchmarks() -> list[Benchmark]:
    """All benchmarks of the object model."""
    return [*_lists(), *_times(), *_data()]


def _lists() -> Iterator[Benchmark]:
    row = partial(Benchmark, "core")
    yield row("construct 100,000 trains of 10 spikes", _construct, 60, floor_is="copies of them")
    appended = "list.append, one at a time"
    for count in (5_000, 20_000):
        yield row(f"append {count:,} trains", partial(_append, full=count), 20, floor_is=appended)
    joined = "np.concatenate and np.repeat"
    yield row("multiplexed of 100,000 trains", _trains_to_multiplex, 10, floor_is=joined)
    yield row("multiplexed, stored so", _multiplexed, 1.1, floor_is="copies of both arrays")
    looked = "dict.get of their annotations"
    yield row("filter of 100,000 objects", _filter, 4, floor_is=looked)
    yield row("merge 1,000 trains", _merge, 30, floor_is="np.concatenate and np.argsort")
    plain = "the same of dicts, lists and arrays"
    yield row("deepcopy of 1,000 segments", _deepcopy, 10, floor_is=plain)
    yield row("unpickle 1,000 segments", _unpickle, 6, floor_is=plain)


def _times() -> Iterator[Benchmark]:
    row = partial(Benchmark, "core")
    yield row("slice of 1e8 samples", _slice, 100, floor_is="slice of the array")
    cut = "np.searchsorted, and copies of the parts"
    yield row("time_slice of a signal", _slice_time, 50, floor_is="copy of the part")
    yield row("time_slice of 1e6 spikes", _slice_train, 20, floor_is=cut)
    yield row("time_slice of 1,000 segments", _slice_segments, 40, floor_is=cut)
    yield row("time_slice of 1e6 irregular samples", _irregular, 50, floor_is=cut)


def _data() -> Iterator[Benchmark]:
    row = partial(Benchmark, "core")
    times = "array times a float32"
    yield row("rescale of 1e8 float32 samples", _rescale, 2, floor_is=times)
    for how in ("product", "sum"):
        yield row(f"{how} of 2e7 samples", partial(_arithmetic, how=how), 1.1, floor_is=how)
    mean = "mean over indexed pixels"
    yield row("signal_from_region, 20 frames", _region, 20, floor_is=mean)
