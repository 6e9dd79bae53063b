"""Spike2 .smr and .smrx against the synthetic writer, and the real files against neo's values."""

from __future__ import annotations

import struct
from datetime import datetime
from fractions import Fraction

import numpy as np
import pytest
import quantities as pq

import ephyrus
from ephyrus.errors import (
    Cancelled,
    CorruptError,
    TruncatedError,
    UnsupportedVersionError,
    WrongFormatError,
)
from ephyrus.formats import spike2 as module
from ephyrus.io import Spike2IO
from ephyrus.recording import CallbackProgress, FileSet, seconds
from ephyrus.registry import open_recording
from tests.golden import assert_channel, assert_points, data_path, golden
from tests.synth import spike2 as synth
from tests.synth.spike2 import Events, Markers, Wave, counts, smr, smrx

F8 = np.dtype(np.float64)
SLOT0 = 512  # offset of the first channel slot
SMALL = {"letters": b"lk", "fanout": 3}  # blocks of 4 kB, index trees of two levels

VARIANTS = {
    **{f"v{version}": lambda c, v=version: smr(c, version=v) for version in range(1, 10)},
    "v4-big": lambda c: smr(c, version=4, order=">", time_per_adc=2),
    "v9-big": lambda c: smr(c, version=9, order=">"),
    "v5-adc": lambda c: smr(c, version=5, time_per_adc=2),
    "by-channel": lambda c: smr(c, by_channel=True),
    "smrx-small": lambda c: smrx(c, tick_seconds=1e-5, **SMALL),
    "smrx-standard": lambda c: smrx(c, tick_seconds=1e-5),
}
EACH_VARIANT = pytest.mark.parametrize("variant", VARIANTS)
NEW = [name for name in VARIANTS if name.startswith("smrx") or name[1:2] in "6789"]


@pytest.fixture
def opened(tmp_path):
    """Give a function that writes a file and opens it; every recording is closed in the end."""
    recordings = []

    def open_bytes(raw, *, name="test.smr", **options):
        path = tmp_path / name
        path.write_bytes(raw if isinstance(raw, bytes | bytearray) else raw.tobytes())
        recordings.append(open_recording(path, format="spike2", **options))
        return recordings[-1]

    yield open_bytes
    for recording in recordings:
        recording.close()


def changed(parts, *patches):
    """Bytes of a file with other values: (offset, format of struct, value)."""
    raw = bytearray(parts.tobytes())
    for offset, form, value in patches:
        struct.pack_into("<" + form, raw, offset, value)
    return bytes(raw)


def slot_field(slot, offset):
    return SLOT0 + slot * 140 + offset


def first_block(raw, slot, unit=512):
    """Offset of the first block of a channel."""
    return struct.unpack_from("<i", raw, slot_field(slot, 6))[0] * unit


def reasons(recording):
    return [problem.reason for problem in recording.problems]


def by_id(recording):
    return {stream.id: stream for stream in (*recording.signals, *recording.tables)}


def times_of(recording, table):
    return seconds(recording.read_table(table, columns=["tick"])["tick"], table.clock)


def wave_values(recording):
    """Samples of each channel in units, by slot."""
    return {
        channel: recording.read_scaled(stream, dtype=F8)[:, place]
        for stream in recording.signals
        for place, channel in enumerate(stream.channels.ids)
    }


def one_wave(**extra):
    return Wave(0, "a", "V", pieces=[(0, counts(700))], **extra)


# Values


@EACH_VARIANT
def test_samples(opened, variant):
    channels = synth.wave_channels()
    rec = opened(VARIANTS[variant](channels))
    assert not rec.problems
    streams = by_id(rec)
    assert [stream.channels.ids for stream in rec.signals] == [("0", "1"), ("3",), ("4",)]
    found = wave_values(rec)
    for channel in channels:
        np.testing.assert_allclose(found[str(channel.slot)], channel.values(), rtol=1e-14)
        stream = streams["ch0" if channel.slot == 1 else f"ch{channel.slot}"]
        assert stream.rate == Fraction(100_000, channel.divide)
        assert stream.runs.tolist() == [(0, len(channel.data), channel.pieces[0][0], 0)]
    assert rec.signals[0].clock == 100_000
    assert rec.signals[0].channels.names == ("EMG", "EMG")
    assert rec.signals[0].channels.units == ("mV", "mV")
    assert rec.signals[0].channels.extra["comment"].tolist() == ["left", "right"]
    assert rec.signals[0].channels.extra["physical_channel"].tolist() == [1, 2]
    assert rec.signals[0].channels.extra["ideal_rate"].tolist() == [1000.0, 1000.0]
    assert len(rec.segments) == 1
    assert rec.segments[0].t_start == 3e-5
    assert rec.segments[0].t_stop == 0.19007


@EACH_VARIANT
def test_events_and_markers(opened, variant):
    channels = {channel.slot: channel for channel in synth.point_channels()}
    rec = opened(VARIANTS[variant]([*channels.values()]))
    assert not rec.problems
    tables = by_id(rec)
    for slot, channel in channels.items():
        table = tables[f"ch{slot}"]
        assert table.name == channel.title
        np.testing.assert_array_equal(rec.read_table(table)["tick"], channel.times)
        np.testing.assert_array_equal(times_of(rec, table), np.asarray(channel.times) / 1e5)
    assert set(rec.read_table(tables["ch10"])["label"]) == {""}
    assert rec.read_table(tables["ch12"])["label"].tolist() == (["up", "down"] * 16)[:31]
    assert rec.read_table(tables["ch13"])["label"].tolist() == ["down", "up"] * 15
    keys = rec.read_table(tables["ch14"])
    codes = channels[14].codes
    assert keys["label"].tolist() == [str(code) for code in codes[:, 0]]
    for place in range(4):
        np.testing.assert_array_equal(keys[f"code_{place + 1}"], codes[:, place])
    printable = [chr(code) if 32 <= code < 127 else "" for code in codes[:, 0]]
    assert keys["character"].tolist() == printable
    texts = rec.read_table(tables["ch18"])
    assert texts["label"].tolist() == ["drug on", "", "café", "washed out!!!!!", "\x81 odd", "a"]
    np.testing.assert_array_equal(texts["code_3"], channels[18].codes[:, 2])
    assert rec.segments[0].t_start == 0
    assert rec.segments[0].t_stop >= max(max(each.times) for each in channels.values()) / 1e5


@EACH_VARIANT
def test_level_periods(opened, variant):
    channels = {channel.slot: channel for channel in synth.point_channels()}
    rec = opened(VARIANTS[variant]([*channels.values()]))
    tables = by_id(rec)
    edges = np.asarray(channels[12].times)  # 31 edges, low before: high to the end
    up = rec.read_table(tables["ch12-high"])
    last = int(max(max(channel.times) for channel in channels.values()))
    np.testing.assert_array_equal(up["tick"], edges[0::2])
    np.testing.assert_array_equal(up["duration"], np.append(edges[1::2], last) - edges[0::2])
    assert up["is_cut"].tolist() == [False] * 15 + [True]
    assert set(up["label"]) == {"high"}
    edges = np.asarray(channels[13].times)  # 30 edges, high before
    down = rec.read_table(tables["ch13-high"])
    np.testing.assert_array_equal(down["tick"], [0, *edges[1::2]])
    np.testing.assert_array_equal(
        down["tick"] + down["duration"], [*edges[0::2], last] if len(edges) % 2 == 0 else []
    )
    assert down["is_cut"].tolist() == [True] + [False] * 14 + [True]


@EACH_VARIANT
def test_spikes(opened, variant):
    channels = {channel.slot: channel for channel in synth.point_channels()}
    rec = opened(VARIANTS[variant]([*channels.values()]))
    tables = by_id(rec)
    unit = channels[15]
    table = tables["ch15"]
    assert [(each.id, each.label, each.name) for each in table.units] == [
        (code, f"ch15#{code}", "unit") for code in range(3)
    ]
    found = rec.read_table(table, columns=list(table.columns))
    np.testing.assert_array_equal(found["unit"], unit.codes[:, 0])
    np.testing.assert_array_equal(found["waveform"], unit.data.transpose(0, 2, 1))
    np.testing.assert_array_equal(table.unit_counts[:, 0], np.bincount(unit.codes[:, 0]))
    assert table.waveforms.rate == 25_000
    assert table.waveforms.left_sweep == Fraction(5, 25_000)
    assert (table.waveforms.unit, table.waveforms.offset) == ("uV", 0.25)
    assert table.waveforms.gain == 500 / 6553.6


@pytest.mark.parametrize("variant", NEW)
def test_interleaved_traces(opened, variant):
    tetrode = synth.point_channels()[6]
    rec = opened(VARIANTS[variant]([tetrode]))
    table = rec.tables[0]
    assert table.columns["waveform"].shape == (4, 8)
    found = rec.read_table(table, columns=["waveform"])["waveform"]
    np.testing.assert_array_equal(found, tetrode.data.transpose(0, 2, 1))


def test_interleave_of_zero_means_one_trace(opened):
    unit = synth.point_channels()[5]
    rec = opened(changed(smr([unit]), (slot_field(15, 138), "H", 0)))
    found = rec.read_table(0, columns=["waveform"])["waveform"]
    np.testing.assert_array_equal(found, unit.data.transpose(0, 2, 1))
    assert not rec.problems


@EACH_VARIANT
def test_real_marks(opened, variant):
    real = synth.point_channels()[7]
    rec = opened(VARIANTS[variant]([real]))
    table = rec.tables[0]
    assert table.waveforms is None
    found = rec.read_table(table)
    for place in range(3):
        np.testing.assert_array_equal(found[f"value_{place + 1}"], real.data[:, place])
        assert found[f"value_{place + 1}"].dtype == np.dtype("<f4")
    np.testing.assert_array_equal(found["unit"], real.codes[:, 0])
    assert table.annotations["channel_kind"] == "RealMark"
    assert table.annotations["minimum"] in (-4.0, -5.0)


def test_a_unit_alone_reads_what_the_channel_holds(opened):
    unit = synth.point_channels()[5]
    rec = opened(smr([unit]))
    table = rec.tables[0]
    for place, code in enumerate(range(3)):
        rows = np.flatnonzero(unit.codes[:, 0] == code)
        found = rec.read_unit(table, 0, place, 0, len(rows), ["tick", "waveform", "code_2"])
        np.testing.assert_array_equal(found["tick"], np.asarray(unit.times)[rows])
        np.testing.assert_array_equal(found["waveform"], unit.data[rows].transpose(0, 2, 1))
        np.testing.assert_array_equal(found["code_2"], unit.codes[rows, 1])


# Stretches and segments


@pytest.mark.parametrize("variant", ["v9", "v2", "v9-big", "smrx-small"])
def test_common_pauses_separate_segments(opened, variant):
    waves = synth.paused()
    events = Events(12, "e", times=[0, 2999, 3100, 4999, 5000, 14_000, 15_000, 19_500])
    rec = opened(VARIANTS[variant]([*waves, events]))
    for stream, wave in zip(rec.signals, waves, strict=True):
        assert stream.runs["tick"].tolist() == [tick for tick, _ in wave.pieces]
        assert stream.runs["count"].tolist() == [300, 500, 400]
        assert stream.runs["segment"].tolist() == [0, 1, 2]
        np.testing.assert_allclose(rec.read_scaled(stream, dtype=F8)[:, 0], wave.values())
    (table,) = rec.tables
    assert table.runs["segment"].tolist() == [0, 1, 2]
    assert table.runs["count"].tolist() == [4, 2, 2]
    assert [segment.t_start for segment in rec.segments] == [0.0, 0.05, 0.15]
    assert [segment.t_stop for segment in rec.segments] == [0.04999, 0.14, 0.195]
    assert not rec.problems


def test_events_before_the_samples_belong_to_the_first_segment(opened):
    waves = [Wave(0, "a", "V", pieces=[(500, counts(100)), (5000, counts(100))])]
    rec = opened(smr([*waves, Events(3, "e", times=[10, 499, 5100])]))
    assert rec.tables[0].runs["count"].tolist() == [2, 1]
    assert rec.segments[0].t_start == 10 * 1e-5


@pytest.mark.parametrize("variant", ["v9", "v9-big", "smrx-small"])
def test_pauses_of_single_channels_are_runs_within_a_segment(opened, variant):
    waves = synth.triggered()
    rec = opened(VARIANTS[variant](waves))
    assert len(rec.segments) == 2
    on, bursts, force = rec.signals
    assert on.runs["segment"].tolist() == [0, 1]
    assert bursts.runs["tick"].tolist() == [100, 2000, 4000, 16_000]
    assert bursts.runs["segment"].tolist() == [0, 0, 0, 1]
    assert force.runs["segment"].tolist() == [0, 0, 1]
    for stream, wave in zip(rec.signals, waves, strict=True):
        np.testing.assert_allclose(rec.read_scaled(stream, dtype=F8)[:, 0], wave.values())


def test_one_lost_sample_is_a_gap(opened):
    pieces = [(0, counts(236)), (2370, counts(100, seed=5))]
    rec = opened(smr([Wave(0, "a", "V", pieces=pieces)]))
    assert rec.signals[0].runs.tolist() == [(0, 236, 0, 0), (236, 100, 2370, 1)]


def test_a_block_that_begins_too_early_is_a_stretch_of_its_own(opened):
    pieces = [(0, counts(100)), (900, counts(100, seed=5))]
    rec = opened(smr([Wave(0, "a", "V", pieces=pieces)], by_channel=True))
    assert rec.signals[0].runs.tolist() == [(0, 100, 0, 0), (100, 100, 900, 0)]
    assert "1 blocks begin before the end of the one before" in reasons(rec)[0]


def test_offsets_within_an_interval_separate_signals_only(opened):
    waves = [Wave(slot, "a", "V", pieces=[(slot * 2, counts(500))]) for slot in range(3)]
    rec = opened(smr(waves))
    assert [stream.runs["tick"].tolist() for stream in rec.signals] == [[0], [2], [4]]
    assert len(rec.segments) == 1


def test_irregular_realwaves(opened):
    waves = synth.triggered()
    rec = opened(smr(waves), irregular_realwaves=True)
    assert [stream.id for stream in rec.signals] == ["ch0", "ch1"]
    (table,) = rec.tables
    assert (table.id, table.kind, table.length) == ("ch2", "samples", 180)
    found = rec.read_table(table)
    np.testing.assert_array_equal(found["tick"], waves[2].ticks())
    np.testing.assert_array_equal(found["value"][:, 0], waves[2].data)
    assert table.runs["count"].tolist() == [120, 60]
    assert table.channels.units == ("N",)
    block = Spike2IO(rec.path).read_block()
    assert [len(segment.irregularlysampledsignals) for segment in block.segments] == [0, 0]
    block = Spike2IO(rec.path, irregular_realwaves=True).read_block()
    sampled = block.segments[0].irregularlysampledsignals[0]
    np.testing.assert_array_equal(sampled.magnitude[:, 0], waves[2].data[:120])
    np.testing.assert_array_equal(sampled.times.magnitude, waves[2].ticks()[:120] / 1e5)


def test_whole_realwaves_stay_signals(opened):
    rec = opened(smr(synth.wave_channels()), irregular_realwaves=True)
    assert [stream.id for stream in rec.signals] == ["ch0", "ch3", "ch4"]


# Options


def test_ideal_rate(opened):
    channels = synth.wave_channels()
    channels[0].ideal_rate = 12_345.0
    rec = opened(smr(channels[:1]))
    assert rec.signals[0].rate == 10_000
    rec = opened(smr(channels[:1]), take_ideal_sampling_rate=True)
    assert rec.signals[0].rate == 12_345
    rec = opened(smr(channels[2:3]), take_ideal_sampling_rate=True)
    assert rec.signals[0].rate == 1000, "there is no ideal rate: the real one"


def test_one_train_per_channel(opened):
    unit = synth.point_channels()[5]
    rec = opened(smr([unit]), ced_units=False)
    (table,) = rec.tables
    assert [(each.id, each.label) for each in table.units] == [(0, "ch15#all")]
    found = rec.read_table(table)
    assert set(found["unit"]) == {0}
    np.testing.assert_array_equal(found["code_1"], unit.codes[:, 0])


def test_ideal_rates_separate_signals_that_take_them(opened):
    channels = synth.wave_channels()[:2]
    channels[1].ideal_rate = 2000.0
    raw = smr(channels)
    assert [stream.rate for stream in opened(raw).signals] == [10_000]
    rec = opened(raw, take_ideal_sampling_rate=True)
    assert [stream.rate for stream in rec.signals] == [1000, 2000]


def test_no_grouping(opened):
    channels = synth.wave_channels()
    rec = opened(smr(channels), try_signal_grouping=False)
    assert [stream.id for stream in rec.signals] == ["ch0", "ch1", "ch3", "ch4"]
    np.testing.assert_allclose(rec.read_scaled(1, dtype=F8)[:, 0], channels[1].values())


def test_no_level_epochs(opened):
    rec = opened(smr(synth.point_channels()), level_epochs=False)
    assert "epochs" not in {table.kind for table in rec.tables}


# Quirks


def test_equal_titles_have_ids_by_slot(opened):
    events = [Events(slot, "same", times=[slot]) for slot in (2, 5, 9)]
    rec = opened(smr(events))
    assert [table.id for table in rec.tables] == ["ch2", "ch5", "ch9"]
    assert [table.name for table in rec.tables] == ["same"] * 3


def test_a_channel_without_title_is_named_by_its_id(opened):
    assert opened(smr([Events(2, "", times=[1])])).tables[0].name == "ch2"


def test_date_and_comments(opened):
    rec = opened(smr([one_wave()], comments=["one", b"t\xe9", "", "", "x" * 90]))
    (block,) = rec.blocks
    assert block.rec_datetime == datetime(2024, 2, 29, 12, 34, 45, 250_000)
    assert block.annotations["file_comments"] == ["one", "té", "", "", "x" * 79]
    assert block.annotations["system_id"] == 9
    assert rec.info.software == "Spike2 8"


@pytest.mark.parametrize("make", [smr, smrx])
def test_date_that_is_not_set(opened, make):
    rec = opened(make([one_wave()], date=None))
    assert rec.blocks[0].rec_datetime is None
    assert not rec.problems


@pytest.mark.parametrize("date", [(0, 0, 0, 12, 30, 2, 2024), (100, 0, 0, 0, 1, 1, 2024)])
def test_date_that_cannot_be(opened, date):
    rec = opened(smr([one_wave()], date=date))
    assert rec.blocks[0].rec_datetime is None
    assert "cannot be true" in reasons(rec)[0]


@pytest.mark.parametrize(
    ("text", "unit"),
    [(" volt", pq.V), (" Volt", pq.V), ("uV", pq.uV), ("", pq.dimensionless), ("?!", None)],
)
def test_units(opened, text, unit):
    rec = opened(smr([Wave(0, "a", text, pieces=[(0, counts(100))])]))
    signal = Spike2IO(rec.path).read_segment().analogsignals[0]
    assert signal.units == (pq.dimensionless if unit is None else unit)
    assert (signal.annotations.get("units_string") == text) == (unit is None)


def test_time_base_of_another_size(opened):
    rec = opened(smr([one_wave()], us_per_time=3, time_base=2.5e-7))
    assert rec.signals[0].clock == Fraction(4_000_000, 3)
    rec = opened(smr([one_wave()], version=5, us_per_time=3))
    assert rec.signals[0].clock == Fraction(1_000_000, 3)


def test_time_base_that_cannot_be(opened):
    rec = opened(smr([one_wave()], time_base=0.0))
    assert rec.signals[0].clock == 100_000
    assert "a time base of 0.0 s" in reasons(rec)[0]


@pytest.mark.parametrize("slot", [254, 255, 256, 300, 450])
def test_slots_beyond_255(opened, slot):
    """Bit 8 of a block's channel number is a level; the ninth bit of the number is bit 9."""
    channels = [one_wave(), Events(slot, "far", times=[1, 2, 3])]
    rec = opened(smr(channels, slots=451))
    assert [table.id for table in rec.tables] == [f"ch{slot}"]
    assert rec.read_table(0)["tick"].tolist() == [1, 2, 3]
    assert not rec.problems


def test_level_flag_in_a_block_is_no_channel(opened):
    parts = smr([Events(2, "e", times=[5, 6], kind=synth.LEVEL)])
    place = first_block(parts.tobytes(), 2) + 16
    rec = opened(changed(parts, (place, "H", 3 | 0x100)))
    assert rec.read_table("ch2")["tick"].tolist() == [5, 6]
    assert not rec.problems


def test_more_than_32767_items_and_blocks(opened):
    events = Events(0, "many", times=np.arange(16_000) * 3, block_bytes=65_024)
    waves = Wave(1, "w", "V", pieces=[(0, counts(40_000))], divide=1, block_bytes=65_024)
    blocks = smr([waves, events])
    rec = opened(blocks)
    assert rec.signals[0].length == 40_000
    assert rec.read_table(0)["tick"].tolist() == list(range(0, 48_000, 3))
    parts = smr([Events(0, "many", times=np.arange(66_000 * 3), block_bytes=32)], version=8)
    rec = opened(parts)
    assert rec.tables[0].length == 198_000
    assert not rec.problems


def test_block_count_of_version_9_has_a_high_word(opened):
    parts = smr([Events(0, "e", times=[1])])
    rec = opened(changed(parts, (slot_field(0, 20), "h", 1)))
    assert "1 blocks are in the chain, 65537 are promised" in reasons(rec)[0]
    rec = opened(changed(smr([Events(0, "e", times=[1])], version=8), (slot_field(0, 20), "h", 1)))
    assert not rec.problems


def test_times_out_of_order_are_sorted(opened):
    times = [50, 10, 30, 30, 20]
    codes = np.arange(20, dtype="u1").reshape(5, 4)
    data = counts(10).reshape(5, 2, 1)
    unit = Markers(2, "u", "V", times=times, codes=codes, kind=synth.WAVE_MARK, data=data, divide=4)
    rec = opened(smr([unit]))
    table = rec.tables[0]
    found = rec.read_table(table, columns=list(table.columns))
    order = [1, 4, 2, 3, 0]
    assert found["tick"].tolist() == [10, 20, 30, 30, 50]
    np.testing.assert_array_equal(found["unit"], codes[order, 0])
    np.testing.assert_array_equal(found["waveform"], data[order].transpose(0, 2, 1))
    assert "not in the order of time; they are sorted" in reasons(rec)[0]
    second = rec.read_unit(table, 0, 1, 0, 1, ["tick", "waveform"])  # code 4 of tick 10
    assert second["tick"].tolist() == [10]
    np.testing.assert_array_equal(second["waveform"], data[1:2].transpose(0, 2, 1))


def test_channels_without_blocks_are_left_out(opened):
    rec = opened(smr([one_wave(), Events(3, "none"), Wave(5, "none", pieces=[])]))
    assert [stream.id for stream in rec.signals] == ["ch0"]
    assert not rec.tables
    assert not rec.problems


def test_no_channels_at_all(opened):
    rec = opened(smr([], last_tick=700))
    assert (rec.signals, rec.tables) == ((), ())
    assert (rec.segments[0].t_start, rec.segments[0].t_stop) == (0.0, 0.007)


def test_byte_order_that_contradicts_the_version(opened):
    rec = opened(changed(smr([one_wave()]), (38, "H", 0x0101)))
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], counts(700))
    assert "that of the version number is used" in reasons(rec)[0]


def test_blocks_of_one_size_in_another_order(opened):
    """The chain counts, not the order on disk; it is followed where the two differ."""
    parts = smr([one_wave()], version=8)
    raw = bytearray(parts.tobytes())
    start = first_block(raw, 0, 1)
    one, two = raw[start : start + 512], raw[start + 512 : start + 1024]
    struct.pack_into("<ii", one, 0, -1, start)
    struct.pack_into("<ii", two, 0, start + 512, start + 1024)
    raw[start : start + 1024] = two + one
    struct.pack_into("<i", raw, slot_field(0, 6), start + 512)
    rec = opened(raw)
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], counts(700))
    assert not rec.problems


def test_opening_can_be_cancelled(tmp_path):
    path = smr([one_wave(), Events(3, "e", times=[4])]).write(tmp_path / "test.smr")
    seen = []
    progress = CallbackProgress(lambda done, total: seen.append((done, total)))
    open_recording(path, progress=progress).close()
    assert seen == [(0, 2), (1, 2), (2, 2)]
    progress.cancel()
    with pytest.raises(Cancelled):
        open_recording(path, progress=progress)


# Bad input


def test_signature_is_missing(opened):
    with pytest.raises(WrongFormatError, match="expected b'\\(C\\) CED 87'"):
        opened(changed(smr([one_wave()]), (4, "B", 0)))


@pytest.mark.parametrize("version", [0, 10, -1, 300])
def test_version_that_is_not_read(opened, version):
    with pytest.raises(UnsupportedVersionError, match="versions 1 to 9 are read"):
        opened(changed(smr([one_wave()]), (0, "h", version)))


def test_slot_table_past_the_end(opened):
    raw = smr([one_wave()]).tobytes()
    with pytest.raises(TruncatedError, match="channel slots"):
        opened(raw[: 512 + 139 * 32])
    with pytest.raises(CorruptError, match="expected 1 to 511"):
        opened(changed(smr([one_wave()]), (30, "h", 512)))


def test_us_per_time_of_0(opened):
    with pytest.raises(CorruptError, match="a clock tick of 0 s"):
        opened(changed(smr([one_wave()]), (20, "H", 0)))


@pytest.mark.parametrize("pointer", [2**31 - 1, -2, 0])
def test_first_pointer_outside(opened, pointer):
    parts = smr([one_wave(), Events(3, "e", times=[4])])
    rec = opened(changed(parts, (slot_field(0, 6), "i", pointer)))
    assert [stream.id for stream in (*rec.signals, *rec.tables)] == ["ch3"]
    assert "outside the file; it ends there, after 0 blocks" in reasons(rec)[0]


@pytest.mark.parametrize("pointer", [2**31 - 1, -2, 0, 1])
def test_chain_that_leads_outside(opened, pointer):
    parts = smr([one_wave()], version=8)
    place = first_block(parts.tobytes(), 0, 1)
    rec = opened(changed(parts, (place + 4, "i", pointer)))
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], counts(700)[:246])
    assert "outside the file; it ends there, after 1 blocks" in reasons(rec)[0]


@pytest.mark.parametrize("sizes", [(512, 512), (512, 1024)])
def test_chain_that_loops(opened, sizes):
    waves = [
        Wave(slot, "a", "V", pieces=[(0, counts(700))], block_bytes=size)
        for slot, size in enumerate(sizes)
    ]
    parts = smr(waves, version=8, by_channel=True)
    place = first_block(parts.tobytes(), 0, 1)
    rec = opened(changed(parts, (place + 512 + 4, "i", place)))
    np.testing.assert_array_equal(rec.read_signal("ch0")[:, 0], counts(700)[:492])
    assert any("leads back to a block that was read" in reason for reason in reasons(rec))


def test_block_of_another_channel(opened):
    parts = smr([one_wave(), Events(3, "e", times=[4])], version=8, by_channel=True)
    place = first_block(parts.tobytes(), 0, 1)
    rec = opened(changed(parts, (place + 512 + 16, "H", 4)))
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], counts(700)[:246])
    assert "leads to a block that names 4" in reasons(rec)[0]


def test_fewer_blocks_than_promised(opened):
    rec = opened(changed(smr([one_wave()]), (slot_field(0, 14), "H", 77)))
    assert rec.signals[0].length == 700
    assert reasons(rec) == ["channel 0 (a): 3 blocks are in the chain, 77 are promised"]


def test_block_count_of_0_is_not_needed(opened):
    rec = opened(smr([one_wave()], block_counts=False))
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], counts(700))
    assert not rec.problems


def test_more_items_than_a_block_holds(opened):
    parts = smr([one_wave()], version=8)
    place = first_block(parts.tobytes(), 0, 1)
    rec = opened(changed(parts, (place + 512 + 18, "H", 247)))
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], counts(700)[:246])
    assert "cannot hold 247 items" in reasons(rec)[0]
    assert rec.problems[0].lost == 246 + 208


def test_file_that_ends_inside_a_block(opened):
    raw = smr([one_wave()], version=8).tobytes()
    rec = opened(raw[: first_block(raw, 0, 1) + 512 + 20 + 201])
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], counts(700)[:346])
    assert len(rec.problems) == 2
    assert [problem.lost for problem in rec.problems] == [0, 146]


@pytest.mark.parametrize("kind", [5, 6, 7])
def test_markers_without_their_data(opened, kind):
    channel = synth.point_channels()[kind]
    bare = Markers(channel.slot, "bare", times=channel.times, codes=channel.codes,
                   kind=channel.kind, divide=4)  # fmt: skip
    rec = opened(smr([bare]))
    found = rec.read_table(0)
    np.testing.assert_array_equal(found["tick"], channel.times)
    np.testing.assert_array_equal(found["code_4"], channel.codes[:, 3])
    assert rec.tables[0].waveforms is None
    assert "attaches no data" in reasons(rec)[0]


def test_text_marks_without_text(opened):
    rec = opened(smr([Markers(1, "t", times=[3, 5], codes=np.zeros((2, 4)), kind=synth.TEXT_MARK)]))
    assert rec.read_table(0)["label"].tolist() == ["", ""]


def test_traces_that_do_not_divide_the_data(opened):
    unit = synth.point_channels()[5]
    rec = opened(changed(smr([unit]), (slot_field(15, 138), "H", 5)))
    assert rec.tables[0].columns["waveform"].shape == (1, 12)
    assert "no whole number of points of 5 traces" in reasons(rec)[0]


@pytest.mark.parametrize(
    ("version", "offset", "form"), [(9, 102, "i"), (5, 138, "H"), (6, 22, "H")]
)
def test_numbers_without_which_a_channel_cannot_be_read(opened, version, offset, form):
    parts = smr([one_wave(), Events(3, "e", times=[4])], version=version)
    raw = changed(parts, (slot_field(0, offset), form, 0))
    with pytest.raises(CorruptError, match="channel 0"):
        opened(raw)
    rec = opened(raw, salvage=True)
    assert [table.id for table in rec.tables] == ["ch3"]
    assert not rec.signals


def test_waveforms_without_an_interval_are_not_given(opened):
    unit = synth.point_channels()[5]
    rec = opened(changed(smr([unit]), (slot_field(15, 102), "i", 0)))
    assert "waveform" not in rec.tables[0].columns
    assert rec.tables[0].length == 60
    assert "interval of 0 ticks" in reasons(rec)[0]


def test_unknown_kind_is_left_out(opened):
    rec = opened(
        changed(smr([one_wave(), Events(3, "e", times=[4])]), (slot_field(3, 122), "B", 11))
    )
    assert not rec.tables
    assert "unknown kind 11" in reasons(rec)[0]


@pytest.mark.parametrize("scale", [0.0, np.inf, np.nan])
def test_scale_that_loses_every_value(opened, scale):
    rec = opened(smr([Wave(0, "a", "V", pieces=[(0, counts(10))], scale=scale)]))
    np.testing.assert_allclose(rec.read_scaled(0, dtype=F8)[:, 0], counts(10) / 6553.6)
    assert "a scale of" in reasons(rec)[0]


@pytest.mark.parametrize("counted", [0, 3])
def test_interrupted_recording(opened, counted):
    """Blocks are there, but the pointers in the channel slots were not written."""
    waves, events = one_wave(), Events(3, "e", times=[4, 5], block_bytes=1024)
    parts = smr([waves, events], version=8)
    patches = [(slot_field(slot, at), "i", -1) for slot in (0, 3) for at in (6, 10)]
    patches += [(slot_field(slot, 14), "H", counted) for slot in (0, 3)]
    raw = changed(parts, *patches)
    rec = opened(raw)
    assert not rec.signals
    assert len(rec.problems) == (2 if counted else 0)
    assert all("has no first block, but counts 3" in reason for reason in reasons(rec))
    rec = opened(raw, salvage=True)
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], counts(700))
    assert rec.read_table(0)["tick"].tolist() == [4, 5]
    found = [reason for reason in reasons(rec) if "blocks without a chain were found" in reason]
    assert len(found) == 2


def test_channels_that_belong_together_stay_so_where_the_end_is_lost(opened):
    waves = [Wave(slot, "a", "V", pieces=[(0, counts(700, seed=slot))]) for slot in range(2)]
    raw = smr(waves, version=8).tobytes()
    rec = opened(raw[:-512])  # the last block of the second channel
    assert rec.signals[0].channels.ids == ("0", "1")
    assert rec.signals[0].length == 492
    found = rec.read_signal(0)
    np.testing.assert_array_equal(found[:, 1], counts(700, seed=1)[:492])
    assert rec.problems[-1].lost == 208
    rec = opened(raw[:-512], try_signal_grouping=False)
    assert [stream.length for stream in rec.signals] == [700, 492]


def test_a_channel_that_lost_more_stands_alone(opened):
    waves = [Wave(slot, "a", "V", pieces=[(0, counts(1200, seed=slot))]) for slot in range(2)]
    raw = smr(waves, version=8, by_channel=True).tobytes()
    rec = opened(raw[: -512 * 4])
    assert [stream.length for stream in rec.signals] == [1200, 246]


def test_sniff():
    files = FileSet("x.bin", memory={"x.bin": b"x"})
    raw = smr([one_wave()]).tobytes()
    assert module.sniff(files, raw) == 1.0
    assert module.sniff(files, smr([one_wave()], order=">", version=6).tobytes()) == 1.0
    assert module.sniff(files, bytes(2) + raw[2:]) == 0.9
    assert module.sniff(files, smrx([one_wave()]).tobytes()[:100]) == 1.0
    assert module.sniff(files, b"S64\0\0") == 0.0
    assert module.sniff(files, bytes(600)) == 0.0


# .smrx


def test_smrx_head(opened):
    rec = opened(smrx([one_wave()], comments=["first", "", "third"]), name="test.smrx")
    assert rec.blocks[0].rec_datetime == datetime(2024, 2, 29, 12, 34, 45, 250_000)
    assert rec.blocks[0].annotations["file_comments"] == ["first", "", "third", *[""] * 5]
    assert rec.blocks[0].annotations["system_id"] == "0.1"
    assert rec.signals[0].clock == 1_000_000
    assert rec.signals[0].rate == 100_000


def test_smrx_head_over_several_blocks(opened):
    """Channel heads and texts go on in extension blocks, without the heads of these."""
    channels = [
        Events(slot, f"title {slot}", comment="c" * slot, times=[slot]) for slot in range(30)
    ]
    rec = opened(smrx(channels, **SMALL))
    assert [table.name for table in rec.tables] == [f"title {slot}" for slot in range(30)]
    assert [table.annotations["comment"] for table in rec.tables] == ["c" * n for n in range(30)]
    assert [rec.read_table(table)["tick"].tolist() for table in rec.tables] == [
        [n] for n in range(30)
    ]


@pytest.mark.parametrize("counts_samples", [False, True])
@pytest.mark.parametrize("samples_per_run", [None, 17, 1])
def test_smrx_runs(opened, counts_samples, samples_per_run):
    """The head of a block counts its runs; should it count samples, they are found too."""
    waves = synth.paused()
    parts = smrx(waves, samples_per_run=samples_per_run, counts_samples=counts_samples, **SMALL)
    rec = opened(parts)
    for stream, wave in zip(rec.signals, waves, strict=True):
        assert stream.runs["count"].tolist() == [300, 500, 400]
        np.testing.assert_allclose(rec.read_scaled(stream, dtype=F8)[:, 0], wave.values())
    assert not rec.problems


def test_smrx_deep_tree(opened):
    times = np.arange(20_000) * 7
    rec = opened(smrx([Events(0, "e", times=times)], letters=b"lk", fanout=2))
    np.testing.assert_array_equal(rec.read_table(0)["tick"], times)


def test_smrx_times_beyond_32_bits(opened):
    times = np.array([2**33, 2**40 + 1])
    rec = opened(smrx([Events(0, "e", times=times)], **SMALL))
    assert times_of(rec, rec.tables[0]).tolist() == [8589.934592, 1099511.627777]


def smrx_top(raw, slot):
    return struct.unpack_from("<q", raw, 0x800 + slot * 272)[0]


@pytest.mark.parametrize(("field", "value"), [(8, 9), (10, 9)])
def test_smrx_block_of_another_channel(opened, field, value):
    parts = smrx([Events(0, "e", times=np.arange(1200))], **SMALL)
    raw = parts.tobytes()
    second = struct.unpack_from("<q", raw, smrx_top(raw, 0) + 16 + 16 + 8)[0]
    rec = opened(changed(parts, (second + field, "H", value)))
    assert rec.tables[0].length == 510
    assert "leads to no block of this channel" in reasons(rec)[0]


def test_smrx_index_that_leads_back(opened):
    parts = smrx([Events(0, "e", times=np.arange(1200))], **SMALL)
    raw = parts.tobytes()
    top = smrx_top(raw, 0)
    first = struct.unpack_from("<q", raw, top + 16 + 8)[0]
    rec = opened(changed(parts, (top + 16 + 16 + 8, "q", first)))
    assert rec.tables[0].length == 510
    assert "leads to no block of this channel" in reasons(rec)[0]


def test_smrx_cut(opened):
    raw = smrx([one_wave(), Events(1, "e", times=np.arange(800))], **SMALL).tobytes()
    place = struct.unpack_from("<q", raw, smrx_top(raw, 1) + 16 + 16 + 8)[0]
    rec = opened(raw[: place + 16 + 83])
    assert not rec.tables, "the index lies behind the data"
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], counts(700))
    assert "leads to no block of this channel" in reasons(rec)[0]


def test_smrx_object_that_is_too_small(opened):
    unit = synth.point_channels()[5]
    unit.slot = 0
    parts = smrx([unit, Events(1, "e", times=[3])], **SMALL)
    raw = changed(parts, (0x800 + 36, "H", 900))
    with pytest.raises(CorruptError, match="900 x 1 values"):
        opened(raw)
    assert [table.id for table in opened(raw, salvage=True).tables] == ["ch1"]


def test_smrx_interval_of_0(opened):
    with pytest.raises(CorruptError, match="interval of 0 ticks"):
        opened(changed(smrx([one_wave()], **SMALL), (0x800 + 64, "q", 0)))


def test_smrx_tick_of_0(opened):
    with pytest.raises(CorruptError, match="seconds per tick"):
        opened(changed(smrx([one_wave()], **SMALL), (32, "d", 0.0)))


def test_smrx_where_bytes_are_read_one_by_one(opened):
    channels = [*synth.paused(), *synth.point_channels()]
    raw = smrx(channels, samples_per_run=90, **SMALL)
    mapped, read = opened(raw), opened(raw, access="pread")
    for one, other in zip(mapped.signals, read.signals, strict=True):
        np.testing.assert_array_equal(mapped.read_signal(one), read.read_signal(other))
    for one, other in zip(mapped.tables, read.tables, strict=True):
        found, expected = read.read_table(other), mapped.read_table(one)
        for name in expected:
            np.testing.assert_array_equal(found[name], expected[name])


@pytest.mark.parametrize(
    ("offset", "form", "value", "reason"),
    [
        (996, "I", 129, "129 extensions of the head"),
        (60, "I", 271, "channel heads of 271 bytes, expected 272 at least"),
        (52, "I", 10**6, "of the head, which has 4,096"),
        (48, "I", 4000, "of the head, which has 4,096"),
    ],
)
def test_smrx_head_that_cannot_be(opened, offset, form, value, reason):
    with pytest.raises(CorruptError, match=reason):
        opened(changed(smrx([one_wave()], **SMALL), (offset, form, value)))


def test_smrx_more_channels_than_bytes(opened):
    with pytest.raises(TruncatedError, match="channel heads"):
        opened(changed(smrx([one_wave()], **SMALL), (56, "I", 10**6)))


def test_smrx_texts_that_are_not_there(opened):
    rec = opened(changed(smrx([one_wave()], **SMALL), (0x800 + 52, "I", 99)))
    assert rec.signals[0].channels.names == ("ch0",)


def test_smrx_extension_outside_the_file(opened):
    channels = [Events(slot, f"title {slot}", times=[slot]) for slot in range(12)]
    with pytest.raises(CorruptError, match="of the head, which has 4,096"):
        opened(changed(smrx(channels, **SMALL), (1024, "q", 2**40)))


def test_smrx_unknown_kind(opened):
    parts = smrx([one_wave(), Events(1, "e", times=[1])], **SMALL)
    rec = opened(changed(parts, (0x800 + 272 + 46, "B", 10)))
    assert [stream.id for stream in (*rec.signals, *rec.tables)] == ["ch0"]
    assert "unknown kind 10" in reasons(rec)[0]


def test_smrx_objects_larger_than_a_block(opened):
    parts = smrx([Markers(0, "t", times=[1], codes=np.zeros((1, 4)), kind=synth.TEXT_MARK,
                          data=["x"])], **SMALL)  # fmt: skip
    for value in (2**32 - 1, 4096):
        with pytest.raises(CorruptError, match="channel 0"):
            opened(changed(parts, (0x800 + 32, "I", value)))


def test_smrx_index_block_of_too_many_entries(opened):
    parts = smrx([Events(0, "e", times=np.arange(1200))], **SMALL)
    top = smrx_top(parts.tobytes(), 0)
    rec = opened(changed(parts, (top + 12, "I", 10**6)))
    assert not rec.tables
    assert "an index block of 1,000,000 entries" in reasons(rec)[0]


def test_smrx_that_ends_inside_an_index_block(opened):
    raw = smrx([Events(0, "e", times=np.arange(1200))], **SMALL).tobytes()
    rec = opened(raw[: smrx_top(raw, 0) + 16 + 16 + 5])
    assert rec.tables[0].length == 510
    assert "the file ends inside an index block" in reasons(rec)[0]


def test_smrx_that_ends_inside_a_data_block(opened):
    parts = smrx([Events(0, "e", times=np.arange(1200))], **SMALL)
    raw = bytearray(parts.tobytes())
    pointer = smrx_top(raw, 0) + 16 + 2 * 16 + 8
    (place,) = struct.unpack_from("<q", raw, pointer)
    struct.pack_into("<q", raw, pointer, len(raw))
    rec = opened(raw + raw[place : place + 16 + 8 * 100 + 3])
    np.testing.assert_array_equal(rec.read_table(0)["tick"], np.arange(1120))
    assert reasons(rec) == ["channel 0 (e): the file ends inside a block"]
    assert rec.problems[0].lost == 80


def test_smrx_more_items_than_a_block_holds(opened):
    parts = smrx([Events(0, "e", times=np.arange(1200))], **SMALL)
    raw = parts.tobytes()
    (second,) = struct.unpack_from("<q", raw, smrx_top(raw, 0) + 16 + 16 + 8)
    rec = opened(changed(parts, (second + 12, "I", 511)))
    assert rec.tables[0].length == 510
    assert "511 items" in reasons(rec)[0]


def first_data_block(raw):
    return struct.unpack_from("<q", raw, smrx_top(raw, 0) + 16 + 8)[0]


def test_smrx_fewer_runs_than_counted(opened):
    parts = smrx([one_wave()], **SMALL)
    rec = opened(changed(parts, (first_data_block(parts.tobytes()) + 12, "I", 5)))
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], counts(700))
    assert reasons(rec) == ["channel 0 (a): 1 blocks have fewer runs than they count"]


def test_smrx_time_that_cannot_be(opened):
    parts = smrx([one_wave()], **SMALL)
    rec = opened(changed(parts, (first_data_block(parts.tobytes()) + 16, "q", 2**60)))
    assert not rec.signals
    assert "cannot be in a block" in reasons(rec)[0]


# Objects


def test_objects(opened):
    channels = [*synth.paused(), *synth.point_channels()]
    rec = opened(smr(channels))
    block = Spike2IO(rec.path).read_block(
        load_waveforms=True, create_group_across_segment={"SpikeTrain": True}
    )
    assert len(block.segments) == 3
    assert block.annotations["system_id"] == 9
    assert block.rec_datetime == datetime(2024, 2, 29, 12, 34, 45, 250_000)
    unit = channels[7]
    trains = [
        [train for train in segment.spiketrains if train.annotations["id"].startswith("ch15#")]
        for segment in block.segments
    ]
    bounds = [0, 5000, 15_000, 10**9]
    for place, low, high in zip(range(3), bounds[:-1], bounds[1:], strict=True):
        for code, train in enumerate(trains[place]):
            times = np.asarray(unit.times)
            rows = (times >= low) & (times < high) & (unit.codes[:, 0] == code)
            np.testing.assert_array_equal(train.times.rescale("s").magnitude, times[rows] / 1e5)
            np.testing.assert_allclose(
                train.waveforms.rescale("uV").magnitude,
                unit.waveforms()[rows],
                rtol=1e-6,
                atol=1e-4,
            )
            assert train.sampling_rate == 25_000 * pq.Hz
            assert train.left_sweep.rescale("s").magnitude == pytest.approx(5 / 25_000)
            assert train.annotations["is_unsorted"] == (code == 0)
            np.testing.assert_array_equal(train.array_annotations["code_2"], unit.codes[rows, 1])
    group = next(each for each in block.groups if each.annotations["unit_id"] == "ch15#1")
    assert [id(train) for train in group.spiketrains] == [id(each[1]) for each in trains]
    keyboard = next(event for event in block.segments[0].events if event.name == "Keyboard")
    first = np.asarray(channels[6].times) < 5000
    np.testing.assert_array_equal(keyboard.magnitude, np.asarray(channels[6].times)[first] / 1e5)
    assert keyboard.labels.tolist() == [str(code) for code in channels[6].codes[first, 0]]
    np.testing.assert_array_equal(keyboard.array_annotations["code_4"], channels[6].codes[first, 3])
    epoch = block.segments[0].epochs[0]
    assert epoch.name == "up"
    assert set(epoch.labels) == {"high"}


def test_pieces_of_a_channel_are_signals_of_their_segment(opened):
    waves = synth.triggered()
    rec = opened(smr(waves))
    block = Spike2IO(rec.path).read_block()
    names = [[signal.name for signal in segment.analogsignals] for segment in block.segments]
    assert names == [
        ["on", "bursts", "bursts", "bursts", "force", "force"],
        ["on", "bursts", "force"],
    ]
    third = block.segments[0].analogsignals[2]
    assert third.t_start == 2000 * 1e-5 * pq.s
    np.testing.assert_allclose(third.magnitude[:, 0], waves[1].values()[50:100], rtol=1e-6)


def test_the_public_way_in(tmp_path):
    path = smr([one_wave()]).write(tmp_path / "plain.smr")
    with ephyrus.open(path) as recording:
        assert recording.format.name == "spike2"
        np.testing.assert_array_equal(recording.read_signal(0)[:, 0], counts(700))
    assert ephyrus.get_io(path).__class__ is Spike2IO


def test_big_files_of_the_writer(tmp_path):
    waves = synth.big(tmp_path / "w.smr", megabytes=2, channels=3)
    with open_recording(tmp_path / "w.smr") as recording:
        expected = np.stack([wave.data for wave in waves], axis=1)
        np.testing.assert_array_equal(recording.read_signal(0), expected)
        np.testing.assert_array_equal(
            recording.read_signal(0, 20_000, 70_000, [2, 0]), expected[20_000:70_000, [2, 0]]
        )
    (unit,) = synth.big(tmp_path / "s.smr", what="spikes", spikes=5000)
    for access in ("mmap", "pread"):
        with open_recording(tmp_path / "s.smr", access=access) as recording:
            table = recording.tables[0]
            found = recording.read_table(table, columns=list(table.columns))
            np.testing.assert_array_equal(found["tick"], unit.times)
            np.testing.assert_array_equal(found["waveform"], unit.data.transpose(0, 2, 1))
            part = recording.read_table(table, 700, 1801, columns=["waveform"])["waveform"]
            np.testing.assert_array_equal(part, unit.data[700:1801].transpose(0, 2, 1))


# Real files

FILES = [
    "biomech0deg.smr", "motor_units.smr", "physiology.smr", "tremor_kinetic.smr",
    "tremor_postural.smr",
]  # fmt: skip
# First ticks of channels that neo gives the start of their group (DISAGREEMENTS.md).
OWN_STARTS = {
    ("biomech0deg.smr", "1"): Fraction(4, 100_000),
    ("physiology.smr", "1"): Fraction(6, 200_000),
    ("physiology.smr", "3"): Fraction(14, 200_000),
    ("tremor_kinetic.smr", "6"): Fraction(30, 200_000),
}
DATES = {
    "biomech0deg.smr": datetime(2018, 10, 12, 15, 3, 30, 80_000),
    "motor_units.smr": datetime(2017, 4, 6, 10, 4, 19, 180_000),
}


@pytest.mark.real
@pytest.mark.parametrize("name", FILES)
def test_real_signals(name):
    (expected,) = golden(f"spike2/{name}")["segments"]
    with open_recording(data_path(f"spike2/{name}")) as rec:
        assert not rec.problems
        assert len(rec.segments) == 1
        places = {
            channel: (stream, place)
            for stream in rec.signals
            for place, channel in enumerate(stream.channels.ids)
        }
        assert places.keys() == {channel["id"] for channel in expected["channels"]}
        for channel in expected["channels"]:
            stream, place = places[channel["id"]]
            assert stream.channels.names[place] == channel["name"]
            assert stream.channels.units[place] == channel["units"].strip()
            assert float(stream.rate) == pytest.approx(channel["sampling_rate"], rel=1e-12)
            start = OWN_STARTS.get((name, channel["id"]))
            if start is None:
                assert float(stream.t_start()) == pytest.approx(channel["t_start"], abs=1e-12)
            else:
                assert stream.t_start() == start
            assert_channel(rec.read_scaled(stream, dtype=F8)[:, place], channel)
        assert rec.segments[0].t_start == pytest.approx(expected["t_start"], abs=1e-12)
        # neo ends the segment with the beginning of its last sample
        last = max(stream.t_stop() - 1 / stream.rate for stream in rec.signals)
        assert float(last) == pytest.approx(expected["t_stop"], abs=1e-12)
        assert rec.segments[0].t_stop == max(float(stream.t_stop()) for stream in rec.signals)


@pytest.mark.real
@pytest.mark.parametrize("name", FILES)
def test_real_events(name):
    (expected,) = golden(f"spike2/{name}")["segments"]
    with open_recording(data_path(f"spike2/{name}")) as rec:
        events = [table for table in rec.tables if table.kind == "events"]
        assert [table.name for table in events] == [event["name"] for event in expected["events"]]
        for table, event in zip(events, expected["events"], strict=True):
            assert_points(times_of(rec, table), event)
            labels = rec.read_table(table, columns=["label"])["label"].tolist()
            assert labels[:5] == event["labels_first5"]
            assert labels[-5:] == event["labels_last5"]
            assert {label: labels.count(label) for label in labels} == event["label_counts"]
        assert not expected["epochs"]
        assert not [table for table in rec.tables if table.kind == "epochs"]


@pytest.mark.real
def test_real_spikes():
    (expected,) = golden("spike2/motor_units.smr")["segments"]
    with open_recording(data_path("spike2/motor_units.smr")) as rec:
        assert [table.kind for table in rec.tables] == ["spikes", "spikes"]
        for table, train in zip(rec.tables, expected["spiketrains"], strict=True):
            assert [unit.label for unit in table.units] == [train["id"]]
            assert table.name == train["name"]
            assert_points(times_of(rec, table), train)
            stored = rec.read_table(table, columns=["waveform"])["waveform"]
            waveforms, values = train["waveforms"], table.waveforms
            assert list(stored.shape) == waveforms["shape"]
            scaled = stored * values.gain + values.offset
            assert scaled.sum() == pytest.approx(waveforms["sum"], rel=1e-9)
            assert (scaled.min(), scaled.max()) == (waveforms["min"], waveforms["max"])
            assert values.unit == waveforms["units"].strip()
            assert float(values.rate) == pytest.approx(waveforms["sampling_rate"], rel=1e-12)
            # neo gives half of the points; the slots hold 132 points before the trigger
            assert values.left_sweep * values.rate == 132
            assert waveforms["left_sweep"] == 128


@pytest.mark.real
@pytest.mark.parametrize("name", DATES)
def test_real_dates(name):
    with open_recording(data_path(f"spike2/{name}")) as rec:
        assert rec.blocks[0].rec_datetime == DATES[name]
        assert rec.info.software == "S2070306"
