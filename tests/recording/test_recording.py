"""`Recording`: the example format, and made files whose bytes are known."""

import pickle
import threading
from datetime import datetime
from fractions import Fraction

import numpy as np
import pytest

import ephyrus.formats.example as example
from ephyrus.errors import LimitError
from ephyrus.recording import (
    BlockInfo,
    FileSet,
    Limits,
    Recording,
    RecordingInfo,
    SegmentInfo,
)
from ephyrus.recording.select import with_extents
from tests.synth import arrays

DATA = np.arange(60, dtype="<i2").reshape(20, 3) - 30
RUNS = [(8, 100, 0), (12, 1000, 2)]


def signal(**more):
    facts = {"names": ["a", "b", "c"], "ids": ["1", "a", "x3"], "gain": [0.5, 1.0, -2.0]}
    return arrays.signal(DATA, runs=RUNS, units=["mV", "pA", ""], **(facts | more))


SPIKES = arrays.table(
    "spikes",
    runs=[(4, 0, 0), (3, 500, 2)],
    units=[(0, "unsorted", "ch#0"), (2, "two", "ch#2"), (9, "silent", "ch#9")],
    tick=[10, 20, 30, 40, 510, 520, 530],
    unit=[2, 0, 2, 2, 0, 0, 2],
    waveform=np.arange(14, dtype="<i2").reshape(7, 1, 2),
    waveforms=[20000, "uV"],
    name="cells",
)


def made(**more):
    return arrays.in_memory([signal(name="amplifier")], [SPIKES], **more)


@pytest.fixture
def fake():
    with Recording(example, FileSet("made-up.fake", memory={"made-up.fake": b""})) as recording:
        yield recording


def test_example_describes_itself(fake):
    assert fake.format is example.FORMAT
    assert fake.module is example
    assert fake.path == "made-up.fake"
    assert [block.name for block in fake.blocks] == ["Block #0", "Block #1"]
    assert [(each.t_start, each.t_stop, each.block) for each in fake.segments] == [
        (0.0, 10.0, 0),
        (15.0, 25.0, 0),
        (0.0, 10.0, 1),
        (20.0, 30.0, 1),
        (60.0, 70.0, 1),
    ]
    assert [stream.name for stream in fake.signals] == ["stream 0", "stream 1"]
    assert fake.signals[1].channels.units == ("uV",) * 6 + ("pA",) * 2
    assert [table.kind for table in fake.tables] == ["spikes"] * 3 + ["events", "epochs"]
    assert fake.problems == ()
    assert dict(fake.options) == {}
    assert fake.stimuli == ()
    assert dict(fake.annotations) == {}


def test_example_signals(fake):
    raw = fake.read_signal(1, 99_990, 100_010, ["ch15", "9"])
    np.testing.assert_array_equal(raw, np.zeros((20, 2), "<i2"))
    assert fake.read_scaled("stream 0", 0, 5).dtype == np.float32
    assert fake.signals[0].t_start(3) == 20


def test_example_tables(fake):
    spikes = fake.read_table(0, 18, 22)
    assert spikes["tick"].tolist() == [9000, 9500, 150_000, 150_500]
    assert spikes["amplitudes"].tolist() == [-18.0, -19.0, 0.0, -1.0]
    assert spikes["unit"].tolist() == [0, 0, 0, 0]
    assert "waveform" not in spikes
    waveforms = fake.read_table("#1", columns=["waveform"])["waveform"]
    assert waveforms.shape == (100, 1, 50)
    part = fake.read_table("#1", 20, 40, ["waveform"])["waveform"]
    np.testing.assert_array_equal(part, waveforms[20:40])
    events = fake.read_table("Some events", 5, 8)
    assert events["tick"].tolist() == [50_000, 150_000, 160_000]
    assert events["label"].tolist() == ["trigger_b", "trigger_a", "trigger_b"]
    assert events["button"].tolist() == ["A"] * 3
    epochs = fake.read_table("ep_1", 4, 6, ["label", "duration"])
    assert {key: value.tolist() for key, value in epochs.items()} == {
        "label": ["zoneX", "zoneZ"],
        "duration": [2500, 2500],
    }


@pytest.mark.parametrize(
    ("channels", "positions"),
    [
        (None, [0, 1, 2]),
        (1, [1]),
        (-1, [2]),
        (np.int64(0), [0]),
        ("c", [2]),
        ("x3", [2]),
        ("a", [0]),
        (["c", "a", "1"], [2, 0, 0]),
        (np.array(["b"]), [1]),
        (slice(None, None, -1), [2, 1, 0]),
        (slice(1, 9), [1, 2]),
        ([2, -3, 2], [2, 0, 2]),
        (np.array([1], "u1"), [1]),
        (range(2), [0, 1]),
        ([True, False, True], [0, 2]),
        (np.zeros(3, bool), []),
        ([], []),
        ((), []),
    ],
)
def test_channel_selections(channels, positions):
    recording = made()
    expected = DATA[:, positions]
    np.testing.assert_array_equal(recording.read_signal(0, channels=channels), expected)
    scaled = expected * np.array([0.5, 1.0, -2.0])[positions]
    found = recording.read_scaled(0, channels=channels)
    np.testing.assert_array_equal(found, scaled)
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("channels", "text"),
    [
        (3, r"'amplifier' has 3 channels, asked for \[3\]"),
        (-4, r"asked for \[-4\]"),
        ([0, 7], r"asked for \[0, 7\]"),
        ("d", r"'amplifier' has no channel 'd'; it has \['a', 'b', 'c'\]"),
        ([True, False], "a mask of 2 for 3 channels of 'amplifier'"),
        ([0.5], "are chosen by positions, names or a mask"),
        ([[0, 1]], "are chosen by positions, names or a mask"),
    ],
)
def test_channel_mistakes(channels, text):
    with pytest.raises(IndexError, match=text):
        made().read_signal(0, channels=channels)


@pytest.mark.parametrize("bounds", [(0, 20), (0, None), (7, 9), (5, 5), (20, 20), (19, None)])
def test_ranges(bounds):
    np.testing.assert_array_equal(made().read_signal(0, *bounds), DATA[slice(*bounds)])


@pytest.mark.parametrize("bounds", [(-1, 3), (3, 2), (0, 21), (21, None), (0, -1)])
def test_ranges_outside(bounds):
    with pytest.raises(IndexError, match=r"items .* of 'amplifier', which has 20"):
        made().read_signal(0, *bounds)
    with pytest.raises(IndexError, match="'amplifier', which has 20"):
        list(made().chunks(0, *bounds))


def test_table_ranges_and_columns():
    recording = made()
    found = recording.read_table("cells", 3, 5)
    assert {key: value.tolist() for key, value in found.items()} == {
        "tick": [40, 510],
        "unit": [2, 0],
    }
    assert recording.read_table(0, 1, 2, ["waveform"])["waveform"].tolist() == [[[2, 3]]]
    assert recording.read_table(0, 0, 0)["tick"].shape == (0,)
    with pytest.raises(IndexError, match="items 0 to 8 of 'cells', which has 7"):
        recording.read_table(0, 0, 8)
    with pytest.raises(KeyError, match="table 'cells' has no column 'label'; it has"):
        recording.read_table(0, columns=["label"])


def test_streams_are_found_by_position_id_and_name():
    recording = arrays.in_memory([signal(name="x"), signal(name="signals0")], [SPIKES])
    assert recording.signal(0) is recording.signals[0]
    assert recording.signal(-1) is recording.signals[1]
    assert recording.signal("x") is recording.signals[0]
    assert recording.signal("signals0") is recording.signals[0]  # ids go before names
    assert recording.signal(recording.signals[1]) is recording.signals[1]
    assert recording.table("tables0") is recording.table(0) is recording.table("cells")
    with pytest.raises(KeyError, match="no signal 2 in this recording; it has 2: 'x', 'signals0'"):
        recording.signal(2)
    with pytest.raises(KeyError, match="no table 'x' in this recording; it has 1: 'cells'"):
        recording.table("x")
    with pytest.raises(KeyError, match="it has 0: none"):
        arrays.in_memory().signal(0)


def test_stimuli_are_read_as_signals_are():
    recording = arrays.in_memory([signal()], stimuli=[arrays.signal(DATA * 2, gain=0.5)])
    np.testing.assert_array_equal(recording.read_scaled(recording.stimuli[0], 3, 7), DATA[3:7])


@pytest.mark.parametrize("max_bytes", [1, 24, 100, 10**6])
def test_chunks_join_to_the_whole(max_bytes):
    recording = made()
    parts = list(recording.chunks("amplifier", 2, 19, [2, 0], max_bytes=max_bytes))
    assert parts[0][0] == 2
    whole = np.concatenate([values for _, values in parts])
    np.testing.assert_array_equal(whole, recording.read_scaled(0, 2, 19, [2, 0]))
    position = 2
    for first, values in parts:
        assert first == position
        assert values.nbytes <= max_bytes or len(values) == 1
        position += len(values)


def test_images_are_read_whole():
    frames = np.arange(2 * 3 * 4, dtype="<u2").reshape(2, 3, 4)
    recording = arrays.in_memory([arrays.signal(frames, names=["camera"], gain=0.5, offset=1.0)])
    np.testing.assert_array_equal(recording.read_signal(0), frames)
    np.testing.assert_array_equal(recording.read_scaled(0, 1), frames[1:] * 0.5 + 1)
    (chunk,) = recording.chunks(0)
    np.testing.assert_array_equal(chunk[1], frames * 0.5 + 1)


def test_scaled_dtype_is_the_callers_choice():
    found = made().read_scaled(0, channels=2, dtype=np.dtype(np.float64))
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found[:, 0], DATA[:, 2] * -2.0)


def test_limits_count_what_is_asked_for():
    recording = made(limits=Limits(read_bytes=60))
    assert recording.read_signal(0, 0, 10).shape == (10, 3)
    assert recording.read_signal(0, channels=[0]).shape == (20, 1)
    with pytest.raises(LimitError, match="amplifier: 66 bytes were asked for, 60 are allowed"):
        recording.read_signal(0, 0, 11)
    with pytest.raises(LimitError, match="cells: 84 bytes"):
        recording.read_table(0, columns=["tick", "waveform"])
    assert recording.read_table(0, columns=["tick"])["tick"].shape == (7,)
    frames = np.zeros((4, 5, 4), "u1")
    images = arrays.in_memory([arrays.signal(frames, names=["c"])], limits=Limits(read_bytes=60))
    assert images.read_signal(0, 0, 3).shape == (3, 5, 4)
    with pytest.raises(LimitError, match="80 bytes"):
        images.read_signal(0)


def test_unit_rows():
    recording = made()
    stream = recording.tables[0]
    assert [rows.tolist() for rows in recording.unit_rows(stream, 0)] == [[1], [0, 2, 3], []]
    assert [rows.tolist() for rows in recording.unit_rows(stream, 1)] == [[0, 1], [2], []]
    assert recording.unit_rows(stream, 1) is recording.unit_rows(stream, 1)
    assert stream.unit_counts.tolist() == [[1, 2], [3, 1], [0, 0]]


def test_segment_runs():
    runs = [(3, 0, 1), (4, 9, 0), (5, 20, 1), (8, 50, 3)]
    recording = arrays.in_memory([signal() | {"runs": runs}])
    stream = recording.signals[0]
    found = [recording.segment_runs(stream, segment).tolist() for segment in range(5)]
    assert found == [[1], [0, 2], [], [3], []]
    other = arrays.in_memory([signal()]).signals[0]
    assert recording.segment_runs(other, 2).tolist() == [1]


def test_extents_come_from_runs_unless_the_format_knows_better():
    recording = arrays.in_memory(
        [signal()],
        segments=[{}, {"name": "nothing in it"}, {"t_start": 0.5}],
    )
    assert [(each.t_start, each.t_stop) for each in recording.segments] == [
        (0.1, 0.108),
        (0.0, 0.0),
        (0.5, 1.012),
    ]
    assert recording.segments[1].name == "nothing in it"


def test_extents_keep_everything_else():
    when = datetime(2024, 5, 6)
    segment = SegmentInfo(None, 2.5, "s", 1, {"a": 1}, when)
    (found,) = with_extents(RecordingInfo((segment,), (BlockInfo(), BlockInfo())))
    assert found == SegmentInfo(0.0, 2.5, "s", 1, {"a": 1}, when)


def test_problems_are_kept():
    (problem,) = made(note="odd header").problems
    assert str(problem) == "made.arrays: byte 3 (note): odd header [2 items lost]"


@pytest.mark.parametrize("access", ["mmap", "pread"])
def test_pickling_is_a_recipe_with_options(tmp_path, access):
    path = arrays.write(tmp_path / "made.arrays", [signal()], [SPIKES])
    limits = Limits(read_bytes=10**6)
    with arrays.opened(FileSet(path, access=access), limits=limits, note="hm") as recording:
        recipe = pickle.dumps(recording)
    assert len(recipe) < 1000
    with pickle.loads(recipe) as again:
        assert again.limits == limits
        assert dict(again.options) == {"note": "hm"}
        assert [problem.reason for problem in again.problems] == ["hm"]
        assert again.reading.files.access == access
        np.testing.assert_array_equal(again.read_signal(0, 3, 9), DATA[3:9])
        assert again.signals[0].clock == Fraction(1000)


def test_the_example_can_be_pickled(fake):
    again = pickle.loads(pickle.dumps(fake))
    assert again.read_table("ev_0")["tick"].tolist() == fake.read_table("ev_0")["tick"].tolist()


@pytest.mark.parametrize("access", ["mmap", "pread"])
def test_closing_and_reading_again(tmp_path, access):
    path = arrays.write(tmp_path / "made.arrays", [signal()])
    recording = arrays.opened(FileSet(path, access=access))
    before = recording.read_signal(0)
    recording.close()
    assert not recording.is_open
    recording.close()
    np.testing.assert_array_equal(before, DATA)
    np.testing.assert_array_equal(recording.read_signal(0), DATA)
    assert recording.is_open
    recording.close()


def test_with_closes(tmp_path):
    path = arrays.write(tmp_path / "made.arrays", [signal()])
    with arrays.opened(FileSet(path)) as recording:
        assert recording.is_open
    assert not recording.is_open


def test_a_failed_opening_closes_its_files(tmp_path):
    path = tmp_path / "broken.arrays"
    path.write_bytes((10).to_bytes(8, "little") + b"not json at all")
    files = FileSet(path)
    with pytest.raises(ValueError, match="Expecting value"):
        arrays.opened(files)
    assert not files.is_open


@pytest.mark.parametrize("access", ["mmap", "pread"])
def test_threads_read_the_same(tmp_path, access):
    path = arrays.write(tmp_path / "made.arrays", [signal()], [SPIKES])
    wrong = []
    with arrays.opened(FileSet(path, access=access)) as recording:

        def read(seed):
            rng = np.random.default_rng(seed)
            for _ in range(50):
                start, stop = sorted(rng.integers(0, 21, 2).tolist())
                if not np.array_equal(recording.read_signal(0, start, stop), DATA[start:stop]):
                    wrong.append((start, stop))
                rows = recording.unit_rows(recording.tables[0], int(rng.integers(2)))
                if [len(each) for each in rows] not in ([1, 3, 0], [2, 1, 0]):
                    wrong.append(rows)

        threads = [threading.Thread(target=read, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_what_is_read_cannot_change_the_file(tmp_path):
    path = arrays.write(tmp_path / "made.arrays", [signal()])
    with arrays.opened(FileSet(path)) as recording:
        with pytest.raises(ValueError, match="read-only"):
            recording.read_signal(0)[0, 0] = 1
        recording.read_scaled(0)[0, 0] = 1
        np.testing.assert_array_equal(recording.read_signal(0), DATA)
