"""Plexon .plx against the synthetic writer, and the real files against another reader."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction

import numpy as np
import pytest
import quantities as pq

from ephyrus import io
from ephyrus.errors import (
    CorruptError,
    TruncatedError,
    UnsupportedVersionError,
    WrongFormatError,
)
from ephyrus.formats import plexon as module
from ephyrus.recording import FileSet
from ephyrus.recording.clock import seconds
from ephyrus.registry import open_recording
from tests.golden import assert_channel, assert_points, data_path, golden
from tests.synth import plexon as synth
from tests.synth.plexon import (
    CLOCK,
    STROBED,
    Events,
    Settings,
    Slow,
    Spikes,
    block_rows,
    counts,
    everything,
    plx,
    waveforms,
)

F8 = np.dtype(np.float64)
VERSIONS = range(100, 108)


@pytest.fixture
def opened(tmp_path):
    """Give a function that writes a file and opens it; every recording is closed in the end."""
    recordings = []

    def open_file(raw, *, name="test.plx", **options):
        path = tmp_path / name
        path.write_bytes(raw if isinstance(raw, bytes) else raw.tobytes())
        recordings.append(open_recording(path, format="plexon", **options))
        return recordings[-1]

    yield open_file
    for recording in recordings:
        recording.close()


def changed(file, *patches):
    """Bytes of a file with other values: (offset, type, value)."""
    raw = file.data.copy()
    for offset, dtype, value in patches:
        data = np.atleast_1d(np.asarray(value, dtype)).view("u1")
        raw[offset : offset + data.size] = data
    return raw.tobytes()


def reasons(recording):
    return [problem.reason for problem in recording.problems]


def times(recording, table):
    """Times of a table in seconds, and the segment of each."""
    table = recording.table(table)
    ticks = recording.read_table(table, columns=["tick"])["tick"]
    return seconds(ticks, table.clock), np.repeat(table.runs["segment"], table.runs["count"])


def rows(recording, table, *names):
    return recording.read_table(table, columns=names)


def assert_everything(rec, made):
    """Compare all that is read with what was written: `everything` of the synthetic writer."""
    settings, clock = made.settings, made.settings.clock
    starts = [min(400, *(int(np.min(each.ticks)) for each in made.spikes[:3])), 8000]
    streams = {stream.channels.names: stream for stream in rec.signals}
    assert set(streams) == {("FP01", "FP02"), ("WB01",)}
    for names, segments in ((("FP01", "FP02"), [0, 1]), (("WB01",), [0, 0, 1])):
        stream = streams[names]
        channels = [next(each for each in made.slow if each.name == name) for name in names]
        first = channels[0]
        assert stream.rate == first.rate
        assert stream.runs["tick"].tolist() == [tick for tick, _ in first.runs]
        assert stream.runs["count"].tolist() == [len(samples) for _, samples in first.runs]
        assert stream.runs["segment"].tolist() == segments
        assert stream.channels.ids == tuple(str(each.number) for each in channels)
        assert set(stream.channels.units) == {"mV"}
        stored = np.stack([each.samples for each in channels], axis=1)
        np.testing.assert_array_equal(rec.read_signal(stream), stored)
        gains = [settings.slow_gain(each) for each in channels]
        found = rec.read_scaled(stream, dtype=F8)
        np.testing.assert_allclose(found, stored * gains, rtol=1e-14)
    for train in made.spikes[:3]:
        table = rec.table(f"ch{train.number}")
        assert table.name == train.name
        found = rows(rec, table, *table.columns)
        np.testing.assert_array_equal(found["tick"], train.ticks)
        units = np.broadcast_to(train.units, np.shape(train.ticks))
        np.testing.assert_array_equal(found["unit"], units)
        assert [unit.id for unit in table.units] == np.unique(units).tolist()
        assert [unit.label for unit in table.units] == [
            f"ch{train.number}#{unit}" for unit in np.unique(units)
        ]
        segment = np.repeat(table.runs["segment"], table.runs["count"])
        np.testing.assert_array_equal(segment, np.asarray(train.ticks) >= starts[1])
        if train.waveforms is None:
            assert table.waveforms is None
            assert "waveform" not in found
            continue
        np.testing.assert_array_equal(found["waveform"][:, 0], train.waveforms)
        assert table.waveforms.unit == "mV"
        assert table.waveforms.gain == pytest.approx(settings.spike_gain(train), rel=1e-14)
        assert table.waveforms.rate == settings.waveform_rate
        assert table.waveforms.left_sweep == Fraction(3, settings.waveform_rate)
    for channel in made.events:
        table = rec.table(f"event{channel.number}")
        assert table.name == channel.name
        found, where = times(rec, table)
        np.testing.assert_array_equal(found, np.asarray(channel.ticks) / clock)
        np.testing.assert_array_equal(where, np.asarray(channel.ticks) >= starts[1])
    assert [table.id for table in rec.tables] == [
        "ch1", "ch2", "ch200", "event1", "event257", "event258", "event259", "event260",
    ]  # fmt: skip
    assert rows(rec, "Strobed", "label")["label"].tolist() == ["0", "65535", "1200"]
    assert rows(rec, "Strobed", "word")["word"].tolist() == [0, 65535, 1200]
    assert rows(rec, "Event01", "label")["label"].tolist() == ["", "", ""]
    assert not rec.problems


# Values


@pytest.mark.parametrize("version", VERSIONS)
def test_every_version(opened, version):
    made = everything(version)
    assert_everything(opened(made.file()), made)


@pytest.mark.parametrize("version", [102, 105, 106])
@pytest.mark.parametrize(
    "settings",
    [
        {"spike_bits": 16, "slow_bits": 12, "spike_full_scale": 2500, "slow_full_scale": 10_000},
        {"clock": 25_000, "waveform_rate": 20_000, "spike_preamp": 1000},
    ],
    ids=["bits", "clock"],
)
def test_gains_and_clocks(opened, version, settings):
    made = everything(version, **settings)
    if "clock" in settings:  # the ticks of the writer are those of 40 kHz
        made.slow = []
        made.events = []
        rec = opened(made.file())
        assert rec.tables[0].clock == 25_000
        np.testing.assert_array_equal(times(rec, "ch1")[0], made.spikes[0].ticks / 25_000)
        assert rec.tables[0].waveforms.rate == 20_000
        assert rec.tables[0].waveforms.left_sweep == Fraction(3, 20_000)
        return
    assert_everything(opened(made.file()), made)


def test_continuous_gain_has_the_bits_of_continuous_data(opened):
    samples = counts(50)
    settings = Settings(spike_bits=12, slow_bits=16, slow_full_scale=5000)
    rec = opened(plx([Slow("WB01", 0, 1000, [(0, samples)])], settings=settings))
    np.testing.assert_array_equal(
        rec.read_scaled(0, dtype=F8)[:, 0], samples * (5000 / (2**15 * 1000))
    )


def test_time_stamps_of_40_bits(opened):
    late = 2**39 + 2**32 - 5000  # the lower half runs over within the recording
    made = everything(late=late)
    rec = opened(made.file())
    assert rec.signals[0].runs["tick"].tolist() == [late + 400, late + 2000, late + 8000]
    for train in made.spikes[:3]:
        found, _ = times(rec, f"ch{train.number}")
        np.testing.assert_array_equal(found, train.ticks / CLOCK)
    assert not rec.problems


def test_blocks_of_any_length_and_order(opened):
    samples = counts(1000)
    sizes = np.array([1, 300, 2, 7, 90, 600])
    begins = np.cumsum(sizes) - sizes
    pieces = [
        (begin * 40, block_rows(5, 3, begin * 40, data=samples[np.newaxis, begin : begin + size]))
        for begin, size in zip(begins, sizes, strict=True)
    ]
    rec = opened(plx([Slow("FP04", 3, 1000)], more=pieces))
    assert rec.signals[0].runs.tolist() == [(0, 1000, 0, 0)]
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], samples)
    for start, stop in ((0, 1), (1, 301), (250, 320), (999, 1000), (3, 3)):
        np.testing.assert_array_equal(rec.read_signal(0, start, stop)[:, 0], samples[start:stop])


def test_channel_after_channel(opened):
    """The order of the blocks in the file is that of each channel only."""
    made = everything()
    rec = opened(made.file(in_order=False))
    assert_everything(rec, made)


def test_spikes_that_are_not_in_order_are_sorted(opened):
    ticks = np.array([900, 100, 500, 500, 300])
    units = np.array([1, 2, 3, 4, 0])
    shapes = waveforms(5, 4)
    spikes = [Spikes("SPK01", 1, ticks, units, shapes), Spikes("SPK02", 2, [1, 2])]
    rec = opened(plx(spikes=spikes, in_order=False))
    order = [1, 4, 2, 3, 0]
    found = rows(rec, "ch1", "tick", "unit", "waveform")
    assert found["tick"].tolist() == ticks[order].tolist()
    assert found["unit"].tolist() == units[order].tolist()
    np.testing.assert_array_equal(found["waveform"][:, 0], shapes[order])
    assert rows(rec, "ch2", "tick")["tick"].tolist() == [1, 2]


# Pauses


def test_start_time_is_that_of_the_first_sample(opened):
    rec = opened(plx([Slow("FP01", 0, 1000, [(181, counts(30))])]))
    assert rec.signals[0].t_start() == Fraction(181, CLOCK)
    assert rec.segments[0].t_start == 181 / CLOCK
    assert rec.segments[0].t_stop == (181 + 30 * 40) / CLOCK


@pytest.mark.parametrize(("late", "pauses"), [(0, False), (40, False), (41, True), (-41, True)])
def test_a_gap_is_more_than_a_sample(opened, late, pauses):
    samples = counts(40)
    runs = [(0, samples[:20]), (800 + late, samples[20:])]
    rec = opened(plx([Slow("FP01", 0, 1000, runs)], in_order=False))
    assert rec.signals[0].runs["count"].tolist() == ([20, 20] if pauses else [40])
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], samples)


def test_rates_that_do_not_divide_the_clock(opened):
    """Time stamps are rounded: no gap comes of that."""
    samples = counts(5000)
    rec = opened(plx([Slow("FP01", 0, 24_414, [(5, samples)], block=13)]))
    assert rec.signals[0].runs.tolist() == [(0, 5000, 5, 0)]
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], samples)


def test_common_pause_begins_a_segment(opened):
    """Channels need not pause at the same tick: blocks of one end later than those of the other."""
    one = Slow("FP01", 0, 1000, [(0, counts(50)), (8000, counts(30))])
    other = Slow("FP02", 1, 1000, [(0, counts(57)), (8120, counts(20))])
    events = Events("Event01", 1, [0, 1999, 2279, 2280, 5000, 7999, 8000, 9500])
    rec = opened(plx([one, other], events=[events]))
    assert [stream.runs[["tick", "segment"]].tolist() for stream in rec.signals] == [
        [(0, 0), (8000, 1)],
        [(0, 0), (8120, 1)],
    ]
    assert times(rec, "Event01")[1].tolist() == [0, 0, 0, 0, 0, 0, 1, 1]
    extents = [(segment.t_start, segment.t_stop) for segment in rec.segments]
    assert extents == [(0.0, 7999 / CLOCK), (0.2, 9500 / CLOCK)]


def test_one_channel_that_pauses_keeps_the_segment(opened):
    one = Slow("FP01", 0, 1000, [(0, counts(300))])
    other = Slow("AI01", 1, 1000, [(0, counts(50)), (8000, counts(100))])
    rec = opened(plx([one, other]))
    assert len(rec.segments) == 1
    assert [len(stream.runs) for stream in rec.signals] == [1, 2]
    block = rec.tree()[0]
    starts = [float(signal.t_start.rescale("s")) for signal in block.segments[0].analogsignals]
    assert starts == [0.0, 0.0, 0.2]


def test_time_that_goes_back(opened):
    """Files that were joined: the second part has a clock of its own."""
    samples = counts(70)
    runs = [(8000, samples[:40]), (400, samples[40:])]
    rec = opened(plx([Slow("FP01", 0, 1000, runs)], in_order=False))
    assert rec.signals[0].runs[["count", "tick"]].tolist() == [(40, 8000), (30, 400)]
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], samples)
    assert len(rec.segments) == 2
    assert rec.signals[0].runs["segment"].tolist() == [1, 0]
    assert "time goes back at 1 of its blocks" in reasons(rec)[0]


# Streams


def test_channels_share_a_stream_if_rate_runs_and_length_agree(opened):
    a, b, c, d, e = (counts(number, seed=number) for number in (40, 40, 39, 40, 40))
    channels = [
        Slow("WB01", 0, 1000, [(0, a)], block=7),
        Slow("SPKC01", 1, 1000, [(0, b)], block=11),
        Slow("WB02", 2, 1000, [(0, c)]),
        Slow("WB03", 3, 1000, [(4, d)]),
        Slow("FP01", 4, 500, [(0, e)]),
        Slow("FP02", 5, 500),
    ]
    rec = opened(plx(channels))
    assert [(stream.id, stream.name, stream.channels.names) for stream in rec.signals] == [
        ("0", "WB SPKC", ("WB01", "SPKC01")),
        ("2", "WB", ("WB02",)),
        ("3", "WB (WB03)", ("WB03",)),
        ("4", "FP", ("FP01",)),
    ]
    for stream, stored in zip(rec.signals, ([a, b], [c], [d], [e]), strict=True):
        np.testing.assert_array_equal(rec.read_signal(stream), np.stack(stored, axis=1))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["FP01", "FP02"], "FP"),
        (["left 1", "left 2"], "left"),
        (["12", "13"], "12 13"),
        (["a1", "b1", "c1", "d1"], "continuous"),
        (["", ""], "continuous"),
    ],
)
def test_names_chosen_by_users(opened, names, expected):
    channels = [Slow(name, at, 1000, [(0, counts(20))]) for at, name in enumerate(names)]
    rec = opened(plx(channels))
    assert rec.signals[0].name == expected
    assert rec.signals[0].channels.names == tuple(names)


def test_header_values_are_annotations(opened):
    made = everything(comment="eyes open", acquiring="OmniPlex 1.2", trodality=2)
    made.spikes[0].comment, made.slow[1].comment = "left", "right"
    rec = opened(made.file())
    assert rec.blocks[0].annotations == {
        "plexon_version": 106,
        "comment": "eyes open",
        "trodality": 2,
        "data_trodality": 2,
        "acquiring_software": "OmniPlex 1.2",
        "processing_software": "OFS 4",
    }
    assert rec.blocks[0].rec_datetime == datetime(2024, 2, 29, 13, 45, 59)
    assert rec.info.software == "OmniPlex 1.2"
    extra = rec.signal("128" if "128" in [s.id for s in rec.signals] else 0).channels.extra
    assert {name: column.tolist() for name, column in extra.items()} == {
        "gain": [500, 250],
        "preamplifier_gain": [2, 2],
        "spike_channel": [1, 0],
        "source_id": [3, 4],
        "source_channel": [128, 129],
        "comment": ["", "right"],
    }
    assert rec.table("ch1").annotations == {
        "gain": 1000,
        "filter": 1,
        "threshold": -100,
        "reference": 0,
        "method": 2,
        "sig_name": "sig001",
        "comment": "left",
        "source_id": 5,
        "source_channel": 1,
    }
    assert rec.table("event1").annotations == {
        "channel_id": 1,
        "comment": "lever",
        "source_id": 2,
        "source_channel": 1,
    }


def test_older_versions_lack_what_came_later(opened):
    rec = opened(everything(102).file())
    assert rec.blocks[0].annotations == {"plexon_version": 102, "comment": ""}
    assert set(rec.signal("FP").channels.extra) == {"gain", "preamplifier_gain"}
    assert "comment" not in rec.table("ch200").annotations
    assert rec.info.software is None


# Objects


def test_objects(tmp_path):
    made = everything()
    path = made.file().write(tmp_path / "test.plx")
    block = io.PlexonIO(path).read_block(
        load_waveforms=True,
        create_group_across_segment={"SpikeTrain": True},
    )
    assert block.annotations["plexon_version"] == 106
    assert block.rec_datetime == datetime(2024, 2, 29, 13, 45, 59)
    first, second = block.segments
    assert [len(segment.analogsignals) for segment in (first, second)] == [3, 2]
    field = next(s for s in first.analogsignals if s.shape[1] == 2)
    assert field.units == pq.mV
    assert field.sampling_rate == 1000 * pq.Hz
    assert float(field.t_start.rescale("s")) == 400 / CLOCK
    assert field.array_annotations["channel_names"].tolist() == ["FP01", "FP02"]
    assert field.array_annotations["channel_ids"].tolist() == ["128", "129"]
    assert field.array_annotations["gain"].tolist() == [500, 250]
    train = made.spikes[0]
    for unit in range(4):
        mine = train.units == unit
        found = [s for s in first.spiketrains if s.annotations["id"] == f"ch1#{unit}"]
        found += [s for s in second.spiketrains if s.annotations["id"] == f"ch1#{unit}"]
        for spikes, inside in zip(found, (train.ticks < 8000, train.ticks >= 8000), strict=True):
            assert spikes.name == "SPK01"
            assert spikes.annotations["channel_id"] == 1
            assert spikes.annotations["unit_id"] == unit
            np.testing.assert_array_equal(
                spikes.times.rescale("s").magnitude, train.ticks[mine & inside] / CLOCK
            )
            expected = train.waveforms[mine & inside][:, np.newaxis]
            assert spikes.waveforms.units == pq.mV
            np.testing.assert_allclose(
                spikes.waveforms.magnitude, expected * made.settings.spike_gain(train), rtol=1e-6
            )
            assert spikes.sampling_rate == 40_000 * pq.Hz
            assert float(spikes.left_sweep.rescale("s")) == 3 / 40_000
    groups = {group.annotations["unit_id"]: group for group in block.groups}
    assert set(groups) == {unit.label for table in _tables(path) for unit in table.units}
    assert [len(group.spiketrains) for group in groups.values()] == [2] * len(groups)
    words = [next(e for e in s.events if e.name == "Strobed") for s in (first, second)]
    assert [list(event.labels) for event in words] == [["0", "65535"], ["1200"]]
    assert [e.array_annotations["word"].tolist() for e in words] == [[0, 65535], [1200]]
    np.testing.assert_array_equal(words[0].times.rescale("s").magnitude, [0.015, 0.015])
    assert [len(segment.events) for segment in (first, second)] == [5, 5]


def _tables(path):
    with open_recording(path) as rec:
        return [table for table in rec.tables if table.kind == "spikes"]


def test_items_by_position(opened):
    made = everything()
    rec = opened(made.file())
    table = rec.table("ch1")
    chosen = np.array([0, 3, 4, 20, 39])
    found = module.read_rows(rec.reading, table, chosen, ["tick", "unit", "waveform"])
    np.testing.assert_array_equal(found["tick"], made.spikes[0].ticks[chosen])
    np.testing.assert_array_equal(found["unit"], made.spikes[0].units[chosen])
    np.testing.assert_array_equal(found["waveform"][:, 0], made.spikes[0].waveforms[chosen])


# Quirks that users hit


def test_a_block_costs_few_bytes(opened, tmp_path):
    synth.big(tmp_path / "big.plx", spikes=20_000, slow_blocks=4000, spike_channels=8)
    rec = open_recording(tmp_path / "big.plx")
    blocks = rec.reading.index.blocks
    assert blocks.tick.size == 24_000
    columns = (blocks.offset, blocks.tick, blocks.unit, blocks.waves, blocks.words)
    assert sum(column.nbytes for column in columns) <= 24 * 24_000
    rec.close()


def test_big_files_are_read_whole(tmp_path):
    """The writer of the benchmarks: every sample and spike is there."""
    made = synth.big(
        tmp_path / "big.plx", spikes=3000, slow_blocks=160, spike_channels=8, samples=20
    )
    heads = np.ndarray((made.data.size - 15,), synth.HEAD, made.data, 0, (1,))[made.blocks]
    with open_recording(tmp_path / "big.plx") as rec:
        stored = rec.read_signal(0)
        for number in range(16):
            mine = made.blocks[(heads["type"] == 5) & (heads["channel"] == number)]
            expected = [made.data[at + 16 : at + 56].view("<i2") for at in mine]
            np.testing.assert_array_equal(stored[:, number], np.concatenate(expected))
        for number in range(1, 9):
            mine = (heads["type"] == 1) & (heads["channel"] == number)
            found = rows(rec, f"ch{number}", "tick", "unit", "waveform")
            np.testing.assert_array_equal(found["tick"], heads["low"][mine])
            np.testing.assert_array_equal(found["unit"], heads["unit"][mine])
            expected = [made.data[at + 16 : at + 80].view("<i2") for at in made.blocks[mine]]
            np.testing.assert_array_equal(found["waveform"][:, 0], np.stack(expected))


def test_units_and_channels_beyond_the_count_tables(opened):
    ticks = np.arange(1, 31)
    trains = [Spikes("A", 129, ticks, ticks), Spikes("B", 130, ticks, 26), Spikes("C", 60_000, [5])]
    rec = opened(plx(spikes=trains))
    assert [unit.id for unit in rec.table("ch129").units] == list(range(1, 31))
    np.testing.assert_array_equal(rec.table("ch129").unit_counts, np.ones((30, 1)))
    assert [unit.label for unit in rec.table("ch130").units] == ["ch130#26"]
    assert rows(rec, "ch60000", "tick")["tick"].tolist() == [5]
    assert not rec.problems


def test_count_tables_are_not_believed(opened):
    made = everything()
    raw = made.file().data
    raw[256:7504] = 0xFF
    assert_everything(opened(raw), made)


def test_offsets_beyond_4_gib(tmp_path):
    """A sparse file: 2,100 blocks of 2 MB, then a short one."""
    waves, words, number = 16, 65_535, 2100
    size = 16 + 2 * waves * words
    head = plx([Slow("WB01", 0, 40_000)]).data
    heads = block_rows(5, 0, np.arange(number) * waves * words)
    heads["waves"], heads["words"] = waves, words
    path = tmp_path / "long.plx"
    with path.open("wb") as file:
        file.write(head.tobytes())
        for at, row in enumerate(heads):
            file.seek(head.size + at * size)
            file.write(row.tobytes())
        file.seek(head.size + number * size)
        last = np.arange(10, dtype="<i2")[np.newaxis]
        file.write(block_rows(5, 0, number * waves * words, data=last).tobytes())
    assert path.stat().st_size > 2**32
    length = number * waves * words
    with open_recording(path) as rec:
        assert rec.signals[0].runs.tolist() == [(0, length + 10, 0, 0)]
        found = rec.read_signal(0, length - 2, length + 10)[:, 0]
        assert found.tolist() == [0, 0, *range(10)]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("µV größer".encode(), "µV größer"),
        ("µV größer".encode("cp1252"), "µV größer"),
        (b"Start\x0018", "Start"),
        (b" two words  ", "two words"),
        (b"x" * 40, "x" * 32),
    ],
)
def test_encodings_of_names(opened, raw, expected):
    channels = [Slow(raw, 0, 1000, [(0, counts(9))])]
    rec = opened(plx(channels, [Spikes(raw, 1, [1])], [Events(raw, 2)]))
    assert rec.signals[0].channels.names == (expected,)
    assert [table.name for table in rec.tables] == [expected, expected]
    rec = opened(plx(settings=Settings(comment=raw)))
    assert rec.blocks[0].annotations["comment"] == ("x" * 40 if raw[:1] == b"x" else expected)


def test_last_block_is_complete_where_all_are_equal(opened):
    samples = counts(40)
    rec = opened(plx([Slow("FP01", 0, 1000, [(0, samples)], block=10)]))
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], samples)
    np.testing.assert_array_equal(rec.read_signal(0, 30, 40)[:, 0], samples[30:])


@pytest.mark.parametrize("cut", [1, 15, 16, 17, 50, 67])
def test_odd_block_at_the_end_is_cut(opened, cut):
    """Converted files end within a block."""
    samples = counts(78)
    file = plx([Slow("FP01", 0, 1000, [(0, samples)], block=26)])  # blocks of 68 bytes
    rec = opened(file.tobytes()[:-cut])
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], samples[:52])
    (problem,) = rec.problems
    assert "past the end" in problem.reason
    assert problem.lost == 1
    assert problem.offset == file.blocks[-1]


def test_waveforms_of_different_lengths(opened):
    """Converted files end with an odd block: the other waveforms are not lost with it."""
    usual, short, long = waveforms(3, 4), waveforms(1, 2, seed=1), waveforms(1, 6, seed=2)
    more = [(100, block_rows(1, 1, 100, data=long)), (300, block_rows(1, 1, 300, data=short))]
    rec = opened(plx(spikes=[Spikes("SPK01", 1, [5, 200, 400], 0, usual)], more=more))
    table = rec.table("ch1")
    expected = np.zeros((5, 1, 4), "<i2")
    expected[[0, 2, 4], 0] = usual
    expected[1, 0], expected[3, 0, :2] = long[0, :4], short[0]
    found = rows(rec, table, "tick", "waveform")
    assert found["tick"].tolist() == [5, 100, 200, 300, 400]
    np.testing.assert_array_equal(found["waveform"], expected)
    part = rec.read_table(table, 1, 3, ["waveform"])["waveform"]
    np.testing.assert_array_equal(part, expected[1:3])
    chosen = module.read_rows(rec.reading, table, np.array([1, 3]), ["waveform"])["waveform"]
    np.testing.assert_array_equal(chosen, expected[[1, 3]])
    (problem,) = rec.problems
    assert "differ in length; all are given 4 samples" in problem.reason
    assert problem.lost == 1


def test_some_spikes_without_waveforms(opened):
    more = [(100, block_rows(1, 1, [100, 101], unit=1))]
    rec = opened(plx(spikes=[Spikes("SPK01", 1, [5, 200], 0, waveforms(2, 4))], more=more))
    assert rec.table("ch1").waveforms is None
    assert rows(rec, "ch1", "tick")["tick"].tolist() == [5, 100, 101, 200]
    assert rec.problems[0].lost == 2


def test_tetrodes_have_a_block_for_each_channel(opened):
    """Each channel of the group has its own blocks, at the same times."""
    ticks = [10, 400, 900]
    trains = [Spikes(f"SPK0{at}", at, ticks, 1, waveforms(3, 5, seed=at)) for at in range(1, 5)]
    rec = opened(plx(spikes=trains, settings=Settings(trodality=4)))
    for train in trains:
        found = rows(rec, f"ch{train.number}", "tick", "waveform")
        assert found["tick"].tolist() == ticks
        np.testing.assert_array_equal(found["waveform"][:, 0], train.waveforms)
    assert rec.blocks[0].annotations["trodality"] == 4


def test_several_waveforms_in_a_block(opened):
    rows_ = block_rows(1, 1, [7, 9], data=waveforms(2, 12))
    rows_["waves"], rows_["words"] = 4, 3
    rec = opened(plx(spikes=[Spikes("SPK01", 1, ())], more=[([7, 9], rows_)]))
    found = rows(rec, "ch1", "waveform")["waveform"]
    np.testing.assert_array_equal(found, waveforms(2, 12).reshape(2, 4, 3))


def test_words_of_other_inputs(opened):
    rec = opened(plx(events=[Events("Event01", 1, [1, 2, 3], [0, 7, 65535])]))
    assert rows(rec, "Event01", "label")["label"].tolist() == ["", "7", "65535"]
    assert rows(rec, "Event01", "word")["word"].tolist() == [0, 7, 65535]


def test_inputs_that_share_a_number(opened):
    """A real file has 49 inputs of 35 numbers."""
    inputs = [Events("Event01", 1, [3, 8]), Events("Event09", 1), Events("Event10", 2)]
    inputs += [Events("Event41", 2)]
    rec = opened(plx(events=inputs))
    assert [(table.name, table.length) for table in rec.tables] == [("Event01", 2), ("Event10", 0)]
    assert rec.table("event1").annotations["other_names"] == ["Event09"]
    assert reasons(rec) == [
        "event channel 1 is that of 2 inputs, Event01, Event09; its events are given as those of "
        "the first"
    ]


# Bad input


def test_sniff(tmp_path):
    path = tmp_path / "some.plx"
    path.write_bytes(b"x")
    files = FileSet(path)
    assert module.sniff(files, b"PLEX\x6a\0\0\0") == 1.0
    assert module.sniff(files, b"PLE") == 0.0
    files.close()


def test_wrong_magic(opened):
    with pytest.raises(WrongFormatError, match="begins with b'XXXX', expected b'PLEX'"):
        opened(changed(plx(), (0, "S4", b"XXXX")))


def test_pl2_is_another_format(opened):
    with pytest.raises(UnsupportedVersionError, match=r"\.pl2 file.*export it as \.plx"):
        opened(bytes(9000), name="some.pl2")


@pytest.mark.parametrize(
    ("version", "nearest"), [(99, 100), (108, 107), (-5, 100), (2**31 - 1, 107)]
)
def test_unknown_version_is_tried(opened, version, nearest):
    made = everything(nearest)
    rec = opened(changed(made.file(), (4, "<i4", version)))
    assert reasons(rec) == [f"version {version} is not known (100 to 107 are); read as {nearest}"]
    assert rec.blocks[0].annotations["plexon_version"] == version
    stored = np.stack([each.samples for each in made.slow[:2]], axis=1)
    gains = [made.settings.slow_gain(each) for each in made.slow[:2]]
    np.testing.assert_allclose(rec.read_scaled("FP", dtype=F8), stored * gains, rtol=1e-14)


@pytest.mark.parametrize("offset", [140, 144, 148])
@pytest.mark.parametrize(
    ("count", "error"), [(-1, CorruptError), (65_537, CorruptError), (60_000, TruncatedError)]
)
def test_bad_numbers_of_channels(opened, offset, count, error):
    with pytest.raises(error, match=r"number of (spike|event|slow) channels"):
        opened(changed(everything().file(), (offset, "<i4", count)))


def test_truncated_headers(opened):
    file = everything().file()
    for size in (4, 100, 7503, 7504, 8000, file.data_offset - 1):
        with pytest.raises(TruncatedError):
            opened(file.tobytes()[:size])
    assert opened(file.tobytes()[: file.data_offset]).signals == ()


@pytest.mark.parametrize("clock", [0, -1])
def test_clock_of_zero(opened, clock):
    """Without blocks nothing needs it; else times cannot be told, and salvage assumes one."""
    file = changed(plx(events=[Events("Start", 258)]), (136, "<i4", clock))
    assert reasons(opened(file)) == [f"a time stamp frequency of {clock} Hz; 40000 Hz is assumed"]
    raw = changed(everything(waveform_rate=20_000).file(), (136, "<i4", clock))
    with pytest.raises(CorruptError, match=f"time stamp frequency of {clock} Hz: the times of"):
        opened(raw)
    rec = opened(raw, salvage=True)
    assert rec.tables[0].clock == 20_000
    assert reasons(rec) == [f"a time stamp frequency of {clock} Hz; 20000 Hz is assumed"]


def test_waveform_rate_of_zero_is_the_clock(opened):
    settings = Settings(waveform_rate=0)
    rec = opened(plx(spikes=[Spikes("SPK01", 1, [1], 0, waveforms(1, 4))], settings=settings))
    assert rec.table("ch1").waveforms.rate == CLOCK


def test_preallocated_file(opened):
    made = everything()
    rec = opened(made.file().tobytes() + bytes(1000))
    (problem,) = rec.problems
    assert "blank block" in problem.reason
    assert problem.offset == made.file().data.size
    np.testing.assert_array_equal(rec.read_signal("WB")[:, 0], made.slow[2].samples)


def test_blocks_of_other_types_are_skipped(opened):
    more = [([50, 9000], block_rows(8, 3, [50, 9000], data=counts(14).reshape(2, 7)))]
    made = everything()
    rec = opened(made.file(more=more))
    (problem,) = rec.problems
    assert problem.reason == "2 blocks of other types (8) are not read"
    assert problem.lost == 2
    for train in made.spikes[:3]:
        np.testing.assert_array_equal(times(rec, f"ch{train.number}")[0], train.ticks / CLOCK)


@pytest.mark.parametrize(
    "patch",
    [(0, "<u2", [9999, 0xFFFF]), (0, "<u2", [0, 77]), (0, "<u2", [7, 0x1234])],
    ids=["nonsense", "type-0", "time"],
)
def test_broken_chain(opened, patch):
    samples = counts(100)
    file = plx([Slow("FP01", 0, 1000, [(0, samples)], block=10)])
    place, dtype, value = patch
    raw = changed(file, (int(file.blocks[6]) + place, dtype, value))
    with pytest.raises(CorruptError, match="chain of blocks is broken here, 144 bytes are not"):
        opened(raw)
    rec = opened(raw, salvage=True)
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], samples[:60])
    assert rec.problems[0].offset == file.blocks[6]


def test_channels_without_headers(opened):
    """Headers are made up; the rate is what the time stamps tell."""
    samples, shapes = counts(60), waveforms(3, 4)
    rec = opened(
        plx(
            [Slow("FP01", 9, 2000, [(40, samples)], has_header=False)],
            [Spikes("SPK01", 3, [1, 2, 3], 1, shapes, has_header=False)],
            [Events("Event01", 5, [7], has_header=False)],
        )
    )
    stream = rec.signals[0]
    assert (stream.channels.names, stream.channels.ids, stream.rate) == (("ch9",), ("9",), 2000)
    assert stream.channels.gain[0] == 5000 / 2**15
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], samples)
    assert [table.name for table in rec.tables] == ["ch3", "ch5"]
    np.testing.assert_array_equal(rows(rec, "ch3", "waveform")["waveform"][:, 0], shapes)
    assert rec.table("ch3").waveforms.gain == 3000 / (2048 * 20)
    assert rows(rec, "ch5", "tick")["tick"].tolist() == [7]
    texts = " ".join(reasons(rec))
    assert "slow channel 9 has data and no header; 2000 Hz is assumed" in texts
    assert "spike channels 3 have data and no header" in texts
    assert "event channels 5 have data and no header" in texts


@pytest.mark.parametrize("rate", [0, -1000])
def test_rate_of_zero(opened, rate):
    file = plx([Slow("FP01", 0, 1000, [(0, counts(60))])])
    rec = opened(changed(file, (7504 + 36, "<i4", rate)))
    assert rec.signals[0].rate == 1000
    assert f"a rate of {rate} Hz; 1000 Hz is assumed" in reasons(rec)[0]
    alone = plx([Slow("FP01", 0, 1000, [(0, counts(60))], block=60)])
    rec = opened(changed(alone, (7504 + 36, "<i4", rate)))
    assert rec.signals[0].rate == 40_000


def test_gains_of_zero(opened):
    slow = [
        Slow("FP01", 0, 1000, [(0, counts(9))], gain=0, preamp=0),
        Slow("FP02", 1, 1000, gain=0),
    ]
    spikes = [Spikes("SPK01", 1, [5], 0, waveforms(1, 4), gain=0), Spikes("SPK02", 2, (), gain=0)]
    rec = opened(plx(slow, spikes))
    assert rec.signals[0].channels.gain[0] == 5000 / 2**15
    assert rec.table("ch1").waveforms.gain == 3000 / (2048 * 20)
    assert reasons(rec) == [
        "slow channel 0 has data and a gain of 0; 1 is assumed",
        "spike channels 1 have data and a gain of 0; 1 is assumed",
    ]


def test_converter_without_range(opened):
    settings = Settings(slow_full_scale=0, spike_bits=0)
    made = everything()
    made.settings = settings
    rec = opened(made.file())
    assert rec.signal("WB").channels.gain[0] == 5000 / (2048 * 100 * 10)
    assert rec.table("ch1").waveforms.gain == pytest.approx(3000 / (2048 * 1000 * 20))
    assert [reason.split(";")[0] for reason in reasons(rec)] == [
        "no full scale or number of bits of spikes",
        "no full scale or number of bits of slow data",
    ]


def test_bad_date(opened):
    rec = opened(plx(settings=Settings(date=[2024, 13, 1, 0, 0, 0])))
    assert rec.blocks[0].rec_datetime is None
    assert reasons(rec) == ["[2024, 13, 1, 0, 0, 0] is no date; it is ignored"]
    rec = opened(plx(settings=Settings(date=[0] * 6)))
    assert rec.blocks[0].rec_datetime is None
    assert not rec.problems


def test_empty_blocks_of_continuous_data(opened):
    samples = counts(20)
    more = [([100, 900], block_rows(5, 0, [100, 900], data=np.zeros((2, 0), "<i2")))]
    rec = opened(plx([Slow("FP01", 0, 1000, [(0, samples)]), Slow("FP02", 1, 1000)], more=more))
    assert rec.signals[0].runs.tolist() == [(0, 20, 0, 0)]
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], samples)


def test_no_continuous_data_is_legal(opened):
    made = everything()
    rec = opened(plx(spikes=made.spikes, events=made.events, settings=made.settings))
    assert rec.signals == ()
    last = max(10_100, *(int(np.max(train.ticks)) for train in made.spikes[:3]))
    assert [(s.t_start, s.t_stop) for s in rec.segments] == [(0.0, last / CLOCK)]
    np.testing.assert_array_equal(times(rec, "ch1")[0], made.spikes[0].ticks / CLOCK)
    assert not rec.problems


def test_nothing_at_all(opened):
    rec = opened(plx())
    assert (rec.signals, rec.tables) == ((), ())
    assert [(s.t_start, s.t_stop) for s in rec.segments] == [(0.0, 0.0)]


# Real files

REAL = ["16sp_lfp_with_2coords", "opx141spkOnly004", "explore1", "strobed_negative"]


@pytest.fixture
def real(request):
    """Give an open real recording and its golden values."""
    path = data_path(f"plexon/{request.param}.plx")
    with open_recording(path) as rec:
        yield rec, golden(f"plexon/{request.param}.plx")["segments"]


EACH_REAL = pytest.mark.parametrize("real", REAL, indirect=True)


@pytest.mark.real
@EACH_REAL
def test_real_continuous(real):
    """All samples of each channel, where the other reader gives all of them.

    Its last packet is zeros (6 samples), and it drops the start time, 181 ticks: so its sums are
    compared without what follows its end.
    """
    rec, (expected,) = real
    channels = {
        channel: (stream, at)
        for stream in rec.signals
        for at, channel in enumerate(stream.channels.ids)
    }
    assert set(channels) == {channel["id"] for channel in expected["channels"]}
    for wanted in expected["channels"]:
        stream, at = channels[wanted["id"]]
        values = rec.read_scaled(stream, channels=[at], dtype=F8)[:, 0]
        assert stream.channels.names[at] == wanted["name"]
        assert stream.rate == wanted["sampling_rate"]
        assert stream.t_start() == Fraction(181, CLOCK)
        assert wanted["last5"] == [0.0] * 5
        assert np.count_nonzero(values[-6:]) > 0
        values[-6:] = 0
        assert_channel(values, wanted)


@pytest.mark.real
@EACH_REAL
def test_real_spikes(real):
    rec, (expected,) = real
    units = {
        unit.label: (table, unit)
        for table in rec.tables
        if table.kind == "spikes"
        for unit in table.units
    }
    assert set(units) == {train["id"] for train in expected["spiketrains"]}
    for wanted in expected["spiketrains"]:
        table, unit = units[wanted["id"]]
        found = rec.read_table(table, columns=list(table.columns))
        mine = found["unit"] == unit.id
        assert unit.name == wanted["name"]
        assert_points(seconds(found["tick"][mine], table.clock), wanted)
        if "waveforms" not in wanted:
            assert table.waveforms is None
            continue
        shape = wanted["waveforms"]
        values = found["waveform"][mine] * table.waveforms.gain
        assert list(values.shape) == shape["shape"]
        assert table.waveforms.rate == shape["sampling_rate"]
        assert table.waveforms.left_sweep == Fraction(8, 40_000)  # the other reader gives -1
        assert values.sum() == pytest.approx(shape["sum"], rel=1e-9)
        assert [values.min(), values.max()] == pytest.approx([shape["min"], shape["max"]], rel=1e-9)


@pytest.mark.real
@EACH_REAL
def test_real_events(real):
    rec, (expected,) = real
    inputs = [table for table in rec.tables if table.kind == "events"]
    tables = {table.name: table for table in inputs if table.length}
    assert set(tables) == {event["name"].split("\0")[0] for event in expected["events"]}
    shared = sum(len(table.annotations.get("other_names", ())) for table in inputs)
    assert len(inputs) - len(tables) + shared == expected["empty_event_channels"]
    assert shared == (14 if rec.path.endswith("16sp_lfp_with_2coords.plx") else 0)
    for wanted in expected["events"]:
        table = tables[wanted["name"].split("\0")[0]]
        found = rec.read_table(table)
        assert_points(seconds(found["tick"], table.clock), wanted)
        labels = found["label"].tolist()
        if table.name != "Strobed":  # the other reader labels inputs without words "0"
            assert set(labels) == {""}
            assert set(wanted["label_counts"]) == {"0"}
            continue
        assert labels[:5] == wanted["labels_first5"]
        assert labels[-5:] == wanted["labels_last5"]
        assert {label: labels.count(label) for label in set(labels)} == wanted["label_counts"]
        assert found["word"].tolist() == [int(label) for label in labels]


@pytest.mark.real
@EACH_REAL
def test_real_extents_and_count_tables(real):
    """The file headers count what the blocks hold (the last file keeps the counts of another)."""
    rec, (expected,) = real
    (segment,) = rec.segments
    assert (segment.t_start, segment.t_stop) == (expected["t_start"], expected["t_stop"])
    assert not rec.problems
    if rec.path.endswith("strobed_negative.plx"):
        return
    counted = rec.reading.files.main.array(256, "<i4", 650).reshape(130, 5)
    for table in rec.tables:
        if table.kind == "spikes":
            number = int(table.id.removeprefix("ch"))
            for unit, count in zip(table.units, table.unit_counts[:, 0], strict=True):
                assert counted[number, unit.id] == count
    events = rec.reading.files.main.array(5456, "<i4", 512)
    for table in rec.tables:
        if table.kind == "events":
            assert events[table.annotations["channel_id"]] == table.length
    for stream in rec.signals:
        assert [events[300 + int(channel)] for channel in stream.channels.ids] == [
            stream.length
        ] * len(stream.channels)


@pytest.mark.real
def test_real_objects():
    path = data_path("plexon/16sp_lfp_with_2coords.plx")
    block = io.PlexonIO(path).read_block(load_waveforms=True)
    (segment,) = block.segments
    assert block.rec_datetime == datetime(2010, 9, 13, 13, 42, 21)
    assert block.annotations["acquiring_software"] == "OmniPlex 1.1.9"
    (signal,) = segment.analogsignals
    assert signal.shape == (15_962, 16)
    assert signal.units == pq.mV
    assert float(signal.t_start.rescale("s")) == 181 / CLOCK
    assert signal.array_annotations["channel_names"][0] == "FP01"
    assert [train.annotations["id"] for train in segment.spiketrains] == [
        f"ch{number}#0" for number in range(1, 9)
    ]
    for train in segment.spiketrains:
        assert train.waveforms.shape == (len(train), 1, 32)
        assert train.waveforms.units == pq.mV
    assert len(segment.events) == 35
    assert sum(len(event) for event in segment.events) == 1926


@pytest.mark.real
def test_real_clock_of_zero():
    """A file of the vendor's tests, headers alone, that the other reader cannot open."""
    assert "error" in golden("plexon/ts_freq_zero.plx")
    with open_recording(data_path("plexon/ts_freq_zero.plx")) as rec:
        assert reasons(rec) == ["a time stamp frequency of 0 Hz; 40000 Hz is assumed"]
        assert rec.signals == ()
        assert {table.length for table in rec.tables} == {0}
        assert len(rec.tables) == 43
        assert STROBED in {table.annotations["channel_id"] for table in rec.tables}
