"""TDT tanks against the synthetic writer's ground truth, and the real block."""

from __future__ import annotations

import shutil
from fractions import Fraction

import numpy as np
import pytest

import ephyrus
from ephyrus.errors import (
    CorruptError,
    TruncatedError,
    UnsupportedVersionError,
    WrongFormatError,
)
from ephyrus.recording import FileSet
from ephyrus.recording.clock import seconds
from ephyrus.registry import identify, open_recording
from tests.golden import assert_points, data_path, golden
from tests.synth.tdt import (
    OFF,
    RATE,
    RECORD,
    SCALAR,
    START,
    Marks,
    Snippets,
    Stream,
    pulses,
    sev_head,
    sort_result,
    spikes,
    stored_numbers,
    tbk_text,
    write_block,
    write_sevs,
)

CLOCK = 2**24


@pytest.fixture
def opened():
    """Give a function that opens a path; every recording is closed in the end."""
    recordings = []

    def open_path(path, **options):
        recordings.append(open_recording(path, format="tdt", **options))
        return recordings[-1]

    yield open_path
    for recording in recordings:
        recording.close()


def reasons(recording):
    return [problem.reason for problem in recording.problems]


def ticks_of(times, start=START, zero=START):
    """The exact ticks of times since `start`, as doubles of seconds since 1970 give them."""
    return np.rint((start + np.asarray(times, float) - zero) * CLOCK).astype(np.int64)


def signal_times(stream):
    return seconds(stream.runs["tick"], stream.clock)


def patch_index(made, change):
    """Change the records of a block's index: `change(records)` may give others."""
    records = made.records.copy()
    changed = change(records)
    records = records if changed is None else changed
    made.tsq.write_bytes(records.tobytes())
    return records


def columns_of(recording, name):
    table = recording.table(name)
    return recording.read_table(table, columns=list(table.columns))


# Streams in the .tev


def test_streams(opened, tmp_path):
    wave = Stream("Wav1", stored_numbers(640, 4), head_name="Wav1")
    slow = Stream("Raw_", stored_numbers(128, 2, "i2"), rate=1017.2526, points=32, first=0.015625)
    made = write_block(tmp_path / "B-1", [wave, slow])
    rec = opened(made.folder)
    assert [stream.name for stream in rec.signals] == ["Wav1", "Raw_"]
    first, second = rec.signals
    assert first.rate == Fraction(RATE)
    assert float(second.rate) == float(np.float32(1017.2526))
    np.testing.assert_array_equal(rec.read_signal(first), wave.data)
    np.testing.assert_array_equal(rec.read_signal(second), slow.data)
    assert (first.dtype, second.dtype) == (np.dtype("<f4"), np.dtype("<i2"))
    assert first.channels.names == ("Wav1 1", "Wav1 2", "Wav1 3", "Wav1 4")
    assert first.channels.ids == ("1", "2", "3", "4")
    assert first.channels.units == ("uV",) * 4
    assert first.annotations["head_name"] == "Wav1"
    assert "scale_factor" not in first.annotations
    assert second.annotations["scale_factor"] == "not in the files"
    assert first.runs.tolist() == [(0, 640, 0, 0)]
    assert second.runs.tolist() == [(0, 128, CLOCK // 64, 0)]
    assert rec.segments[0].t_start == 0
    assert rec.segments[0].t_stop == 2.0
    assert not rec.problems


@pytest.mark.parametrize("kind", ["f4", "i4", "i2", "i1", "f8", "i8"])
@pytest.mark.parametrize("channels", [1, 3, 24])
def test_every_format_of_samples(opened, tmp_path, kind, channels):
    stream = Stream("S__1", stored_numbers(96, channels, kind), points=32, rate=500.0)
    rec = opened(write_block(tmp_path / "B", [stream]).tsq)
    found = rec.read_signal(0)
    assert found.dtype == np.dtype(kind)
    np.testing.assert_array_equal(found, stream.data)


@pytest.mark.parametrize("points", [2, 64, 300_000])
def test_ranges_of_chunks_of_all_sizes(opened, tmp_path, points):
    """Parts of one chunk, of several, more than one tile, single channels."""
    length = max(4 * points, 40_000 // points * points)
    stream = Stream("Wav1", stored_numbers(length, 5), points=points)
    rec = opened(write_block(tmp_path / "B", [stream], duration=100).folder)
    places = [0, 1, points - 1, points, points + 1, 2 * points, length - 1, length]
    for start in places:
        for stop in (place for place in places if place >= start):
            found = rec.read_signal(0, start, stop)
            np.testing.assert_array_equal(found, stream.data[start:stop])
            some = rec.read_signal(0, start, stop, [3, 0])
            np.testing.assert_array_equal(some, stream.data[start:stop, [3, 0]])
            one = rec.read_signal(0, start, stop, 2)
            np.testing.assert_array_equal(one, stream.data[start:stop, 2:3])


def test_interleaved_stores_and_channels_that_are_not_contiguous(opened, tmp_path):
    contents = [
        Stream("Aaaa", stored_numbers(320, 2, seed=1), points=32, channels=[5, 9]),
        Stream("Bbbb", stored_numbers(128, 3, seed=2), points=16, rate=RATE / 8),
    ]
    rec = opened(write_block(tmp_path / "B", contents).folder)
    for content in contents:
        np.testing.assert_array_equal(rec.read_signal(content.name), content.data)
    assert rec.signal("Aaaa").channels.ids == ("5", "9")


def test_a_gap_begins_a_run(opened, tmp_path):
    late = {3: 0.5, 7: 64 / RATE * 0.4, 8: 64 / RATE * 0.6}
    wave = Stream("StS1", stored_numbers(640, 2), late=late)
    rec = opened(write_block(tmp_path / "B", [wave]).folder)
    (stream,) = rec.signals
    assert stream.runs["count"].tolist() == [192, 320, 128]
    times = START + wave.times()
    np.testing.assert_array_equal(stream.runs["tick"], np.rint((times - START) * CLOCK)[[0, 3, 8]])
    np.testing.assert_array_equal(rec.read_signal(stream), wave.data)
    block = ephyrus.io.TdtIO(tmp_path / "B").read_block()
    assert [len(signal) for signal in block.segments[0].analogsignals] == [192, 320, 128]


def test_chunks_of_one_sample_may_be_late_by_a_sample(opened, tmp_path):
    """Time stamps are no better than that: within a sample there is no gap."""
    wave = Stream("One1", stored_numbers(20, 1), points=1, late={5: 0.9 / RATE, 10: 1.2 / RATE})
    rec = opened(write_block(tmp_path / "B", [wave]).folder)
    assert rec.signals[0].runs["count"].tolist() == [10, 10]


def test_time_that_goes_back_begins_a_run(opened, tmp_path):
    made = write_block(tmp_path / "B", [Stream("Wav1", stored_numbers(256, 1))])

    def back(records):
        records["time"][4:6] -= 0.004  # from the third chunk on

    patch_index(made, back)
    rec = opened(made.folder)
    assert rec.signals[0].runs["count"].tolist() == [128, 128]


def test_a_second_of_one_channel_reads_little(opened, tmp_path):
    stream = Stream("Wav1", stored_numbers(64_000, 8), points=256, rate=2000.0)
    rec = opened(write_block(tmp_path / "B", [stream], duration=40).folder)
    source = rec.reading.files.source("TANK_B.tev")
    before = source.bytes_read
    rec.read_signal(0, 20_000, 22_000, 3)
    asked = source.bytes_read - before
    assert asked <= 8 * 4 * (2000 + 2 * 256)  # from the first to the last of its bytes


# Snippets


def assert_snippets(rec, content, start=START, zero=START, segment=0):
    for channel in np.unique(content.channels):
        mine = content.channels == channel
        table = rec.table(f"{content.name} ch{channel}")
        run = table.runs[table.runs["segment"] == segment][0]
        first, last = int(run["first"]), int(run["first"] + run["count"])
        found = rec.read_table(table, first, last, ["tick", "unit", "waveform"])
        np.testing.assert_array_equal(found["tick"], ticks_of(content.times[mine], start, zero))
        np.testing.assert_array_equal(found["unit"], content.codes[mine])
        np.testing.assert_array_equal(found["waveform"][:, 0], content.waves[mine])
        assert found["waveform"].dtype == content.waves.dtype


@pytest.mark.parametrize(("kind", "points"), [("f4", 30), ("i2", 16), ("f8", 7)])
def test_snippets(opened, tmp_path, kind, points):
    content = spikes(60, 3, points, kind)
    rec = opened(write_block(tmp_path / "B", [content]).folder)
    assert_snippets(rec, content)
    table = rec.table("eNe1 ch2")
    codes = np.unique(content.codes[content.channels == 2])
    assert [unit.id for unit in table.units] == codes.tolist()
    assert [unit.name for unit in table.units] == [f"ch2#{code}" for code in codes]
    assert [unit.label for unit in table.units] == [f"eNe1 ch2#{code}" for code in codes]
    assert table.annotations["store"] == "eNe1"
    assert (table.waveforms.unit, table.waveforms.rate) == ("V", Fraction(RATE))
    assert table.waveforms.left_sweep == 0


def test_units_are_read_by_their_rows(opened, tmp_path):
    content = spikes(200, 2)
    rec = opened(write_block(tmp_path / "B", [content]).folder)
    table = rec.table("eNe1 ch1")
    rows = np.flatnonzero(content.codes[content.channels == 1] == 2)
    found = rec.module.read_rows(rec.reading, table, rows, ["tick", "waveform"])
    mine = (content.channels == 1) & (content.codes == 2)
    np.testing.assert_array_equal(found["tick"], ticks_of(content.times[mine]))
    np.testing.assert_array_equal(found["waveform"][:, 0], content.waves[mine])


def test_snippets_out_of_order_are_sorted(opened, tmp_path):
    content = spikes(50, 2)
    made = write_block(tmp_path / "B", [content])
    patch_index(
        made, lambda records: np.concatenate([records[:2], records[2:-1][::-1], records[-1:]])
    )
    assert_snippets(opened(made.folder), content)


def test_stores_with_slashes_and_underscores(opened, tmp_path):
    contents = [
        Stream("PC0_", stored_numbers(64, 1)),
        Stream("x/y ", stored_numbers(64, 1, seed=3)),
        spikes(10, 1, 8, "f4", "SU/2"),
        Marks("PtC/", [0.5], [3.0]),
    ]
    rec = opened(write_block(tmp_path / "B", contents).folder)
    assert [stream.name for stream in rec.signals] == ["PC0_", "x/y"]
    assert [table.name for table in rec.tables] == ["SU/2 ch1", "PtC/"]


# Strobes and scalars


def test_strobes_are_events_with_values(opened, tmp_path):
    """The eight bytes of a value are a double: 1.0 is not 4607182418800017408."""
    values = [1.0, 0.5, -3.25, 1e9, 123456.75]
    content = Marks("Tick", np.arange(5) * 0.25 + 0.1, values)
    rec = opened(write_block(tmp_path / "B", [content]).folder)
    table = rec.table("Tick")
    assert table.kind == "events"
    found = columns_of(rec, "Tick")
    assert found["label"].tolist() == ["1", "0.5", "-3.25", "1e+09", "123457"]
    np.testing.assert_array_equal(found["values"], values)
    np.testing.assert_array_equal(found["tick"], ticks_of(content.times))
    assert "note" not in found


def test_scalars_have_channels(opened, tmp_path):
    content = Marks("Fi1i", [0.1, 0.1, 0.7], [1.0, 0.5, 530], SCALAR, channels=[1, 2, 8])
    found = columns_of(opened(write_block(tmp_path / "B", [content]).folder), "Fi1i")
    assert found["label"].tolist() == ["1", "0.5", "530"]
    assert found["channel"].tolist() == [1, 2, 8]
    assert found["values"].tolist() == [1.0, 0.5, 530.0]


def test_notes_of_strobes(opened, tmp_path):
    content = Marks("Tick", [0.1, 0.2, 0.3], [1, 2, 3], notes=[0, 7, 0])
    found = columns_of(opened(write_block(tmp_path / "B", [content]).folder), "Tick")
    assert found["note"].tolist() == [0, 7, 0]


def epochs(rec, name="on_1"):
    table = rec.table(name)
    assert table.kind == "epochs"
    found = columns_of(rec, name)
    times = seconds(found["tick"], table.clock), seconds(found["duration"], table.clock)
    return *times, found["label"].tolist()


def strobe_pair(on, off, values=None, name="on_1"):
    values = np.arange(len(on)) + 1.0 if values is None else values
    return [
        Marks(name, on, values),
        Marks("off1", off, np.arange(len(off)) + 0.5, OFF, onset=name),
    ]


def test_strobes_with_offsets_are_epochs(opened, tmp_path):
    made = write_block(tmp_path / "B", strobe_pair([0.25, 1.0], [0.5, 1.75]))
    times, durations, labels = epochs(opened(made.folder))
    assert times.tolist() == [0.25, 1.0]
    assert durations.tolist() == [0.25, 0.75]
    assert labels == ["1", "2"]
    assert opened(made.folder).table("on_1").annotations["offset_store"] == "off1"
    assert len(opened(made.folder).tables) == 1


def test_an_unpaired_last_onset_lasts_to_the_end(opened, tmp_path):
    made = write_block(tmp_path / "B", strobe_pair([0.25, 1.0], [0.5]), duration=1.5)
    times, durations, _ = epochs(opened(made.folder))
    assert (times.tolist(), durations.tolist()) == ([0.25, 1.0], [0.25, 0.5])
    assert not opened(made.folder).problems


def test_an_offset_before_the_first_onset_begins_with_the_block(opened, tmp_path):
    made = write_block(tmp_path / "B", strobe_pair([0.5], [0.125, 0.75]))
    times, durations, labels = epochs(opened(made.folder))
    assert (times.tolist(), durations.tolist()) == ([0.0, 0.5], [0.125, 0.25])
    assert labels == ["0.5", "1"]  # the value that the offset has


def test_an_onset_at_the_offset_before_it(opened, tmp_path):
    made = write_block(tmp_path / "B", strobe_pair([0.25, 0.5, 0.75], [0.5, 0.75, 1.0]))
    times, durations, _ = epochs(opened(made.folder))
    assert (times.tolist(), durations.tolist()) == ([0.25, 0.5, 0.75], [0.25] * 3)


def test_epochs_of_no_duration(opened, tmp_path):
    made = write_block(tmp_path / "B", strobe_pair([0.25, 0.5], [0.25, 0.5]))
    times, durations, _ = epochs(opened(made.folder))
    assert (times.tolist(), durations.tolist()) == ([0.25, 0.5], [0, 0])


def test_a_lost_offset_ends_with_the_next_onset(opened, tmp_path):
    made = write_block(tmp_path / "B", strobe_pair([0.25, 0.5, 1.0], [0.75, 1.25]))
    rec = opened(made.folder)
    times, durations, _ = epochs(rec)
    assert (times.tolist(), durations.tolist()) == ([0.25, 0.5, 1.0], [0.25, 0.25, 0.25])
    assert "1 of 3 onsets have no offset" in reasons(rec)[0]


def test_a_lost_onset_is_noted(opened, tmp_path):
    made = write_block(tmp_path / "B", strobe_pair([0.25, 1.0], [0.5, 0.75, 1.25, 1.5]))
    rec = opened(made.folder)
    times, durations, _ = epochs(rec)
    assert (times.tolist(), durations.tolist()) == ([0.25, 1.0], [0.25, 0.25])
    assert "2 offsets have no onset" in reasons(rec)[0]


def test_offsets_without_onsets(opened, tmp_path):
    made = write_block(tmp_path / "B", [Marks("off1", [0.5, 0.75], [2, 3], OFF, onset="on_1")])
    rec = opened(made.folder)
    times, durations, labels = epochs(rec)
    assert (times.tolist(), durations.tolist(), labels) == ([0.0], [0.5], ["2"])
    assert "all but the first are ignored" in reasons(rec)[0]


# .sev files


@pytest.mark.parametrize("parts", [1, 3])
@pytest.mark.parametrize("kind", ["f4", "i2"])
def test_sev(opened, tmp_path, parts, kind):
    stream = Stream("RSn1", stored_numbers(640, 5, kind), flags=0x10, late={4: 0.125})
    made = write_block(tmp_path / "B", [stream], parts=parts)
    rec = opened(made.folder)
    assert rec.signals[0].runs["count"].tolist() == [256, 384]
    np.testing.assert_array_equal(rec.read_signal(0), stream.data)
    for start, stop in ((0, 1), (200, 430), (100, 101), (639, 640)):
        found = rec.read_signal(0, start, stop, [4, 1])
        np.testing.assert_array_equal(found, stream.data[start:stop, [4, 1]])
        one = rec.read_signal(0, start, stop, 3)
        np.testing.assert_array_equal(one, stream.data[start:stop, 3:4])
    assert not rec.problems


def test_one_channel_of_a_sev_is_a_view_of_the_file(opened, tmp_path):
    stream = Stream("RSn1", stored_numbers(640, 2), flags=0x10)
    rec = opened(write_block(tmp_path / "B", [stream]).folder)
    assert not rec.read_signal(0, channels=1).flags.owndata
    assert not rec.read_signal(0, channels=1).flags.writeable


def test_offsets_that_begin_anew_with_each_part(opened, tmp_path):
    stream = Stream("RSn1", stored_numbers(640, 2), flags=0x10)
    made = write_block(tmp_path / "B", [stream], parts=2)

    def anew(records):
        offsets = records["offset"]
        half = 40 + 320 * 4
        offsets[offsets >= half] -= 320 * 4

    patch_index(made, anew)
    np.testing.assert_array_equal(opened(made.folder).read_signal(0), stream.data)


def test_a_sev_whose_first_record_is_lost(opened, tmp_path):
    """Records say where in the file their samples are."""
    stream = Stream("RSn1", stored_numbers(640, 2), flags=0x10)
    made = write_block(tmp_path / "B", [stream])
    patch_index(made, lambda records: np.delete(records, [2, 3]))
    rec = opened(made.folder)
    np.testing.assert_array_equal(rec.read_signal(0), stream.data[64:])
    np.testing.assert_array_equal(rec.signals[0].runs["tick"], ticks_of(stream.times())[1:2])


def test_a_missing_tev_is_replaced_by_sev(opened, tmp_path):
    """Stores without the flag, too."""
    stream = Stream("Wav1", stored_numbers(640, 2))
    made = write_block(tmp_path / "B", [stream], tev=False)
    write_sevs(made.folder, made.stem, stream)
    records = made.records.copy()
    for channel in (1, 2):
        mine = records["channel"] == channel
        records["offset"][mine] = 40 + np.arange(mine.sum()) * 256
    made.tsq.write_bytes(records.tobytes())
    rec = opened(made.folder)
    np.testing.assert_array_equal(rec.read_signal("Wav1"), stream.data)
    assert not rec.problems


def test_a_tev_has_precedence_where_the_flag_is_not_set(opened, tmp_path):
    stream = Stream("Wav1", stored_numbers(64, 1))
    made = write_block(tmp_path / "B", [stream])
    write_sevs(made.folder, made.stem, Stream("Wav1", stored_numbers(64, 1, seed=5)))
    rec = opened(made.folder)
    np.testing.assert_array_equal(rec.read_signal("Wav1"), stream.data)
    assert len(rec.signals) == 1


def test_sev_without_records(opened, tmp_path):
    """New systems do not index their .sev files: the stream begins with the block."""
    stream = Stream("RSn1", stored_numbers(500, 3, "i2"))
    made = write_block(tmp_path / "B", [Marks("Tick", [0.5], [1])])
    write_sevs(made.folder, made.stem, stream, rate_code=1, decimation=3)
    rec = opened(made.folder)
    assert rec.signals[0].rate == Fraction(25_000_000, 2**11 * 3)
    assert rec.signals[0].runs.tolist() == [(0, 500, 0, 0)]
    assert rec.signals[0].name == "RSn1"
    np.testing.assert_array_equal(rec.read_signal(0), stream.data)


def test_the_log_tells_gaps(opened, tmp_path):
    """The log counts samples from 1, lost ones too."""
    stream = Stream("RSn1", stored_numbers(500, 2, "i2"))
    made = write_block(tmp_path / "B", [Marks("Tick", [0.5], [1])])
    write_sevs(made.folder, made.stem, stream)
    log = (
        "recording started\r\ngap detected. last saved sample: 200, new saved sample: 301\r\n"
        "gap detected. last saved sample: 350, new saved sample: 1001\r\n"
    )
    (made.folder / f"{made.stem}_RSn1_log.txt").write_text(log)
    rec = opened(made.folder)
    (runs,) = (stream.runs for stream in rec.signals)
    assert runs["count"].tolist() == [200, 50, 250]
    expected = np.rint(np.array([0, 300, 1000]) / RATE * CLOCK)
    np.testing.assert_array_equal(runs["tick"], expected)
    np.testing.assert_array_equal(rec.read_signal(0), stream.data)


def test_the_log_of_a_phantom_store(opened, tmp_path):
    """Its records go on through the gap, and say nothing of where samples are."""
    stream = Stream("RSn1", stored_numbers(640, 2), flags=0x30, first=0.25)
    made = write_block(tmp_path / "B", [stream])
    patch_index(made, lambda records: records["offset"].fill(0))
    (made.folder / "RSn1_log.txt").write_text(
        "Gap detected. Last saved sample: 100, new saved sample: 161"
    )
    rec = opened(made.folder)
    assert rec.signals[0].runs["count"].tolist() == [100, 540]
    np.testing.assert_array_equal(
        rec.signals[0].runs["tick"], [CLOCK // 4, CLOCK // 4 + round(160 / RATE * CLOCK)]
    )
    np.testing.assert_array_equal(rec.read_signal(0), stream.data)


def test_a_log_that_does_not_fit_is_ignored(opened, tmp_path):
    stream = Stream("RSn1", stored_numbers(100, 1))
    made = write_block(tmp_path / "B", [])
    write_sevs(made.folder, made.stem, stream)
    log = "gap detected. last saved sample: 900, new saved sample: 20"
    (made.folder / "RSn1_log.txt").write_text(log)
    rec = opened(made.folder)
    assert rec.signals[0].runs["count"].tolist() == [100]
    assert "does not fit" in reasons(rec)[0]


def test_sev_of_version_0(opened, tmp_path):
    """An empty head: float32 at the rate of the .Tbk, or 24414.0625 Hz."""
    stream = Stream("RSn1", stored_numbers(100, 1))
    for name, tbk in (("A", False), ("B", tbk_text([Stream("RSn1", stream.data, rate=1000.5)]))):
        made = write_block(tmp_path / name, [], tbk=tbk)
        write_sevs(made.folder, made.stem, stream, version=0)
        rec = opened(made.folder)
        assert rec.signals[0].rate == (Fraction(RATE) if name == "A" else Fraction(1000.5))
        np.testing.assert_array_equal(rec.read_signal(0), stream.data)


def test_sev_of_version_0_with_records(opened, tmp_path):
    """The records know the type of its samples."""
    stream = Stream("RSn1", stored_numbers(640, 2, "i2"), flags=0x10)
    rec = opened(write_block(tmp_path / "B", [stream], version=0).folder)
    np.testing.assert_array_equal(rec.read_signal(0), stream.data)
    assert not rec.problems


def test_sev_of_another_type_than_its_records(opened, tmp_path):
    stream = Stream("RSn1", stored_numbers(640, 1, "i4"), flags=0x10)
    made = write_block(tmp_path / "B", [stream])
    write_sevs(made.folder, made.stem, Stream("RSn1", stored_numbers(640, 1)))
    with pytest.raises(CorruptError, match="int32 as its records say, and float32 as its"):
        opened(made.folder)
    assert not opened(made.folder, salvage=True).signals


def test_a_phantom_store_without_the_other_flag(opened, tmp_path):
    stream = Stream("RSn1", stored_numbers(128, 1), flags=0x20)
    made = write_block(tmp_path / "B", [stream])
    write_sevs(made.folder, made.stem, stream)
    np.testing.assert_array_equal(opened(made.folder).read_signal(0), stream.data)


def test_the_head_knows_names_that_files_cannot_have(opened, tmp_path):
    made = write_block(tmp_path / "B", [])
    write_sevs(made.folder, made.stem, Stream("PC/1", stored_numbers(64, 1)))
    assert opened(made.folder).signals[0].name == "PC/1"
    write_sevs(made.folder, made.stem, Stream("PC/1", stored_numbers(64, 1)), version=2)
    assert opened(made.folder).signals[0].name == "PC_1"  # trusted from version 3


def test_a_sev_of_unknown_name_is_found_by_its_head(opened, tmp_path):
    stream = Stream("PC/1", stored_numbers(128, 1), flags=0x10)
    made = write_block(tmp_path / "B", [stream])
    (old,) = made.folder.glob("*.sev")
    assert old.name == "TANK_B_PC_1_Ch1.sev"
    old.rename(made.folder / "strange.SEV")
    np.testing.assert_array_equal(opened(made.folder).read_signal("PC/1"), stream.data)


def test_a_sev_of_which_nothing_is_known_is_noted(opened, tmp_path):
    made = write_block(tmp_path / "B", [])
    (made.folder / "strange.sev").write_bytes(bytes(200))
    rec = opened(made.folder)
    assert not rec.signals
    assert "neither the name nor the head" in reasons(rec)[0]


def test_a_missing_sev_is_named(opened, tmp_path):
    stream = Stream("PC0_", stored_numbers(128, 3), flags=0x10)
    made = write_block(tmp_path / "B", [stream])
    (made.folder / "TANK_B_PC0__Ch2.sev").unlink()
    with pytest.raises(CorruptError, match=r"\*_pc0__Ch2\.sev is missing"):
        opened(made.folder)
    rec = opened(made.folder, salvage=True)
    assert rec.signals[0].channels.ids == ("1", "3")
    np.testing.assert_array_equal(rec.read_signal(0), stream.data[:, [0, 2]])


def test_several_candidates_for_a_channel(opened, tmp_path):
    stream = Stream("RSn1", stored_numbers(128, 1), flags=0x10)
    made = write_block(tmp_path / "B", [stream])
    old = made.folder / "TANK_B_RSn1_Ch1.sev"
    shutil.copy(old, made.folder / "Copy_RSn1_Ch1.sev")
    rec = opened(made.folder)  # the one called like the index
    np.testing.assert_array_equal(rec.read_signal(0), stream.data)
    old.rename(made.folder / "Other_RSn1_Ch1.sev")
    with pytest.raises(CorruptError, match=r"Copy_RSn1_Ch1\.sev, Other_RSn1_Ch1\.sev may each be"):
        opened(made.folder)
    np.testing.assert_array_equal(opened(made.folder, salvage=True).read_signal(0), stream.data)


def test_packed_samples_are_refused(opened, tmp_path):
    made = write_block(tmp_path / "B", [Stream("RSn1", stored_numbers(128, 1, "i2"), flags=0x10)])
    path = made.folder / "TANK_B_RSn1_Ch1.sev"
    head = bytearray(path.read_bytes())
    head[24] = 3  # of one byte, but it says two
    path.write_bytes(head)
    with pytest.raises(UnsupportedVersionError, match="format 3 with 2 bytes each") as caught:
        opened(made.folder)
    assert caught.value.offset == 24
    assert not opened(made.folder, salvage=True).signals


@pytest.mark.parametrize(
    ("place", "value", "reason"), [(25, 0, "decimated by 0"), (8, ord("X"), "begin with SEV")]
)
def test_a_head_that_cannot_be_true(opened, tmp_path, place, value, reason):
    made = write_block(tmp_path / "B", [Stream("RSn1", stored_numbers(128, 1), flags=0x10)])
    path = made.folder / "TANK_B_RSn1_Ch1.sev"
    data = bytearray(path.read_bytes())
    data[place] = value
    path.write_bytes(data)
    with pytest.raises(CorruptError, match=reason):
        opened(made.folder)


def test_sevs_of_one_store_that_differ(opened, tmp_path):
    stream = Stream("RSn1", stored_numbers(128, 2), flags=0x10)
    made = write_block(tmp_path / "B", [stream])
    head = sev_head(0, "RSn1", 2, "f4", decimation=2)
    (made.folder / "TANK_B_RSn1_Ch2.sev").write_bytes(head + bytes(512))
    with pytest.raises(CorruptError, match=r"differ in format or rate \(channels \[2\]\)"):
        opened(made.folder)
    assert opened(made.folder, salvage=True).signals[0].channels.ids == ("1",)


def test_a_cut_sev(opened, tmp_path):
    stream = Stream("RSn1", stored_numbers(640, 2), flags=0x10, late={5: 0.1})
    made = write_block(tmp_path / "B", [stream])
    path = made.folder / "TANK_B_RSn1_Ch2.sev"
    path.write_bytes(path.read_bytes()[: 40 + 400 * 4])
    rec = opened(made.folder)
    assert rec.signals[0].runs["count"].tolist() == [320, 80]
    np.testing.assert_array_equal(rec.read_signal(0), stream.data[:400])
    assert any("fewer than its head says" in reason for reason in reasons(rec))


def test_a_cut_part_ends_the_channel(opened, tmp_path):
    """What follows in later parts cannot be placed."""
    stream = Stream("RSn1", stored_numbers(640, 1), flags=0x10)
    made = write_block(tmp_path / "B", [stream], parts=2)
    path = made.folder / "TANK_B_RSn1_Ch1.sev"
    path.write_bytes(path.read_bytes()[: 40 + 100 * 4])
    rec = opened(made.folder)
    np.testing.assert_array_equal(rec.read_signal(0), stream.data[:100])
    assert any("later parts are left out" in reason for reason in reasons(rec))


def test_samples_behind_the_last_record(opened, tmp_path):
    stream = Stream("RSn1", stored_numbers(640, 1), flags=0x10)
    made = write_block(tmp_path / "B", [stream])
    patch_index(made, lambda records: np.delete(records, [-2, -3]))
    rec = opened(made.folder)
    np.testing.assert_array_equal(rec.read_signal(0), stream.data)
    assert "128 samples behind the last record" in reasons(rec)[0]
    patch_index(made, lambda records: records[:-3])  # cut: a gap may have come
    rec = opened(made.folder)
    np.testing.assert_array_equal(rec.read_signal(0), stream.data[:512])
    assert rec.problems[-1].lost == 128


def test_records_that_do_not_follow_each_other_in_a_sev(opened, tmp_path):
    made = write_block(tmp_path / "B", [Stream("RSn1", stored_numbers(640, 1), flags=0x10)])

    def jump(records):
        records["offset"][5] += 8

    patch_index(made, jump)
    with pytest.raises(CorruptError, match="do not point to one sample"):
        opened(made.folder)


# Tanks, folders, names


def tank_of(tmp_path):
    one = [
        Stream("Wav1", stored_numbers(256, 2)),
        spikes(20),
        Stream("Rare", stored_numbers(64, 1), points=32),
        Marks("Tick", [0.25, 0.75], [1, 2]),
    ]
    two = [
        Stream("Wav1", stored_numbers(128, 2, seed=9), points=32),
        spikes(30),
        Marks("Tick", [0.5], [3]),
        *pulses(),
    ]
    tank = tmp_path / "Tank"
    write_block(tank / "a-second", two, start=START + 100.125)
    write_block(tank / "b-first", one)
    return tank, one, two


def test_tank(opened, tmp_path):
    """Blocks are segments in the order of their starts; time 0 is the earliest one's."""
    tank, one, two = tank_of(tmp_path)
    (tank / ".hidden").mkdir()
    (tank / "no block").mkdir()
    rec = opened(tank)
    assert rec.blocks[0].name == "Tank"
    assert [segment.name for segment in rec.segments] == ["b-first", "a-second"]
    assert [segment.t_start for segment in rec.segments] == [0, 100.125]
    assert [segment.t_stop for segment in rec.segments] == [2, 102.125]
    wave = rec.signal("Wav1")
    assert wave.runs.tolist() == [(0, 256, 0, 0), (256, 128, int(100.125 * CLOCK), 1)]
    expected = np.concatenate([one[0].data, two[0].data])
    np.testing.assert_array_equal(rec.read_signal(wave), expected)
    np.testing.assert_array_equal(rec.read_signal(wave, 200, 300, [1]), expected[200:300, [1]])
    assert rec.signal("Rare").runs["segment"].tolist() == [0]
    assert_snippets(rec, one[1])
    assert_snippets(rec, two[1], START + 100.125, START, segment=1)
    table = rec.table("Tick")
    assert table.runs["segment"].tolist() == [0, 1]
    times = seconds(columns_of(rec, "Tick")["tick"], table.clock)
    assert times.tolist() == [0.25, 0.75, 100.625]
    assert rec.table("PtC/").runs["segment"].tolist() == [1]


def test_tank_as_objects(tmp_path):
    tank, one, two = tank_of(tmp_path)
    block = ephyrus.io.TdtIO(tank).read_block(load_waveforms=True, create_group_across_segment=True)
    first, second = block.segments
    assert [len(segment.analogsignals) for segment in block.segments] == [2, 1]
    assert first.analogsignals[0].name == "Wav1"
    np.testing.assert_array_equal(first.analogsignals[0].magnitude, one[0].data)
    np.testing.assert_array_equal(second.analogsignals[0].magnitude, two[0].data)
    assert str(second.analogsignals[0].t_start) == "100.125 s"
    assert str(first.analogsignals[0].units.dimensionality) == "uV"
    assert len(second.epochs) == 1
    np.testing.assert_allclose(second.epochs[0].durations.magnitude, 0.1, atol=1e-6)
    mine = (two[1].channels == 1) & (two[1].codes == 2)
    (train,) = (each for each in second.spiketrains if each.annotations["id"] == "eNe1 ch1#2")
    assert train.name == "ch1#2"
    assert train.annotations["store"] == "eNe1"
    np.testing.assert_array_equal(
        train.magnitude, ticks_of(two[1].times[mine], START + 100.125) / CLOCK
    )
    np.testing.assert_array_equal(train.waveforms.magnitude[:, 0], two[1].waves[mine])
    assert str(train.waveforms.dimensionality) == "V"
    assert float(train.sampling_rate) == RATE
    assert float(train.left_sweep) == 0
    groups = [group for group in block.groups if "unit_id" in group.annotations]
    (group,) = (each for each in groups if each.annotations["unit_id"] == "eNe1 ch1#2")
    assert len(group.spiketrains) == 2


def test_blocks_whose_channels_differ(opened, tmp_path):
    """A store with other channels, or another rate, is another signal."""
    tank = tmp_path / "Tank"
    one, two = Stream("Wav1", stored_numbers(64, 2)), Stream("Wav1", stored_numbers(64, 4))
    three = Stream("Wav1", stored_numbers(64, 4), rate=RATE / 2)
    for at, stream in enumerate((one, two, three)):
        write_block(tank / f"b{at}", [stream], start=START + 10 * at)
    rec = opened(tank)
    assert [stream.id for stream in rec.signals] == ["Wav1", "Wav1#2", "Wav1#3"]
    assert [stream.runs["segment"].tolist() for stream in rec.signals] == [[0], [1], [2]]
    for stream, content in zip(rec.signals, (one, two, three), strict=True):
        np.testing.assert_array_equal(rec.read_signal(stream), content.data)


def test_snippets_whose_length_differs_between_blocks(opened, tmp_path):
    tank = tmp_path / "Tank"
    write_block(tank / "b1", [spikes(20, 1, 30)])
    write_block(tank / "b2", [spikes(20, 1, 20)], start=START + 10)
    rec = opened(tank)
    assert [table.id for table in rec.tables] == ["eNe1 ch1", "eNe1 ch1#2"]
    assert [table.columns["waveform"].shape for table in rec.tables] == [(1, 30), (1, 20)]
    labels = [unit.label for table in rec.tables for unit in table.units]
    assert len(set(labels)) == len(labels)


@pytest.mark.parametrize("ending", ["tsq", "tev", "Tbk", "Tdx", "tin", "tnt", "sev", "Notes.txt"])
def test_any_file_of_a_block_opens_it(opened, tmp_path, ending):
    streams = [
        Stream("Wav1", stored_numbers(128, 1)),
        Stream("RSn1", stored_numbers(128, 1, seed=4), flags=0x10),
    ]
    made = write_block(tmp_path / "B", streams)
    for name in ("Tdx", "tin", "tnt"):
        (made.folder / f"{made.stem}.{name}").write_bytes(b"\0\1")
    (made.folder / "Notes.txt").write_text("hello")
    path = next(path for path in made.folder.iterdir() if path.name.endswith(ending))
    with ephyrus.open(path) as rec:  # the format is found
        assert rec.format.name == "tdt"
        np.testing.assert_array_equal(rec.read_signal("Wav1"), streams[0].data)
        np.testing.assert_array_equal(rec.read_signal("RSn1"), streams[1].data)
        assert rec.segments[0].name == "B"
        assert rec.blocks[0].name == "TANK"


def test_renamed_folder_and_files_and_case(opened, tmp_path):
    stream = Stream("Wav1", stored_numbers(128, 1))
    made = write_block(tmp_path / "B", [stream], case=str.upper)
    (made.folder / f"{made.stem}.TEV").rename(made.folder / "renamed.TEV")
    folder = made.folder.rename(tmp_path / "another name")
    (folder / "._TANK_B.TSQ").write_bytes(b"Mac OS X" * 20)
    (folder / "._renamed.TEV").write_bytes(b"Mac OS X" * 20)
    rec = opened(folder)
    np.testing.assert_array_equal(rec.read_signal(0), stream.data)
    assert rec.segments[0].name == "another name"


def test_several_tev_of_strange_names(opened, tmp_path):
    stream = Stream("Wav1", stored_numbers(128, 1))
    made = write_block(tmp_path / "B", [stream])
    shutil.copy(made.folder / "TANK_B.tev", made.folder / "a.tev")
    assert not opened(made.folder).problems
    (made.folder / "TANK_B.tev").rename(made.folder / "b.tev")
    rec = opened(made.folder)
    np.testing.assert_array_equal(rec.read_signal(0), stream.data)
    assert reasons(rec) == [
        "of a.tev, b.tev the first of each ending is used, none is called like the .tsq"
    ]


def test_several_blocks_in_one_folder(opened, tmp_path):
    """Each index takes the files of its name."""
    streams = [Stream("Wav1", stored_numbers(128, 1, seed=seed)) for seed in (0, 7)]
    for at, stream in enumerate(streams):
        write_block(tmp_path / "Tank", [stream], stem=f"T_b{at}", start=START + at * 50)
    rec = opened(tmp_path / "Tank")
    assert [segment.name for segment in rec.segments] == ["T_b0", "T_b1"]
    expected = np.concatenate([stream.data for stream in streams])
    np.testing.assert_array_equal(rec.read_signal(0), expected)
    rec = opened(tmp_path / "Tank" / "T_b1.tev")
    np.testing.assert_array_equal(rec.read_signal(0), streams[1].data)


def test_no_index(opened, tmp_path):
    (tmp_path / "some.tev").write_bytes(bytes(100))
    with pytest.raises(WrongFormatError, match="in the folder of this file"):
        opened(tmp_path / "some.tev")
    with pytest.raises(WrongFormatError, match="neither this folder nor a folder in it"):
        opened(tmp_path)


def test_identified(tmp_path):
    made = write_block(tmp_path / "T" / "B", [Stream("Wav1", stored_numbers(128, 1))])
    for path in (made.folder, made.folder.parent, made.tsq):
        assert ephyrus.registry.matches_of(path)[0].format.name == "tdt"
        assert ephyrus.registry.matches_of(path)[0].confidence == 1
    (tmp_path / "x").mkdir()
    assert "tdt" not in [m.format.name for m in ephyrus.registry.matches_of(tmp_path / "x")]
    (made.folder / "other.abf").write_bytes(b"ABF2" + bytes(600))
    files = FileSet(made.folder / "other.abf")
    assert "tdt" not in [match.format.name for match in identify(files)]


def test_only_the_index_is_needed(opened, tmp_path):
    """Neither .Tdx nor .Tbk; without .tev what the index tells is there, and a note."""
    contents = [Stream("Wav1", stored_numbers(128, 2)), spikes(20), Marks("Tick", [0.5], [1])]
    made = write_block(tmp_path / "B", contents, tbk=False, tev=False)
    rec = opened(made.folder)
    assert not rec.signals
    assert columns_of(rec, "Tick")["label"].tolist() == ["1"]
    table = rec.table("eNe1 ch1")
    assert table.waveforms is None
    mine = contents[1].channels == 1
    np.testing.assert_array_equal(rec.read_table(table)["tick"], ticks_of(contents[1].times[mine]))
    assert "streams Wav1 cannot be read" in " ".join(reasons(rec))
    assert "snippets of store 'eNe1' have no waveforms" in " ".join(reasons(rec))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nothing that is known",
        b"[USERNOTEDELIMITER]x[USERNOTEDELIMITER]NAME=NumChan;TYPE=L;VALUE=3;[STOREHDRITEM]",
        b"[STOREHDRITEM]\r\nNAME=StoreName;TYPE=S;VALUE=Wav1;\r\n" + b"\xff\x80" * 50,
    ],
)
def test_damaged_descriptions_do_not_matter(opened, tmp_path, text):
    stream = Stream("Wav1", stored_numbers(128, 2))
    rec = opened(write_block(tmp_path / "B", [stream], tbk=text).folder)
    np.testing.assert_array_equal(rec.read_signal(0), stream.data)


def test_a_disabled_store_is_told(opened, tmp_path):
    stream = Stream("Wav1", stored_numbers(64, 1))
    text = tbk_text([stream]).replace(
        b"NAME=Enabled;TYPE=L;VALUE=1", b"NAME=Enabled;TYPE=L;VALUE=2"
    )
    rec = opened(write_block(tmp_path / "B", [stream], tbk=text).folder)
    assert rec.signals[0].annotations["enabled"] is False


def test_notes(opened, tmp_path):
    made = write_block(tmp_path / "B", [])
    (made.folder / "Notes.txt").write_bytes(b"Subject: A1\r\nNote-1: 3:18pm moved\r\n")
    (made.folder / "TANK_B.tnt").write_bytes(b"old note\r\n")
    rec = opened(made.folder)
    assert rec.blocks[0].annotations["notes"] == {
        "B": "old note\nSubject: A1\nNote-1: 3:18pm moved"
    }


# Sort results


def sorted_block(tmp_path, *names):
    content = spikes(60, 3)
    made = write_block(tmp_path / "B", [content, Marks("Tick", [0.6], [1])])
    made_codes = []
    for at, name in enumerate(names):
        codes = (np.arange(len(made.records) - 2) + at) % 4 + 1
        path = made.folder / "sort" / name / "eNe1.SortResult"
        path.parent.mkdir(parents=True)
        path.write_bytes(sort_result(made.records, codes, [1, 3]))
        of_snippets = codes[made.records["type"][1:-1] == 0x8201]
        made_codes.append(np.where(content.channels == 2, content.codes, of_snippets))
    return made, content, made_codes


def with_codes(content, codes):
    return Snippets(content.name, content.times, content.channels, codes, content.waves)


def test_the_only_sort_replaces_the_codes(opened, tmp_path):
    """Of the channels that the map says were sorted."""
    made, content, codes = sorted_block(tmp_path, "PLX")
    rec = opened(made.folder)
    assert rec.segments[0].annotations["sort_results"] == ["PLX"]
    assert_snippets(rec, with_codes(content, codes[0]))
    assert_snippets(opened(made.folder, sortname=""), content)
    assert_snippets(opened(made.folder, sortname="plx"), with_codes(content, codes[0]))


def test_of_several_sorts_one_is_chosen(opened, tmp_path):
    made, content, codes = sorted_block(tmp_path, "PLX", "mine")
    rec = opened(made.folder)
    assert_snippets(rec, content)
    assert "sorted more than once off-line ('PLX', 'mine')" in reasons(rec)[0]
    assert_snippets(opened(made.folder, sortname="mine"), with_codes(content, codes[1]))
    with pytest.raises(ValueError, match=r"sortname='other': there is \['PLX', 'mine'\]"):
        opened(made.folder, sortname="other")


def test_a_sort_that_is_too_short(opened, tmp_path):
    made, content, _ = sorted_block(tmp_path, "PLX")
    path = made.folder / "sort" / "PLX" / "eNe1.SortResult"
    path.write_bytes(path.read_bytes()[:1040])
    for salvage in (False, True):
        with pytest.raises(CorruptError, match='sortname="" reads the codes as recorded'):
            opened(made.folder, salvage=salvage)
    assert_snippets(opened(made.folder, sortname=""), content)


# Options


def test_units_and_gains(opened, tmp_path):
    contents = [Stream("Wav1", stored_numbers(64, 2, "i2")), spikes(20, 1, 8, "i2")]
    made = write_block(tmp_path / "B", contents)
    options = {
        "stream_units": "mV",
        "stream_gain": 0.5,
        "snippet_units": "uV",
        "snippet_gain": 0.25,
    }
    rec = opened(made.folder, **options)
    assert rec.signals[0].channels.units == ("mV", "mV")
    np.testing.assert_array_equal(rec.read_scaled(0), contents[0].data * np.float32(0.5))
    block = ephyrus.io.TdtIO(made.folder, **options).read_block(load_waveforms=True)
    trains = block.segments[0].spiketrains
    assert {str(train.waveforms.dimensionality) for train in trains} == {"uV"}
    for train in trains:
        mine = contents[1].codes == int(train.annotations["sort_code"])
        expected = contents[1].waves[mine] * np.float32(0.25)
        np.testing.assert_array_equal(train.waveforms.magnitude[:, 0], expected)


@pytest.mark.parametrize("option", ["stream_gain", "snippet_gain"])
@pytest.mark.parametrize("gain", [0, float("nan"), float("inf")])
def test_gains_that_lose_every_value(opened, tmp_path, option, gain):
    made = write_block(tmp_path / "B", [])
    with pytest.raises(ValueError, match=option):
        opened(made.folder, **{option: gain})


# Bad input


@pytest.mark.parametrize("size", [0, 39, 79])
def test_an_index_that_is_too_short(opened, tmp_path, size):
    made = write_block(tmp_path / "B", [Stream("Wav1", stored_numbers(64, 1))])
    made.tsq.write_bytes(made.tsq.read_bytes()[:size])
    with pytest.raises(TruncatedError, match=f"a .tsq of {size} bytes"):
        opened(made.folder)


def test_the_rest_of_an_index_is_ignored(opened, tmp_path):
    stream = Stream("Wav1", stored_numbers(128, 1))
    made = write_block(tmp_path / "B", [stream])
    made.tsq.write_bytes(made.tsq.read_bytes() + bytes(17))
    rec = opened(made.folder)
    np.testing.assert_array_equal(rec.read_signal(0), stream.data)
    assert rec.problems[0].offset == made.records.nbytes
    assert "last 17 bytes" in reasons(rec)[0]


def test_blank_records_and_unknown_types_are_skipped(opened, tmp_path):
    stream = Stream("Wav1", stored_numbers(128, 1))
    made = write_block(tmp_path / "B", [stream])
    strange = np.zeros(2, RECORD)
    strange["type"], strange["name"] = 0x0405, b"What"
    patch_index(
        made,
        lambda records: np.concatenate(
            [records[:3], np.zeros(3, RECORD), strange, records[3:], np.zeros(4, RECORD)]
        ),
    )
    rec = opened(made.folder)
    np.testing.assert_array_equal(rec.read_signal(0), stream.data)
    assert sorted(reasons(rec)) == [
        "2 records of unknown type 0x0405 are skipped",
        "7 blank records are skipped",
    ]


def test_no_start_mark(opened, tmp_path):
    made = write_block(tmp_path / "B", [Marks("Tick", [0.25, 0.5], [1, 2])])
    patch_index(made, lambda records: np.delete(records, 1))
    rec = opened(made.folder)
    assert seconds(columns_of(rec, "Tick")["tick"], rec.tables[0].clock).tolist() == [0, 0.25]
    assert "no start mark" in reasons(rec)[0]


def test_no_stop_mark(opened, tmp_path):
    made = write_block(tmp_path / "B", [Marks("Tick", [0.25, 0.5], [1, 2])], duration=None)
    rec = opened(made.folder)
    assert rec.segments[0].t_stop == 0.5
    assert "no stop mark" in reasons(rec)[0]


def test_chunks_beyond_the_tev_are_cut(opened, tmp_path):
    stream = Stream("Wav1", stored_numbers(640, 2))
    made = write_block(tmp_path / "B", [stream, Marks("Tick", [0.5], [1])])
    tev = made.folder / "TANK_B.tev"
    tev.write_bytes(tev.read_bytes()[:-300])
    rec = opened(made.folder)
    np.testing.assert_array_equal(rec.read_signal(0), stream.data[:576])
    assert "9 of 10 are read" in reasons(rec)[0]
    assert rec.problems[0].lost == 64
    tev.write_bytes(b"")
    rec = opened(made.folder)
    assert not rec.signals
    assert columns_of(rec, "Tick")["label"].tolist() == ["1"]


def test_snippets_beyond_the_tev_are_left_out(opened, tmp_path):
    content = spikes(40, 1, 30)
    made = write_block(tmp_path / "B", [content])
    tev = made.folder / "TANK_B.tev"
    tev.write_bytes(tev.read_bytes()[: 120 * 25 + 50])
    rec = opened(made.folder)
    found = columns_of(rec, "eNe1 ch1")
    np.testing.assert_array_equal(found["waveform"][:, 0], content.waves[:25])
    assert rec.problems[0].lost == 15


def change_field(field, row, value):
    def change(records):
        records[field][row] = value

    return change


def test_unknown_format_code(opened, tmp_path):
    made = write_block(
        tmp_path / "B", [Stream("Wav1", stored_numbers(128, 1)), Marks("Tick", [0.5], [1])]
    )
    patch_index(made, change_field("format", slice(2, 4), 9))
    with pytest.raises(UnsupportedVersionError, match="'Wav1' have the unknown format 9") as caught:
        opened(made.folder)
    assert caught.value.offset == 80 + 32
    rec = opened(made.folder, salvage=True)
    assert (len(rec.signals), len(rec.tables)) == (0, 1)


def test_chunk_sizes_that_differ_within_a_store(opened, tmp_path):
    stream = Stream("Wav1", stored_numbers(640, 1))
    made = write_block(tmp_path / "B", [stream])
    patch_index(made, change_field("size", 5, 42))
    with pytest.raises(CorruptError, match="'Wav1' differ in size, format or") as caught:
        opened(made.folder)
    assert caught.value.offset == 200
    rec = opened(made.folder, salvage=True)
    assert rec.signals[0].length == 576
    assert rec.problems[0].lost == 1


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("size", 10, "point to 0 bytes"),
        ("size", -5, "point to -60 bytes"),
        ("rate", 0, "sampling rate 0.0"),
        ("rate", np.nan, "sampling rate nan"),
    ],
)
def test_records_that_cannot_be_true(opened, tmp_path, field, value, reason):
    made = write_block(tmp_path / "B", [Stream("Wav1", stored_numbers(64, 1))])
    patch_index(made, change_field(field, 2, value))
    with pytest.raises(CorruptError, match=reason):
        opened(made.folder)
    assert not opened(made.folder, salvage=True).signals


@pytest.mark.parametrize("time", [np.nan, np.inf, -np.inf, 1e200, 1e305, -1e17])
def test_times_that_cannot_be_true(opened, tmp_path, time):
    contents = [Marks("Tick", [0.25, 0.5, 0.75], [1, 2, 3]), spikes(20, 1)]
    made = write_block(tmp_path / "B", contents)
    row = int(np.flatnonzero(made.records["name"] == b"Tick")[1])
    patch_index(made, change_field("time", row, time))
    with pytest.raises(CorruptError, match="'Tick' has the time") as caught:
        opened(made.folder)
    assert caught.value.offset == row * 40 + 16
    rec = opened(made.folder, salvage=True)
    assert columns_of(rec, "Tick")["values"].tolist() == [1, 3]


@pytest.mark.parametrize("flags", [0, 0x10])
def test_a_stream_without_any_time(opened, tmp_path, flags):
    contents = [Stream("Wav1", stored_numbers(128, 2), flags=flags), Marks("Tick", [0.5], [1])]
    made = write_block(tmp_path / "B", contents)
    patch_index(made, change_field("time", made.records["name"] == b"Wav1", np.nan))
    with pytest.raises(CorruptError, match="'Wav1' has the time nan"):
        opened(made.folder)
    rec = opened(made.folder, salvage=True)
    assert not rec.signals
    assert columns_of(rec, "Tick")["values"].tolist() == [1]


def test_a_channel_that_lost_its_last_chunk(opened, tmp_path):
    stream = Stream("Wav1", stored_numbers(640, 3))
    made = write_block(tmp_path / "B", [stream])
    patch_index(made, lambda records: records[:-3])  # the stop mark and two chunks
    rec = opened(made.folder)
    np.testing.assert_array_equal(rec.read_signal(0), stream.data[:576])
    assert any("all are cut to that" in reason for reason in reasons(rec))


def test_channels_with_other_counts_of_chunks(opened, tmp_path):
    stream = Stream("Wav1", stored_numbers(640, 3))
    made = write_block(tmp_path / "B", [stream])
    patch_index(made, change_field("channel", [4, 7, 10], 300))
    with pytest.raises(CorruptError, match="'Wav1' have 3 to 10 chunks"):
        opened(made.folder)
    rec = opened(made.folder, salvage=True)
    assert "300" not in rec.signals[0].channels.ids


def test_channels_that_are_not_simultaneous(opened, tmp_path):
    stream = Stream("Wav1", stored_numbers(640, 3))
    made = write_block(tmp_path / "B", [stream])

    def late(records):
        records["time"][records["channel"] == 2] += 0.5

    patch_index(made, late)
    with pytest.raises(CorruptError, match=r"are not simultaneous \(2"):
        opened(made.folder)
    rec = opened(made.folder, salvage=True)
    np.testing.assert_array_equal(rec.read_signal(0), stream.data[:, [0, 2]])


def test_an_index_of_very_many_kinds(opened, tmp_path):
    """More kinds of records than places for them: found by sorting, or skipped."""
    stream = Stream("Wav1", stored_numbers(128, 1))
    made = write_block(tmp_path / "B", [stream])
    strange = np.zeros(70_000, RECORD)
    strange["type"] = 0x0405
    strange["size"] = np.arange(70_000)
    patch_index(made, lambda records: np.concatenate([records[:-1], strange, records[-1:]]))
    rec = opened(made.folder)
    np.testing.assert_array_equal(rec.read_signal(0), stream.data)
    assert "more unknown kinds are skipped" in reasons(rec)[-1]


def test_many_channels(opened, tmp_path):
    """Keys of stores and channels that need more than 16 bits."""
    numbers = [1, 40_000, 65_535]
    contents = [
        Stream("Wav1", stored_numbers(128, 3), channels=numbers),
        Stream("Wav2", stored_numbers(128, 3, seed=5), channels=numbers),
    ]
    rec = opened(write_block(tmp_path / "B", contents).folder)
    for content in contents:
        np.testing.assert_array_equal(rec.read_signal(content.name), content.data)


# Real files

REAL = "tdt/Photometry-161823"


@pytest.fixture
def real(opened):
    return opened(data_path(REAL))


@pytest.mark.real
def test_real_stores(real):
    """Its .tev is absent: the index tells of all stores, epocs are read, streams are noted."""
    expected = golden(REAL)["stores"]
    names = {table.name.replace("/", "_") for table in real.tables}
    assert names == {name for name, store in expected.items() if store["type"] != "streams"}
    (problem,) = real.problems
    streams = [name for name, store in expected.items() if store["type"] == "streams"]
    for name in streams:
        assert name.lstrip("_") in problem.reason
    channels = real.read_table("Fi1i", columns=["channel"])["channel"]
    assert sorted(channels.tolist()) == expected["Fi1i"]["channels"]


@pytest.mark.real
def test_real_dates(real):
    expected = golden(REAL)
    assert f"{real.blocks[0].rec_datetime:%F %T.%f}" == expected["start_date"]
    duration = np.datetime64(expected["stop_date"]) - np.datetime64(expected["start_date"])
    assert abs(real.segments[0].t_stop - duration / np.timedelta64(1, "s")) < 2e-6


@pytest.mark.real
@pytest.mark.parametrize("number", range(3))
def test_real_epocs(real, number):
    """Golden times are rounded to 1/195312.5 s; golden offsets are the next onsets."""
    expected = golden(REAL)["segments"][0]["epochs"][number]
    table = next(each for each in real.tables if each.name.replace("/", "_") == expected["name"])
    found = real.read_table(table, columns=["tick", "values", "label"])
    times = seconds(found["tick"], table.clock)
    assert_points(times, expected, atol=1 / 195312.5)
    rounded = np.floor(times * 195312.5) / 195312.5
    np.testing.assert_allclose(rounded[:5], expected["first5"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(rounded.sum(), expected["sum"], rtol=1e-13)
    values, wanted = found["values"], expected["values"]
    assert len(values) == wanted["n"]
    assert values[:5].tolist() == wanted["first5"]
    assert values[-5:].tolist() == wanted["last5"]
    for statistic in ("sum", "mean", "std", "min", "max"):
        assert getattr(values, statistic)() == pytest.approx(wanted[statistic], rel=1e-12)
    assert found["label"].tolist() == [f"{value:g}" for value in values]
    offsets = np.append(rounded[1:], np.inf)
    assert len(offsets) == expected["offset"]["count"]
    np.testing.assert_allclose(offsets[:5], expected["offset"]["first5"], rtol=0, atol=1e-12)
    last = np.array(expected["offset"]["last5"], float)
    np.testing.assert_allclose(offsets[-5:], last, rtol=0, atol=1e-9)


@pytest.mark.real
def test_real_streams_of_zeros(opened, tmp_path):
    """With a .tev of zeros in its place the streams are as many and as long as the golden ones."""
    source = data_path(REAL)
    for path in source.iterdir():
        shutil.copy(path, tmp_path / path.name)
    size = 72_594_000  # where the stop mark says that the data end
    with (tmp_path / "x.tev").open("wb") as file:
        file.truncate(size)
    rec = opened(tmp_path)
    assert not rec.problems
    expected = golden(REAL)["stores"]
    streams = {stream.name.rjust(5, "_") if stream.name[0] == "4" else stream.name: stream
               for stream in rec.signals}  # fmt: skip
    assert streams.keys() == {name for name, each in expected.items() if each["type"] == "streams"}
    for name, stream in streams.items():
        assert float(stream.rate) == expected[name]["sampling_rate"]
        assert [int(each) for each in stream.channels.ids] == expected[name]["channels"]
        assert len(stream.runs) == 1
    assert streams["DelF"].length == 5251 * 128
    assert streams["Fi1r"].length == 31508 // 4 * 512
