"""Plexon .plx: files put together byte by byte from the description, without the synthetic writer.

The writer and the reader could share a misunderstanding; these files share nothing with either.
"""

from __future__ import annotations

import struct

import numpy as np
import pytest

from ephyrus.errors import CorruptError
from ephyrus.registry import open_recording

F8 = np.dtype(np.float64)
COMMON = {"F": 40_000, "D": 0, "E": 0, "S": 0, "before": 8, "rate": 40_000}


def header(version=106, *, bits=(12, 16), full=(3000, 5000), preamp=1000, **fields):
    """Make a file header; `bits` and `full` are those of spikes and slow data."""
    values = {**COMMON, **fields}
    raw = bytearray(7504)
    struct.pack_into("<4si", raw, 0, b"PLEX", version)
    struct.pack_into("<4i", raw, 136, values["F"], values["D"], values["E"], values["S"])
    struct.pack_into("<2i", raw, 152, 32, values["before"])
    struct.pack_into("<6i", raw, 160, 2020, 1, 2, 3, 4, 5)
    struct.pack_into("<i", raw, 188, values["rate"])
    if version >= 103:
        struct.pack_into("<4B2H", raw, 200, 1, 1, *bits, *full)
    if version >= 105:
        struct.pack_into("<H", raw, 208, preamp)
    return bytes(raw)


def spike_channel(name, number, gain=1000):
    raw = bytearray(1020)
    raw[: len(name)] = name
    struct.pack_into("<i", raw, 64, number)
    struct.pack_into("<i", raw, 80, gain)
    return bytes(raw)


def event_channel(name, number):
    raw = bytearray(296)
    raw[: len(name)] = name
    struct.pack_into("<i", raw, 32, number)
    return bytes(raw)


def slow_channel(name, number, rate, gain=1, preamp=1000):
    raw = bytearray(296)
    raw[: len(name)] = name
    struct.pack_into("<5i", raw, 32, number, rate, gain, 1, preamp)
    return bytes(raw)


def block(kind, tick, channel, unit=0, samples=None):
    values = [] if samples is None else list(samples)
    waves = int(samples is not None)
    head = struct.pack(
        "<HHI4H", kind, tick >> 32, tick & 0xFFFFFFFF, channel, unit, waves, len(values)
    )
    return head + struct.pack(f"<{len(values)}h", *values)


def many(kind, ticks, channels, units=0, words=0):
    """Make many blocks with `words` zeros."""
    dtype = [("head", "<u2", 2), ("low", "<u4"), ("rest", "<u2", 4), ("data", "<i2", (words,))]
    rows = np.zeros(np.size(ticks), dtype)
    rows["head"][:, 0], rows["low"] = kind, ticks
    rows["rest"][:, 0], rows["rest"][:, 1] = channels, units
    rows["rest"][:, 2], rows["rest"][:, 3] = int(words > 0), words
    return rows.tobytes()


@pytest.fixture
def opened(tmp_path):
    """Give a function that writes a file and opens it."""
    recordings = []

    def open_parts(*parts, **options):
        path = tmp_path / "bytes.plx"
        path.write_bytes(b"".join(parts))
        recordings.append(open_recording(path, format="plexon", **options))
        return recordings[-1]

    yield open_parts
    for recording in recordings:
        recording.close()


SLOW = {
    100: 5000 / (2048 * 7 * 1000),
    101: 5000 / (2048 * 7 * 1000),
    102: 5000 / (2048 * 7 * 20),
    **dict.fromkeys(range(103, 108), 10_000 / (8192 * 7 * 20)),
}
SPIKES = {
    **dict.fromkeys(range(100, 103), 3000 / (2048 * 30 * 1000)),
    103: 2500 / (512 * 30 * 1000),
    104: 2500 / (512 * 30 * 1000),
    **dict.fromkeys(range(105, 108), 2500 / (512 * 30 * 50)),
}


@pytest.mark.parametrize("version", range(100, 108))
def test_gains(opened, version):
    rec = opened(
        header(version, D=1, S=1, bits=(10, 14), full=(2500, 10_000), preamp=50),
        spike_channel(b"sig001", 1, 30),
        slow_channel(b"WB1", 0, 1000, 7, 20),
        block(5, 181, 0, 0, [1, -32768, 32767]),
        block(1, 200, 1, 3, [5, -6]),
    )
    found = rec.read_scaled(0, dtype=F8)[:, 0]
    np.testing.assert_allclose(found, np.array([1, -32768, 32767]) * SLOW[version], rtol=1e-14)
    table = rec.table("ch1")
    assert table.waveforms.gain == pytest.approx(SPIKES[version], rel=1e-14)
    assert rec.read_table(table, columns=["waveform"])["waveform"].tolist() == [[[5, -6]]]
    assert not rec.problems


def test_spikes_and_events_at_borders_and_in_pauses(opened):
    """Recording from 400 to 4400 and from 8000 (one channel: 8040) on; blocks in turns."""
    blocks = [
        (400 * k, 0, block(5, 400 * k, 0, 0, range(10 * k, 10 * k + 10))) for k in range(1, 11)
    ]
    blocks += [(400 + 800 * k, 1, block(5, 400 + 800 * k, 1, 0, [k] * 10)) for k in range(5)]
    blocks += [(8000 + 400 * k, 0, block(5, 8000 + 400 * k, 0, 0, [k] * 10)) for k in range(5)]
    blocks += [(8040 + 800 * k, 1, block(5, 8040 + 800 * k, 1, 0, [-k] * 10)) for k in range(3)]
    ticks = [0, 399, 400, 4399, 4400, 6000, 7999, 8000, 8001, 20_000]
    for tick in ticks:
        blocks.append((tick, 2, block(1, tick, 1, tick % 3, [tick % 100, -1])))
        blocks.append((tick, 3, block(4, tick, 257, tick)))
    rec = opened(
        header(D=1, E=2, S=2),
        spike_channel(b"sig001", 1),
        event_channel(b"Strobed", 257),
        event_channel(b"Event001", 1),
        slow_channel(b"WB1", 0, 1000),
        slow_channel(b"FP1", 1, 500),
        *(raw for _, _, raw in sorted(blocks)),
    )
    first, second = rec.tree()[0].segments
    times = np.array(ticks) / 40_000
    units = np.array(ticks) % 3
    for segment, inside in ((first, slice(0, 7)), (second, slice(7, 10))):
        (strobed,) = (event for event in segment.events if event.name == "Strobed")
        strobed = strobed.load()
        assert strobed.times.rescale("s").magnitude.tolist() == times[inside].tolist()
        assert strobed.labels.tolist() == [str(tick) for tick in ticks[inside]]
        assert strobed.array_annotations["word"].tolist() == ticks[inside]
        trains = {train.annotations["id"]: train.load() for train in segment.spiketrains}
        assert set(trains) == {"ch1#0", "ch1#1", "ch1#2"}
        for unit in range(3):
            mine = times[inside][units[inside] == unit]
            found = trains[f"ch1#{unit}"].times.rescale("s").magnitude
            assert found.tolist() == mine.tolist()
    extents = [(segment.t_start, segment.t_stop) for segment in rec.segments]
    assert extents == [(0.0, 7999 / 40_000), (0.2, 0.5)]
    signals = [
        [(signal.load().shape, float(signal.t_start)) for signal in segment.analogsignals]
        for segment in (first, second)
    ]
    assert signals == [[((100, 1), 0.01), ((50, 1), 0.01)], [((50, 1), 0.2), ((30, 1), 0.201)]]


def test_time_stamps_coarser_than_samples_are_no_gaps(opened):
    """A clock of 1 kHz cannot say where a block of 50 samples at 40 kHz begins."""
    blocks = [block(5, 50 * k // 40, 0, 0, range(k * 50, k * 50 + 50)) for k in range(20)]
    rec = opened(header(F=1000, S=1), slow_channel(b"WB1", 0, 40_000), *blocks)
    assert rec.signals[0].runs.tolist() == [(0, 1000, 0, 0)]
    assert rec.read_signal(0)[:, 0].tolist() == list(range(1000))
    assert not rec.problems


def test_a_rate_that_drifts_hides_no_pause(opened):
    """Headers hold whole Hz: 1017 for 1017.25, which is half a second after half an hour."""
    step = 40_000 / 1017.25
    before = (np.arange(20_000) * 100 * step).astype(int)
    begin = int(2_000_000 * step) + 12_000  # 0.3 s later
    after = begin + (np.arange(10) * 100 * step).astype(int)
    rec = opened(
        header(S=1), slow_channel(b"WB1", 0, 1017), many(5, [*before, *after], 0, words=100)
    )
    assert rec.signals[0].runs.tolist() == [(0, 2_000_000, 0, 0), (2_000_000, 1000, begin, 1)]
    assert rec.segments[1].t_start == begin / 40_000
    (problem,) = rec.problems
    assert (
        "slow channels 0: their rates and the time stamps of their blocks disagree by up to "
        in (problem.reason)
    )
    assert "0.483 s" in problem.reason


def test_spike_preamplifier_without_gain(opened):
    spikes = spike_channel(b"sig001", 1, 30), block(1, 5, 1, 0, [5, 6])
    rec = opened(header(D=1, preamp=0), *spikes)
    assert rec.table("ch1").waveforms.gain == 3000 / (2048 * 30)
    assert [problem.reason for problem in rec.problems] == [
        "a gain of 0 of the spike preamplifier; 1 is assumed"
    ]
    assert not opened(header(D=1, preamp=0), spikes[0]).problems  # nothing depends on it
    assert not opened(header(104, D=1, preamp=0), *spikes).problems


def test_headers_that_share_a_number(opened):
    rec = opened(
        header(D=3, S=3),
        *(spike_channel(name, number) for name, number in ((b"a", 1), (b"b", 1), (b"c", 2))),
        *(slow_channel(name, number, 1000) for name, number in ((b"x", 0), (b"y", 0), (b"z", 0))),
        block(5, 1, 0, 0, [1]),
        block(1, 1, 1, 0, [1]),
    )
    assert rec.signals[0].channels.names == ("x",)
    assert rec.table("ch1").name == "a"
    assert [problem.reason for problem in rec.problems] == [
        "slow channels 0 have data and several headers; the first one counts",
        "spike channels 1 have data and several headers; the first one counts",
    ]


@pytest.mark.parametrize(
    ("kind", "name", "offset", "words"),
    [(1, "spike", 140, 2), (4, "event", 144, 0), (5, "slow", 148, 2)],
)
def test_more_channels_than_a_recording_has(opened, kind, name, offset, words):
    """Each block of a channel of its own: seconds and gigabytes of channels, if they were made."""
    raw = many(kind, np.arange(8_000), np.arange(8_000), words=words)
    with pytest.raises(CorruptError, match=f"8,000 {name} channels have data and no hea") as caught:
        opened(header(), raw)
    assert caught.value.offset == offset
    rec = opened(header(), raw, salvage=True)
    assert (rec.signals, rec.tables) == ((), ())
    assert rec.problems[0].lost == 8_000
    few = opened(header(), many(kind, np.arange(1024), np.arange(1024), words=words))
    assert len(few.signals) + len(few.tables) > 0
    assert max(len(problem.reason) for problem in few.problems) < 300


def test_more_trains_than_a_recording_has(opened):
    """Each spike has a unit and a segment of its own: 27 GB of counts, if they were made."""
    ticks = np.arange(60_000) * 40_000
    with pytest.raises(CorruptError, match="spike channel 1 has 3,600,000,000 trains") as caught:
        opened(
            header(D=1, S=1),
            spike_channel(b"a", 1),
            slow_channel(b"f", 0, 1000),
            many(5, ticks, 0, words=1),
            many(1, ticks + 5, 1, np.arange(60_000)),
        )
    assert caught.value.offset == 7504 + 1020 + 296 + 60_000 * 18


@pytest.mark.parametrize("garbage", [b"\x34\x12\x78\x56" * 4, b"\x05\0\0\0" + b"\xff" * 12])
def test_garbage_in_the_middle_is_no_block_that_was_cut(opened, garbage):
    """Its length leads past the end of the file; half the recording is behind it."""
    before = [block(5, 400 * k, 0, 0, [k] * 10) for k in range(50)]
    parts = header(S=1), slow_channel(b"WB1", 0, 1000), *before, garbage, *before
    with pytest.raises(CorruptError, match="is broken here, 1,816 bytes are not read") as caught:
        opened(*parts)
    assert caught.value.offset == 7504 + 296 + 50 * 36
    rec = opened(*parts, salvage=True)
    assert rec.read_signal(0)[:, 0].tolist() == np.repeat(np.arange(50), 10).tolist()
    assert rec.problems[0].offset == caught.value.offset
