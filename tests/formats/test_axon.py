"""ABF1 and ABF2 against the synthetic writer, and the real files against two other readers."""

from __future__ import annotations

import struct
from datetime import datetime
from fractions import Fraction

import numpy as np
import pytest

from ephyrus.errors import (
    CorruptError,
    TruncatedError,
    UnsupportedVersionError,
    WrongFormatError,
)
from ephyrus.formats import axon as module
from ephyrus.recording import FileSet
from ephyrus.recording.clock import seconds
from ephyrus.registry import open_recording
from tests.golden import assert_channel, data_path, golden
from tests.synth.axon import Adc, Dac, Epoch, Tag, UserList, abf1, abf2, counts

F8 = np.dtype(np.float64)
WRITERS = pytest.mark.parametrize("write", [abf1, abf2], ids=["abf1", "abf2"])


@pytest.fixture
def opened(tmp_path):
    """Give a function that writes a file and opens it; every recording is closed in the end."""
    recordings = []

    def open_bytes(raw, *, name="test.abf", **options):
        path = tmp_path / name
        path.write_bytes(raw if isinstance(raw, bytes) else raw.tobytes())
        recordings.append(open_recording(path, format="axon", **options))
        return recordings[-1]

    yield open_bytes
    for recording in recordings:
        recording.close()


def starts(recording, stream=None):
    stream = recording.signals[0] if stream is None else stream
    return seconds(stream.runs["tick"], stream.clock)


def changed(parts, *patches):
    """Bytes of a file with other values: (offset, format of struct, value)."""
    raw = bytearray(parts.tobytes())
    for offset, form, value in patches:
        struct.pack_into("<" + form, raw, offset, value)
    return bytes(raw)


def section(raw, number):
    """Offset, entry bytes and count of an ABF2 section."""
    block, size, count = struct.unpack_from("<IIq", raw, 76 + 16 * number)
    return block * 512, size, count


def reasons(recording):
    return [problem.reason for problem in recording.problems]


# Values


@WRITERS
def test_episodic_values(opened, write):
    data = counts(600)
    adcs = [
        Adc("Vm", "mV", 3, 0.01, 2.0, 5.0, instrument_offset=1.5, signal_offset=0.25),
        Adc("Im", "pA", 1, 0.0005, telegraph_enable=1, telegraph_gain=20.0),
    ]
    synch = [(1000, 400), (3000, 400), (5000, 400)]
    rec = opened(write(data, adcs=adcs, synch=synch, synch_unit=12.5))
    (stream,) = rec.signals
    assert stream.channels.names == ("Vm", "Im")
    assert stream.channels.units == ("mV", "pA")
    assert stream.channels.ids == ("3", "1")
    assert stream.channels.extra["physical_adc"].tolist() == [3, 1]
    assert stream.channels.extra["lowpass"].tolist() == [5000.0, 5000.0]
    assert stream.rate == 20000
    assert stream.runs[["first", "count", "segment"]].tolist() == [
        (0, 200, 0),
        (200, 200, 1),
        (400, 200, 2),
    ]
    assert starts(rec).tolist() == [0.0125, 0.0375, 0.0625]
    np.testing.assert_array_equal(rec.read_signal(0), data)
    expected = data * [adc.gain() for adc in adcs] + [adc.offset() for adc in adcs]
    np.testing.assert_allclose(rec.read_scaled(0, dtype=F8), expected, rtol=1e-14)
    assert adcs[1].gain() == pytest.approx(10 / 32768 / 0.0005 / 20)
    assert [segment.t_start for segment in rec.segments] == [0.0125, 0.0375, 0.0625]
    assert [segment.t_stop for segment in rec.segments] == pytest.approx([0.0225, 0.0475, 0.0725])
    assert not rec.problems


@WRITERS
def test_float_values_are_in_units_already(opened, write):
    data = counts(300).astype("<f4") / 7
    adcs = [Adc(number=0, scale_factor=0.0, instrument_offset=5.0), Adc("b", "mV", 1)]
    rec = opened(write(data, adcs=adcs, mode=3))
    assert rec.signals[0].dtype == np.dtype("<f4")
    np.testing.assert_array_equal(rec.read_scaled(0), data)
    assert not rec.problems


@WRITERS
def test_gap_free_is_one_sweep_whatever_the_header_counts(opened, write):
    data = counts(500)
    rec = opened(write(data, mode=3, sweeps=4688, samples_per_sweep=256, start_to_start=2.0))
    assert rec.signals[0].runs.tolist() == [(0, 500, 0, 0)]
    np.testing.assert_array_equal(rec.read_signal(0), data)
    assert rec.blocks[0].annotations["operation_mode"] == "gap-free"


@WRITERS
def test_rate_is_not_rounded(opened, write):
    rec = opened(write(counts(100, 1), mode=3, interval=2480.0))
    assert rec.signals[0].rate == Fraction(10**6, 2480)


@WRITERS
@pytest.mark.parametrize("mode", [2, 4, 5])
@pytest.mark.parametrize(
    ("start_to_start", "expected"), [(0.0, [0.0, 0.01, 0.02]), (0.5, [0.0, 0.5, 1.0])]
)
def test_equal_sweeps_without_synch_array(opened, write, mode, start_to_start, expected):
    data = counts(600)
    rec = opened(
        write(data, mode=mode, sweeps=3, samples_per_sweep=400, start_to_start=start_to_start)
    )
    assert rec.signals[0].runs["count"].tolist() == [200] * 3
    assert starts(rec).tolist() == expected
    np.testing.assert_array_equal(rec.read_signal(0, 200, 400), data[200:400])
    assert not rec.problems


@WRITERS
def test_equal_sweeps_by_the_data_count(opened, write):
    rec = opened(write(counts(600), sweeps=3, samples_per_sweep=0))
    assert rec.signals[0].runs["count"].tolist() == [200] * 3
    assert not rec.problems
    rec = opened(write(counts(600), sweeps=3, samples_per_sweep=100))
    assert rec.signals[0].runs["count"].tolist() == [200] * 3
    (reason,) = reasons(rec)
    assert "3 sweeps of 100 samples do not make 1200" in reason


@WRITERS
def test_one_sweep_where_nothing_tells_more(opened, write):
    assert opened(write(counts(60), sweeps=1)).signals[0].runs["count"].tolist() == [60]
    rec = opened(write(counts(60), mode=1, sweeps=3))
    assert rec.signals[0].runs["count"].tolist() == [60]
    assert "no synch array" in reasons(rec)[0]
    rec = opened(write(counts(60), mode=9, sweeps=3))
    assert rec.signals[0].runs["count"].tolist() == [60]
    assert "operation mode 9 is not known" in reasons(rec)[0]
    assert rec.blocks[0].annotations["operation_mode"] == "9"


@WRITERS
def test_variable_length_sweeps_on_the_sample_clock(opened, write):
    data = counts(500)
    rec = opened(write(data, mode=1, synch=[(8, 300), (900, 500), (40000, 200)]))
    assert rec.signals[0].runs["count"].tolist() == [150, 250, 100]
    assert starts(rec).tolist() == [8 / 40000, 900 / 40000, 1.0]
    np.testing.assert_array_equal(rec.read_signal(0, 100, 450, [1]), data[100:450, 1:])
    assert not rec.problems


@WRITERS
def test_variable_lengths_stay_samples_with_a_synch_unit(opened, write):
    rec = opened(write(counts(400), mode=1, synch=[(0, 300), (900, 500)], synch_unit=25.0))
    assert rec.signals[0].runs["count"].tolist() == [150, 250]
    assert starts(rec).tolist() == [0.0, 0.0225]


@WRITERS
def test_variable_lengths_that_fit_only_as_times_are_divided(opened, write):
    synch = [(0, 300 * 25), (900, 500 * 25)]
    rec = opened(write(counts(400), mode=1, synch=synch, synch_unit=25.0))
    assert rec.signals[0].runs["count"].tolist() == [150, 250]
    assert "divided by 25 us" in reasons(rec)[0]
    rec = opened(write(counts(400), mode=1, synch=[(0, 600), (900, 400)], synch_unit=1.0))
    assert rec.signals[0].runs["count"].tolist() == [300, 100]
    assert "1,000 samples long, the data section 800" in reasons(rec)[0]


@WRITERS
def test_facts_of_the_block(opened, write):
    rec = opened(write(counts(20), mode=3, experiment_type=1))
    (block,) = rec.blocks
    assert block.rec_datetime == datetime(2024, 2, 29, 12, 34, 56, 789000)
    facts = dict(block.annotations)
    assert facts["guid"] == "03020100-0504-0706-0809-0a0b0c0d0e0f"
    assert facts["protocol_path"] == "C:\\protocols\\steps.pro"
    assert facts["file_comment"] == "a comment"
    assert facts["operation_mode"] == "gap-free"
    assert facts["experiment_type"] == "current clamp"
    version = "2.6.0.0" if write is abf2 else "1.84"
    creator = ("Clampex", "10.7.0.3") if write is abf2 else ("Clampex 9.2.0.9", "9.2.0.9")
    assert facts["abf_version"] == version
    assert (facts["creator"], facts["creator_version"]) == creator
    assert rec.info.software == creator[0]
    assert [dict(segment.annotations) for segment in rec.segments] == [
        {"abf_version": version, "sweep_index": 0}
    ]


@WRITERS
def test_unknown_and_impossible_dates(opened, write):
    assert opened(write(counts(20), mode=3, date=0)).blocks[0].rec_datetime is None
    rec = opened(write(counts(20), mode=3, date=20241399))
    assert rec.blocks[0].rec_datetime is None
    assert "20241399 is not a date" in reasons(rec)[0]


def test_two_digit_years_are_not_in_the_future(opened):
    rec = opened(abf1(counts(20), mode=3, date=180618, time=63267, milliseconds=5000))
    assert rec.blocks[0].rec_datetime == datetime(2018, 6, 18, 17, 34, 27)
    assert opened(abf1(counts(20), mode=3, date=980618, time=0)).blocks[0].rec_datetime == datetime(
        1998, 6, 18, 0, 0, 0, 789000
    )


# Scaling


@WRITERS
@pytest.mark.parametrize("enable", [0, 2, 7, -1])
def test_only_1_switches_the_telegraphed_gain_on(opened, write, enable):
    adc = Adc(telegraph_enable=enable, telegraph_gain=20.0)
    rec = opened(write(counts(20, 1), mode=3, adcs=[adc]))
    assert rec.signals[0].channels.gain.tolist() == pytest.approx([10 / 32768 / 0.0005])


@WRITERS
@pytest.mark.parametrize("field", ["scale_factor", "signal_gain", "programmable_gain"])
@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_divisors_that_are_no_number_count_as_1(opened, write, field, value):
    adcs = [Adc(number=0), Adc(number=1, **{field: value})]
    rec = opened(write(counts(20), mode=3, adcs=adcs))
    expected = 10 / 32768 / (1.0 if field == "scale_factor" else 0.0005)
    assert rec.signals[0].channels.gain[1] == pytest.approx(expected)
    (reason,) = reasons(rec)
    assert reason.startswith(f"{field.replace('_', ' ')} of channels [1] is 0 or not a number")


@WRITERS
def test_resolution_and_telegraphed_gain_of_0_count_as_1(opened, write):
    adc = Adc(telegraph_enable=1, telegraph_gain=0.0)
    rec = opened(write(counts(20, 1), mode=3, adcs=[adc], resolution=0))
    assert rec.signals[0].channels.gain.tolist() == pytest.approx([10 / 0.0005])
    assert [problem.field for problem in rec.problems] == ["ADC resolution", "telegraphed gain"]


@WRITERS
def test_offsets_that_are_no_number_are_0(opened, write):
    adc = Adc(instrument_offset=float("inf"), signal_offset=float("inf"))
    rec = opened(write(counts(20, 1), mode=3, adcs=[adc]))
    assert rec.signals[0].channels.offset.tolist() == [0.0]
    assert "the offset of channels [0] cannot be true; 0 is used" in reasons(rec)[0]


@WRITERS
def test_gains_that_cannot_be_true_are_1(opened, write):
    adcs = [Adc(number=0, scale_factor=1e-38), Adc(number=1)]
    rec = opened(write(counts(20), mode=3, adcs=adcs))
    assert rec.signals[0].channels.gain.tolist() == pytest.approx([1.0, 10 / 32768 / 0.0005])
    assert reasons(rec) == ["the gain of channels [0] cannot be true; 1 is used"]


@WRITERS
def test_a_range_of_0_is_refused(opened, write):
    with pytest.raises(CorruptError, match=r"ADC range.*found 0.0"):
        opened(write(counts(20), mode=3, adc_range=0.0))


# Names


@WRITERS
@pytest.mark.parametrize("unit", ["µV", "°C", "dB", ""])
def test_units_of_the_legacy_code_page(opened, write, unit):
    rec = opened(write(counts(20, 1), mode=3, adcs=[Adc("é", unit)]))
    assert rec.signals[0].channels.units == (unit,)
    assert rec.signals[0].channels.names == ("é",)


@WRITERS
def test_blank_names_and_repeated_numbers(opened, write):
    adcs = [Adc("", number=2), Adc("  ", number=5)]
    assert opened(write(counts(20), mode=3, adcs=adcs)).signals[0].channels.names == ("ch0", "ch1")


def test_abf2_ids_are_positions_where_numbers_repeat(opened):
    rec = opened(abf2(counts(20), mode=3, adcs=[Adc("a", number=4), Adc("b", number=4)]))
    assert rec.signals[0].channels.ids == ("0", "1")


def test_abf2_strings_count_empty_ones(opened):
    parts = abf2(counts(20, 1), mode=3, creator="OtherProgram", comment="", empty_string_first=True)
    facts = opened(parts).blocks[0].annotations
    assert facts["creator"] == "OtherProgram"
    assert facts["file_comment"] == ""
    assert facts["protocol_path"] == "C:\\protocols\\steps.pro"


def test_abf2_string_index_out_of_range_is_empty(opened):
    parts = abf2(counts(20, 1), mode=3)
    adc = section(parts.before, 1)[0]
    for index in (99, -1):
        rec = opened(changed(parts, (adc + 74, "i", index), (adc + 78, "i", index)))
        assert rec.signals[0].channels.names == ("ch0",)
        assert rec.signals[0].channels.units == ("",)


def test_abf2_without_strings(opened):
    parts = abf2(counts(20, 1), mode=3)
    rec = opened(changed(parts, (76 + 16 * 9, "I", 0)))
    assert rec.signals[0].channels.names == ("ch0",)
    assert rec.info.software is None


def test_abf2_steps_by_the_stored_entry_size(opened):
    data = counts(60)
    adcs = [Adc("a", "mV", 0, 0.01), Adc("b", "pA", 1, 0.02)]
    rec = opened(abf2(data, mode=3, adcs=adcs, extra_entry_bytes=36, dacs=[Dac(holding=-3.0)]))
    assert rec.signals[0].channels.names == ("a", "b")
    np.testing.assert_allclose(
        rec.read_scaled(0, dtype=F8), data * [adc.gain() for adc in adcs], rtol=1e-14
    )
    assert rec.stimuli[0].name == "Cmd 0"


def test_abf1_channels_by_physical_number(opened):
    adcs = [Adc("seven", "mV", 7, 0.01), Adc("two", "pA", 2, 0.02)]
    rec = opened(abf1(counts(20), mode=3, adcs=adcs))
    assert rec.signals[0].channels.names == ("seven", "two")
    assert rec.signals[0].channels.ids == ("7", "2")
    assert rec.signals[0].channels.gain.tolist() == pytest.approx([adc.gain() for adc in adcs])


@pytest.mark.parametrize("sequence", [[3, 3], [-1, 4], [16, 0]])
def test_abf1_sequence_that_cannot_be_true(opened, sequence):
    adcs = [Adc("zero", number=0), Adc("one", number=1)]
    rec = opened(abf1(counts(20), mode=3, adcs=adcs, sequence=sequence))
    assert rec.signals[0].channels.names == ("zero", "one")


def test_abf1_before_1_6_has_a_short_head(opened):
    data = counts(600, 1, seed=5)
    adc = Adc(telegraph_enable=1, telegraph_gain=20.0)
    raw = abf1(data, version=1.3, sweeps=3, samples_per_sweep=200, adcs=[adc]).tobytes()
    raw += bytes(6144)  # room for what must not be looked at
    rec = opened(raw)
    np.testing.assert_array_equal(rec.read_signal(0), data)
    assert starts(rec).tolist() == [0.0, 0.01, 0.02]
    assert rec.signals[0].channels.gain.tolist() == pytest.approx([10 / 32768 / 0.0005])
    facts = rec.blocks[0].annotations
    assert (facts["abf_version"], facts["protocol_path"]) == ("1.30", "")
    assert facts["file_comment"] == "a comment"
    assert not rec.problems


def test_abf1_trusts_pointers_and_not_the_head_size(opened):
    data = counts(50)
    rec = opened(abf1(data, mode=3, header_size=30023))
    np.testing.assert_array_equal(rec.read_signal(0), data)
    raw = changed(abf1(data, mode=3, version=1.84), (40, "i", 4))
    rec = opened(raw)  # the data begin behind 2048 bytes: all beyond is data
    assert rec.blocks[0].annotations["protocol_path"] == ""
    np.testing.assert_array_equal(
        rec.read_signal(0), np.frombuffer(raw, "<i2", 100, 2048).reshape(50, 2)
    )


def test_abf1_ignores_samples_at_the_front(opened):
    data = counts(50)
    rec = opened(abf1(data, mode=3, ignored=20))
    np.testing.assert_array_equal(rec.read_signal(0), data[10:])
    rec = opened(abf1(data, mode=3, ignored=-7))
    np.testing.assert_array_equal(rec.read_signal(0), data)
    assert "-7 of 100 samples are to be ignored" in reasons(rec)[0]


# Tags


def tags_of(recording):
    (table,) = recording.tables
    columns = recording.read_table(table)
    return (
        seconds(columns["tick"], table.clock).tolist(),
        columns["label"].tolist(),
        columns["tag_type"].tolist(),
        [(int(run["segment"]), int(run["count"])) for run in table.runs],
    )


TAGS = [
    Tag(9000, "after all", 2),
    Tag(3000, " drug on  "),
    Tag(2999, "late", 0),
    Tag(10, "µ before"),
    Tag(3100, "second\0rubbish"),
]


@WRITERS
@pytest.mark.parametrize(("unit", "tick"), [(12.5, 12.5e-6), (0.0, 1 / 40000)])
def test_tags_belong_to_the_sweep_they_fall_into(opened, write, unit, tick):
    synch = [(1000, 400), (3000, 400), (5000, 400)]
    rec = opened(write(counts(600), synch=synch, synch_unit=unit, tags=TAGS))
    times, labels, kinds, runs = tags_of(rec)
    np.testing.assert_allclose(times, np.array([10, 2999, 3000, 3100, 9000]) * tick, rtol=1e-14)
    assert labels == ["µ before", "late", "drug on", "second", "after all"]
    assert kinds == [1, 0, 1, 1, 2]
    assert runs == [(0, 2), (1, 2), (2, 1)]
    assert rec.tables[0].name == "Tag"
    assert not rec.problems


@WRITERS
def test_tags_of_sweeps_without_synch_array(opened, write):
    rec = opened(
        write(
            counts(600),
            sweeps=3,
            samples_per_sweep=400,
            start_to_start=0.1,
            synch_unit=50.0,
            tags=[Tag(1999), Tag(2001), Tag(4100)],
        )
    )
    assert tags_of(rec)[3] == [(0, 1), (1, 1), (2, 1)]


@WRITERS
def test_tags_of_a_gap_free_recording(opened, write):
    rec = opened(write(counts(600), mode=3, tags=[Tag(900, "b"), Tag(100, "a")]))
    assert tags_of(rec) == ([100 / 40000, 900 / 40000], ["a", "b"], [1, 1], [(0, 2)])
    assert rec.read_table(0, 1, 2, ["label"])["label"].tolist() == ["b"]


@WRITERS
def test_sweep_starts_that_go_back(opened, write):
    rec = opened(write(counts(600), synch=[(100, 400), (50, 400), (300, 400)], tags=[Tag(150)]))
    assert starts(rec).tolist() == [100 / 40000, 50 / 40000, 300 / 40000]
    assert tags_of(rec)[3] == [(1, 1)]


# Damage


@WRITERS
def test_synch_lengths_that_do_not_sum_to_the_data(opened, write):
    data = counts(600)
    rec = opened(write(data, synch=[(0, 400), (500, 500)]))
    assert rec.signals[0].runs["count"].tolist() == [200, 250]
    np.testing.assert_array_equal(rec.read_signal(0), data[:450])
    (problem,) = rec.problems
    assert problem.lost == 300
    assert "900 samples long, the data section 1,200; 900 are read" in problem.reason
    rec = opened(write(data, synch=[(0, 800), (900, 800), (1800, 800)]))
    assert rec.signals[0].runs["count"].tolist() == [400, 200]
    np.testing.assert_array_equal(rec.read_signal(0), data)


@WRITERS
def test_last_incomplete_sweep_keeps_whole_samples(opened, write):
    data = counts(600)
    parts = write(data, sweeps=3, samples_per_sweep=400)
    rec = opened(parts.tobytes()[:-151])
    assert rec.signals[0].runs["count"].tolist() == [200, 200, 162]
    np.testing.assert_array_equal(rec.read_signal(0), data[:562])
    reason = rec.problems[0].reason
    assert "need 2,400 bytes" in reason
    assert "2,249 are in the file" in reason
    assert rec.problems[0].lost == 76
    assert rec.problems[0].offset == len(parts.before)


@WRITERS
def test_missing_sweeps_are_refused_or_salvaged(opened, write):
    data = counts(600)
    raw = write(data, sweeps=3, samples_per_sweep=400).tobytes()[:-802]
    with pytest.raises(TruncatedError, match=r"need 2,400 bytes from here, 1,598 are in the file"):
        opened(raw)
    rec = opened(raw, salvage=True)
    assert rec.signals[0].runs["count"].tolist() == [200, 199]
    np.testing.assert_array_equal(rec.read_signal(0), data[:399])
    assert rec.problems[0].lost == 401


@WRITERS
def test_sweeps_that_are_not_whole_samples(opened, write):
    data = counts(300)
    rec = opened(write(data, synch=[(0, 201), (300, 199), (600, 200)]))
    flat = data.reshape(-1)
    expected = [flat[:200], flat[201:399], flat[400:600]]
    assert rec.signals[0].runs["count"].tolist() == [100, 99, 100]
    joined = np.concatenate(expected).reshape(-1, 2)
    np.testing.assert_array_equal(rec.read_signal(0), joined)
    np.testing.assert_array_equal(rec.read_signal(0, 90, 210, [1]), joined[90:210, 1:])
    assert rec.read_signal(0, 50, 50).shape == (0, 2)
    assert rec.problems[0].lost == 2


@WRITERS
def test_negative_sweep_length(opened, write):
    with pytest.raises(CorruptError, match=r"synch array.*a sweep of -5 samples"):
        opened(write(counts(300), synch=[(0, 305), (300, -5)]))


@WRITERS
def test_more_sweeps_than_samples(opened, write):
    with pytest.raises(CorruptError, match=r"number of sweeps.*700 sweeps in 600 samples"):
        opened(write(counts(300), sweeps=700))


@WRITERS
@pytest.mark.parametrize("interval", [0.0, -5.0, float("nan"), 1e-30])
def test_interval_that_cannot_be_true(opened, write, interval):
    with pytest.raises(CorruptError, match="sampling interval"):
        opened(write(counts(20), mode=3, interval=interval))


@WRITERS
def test_times_that_cannot_be_true(opened, write):
    rec = opened(
        write(
            counts(600),
            sweeps=3,
            samples_per_sweep=400,
            start_to_start=float("nan"),
            synch_unit=-1.0,
            tags=[Tag(40000)],
        )
    )
    assert starts(rec).tolist() == [0.0, 0.01, 0.02]
    assert tags_of(rec)[0] == [1.0]
    assert [problem.field for problem in rec.problems] == [
        "synch time unit",
        "start to start interval",
    ]


@WRITERS
def test_unknown_data_format(opened, write):
    parts = write(counts(20), mode=3)
    with pytest.raises(CorruptError, match=r"data format.*found 7, expected 0"):
        opened(changed(parts, (30 if write is abf2 else 100, "H", 7)))


@WRITERS
def test_lost_synch_array(opened, write):
    data = counts(600)
    told = {"sweeps": 3, "samples_per_sweep": 400, "start_to_start": 0.5}
    parts = write(data, synch=[(0, 400), (40000, 400), (80000, 400)], synch_unit=12.5, **told)
    raw = parts.before + data.tobytes()
    with pytest.raises(TruncatedError, match="synch"):
        opened(raw)
    rec = opened(raw, salvage=True)
    np.testing.assert_array_equal(rec.read_signal(0), data)
    assert rec.signals[0].runs["tick"].tolist() == [0, 40000, 80000]
    parts = write(data, mode=1, synch=[(0, 600), (40000, 600)], synch_unit=12.5)
    with pytest.raises(TruncatedError, match="does not tell lengths"):
        opened(parts.before + data.tobytes(), salvage=True)


@WRITERS
def test_lost_tags(opened, write):
    data = counts(64)
    parts = write(data, mode=3, tags=[Tag(1, "a"), Tag(2, "b")])
    raw = parts.before + data.tobytes() + bytes(256) + parts.after[:100]
    with pytest.raises(TruncatedError, match=r"tag section.*2 items of 64 bytes are promised"):
        opened(raw)
    rec = opened(raw, salvage=True)
    assert tags_of(rec)[1] == ["a"]
    assert rec.problems[0].lost == 1


def test_file_of_another_kind(opened):
    with pytest.raises(WrongFormatError, match=r"begins with b'RIFF', expected b'ABF '"):
        opened(b"RIFF" + bytes(100))
    with pytest.raises(WrongFormatError, match=r"begins with b''"):
        opened(b"")


@pytest.mark.parametrize("magic", [b" FBA", b"2FBA"])
def test_byte_reversed_files_are_refused(opened, magic, tmp_path):
    raw = magic + bytes(6000)
    with pytest.raises(UnsupportedVersionError, match="byte-reversed: a file of an old Macintosh"):
        opened(raw)
    assert module.sniff(FileSet("a.abf", memory={"a.abf": raw}), raw) == 1.0


def test_sniff_goes_by_the_signature():
    files = FileSet("a.abf", memory={"a.abf": b""})
    assert module.sniff(files, b"ABF ") == 1.0
    assert module.sniff(files, b"ABF2") == 1.0
    assert module.sniff(files, b"ATF\t1.0\r\n") == 1.0
    assert module.sniff(files, b"ATFX") == 0.0
    assert module.sniff(files, b"") == 0.0


@WRITERS
def test_file_shorter_than_its_head(opened, write):
    with pytest.raises(TruncatedError, match="head"):
        opened(write(counts(20), mode=3).tobytes()[:500])


@pytest.mark.parametrize("channels", [0, -1, 17])
def test_abf1_number_of_channels(opened, channels):
    with pytest.raises(CorruptError, match=f"found {channels}, expected 1 to 16"):
        opened(abf1(counts(20), mode=3, channels=channels))


@pytest.mark.parametrize("version", [0.5, 2.5, float("nan")])
def test_abf1_version(opened, version):
    with pytest.raises(UnsupportedVersionError, match=r"versions 1.0 to 1.99 are read"):
        opened(abf1(counts(20), mode=3, version=1.84).tobytes()[:4] + struct.pack("<f", version)
               + abf1(counts(20), mode=3).tobytes()[8:])  # fmt: skip


def test_abf1_negative_counts(opened):
    with pytest.raises(CorruptError, match=r"data section.*-5 samples"):
        opened(abf1(counts(20), mode=3, data_count=-5))
    with pytest.raises(CorruptError, match=r"synch array.*a count of -3"):
        opened(changed(abf1(counts(20), synch=[(0, 40)]), (96, "i", -3)))


@pytest.mark.parametrize(("number", "name"), [(0, "protocol"), (1, "adc")])
def test_abf2_needs_protocol_and_channels(opened, number, name):
    with pytest.raises(CorruptError, match=f"{name} section.*missing"):
        opened(changed(abf2(counts(20), mode=3), (76 + 16 * number, "I", 0)))
    with pytest.raises(CorruptError, match=f"{name} section.*missing"):
        opened(changed(abf2(counts(20), mode=3), (76 + 16 * number + 8, "q", 0)))
    with pytest.raises(TruncatedError, match=f"{name} section"):
        opened(changed(abf2(counts(20), mode=3), (76 + 16 * number, "I", 10**9)))


def test_abf2_data_section(opened):
    parts = abf2(counts(20), mode=3)
    with pytest.raises(CorruptError, match=r"data section.*-4 entries"):
        opened(changed(parts, (76 + 160 + 8, "q", -4)))
    with pytest.raises(CorruptError, match=r"data section.*entries of 8 bytes"):
        opened(changed(parts, (76 + 160 + 4, "I", 8)))
    with pytest.raises(TruncatedError, match=r"data section.*need 80 bytes"):
        opened(changed(parts, (76 + 160, "I", 10**6)))


def test_abf2_damaged_strings(opened):
    parts = abf2(counts(20, 1), mode=3, dacs=[Dac()])
    place = section(parts.before, 9)[0]
    with pytest.raises(CorruptError, match=r"strings section.*expected b'SSCH'"):
        opened(changed(parts, (place, "I", 0)))
    rec = opened(changed(parts, (place, "I", 0)), salvage=True)
    assert rec.signals[0].channels.names == ("ch0",)
    assert [stimulus.name for stimulus in rec.stimuli] == ["dac0"]
    with pytest.raises(TruncatedError, match="strings section"):
        opened(changed(parts, (76 + 16 * 9 + 4, "I", 10**6)))


def test_abf2_lost_strings_lose_the_user_list(opened):
    lists = [UserList("7, 13", 31)]
    parts = abf2(counts(20), dacs=[Dac(epochs=[Epoch(duration=5)])], user_lists=lists)
    raw = changed(parts, (section(parts.before, 9)[0], "I", 0))
    assert opened(raw, salvage=True).stimuli == ()


def test_abf1_without_data_block(opened):
    rec = opened(changed(abf1(counts(20), mode=3), (40, "i", 0)))
    assert rec.signals == ()
    assert reasons(rec) == ["there are no samples; only the protocol is read"]


def test_abf2_part_of_a_protocol_gives_no_commands(opened):
    parts = abf2(counts(20), mode=3, dacs=[Dac()])
    for number in (2, 5):
        raw = changed(
            parts,
            (76 + 16 * number, "I", 1),
            (76 + 16 * number + 4, "I", 64),
            (76 + 16 * number + 8, "q", 10**6),
        )
        with pytest.raises(TruncatedError):
            opened(raw)
        assert opened(raw, salvage=True).stimuli == ()


# Reading


@WRITERS
def test_one_channel_is_a_view_of_the_file(opened, write):
    data = counts(1000, 4)
    rec = opened(write(data, mode=3))
    part = rec.read_signal(0, 100, 900, [2])
    assert part.base is not None
    assert part.strides == (8, 2)
    np.testing.assert_array_equal(part, data[100:900, 2:3])
    np.testing.assert_array_equal(rec.read_signal(0, 5, 9, [3, 0]), data[5:9][:, [3, 0]])


@WRITERS
def test_pread_access_reads_the_same(opened, write):
    data = counts(100)
    rec = opened(write(data, synch=[(0, 101), (300, 99)], tags=TAGS), access="pread")
    np.testing.assert_array_equal(
        rec.read_signal(0), np.concatenate([data[:50], data.ravel()[101:199].reshape(-1, 2)])
    )


@WRITERS
def test_files_of_clampfit_beside_it_do_not_matter(opened, tmp_path, write):
    for name in ("test.sta", "test.rlt", "test.abfinfo"):
        (tmp_path / name).write_bytes(b"rubbish")
    data = counts(50)
    np.testing.assert_array_equal(opened(write(data, mode=3)).read_signal(0), data)


@WRITERS
def test_recording_without_samples(opened, write):
    parts = write(np.zeros((0, 2), "<i2"), mode=3, sweeps=7)
    rec = opened(parts)
    assert rec.signals == ()
    assert len(rec.segments) == 1
    assert reasons(rec) == ["there are no samples; only the protocol is read"]


def test_tags_are_read_after_closing(opened):
    rec = opened(abf2(counts(100), synch=[(0, 200)], tags=TAGS, dacs=[Dac()]))
    rec.close()
    assert tags_of(rec)[1][0] == "µ before"


# Real recordings

REAL = [
    "130618-1-12.abf",
    "171116sh_0014.abf",
    "180415_aaron_temp.abf",
    "2018_11_16_sh_0006.abf",
    "2020_06_16_0001.abf",
    "2020_07_29_0062.abf",
    "File_axon_2.abf",
    "File_axon_3.abf",
    "File_axon_7.abf",
    "abf-v1.abf",
    "axonio.abf",
    "multichannelAbf1WithTags.abf",
    "pclamp11_4ch.abf",
    "pclamp11_4ch_abf1.abf",
    "test_0001.abf",
    "user-list-durations.abf",
]
# Where one of the two other readers errs; the reasons are in DISAGREEMENTS.md.
ONE_SEGMENT = {("130618-1-12.abf", "neo")}
OTHER_STARTS = {
    ("File_axon_3.abf", "pyabf"),
    ("File_axon_7.abf", "pyabf"),
    ("multichannelAbf1WithTags.abf", "pyabf"),
}
OTHER_RATE = {("File_axon_7.abf", "pyabf")}


@pytest.mark.real
@pytest.mark.parametrize("peer", ["neo", "pyabf"])
@pytest.mark.parametrize("name", REAL)
def test_real_file(name, peer):
    expected = golden(f"abf/{name}")
    if peer == "pyabf":
        expected = expected["second"]
    with open_recording(data_path(f"abf/{name}"), format="axon") as rec:
        (stream,) = rec.signals
        values = rec.read_scaled(stream, dtype=F8)
        t_start = starts(rec)
        assert not rec.problems
    found = expected["segments"]
    if (name, peer) in ONE_SEGMENT:
        (segment,) = found
        assert len(rec.segments) == 3
        assert_channel(values[:, 0], segment["channels"][0])
        return
    assert len(found) == len(rec.segments)
    for segment, run, start in zip(found, stream.runs, t_start, strict=True):
        part = values[run["first"] : run["first"] + run["count"]]
        for column, channel in zip(part.T, segment["channels"], strict=True):
            assert_channel(column, channel)
            if (name, peer) not in OTHER_RATE:
                assert float(stream.rate) == pytest.approx(channel["sampling_rate"], rel=1e-12)
            if (name, peer) not in OTHER_STARTS:
                assert start == pytest.approx(channel["t_start"], abs=1e-9)
    for position, channel in enumerate(found[0]["channels"]):
        if channel["name"] != "?":
            assert stream.channels.names[position] == channel["name"]
        units = channel["units"]
        assert stream.channels.units[position].replace(" ", "") == units.replace(" ", "")


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "first", "second", "last"),
    [
        ("File_axon_3.abf", 0.0, 90.0, 360.0),
        ("File_axon_7.abf", 16940681 * 62e-6, 17084682 * 62e-6, 18524692 * 62e-6),
        ("multichannelAbf1WithTags.abf", 0.0, 2.0, 372.0),
        ("130618-1-12.abf", 0.0, 1.0, 2.0),
    ],
)
def test_real_sweep_starts_are_those_of_the_bytes(name, first, second, last):
    with open_recording(data_path(f"abf/{name}"), format="axon") as rec:
        found = starts(rec)
    assert found[[0, 1, -1]].tolist() == pytest.approx([first, second, last], abs=1e-9)


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_real_tags(name):
    expected = golden(f"abf/{name}")["second"]["tags"]
    with open_recording(data_path(f"abf/{name}"), format="axon") as rec:
        times, labels, _, runs = tags_of(rec)
    assert times == pytest.approx([tag["time"] for tag in expected], abs=1e-9)
    dropped = [label.encode("ascii", "ignore").decode() for label in labels]  # as the peer does
    assert dropped == [tag["comment"] for tag in expected]
    sweeps = {
        "2018_11_16_sh_0006.abf": [(36, 1)],
        "multichannelAbf1WithTags.abf": [(86, 1), (147, 1)],
    }
    if name in sweeps:
        assert runs == sweeps[name]


@pytest.mark.real
def test_real_command_is_the_recorded_one():
    """The second channel of this file is the command itself, read back: ramps and a user list."""
    with open_recording(data_path("abf/user-list-durations.abf"), format="axon") as rec:
        recorded = rec.read_scaled(0, channels="AO #0")[:, 0]
        command = module.read_signal(rec.reading, rec.stimuli[0], 0, rec.stimuli[0].length, None)
    assert rec.stimuli[0].name == "Cmd 0"
    np.testing.assert_allclose(command[:, 0], recorded, rtol=0, atol=0.05)
