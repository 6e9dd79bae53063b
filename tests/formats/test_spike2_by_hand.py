"""Spike2 .smr files put together number by number from the description, without the writer."""

from __future__ import annotations

import struct
from datetime import datetime
from fractions import Fraction

import numpy as np
import pytest
import quantities as pq

from ephyrus.io import Spike2IO
from ephyrus.recording import seconds
from ephyrus.registry import open_recording
from tests.golden import data_path

SLOTS = 32
DATA = 5120  # 512 + 32 * 140 bytes, rounded up


class File:
    """Bytes of a file; numbers are put where the description has them."""

    def __init__(self, version: int, order: str, *, slots: int = SLOTS) -> None:
        self.order, self.version = order, version
        self.unit = 512 if version == 9 else 1
        self.start = -(-(512 + 140 * slots) // 512) * 512
        self.raw = bytearray(self.start)
        self.put(0, "h", version)
        self.raw[2:12] = b"(C) CED 87"
        self.raw[12:20] = b"byhand\0\0"
        self.put(30, "h", slots)
        self.put(32, "H", self.start - 512)
        self.put(38, "H", 0x0101 if order == ">" else 0)

    def put(self, offset: int, form: str, *values) -> None:
        struct.pack_into(self.order + form, self.raw, offset, *values)

    def text(self, offset: int, size: int, text: bytes) -> None:
        self.raw[offset : offset + size] = (bytes([len(text)]) + text).ljust(size, b"\xee")

    def clock(self, us_per_time: int, time_per_adc: int, time_base: float | None) -> None:
        self.put(20, "HH", us_per_time, time_per_adc)
        if time_base is not None:
            self.put(44, "d", time_base)

    def block(self, number: int, size: int, ticks, items: int, payload: bytes, flag=0) -> int:
        """Append a block that follows no other; returns its place."""
        place = len(self.raw)
        self.raw += bytes(size)
        self.put(place, "ii", -1, -1)
        named = (number & 0xFF) | (0x200 if number & 0x100 else 0) | flag
        self.put(place + 8, "iiHH", *ticks, named, items)
        self.raw[place + 20 : place + 20 + len(payload)] = payload
        return place

    def chain(self, slot: int, places, kind: int, size: int) -> int:
        """Link blocks to each other and to their channel; returns where its slot is."""
        for before, place in zip(places, places[1:]):  # noqa: B905, RUF007
            self.put(before + 4, "i", place // self.unit)
            self.put(place, "i", before // self.unit)
        at = 512 + 140 * slot
        self.put(at + 6, "ii", places[0] // self.unit, places[-1] // self.unit)
        self.put(at + 14, "H", len(places))
        self.put(at + 22, "H", size)
        self.put(at + 122, "B", kind)
        return at

    def pack(self, form: str, *values) -> bytes:
        return struct.pack(self.order + form, *values)


@pytest.fixture
def opened(tmp_path):
    recordings = []

    def open_file(file, **options):
        path = tmp_path / f"{len(recordings)}.smr"
        path.write_bytes(file.raw)
        recordings.append(open_recording(path, **options))
        return recordings[-1]

    yield open_file
    for recording in recordings:
        recording.close()


def streams(rec):
    return {stream.id: stream for stream in (*rec.signals, *rec.tables)}


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("version", [1, 3, 5])
def test_old_versions(opened, version, order):
    """Intervals are ADC divide x time per ADC ticks; the time base is a microsecond."""
    file = File(version, order)
    file.clock(20, 3, None)
    file.raw[44:52] = b"\xff" * 8  # no time base: not stored before version 6
    numbers = [0, 1, -1, 32767, -32768, 5, 6]
    places = [
        file.block(1, 512, (100, 100 + 3 * 12), 4, file.pack("4h", *numbers[:4])),
        file.block(1, 512, (148, 148 + 2 * 12), 3, file.pack("3h", *numbers[4:])),
    ]
    at = file.chain(0, places, 1, 512)
    file.put(at + 102, "i", 777)  # no divide either
    file.put(at + 124, "ff", 2.5, -1.25)
    file.put(at + 138, "H", 4)
    file.text(at + 132, 6, b"mV")
    file.text(at + 108, 10, b"nine byte")
    rec = opened(file)
    (signal,) = rec.signals
    assert signal.rate == Fraction(1_000_000, 20 * 3 * 4)
    assert signal.clock == 50_000
    assert signal.runs.tolist() == [(0, 7, 100, 0)]
    assert signal.name == "nine byte"
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], numbers)
    values = rec.read_scaled(signal, dtype=np.dtype("f8"))[:, 0]
    np.testing.assert_allclose(values, np.array(numbers) * 2.5 / 6553.6 - 1.25, rtol=1e-15)
    assert rec.problems == ()


@pytest.mark.parametrize("order", ["<", ">"])
def test_everything_in_version_9(opened, order):
    file = File(9, order)
    file.clock(50, 1, 1e-7)  # ticks of 5 us
    file.put(40, "i", 9_000)
    file.raw[52:58] = bytes([7, 59, 58, 23, 31, 12])
    file.put(58, "H", 1999)
    file.text(112, 80, b"caf\xe9")
    file.text(192, 80, b"x" * 79)
    waves, floats, points, level = [], [], [], []
    # blocks of several sizes, interleaved in the order in which they were written
    waves.append(file.block(1, 1024, (40, 40 + 9 * 20), 10, file.pack("10h", *range(10))))
    level.append(file.block(3, 512, (30, 90), 3, file.pack("3i", 30, 60, 90), flag=0x100))
    floats.append(file.block(2, 512, (41, 241), 3, file.pack("3f", 0.5, -2e30, 3.25)))
    data = file.pack("i4B4h", 45, 1, 2, 3, 4, 10, 20, 11, 21)
    data += file.pack("i4B4h", 47, 0, 0, 0, 0, 30, 40, 31, 41)
    points.append(file.block(4, 512, (45, 47), 2, data))
    waves.append(file.block(1, 1024, (240, 240), 1, file.pack("h", -7)))  # goes on
    waves.append(file.block(1, 1024, (6000, 6020), 2, file.pack("2h", 100, 101)))  # after a pause
    points.append(
        file.block(4, 512, (7000, 7000), 1, file.pack("i4B4h", 7000, 1, 9, 9, 9, *[5] * 4))
    )
    at = file.chain(0, waves, 1, 1024)
    file.put(at + 102, "i", 20)
    file.put(at + 106, "h", -3)
    file.put(at + 118, "f", 9_999.0)
    file.put(at + 124, "ff", 1.0, 0.0)
    at = file.chain(1, floats, 9, 512)
    file.put(at + 102, "i", 100)
    file.put(at + 124, "ff", 7.0, 8.0)  # not for floats
    at = file.chain(2, level, 4, 512)
    file.raw[at + 124 : at + 126] = b"\0\1"  # high before the first edge
    at = file.chain(3, points, 6, 512)
    file.put(at + 16, "H", 8)
    file.put(at + 18, "h", 1)
    file.put(at + 102, "i", 20)
    file.put(at + 124, "ff", 6553.6, 0.5)
    file.put(at + 138, "H", 2)  # traces
    rec = opened(file)
    found = streams(rec)
    assert rec.problems == ()
    assert rec.blocks[0].rec_datetime == datetime(1999, 12, 31, 23, 58, 59, 70_000)
    assert rec.blocks[0].annotations["file_comments"][:2] == ["café", "x" * 79]
    wave = found["ch0"]
    assert wave.rate == 10_000
    assert wave.clock == 200_000
    assert wave.runs.tolist() == [(0, 11, 40, 0), (11, 2, 6000, 1)]
    np.testing.assert_array_equal(rec.read_signal(wave)[:, 0], [*range(10), -7, 100, 101])
    np.testing.assert_array_equal(rec.read_signal(wave, 9, 12)[:, 0], [9, -7, 100])
    facts = wave.channels.extra
    assert (facts["physical_channel"][0], facts["ideal_rate"][0]) == (-3, 9_999.0)
    real = found["ch1"]
    assert real.rate == 2_000
    np.testing.assert_array_equal(
        rec.read_scaled(real, dtype=np.dtype("f8"))[:, 0], np.float32([0.5, -2e30, 3.25])
    )
    edges = rec.read_table(found["ch2"])
    assert edges["tick"].tolist() == [30, 60, 90]
    assert edges["label"].tolist() == ["down", "up", "down"]
    high = rec.read_table(found["ch2-high"])
    assert high["tick"].tolist() == [0, 60]
    assert high["duration"].tolist() == [30, 30]
    assert high["is_cut"].tolist() == [True, False]
    unit = found["ch3"]
    items = rec.read_table(unit, columns=list(unit.columns))
    assert items["tick"].tolist() == [45, 47, 7000]
    assert items["unit"].tolist() == [1, 0, 1]
    assert items["code_4"].tolist() == [4, 0, 9]
    assert items["waveform"].tolist() == [
        [[10, 11], [20, 21]],
        [[30, 31], [40, 41]],
        [[5, 5], [5, 5]],
    ]
    assert unit.unit_counts.tolist() == [[1, 0], [1, 1]]
    assert unit.waveforms.left_sweep == Fraction(20 * 5, 10**6)


def test_spikes_and_events_at_the_borders_of_segments(opened):
    """What lies in a pause belongs to the segment before it; the first sample's tick to its own."""
    file = File(8, "<")
    file.clock(1, 1, 1e-6)
    places = [
        file.block(1, 512, (100, 130), 4, file.pack("4h", 1, 2, 3, 4)),
        file.block(1, 512, (1000, 1010), 2, file.pack("2h", 5, 6)),
    ]
    ticks = [-5, 99, 100, 139, 140, 999, 1000, 1020, 2**31 - 1]
    event = file.block(2, 512, (ticks[0], ticks[-1]), 9, file.pack("9i", *ticks))
    at = file.chain(0, places, 1, 512)
    file.put(at + 102, "i", 10)
    file.put(at + 124, "ff", 1.0, 0.0)
    file.chain(1, [event], 3, 512)
    rec = opened(file)
    table = rec.tables[0]
    assert table.runs["segment"].tolist() == [0, 1]
    assert table.runs["count"].tolist() == [6, 3]
    block = Spike2IO(rec.path).read_block()
    times = [segment.events[0].times.rescale("us").magnitude.round(6) for segment in block.segments]
    assert times[0].tolist() == ticks[:6]
    assert times[1].tolist() == ticks[6:]
    assert block.segments[0].t_start == -5e-6 * pq.s
    assert block.segments[1].t_stop == (2**31 - 1) * 1e-6 * pq.s


@pytest.mark.real
def test_waveforms_begin_at_their_stored_times():
    """The continuous channel from which the spikes of MU1 were cut holds their waveforms."""
    path = data_path("spike2/motor_units.smr")
    with open_recording(path) as rec:
        signal, table = rec.signals[0], rec.tables[1]
        assert (signal.name, table.name) == ("DIA SMU", "MU1")
        samples = rec.read_signal(signal)[:, 0]
        found = rec.read_table(table, columns=["tick", "waveform"])
    step = int(signal.clock / signal.rate)
    firsts = (found["tick"] - signal.runs["tick"][0]) // step
    cut = np.stack([samples[first : first + 256] for first in firsts.tolist()])
    is_same = (found["waveform"][:, 0] == cut).all(axis=1)
    assert is_same.sum() == 59  # of 62; from three the waveform of another spike was taken away


@pytest.mark.real
def test_times_of_triggers():
    path = data_path("spike2/motor_units.smr")
    with open_recording(path) as stored, open_recording(path, trigger_times=True) as rec:
        for table, other in zip(rec.tables, stored.tables, strict=True):
            names = ["tick", "waveform"]
            found, plain = (
                rec.read_table(table, columns=names),
                stored.read_table(other, columns=names),
            )
            begins = seconds(found["tick"], table.clock) - float(table.waveforms.left_sweep)
            np.testing.assert_allclose(begins, seconds(plain["tick"], other.clock), atol=1e-12)
            np.testing.assert_array_equal(found["tick"], plain["tick"] + 132 * 4)
            np.testing.assert_array_equal(found["waveform"], plain["waveform"])
    segment = Spike2IO(path, trigger_times=True).read_segment(load_waveforms=True)
    train = segment.spiketrains[1]
    signal = segment.analogsignals[0]
    begin = (train.times[5] - train.left_sweep).rescale("s")
    piece = signal.time_slice(begin, begin + 256 / signal.sampling_rate)
    cut, wave = piece.magnitude[:, 0], train.waveforms[5, 0].magnitude
    np.testing.assert_allclose(cut / cut.std(), wave / wave.std(), atol=1e-5)


def test_a_file_that_is_mostly_empty(tmp_path):
    """Blocks of a recording that broke off lie at the beginning of a file made long beforehand."""
    file = File(9, "<")
    file.clock(1, 1, 1e-6)
    at = file.chain(0, [file.block(1, 512, (0, 30), 4, file.pack("4h", 9, 8, 7, 6))], 1, 512)
    file.put(at + 102, "i", 10)
    file.put(at + 124, "ff", 1.0, 0.0)
    path = tmp_path / "long.smr"
    path.write_bytes(file.raw)
    with path.open("r+b") as whole:
        whole.truncate(2**36)
    with open_recording(path) as rec:
        assert rec.read_signal(0)[:, 0].tolist() == [9, 8, 7, 6]
        source = rec._reading.files.main
        assert source.bytes_read < 2**20
