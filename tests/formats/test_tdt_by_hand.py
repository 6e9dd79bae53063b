"""TDT blocks put together record by record from the description; files that are missing or many."""

from __future__ import annotations

import os
import struct
from datetime import UTC, datetime

import numpy as np
import pytest

from ephyrus.errors import CorruptError, TruncatedError
from ephyrus.io import TdtIO
from ephyrus.registry import open_recording
from tests.synth.tdt import RATE, START, Marks, Stream, stored_numbers, write_block, write_sevs

ZERO = 1_400_000_000.5
TICK = 2**-24


@pytest.fixture
def opened():
    recordings = []

    def open_path(path, **options):
        recordings.append(open_recording(path, **options))
        return recordings[-1]

    yield open_path
    for recording in recordings:
        recording.close()


def record(kind, name, time, *, words=0, channel=0, sort=0, place=0, form=0, rate=0.0):
    """A record whose eight bytes at 24 are an offset."""
    return struct.pack(
        "<iI4sHHdqif", 10 + words, kind, name, channel, sort, time, place, form, rate
    )


def value(kind, name, time, number, *, channel=0, note=0, buddy=None):
    """A record whose eight bytes at 24 are a number."""
    middle = struct.pack("<HH", channel, 0) if buddy is None else buddy
    head = struct.pack("<iI4s", 10, kind, name)
    return head + middle + struct.pack("<ddiI", time, number, 4, note)


def test_a_block_of_everything(opened, tmp_path):
    """Two streams (one with a gap, channels and chunks in disorder), snippets, epochs, scalars."""
    rate = 1000.0
    low = np.arange(1, 25, dtype="<i2").reshape(2, 3, 4)  # channel, chunk, point
    high = np.arange(8, dtype="<f8") / 3
    snips = np.arange(24, dtype="<f4").reshape(4, 6) - 11.5
    data, places = bytearray(b"\xaa" * 7), {}

    def put(key, samples):
        places[key] = len(data)
        data.extend(samples.tobytes() + b"\xbb" * 3)  # nothing is aligned

    for chunk, channel in ((0, 1), (0, 0), (2, 0), (2, 1), (1, 0), (1, 1)):
        put(("low", channel, chunk), low[channel, chunk])
    put("high", high)
    for number in range(4):
        put(number, snips[number])
    times = [0.25, 0.254, 0.275]  # 4 ms for each chunk; 17 ms are lost before the third
    records = [record(0, b"\0\0\0\0", 0.0), record(0x8801, b"\1\0\0\0", ZERO)]
    records += [
        record(0x8101, b"LF_\0", ZERO + times[chunk], words=2, channel=channel + 7,
               place=places["low", channel, chunk], form=2, rate=rate)
        for chunk in range(3)
        for channel in (1, 0)
    ]  # fmt: skip
    records.append(record(0x8101, b"Hi/x", ZERO + 0.25, words=16, channel=1,
                          place=places["high"], form=4, rate=24414.0625))  # fmt: skip
    for number, (time, channel, sort) in enumerate(
        [(0.3, 2, 31), (0.3 + 2 * TICK, 2, 0), (0.31, 1, 300), (0.32, 2, 31)]
    ):
        records.append(record(0x8201, b"eNeu", ZERO + time, words=6, channel=channel, sort=sort,
                              place=places[number], rate=24414.0625))  # fmt: skip
    records += [
        value(0x0102, b"PtC\\", ZERO + 0.125, 9.0, buddy=b"PtC/"),
        value(0x0101, b"PtC/", ZERO + 0.2, -1.5),
        value(0x0102, b"PtC\\", ZERO + 0.3, -1.5, buddy=b"PtC/"),
        value(0x0101, b"PtC/", ZERO + 0.4, 1e6),
        value(0x0101, b"Tick", ZERO + 0.41, 3.0, note=2),
        value(0x0201, b"Frq1", ZERO + 0.42, 0.1, channel=5),
        record(0x8801, b"\2\0\0\0", ZERO + 0.5),
    ]
    folder = tmp_path / "Tank-9" / "B_1"
    folder.mkdir(parents=True)
    (folder / "x.tsq").write_bytes(b"".join(records))
    (folder / "y.TEV").write_bytes(data)
    rec = opened(folder)
    assert rec.problems == ()
    assert rec.blocks[0].rec_datetime == datetime.fromtimestamp(ZERO, UTC)
    first, second = rec.signals
    assert (first.name, second.name) == ("LF_", "Hi/x")
    assert (first.rate, second.rate) == (1000, RATE)
    assert first.channels.ids == ("7", "8")
    np.testing.assert_array_equal(rec.read_signal(0), low.reshape(2, 12).T)
    np.testing.assert_array_equal(rec.read_signal(0, 3, 9, [1]), low.reshape(2, 12).T[3:9, 1:])
    np.testing.assert_array_equal(rec.read_signal(1)[:, 0], high)
    seconds = first.runs["tick"] / float(first.clock)
    np.testing.assert_allclose(seconds, [0.25, 0.275], atol=2.4e-7)
    assert first.runs["count"].tolist() == [8, 4]
    tables = {(table.name, table.kind): table for table in rec.tables}
    spikes = tables["eNeu ch2", "spikes"]
    found = rec.read_table(spikes, columns=["tick", "unit", "waveform"])
    np.testing.assert_array_equal(found["waveform"][:, 0], snips[[0, 1, 3]])
    assert found["unit"].tolist() == [31, 0, 31]
    exact = np.array([ZERO + time for time in (0.3, 0.3 + 2 * TICK, 0.32)]) - ZERO
    np.testing.assert_array_equal(found["tick"] * TICK, exact)
    other = rec.read_table(tables["eNeu ch1", "spikes"], columns=["unit", "waveform"])
    assert other["unit"].tolist() == [300]
    np.testing.assert_array_equal(other["waveform"][0, 0], snips[2])
    epochs = rec.read_table(tables["PtC/", "epochs"])
    np.testing.assert_allclose(epochs["tick"] * TICK, [0, 0.2, 0.4], atol=2.4e-7)
    np.testing.assert_allclose(epochs["duration"] * TICK, [0.125, 0.1, 0.1], atol=4.8e-7)
    assert epochs["label"].tolist() == ["9", "-1.5", "1e+06"]
    assert epochs["values"].tolist() == [9.0, -1.5, 1e6]
    tick = rec.read_table(tables["Tick", "events"])
    assert (tick["label"].tolist(), tick["note"].tolist()) == (["3"], [2])
    scalar = rec.read_table(tables["Frq1", "events"])
    assert (scalar["values"].tolist(), scalar["channel"].tolist()) == ([0.1], [5])


@pytest.mark.parametrize("has_records", [True, False])
@pytest.mark.parametrize(
    ("lost", "missing", "kept"),
    [("*_Ch1-2h.sev", "Ch1-2h.sev", 320), ("*_Ch?-1h.sev", "Ch1-1h.sev", 160)],
)
def test_a_missing_part_is_not_bridged(opened, tmp_path, has_records, lost, missing, kept):
    stream = Stream("RSn1", stored_numbers(640, 2), flags=0x10 if has_records else 0)
    contents = [stream] if has_records else [Marks("Tick", [0.1], [1])]
    made = write_block(tmp_path / "B", contents, parts=4, tev=False)
    if not has_records:
        write_sevs(made.folder, made.stem, stream, parts=4)
    for path in made.folder.glob(lost):
        path.unlink()
    with pytest.raises(CorruptError, match=f"rsn1_{missing} is missing"):
        opened(made.folder)
    rec = opened(made.folder, salvage=True)
    np.testing.assert_array_equal(rec.read_signal(0), stream.data[:kept])
    assert any("later part" in problem.reason for problem in rec.problems)


def test_a_missing_first_part(opened, tmp_path):
    stream = Stream("RSn1", stored_numbers(640, 2), flags=0x10)
    made = write_block(tmp_path / "B", [stream], parts=2)
    (made.folder / f"{made.stem}_RSn1_Ch2.sev").unlink()
    with pytest.raises(CorruptError, match=r"rsn1_Ch2\.sev is missing"):
        opened(made.folder)
    rec = opened(made.folder, salvage=True)
    np.testing.assert_array_equal(rec.read_signal(0), stream.data[:, :1])
    assert rec.signals[0].channels.ids == ("1",)


@pytest.mark.parametrize("size", [0, 40])
def test_a_block_of_a_tank_that_cannot_be_read(opened, tmp_path, size):
    stream = Stream("Wav1", stored_numbers(128, 2))
    write_block(tmp_path / "TANK" / "B-1", [stream])
    write_block(tmp_path / "TANK" / "B-3", [stream], start=START + 100)
    made = write_block(tmp_path / "TANK" / "B-2", [stream], start=START + 50)
    made.tsq.write_bytes(bytes(size))
    with pytest.raises(TruncatedError, match=r"B-2\.tsq"):
        opened(tmp_path / "TANK", format="tdt")
    rec = opened(tmp_path / "TANK", format="tdt", salvage=True)
    assert [segment.name for segment in rec.segments] == ["B-1", "B-3"]
    np.testing.assert_array_equal(rec.read_signal(0), np.tile(stream.data, (2, 1)))
    (problem,) = rec.problems
    assert problem.path.endswith("B-2.tsq")
    with pytest.raises(TruncatedError, match=r"B-2\.tsq"):
        opened(made.folder, format="tdt", salvage=True)


@pytest.mark.parametrize("access", ["mmap", "pread"])
def test_more_files_than_descriptors(tmp_path, access):
    resource = pytest.importorskip("resource")
    stream = Stream("RSn1", stored_numbers(64, 200), points=32, flags=0x10)
    made = write_block(tmp_path / "B", [stream], tev=False)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    used = os.dup(0)
    os.close(used)
    resource.setrlimit(resource.RLIMIT_NOFILE, (used + 110, limits[1]))
    try:
        with open_recording(made.folder, access=access) as rec:
            np.testing.assert_array_equal(rec.read_signal(0), stream.data)
            every = [rec.read_signal(0, 0, 64, [channel])[:, 0] for channel in range(200)]
            np.testing.assert_array_equal(np.stack(every, axis=1), stream.data)
        block = TdtIO(made.folder).read_block(signal_group_mode="split-all", lazy=True)
        signals = [each.load().magnitude[:, 0] for each in block.segments[0].analogsignals]
        np.testing.assert_array_equal(np.stack(signals, axis=1), stream.data)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
