"""The same random operations on neo's objects and on ours give equal values.

Left out is what neo does wrongly or by surprise and this package does better on purpose: negative
indices and steps, open ends of windows, operators with the signal on the right, and the like.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import quantities as pq
from hypothesis import given, settings
from hypothesis import strategies as st

import ephyrus
from tests.peers.facts import peer, quiet

neo = peer("neo")

pytestmark = pytest.mark.peers

seeds = st.integers(0, 2**32 - 1)
ATTRIBUTES = ("t_start", "t_stop", "sampling_rate", "times", "durations", "waveforms", "left_sweep")
examples = settings(deadline=None, max_examples=60)


def both(operation: Any, seed: int, **kinds: Any) -> None:
    """Make the objects of both packages and compare what an operation gives.

    `kinds` are makers, by the name that the operation knows them by; `operation` is called with
    them and a random generator that is the same for both.
    """
    results = []
    for package in (neo, ephyrus):
        made = {name: make(package, np.random.default_rng(seed)) for name, make in kinds.items()}
        rng = np.random.default_rng([seed, 1])
        with quiet():
            results.append(operation(SimpleNamespace(**made), rng))
    theirs, mine = results
    assert_same(mine, theirs)


def assert_same(mine: Any, theirs: Any) -> None:
    """Compare values, units, times, labels and annotations; lists item by item."""
    if isinstance(mine, list | tuple):
        assert len(mine) == len(theirs)
        for one, other in zip(mine, theirs, strict=True):
            assert_same(one, other)
        return
    if not isinstance(mine, pq.Quantity):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))
        return
    assert_quantity(mine, theirs)
    if type(mine) is pq.Quantity:
        return
    assert type(mine).__name__ == type(theirs).__name__
    for name in ATTRIBUTES:
        if getattr(theirs, name, None) is not None:
            assert_quantity(getattr(mine, name), getattr(theirs, name))
    if getattr(theirs, "labels", None) is not None:
        assert list(mine.labels) == list(theirs.labels)
    assert mine.annotations == theirs.annotations
    assert mine.array_annotations.keys() == theirs.array_annotations.keys()
    for key, column in theirs.array_annotations.items():
        np.testing.assert_array_equal(np.asarray(mine.array_annotations[key]), np.asarray(column))


def assert_quantity(mine: pq.Quantity, theirs: pq.Quantity) -> None:
    """Compare two Quantities: units too, but not how they are spelt."""
    assert mine.dimensionality.simplified == theirs.dimensionality.simplified
    assert mine.shape == theirs.shape
    numbers = mine.rescale(theirs.units).magnitude
    np.testing.assert_allclose(numbers, theirs.magnitude, rtol=1e-9, atol=1e-12)


# Makers


def signal(package: Any, rng: np.random.Generator, channels: int = 4) -> Any:
    start = float(rng.integers(0, 50))
    return package.AnalogSignal(
        rng.normal(0, 1, (200, channels)),
        units="mV",
        sampling_rate=1000.0 * pq.Hz,
        t_start=start * pq.ms,
        array_annotations={"names": np.array([f"c{i}" for i in range(channels)])},
        electrode="tungsten",
    )


def train(package: Any, rng: np.random.Generator) -> Any:
    times = np.sort(rng.uniform(0, 10, 50))
    return package.SpikeTrain(
        times,
        units="s",
        t_stop=10.0 * pq.s,
        waveforms=rng.normal(0, 1, (50, 2, 8)) * pq.uV,
        sampling_rate=20.0 * pq.kHz,
        left_sweep=0.2 * pq.ms,
        array_annotations={"score": rng.uniform(0, 1, 50)},
        unit_id=7,
    )


def event(package: Any, rng: np.random.Generator) -> Any:
    times = np.sort(rng.uniform(0, 10, 30))
    labels = np.array([f"e{i}" for i in range(30)])
    return package.Event(
        times * pq.s, labels=labels, array_annotations={"code": np.arange(30)}, source="box"
    )


def epoch(package: Any, rng: np.random.Generator) -> Any:
    times = np.sort(rng.uniform(0, 10, 30))
    return package.Epoch(
        times * pq.s,
        durations=rng.uniform(0, 0.5, 30) * pq.s,
        labels=np.array([f"p{i}" for i in range(30)]),
        array_annotations={"code": np.arange(30)},
        source="box",
    )


def irregular(package: Any, rng: np.random.Generator) -> Any:
    times = np.cumsum(rng.uniform(0.01, 1, 60))
    return package.IrregularlySampledSignal(
        times * pq.s, rng.normal(0, 1, (60, 3)) * pq.mV, source="box"
    )


def cut(rng: np.random.Generator, length: int) -> slice:
    """A range of items that is not empty."""
    first, last = np.sort(rng.choice(length + 1, 2, replace=False)).tolist()
    return slice(first, last)


POINTS = {"train": train, "event": event, "epoch": epoch}
ALL = {"signal": signal, "irregular": irregular, **POINTS}


# Slices


@examples
@given(seed=seeds)
def test_signal_indices(seed):
    def operation(has, rng):
        rows, columns = cut(rng, 200), cut(rng, 4)
        row, column = int(rng.integers(200)), int(rng.integers(4))
        chosen = rng.permutation(4)[: rng.integers(1, 5)].tolist()
        made = has.signal
        return [
            made[rows],
            made[rows, columns],
            made[:, columns],
            made[:, column],
            made[:, chosen],
            made[row],
            made[row, column],
            made[row, columns],
        ]

    both(operation, seed, signal=signal)


@pytest.mark.parametrize("kind", [*POINTS, "irregular"])
@examples
@given(seed=seeds)
def test_slices_of_items(kind, seed):
    def operation(has, rng):
        made = has.made
        return made[cut(rng, len(made))]

    both(operation, seed, made=ALL[kind])


@pytest.mark.parametrize("kind", POINTS)
@examples
@given(seed=seeds)
def test_items_chosen_by_masks_and_numbers(kind, seed):
    def operation(has, rng):
        made = has.made
        mask = rng.uniform(0, 1, len(made)) < 0.5
        return [made[mask], made[np.flatnonzero(mask)]]

    both(operation, seed, made=ALL[kind])


# Windows


@examples
@given(seed=seeds)
def test_time_slice_of_signals(seed):
    def operation(has, rng):
        made = has.signal
        first, last = np.sort(rng.choice(200, 2, replace=False))
        return made.time_slice(
            made.t_start + (first + 0.1) * pq.ms, made.t_start + (last + 0.1) * pq.ms
        )

    both(operation, seed, signal=signal)


@pytest.mark.parametrize("kind", POINTS)
@examples
@given(seed=seeds)
def test_time_slice_of_points(kind, seed):
    def operation(has, rng):
        start, stop = np.sort(rng.uniform(0, 10, 2))
        return has.made.time_slice(start * pq.s, stop * pq.s)

    both(operation, seed, made=ALL[kind])


@examples
@given(seed=seeds)
def test_time_slice_of_irregular_signals(seed):
    def operation(has, rng):
        made = has.irregular
        first, last = np.sort(rng.choice(60, 2, replace=False))
        times = made.times.magnitude
        return made.time_slice((times[first] - 0.001) * pq.s, (times[last] + 0.001) * pq.s)

    both(operation, seed, irregular=irregular)


@pytest.mark.parametrize("kind", ALL)
@examples
@given(seed=seeds)
def test_time_shift(kind, seed):
    def operation(has, rng):
        return has.made.time_shift(float(rng.uniform(0, 5)) * pq.s)

    both(operation, seed, made=ALL[kind])


@examples
@given(seed=seeds)
def test_time_slice_of_segments(seed):
    def whole(package, rng):
        segment = package.Segment()
        made = package.AnalogSignal(
            rng.normal(0, 1, (1000, 2)), units="mV", sampling_rate=100.0 * pq.Hz
        )
        segment.analogsignals.append(made)
        segment.spiketrains.append(train(package, rng))
        segment.events.append(event(package, rng))
        segment.epochs.append(epoch(package, rng))
        return segment

    def operation(has, rng):
        start, stop = np.sort(rng.choice(np.arange(1, 99), 2, replace=False)) / 10
        part = has.segment.time_slice((start + 0.001) * pq.s, (stop + 0.001) * pq.s)
        return [*part.analogsignals, *part.spiketrains, *part.events, *part.epochs]

    both(operation, seed, segment=whole)


# Units and arithmetic


@pytest.mark.parametrize(
    ("kind", "units"),
    [("signal", "uV"), ("signal", "V"), ("irregular", "uV"), *((kind, "ms") for kind in POINTS)],
)
@examples
@given(seed=seeds)
def test_rescale(kind, units, seed):
    both(lambda has, rng: has.made.rescale(units), seed, made=ALL[kind])


@pytest.mark.parametrize("kind", ["signal", "irregular"])
@examples
@given(seed=seeds)
def test_arithmetic(kind, seed):
    def operation(has, rng):
        made, number = has.made, float(rng.uniform(0.5, 3))
        return [
            made + number * pq.mV,
            made - number * pq.uV,
            made * number,
            made / number,
            made * (number * pq.ohm),
            made / (number * pq.ohm),
            made + made,
            made - made,
            (made**2).magnitude,  # neo loses the times of irregular ones
        ]

    both(operation, seed, made=ALL[kind])


@examples
@given(seed=seeds)
def test_comparison(seed):
    def operation(has, rng):
        made, level = has.signal, float(rng.normal()) * pq.mV
        same = made == made
        return [made < level, made <= level, made > level, made >= level, same]

    both(operation, seed, signal=signal)


@examples
@given(seed=seeds)
def test_reductions(seed):
    def operation(has, rng):
        made = has.signal
        return [made.mean(), made.mean(axis=0), made.std(axis=1), made.max(axis=0), made.sum()]

    both(operation, seed, signal=signal)


@examples
@given(seed=seeds)
def test_arithmetic_of_trains(seed):
    def operation(has, rng):
        later = float(rng.uniform(0, 3)) * pq.s
        return [has.train + later, has.train + later - later]

    both(operation, seed, train=train)


# Joining


@examples
@given(seed=seeds)
def test_merge_of_signals(seed):
    def other(package, rng):
        return signal(package, rng, channels=2).rescale("uV")

    both(lambda has, rng: has.signal.merge(has.other), seed, signal=signal, other=other)


@pytest.mark.parametrize("kind", POINTS)
@examples
@given(seed=seeds)
def test_merge_of_points(kind, seed):
    def other(package, rng):
        return ALL[kind](package, np.random.default_rng(seed + 1)).rescale("ms")

    both(lambda has, rng: has.made.merge(has.other), seed, made=ALL[kind], other=other)


@examples
@given(seed=seeds)
def test_concatenate(seed):
    def parts(package, rng):
        made = signal(package, rng)
        return [made[:70], made[70:160], made[160:]]

    def operation(has, rng):
        first, *others = has.parts
        joined = first.concatenate(*others)
        return [joined.magnitude, joined.t_start, joined.sampling_rate]

    both(operation, seed, parts=parts)


@examples
@given(seed=seeds)
def test_splice(seed):
    def operation(has, rng):
        made = has.signal
        rows = cut(rng, 200)
        return made.splice(made[rows] * 2.0, copy=True)

    both(operation, seed, signal=signal)


@examples
@given(seed=seeds)
def test_multiplexed_trains(seed):
    def segment(package, rng):
        made = package.Segment()
        for _ in range(5):
            made.spiketrains.append(train(package, rng))
        return made

    both(lambda has, rng: list(has.segment.spiketrains.multiplexed), seed, segment=segment)


@examples
@given(seed=seeds)
def test_waveforms_and_limits_of_new_data(seed):
    def operation(has, rng):
        made = has.train
        return made.duplicate_with_new_data(made.magnitude / 2)

    both(operation, seed, train=train)
