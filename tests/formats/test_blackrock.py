"""Blackrock: values of every version, pauses and resets, quirks, damaged files, real recordings."""

from __future__ import annotations

import struct
from dataclasses import replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ephyrus import io
from ephyrus.errors import (
    CorruptError,
    FormatError,
    TruncatedError,
    UnsupportedVersionError,
    WrongFormatError,
)
from ephyrus.recording import FileSet, seconds
from ephyrus.registry import identify, open_recording
from tests.golden import assert_channel, assert_points, data_path, golden
from tests.synth import blackrock as synth
from tests.synth.blackrock import Block, Electrode, Nev, Nsx, Session

VERSIONS = [(2, 2), (2, 3), (3, 0)]
NEV_VERSIONS = [(2, 1), *VERSIONS]


def opened(path, **options):
    return open_recording(path, format="blackrock", **options)


def made(folder, session, **options):
    """Write a session and open it."""
    return opened(session.write(folder), **options)


def nsx_made(folder, nsx, **options):
    return made(folder, Session({"ns5": nsx}, main="ns5"), **options)


def nev_made(folder, nev, **options):
    return made(folder, Session({"nev": nev}), **options)


def reasons(recording):
    return [problem.reason for problem in recording.problems]


def runs_of(stream):
    return [tuple(run) for run in stream.runs[["count", "tick", "segment"]].tolist()]


def assert_trains(recording, trains, *, gain=None):
    """Compare the spikes of every electrode, whole arrays."""
    tables = [table for table in recording.tables if table.kind == "spikes"]
    assert [table.name for table in tables] == [f"ch{number}" for number in sorted(trains)]
    for table in tables:
        train = trains[int(table.name[2:])]
        found = recording.read_table(table, columns=list(table.columns))
        np.testing.assert_array_equal(found["tick"], train.ticks)
        np.testing.assert_array_equal(found["unit"], train.units)
        np.testing.assert_array_equal(found["waveform"], train.waves[:, np.newaxis, :])
        assert found["waveform"].dtype == train.waves.dtype
        present = np.unique(train.units)
        assert [unit.id for unit in table.units] == present.tolist()
        assert [unit.name for unit in table.units] == [f"{table.name}#{u}" for u in present]
        total = [np.count_nonzero(train.units == unit) for unit in present]
        assert table.unit_counts.sum(axis=1).tolist() == total
        if gain is not None:
            assert (table.waveforms.unit, table.waveforms.gain) == ("uV", gain(int(table.name[2:])))


def events(recording, name):
    return recording.read_table(name)


# Continuous files


@pytest.mark.parametrize("version", VERSIONS)
def test_continuous_file(tmp_path, version):
    session = synth.nsx_file(version, header_padding=20)
    nsx = session.files["ns5"]
    recording = made(tmp_path, session)
    stream = recording.signal(0)
    assert (stream.id, stream.name, stream.rate, stream.clock) == ("5", "nsx5", 30000, 30000)
    assert stream.length == 7000
    assert runs_of(stream) == [(3000, 0, 0), (4000, 6000, 1)]
    raw = recording.read_signal(stream)
    np.testing.assert_array_equal(raw, nsx.values)
    np.testing.assert_array_equal(recording.read_signal(stream, 2990, 3010), nsx.values[2990:3010])
    np.testing.assert_array_equal(
        recording.read_signal(stream, 2990, 3010, [2, 0]), nsx.values[2990:3010, [2, 0]]
    )
    table = stream.channels
    assert table.names == ("elec1", "elec2", "ainp1")
    assert table.ids == ("1", "2", "129")
    assert table.units == ("uV", "uV", "mV")
    np.testing.assert_array_equal(table.gain, [each.gain() for each in nsx.channels])
    np.testing.assert_array_equal(table.offset, [each.offset() for each in nsx.channels])
    assert table.offset.any()
    assert stream.annotations == {
        "nsx": 5,
        "file_name": "session.ns5",
        "file_spec": f"{version[0]}.{version[1]}",
        "sampling_group": "30 kS/s",
        "comment": "made for a test",
    }
    extra = {name: column.tolist() for name, column in table.extra.items()}
    assert extra == {
        "connector": [1, 1, 0],
        "pin": [1, 2, 1],
        "high_pass_frequency": [0.3, 0.3, 0.0],
        "high_pass_order": [1, 1, 0],
        "high_pass_type": ["Butterworth", "Butterworth", "none"],
        "low_pass_frequency": [7500.0, 7500.0, 0.0],
        "low_pass_order": [3, 3, 0],
        "low_pass_type": ["Butterworth", "Butterworth", "none"],
    }
    assert [(each.t_start, each.t_stop) for each in recording.segments] == [
        (0.0, 0.1),
        (0.2, 10000 / 30000),
    ]
    assert recording.blocks[0].rec_datetime == synth.DATE
    assert recording.blocks[0].annotations == {
        "files": ["session.ns5"],
        "file_specs": [f"{version[0]}.{version[1]}"],
        "comment": "made for a test",
    }
    assert recording.problems == ()


def test_old_continuous_file(tmp_path):
    session = synth.old_session()
    recording = made(tmp_path, session)
    stream = recording.signal(0)
    assert stream.channels.names == ("chan1", "chan7", "ainp1")
    assert stream.channels.ids == ("1", "7", "129")
    assert stream.channels.units == ("uV", "uV", "uV")
    np.testing.assert_array_equal(stream.channels.gain, [0.251, 0.257, 152.592547])
    assert runs_of(stream) == [(1000, 0, 0)]
    np.testing.assert_array_equal(recording.read_signal(0), session.files["ns5"].values)
    assert_trains(recording, session.trains)
    assert recording.problems == ()


def test_old_continuous_file_alone_gives_counts(tmp_path):
    session = synth.old_session()
    recording = nsx_made(tmp_path, session.files["ns5"])
    stream = recording.signal(0)
    assert stream.channels.units == ("", "", "")
    np.testing.assert_array_equal(stream.channels.gain, [1, 1, 1])
    np.testing.assert_array_equal(recording.read_scaled(0), session.files["ns5"].values)
    (reason,) = reasons(recording)
    assert "there is no .nev file" in reason
    assert "raw counts" in reason


def test_old_file_where_the_nev_knows_some_channels(tmp_path):
    session = synth.old_session()
    session.files["nev"].electrodes = synth.electrodes(1, 7)
    recording = made(tmp_path, session)
    assert recording.signal(0).channels.units == ("uV", "uV", "")
    assert "1 of 3 channels" in reasons(recording)[0]


def test_old_file_that_ends_within_a_sample(tmp_path):
    session = synth.old_session()
    session.files["ns5"].tail = b"\1\2\3"
    recording = made(tmp_path, session)
    assert recording.signal(0).length == 1000  # the last sample is not missing
    assert "the last 3 bytes are left out" in reasons(recording)[0]


def test_old_file_with_the_block_head_of_later_versions(tmp_path):
    nsx = synth.old_session().files["ns5"]
    data = nsx.header() + struct.pack("<BII", 1, 0, 1000) + nsx.values.tobytes()
    (tmp_path / "a.ns5").write_bytes(data)
    recording = opened(tmp_path / "a.ns5")
    np.testing.assert_array_equal(recording.read_signal(0), nsx.values)
    assert "the head of a data block" in reasons(recording)[1]
    other = nsx.header() + struct.pack("<BII", 1, 0, 999) + nsx.values.tobytes()
    (tmp_path / "b.ns5").write_bytes(other)
    recording = opened(tmp_path / "b.ns5")  # such a number is no head
    assert recording.signal(0).length == 1001
    assert recording.read_signal(0, 0, 1, 0).tolist() == [[1]]


def test_high_analog_inputs_of_old_files(tmp_path):
    nsx = Nsx((2, 1), [Block(0, synth.counts(5, 3))], [synth.Channel(e) for e in (0, 128, 144)])
    channels = nsx_made(tmp_path, nsx).signal(0).channels
    assert channels.names == ("chan0", "chan128", "ainp16")


@pytest.mark.parametrize("period", [60, 30, 15, 3, 1])
def test_rates(tmp_path, period):
    spans = ((0, 3000), (6000, 3000))
    recording = made(tmp_path, synth.nsx_file((2, 3), spans=spans, period=period))
    stream = recording.signal(0)
    assert stream.rate == Fraction(30000, period)
    assert runs_of(stream) == [(3000 // period, 0, 0), (3000 // period, 6000, 1)]
    assert float(stream.t_stop(1)) == 0.3


def test_electrode_that_is_recorded_twice(tmp_path):
    nsx = Nsx((2, 3), [Block(0, synth.counts(5, 3))], [synth.Channel(e) for e in (4, 4, 5)])
    assert nsx_made(tmp_path, nsx).signal(0).channels.ids == ("4", "4.1", "5")


def test_channels_without_range_or_label(tmp_path):
    wide = [
        synth.Channel(4, "", digital=(5, 5)),
        synth.Channel(5, "a\0b", analog=(1, 1)),
        synth.Channel(6, "six"),
    ]
    nsx = Nsx((2, 3), [Block(0, synth.counts(5, 3))], wide)
    recording = nsx_made(tmp_path, nsx)
    channels = recording.signal(0).channels
    assert channels.names == ("chan4", "a", "six")
    assert channels.units == ("", "", "uV")
    np.testing.assert_array_equal(channels.gain, [1, 1, wide[2].gain()])
    np.testing.assert_array_equal(channels.offset, [0, 0, wide[2].offset()])
    assert "the ranges of 2 of 3 channels are empty" in reasons(recording)[0]


# Stretches: pauses, joined blocks, the precision time protocol, resets


def blocks_at(*spans, width=2):
    return [
        Block(tick, synth.counts(samples, width, seed))
        for seed, (tick, samples) in enumerate(spans)
    ]


@pytest.mark.parametrize(
    ("late", "apart"), [(0, False), (1, False), (2, False), (3, True), (-1, False), (-2, False)]
)
def test_blocks_that_follow_within_two_samples_are_joined(tmp_path, late, apart):
    nsx = Nsx((2, 3), blocks_at((50, 100), (150 + late, 80)), synth.channels(2))
    recording = nsx_made(tmp_path, nsx)
    expected = [(100, 50, 0), (80, 150 + late, 1)] if apart else [(180, 50, 0)]
    assert runs_of(recording.signal(0)) == expected
    np.testing.assert_array_equal(recording.read_signal(0), nsx.values)
    np.testing.assert_array_equal(recording.read_signal(0, 90, 120), nsx.values[90:120])


@pytest.mark.parametrize("version", [(2, 3), (3, 0)])
def test_hundreds_of_blocks_are_joined(tmp_path, version):
    """SpikeInterface/spikeinterface#2306: 280 blocks in ns2, 387 in ns5."""
    fast = [(tick * 50, 50) for tick in range(387)]
    slow = [(tick * 60, 2) for tick in range(322)]
    files = {
        "ns5": Nsx(version, blocks_at(*fast), synth.channels(2)),
        "ns2": Nsx(version, blocks_at(*slow), synth.channels(2), period=30),
    }
    recording = made(tmp_path, Session(files, main="ns2"))
    assert [runs_of(stream) for stream in recording.signals] == [
        [(644, 0, 0)],
        [(19350, 0, 0)],
    ]
    np.testing.assert_array_equal(recording.read_signal("nsx5"), files["ns5"].values)
    np.testing.assert_array_equal(recording.read_signal("nsx2", 3, 600), files["ns2"].values[3:600])
    assert len(recording.segments) == 1
    assert recording.problems == ()


def test_blocks_of_changing_sizes(tmp_path):
    sizes = np.random.default_rng(1).integers(1, 9, 300)
    ticks = np.cumsum(sizes) - sizes
    nsx = Nsx((2, 2), blocks_at(*zip(ticks.tolist(), sizes.tolist(), strict=True)),
              synth.channels(2))  # fmt: skip
    recording = nsx_made(tmp_path, nsx)
    assert runs_of(recording.signal(0)) == [(int(sizes.sum()), 0, 0)]
    np.testing.assert_array_equal(recording.read_signal(0), nsx.values)


def test_gap_tolerance(tmp_path):
    nsx = Nsx((2, 3), blocks_at((0, 300), (450, 300), (1350, 300)), synth.channels(2))
    path = Session({"ns5": nsx}, main="ns5").write(tmp_path)
    assert len(opened(path).segments) == 3
    assert runs_of(opened(path, gap_tolerance_ms=5).signal(0)) == [(600, 0, 0), (300, 1350, 1)]
    assert runs_of(opened(path, gap_tolerance_ms=20.0).signal(0)) == [(900, 0, 0)]
    assert len(opened(path, gap_tolerance_ms=0).segments) == 3
    assert len(opened(path, gap_tolerance_ms=float("inf")).segments) == 1
    for value in (-1, float("nan")):
        with pytest.raises(ValueError, match=r"gap_tolerance_ms=.*expected 0 or more"):
            opened(path, gap_tolerance_ms=value)


@pytest.mark.parametrize("size", [1, 50, 3000])
def test_gap_tolerance_of_nothing_holds_for_blocks_of_any_size(tmp_path, size):
    """Small blocks are put together first, with no more tolerance than is asked for."""
    spans = [(number * (size + 1), size) for number in range(40)]
    nsx = Nsx((2, 3), blocks_at(*spans), synth.channels(2))
    path = Session({"ns5": nsx}, main="ns5").write(tmp_path)
    assert runs_of(opened(path).signal(0)) == [(40 * size, 0, 0)]
    recording = opened(path, gap_tolerance_ms=0)
    assert runs_of(recording.signal(0)) == [(size, tick, at) for at, (tick, _) in enumerate(spans)]
    np.testing.assert_array_equal(recording.read_signal(0), nsx.values)


def test_rounded_stamps_are_no_gap_at_any_tolerance(tmp_path):
    stamps = synth.PTP_START + np.arange(900) * synth.PTP_CLOCK // synth.CLOCK
    nsx = Nsx((3, 0), [Block(0, synth.counts(900, 2), stamps=stamps)], synth.channels(2),
              resolution=synth.PTP_CLOCK)  # fmt: skip
    recording = nsx_made(tmp_path, nsx, gap_tolerance_ms=0)
    assert runs_of(recording.signal(0)) == [(900, synth.PTP_START, 0)]


@pytest.mark.parametrize("version", [(2, 3), (3, 0)])
@pytest.mark.parametrize("access", ["mmap", "pread"])
def test_blocks_of_all_sizes_in_turn(tmp_path, version, access):
    """Empty ones among them, and numbers of samples that do not fit 16 bits."""
    sizes = [*[1, 2, 0, 3] * 400, 2**16 - 1, 3, 2**16, 0, 2**16 + 1, *[2, 1] * 300]
    ticks = np.cumsum([0, *sizes[:-1]]).tolist()
    nsx = Nsx(version, blocks_at(*zip(ticks, sizes, strict=True), width=1), synth.channels(1))
    recording = nsx_made(tmp_path, nsx, access=access)
    assert recording.problems == ()
    assert runs_of(recording.signal(0)) == [(sum(sizes), 0, 0)]
    np.testing.assert_array_equal(recording.read_signal(0), nsx.values)
    for start, stop in ((0, 1), (1, 7), (1000, 2000), (2399, 2402), (sum(sizes) - 5, sum(sizes))):
        np.testing.assert_array_equal(recording.read_signal(0, start, stop), nsx.values[start:stop])


def test_small_blocks_are_looked_at_many_at_once(tmp_path):
    """Also blocks of changing sizes, and of none: the file is not asked for each of them."""
    sizes = [2, 0, 0, 1, 0, 5] * 2000
    ticks = np.cumsum([0, *sizes[:-1]]).tolist()
    nsx = Nsx((2, 3), blocks_at(*zip(ticks, sizes, strict=True)), synth.channels(2))
    recording = nsx_made(tmp_path, nsx)
    source = recording.reading.files.source("session.ns5")
    assert source.requests < 200
    before = source.requests
    np.testing.assert_array_equal(recording.read_signal(0), nsx.values)
    assert source.requests - before < 200


def test_one_file_alone_loses_samples(tmp_path):
    session = synth.full_session((2, 3), ((0, 3000),))
    values = session.files["ns5"].values
    session.files["ns5"].blocks = [Block(0, values[:1000]), Block(1500, values[1500:])]
    recording = made(tmp_path, session)
    assert len(recording.segments) == 1
    assert runs_of(recording.signal("nsx5")) == [(1000, 0, 0), (1500, 1500, 0)]
    assert runs_of(recording.signal("nsx2")) == [(100, 0, 0)]
    assert (
        "different numbers of stretches (session.ns2: 1, session.ns5: 2)" in reasons(recording)[0]
    )
    segment = io.BlackrockIO(tmp_path / "session.ns5").read_segment()
    assert len(segment.analogsignals) == 6  # two units in each of three runs


def test_ptp(tmp_path):
    session = synth.ptp_file()
    nsx = session.files["ns5"]
    recording = made(tmp_path, session)
    stream = recording.signal(0)
    starts = [int(block.stamps[0]) for block in nsx.blocks]
    assert runs_of(stream) == [(700, starts[0], 0), (500, starts[1], 1)]
    assert (stream.clock, stream.rate) == (Fraction(10**9), Fraction(30000))
    assert recording.segments[0].t_start == starts[0] / 10**9
    np.testing.assert_array_equal(recording.read_signal(0), nsx.values)
    np.testing.assert_array_equal(recording.read_signal(0, 600, 800, 1), nsx.values[600:800, 1:2])
    np.testing.assert_array_equal(recording.read_signal(0, 5, 9, [2, 0]), nsx.values[5:9, [2, 0]])
    assert recording.problems == ()


@pytest.mark.parametrize(("missing", "segments"), [(0, 1), (2, 2), (3, 2)])
def test_ptp_gaps_are_stamps_more_than_two_samples_apart(tmp_path, missing, segments):
    stamps = synth.PTP_START + np.arange(100) * 100_000 // 3
    stamps[60:] += missing * 100_000 // 3
    nsx = Nsx((3, 0), [Block(0, synth.counts(100, 2), stamps=stamps)], synth.channels(2),
              resolution=10**9)  # fmt: skip
    assert len(nsx_made(tmp_path, nsx).segments) == segments
    path = tmp_path / "session.ns5"
    assert len(opened(path, gap_tolerance_ms=1).segments) == 1


def test_ptp_clock_with_large_blocks(tmp_path):
    """Later firmware: nanoseconds, and many samples in a block."""
    blocks = blocks_at((synth.PTP_START, 300), (synth.PTP_START + 10_000_000, 300),
                       (synth.PTP_START + 50_000_000, 300))  # fmt: skip
    recording = nsx_made(tmp_path, Nsx((3, 0), blocks, synth.channels(2), resolution=10**9))
    expected = [(600, synth.PTP_START, 0), (300, synth.PTP_START + 50_000_000, 1)]
    assert runs_of(recording.signal(0)) == expected


def test_ptp_with_spikes(tmp_path):
    session = synth.ptp_file()
    starts = [int(block.stamps[0]) for block in session.files["ns5"].blocks]
    nev = Nev((3, 0), synth.electrodes(3), packet_bytes=108, resolution=10**9)
    packets, truth = synth.trains(nev, 60, starts[0], starts[1] + 20_000_000)
    session.files["nev"] = replace(nev, packets=packets)
    recording = made(tmp_path, session)
    assert_trains(recording, truth)
    first = np.count_nonzero(truth[3].ticks < starts[1])
    assert runs_of(recording.table("ch3")) == [(first, starts[0], 0), (60 - first, starts[1], 1)]


def test_ptp_that_changes_to_large_blocks(tmp_path):
    stamps = synth.PTP_START + np.arange(50) * 100_000 // 3
    after = int(stamps[-1]) + 33_333
    blocks = [Block(0, synth.counts(50, 2), stamps=stamps), Block(after, synth.counts(70, 2, 1))]
    nsx = Nsx((3, 0), blocks, synth.channels(2), resolution=10**9)
    recording = nsx_made(tmp_path, nsx)
    assert runs_of(recording.signal(0)) == [(120, synth.PTP_START, 0)]
    np.testing.assert_array_equal(recording.read_signal(0), nsx.values)


RESET_RUNS = [(3000, 0, 0), (3000, 100, 1), (3000, 9000, 2), (1500, 60, 3)]


@pytest.mark.parametrize("version", [(2, 3), (3, 0)])
@pytest.mark.parametrize("lone", [False, True])
def test_resets(tmp_path, version, lone):
    session = synth.reset_session(version, lone=lone)
    recording = made(tmp_path, session)
    assert runs_of(recording.signal("nsx5")) == RESET_RUNS
    slow = [(samples // 30, tick, segment) for samples, tick, segment in RESET_RUNS]
    assert runs_of(recording.signal("nsx2")) == slow
    values = [block.values for block in session.files["ns5"].blocks if len(block.values) > 1]
    np.testing.assert_array_equal(recording.read_signal("nsx5"), np.concatenate(values))
    assert_trains(recording, session.trains)
    for table in recording.tables:
        ticks = session.trains[int(table.name[2:])].ticks
        middle = np.count_nonzero(ticks[20:40] < 9000)
        counts = [(20, 0, 0), (middle, 100, 1), (20 - middle, 9000, 2), (20, 60, 3)]
        assert runs_of(table) == [run for run in counts if run[0]]
    said = [reason for reason in reasons(recording) if "one sample before the clock" in reason]
    assert len(said) == (2 if lone else 0)


def test_a_reset_is_one_at_any_tolerance(tmp_path):
    nsx = Nsx((2, 3), blocks_at((500, 100), (0, 100)), synth.channels(2))
    path = Session({"ns5": nsx}, main="ns5").write(tmp_path)
    for tolerance in (None, 1000):
        recording = opened(path, gap_tolerance_ms=tolerance)
        assert runs_of(recording.signal(0)) == [(100, 500, 0), (100, 0, 1)]


@pytest.mark.parametrize("seed", range(12))
def test_pauses_and_resets_in_any_order(tmp_path, seed):
    """Spikes belong to the stretch of their clock that has begun last, to the tick."""
    rng = np.random.default_rng(seed)
    version = [(2, 3), (3, 0)][seed % 2]
    nev = Nev(version, synth.electrodes(1, 2, samples=40))
    spans, spikes, segments = [], [], []
    for _ in range(rng.integers(1, 5)):
        begins, tick = [], int(rng.integers(0, 50))
        for _ in range(rng.integers(1, 4)):
            begins.append(tick)
            spans.append((tick, 30 * int(rng.integers(5, 60))))
            tick = sum(spans[-1]) + int(rng.integers(70, 3000))
        edges = np.array([[begin, max(begin - 1, 0)] for begin in begins]).ravel()
        ticks = np.sort(np.concatenate([rng.integers(0, tick, 30), edges, [tick - 1]]))
        before = len(spans) - len(begins)
        spikes.append(ticks)
        segments.append(before + np.maximum(np.searchsorted(begins, ticks, "right") - 1, 0))
    ticks, segments = np.concatenate(spikes), np.concatenate(segments)
    ids = rng.integers(1, 3, ticks.size)
    packets = nev.spikes(ticks, ids, 0, np.zeros((ticks.size, 40), "<i2"))
    slow = blocks_at(*[(tick, count // 30) for tick, count in spans])
    files = {
        "nev": replace(nev, packets=packets),
        "ns5": Nsx(version, blocks_at(*spans), synth.channels(2)),
        "ns2": Nsx(version, slow, synth.channels(2), period=30),
    }
    recording = made(tmp_path, Session(files))
    assert recording.problems == ()
    expected = [(count, tick, at) for at, (tick, count) in enumerate(spans)]
    assert runs_of(recording.signal("nsx5")) == expected
    assert runs_of(recording.signal("nsx2")) == [(n // 30, tick, at) for n, tick, at in expected]
    for table in recording.tables:
        mine = ids == int(table.name[2:])
        found = np.repeat(table.runs["segment"], table.runs["count"])
        np.testing.assert_array_equal(found, segments[mine])
        np.testing.assert_array_equal(recording.read_table(table)["tick"], ticks[mine])


WRAP = 2**32


@pytest.mark.parametrize("sizes", [[3000, 4000, 900], [1] * 60, [50, 51] * 30])
def test_samples_go_on_where_stamps_of_32_bits_begin_again(tmp_path, sizes):
    """After 40 hours: spikes and events too, to the tick, and in the order of their times."""
    ticks = WRAP - 40 + np.cumsum([0, *sizes[:-1]])
    nsx = Nsx((2, 3), blocks_at(*zip((ticks % WRAP).tolist(), sizes, strict=True)),
              synth.channels(2))  # fmt: skip
    spikes = WRAP - 40 + np.array([0, 39, 38, 40, 41, 39, 59, 42])  # not quite in order
    nev = Nev((2, 3), synth.electrodes(1))
    waves = synth.counts(spikes.size, 48)
    packets = nev.spikes(spikes % WRAP, 1, 0, waves)
    recording = made(tmp_path, Session({"nev": replace(nev, packets=packets), "ns5": nsx}))
    assert recording.problems == ()
    assert runs_of(recording.signal(0)) == [(sum(sizes), WRAP - 40, 0)]
    np.testing.assert_array_equal(recording.read_signal(0), nsx.values)
    assert len(recording.segments) == 1
    found = recording.read_table("ch1", columns=["tick", "waveform"])
    order = np.argsort(spikes, kind="stable")
    np.testing.assert_array_equal(found["tick"], spikes[order])
    np.testing.assert_array_equal(found["waveform"][:, 0], waves[order])


def test_one_block_that_is_longer_than_stamps_can_tell(tmp_path):
    """At one sample in 40 hours a few of them last for several turns of the stamps."""
    period = WRAP - 2**16
    nsx = Nsx((2, 3), blocks_at((7, 5), ((7 + 5 * period) % WRAP, 3)), synth.channels(2),
              period=period)  # fmt: skip
    nev = Nev((2, 3), synth.electrodes(1))
    ticks = np.array([9, 3 * 10**9, WRAP + 5, WRAP + 3 * 10**9, 2 * WRAP + 1])
    packets = nev.spikes(ticks % WRAP, 1, 0, np.zeros((5, 48), "<i2"))
    recording = made(tmp_path, Session({"nev": replace(nev, packets=packets), "ns5": nsx}))
    assert runs_of(recording.signal(0)) == [(8, 7, 0)]
    np.testing.assert_array_equal(recording.read_table("ch1")["tick"], ticks)


def test_stamps_that_begin_again_behind_a_pause_are_a_reset(tmp_path):
    nsx = Nsx((2, 3), blocks_at((WRAP - 500, 100), (20, 100)), synth.channels(2))
    assert runs_of(nsx_made(tmp_path, nsx).signal(0)) == [(100, WRAP - 500, 0), (100, 20, 1)]


def test_base_names(tmp_path):
    path = synth.full_session((2, 3), ((0, 3000),)).write(tmp_path).with_suffix("")
    recording = opened(path)
    assert sorted(stream.name for stream in recording.signals) == ["nsx2", "nsx5"]
    assert [table.name for table in recording.tables if table.kind == "spikes"]
    assert len(io.BlackrockIO(path).read_segment().analogsignals) == len(recording.signals) * 2


def test_stamps_that_go_back_everywhere_are_no_clock(tmp_path):
    nev = Nev((2, 3), synth.electrodes(1))
    ticks = np.arange(1500, 0, -1) * 40_000
    packets = nev.spikes(ticks, 1, 0, np.zeros((1500, 48), "<i2"))
    recording = nev_made(tmp_path, replace(nev, packets=packets))
    assert reasons(recording) == [
        "the time stamps go back 1,499 times, which no clock does: they are sorted"
    ]
    assert runs_of(recording.table("ch1")) == [(1500, 40_000, 0)]
    np.testing.assert_array_equal(recording.read_table("ch1")["tick"], ticks[::-1])


def test_empty_blocks_before_a_reset(tmp_path):
    blocks = [Block(7, synth.counts(0, 2)), *blocks_at((0, 100), (400, 50))]
    recording = nsx_made(tmp_path, Nsx((3, 0), blocks, synth.channels(2)))
    assert runs_of(recording.signal(0)) == [(100, 0, 0), (50, 400, 1)]


def shuffled_nev(gap=100_000):
    """Spikes of two clocks in one file, a little out of order within each."""
    nev = Nev((2, 3), synth.electrodes(1))
    parts, ticks = [], []
    for seed in (0, 1):
        packets, truth = synth.trains(nev, 200, 0, gap, seed)
        order = np.argsort(np.arange(200) + np.random.default_rng(seed).uniform(0, 3, 200))
        parts.append(packets[order])
        ticks.append(truth[1].ticks)
    return replace(nev, packets=np.concatenate(parts)), ticks


def test_packets_out_of_order_are_no_reset(tmp_path):
    nev, ticks = shuffled_nev()
    recording = nev_made(tmp_path, nev)
    table = recording.table("ch1")
    assert [(count, segment) for count, _, segment in runs_of(table)] == [(200, 0), (200, 1)]
    np.testing.assert_array_equal(recording.read_table(table)["tick"], np.concatenate(ticks))
    nsx = Nsx((2, 3), blocks_at((0, 100_000), (0, 100_000), width=1), synth.channels(1))
    recording = made(tmp_path, Session({"nev": nev, "ns5": nsx}))
    assert runs_of(recording.table("ch1")) == [(200, 0, 0), (200, 0, 1)]
    np.testing.assert_array_equal(recording.read_table("ch1")["tick"], np.concatenate(ticks))


def test_stamps_that_go_back_are_sorted_where_the_samples_know_no_reset(tmp_path):
    nev, ticks = shuffled_nev()
    nsx = Nsx((2, 3), blocks_at((0, 100_000), width=1), synth.channels(1))
    recording = made(tmp_path, Session({"nev": nev, "ns5": nsx}))
    assert runs_of(recording.table("ch1")) == [(400, 0, 0)]
    np.testing.assert_array_equal(
        recording.read_table("ch1")["tick"], np.sort(np.concatenate(ticks), kind="stable")
    )


def restarted_nev(restart, charset=0):
    """Packets of two clocks of which only a comment tells: the second one runs longer."""
    nev = Nev((2, 3), synth.electrodes(1))
    first, one = synth.trains(nev, 10, 0, 40, 1)
    second, other = synth.trains(nev, 10, 50, 5000, 2)
    comment = nev.comments([45], [restart], [charset], [0], [0])
    nev = replace(nev, packets=np.concatenate([first, comment, second]))
    return nev, np.concatenate([one[1].ticks, other[1].ticks])


@pytest.mark.parametrize(
    ("text", "charset"),
    [(b"Critical load restart", 0), ("critical load restart".encode("utf-16-le"), 1)],
)
def test_a_comment_tells_of_a_restart(tmp_path, text, charset):
    nev, ticks = restarted_nev(text, charset)
    recording = nev_made(tmp_path, nev)
    assert [run[0] for run in runs_of(recording.table("ch1"))] == [10, 10]
    np.testing.assert_array_equal(recording.read_table("ch1")["tick"], ticks)
    assert runs_of(recording.table("comments")) == [(1, 45, 1)]
    nsx = Nsx((2, 3), blocks_at((10, 5), (0, 5000), width=1), synth.channels(1))
    recording = made(tmp_path, Session({"nev": nev, "ns5": nsx}))
    assert [run[0] for run in runs_of(recording.table("ch1"))] == [10, 10]
    assert recording.problems == ()


def test_a_restart_comment_behind_the_stamps_that_go_back_is_the_same_reset(tmp_path):
    nev = Nev((2, 3), synth.electrodes(1))
    first, _ = synth.trains(nev, 10, 0, 90_000, 1)
    second, _ = synth.trains(nev, 10, 0, 90_000, 2)
    comment = nev.comments([5], [b"critical load restart"], [0], [0], [0])
    packets = np.concatenate([first, second[:1], comment, second[1:]])
    packets[10:11] = nev.spikes([2], 1, 0, np.zeros((1, 48), "<i2"))
    recording = nev_made(tmp_path, replace(nev, packets=packets))
    assert [run[0] for run in runs_of(recording.table("ch1"))] == [10, 10]
    assert len(recording.segments) == 2


def test_resets_that_the_packets_do_not_show(tmp_path):
    nev, _ = restarted_nev(b"nothing of note")
    nsx = Nsx((2, 3), blocks_at((10, 5), (0, 5000), width=1), synth.channels(1))
    recording = made(tmp_path, Session({"nev": nev, "ns5": nsx}))
    assert "was reset 1 times, that of the packets 0 times" in reasons(recording)[0]
    assert [run[0] for run in runs_of(recording.table("ch1"))] == [20]


# Spikes


@pytest.mark.parametrize("version", NEV_VERSIONS)
def test_spikes(tmp_path, version):
    session = synth.nev_file(version)
    recording = made(tmp_path, session)
    assert_trains(recording, session.trains, gain=lambda electrode: (250 + electrode) / 1000)
    table = recording.table("ch7")
    assert table.clock == 30000
    assert table.waveforms.rate == 30000
    assert table.waveforms.left_sweep == Fraction(1, 3000)
    expected = {
        "channel_id": 7,
        "unit_id": 255,
        "unit_classification": "noise",
        "connector": 1,
        "pin": 7,
        "energy_threshold": 7,
        "high_threshold": 60,
        "low_threshold": -65,
    }
    if version > (2, 1):
        expected |= {
            "label": "elec7",
            "high_pass_frequency": 250.0,
            "high_pass_order": 4,
            "high_pass_type": "Butterworth",
            "low_pass_frequency": 7500.0,
            "low_pass_order": 3,
            "low_pass_type": "none",
        }
    assert table.units[-1].annotations == expected
    ticks = np.concatenate([train.ticks for train in session.trains.values()])
    first, last = min(ticks.min(), 10), max(ticks.max(), 2999)
    (segment,) = recording.segments
    assert (segment.t_start, segment.t_stop) == (first / 30000, (last + 1) / 30000)
    assert recording.info.software == "Central 7.0"
    assert recording.blocks[0].rec_datetime == datetime(2024, 2, 29, 23, 59, 58, 987000)
    assert recording.problems == ()


def test_kinds_of_units(tmp_path):
    nev = Nev((2, 3), synth.electrodes(1))
    packets = nev.spikes([1, 2, 3, 4, 5], 1, [0, 1, 16, 17, 255], np.zeros((5, 48), "<i2"))
    table = nev_made(tmp_path, replace(nev, packets=packets)).table("ch1")
    kinds = [unit.annotations["unit_classification"] for unit in table.units]
    assert kinds == ["unclassified", "sorted", "sorted", "reserved", "noise"]


def test_waveforms_of_8_16_and_32_bits(tmp_path):
    session = synth.rich_nev()
    recording = made(tmp_path, session)
    assert_trains(recording, session.trains)
    shapes = {table.name: table.columns["waveform"] for table in recording.tables[:5]}
    assert shapes == {
        "ch1": np.dtype(("<i1", (1, 30))),
        "ch2": np.dtype(("<i1", (1, 96))),
        "ch3": np.dtype(("<i2", (1, 20))),
        "ch4": np.dtype(("<i4", (1, 24))),
        "ch2048": np.dtype(("<i2", (1, 46))),
    }
    gains = [table.waveforms.gain for table in recording.tables[:5]]
    assert gains == [0.25, 0.25, 0.25, 152.592547, 0.25]


def test_rows_of_one_unit(tmp_path):
    session = synth.nev_file((3, 0))
    path = session.write(tmp_path)
    for access in ("mmap", "pread"):
        with io.BlackrockIO(path, access=access) as reader:
            (segment,) = reader.read_block(load_waveforms=True).segments
        found = {train.name: train for train in segment.spiketrains}
        for number, train in session.trains.items():
            for unit in np.unique(train.units):
                mine = train.units == unit
                one = found[f"ch{number}#{unit}"]
                times = one.rescale("s").magnitude
                np.testing.assert_array_equal(times, train.ticks[mine] / 30000)
                expected = train.waves[mine][:, np.newaxis] * np.float32((250 + number) / 1000)
                np.testing.assert_array_equal(one.waveforms.magnitude, expected)
                assert one.waveforms.dimensionality.string == "uV"
                assert float(one.sampling_rate) == 30000.0
                assert float(one.left_sweep.rescale("s")) == 10 / 30000


@pytest.mark.parametrize("version", VERSIONS)
def test_session(tmp_path, version):
    """Spikes and events after a pause are in the second segment."""
    session = synth.full_session(version)
    for ending in ("nev", "ns2", "ns5"):
        recording = opened(session.write(tmp_path).with_suffix(f".{ending}"))
        assert [signal.name for signal in recording.signals] == ["nsx2", "nsx5"]
        assert runs_of(recording.signal("nsx2")) == [(100, 0, 0), (133, 6000, 1)]
        assert runs_of(recording.signal("nsx5")) == [(3000, 0, 0), (4000, 6000, 1)]
        assert_trains(recording, session.trains)
        for number, train in session.trains.items():
            first = np.count_nonzero(train.ticks < 6000)
            expected = [(first, 0, 0), (40 - first, 6000, 1)]
            assert runs_of(recording.table(f"ch{number}")) == expected
        ticks = events(recording, "digital_input_port")["tick"]
        assert runs_of(recording.table("digital_input_port"))[0][0] == sum(ticks < 6000)
        last = max(int(train.ticks.max()) for train in session.trains.values())
        last = max(last, 10049)
        assert recording.segments[1].t_stop == (last + 1) / 30000
        assert recording.blocks[0].annotations["files"] == [
            "session.nev",
            "session.ns2",
            "session.ns5",
        ]
        assert recording.problems == ()


def test_packets_before_the_first_sample(tmp_path):
    session = synth.full_session((2, 3), ((500, 3000),))
    recording = made(tmp_path, session)
    assert_trains(recording, session.trains)
    assert len(recording.segments) == 1
    assert recording.segments[0].t_start < 500 / 30000


def test_clocks_of_files_may_differ(tmp_path):
    """Samples on the 30 kHz clock, spikes in nanoseconds of the same time."""
    nev = Nev((3, 0), synth.electrodes(1), packet_bytes=108, resolution=10**9)
    ticks = np.array([0, 99_999_999, 199_999_999, 200_000_000, 300_000_000])
    packets = nev.spikes(ticks, 1, 0, np.zeros((5, 50), "<i2"))
    session = synth.full_session((3, 0))
    session.files["nev"] = replace(nev, packets=packets)
    recording = made(tmp_path, session)
    assert runs_of(recording.table("ch1")) == [(3, 0, 0), (2, 200_000_000, 1)]
    np.testing.assert_array_equal(
        seconds(recording.read_table("ch1")["tick"], recording.table("ch1").clock), ticks / 10**9
    )


def test_continuous_files_of_different_clocks(tmp_path):
    spans = ((0, 3000), (6000, 4000))
    slow = synth.nsx_file((3, 0), "ns2", width=2, spans=spans, period=30).files["ns2"]
    blocks = [Block(tick * 100_000 // 3, synth.counts(samples, 2)) for tick, samples in spans]
    fast = Nsx((3, 0), blocks, synth.channels(2), resolution=10**9)
    recording = made(tmp_path, Session({"ns2": slow, "ns5": fast}, main="ns2"))
    assert runs_of(recording.signal("nsx2")) == [(100, 0, 0), (133, 6000, 1)]
    assert runs_of(recording.signal("nsx5")) == [(3000, 0, 0), (4000, 200_000_000, 1)]
    nev = Nev((3, 0), synth.electrodes(1), packet_bytes=108, resolution=10**9)
    ticks = np.array([0, 199_999_999, 200_000_000, 200_000_001])
    nev.packets = nev.spikes(ticks, 1, 0, np.zeros((4, 48), "<i2"))
    recording = made(tmp_path, Session({"ns2": slow, "ns5": fast, "nev": nev}))
    assert runs_of(recording.table("ch1")) == [(2, 0, 0), (2, 200_000_000, 1)]


# Events


@pytest.mark.parametrize("version", [(2, 1), (2, 2)])
def test_inputs_of_old_versions(tmp_path, version):
    recording = made(tmp_path, synth.nev_file(version))
    ticks = np.linspace(10, 2999, 9).astype(np.int64)
    analog = np.arange(45).reshape(9, 5) * 100 - 2000
    expected = {
        "digital_input_port": [0, 1, 4, 7],
        "serial_input_port": [2, 3],
        "analog_input_channel_1": [5, 7],
        "analog_input_channel_5": [6],
        "periodic_sampling_events": [8],
    }
    names = [table.name for table in recording.tables if table.kind == "events"]
    assert names == list(expected)
    for name, rows in expected.items():
        found = events(recording, name)
        np.testing.assert_array_equal(found["tick"], ticks[rows])
        words = np.array(rows) * 7000
        np.testing.assert_array_equal(found["digital_value"], words)
        labels = words
        if name.startswith("analog"):
            labels = analog[rows, int(name[-1]) - 1]
            np.testing.assert_array_equal(found["analog_value"], labels)
        assert found["label"].tolist() == [str(label) for label in labels.tolist()]
    found = events(recording, "periodic_sampling_events")
    assert [found[f"analog_value_{k}"].tolist() for k in range(1, 6)] == analog[[8]].T.tolist()


def test_inputs_without_a_reason(tmp_path):
    nev = Nev((2, 3))
    recording = nev_made(tmp_path, replace(nev, packets=nev.inputs([1, 2, 3], [0, 128, 1], 7)))
    assert events(recording, "digital_input_port")["tick"].tolist() == [3]
    (problem,) = recording.problems
    assert problem.reason == "packets of inputs that give no known reason are left out"
    assert problem.lost == 2


def test_events_of_2_3(tmp_path):
    recording = made(tmp_path, synth.rich_nev())
    names = [table.name for table in recording.tables if table.kind == "events"]
    assert sorted(names) == sorted(
        ["digital_input_port", "serial_input_port", "configuration", "button", "tracking",
         "video_sync", "comments"]
    )  # fmt: skip
    found = {name: {key: column.tolist() for key, column in events(recording, name).items()}
             for name in names}  # fmt: skip
    assert found == {
        "digital_input_port": {"tick": [700], "label": ["65535"], "digital_value": [65535]},
        "serial_input_port": {"tick": [800], "label": ["65"], "digital_value": [65]},
        "configuration": {"tick": [600], "label": ["filter changed"], "change_type": [4]},
        "button": {
            "tick": [300, 400, 500],
            "label": ["press", "reset", "9"],
            "trigger": [1, 2, 9],
        },
        "tracking": {
            "tick": [101, 201],
            "label": ["3", "4"],
            "parent": [0, 1],
            "node": [3, 4],
            "node_count": [2, 2],
            "point_count": [2, 2],
            "point_0": [10, 1],
            "point_1": [20, 2],
            "point_2": [30, 3],
            "point_3": [40, 4],
        },
        "video_sync": {
            "tick": [100, 200],
            "label": ["7", "8"],
            "file_number": [1, 1],
            "frame": [7, 8],
            "elapsed_ms": [33, 66],
            "video_source": [2, 2],
        },
        "comments": {
            "tick": [5, 900, 900, 20000],
            "label": ["start", "μV \N{CAT FACE} end", "café €", "ROI 1,2,3"],
            "charset": [0, 1, 0, 255],
            "color": ["#11223344", "#000000FF", "", "#00000000"],
            "start_time": [5 / 30000, 0.03, 850 / 30000, 20000 / 30000],
        },
    }


def test_facts_of_the_extended_headers(tmp_path):
    facts = made(tmp_path, synth.rich_nev()).blocks[0].annotations
    assert facts == {
        "files": ["session.nev"],
        "file_specs": ["2.3"],
        "comment": "spikes of a test",
        "application": "Central 7.0",
        "array_name": "Utah",
        "map_file": "array.cmp",
        "extra_comments": ["a comment of which there is more", "another"],
        "digital_labels": [
            {"label": "digin", "mode": "parallel"},
            {"label": "serial", "mode": "serial"},
        ],
        "video_sources": [{"source": 2, "label": "camera", "frame_rate": float(np.float32(29.97))}],
        "tracking_objects": [{"type": 1, "id": 3, "points": 2, "video_source": "camera"}],
        "periodic_sampling": [
            {
                "frequency": 100,
                "digital_config": 1,
                "analog_configs": [1, 0, 2, 3, 4],
                "analog_thresholds": [-5, 0, 7, 300, -300],
            }
        ],
    }


@pytest.mark.parametrize("packet_bytes", range(12, 32))
def test_packets_too_short_for_all_fields(tmp_path, packet_bytes):
    nev = Nev((3, 0), synth.electrodes(1, samples=0), packet_bytes=packet_bytes)
    tables = [
        nev.inputs([1], 1, 500),
        nev.spikes([2], 1, 3, np.zeros((1, 0), "<i2")),
        nev.comments([3], [b""], 0, 0, 0) if packet_bytes > 16 else nev.rows([3], 0xFFFF, []),
        nev.video([4], 1, 2, 3, 4),
        nev.rows([5], synth.TRACKING, [(6, "<u2", 200)]),
        nev.buttons([6], 1),
    ]
    recording = nev_made(tmp_path, replace(nev, packets=np.concatenate(tables)))
    spikes = recording.table("ch1")
    assert (spikes.waveforms is None) == (packet_bytes < 14)
    assert (
        spikes.waveforms is None or spikes.columns["waveform"].shape[1] == (packet_bytes - 12) // 2
    )
    for table in recording.tables:
        found = recording.read_table(table, columns=list(table.columns))
        assert len(found["tick"]) == 1
    assert events(recording, "button")["label"].tolist() == ["press"]
    digital = events(recording, "digital_input_port")
    assert digital["label"].tolist() == (["500"] if packet_bytes >= 14 else [""])


# Quirks


@pytest.mark.parametrize("samples", [46, 0, 60])
def test_waveforms_shorter_than_their_packets(tmp_path, samples):
    """NeuralEnsemble/python-neo#1152: fewer samples than the packet has room for."""
    nev = Nev((2, 3), [Electrode(1, samples=samples)])
    waves = synth.counts(3, 48)
    recording = nev_made(tmp_path, replace(nev, packets=nev.spikes([1, 2, 3], 1, 0, waves)))
    kept = 46 if samples == 46 else 48
    found = recording.read_table("ch1", columns=["waveform"])["waveform"]
    np.testing.assert_array_equal(found[:, 0], waves[:, :kept])
    noted = ["electrode 1: waveforms of 60 samples; packets have room for 48"]
    assert reasons(recording) == (noted if samples == 60 else [])


def test_last_spike_is_within_the_segment(tmp_path):
    """NeuralEnsemble/python-neo#1152: an end-time slice lost it."""
    session = synth.nev_file((2, 3))
    reader = io.BlackrockIO(session.write(tmp_path))
    (segment,) = reader.read_block().segments
    whole = sum(map(len, segment.spiketrains))
    assert whole == 120
    recording = reader.recording
    (info,) = recording.segments
    cut = reader.read_segment(time_slice=(info.t_start, info.t_stop))
    assert sum(map(len, cut.spiketrains)) == whole
    lazy = reader.read_segment(lazy=True)
    assert sum(len(train.load()) for train in lazy.spiketrains) == whole


def test_partial_last_packet_is_dropped(tmp_path):
    session = synth.nev_file((2, 3))
    session.files["nev"].tail = bytes(70)
    recording = made(tmp_path, session)
    assert_trains(recording, session.trains)
    (problem,) = recording.problems
    assert problem.reason == "the last packet has 70 of 104 bytes; it is left out"
    assert problem.lost == 1


def test_neuralynx_files_are_others(tmp_path):
    path = tmp_path / "Events.nev"
    path.write_bytes(b"######## Neuralynx Data File Header\r\n".ljust(17_000, b"\0"))
    files = FileSet(path)
    assert "blackrock" not in [match.format.name for match in identify(files)]
    with pytest.raises(WrongFormatError, match=r"which no \.nev or \.nsX file does"):
        opened(path)


def test_neuralynx_file_beside_a_recording(tmp_path):
    nsx = synth.nsx_file((2, 3)).files["ns5"]
    (tmp_path / "session.nev").write_bytes(b"######## Neuralynx Data File".ljust(17_000, b"\0"))
    recording = nsx_made(tmp_path, nsx)
    assert recording.tables == ()
    assert "does not begin as one of Blackrock's does; it is left out" in reasons(recording)[0]


def test_names_whatever_the_case_and_points(tmp_path):
    session = synth.full_session((2, 3))
    for ending, file in session.files.items():
        (tmp_path / f"My.Session.ns2.{ending.upper()}").write_bytes(file.tobytes())
    recording = opened(tmp_path / "My.Session.ns2.NS5")
    assert [signal.name for signal in recording.signals] == ["nsx2", "nsx5"]
    assert_trains(recording, session.trains)


def test_siblings_of_other_programs_are_ignored(tmp_path):
    session = synth.full_session((2, 3))
    for ending in ("ccf", "sif", "mat"):
        (tmp_path / f"session.{ending}").write_bytes(b"anything")
    assert made(tmp_path, session).problems == ()


def test_a_file_that_was_renamed(tmp_path):
    nsx = synth.nsx_file((2, 3)).files["ns5"]
    (tmp_path / "renamed.dat").write_bytes(nsx.tobytes())
    recording = open_recording(tmp_path / "renamed.dat")
    assert (recording.format.name, recording.signal(0).name) == ("blackrock", "nsx5")
    np.testing.assert_array_equal(recording.read_signal(0), nsx.values)


def test_files_with_each_others_names(tmp_path):
    session = synth.full_session((2, 3))
    (tmp_path / "a.nev").write_bytes(session.files["ns5"].tobytes())
    (tmp_path / "b.ns5").write_bytes(session.files["nev"].tobytes())
    one, other = opened(tmp_path / "a.nev"), opened(tmp_path / "b.ns5")
    assert (names(one), one.tables) == (["nsx5"], ())
    assert names(other) == []
    assert_trains(other, session.trains)
    (tmp_path / "a.ns5").write_bytes(session.files["nev"].tobytes())
    assert "it is left out" in reasons(opened(tmp_path / "a.nev"))[0]


@pytest.mark.parametrize("number", range(1, 10))
def test_all_nine_continuous_files(tmp_path, number):
    session = synth.nsx_file((2, 3), f"ns{number}")
    assert made(tmp_path, session).signal(0).name == f"nsx{number}"


# Options


def names(recording):
    return [signal.name for signal in recording.signals]


def test_choice_of_continuous_files(tmp_path):
    path = synth.full_session((2, 3)).write(tmp_path)
    for given, expected in [
        ("all", ["nsx2", "nsx5"]),
        ("max", ["nsx5"]),
        (2, ["nsx2"]),
        ("2", ["nsx2"]),
        ("ns5", ["nsx5"]),
        ("2,5", ["nsx2", "nsx5"]),
        ([5, 2], ["nsx2", "nsx5"]),
        ([5], ["nsx5"]),
        ([], []),
        (None, ["nsx2", "nsx5"]),
    ]:
        recording = opened(path, nsx_to_load=given)
        assert names(recording) == expected
        assert recording.tables
        assert names(io.BlackrockIO(path, given).recording) == expected
    with pytest.raises(ValueError, match=r"has no file ns6; there are: ns2, ns5"):
        opened(path, nsx_to_load=[2, 6])
    with pytest.raises(ValueError, match="expected a number, a list of numbers"):
        opened(path, nsx_to_load="fast")


def test_without_spikes_and_events(tmp_path):
    path = synth.full_session((2, 3)).write(tmp_path)
    recording = opened(path, load_nev=False)
    assert (names(recording), recording.tables) == (["nsx2", "nsx5"], ())
    with pytest.raises(ValueError, match="leave nothing to read"):
        opened(path, load_nev=False, nsx_to_load=[])


def test_overrides(tmp_path):
    session = synth.full_session((2, 3))
    path = session.write(tmp_path)
    other = synth.nsx_file((2, 2), "ns3", width=2).write(tmp_path, "other")
    sorted_again = synth.nev_file((2, 3), (50, 900))
    sorted_again.write(tmp_path, "sorted")
    recording = opened(path, nsx_override="other", nev_override="sorted.nev")
    assert names(recording) == ["nsx3"]
    assert_trains(recording, sorted_again.trains)
    for given in ("sorted", str(tmp_path / "sorted"), tmp_path / "sorted.nev"):
        recording = opened(path, nev_override=given)
        assert names(recording) == ["nsx2", "nsx5"]
        assert_trains(recording, sorted_again.trains)
    assert names(opened(tmp_path / "session.nev", nsx_override=other)) == ["nsx3"]
    with pytest.raises(ValueError, match=r"there is no missing\.nev in the folder"):
        opened(path, nev_override="missing")
    with pytest.raises(ValueError, match=r"there is no missing\.ns1 to \.ns9 in the folder"):
        opened(path, nsx_override="missing")
    with pytest.raises(ValueError, match="only files of that folder are read"):
        opened(path, nev_override="../sorted")


def test_options_of_neo_by_name(tmp_path):
    path = synth.full_session((2, 3)).write(tmp_path)
    reader = io.BlackrockIO(
        filename=path, nsx_to_load=5, nsx_override=None, nev_override=None, gap_tolerance_ms=500
    )
    assert runs_of(reader.recording.signal(0)) == [(7000, 0, 0)]


# Bad input


def edited(folder, session, *changes, ending=None, **options):
    """Write a session with bytes of its main file replaced, and open it."""
    path = session.write(folder)
    target = path if ending is None else path.with_suffix(f".{ending}")
    data = bytearray(target.read_bytes())
    for offset, form, value in changes:
        struct.pack_into(form, data, offset, value)
    target.write_bytes(data)
    return opened(path, **options)


def one_block(version=(2, 3)):
    return synth.nsx_file(version, spans=((0, 300),))


@pytest.mark.parametrize("ending", ["nev", "ns5"])
def test_unknown_magic(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    path.write_bytes(b"NEURALXX".ljust(1000, b"\0"))
    with pytest.raises(WrongFormatError, match="NEURALXX"):
        opened(path)


@pytest.mark.parametrize("minor", [0, 4, 9])
@pytest.mark.parametrize("make", [one_block, lambda: synth.nev_file((2, 3))])
def test_unknown_version(tmp_path, make, minor):
    with pytest.raises(UnsupportedVersionError, match=rf"file specification 2\.{minor}"):
        edited(tmp_path, make(), (9, "<B", minor))
    recording = opened(tmp_path / f"session.{make().main}", salvage=True)
    assert recording.signals or recording.tables
    assert "file specification" in reasons(recording)[0]


@pytest.mark.parametrize("make", [one_block, lambda: synth.nev_file((2, 3))])
def test_headers_past_the_end(tmp_path, make):
    offset, count = (10, 310) if make().main == "ns5" else (12, 332)
    with pytest.raises(TruncatedError, match=r"headers of 4,000,000,000 bytes"):
        edited(tmp_path, make(), (offset, "<I", 4_000_000_000))
    with pytest.raises(CorruptError, match=r"those that are listed need"):
        edited(tmp_path, make(), (offset, "<I", 20))
    with pytest.raises(TruncatedError, match="items of"):
        edited(tmp_path, make(), (count, "<I", 2**31))


@pytest.mark.parametrize(("version", "places"), [((2, 1), (28, 24)), ((2, 3), (310, 286))])
def test_no_channels_and_no_period(tmp_path, version, places):
    session = synth.old_session() if version == (2, 1) else one_block(version)
    with pytest.raises(CorruptError, match="no channels"):
        edited(tmp_path, session, (places[0], "<I", 0))
    with pytest.raises(CorruptError, match="period"):
        edited(tmp_path, session, (places[1], "<I", 0))


def test_no_resolution(tmp_path):
    with pytest.raises(CorruptError, match="time stamp resolution"):
        edited(tmp_path, one_block(), (290, "<I", 0))
    with pytest.raises(CorruptError, match="time stamp resolution"):
        edited(tmp_path, synth.nev_file((2, 3)), (20, "<I", 0))


def test_channel_header_of_another_kind(tmp_path):
    with pytest.raises(CorruptError, match=r"channel header 1.*expected b'CC'"):
        edited(tmp_path, one_block(), (314 + 66, "<H", 0x5858))


@pytest.mark.parametrize("size", [0, 11])
def test_packets_too_small(tmp_path, size):
    with pytest.raises(CorruptError, match=f"packets of {size} bytes"):
        edited(tmp_path, synth.nev_file((2, 3)), (16, "<I", size))


def test_no_waveform_rate(tmp_path):
    recording = edited(tmp_path, synth.nev_file((2, 3)), (24, "<I", 0))
    assert recording.table("ch1").waveforms.rate == 30000
    assert "30000 Hz is assumed" in reasons(recording)[0]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("points", [0, 0xFFFFFFFF, 100_000])
def test_interrupted_recording(tmp_path, version, points):
    blocks = blocks_at((0, 100), (400, 50))
    blocks[1].points = points
    nsx = Nsx(version, blocks, synth.channels(2), tail=b"\7\7\7")
    recording = nsx_made(tmp_path, nsx)
    assert runs_of(recording.signal(0)) == [(100, 0, 0), (50, 400, 1)]
    np.testing.assert_array_equal(recording.read_signal(0), nsx.values)
    (problem,) = recording.problems
    assert "50 are there" in problem.reason
    assert problem.lost == (99_950 if points == 100_000 else 0)


def test_interrupted_at_the_head_of_a_block(tmp_path):
    nsx = Nsx((2, 3), blocks_at((0, 100)), synth.channels(2), tail=b"\1\0\0\0")
    recording = nsx_made(tmp_path, nsx)
    assert runs_of(recording.signal(0)) == [(100, 0, 0)]
    assert "the last 4 bytes are no whole head" in reasons(recording)[0]


@pytest.mark.parametrize("tail", [bytes(500), b"\xab" * 500])
def test_a_last_block_of_no_samples(tmp_path, tail):
    blocks = [*blocks_at((0, 100)), Block(100, synth.counts(0, 2))]
    recording = nsx_made(tmp_path, Nsx((2, 3), blocks, synth.channels(2), tail=tail[:2]))
    assert runs_of(recording.signal(0)) == [(100, 0, 0)]
    (reason,) = reasons(recording)
    assert "their number was never written, 0 are there" in reason
    nsx_made(tmp_path, Nsx((2, 3), blocks, synth.channels(2)))
    assert opened(tmp_path / "session.ns5").problems == ()


@pytest.mark.parametrize("tail", [bytes(500), b"\xab" * 500])
def test_what_is_no_block(tmp_path, tail):
    nsx = Nsx((3, 0), blocks_at((0, 100)), synth.channels(2), tail=tail)
    recording = nsx_made(tmp_path, nsx)
    assert runs_of(recording.signal(0)) == [(100, 0, 0)]
    assert "the 500 bytes from here on are not read" in reasons(recording)[0]
    nsx.version = (2, 3)
    with pytest.raises(CorruptError, match=f"begins with {tail[0]}"):
        nsx_made(tmp_path, nsx)
    salvaged = opened(tmp_path / "session.ns5", salvage=True)
    assert runs_of(salvaged.signal(0)) == [(100, 0, 0)]


def test_time_stamps_that_cannot_be(tmp_path):
    nsx = Nsx((3, 0), blocks_at((0, 100), (2**63 + 5, 100)), synth.channels(2))
    recording = nsx_made(tmp_path, nsx)
    assert runs_of(recording.signal(0)) == [(100, 0, 0)]
    nev = Nev((3, 0), synth.electrodes(1), packet_bytes=108)
    ticks = np.array([5, 2**63, 7], "u8")
    packets = nev.spikes(ticks, 1, [0, 1, 2], np.zeros((3, 48), "<i2"))
    recording = nev_made(tmp_path, replace(nev, packets=packets), nsx_to_load=[])
    assert {k: v.tolist() for k, v in recording.read_table("ch1").items()} == {
        "tick": [5, 7],
        "unit": [0, 2],
    }
    assert recording.problems[-1].lost == 1


def test_members_of_different_versions(tmp_path):
    session = synth.full_session((2, 3))
    session.files["ns2"] = synth.nsx_file((3, 0), "ns2", width=2, period=30).files["ns2"]
    recording = made(tmp_path, session)
    assert runs_of(recording.signal("nsx2")) == [(100, 0, 0), (133, 6000, 1)]
    assert_trains(recording, session.trains)
    assert reasons(recording) == [
        "its files are of different specifications (2.3, 3.0); each is read as its own"
    ]


def test_no_headers_of_electrodes(tmp_path):
    session = synth.nev_file((2, 3))
    session.files["nev"].electrodes = []
    recording = made(tmp_path, session)
    assert_trains(recording, session.trains)
    assert (recording.table("ch7").waveforms.unit, recording.table("ch7").waveforms.gain) == ("", 1)
    assert "the scale of waveforms is not known" in reasons(recording)[0]


@pytest.mark.parametrize(("version", "known"), [((2, 2), 255), ((2, 3), 2048), ((3, 0), 16384)])
def test_packets_of_unknown_kinds(tmp_path, version, known):
    nev = Nev(version, synth.electrodes(1, known, 30_000), packet_bytes=112)
    rows = [nev.rows([each], kind, []) for each, kind in enumerate((1, known, known + 1, 30_000))]
    recording = nev_made(tmp_path, replace(nev, packets=np.concatenate(rows)))
    assert [table.name for table in recording.tables] == ["ch1", f"ch{known}", "ch30000"]
    (problem,) = recording.problems
    assert (problem.reason, problem.lost) == ("packets of unknown kinds are left out", 1)


def test_odd_size_of_samples(tmp_path):
    nev = Nev((2, 3), [Electrode(1, sample_bytes=3, samples=20)], is_16_bit=False)
    recording = nev_made(tmp_path, replace(nev, packets=nev.spikes([1], 1, 0, synth.counts(1, 20))))
    assert recording.table("ch1").columns["waveform"] == np.dtype(("<i2", (1, 20)))
    assert "samples of 3 bytes; 2 are assumed" in reasons(recording)[0]


def test_dates(tmp_path):
    session = synth.nev_file((2, 3))
    session.files["nev"].date = None
    assert made(tmp_path, session).blocks[0].rec_datetime is None
    recording = edited(tmp_path, synth.nev_file((2, 3)), (30, "<H", 13))
    assert recording.blocks[0].rec_datetime is None
    assert "a date of [2024, 13, " in reasons(recording)[0]


def test_empty_files(tmp_path):
    recording = nsx_made(tmp_path, Nsx((2, 3), [], synth.channels(2)))
    assert (recording.signal(0).length, len(recording.segments)) == (0, 1)
    assert reasons(recording) == ["it holds no samples"]
    recording = nev_made(tmp_path, Nev((2, 3), synth.electrodes(1)), nsx_to_load=[])
    assert recording.tables == ()
    assert [(each.t_start, each.t_stop) for each in recording.segments] == [(0.0, 0.0)]


def test_damaged_companion(tmp_path):
    session = synth.full_session((2, 3))
    with pytest.raises(FormatError, match=r"session\.nev.*packets of 3 bytes"):
        edited(tmp_path, session, (16, "<I", 3), ending="nev")
    recording = opened(tmp_path / "session.ns5", load_nev=False)
    assert names(recording) == ["nsx2", "nsx5"]


# The index


def test_index_is_cached(tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    monkeypatch.setenv("EPHYRUS_CACHE", str(cache))
    monkeypatch.setattr("ephyrus.recording.indexcache.SETTLED_SECONDS", -1.0)
    path = synth.big(tmp_path / "big.nev", packets=200_000, electrode_count=7)
    first = opened(path)
    assert len(list(cache.iterdir())) == 1
    second = opened(path)
    for table in first.tables:
        one, other = (rec.read_table(table.name) for rec in (first, second))
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
    assert sum(table.length for table in second.tables) == 200_000


def test_large_files(tmp_path):
    path = synth.big(tmp_path / "big.ns5", megabytes=2, ptp=True)
    recording = opened(path)
    assert recording.signal(0).length == 31_250
    assert len(recording.segments) == 1
    path = synth.big(tmp_path / "other.ns5", megabytes=2)
    np.testing.assert_array_equal(recording.read_signal(0), opened(path).read_signal(0))


# Objects


def test_objects(tmp_path):
    session = synth.full_session((2, 3))
    block = io.BlackrockIO(session.write(tmp_path)).read_block(
        create_group_across_segment=True, load_waveforms=True
    )
    assert len(block.segments) == 2
    assert block.rec_datetime == synth.DATE
    assert block.annotations["application"] == "Central 7.0"
    nsx = session.files["ns5"]
    first, second = (
        [signal for signal in segment.analogsignals if signal.annotations["stream_id"] == "5"]
        for segment in block.segments
    )
    assert [signal.dimensionality.string for signal in first] == ["uV", "mV"]
    for signals, start, part in ((first, 0.0, slice(0, 3000)), (second, 0.2, slice(3000, None))):
        neural, analog = signals
        assert float(neural.t_start) == start
        assert float(neural.sampling_rate) == 30000.0
        assert neural.array_annotations["channel_names"].tolist() == ["elec1", "elec2"]
        assert neural.array_annotations["channel_ids"].tolist() == ["1", "2"]
        assert analog.array_annotations["high_pass_type"].tolist() == ["none"]
        gains = np.array([each.gain() for each in nsx.channels])
        offsets = np.array([each.offset() for each in nsx.channels])
        expected = nsx.values[part] * gains + offsets
        np.testing.assert_allclose(neural.magnitude, expected[:, :2], rtol=1e-5, atol=1e-3)
        np.testing.assert_allclose(analog.magnitude, expected[:, 2:], rtol=1e-5, atol=1e-3)
    for place, segment in enumerate(block.segments):
        for train in segment.spiketrains:
            truth = session.trains[train.annotations["channel_id"]]
            mine = (truth.units == train.annotations["unit_id"]) & (
                (truth.ticks >= 6000) == bool(place)
            )
            times = train.rescale("s").magnitude
            np.testing.assert_array_equal(times, truth.ticks[mine] / 30000)
    units = [group for group in block.groups if group.spiketrains]
    assert len(units) == sum(len(np.unique(train.units)) for train in session.trains.values())
    assert all(len(group.spiketrains) == 2 for group in units)
    digital = block.segments[1].events[0]
    assert digital.name == "digital_input_port"
    assert digital.labels.tolist() == [
        str(value) for value in digital.array_annotations["digital_value"].tolist()
    ]


# Real recordings

REAL = ["example_1.nev", "testData.ns2", "test_BRSMPGRP_raw.ns3", "test_NEURALSG_raw.ns3"]
STIMULATION = [f"ch{electrode}#0" for electrode in range(5249, 5281)]


@pytest.mark.real
@pytest.mark.parametrize("name", REAL[:3])
def test_real_signals(name):
    expected = golden(f"blackrock/{name}")["segments"]
    recording = opened(data_path("blackrock") / name)
    assert len(recording.segments) == len(expected)
    for number, segment in enumerate(expected):
        info = recording.segments[number]
        assert info.t_start == pytest.approx(segment["t_start"], abs=1e-9)
        assert info.t_stop == pytest.approx(segment["t_stop"], abs=1 / 29999)
        channels = segment["channels"]
        assert len(channels) == sum(len(signal.channels) for signal in recording.signals)
        if not channels:
            continue
        (stream,) = recording.signals
        first, count, tick, _ = stream.runs[number].tolist()
        values = recording.read_scaled(stream, first, first + count, dtype=np.dtype("f8"))
        for position, channel in enumerate(channels):
            assert stream.channels.names[position] == channel["name"]
            assert stream.channels.ids[position] == channel["id"]
            assert stream.channels.units[position] == channel["units"]
            assert float(stream.rate) == channel["sampling_rate"]
            assert tick / stream.clock == pytest.approx(channel["t_start"], abs=1e-12)
            assert stream.name == channel["stream"]
            assert_channel(values[:, position], channel)


@pytest.mark.real
@pytest.mark.parametrize("name", ["example_1.nev", "testData.ns2"])
def test_real_spikes(name):
    (segment,) = golden(f"blackrock/{name}")["segments"]
    path = data_path("blackrock") / name
    (found,) = io.BlackrockIO(path).read_block(load_waveforms=True).segments
    trains = {train.name: train for train in found.spiketrains}
    expected = {train["name"]: train for train in segment["spiketrains"]}
    assert sorted(trains.keys() - expected.keys()) == (
        STIMULATION if name == "testData.ns2" else []
    )
    assert not expected.keys() - trains.keys()
    for key, facts in expected.items():
        train, waves = trains[key], facts["waveforms"]
        assert_points(train.rescale("s").magnitude, facts)
        values = train.waveforms.rescale(waves["units"]).magnitude.astype("f8")
        assert list(values.shape) == waves["shape"]
        assert values.min() == pytest.approx(waves["min"], rel=1e-6)
        assert values.max() == pytest.approx(waves["max"], rel=1e-6)
        assert values.sum() == pytest.approx(waves["sum"], rel=1e-6, abs=1e-2)
        assert float(train.sampling_rate) == waves["sampling_rate"]
        left = float(train.left_sweep.rescale("s")) * waves["sampling_rate"]
        assert left == pytest.approx(waves["left_sweep"])


@pytest.mark.real
@pytest.mark.parametrize("name", ["example_1.nev", "testData.ns2"])
def test_real_events(name):
    (segment,) = golden(f"blackrock/{name}")["segments"]
    recording = opened(data_path("blackrock") / name)
    tables = [table for table in recording.tables if table.kind == "events"]
    assert [table.name for table in tables] == [each["name"] for each in segment["events"]]
    for table, facts in zip(tables, segment["events"], strict=True):
        found = recording.read_table(table)
        assert_points(seconds(found["tick"], table.clock), facts)
        labels = found["label"].tolist()
        assert (labels[:5], labels[-5:]) == (facts["labels_first5"], facts["labels_last5"])
        values, counts = np.unique(found["label"], return_counts=True)
        assert (
            facts["label_counts"].items()
            <= dict(zip(values.tolist(), counts.tolist(), strict=True)).items()
        )
    assert not segment["epochs"]


@pytest.mark.real
def test_real_set_from_either_file():
    folder = data_path("blackrock")
    one, other = (opened(folder / f"testData.{ending}") for ending in ("nev", "ns2"))
    np.testing.assert_array_equal(one.read_signal(0), other.read_signal(0))
    assert [table.name for table in one.tables] == [table.name for table in other.tables]


@pytest.mark.real
def test_real_stimulation_channels():
    """Trellis declares electrodes 5249 to 5280 and stores ten stimuli of each (DISAGREEMENTS)."""
    recording = opened(data_path("blackrock") / "testData.nev")
    tables = [
        table for table in recording.tables if table.name > "ch5200" and table.kind != "events"
    ]
    tables = [table for table in tables if len(table.name) == 6]
    assert len(tables) == 32
    assert {table.length for table in tables} == {10}
    assert {table.waveforms.unit for table in tables} == {""}
    assert "waveforms of 21847 samples; packets have room for 52" in reasons(recording)[0]


@pytest.mark.real
def test_real_old_file_has_the_head_of_a_block():
    """The golden values are those of bytes shifted by nine; see DISAGREEMENTS."""
    (segment,) = golden("blackrock/test_NEURALSG_raw.ns3")["segments"]
    path: Path = data_path("blackrock") / "test_NEURALSG_raw.ns3"
    recording = opened(path)
    stored = recording.read_signal(0)
    assert stored.shape == (100, 128)
    data = path.read_bytes()
    assert data[544:553] == struct.pack("<BII", 1, 0, 100)
    np.testing.assert_array_equal(stored, np.frombuffer(data, "<i2", offset=553).reshape(100, 128))
    shifted = np.frombuffer(data, "<i2", 99 * 128, offset=544).reshape(99, 128)
    for position, channel in enumerate(segment["channels"]):
        assert recording.signal(0).channels.names[position] == channel["name"]
        assert recording.signal(0).channels.units[position] == channel["units"]
        assert_channel(shifted[:, position], channel)
    assert float(recording.signal(0).rate) == segment["channels"][0]["sampling_rate"]
