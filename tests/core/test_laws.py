"""Laws that hold for all data objects, whatever the numbers are."""

import copy
import itertools
import pickle

import numpy as np
import pytest
import quantities as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.core import (
    AnalogSignal,
    Epoch,
    Event,
    ImageSequence,
    IrregularlySampledSignal,
    Segment,
    SpikeTrain,
)
from ephyrus.core.lazy import Points

law = settings(deadline=None, max_examples=25)

RATES = [1 * pq.Hz, 25 * pq.kHz, 30 * pq.kHz, 0.1 * pq.Hz, 1 / (0.7 * pq.ms)]
STARTS = [0 * pq.s, -12.5 * pq.ms, 3 * pq.s, 1e5 * pq.s]


# --- objects with a random content -----------------------------------------------------------


@st.composite
def analog_signals(draw, *, max_samples=30, max_channels=4):
    """Signals whose array annotations tell the number of each channel."""
    samples, channels = draw(st.integers(0, max_samples)), draw(st.integers(1, max_channels))
    generator = np.random.default_rng(draw(st.integers(0, 1000)))
    return AnalogSignal(
        generator.normal(size=(samples, channels)),
        "mV",
        sampling_rate=draw(st.sampled_from(RATES)),
        t_start=draw(st.sampled_from(STARTS)),
        name="s",
        array_annotations=_numbered(channels),
        seed=[1, 2],
    )


@st.composite
def irregular_signals(draw, *, max_samples=30, max_channels=4):
    """Irregular signals at increasing times."""
    samples, channels = draw(st.integers(1, max_samples)), draw(st.integers(1, max_channels))
    generator = np.random.default_rng(draw(st.integers(0, 1000)))
    return IrregularlySampledSignal(
        np.cumsum(generator.uniform(0.1, 2.0, samples)),
        generator.normal(size=(samples, channels)),
        units="mV",
        time_units="ms",
        name="s",
        array_annotations=_numbered(channels),
        seed=[1, 2],
    )


@st.composite
def image_sequences(draw):
    """Sequences of small images."""
    frames = draw(st.integers(1, 12))
    generator = np.random.default_rng(draw(st.integers(0, 1000)))
    return ImageSequence(
        generator.normal(size=(frames, 3, 2)),
        "V",
        sampling_rate=draw(st.sampled_from(RATES)),
        t_start=draw(st.sampled_from(STARTS)),
        spatial_scale=1.5 * pq.um,
        name="s",
        seed=[1, 2],
    )


@st.composite
def spike_trains(draw, *, max_spikes=20):
    """Unsorted trains with waveforms that tell the number of each spike."""
    count = draw(st.integers(0, max_spikes))
    generator = np.random.default_rng(draw(st.integers(0, 1000)))
    return SpikeTrain(
        generator.uniform(1.0, 9.0, count) * pq.s,
        t_start=0.5 * pq.s,
        t_stop=10.0 * pq.s,
        waveforms=np.arange(count).reshape(-1, 1, 1) * np.ones((1, 2, 3)) * pq.uV,
        left_sweep=1 * pq.ms,
        name="s",
        array_annotations=_numbered(count),
        seed=[1, 2],
    )


@st.composite
def events(draw, *, max_events=20):
    """Unsorted events whose labels tell their number."""
    count = draw(st.integers(0, max_events))
    generator = np.random.default_rng(draw(st.integers(0, 1000)))
    return Event(
        generator.uniform(1.0, 9.0, count) * pq.s,
        labels=[f"label {number}" for number in range(count)],
        name="s",
        array_annotations=_numbered(count),
        seed=[1, 2],
    )


@st.composite
def epochs(draw, *, max_epochs=20):
    """Unsorted epochs whose durations tell their number."""
    count = draw(st.integers(0, max_epochs))
    generator = np.random.default_rng(draw(st.integers(0, 1000)))
    return Epoch(
        generator.uniform(1.0, 9.0, count) * pq.s,
        durations=np.arange(count) * pq.ms,
        labels=[f"label {number}" for number in range(count)],
        name="s",
        array_annotations=_numbered(count),
        seed=[1, 2],
    )


def _numbered(count):
    """Return array annotations that tell the position, as numbers, texts and lengths."""
    numbers = np.arange(count)
    return {
        "number": numbers,
        "text": np.array([f"no {number}" for number in numbers], dtype="U8"),
        "depth": numbers * 1.5 * pq.um,
    }


points = st.one_of(spike_trains(), events(), epochs())
regular = st.one_of(analog_signals(), image_sequences())
channelled = st.one_of(analog_signals(), irregular_signals())
anything = st.one_of(regular, irregular_signals(), points)

bounds = st.one_of(st.none(), st.integers(-35, 35))
steps = st.one_of(st.none(), st.integers(-4, 4).filter(bool))
slices = st.builds(slice, bounds, bounds, steps)


# --- comparison ------------------------------------------------------------------------------


def assert_same(first, second):
    """Check that two data objects are equal in all there is to tell about them."""
    assert type(first) is type(second)
    assert first.dtype == second.dtype
    assert first.dimensionality == second.dimensionality
    np.testing.assert_array_equal(first.magnitude, second.magnitude)
    assert first.annotations == second.annotations
    assert_same_arrays(first.array_annotations, second.array_annotations)
    for name in ("name", "description", "file_origin"):
        assert getattr(first, name) == getattr(second, name)
    for name in ("times", "t_start", "t_stop", "sampling_rate", "spatial_scale", "left_sweep"):
        mine, theirs = getattr(first, name, None), getattr(second, name, None)
        assert (mine is None) == (theirs is None)
        if mine is not None:
            assert mine.dimensionality == theirs.dimensionality
            np.testing.assert_array_equal(mine.magnitude, theirs.magnitude)
    for name in ("labels", "durations", "waveforms"):
        np.testing.assert_array_equal(getattr(first, name, 0), getattr(second, name, 0))


def assert_same_arrays(first, second):
    """Check that array annotations are equal, with their units."""
    assert first.keys() == second.keys()
    for key, values in first.items():
        assert getattr(values, "dimensionality", None) == getattr(
            second[key], "dimensionality", None
        )
        np.testing.assert_array_equal(np.asarray(values), np.asarray(second[key]))


def assert_numbered(obj, numbers):
    """Check that the array annotations are those of the channels or items `numbers`."""
    arrays = obj.array_annotations
    assert arrays.keys() == {"number", "text", "depth"}
    numbers = [int(number) for number in numbers]
    assert arrays["number"].tolist() == numbers
    assert arrays["text"].tolist() == [f"no {number}" for number in numbers]
    assert arrays["depth"].dimensionality == pq.um.dimensionality
    assert arrays["depth"].magnitude.tolist() == [number * 1.5 for number in numbers]


def assert_follows(obj, whole, numbers):
    """Check that everything with one entry per item is that of the items `numbers` of `whole`."""
    assert type(obj) is type(whole)
    np.testing.assert_array_equal(obj.magnitude, whole.magnitude[numbers])
    assert_numbered(obj, numbers)
    if isinstance(obj, SpikeTrain):
        np.testing.assert_array_equal(obj.waveforms, whole.waveforms[numbers])
    else:
        assert obj.labels.tolist() == [f"label {number}" for number in numbers]
    if isinstance(obj, Epoch):
        assert obj.durations.rescale("ms").magnitude.tolist() == [float(n) for n in numbers]


# --- slicing ---------------------------------------------------------------------------------


@law
@given(regular, slices)
def test_slices_of_regular_data_agree_with_the_times(obj, part):
    cut = obj[part]
    np.testing.assert_array_equal(cut.magnitude, obj.magnitude[part])
    if (part.step or 1) < 0:
        assert type(cut) is pq.Quantity
        return
    assert type(cut) is type(obj)
    scale = max(abs(obj.t_stop.rescale("s").item()), 1.0)
    np.testing.assert_allclose(
        cut.times.rescale("s").magnitude,
        obj.times.rescale("s").magnitude[part],
        rtol=0,
        atol=1e-14 * scale,
    )
    assert np.isclose((cut.sampling_rate * (part.step or 1) / obj.sampling_rate).item(), 1.0)
    assert cut.annotations == obj.annotations


@law
@given(irregular_signals(), slices)
def test_slices_of_irregular_signals_agree_with_the_times(signal, part):
    cut = signal[part]
    np.testing.assert_array_equal(cut.magnitude, signal.magnitude[part])
    if isinstance(cut, IrregularlySampledSignal):
        np.testing.assert_array_equal(cut.times.magnitude, signal.times.magnitude[part])
        assert_same_arrays(cut.array_annotations, signal.array_annotations)


@law
@given(points, slices)
def test_slices_of_points_take_everything_along(obj, part):
    assert_follows(obj[part], obj, range(len(obj))[part])


@law
@given(channelled, slices, slices)
def test_slices_of_time_and_channel(signal, time, channel):
    cut = signal[time, channel]
    np.testing.assert_array_equal(cut.magnitude, signal.magnitude[time, channel])
    if not isinstance(cut, type(signal)):
        assert (time.step or 1) < 0
        return
    assert_numbered(cut, range(signal.shape[1])[channel])
    np.testing.assert_allclose(
        cut.times.magnitude, signal.times.magnitude[time], rtol=1e-13, atol=1e-13
    )


# --- windows of time -------------------------------------------------------------------------


@law
@given(analog_signals(), st.data())
def test_windows_of_signals_agree_with_the_times(signal, data):
    # thirds: no bound and no duration is half way between two samples
    edges = st.integers(0, 10 * len(signal)).filter(lambda edge: edge % 10 in (0, 3, 7))
    first, last = sorted([data.draw(edges), data.draw(edges)])
    period = signal.sampling_period.rescale("s").item()
    start = signal.t_start.rescale("s").item()
    window = [(start + edge / 10 * period) * pq.s for edge in (first, last)]
    part = signal.time_slice(*window)
    assert len(part) == round((last - first) / 10)
    index = int(signal.time_index(part.t_start))
    assert abs(index - first / 10) < 1
    np.testing.assert_array_equal(part.magnitude, signal.magnitude[index : index + len(part)])
    inside = signal.time_slice(*window, align="inside")
    numbers = np.arange(len(signal)) * 10
    chosen = (numbers >= first) & (numbers <= last)
    np.testing.assert_array_equal(inside.magnitude, signal.magnitude[chosen])
    for cut in (part, inside):
        if len(cut):
            where = int(signal.time_index(cut.t_start))
            np.testing.assert_allclose(
                cut.times.magnitude,
                signal.times.magnitude[where : where + len(cut)],
                rtol=1e-15,
                atol=1e-12,
            )


@law
@given(st.one_of(irregular_signals(), points), st.data())
def test_windows_of_points_agree_with_the_times(obj, data):
    times = obj.times.rescale("s").magnitude
    edges = st.sampled_from([None, 0.6, 5.0, 9.5, *times.tolist()])
    first, last = data.draw(edges), data.draw(edges)
    if first is not None and last is not None:
        first, last = sorted([first, last])
    chosen = np.ones(len(times), dtype=bool)
    chosen &= True if first is None else times >= first
    chosen &= True if last is None else times <= last
    in_units = [None if t is None else (t * pq.s).rescale(obj.times.units) for t in (first, last)]
    if isinstance(obj, IrregularlySampledSignal):  # seconds and back may round
        exact = obj.times.magnitude
        chosen = np.ones(len(times), dtype=bool)
        chosen &= True if first is None else exact >= in_units[0].item()
        chosen &= True if last is None else exact <= in_units[1].item()
    part = obj.time_slice(*in_units)
    np.testing.assert_array_equal(part.magnitude, obj.magnitude[chosen])
    np.testing.assert_array_equal(part.times.magnitude, obj.times.magnitude[chosen])
    if not isinstance(obj, IrregularlySampledSignal):
        assert_follows(part, obj, np.flatnonzero(chosen))
    assert part.segment is None


# --- joining and taking apart ----------------------------------------------------------------


@law
@given(channelled, st.integers(0, 4))
def test_merged_channels_come_apart_again(signal, split):
    first, second = signal[:, :split], signal[:, split:]
    whole = first.merge(second)
    count = first.shape[1]
    for part, again in ((first, whole[:, :count]), (second, whole[:, count:])):
        np.testing.assert_array_equal(again.magnitude, part.magnitude)
        np.testing.assert_array_equal(again.times.magnitude, part.times.magnitude)
        assert_same_arrays(again.array_annotations, part.array_annotations)
    assert_numbered(whole, range(signal.shape[1]))


@law
@given(st.lists(spike_trains(max_spikes=6), min_size=2, max_size=4))
def test_merged_trains_come_apart_again(trains):
    for position, train in enumerate(trains):
        train.array_annotate(train=np.full(len(train), position))
    whole = trains[0].merge(*trains[1:])
    assert (np.diff(whole.magnitude) >= 0).all()
    for position, train in enumerate(trains):
        again = whole[whole.array_annotations["train"] == position]
        order = np.argsort(train.magnitude, kind="stable")
        del again.array_annotations["train"]
        assert_follows(again, train, order)


@law
@given(st.one_of(st.tuples(events(), events()), st.tuples(epochs(), epochs())))
def test_merged_points_come_apart_again(pair):
    first, second = pair
    whole = first.merge(second.rescale("ms"))
    assert_follows(whole[: len(first)], first, range(len(first)))
    again = whole[len(first) :]
    np.testing.assert_allclose(again.magnitude, second.magnitude, rtol=1e-14)
    assert again.labels.tolist() == second.labels.tolist()
    assert_numbered(again, range(len(second)))


@law
@given(analog_signals(), st.lists(st.integers(0, 30), max_size=4), st.randoms())
def test_consecutive_slices_of_a_signal_give_it_back(signal, cuts, random):
    edges = sorted({0, len(signal), *[min(cut, len(signal)) for cut in cuts]})
    parts = [signal[a:b] for a, b in itertools.pairwise(edges)] or [signal]
    random.shuffle(parts)
    whole = parts[0].concatenate(*parts[1:])
    np.testing.assert_array_equal(whole.magnitude, signal.magnitude)
    np.testing.assert_allclose(
        whole.times.magnitude, signal.times.magnitude, rtol=1e-15, atol=1e-12
    )
    assert whole.sampling_rate == signal.sampling_rate
    assert whole.annotations == signal.annotations
    assert whole.name == signal.name
    assert_same_arrays(whole.array_annotations, signal.array_annotations)


@law
@given(irregular_signals(), st.integers(0, 30), st.booleans())
def test_consecutive_slices_of_an_irregular_signal_give_it_back(signal, cut, swapped):
    parts = [signal[:cut], signal[cut:]]
    first, second = parts[::-1] if swapped else parts
    whole = first.concatenate(second)
    np.testing.assert_array_equal(whole.magnitude, signal.magnitude)
    np.testing.assert_array_equal(whole.times.magnitude, signal.times.magnitude)
    assert_same_arrays(whole.array_annotations, signal.array_annotations)


@law
@given(anything, st.integers(1, 300))
def test_chunks_give_the_object_back(obj, max_bytes):
    chunks = list(obj.chunks(max_bytes))
    np.testing.assert_array_equal(np.concatenate([c.magnitude for c in chunks]), obj.magnitude)
    np.testing.assert_allclose(
        np.concatenate([c.times.magnitude for c in chunks]), obj.times.magnitude, rtol=1e-14
    )


# --- units -----------------------------------------------------------------------------------


@law
@given(anything, st.sampled_from([np.float32, np.float64]))
def test_rescaling_there_and_back(obj, dtype):
    obj = obj.astype(dtype)
    is_time = isinstance(obj, (SpikeTrain, Event, Epoch))
    there = obj.rescale("us" if is_time else "nV")
    assert there.dtype == dtype
    back = there.rescale(obj.units)
    precision = 4 * np.finfo(dtype).eps
    assert back.dimensionality == obj.dimensionality
    np.testing.assert_allclose(back.magnitude, obj.magnitude, rtol=precision)
    np.testing.assert_allclose(back.times.magnitude, obj.times.magnitude, rtol=precision)
    assert back.annotations == obj.annotations
    assert_same_arrays(back.array_annotations, obj.array_annotations)
    if isinstance(obj, SpikeTrain):
        assert there.t_stop.item() == pytest.approx(1e7, rel=1e-12)
        assert back.t_stop.item() == pytest.approx(10.0, rel=1e-12)
        np.testing.assert_array_equal(back.waveforms, obj.waveforms)
    if isinstance(obj, Epoch):
        np.testing.assert_allclose(
            back.durations.rescale("ms").magnitude, obj.durations.rescale("ms").magnitude
        )


# --- copies ----------------------------------------------------------------------------------


@law
@given(anything)
def test_copies_and_pickles_are_equal(obj):
    for again in (copy.deepcopy(obj), pickle.loads(pickle.dumps(obj)), obj.copy()):
        assert_same(again, obj)
        assert not np.shares_memory(again.magnitude, obj.magnitude)
    assert_same(pickle.loads(pickle.dumps(obj[1:])), obj[1:])


@law
@given(st.lists(st.one_of(analog_signals(), points), min_size=1, max_size=4))
def test_copies_and_pickles_of_segments_are_equal(children):
    segment = Segment(name="s", k=1)
    segment.add(*children)
    for again in (copy.deepcopy(segment), pickle.loads(pickle.dumps(segment))):
        again.check_relationships()
        assert again.size == segment.size
        for mine, theirs in zip(again.data_children, segment.data_children, strict=True):
            assert_same(mine, theirs)


class SignalSourceOf:
    """A source that reads from an object in memory."""

    def __init__(self, obj):
        self.values = obj.magnitude.copy()
        self.shape = obj.shape
        self.dtype = obj.dtype

    def read(self, start, stop, channels):
        part = self.values[start:stop]
        return part.copy() if channels is None else part[:, channels]

    def read_raw(self, start, stop, channels):
        raise ValueError("there are no integers")


class PointSourceOf:
    """A source that reads the items of an object in memory; times are in seconds."""

    def __init__(self, obj):
        self.obj = obj
        self.length = len(obj)

    def window(self, t_start, t_stop):
        return 0, self.length

    def read(self, start, stop, *, waveforms=False):
        part = self.obj[start:stop]
        return Points(
            times=part.times.rescale("s").magnitude.copy(),
            durations=part.durations.rescale("s").magnitude if isinstance(part, Epoch) else None,
            labels=np.asarray(part.labels) if not isinstance(part, SpikeTrain) else None,
            waveforms=part.waveforms.magnitude if waveforms else None,
            array_annotations=dict(part.array_annotations),
        )


def lazy_form(obj):
    """Return the lazy object whose loaded form is `obj`."""
    common = {"name": obj.name, "annotations": dict(obj.annotations)}
    if isinstance(obj, AnalogSignal):
        return AnalogSignal._create(
            np.empty((0, obj.shape[1])),
            obj.units,
            sampling_rate=obj.sampling_rate.item(),
            rate_unit=obj.sampling_rate.units,
            t_start=obj.t_start.item(),
            time_unit=obj.t_start.units,
            array_annotations=dict(obj.array_annotations),
            source=SignalSourceOf(obj),
            **common,
        )
    if isinstance(obj, SpikeTrain):
        return SpikeTrain._create(
            np.empty(0),
            t_start=0.5,
            t_stop=10.0,
            waveforms=np.empty((0, 2, 3)) * pq.uV,
            sampling_rate=1.0,
            left_sweep=0.001,
            source=PointSourceOf(obj),
            **common,
        )
    labels = np.empty(0, "U1")
    extent = {"t_start": 0.0, "t_stop": 10.0, "source": PointSourceOf(obj)}
    if isinstance(obj, Event):
        return Event._create(np.empty(0), labels, **extent, **common)
    return Epoch._create(np.empty(0), np.empty(0), labels, **extent, **common)


@law
@given(st.one_of(analog_signals(), points))
def test_loaded_objects_are_equal(obj):
    lazy = lazy_form(obj)
    if len(obj):
        assert lazy.lazy_shape == obj.shape
    options = {"load_waveforms": True} if isinstance(obj, SpikeTrain) else {}
    for form in (lazy, copy.deepcopy(lazy), pickle.loads(pickle.dumps(lazy))):
        loaded = form.load(**options)
        if isinstance(obj, SpikeTrain):
            assert loaded.left_sweep.rescale("ms").item() == 1.0
            loaded.left_sweep = obj.left_sweep
        if isinstance(obj, Epoch):
            assert loaded.durations.dimensionality == pq.s.dimensionality
            np.testing.assert_allclose(
                loaded.durations.rescale("ms").magnitude, obj.durations.magnitude
            )
            loaded.durations = obj.durations
        assert_same(loaded, obj)


@law
@given(st.one_of(analog_signals(), points), st.floats(0.5, 10.0), st.floats(0.5, 10.0))
def test_windows_of_lazy_objects_are_those_of_full_ones(obj, first, last):
    first, last = sorted([first, last])
    window = [first * pq.s, last * pq.s]
    if isinstance(obj, AnalogSignal):
        begin, duration = obj.t_start.rescale("s"), obj.duration.rescale("s")
        window = [begin + duration * ((edge - 0.5) / 9.5) for edge in (first, last)]
    lazy = lazy_form(obj).time_slice(*window)
    full = obj.time_slice(*window)
    np.testing.assert_array_equal(lazy.magnitude, full.magnitude)
    np.testing.assert_array_equal(lazy.times.magnitude, full.times.magnitude)
    assert_same_arrays(lazy.array_annotations, full.array_annotations)


# --- array annotations -----------------------------------------------------------------------

KEEPS_CHANNELS = {
    "slice": lambda s: s[1:],
    "negative": lambda s: -s,
    "absolute": abs,
    "double": lambda s: 2 * s,
    "sum": lambda s: s + s,
    "offset": lambda s: s - 1 * pq.mV,
    "reflected": lambda s: 1 * pq.V - s,
    "quotient": lambda s: s / (2 * pq.mV),
    "square": lambda s: s**2,
    "square root": lambda s: np.sqrt(abs(s)),
    "rescale": lambda s: s.rescale("uV"),
    "astype": lambda s: s.astype(np.float32),
    "copy": lambda s: s.copy(),
    "deepcopy": copy.deepcopy,
    "pickle": lambda s: pickle.loads(pickle.dumps(s)),
    "time_shift": lambda s: s.time_shift(1 * pq.s),
    "time_slice": lambda s: s.time_slice(None, None),
    "rectify": lambda s: s.rectify(),
    "detached": lambda s: s.detached(),
    "load": lambda s: s.load(),
}


@pytest.mark.parametrize("operation", KEEPS_CHANNELS)
@settings(deadline=None, max_examples=8)
@given(signal=channelled)
def test_operations_that_keep_the_channels_keep_their_annotations(operation, signal):
    result = KEEPS_CHANNELS[operation](signal)
    assert type(result) is type(signal)
    assert_numbered(result, range(signal.shape[1]))
    result.array_annotations["number"][0] += 100 if operation == "deepcopy" else 0
    assert_numbered(signal, range(signal.shape[1]))


@law
@given(channelled, st.data())
def test_chosen_channels_keep_their_annotations(signal, data):
    count = signal.shape[1]
    choice = data.draw(
        st.one_of(
            st.integers(-count, count - 1),
            st.lists(st.integers(-count, count - 1), max_size=5),
            st.lists(st.booleans(), min_size=count, max_size=count).map(np.array),
        )
    )
    cut = signal[:, choice]
    index = np.array(choice, dtype=int) if isinstance(choice, list) else choice
    numbers = np.atleast_1d(np.arange(count)[index])
    assert_numbered(cut, numbers)
    np.testing.assert_array_equal(cut.magnitude, signal.magnitude[:, numbers])


KEEPS_ITEMS = {
    "add": lambda p: p + 1 * pq.s,
    "subtract": lambda p: p - 100 * pq.ms,
    "time_shift": lambda p: p.time_shift(1 * pq.s),
    "rescale": lambda p: p.rescale("ms"),
    "copy": lambda p: p.copy(),
    "deepcopy": copy.deepcopy,
    "pickle": lambda p: pickle.loads(pickle.dumps(p)),
    "time_slice": lambda p: p.time_slice(None, None),
    "detached": lambda p: p.detached(),
    "astype": lambda p: p.astype(np.float32),
    "load": lambda p: p.load(),
}


@pytest.mark.parametrize("operation", KEEPS_ITEMS)
@settings(deadline=None, max_examples=8)
@given(obj=points)
def test_operations_that_keep_the_items_keep_their_annotations(operation, obj):
    result = KEEPS_ITEMS[operation](obj)
    assert type(result) is type(obj)
    assert_numbered(result, range(len(obj)))


@law
@given(points, st.data())
def test_chosen_items_keep_their_annotations(obj, data):
    count = len(obj)
    numbers = st.integers(-count, max(count - 1, -count))
    choice = data.draw(
        st.one_of(
            st.lists(numbers, max_size=8 if count else 0).map(
                lambda found: np.array(found, dtype=int)
            ),
            st.lists(st.booleans(), min_size=count, max_size=count).map(
                lambda found: np.array(found, dtype=bool)
            ),
        )
    )
    assert_follows(obj[choice], obj, np.arange(count)[choice])


@law
@given(points)
def test_sorting_takes_everything_along(obj):
    order = np.argsort(obj.magnitude, kind="stable")
    whole = obj.copy()
    obj.sort()
    assert_follows(obj, whole, order)
