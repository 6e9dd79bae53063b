"""Alpha Omega: files put together byte by byte from the description, without the synthetic writer.

The writer and the reader could share a misunderstanding; these files share nothing with either.
"""

from __future__ import annotations

import struct
from fractions import Fraction

import numpy as np
import pytest

from ephyrus.errors import CorruptError, TruncatedError
from ephyrus.registry import open_recording

F8 = np.dtype(np.float64)
END = struct.pack("<HH", 0xFFFF, 0)
HOUR = 3600 * 44_000  # samples


def block(kind, body, extra=0):
    return struct.pack("<HBB", 4 + len(body), ord(kind), extra) + body


def head(first, last, length=60):
    """Make the first block: 2021-05-04 13:14:15.16."""
    start = struct.pack("<HBxih4B2BHBx", length, ord("h"), length, 1, 13, 14, 15, 16, 4, 5, 2021, 2)
    raw = start + struct.pack("<dd", first, last)
    if length == 60:
        raw += struct.pack("<iB10s4sBi", 0, 4, b"ALab SNR", b"\0\1\2\3", 0, 0)
    assert len(raw) == length
    return raw


def continuous(number, name, khz=44.0, amplitude=38.147, gain100=2000):
    fields = (0, 1, 1, number, 0, 0, 0, 0, 0, amplitude, khz, 12, 0, 10.0, gain100)
    return block("2", struct.pack("<ihhh4BhffhHfh", *fields) + name + b"\0")


def segmented(number, name, pre=0.25):
    fields = (0, 1, 1, number, 0, 0, 0, 0, 1, 38.147, 44.0, 6, 0x1011, pre, 1.0, -40, 1, 0, 500)
    return block("2", struct.pack("<ihhh4BhffhHffhhhh", *fields) + name + b"\0")


def digital(number, name):
    fields = (0, 0, 1, number, 0, 0, 0, 0, 44.0, 0, 0.0, 0)
    return block("2", struct.pack("<ihhh4Bfhfh", *fields) + name + b"\0")


def samples(number, values, stamp, unit=0):
    body = struct.pack("<h", number) + np.asarray(values, "<i2").tobytes()
    return block("5", body + struct.pack("<I", stamp % 2**32), unit)


def edge(number, stamp, value):
    return block("5", struct.pack("<hIh", number, stamp % 2**32, value))


@pytest.fixture
def opened(tmp_path):
    """Give a function that writes files and opens the only one, or their folder."""
    recordings = []

    def open_files(*files, name="a.mpx", **options):
        place = tmp_path / "day"
        place.mkdir(exist_ok=True)
        for at, parts in enumerate(files):
            (place / (f"r{at}.mpx" if len(files) > 1 else name)).write_bytes(b"".join(parts))
        path = place if len(files) > 1 else place / name
        recordings.append(open_recording(path, format="alphaomega", **options))
        return recordings[-1]

    yield open_files
    for recording in recordings:
        recording.close()


def test_everything(opened):
    """Values, units, times and labels of each kind of block."""
    rec = opened(
        [
            head(1.0, 1.001),
            continuous(1, b"RAW 01"),
            continuous(2, b"LFP 01", khz=1.375, amplitude=4.0, gain100=100),
            segmented(3, b"SEG 01"),
            digital(4, b"TTL"),
            block("b", struct.pack("<iifH", 2, 5, 44.0, 7) + b"PORT\0"),
            block("S", struct.pack("<ihf", 0, 6, 44.0) + b"Messages\0"),
            samples(1, [1, -32768], 44_000),
            samples(2, [100, 200, 300], 1375),
            samples(3, [5, 6, 7, -8], 44_020, unit=2),
            samples(3, [1, 2, 3, 4], 44_030, unit=0),
            edge(4, 44_010, -1),
            block("5", struct.pack("<hHI", 5, 65_535, 44_012)),
            block("E", struct.pack("<I", 44_015) + b"\1\xff", ord("S")),
            block("?", b"unknown"),
            samples(1, [32767, 4, 5], 44_002),
            END,
        ]
    )
    bits = float(np.float32(38.147))
    raw, lfp = rec.signal("RAW"), rec.signal("LFP")
    expected = np.array([1, -32768, 32767, 4, 5]) * bits / 20
    np.testing.assert_allclose(rec.read_scaled(raw, dtype=F8)[:, 0], expected, rtol=1e-14)
    expected = np.array([100, 200, 300]) * (1250000 / 2**15)
    np.testing.assert_allclose(rec.read_scaled(lfp, dtype=F8)[:, 0], expected, rtol=1e-14)
    assert (raw.t_start(), lfp.t_start(), lfp.rate) == (1, 1, 1375)
    table = rec.table("3")
    found = rec.read_table(table, columns=["tick", "unit", "waveform"])
    assert found["tick"].tolist() == [44_020, 44_030]
    assert found["unit"].tolist() == [2, 0]
    assert found["waveform"].tolist() == [[[5, 6, 7, -8]], [[1, 2, 3, 4]]]
    assert table.waveforms.gain == pytest.approx(bits / 5, rel=1e-14)
    assert table.waveforms.left_sweep == Fraction(11, 44_000)
    assert rec.read_table("4")["word"].tolist() == [-1]
    assert rec.read_table("5")["label"].tolist() == ["65535"]
    assert rec.read_table("5")["tick"].tolist() == [44_012]
    assert rec.read_table("6")["label"].tolist() == ["01ff"]
    assert not rec.problems


@pytest.mark.parametrize("padding", [b"", bytes(4)])
def test_names_of_streams_begin_in_two_places(opened, padding):
    """The structure has 14 bytes, the published size of the name speaks of 18."""
    stream = block("S", struct.pack("<ihf", 0, 7, 44.0) + padding + b"Messages\0DI")
    rec = opened([head(0.0, 1.0), stream, block("E", struct.pack("<I", 5) + b"a", ord("S")), END])
    assert rec.table("7").name == "Messages"


@pytest.mark.parametrize(
    ("khz", "rate"),
    [
        (44.0, 44_000),
        (1.375, 1375),
        (0.1, 100),
        (2.7, 2700),
        (24.4140625, Fraction(390_625, 16)),
        (22.321428571, Fraction(156_250, 7)),  # 312.5 kHz / 14
        (1.395089286, Fraction(78_125, 56)),
        (3.1415927, Fraction(float(np.float32(3.1415927))) * 1000),
    ],
)
def test_rates_are_those_that_were_meant(opened, khz, rate):
    """0.1 kHz is 100 Hz, not the 100.00000149 Hz of the nearest number of four bytes."""
    rec = opened([head(0.0, 1.0), continuous(1, b"RAW 01", khz), samples(1, [1, 2], 0), END])
    assert abs(rec.signals[0].rate - rate) <= (Fraction(1, 1000) if khz == 3.1415927 else 0)
    assert np.float32(rec.signals[0].rate / 1000) == np.float32(khz)


def test_counters_of_a_long_recording(opened):
    """60 hours in three files: sparse events do not tell how often the counter began anew."""
    bounds = [(0, 20 * HOUR), (20 * HOUR + 1, 40 * HOUR), (40 * HOUR + 1, 60 * HOUR)]
    edges = [[HOUR, 19 * HOUR], [37 * HOUR], [41 * HOUR, 59 * HOUR]]
    files = [
        [
            head(begin / 44_000, end / 44_000),
            continuous(1, b"RAW 01"),
            digital(5, b"TTL"),
            samples(1, range(10), begin),
            samples(1, range(10), end - 9),
            *(edge(5, tick, 1) for tick in ticks),
            END,
        ]
        for (begin, end), ticks in zip(bounds, edges, strict=True)
    ]
    rec = opened(*files)
    assert len(rec.segments) == 1
    assert rec.read_table("5")["tick"].tolist() == [tick for ticks in edges for tick in ticks]
    assert rec.signals[0].runs[["tick", "count"]].tolist() == [
        (0, 10),
        (20 * HOUR - 9, 20),
        (40 * HOUR - 9, 20),
        (60 * HOUR - 9, 10),
    ]
    assert not rec.problems


def test_a_file_longer_than_the_counter(opened):
    """Of such a file the order of its blocks tells when the counter began anew."""
    ticks = [k * 8 * HOUR for k in range(6)]
    rec = opened(
        [head(0.0, 144_000.0), digital(5, b"TTL"), *(edge(5, tick, 1) for tick in ticks), END]
    )
    assert rec.read_table("5")["tick"].tolist() == ticks


@pytest.mark.parametrize("first", [10.0, 100_000.0])
def test_a_file_that_was_not_closed_has_no_last_time(opened, first):
    """The head keeps the first time, and with it what the counter of 32 bits cannot tell."""
    tick = round(first * 44_000) + 3
    rec = opened([head(first, 0.0), continuous(1, b"RAW 01"), samples(1, range(10), tick)])
    assert rec.segments[0].t_start == first
    assert rec.segments[0].t_stop == (tick + 10) / 44_000
    assert rec.signals[0].runs["tick"].tolist() == [tick]
    assert [problem.reason[:23] for problem in rec.problems] == ["the end mark is missing"]


def test_a_segment_begins_with_its_first_sample(opened):
    """Also where the head tells no time."""
    rec = opened([head(0.0, 0.0), continuous(1, b"RAW 01"), samples(1, range(10), 440_003), END])
    assert rec.segments[0].t_start == 440_003 / 44_000
    assert rec.segments[0].t_stop == 440_013 / 44_000


def test_samples_lost_where_the_counter_begins_anew(opened):
    """The first file lost its end, 5 samples, just where 32 bits are full."""
    begin = 2**32 - 15
    files = [
        [
            head(begin / 44_000, (2**32 - 1) / 44_000),
            continuous(1, b"RAW 01"),
            samples(1, range(10), begin),
        ],
        [
            head(2**32 / 44_000, (2**32 + 9) / 44_000),
            continuous(1, b"RAW 01"),
            samples(1, range(10), 2**32),
            END,
        ],
    ]
    with pytest.raises(TruncatedError, match=r"'r1\.mpx' continues it"):
        opened(*files)
    rec = opened(*files, salvage=True)
    assert rec.signals[0].runs[["tick", "count"]].tolist() == [(begin, 10), (2**32, 10)]


def test_map(opened):
    """AlphaMap: continuous, level, external trigger, digital; stamps end the blocks."""

    def channel(fields, layout, name):
        return block("2", struct.pack(layout, *fields) + name + b"\0")

    start = "<ihhhhh"
    triggered = (1, 4.0, 22.0, 4, 0, 0.5, 1.0)
    rec = opened(
        [
            head(0.0, 1.0, length=36),
            channel((0, 1, 1, 1, 0, 192, 9, 2.0, 22.0, 12, 0, 1.0, 3), start + "hffhHfh", b"Wire"),
            channel((0, 1, 1, 2, 0, *triggered, -40, 1, 0, 3), start + "ffhHffhhhh", b"Level"),
            channel((0, 1, 1, 3, 0, 2, *triggered[1:], 77), start + "ffhHffh", b"External"),
            channel((0, 0, 1, 4, 0, 0, 22.0, 1, 0.0, 0), start + "fhfh", b"Door"),
            samples(1, [7, -8, 9], 100),
            samples(2, [1, 2, 3, 4], 110),
            samples(3, [5, 6, 7, 8], 120),
            samples(4, [3], 130),
            END,
        ],
        name="a.map",
    )
    assert rec.signals[0].channels.names == ("Wire",)
    assert rec.read_scaled(0, dtype=F8)[:, 0].tolist() == [7, -8, 9]
    assert rec.signals[0].runs["tick"].tolist() == [100]
    for key, name, tick, values in (
        ("2", "Level", 110, [1, 2, 3, 4]),
        ("3", "External", 120, [5, 6, 7, 8]),
    ):
        table = rec.table(key)
        found = rec.read_table(table, columns=["tick", "waveform"])
        assert (table.name, table.waveforms.left_sweep) == (name, Fraction(11, 22_000))
        assert (found["tick"].tolist(), found["waveform"].tolist()) == ([tick], [[values]])
    assert rec.table("3").annotations["trigger_number"] == 77
    assert rec.read_table("4")["word"].tolist() == [3]
    assert rec.read_table("4")["tick"].tolist() == [130]
    assert not rec.problems


def test_garbage_in_the_middle(opened):
    """Random bytes have lengths, but their types are no characters."""
    garbage = np.random.default_rng(1).integers(128, 256, 400, np.uint8).tobytes()
    start = head(0.0, 1.0), continuous(1, b"RAW 01"), samples(1, range(10), 0)
    parts = [*start, garbage, *(samples(1, range(10), at * 10) for at in range(1, 3000)), END]
    with pytest.raises(CorruptError, match="is no character: the chain of blocks is bro") as caught:
        opened(parts)
    assert caught.value.offset == sum(map(len, start))
    rec = opened(parts, salvage=True)
    assert rec.read_signal(0)[:, 0].tolist() == list(range(10))
    assert rec.problems[0].offset == caught.value.offset


@pytest.mark.parametrize(
    ("behind", "noted"), [(b"", 0), (b"\xff\xff\xff", 0), (bytes(500), 0), (b"5" * 500, 1)]
)
def test_data_behind_the_end_mark(opened, behind, noted):
    rec = opened([head(0.0, 1.0), continuous(1, b"RAW 01"), samples(1, [4, 5], 0), END, behind])
    assert rec.read_signal(0)[:, 0].tolist() == [4, 5]
    assert len(rec.problems) == noted
    if noted:
        assert rec.problems[0].reason == "504 bytes from the end mark on, which are not read"
