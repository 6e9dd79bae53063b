"""The overview plot: values of what is drawn."""

import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure

import ephyrus.formats.example as example
from ephyrus.errors import Cancelled
from ephyrus.recording import CallbackProgress, FileSet, Limits, Recording
from ephyrus.recording.plotdata import View, marks, raster, traces, values
from tests.synth import arrays

RNG = np.random.default_rng(11)
LONG = RNG.integers(-1000, 1000, (40_000, 2)).astype("<i2")
RUNS = [(30_000, 0, 0), (10_000, 35_000, 0)]


def long_signal(**more):
    facts = {"names": ["LFP", "Vm"], "units": ["uV", "mV"], "gain": [0.5, -2.0], "name": "amp"}
    return arrays.signal(LONG, rate=1000, runs=RUNS, **(facts | more))


SPIKES = arrays.table(
    "spikes",
    units=[(0, "u", "ch1#0"), (4, "v", "ch1#4")],
    tick=[1000, 2500, 2600, 44_000],
    unit=[4, 0, 4, 4],
    name="cells",
)
EVENTS = arrays.table(
    "events", tick=[500, 20_000, 44_999], label=["on", "$off$", "end"], name="TTL"
)
EPOCHS = arrays.table(
    "epochs", tick=[3000, 30_000], duration=[2000, 4000], label=["light", "dark"], name="stim"
)


def made(**more):
    return arrays.in_memory([long_signal()], [SPIKES, EVENTS, EPOCHS], **more)


def collections(axis, kind, label):
    return [each for each in axis.collections if type(each) is kind and each.get_label() == label]


def spans(collection):
    return [
        (path.vertices[:, 0].min(), path.vertices[:, 0].max()) for path in collection.get_paths()
    ]


def test_rows_in_order():
    figure = made().plot()
    assert type(figure) is Figure
    assert [axis.get_ylabel() for axis in figure.axes] == [
        "",
        "LFP\n(µV)",
        "Vm\n(mV)",
        "spikes\n(2 units)",
    ]
    assert {axis.get_xlim() for axis in figure.axes} == {(0.0, 45.0)}
    assert figure.axes[-1].get_xlabel() == "time (s)"
    assert "matplotlib.pyplot" not in sys.modules or not matplotlib.pyplot.get_fignums()


def test_long_signals_are_drawn_as_lowest_and_highest_values():
    figure = made().plot(width=450)
    for column, gain in enumerate([0.5, -2.0]):
        (line,) = figure.axes[1 + column].lines
        x, y = line.get_data()
        # 40 of 45 s: 400 bins, shared 3 : 1, and a NaN behind each run
        assert len(x) == 2 * 400 + 2
        assert np.flatnonzero(np.isnan(x)).tolist() == [600, 801]
        samples = LONG[:, column] * np.float32(gain)
        first = samples[:30_000].reshape(300, 100)
        np.testing.assert_array_equal(y[:600:2], first.min(axis=1))
        np.testing.assert_array_equal(y[1:600:2], first.max(axis=1))
        second = samples[30_000:].reshape(100, 100)
        np.testing.assert_array_equal(y[601:801:2], second.min(axis=1))
        np.testing.assert_allclose(x[:600:2], np.arange(300) * 0.1 + 0.0495, rtol=1e-12)
        np.testing.assert_allclose(x[601:801:2], 35 + np.arange(100) * 0.1 + 0.0495, rtol=1e-12)
        low, high = figure.axes[1 + column].get_ylim()
        assert low < samples.min()
        assert samples.max() < high


def test_short_stretches_show_every_sample():
    figure = made().plot(t_start=29.99, t_stop=35.005, streams="amp", width=10_000)
    x, y = figure.axes[0].lines[0].get_data()
    times = np.array([*np.arange(29_990, 30_000), *np.arange(35_000, 35_006)]) / 1000
    np.testing.assert_array_equal(x[~np.isnan(x)], times)
    np.testing.assert_array_equal(y[~np.isnan(y)], LONG[29_990:30_006, 0] * 0.5)
    assert np.flatnonzero(np.isnan(x)).tolist() == [10, 17]
    assert figure.axes[0].get_xlim() == (29.99, 35.005)


def test_gaps_are_shaded():
    figure = made().plot()
    for axis in figure.axes[1:3]:
        (gap,) = collections(axis, PolyCollection, "_gaps")
        assert spans(gap) == [(30.0, 35.0)]
    assert collections(figure.axes[3], PolyCollection, "_gaps") == []


def test_spikes_are_a_raster_with_the_first_unit_on_top():
    axis = made().plot().axes[-1]
    assert [list(row.get_positions()) for row in axis.collections[:2]] == [
        [2.5],
        [1.0, 2.6, 44.0],
    ]
    assert [row.get_lineoffset() for row in axis.collections[:2]] == [1, 0]
    labels = {round(at): text.get_text() for at, text in zip(
        axis.get_yticks(), axis.get_yticklabels(), strict=True
    )}  # fmt: skip
    assert labels == {1: "ch1#0", 0: "ch1#4"}


def test_events_are_lines_with_labels():
    figure = made().plot()
    for axis in figure.axes:
        (lines,) = collections(axis, LineCollection, "_TTL")
        assert [segment[0][0] for segment in lines.get_segments()] == [0.5, 20.0, 44.999]
        assert all(segment[0][0] == segment[1][0] for segment in lines.get_segments())
    lane = figure.axes[0]
    assert [label.get_text() for label in lane.get_yticklabels()] == ["TTL", "stim"]
    texts = {text.get_text(): text.get_position() for text in lane.texts}
    assert {text: row for text, (_, row) in texts.items()} == {
        "on": 0,
        "$off$": 0,
        "light": 1,
        "dark": 1,
    }
    assert texts["$off$"][0] == pytest.approx(20.0, abs=0.5)


def test_epochs_are_spans():
    figure = made().plot()
    for axis in figure.axes:
        (band,) = collections(axis, PolyCollection, "_stim")
        assert spans(band) == [(3.0, 5.0), (30.0, 34.0)]


def test_epochs_that_reach_into_the_stretch_are_drawn():
    figure = made().plot(t_start=4.0, t_stop=20.0)
    (band,) = collections(figure.axes[1], PolyCollection, "_stim")
    assert spans(band) == [(3.0, 5.0)]
    (lines,) = collections(figure.axes[1], LineCollection, "_TTL")
    assert [segment[0][0] for segment in lines.get_segments()] == [20.0]
    assert figure.axes[1].get_xlim() == (4.0, 20.0)


def test_streams_and_channels_are_chosen():
    recording = arrays.in_memory(
        [long_signal(), arrays.signal(np.ones((50, 3)), names=["x", "y", "LFP"], name="other")],
        [SPIKES, EVENTS],
    )

    def names(**options):
        return [axis.get_ylabel().partition("\n")[0] for axis in recording.plot(**options).axes]

    assert names(streams=["other", "TTL"]) == ["", "x", "y", "LFP"]
    assert names(streams=1, channels=[2, 0]) == ["LFP", "x"]
    assert names(streams=[0, 1], channels=["y", "LFP"]) == ["LFP", "y", "LFP"]
    assert names(streams=[0, 1], channels="Vm") == ["Vm"]
    assert names(streams=[0, 1], channels=slice(1)) == ["LFP", "x"]
    assert names(streams=recording.tables[0]) == ["spikes"]
    assert names(streams="cells") == ["spikes"]
    with pytest.raises(IndexError, match="no channel 'q' in the signals that are drawn: 'amp'"):
        recording.plot(streams=0, channels=["LFP", "q"])
    with pytest.raises(IndexError, match="'amp' has 2 channels"):
        recording.plot(channels=[2])
    with pytest.raises(KeyError, match="no signal 'q'"):
        recording.plot(streams="q")


UNIT = [(0, "", "u")]
SWEEPS = [(100, 0, 0), (100, 0, 1), (100, 0, 2)]


def test_sweeps_lie_over_each_other():
    data = np.arange(300, dtype="<i2").reshape(300, 1)
    recording = arrays.in_memory([arrays.signal(data, runs=SWEEPS)])
    (line,) = recording.plot().axes[0].lines
    x, y = line.get_data()
    assert np.flatnonzero(np.isnan(x)).tolist() == [100, 201, 302]
    np.testing.assert_array_equal(x[101:201], np.arange(100) / 1000)
    np.testing.assert_array_equal(y[~np.isnan(y)], data[:, 0])
    assert line.get_alpha() == 0.55
    (line,) = recording.plot(segments=-1).axes[0].lines
    np.testing.assert_array_equal(line.get_ydata()[:-1], data[200:, 0])
    assert line.get_alpha() == 1.0
    (line,) = recording.plot(segments=[0, 2], t_start=0.098).axes[0].lines
    shown = line.get_ydata()
    np.testing.assert_array_equal(shown[~np.isnan(shown)], [98, 99, 298, 299])
    with pytest.raises(IndexError, match=r"the recording has 3 segments, asked for \[3\]"):
        recording.plot(segments=3)


def pausing(**options):
    data = np.arange(300, dtype="<i2").reshape(300, 1)
    runs = [(100, 1000, 0), (100, 9000, 1), (100, 17_000, 2)]
    ticks = [(2, 0, 0), (1, 0, 2)]
    tables = [
        arrays.table("spikes", runs=ticks, tick=[1010, 1020, 17_030], unit=[0] * 3, units=UNIT),
        arrays.table("events", runs=ticks, tick=[1040, 1050, 17_060], label=list("abc"), name="e"),
        arrays.table(
            "samples",
            runs=ticks,
            tick=[1001, 1002, 17_003],
            value=np.arange(3.0)[:, None],
            channels={"names": ["v"]},
        ),
    ]
    return arrays.in_memory([arrays.signal(data, runs=runs)], tables).plot(**options)


def test_sweeps_with_long_pauses_are_laid_over_each_other():
    lane, signal, samples, spikes = pausing().axes
    x, y = signal.lines[0].get_data()
    np.testing.assert_allclose(x[~np.isnan(x)], np.tile(np.arange(100) / 1000, 3), atol=1e-12)
    np.testing.assert_array_equal(y[~np.isnan(y)], np.arange(300))
    assert signal.lines[0].get_alpha() == 0.55
    assert spikes.get_xlim() == pytest.approx((0.0, 0.1))
    assert spikes.get_xlabel() == "time since the beginning of each segment (s)"
    assert list(spikes.collections[0].get_positions()) == pytest.approx([0.01, 0.02, 0.03])
    (lines,) = collections(lane, LineCollection, "_e")
    assert [each[0][0] for each in lines.get_segments()] == pytest.approx([0.04, 0.05, 0.06])
    assert samples.lines[0].get_xdata().tolist() == pytest.approx([0.001, 0.002, 0.003])


def test_the_time_of_sweeps_is_the_callers_choice():
    plain = pausing(overlay=False).axes[1]
    assert plain.get_xlim() == (1.0, 17.1)
    found = plain.lines[0].get_xdata()
    np.testing.assert_allclose(found[~np.isnan(found)][[0, -1]], [1.0045, 17.0945])
    stretch = pausing(t_start=9.0).axes[1]
    assert stretch.get_xlim() == (9.0, 17.1)
    part = pausing(overlay=True, t_start=0.05, t_stop=0.052, segments=[0, 2]).axes[1]
    shown = part.lines[0].get_ydata()
    assert shown[~np.isnan(shown)].tolist() == [50, 51, 52, 250, 251, 252]


def test_events_in_the_pauses_between_sweeps_are_counted():
    data = np.zeros((300, 1), "<i2")
    runs = [(100, 1000, 0), (100, 9000, 1), (100, 17_000, 2)]
    tables = [
        arrays.table("events", tick=[5000], label=["drug"], name="Tag"),
        arrays.table("epochs", tick=[5000, 5500], duration=[10, 10], label=["x", "y"]),
    ]
    recording = arrays.in_memory([arrays.signal(data, runs=runs)], tables)
    figure = recording.plot()
    assert len(figure.axes) == 1
    assert figure.texts[-1].get_text() == (
        "Not drawn: 1 event outside the segments drawn, 2 epochs outside the segments drawn. "
        "Choose with channels=... and streams=..."
    )
    figure = recording.plot(t_stop=4.0)
    assert len(figure.axes) == 1
    assert len(figure.texts) == 2


def test_segments_choose_from_tables_too():
    runs = [(2, 0, 0), (2, 0, 1)]
    tables = [
        arrays.table("spikes", runs=runs, tick=[10, 20, 30, 40], unit=[0] * 4, units=UNIT),
        arrays.table("events", runs=runs, tick=[11, 21, 31, 41], label=list("abcd"), name="e"),
        arrays.table(
            "samples", runs=runs, tick=[12, 22, 32, 42], value=np.arange(4.0)[:, None],
            channels={"names": ["v"]},
        ),
    ]  # fmt: skip
    lane, trace, spikes = arrays.in_memory(tables=tables).plot(segments=1).axes
    assert list(spikes.collections[0].get_positions()) == [0.03, 0.04]
    (lines,) = collections(lane, LineCollection, "_e")
    assert [segment[0][0] for segment in lines.get_segments()] == [0.031, 0.041]
    assert trace.lines[0].get_xydata().tolist() == [[0.032, 2.0], [0.042, 3.0]]


def test_what_is_left_out_is_said():
    signals = [arrays.signal(np.zeros((5, 20), "<i2")) for _ in range(2)]
    units = [(number, "", f"u{number}") for number in range(60)]
    tables = [
        arrays.table("spikes", tick=np.arange(60), unit=np.arange(60), units=units)
        for _ in range(3)
    ]
    tables += [arrays.table("events", tick=[1], label=["x"], name=f"e{n}") for n in range(8)]
    tables += [arrays.table("events", tick=[], label=[], name="nothing in it")]
    tables += [
        arrays.table("samples", tick=[1], value=[[0.0]], channels={"names": ["s"]}),
    ]
    frames = arrays.signal(np.zeros((3, 4, 5), "u1"), names=["camera"])
    figure = arrays.in_memory([*signals, frames], tables).plot()
    assert len(figure.axes) == 1 + 32 + 1
    assert len(figure.axes[-1].collections) == 100 + 6
    assert figure.axes[-1].get_yticks().size == 0
    assert figure.texts[-1].get_text() == (
        "Not drawn: 1 image sequence, 8 channels, 1 channel of irregular samples, 80 units, "
        "2 tables of events or epochs. Choose with channels=... and streams=..."
    )


def test_nothing_to_draw_is_said():
    figure = arrays.in_memory().plot()
    assert [text.get_text() for text in figure.axes[0].texts] == ["nothing to draw"]
    empty = arrays.in_memory([arrays.signal(np.zeros((0, 1), "<f4"), runs=[(0, 0, 0)])])
    assert empty.plot().axes[0].texts[0].get_text() == "no samples here"
    missing = arrays.in_memory([arrays.signal(np.full((9, 1), np.nan))])
    assert missing.plot().axes[0].texts[0].get_text() == "no samples here"


def test_constant_and_single_samples_are_seen():
    flat = arrays.in_memory([arrays.signal(np.full((5000, 1), 3.0))]).plot(width=100).axes[0]
    assert flat.get_ylim() == (3.0 - 0.18, 3.0 + 0.18)
    single = arrays.in_memory([arrays.signal(np.zeros((1, 1)))]).plot().axes[0]
    assert single.lines[0].get_marker() == "."
    assert single.get_ylim() == (-1.0, 1.0)


def test_tables_alone_find_their_extent():
    figure = arrays.in_memory(tables=[SPIKES]).plot()
    assert figure.axes[0].get_xlim() == (1.0, 44.0)
    one = arrays.table("events", tick=[2000], label=["x"])
    assert arrays.in_memory(tables=[one]).plot().axes[0].get_xlim() == (1.5, 2.5)


def test_wrong_stretches_are_told():
    text = r"nothing lies between 3 s and 3 s; the recording has 0 s to 45 s"
    with pytest.raises(ValueError, match=text):
        made().plot(t_start=3.0, t_stop=3.0)
    with pytest.raises(ValueError, match="nothing lies between 50 s and 45 s"):
        made().plot(t_start=50)
    with pytest.raises(ValueError, match="width must be 1 or more, not 0"):
        made().plot(width=0)


def test_a_given_figure_or_part_of_one_is_drawn_into():
    figure = Figure()
    left, right = figure.subfigures(1, 2)
    assert made().plot(figure=left) is left
    assert len(left.axes) == 4
    assert right.axes == []
    whole = Figure()
    assert made().plot(figure=whole) is whole


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_figures_are_saved(tmp_path, suffix):
    path = tmp_path / f"overview.{suffix}"
    made().plot(path=path, streams=[0, "TTL"])
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    assert path.read_bytes().startswith(starts[suffix])


def test_texts_of_files_are_neither_markup_nor_controls(tmp_path):
    nasty = "$\\frac{$ \n\0\x1b" + "x" * 50
    signal = arrays.signal(np.zeros((5, 1)), names=[nasty], units=nasty)
    events = arrays.table("events", tick=[1], label=[nasty], name=nasty)
    spikes = arrays.table("spikes", tick=[1], unit=[0], units=[(0, nasty, nasty)])
    recording = arrays.in_memory([signal], [events, spikes], name="$\\frac{$.arrays")
    figure = recording.plot(path=tmp_path / "x.png")
    assert figure.axes[1].get_ylabel() == "$\\frac{$    xxxxxxxxx…\n($\\frac{$    xxxxxxxxx…)"


def test_progress_counts_every_byte_once_and_cancels():
    seen = []
    progress = CallbackProgress(lambda done, total: seen.append((done, total)))
    made().plot(progress=progress, max_bytes=40_000)
    total = 40_000 * 4 + 4 * 16 + 3 * 16 + 2 * 24
    assert seen[0] == (0, total)
    assert seen[-1] == (total, total)
    assert len(seen) == 1 + 3 + 1 + 1 + 1 + 1
    progress = CallbackProgress(lambda done, total: progress.cancel() if done else None)
    with pytest.raises(Cancelled):
        made().plot(progress=progress, max_bytes=40_000)


def test_limits_are_kept():
    figure = made(limits=Limits(read_bytes=1000)).plot(width=450)
    whole = made().plot(width=450)
    for axis, other in zip(figure.axes[1:3], whole.axes[1:3], strict=True):
        np.testing.assert_array_equal(axis.lines[0].get_ydata(), other.lines[0].get_ydata())


def view(t_start, t_stop, width, segments=None):
    return View(t_start, t_stop, width, 10**6, CallbackProgress(lambda done, total: None), segments)


def test_very_many_spikes_are_thinned_without_changing_the_picture():
    ticks = np.sort(RNG.integers(0, 100_000, 50_000))
    table = arrays.table("spikes", tick=ticks, unit=np.zeros(50_000, int), units=[(0, "", "u")])
    recording = arrays.in_memory(tables=[table])
    (found,) = raster(recording, recording.tables[0], view(0.0, 100.0, 100))
    assert found.times.size == 400
    assert set(found.times) <= set(ticks / 1000)
    np.testing.assert_array_equal(np.unique(np.floor(found.times * 4)), np.arange(400))
    np.testing.assert_array_equal(
        found.times, [(ticks[ticks >= 250 * n][0]) / 1000 for n in range(400)]
    )


def test_very_many_events_keep_their_labels():
    ticks = np.arange(10_000)
    labels = [f"l{tick}" for tick in ticks]
    table = arrays.table("events", tick=ticks, label=labels)
    recording = arrays.in_memory(tables=[table])
    found = marks(recording, recording.tables[0], view(0.0, 10.0, 10))
    assert found.times.tolist() == [tick / 1000 for tick in range(0, 10_000, 250)]
    assert found.labels == tuple(f"l{tick}" for tick in range(0, 10_000, 250))
    assert found.durations is None


@pytest.mark.parametrize(("number", "alpha"), [(3, 0.45), (100, 0.45), (1000, 0.045)])
def test_very_many_events_do_not_bury_the_signals(number, alpha):
    ticks = np.linspace(100, 44_000, number).astype(np.int64)
    events = arrays.table("events", tick=ticks, label=[""] * number, name="TTL")
    recording = arrays.in_memory([long_signal()], [events])
    lanes, signal, *_ = recording.plot().axes
    (across,) = [each for each in signal.collections if isinstance(each, LineCollection)]
    assert len(across.get_segments()) == number
    assert across.get_alpha() == pytest.approx(alpha)
    (own,) = [each for each in lanes.collections if isinstance(each, LineCollection)]
    assert own.get_alpha() is None


@pytest.mark.parametrize("name", ["LFP", "ADD ANALOG-IN 1", "x" * 40])
def test_long_names_are_seen_whole(name):
    figure = arrays.in_memory([long_signal(names=[name, "Vm"])]).plot()
    FigureCanvasAgg(figure).draw()
    label = figure.axes[0].yaxis.label
    assert label.get_text().startswith(name[:21])
    assert label.get_window_extent().x0 >= 0


def test_irregular_samples():
    numbers = RNG.integers(-100, 100, (5000, 2))
    table = arrays.table(
        "samples",
        tick=np.arange(5000) * 3,
        value=numbers.astype("<i2"),
        channels={"names": ["x", "y"], "units": "mm", "gain": [0.5, -1.0]},
    )
    recording = arrays.in_memory(tables=[table])
    stream = recording.tables[0]
    x, y = values(recording, stream, view(3.0, 12.0, 10))
    chosen = numbers[1000:4001]
    edges = [j * 3001 // 10 for j in range(11)]
    parts = [chosen[a:b] for a, b in zip(edges[:-1], edges[1:], strict=True)]  # noqa: RUF007
    assert x.values.tolist() == [
        n for part in parts for n in (part[:, 0].min() / 2, part[:, 0].max() / 2)
    ]
    assert y.values[::2].tolist() == [-part[:, 1].max() for part in parts]
    assert (x.times[0], x.times[-1]) == (3.0, 12.0)
    few, _ = values(recording, stream, view(3.0, 3.02, 10))
    np.testing.assert_array_equal(few.values, numbers[1000:1007, 0] / 2)
    np.testing.assert_array_equal(few.times, np.arange(3000, 3020, 3) / 1000)
    assert [each.values.size for each in values(recording, stream, view(90.0, 99.0, 10))] == [0, 0]


def test_irregular_samples_without_channels_are_not_drawn():
    table = arrays.table("samples", tick=[1, 2])
    recording = arrays.in_memory(tables=[table])
    assert values(recording, recording.tables[0], view(0.0, 1.0, 10)) == []


def test_many_sweeps_stay_within_bounds(monkeypatch):
    monkeypatch.setattr("ephyrus.recording.plotdata.MOST_POINTS", 2000)
    data = RNG.integers(-9, 9, (50 * 400, 1)).astype("<i2")
    recording = arrays.in_memory(
        [arrays.signal(data, runs=[(400, 0, number) for number in range(50)])]
    )
    (found,) = traces(recording, recording.signals[0], None, view(0.0, 0.4, 1600))
    assert found.times.size <= 2 * 1000 + 50 + 50
    assert found.overlaps
    assert np.nanmax(found.values) == data.max()


def test_the_example_is_drawn(tmp_path):
    with Recording(example, FileSet("x.fake", memory={"x.fake": b""})) as recording:
        figure = recording.plot(path=tmp_path / "x.png")
        assert len(figure.axes) == 1 + 16 + 1
        assert figure.texts[0].get_text() == "x.fake"
        assert figure.texts[1].get_text().startswith("Example (made up, no file needed): 2 blocks")
