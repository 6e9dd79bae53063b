"""Writing BrainVision: every option read back by value, by the reader and by its bytes."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import quantities as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.core import (
    AnalogSignal,
    Block,
    Epoch,
    Event,
    Group,
    ImageSequence,
    IrregularlySampledSignal,
    Segment,
    SpikeTrain,
)
from ephyrus.errors import Cancelled, NeoReadWriteError
from ephyrus.export.brainvision import write
from ephyrus.formats.brainvision import FORMAT
from ephyrus.recording import CallbackProgress, NullProgress
from ephyrus.registry import open_recording
from tests.golden import data_path
from tests.synth import brainvision as synth

FORMATS = ("IEEE_FLOAT_32", "INT_16", "INT_32")
ORIENTATIONS = ("multiplexed", "vectorized")


def saved(block, path, *, progress=None, **options):
    values = FORMAT.option_values(options, writing=True)
    return write([block], Path(path), values, progress=progress or NullProgress())


def reopened(path, **options):
    return open_recording(path, format="brainvision", **options)


def make_block(*signals, events=(), epochs=(), **attributes):
    block, segment = Block(**attributes), Segment()
    segment.analogsignals.extend(signals)
    segment.events.extend(events)
    segment.epochs.extend(epochs)
    block.segments.append(segment)
    return block


def make_signal(values, units="uV", rate=500.0, **attributes):
    return AnalogSignal(np.asarray(values), units=units, sampling_rate=rate * pq.Hz, **attributes)


def wave(points=100, channels=3, dtype="f4"):
    ramp = np.arange(points * channels).reshape(points, channels)
    return (np.sin(ramp * 0.37) * 100).astype(dtype)


def section(path, name):
    """Lines of a section of a written file."""
    text = path.read_bytes().decode()
    return text.split(f"[{name}]\r\n")[1].split("\r\n\r\n")[0].rstrip("\r\n").split("\r\n")


# ---------------------------------------------------------------- numbers


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("kind", ["binary", "ascii"])
def test_floats_come_back(kind, orientation, tmp_path):
    values = wave()
    report = saved(
        make_block(make_signal(values)), tmp_path / "x.vhdr", format=kind, orientation=orientation
    )
    assert report.paths == tuple(tmp_path / f"x.{suffix}" for suffix in ("vhdr", "vmrk", "eeg"))
    assert report.losses == ()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.eeg", "x.vhdr", "x.vmrk"]
    recording = reopened(report.paths[0])
    np.testing.assert_array_equal(recording.read_scaled(0).astype("f4"), values)
    assert float(recording.signal(0).rate) == 500
    assert recording.signal(0).channels.units == ("µV",) * 3
    assert recording.problems == ()


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_bytes_of_binary_data(orientation, tmp_path):
    values = wave()
    saved(make_block(make_signal(values)), tmp_path / "x.vhdr", orientation=orientation)
    table = values.T if orientation == "vectorized" else values
    assert (tmp_path / "x.eeg").read_bytes() == np.ascontiguousarray(table, "<f4").tobytes()


def test_bytes_of_text_data(tmp_path):
    signal = make_signal(
        np.array([[1.5, -2.25], [0.1, 1e-7]], "f4"),
        array_annotations={"channel_names": ["a b", "c"]},
    )
    saved(make_block(signal), tmp_path / "x", format="ascii")
    assert (
        tmp_path / "x.eeg"
    ).read_bytes() == b"ab c\r\n1.5 -2.25\r\n0.100000001 1.00000001e-07\r\n"
    saved(make_block(signal), tmp_path / "y", format="ascii", orientation="vectorized")
    lines = (tmp_path / "y.eeg").read_bytes().split(b"\r\n")
    assert [line.split() for line in lines] == [
        [b"ab", b"1.5", b"0.100000001"],
        [b"c", b"-2.25", b"1.00000001e-07"],
        [],
    ]
    assert section(tmp_path / "x.vhdr", "ASCII Infos") == [
        "DecimalSymbol=.",
        "SkipLines=1",
        "SkipColumns=0",
    ]


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_text_with_names_of_all_kinds(orientation, tmp_path):
    names = ["a, b\tc", "à\x85", " ", "\x01x"]
    signal = make_signal(wave(9, 4), array_annotations={"channel_names": names})
    saved(make_block(signal), tmp_path / "x", format="ascii", orientation=orientation)
    np.testing.assert_array_equal(
        reopened(tmp_path / "x.vhdr").read_signal(0).astype("f4"), wave(9, 4)
    )


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_text_keeps_all_digits_of_doubles(orientation, tmp_path):
    values = wave(dtype="f8") * 1e-9
    values[3] = [np.nan, np.inf, -np.inf]
    values[4] = [-1.7976931348623157e308, 5e-324, 0]
    report = saved(
        make_block(make_signal(values)), tmp_path / "x", format="ascii", orientation=orientation
    )
    np.testing.assert_array_equal(reopened(report.paths[0]).read_signal(0), values)


def test_doubles_are_rounded_to_floats_and_that_is_told(tmp_path):
    values = wave(dtype="f8")
    values[:, 1] = np.arange(100)
    report = saved(make_block(make_signal(values)), tmp_path / "x.vhdr")
    np.testing.assert_array_equal(reopened(report.paths[0]).read_signal(0), values.astype("f4"))
    assert report.losses == ("values of 2 channels are rounded to 32-bit floats",)


def test_floats_keep_what_is_no_number(tmp_path):
    values = wave()
    values[3] = [np.nan, np.inf, -np.inf]
    report = saved(make_block(make_signal(values)), tmp_path / "x.vhdr")
    np.testing.assert_array_equal(reopened(report.paths[0]).read_signal(0), values)


def test_values_too_large_for_floats_are_refused(tmp_path):
    signal = make_signal([[1e300]], name="huge")
    with pytest.raises(ValueError, match="'huge' holds values that are too large"):
        saved(make_block(signal), tmp_path / "x.vhdr")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(("number_format", "limit"), [("INT_16", 2**15 - 1), ("INT_32", 2**31 - 1)])
def test_integers_use_their_range(number_format, limit, orientation, tmp_path):
    values = wave(dtype="f8") * [1, 1e-6, 0]
    report = saved(
        make_block(make_signal(values)),
        tmp_path / "x.vhdr",
        number_format=number_format,
        orientation=orientation,
    )
    recording = reopened(report.paths[0])
    largest = np.abs(values).max(axis=0)
    resolution = np.where(largest > 0, largest / limit, 1)
    np.testing.assert_array_equal(recording.signal(0).channels.gain, resolution)
    raw = recording.read_signal(0)
    np.testing.assert_array_equal(raw, np.rint(values / resolution))
    assert np.abs(raw).max(axis=0).tolist() == [limit, limit, 0]
    (loss,) = report.losses
    assert loss.startswith("values of 2 channels are rounded to multiples of their resolution")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_integers_refuse_what_is_no_number(bad, tmp_path):
    values = wave()
    values[50, 1] = bad
    signal = make_signal(values, array_annotations={"channel_names": ["a", "b", "c"]})
    with pytest.raises(ValueError, match="INT_16 cannot hold NaN or infinity, which are in 'b'"):
        saved(make_block(signal), tmp_path / "x.vhdr", number_format="INT_16")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "number_format"),
    [
        ("int16", "INT_16"),
        ("int16-vectorized", "INT_16"),
        ("int16-big-endian", "INT_16"),
        ("int32", "INT_32"),
        ("float32", "IEEE_FLOAT_32"),
    ],
)
@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_round_trip_is_exact(name, number_format, lazy, orientation, tmp_path):
    recipe = synth.RECIPES[name]
    recording = reopened(synth.write_sample(name, tmp_path))
    (block,) = recording.tree(lazy=lazy)
    target = tmp_path / "copy.vhdr"
    report = saved(block, target, number_format=number_format, orientation=orientation)
    again = reopened(target)
    stored = synth.sample_numbers(name)
    if number_format == "IEEE_FLOAT_32":
        scaled = recording.read_scaled(0)
        np.testing.assert_array_equal(again.read_scaled(0), scaled)
    else:
        np.testing.assert_array_equal(again.read_signal(0), stored)
        np.testing.assert_array_equal(again.signal(0).channels.gain, [0.5, 0.1, 1])
        np.testing.assert_array_equal(again.read_scaled(0), recording.read_scaled(0))
    assert report.losses == ()
    assert again.signal(0).channels.names == ("Fp1", "a,b", "Ekg")
    assert again.signal(0).channels.extra["reference"].tolist() == ["", "Cz", ""]
    if recipe.coordinates:
        extra = again.signal(0).channels.extra
        assert [extra[f"coordinates_{i}"].tolist() for i in range(3)] == [
            [place[i] for place in recipe.coordinates] for i in range(3)
        ]
        assert again.blocks[0].annotations["comment"] == synth.COMMENT
    assert_same_markers(recording, again)
    assert again.blocks[0].rec_datetime == recording.blocks[0].rec_datetime


def assert_same_markers(recording, again):
    assert {table.name for table in again.tables} == {table.name for table in recording.tables}
    for table in recording.tables:
        before, after = recording.read_table(table), again.read_table(table.name)
        for column in before:
            np.testing.assert_array_equal(after[column], before[column])


@pytest.mark.real
@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("name", ["test.vhdr", "test_units.vhdr", "testbva.vhdr"])
def test_real_round_trip(name, lazy, tmp_path):
    recording = reopened(data_path(f"brainvision/{name}"))
    number_format = "INT_16" if recording.signal(0).dtype.kind == "i" else "IEEE_FLOAT_32"
    (block,) = recording.tree(lazy=lazy)
    report = saved(block, tmp_path / "copy.vhdr", number_format=number_format)
    again = reopened(report.paths[0])
    assert again.signal(0).channels.names == recording.signal(0).channels.names
    np.testing.assert_array_equal(again.read_signal(0), recording.read_signal(0))
    np.testing.assert_array_equal(again.signal(0).channels.gain, recording.signal(0).channels.gain)
    assert not any("rounded" in loss for loss in report.losses)
    assert again.blocks[0].annotations.get("comment") == recording.blocks[0].annotations.get(
        "comment"
    )
    found, expected = again.read_table("Stimulus"), recording.read_table("Stimulus")
    np.testing.assert_array_equal(found["tick"], expected["tick"])
    np.testing.assert_array_equal(found["label"], expected["label"])


def test_resolution_is_dropped_where_values_are_no_multiples(tmp_path):
    values = np.array([[1.0, 0.55], [2.0, 1.0], [-3.0, 7.0]])
    signal = make_signal(values, array_annotations={"resolution": [0.5, 0.5]})
    report = saved(make_block(signal), tmp_path / "x.vhdr", number_format="INT_16")
    np.testing.assert_array_equal(
        reopened(report.paths[0]).signal(0).channels.gain, [0.5, 7 / 32767]
    )
    assert report.losses == (
        "values of 1 channel are rounded to multiples of their resolution (up to 0.000214): INT_16",
    )


def test_resolution_is_dropped_where_counts_do_not_fit(tmp_path):
    signal = make_signal([[32768.0], [-32768.0]], array_annotations={"resolution": [1.0]})
    report = saved(make_block(signal), tmp_path / "x.vhdr", number_format="INT_16")
    assert reopened(report.paths[0]).signal(0).channels.gain.tolist() == [32768 / 32767]
    signal = make_signal([[32767.0], [-32768.0]], array_annotations={"resolution": [1.0]})
    report = saved(make_block(signal), tmp_path / "x.vhdr", number_format="INT_16")
    assert reopened(report.paths[0]).read_signal(0).tolist() == [[32767], [-32768]]


def test_integers_that_are_whole_stay_whole(tmp_path):
    values = np.array([[1, -20], [300, 4000]], "i2")
    report = saved(make_block(make_signal(values)), tmp_path / "x.vhdr", number_format="INT_16")
    recording = reopened(report.paths[0])
    np.testing.assert_array_equal(recording.read_signal(0), values)
    assert (recording.signal(0).channels.gain.tolist(), report.losses) == ([1, 1], ())


def test_single_precision_in_wide_integers_is_not_taken_for_exact(tmp_path):
    counts = np.array([[2**30 + 1], [12345]])
    values = (counts * 0.1).astype("f4")
    signal = make_signal(values, array_annotations={"resolution": [0.1]})
    report = saved(make_block(signal), tmp_path / "x.vhdr", number_format="INT_32")
    assert "rounded" in report.losses[0]


def test_raw_integers_of_a_lazy_signal(tmp_path):
    recording = reopened(synth.write_sample("int16", tmp_path))
    (block,) = recording.tree(lazy=True)
    raw = block.segments[0].analogsignals[0].load(channel_indexes=[0], magnitude_mode="raw")
    report = saved(make_block(raw), tmp_path / "copy.vhdr", number_format="INT_16")
    again = reopened(report.paths[0])
    np.testing.assert_array_equal(again.read_signal(0), recording.read_signal(0)[:, :1])
    assert again.signal(0).channels.units == ("µV",)
    assert again.signal(0).channels.gain.tolist() == [0.5]


@given(
    counts=st.lists(st.integers(-32768, 32767), min_size=1, max_size=30),
    resolution=st.floats(1e-9, 1e6),
    single=st.booleans(),
)
@settings(deadline=None, max_examples=60)
def test_recorded_resolution_is_always_kept(counts, resolution, single, tmp_path_factory):
    stored = np.array(counts, "i2")[:, np.newaxis]
    kind = np.float32 if single else np.float64
    values = stored * kind(resolution)
    signal = make_signal(values.astype(kind), array_annotations={"resolution": [resolution]})
    target = tmp_path_factory.mktemp("x") / "x.vhdr"
    saved(make_block(signal), target, number_format="INT_16")
    np.testing.assert_array_equal(reopened(target).read_signal(0), stored)
    assert reopened(target).signal(0).channels.gain.tolist() == [resolution]


# ---------------------------------------------------------------- header


def test_header_text(tmp_path):
    signal = make_signal(
        wave(4, 2),
        array_annotations={
            "channel_names": ["a,b", "c"],
            "reference": ["", "R,1"],
            "coordinates_0": [1.0, np.nan],
            "coordinates_1": [-92.5, np.nan],
            "coordinates_2": [0.0, np.nan],
        },
    )
    block = make_block(signal, make_signal(wave(4, 1), "mV", name="lick"), comment="one\n\ntwo")
    saved(block, tmp_path / "x.vhdr")
    assert (tmp_path / "x.vhdr").read_bytes().decode().split("\r\n") == [
        "BrainVision Data Exchange Header File Version 1.0",
        "; Data created by ephyrus",
        "",
        "[Common Infos]",
        "Codepage=UTF-8",
        "DataFile=x.eeg",
        "MarkerFile=x.vmrk",
        "DataFormat=BINARY",
        "DataOrientation=MULTIPLEXED",
        "DataType=TIMEDOMAIN",
        "NumberOfChannels=3",
        "DataPoints=4",
        "SamplingInterval=2000",
        "",
        "[Binary Infos]",
        "BinaryFormat=IEEE_FLOAT_32",
        "UseBigEndianOrder=NO",
        "",
        "[Channel Infos]",
        "Ch1=a\\1b,,1,µV",
        "Ch2=c,R\\11,1,µV",
        "Ch3=lick,,1,mV",
        "",
        "[Coordinates]",
        "Ch1=1,-92.5,0",
        "Ch2=0,0,0",
        "Ch3=0,0,0",
        "",
        "[Comment]",
        "one",
        "",
        "two",
        "",
    ]


def test_comment_cannot_begin_a_section(tmp_path):
    block = make_block(make_signal(wave()), comment="a\n[Channel Infos]\nCh1=x\n[kOhm]")
    saved(block, tmp_path / "x.vhdr")
    found = reopened(tmp_path / "x.vhdr").blocks[0].annotations["comment"]
    assert found == "a\n> [Channel Infos]\nCh1=x\n[kOhm]"


@pytest.mark.parametrize(
    ("units", "stored", "read"),
    [
        ("uV", "µV", "uV"),
        ("V", "V", "V"),
        ("nA", "nA", "nA"),
        ("uS", "µS", "uS"),
        (pq.degC, "°C", "degC"),
        (pq.dimensionless, "n/a", "dimensionless"),
        (pq.pA / pq.mV, "pA/mV", "pA/mV"),
    ],
)
def test_units(units, stored, read, tmp_path):
    saved(make_block(make_signal([[1.0], [2.0]], units)), tmp_path / "x.vhdr")
    recording = reopened(tmp_path / "x.vhdr")
    assert recording.signal(0).channels.units == (stored,)
    (signal,) = recording.tree()[0].segments[0].analogsignals
    assert signal.units.dimensionality.string == read
    np.testing.assert_array_equal(signal.magnitude, [[1], [2]])


def test_unit_that_is_not_known_is_kept(tmp_path):
    signal = make_signal([[1.0]], pq.dimensionless, units_string="BS")
    assert saved(make_block(signal), tmp_path / "x.vhdr").losses == ()
    assert reopened(tmp_path / "x.vhdr").signal(0).channels.units == ("BS",)


@given(rate=st.floats(1e-3, 1e9))
@settings(deadline=None, max_examples=60)
def test_rates_come_back(rate, tmp_path_factory):
    target = tmp_path_factory.mktemp("x") / "x.vhdr"
    saved(make_block(make_signal([[1.0]], rate=rate)), target)
    found = float(reopened(target).signal(0).rate)
    assert found == pytest.approx(rate, rel=1e-15)


@pytest.mark.parametrize("rate", [500, 30000, 22050, 2048, 24414.0625, 1000 / 3, 512.5])
def test_usual_rates_come_back_exactly(rate, tmp_path):
    saved(make_block(make_signal([[1.0]], rate=rate)), tmp_path / "x.vhdr")
    assert float(reopened(tmp_path / "x.vhdr").signal(0).rate) == rate


def test_rate_beyond_the_format_is_refused(tmp_path):
    with pytest.raises(ValueError, match="cannot hold a sampling rate of 1e-12 Hz"):
        saved(make_block(make_signal([[1.0]], rate=1e-12)), tmp_path / "x.vhdr")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("x.vhdr", ["x.eeg", "x.vhdr", "x.vmrk"]),
        ("x.vmrk", ["x.eeg", "x.vhdr", "x.vmrk"]),
        ("x.dat", ["x.dat", "x.vhdr", "x.vmrk"]),
        ("x.v2", ["x.v2.eeg", "x.v2.vhdr", "x.v2.vmrk"]),
        ("x", ["x.eeg", "x.vhdr", "x.vmrk"]),
    ],
)
def test_names(name, files, tmp_path):
    report = saved(make_block(make_signal(wave())), tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    np.testing.assert_array_equal(reopened(report.paths[0]).read_signal(0), wave())


def test_channel_names_without_annotation(tmp_path):
    block = make_block(
        make_signal(wave(4, 1), name="Vm"), make_signal(wave(4, 2)), make_signal(wave(4, 1))
    )
    saved(block, tmp_path / "x.vhdr")
    assert reopened(tmp_path / "x.vhdr").signal(0).channels.names == (
        "Vm",
        "signal 1 0",
        "signal 1 1",
        "signal 2",
    )


# ---------------------------------------------------------------- markers


def test_marker_text(tmp_path):
    events = [
        Event([0.02, 0.0] * pq.s, labels=["b", "a,\nz"], name="Stimulus"),
        Event([10.0] * pq.ms, labels=["c"]),
        Event(
            [0.004] * pq.s,
            labels=["d"],
            name="Odd,one",
            array_annotations={"durations": [0.01], "channels": [2], "dates": ["2020-01-02T03:04"]},
        ),
    ]
    epochs = [Epoch([0.006] * pq.s, durations=[20] * pq.ms, labels=["e"], name="trial")]
    block = make_block(
        make_signal(wave()),
        events=events,
        epochs=epochs,
        rec_datetime=datetime(2024, 5, 6, 7, 8, 9, 10, tzinfo=UTC),
    )
    assert saved(block, tmp_path / "x.vhdr").losses == ()
    assert (tmp_path / "x.vmrk").read_bytes().decode().split("\r\n") == [
        "BrainVision Data Exchange Marker File Version 1.0",
        "",
        "[Common Infos]",
        "Codepage=UTF-8",
        "DataFile=x.eeg",
        "",
        "[Marker Infos]",
        "; Mk<number>=<type>,<description>,<position>,<size>,<channel, 0 = all>[,<date>]",
        "Mk1=New Segment,,1,1,0,20240506070809000010",
        "Mk2=Stimulus,a\\1 z,1,1,0",
        "Mk3=Odd\\1one,d,3,5,2,20200102030400000000",
        "Mk4=trial,e,4,10,0",
        "Mk5=Event,c,6,1,0",
        "Mk6=Stimulus,b,11,1,0",
        "",
    ]
    recording = reopened(tmp_path / "x.vhdr")
    assert recording.blocks[0].rec_datetime == datetime(2024, 5, 6, 7, 8, 9, 10)
    found = recording.read_table("Stimulus")
    assert found["tick"].tolist() == [0, 10]
    assert found["label"].tolist() == ["a, z", "b"]
    assert recording.read_table("trial")["durations"].tolist() == [0.02]


def test_markers_outside_of_the_signal_are_left_out(tmp_path):
    event = Event([-0.002, 0.0, 0.1981, 0.2, np.nan] * pq.s, labels=list("abcde"), name="S")
    report = saved(make_block(make_signal(wave()), events=[event]), tmp_path / "x.vhdr")
    assert reopened(tmp_path / "x.vhdr").read_table("S")["label"].tolist() == ["b", "c"]
    assert report.losses == (
        "3 markers outside of the signals left out",
        "times of 1 marker rounded to whole samples",
    )


def test_markers_count_from_the_beginning_of_the_signal(tmp_path):
    event = Event([10.0, 10.1] * pq.s, labels=["a", "b"], name="S")
    signal = make_signal(wave(), t_start=10 * pq.s)
    report = saved(make_block(signal, events=[event]), tmp_path / "x.vhdr")
    assert reopened(tmp_path / "x.vhdr").read_table("S")["tick"].tolist() == [0, 50]
    assert report.losses == ("the beginning at 10 s is not kept: files begin at 0 s",)


def test_channels_of_markers_that_are_none(tmp_path):
    event = Event(
        [0.0, 0.0, 0.0] * pq.s,
        labels=["a", "b", "c"],
        name="S",
        array_annotations={"channels": [3, 4, -1], "odd": [1, 2, 3]},
    )
    report = saved(make_block(make_signal(wave()), events=[event]), tmp_path / "x.vhdr")
    assert reopened(tmp_path / "x.vhdr").read_table("S")["channels"].tolist() == [3, 0, 0]
    assert report.losses == ("array annotations of events and epochs are left out: odd",)


def test_channels_of_markers_follow_their_channels(tmp_path):
    recording = reopened(synth.write_sample("int16", tmp_path))
    (block,) = recording.tree()
    segment = block.segments[0]
    assert recording.read_table("Comment")["channels"].tolist() == [2]  # a,b
    segment.analogsignals[:] = [s for s in segment.analogsignals if s.shape[1] == 1]
    saved(block, tmp_path / "copy.vhdr")
    again = reopened(tmp_path / "copy.vhdr")
    assert again.signal(0).channels.names == ("a,b",)
    assert again.read_table("Comment")["channels"].tolist() == [1]


# ---------------------------------------------------------------- segments


def make_segments(lengths, **attributes):
    block = Block(rec_datetime=datetime(2020, 1, 1))
    for number, length in enumerate(lengths):
        segment = Segment(**attributes)
        values = wave(length, 2) + np.float32(1000 * number)
        segment.analogsignals.append(make_signal(values, t_start=number * 7 * pq.s))
        times = number * 7 + np.array([0.004])
        segment.events.append(Event(times * pq.s, labels=[f"s{number}"], name="S"))
        block.segments.append(segment)
    block.segments[1].rec_datetime = datetime(2020, 1, 1, 0, 0, 7)
    return block


@pytest.mark.parametrize("kind", ["binary", "ascii"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_equal_segments(kind, orientation, tmp_path):
    block = make_segments([10, 10, 10])
    report = saved(block, tmp_path / "x.vhdr", format=kind, orientation=orientation)
    assert report.losses == (
        "the times of the 3 segments are not kept: they follow each other from 0 s",
    )
    recording = reopened(tmp_path / "x.vhdr", segmented=True)
    values = np.concatenate([s.analogsignals[0].magnitude for s in block.segments])
    np.testing.assert_array_equal(recording.read_scaled(0).astype("f4"), values)
    assert recording.signal(0).runs["count"].tolist() == [10, 10, 10]
    found = recording.read_table("S")
    assert (found["tick"].tolist(), found["label"].tolist()) == ([2, 2, 2], ["s0", "s1", "s2"])
    assert [segment.rec_datetime for segment in recording.segments] == [
        datetime(2020, 1, 1),
        datetime(2020, 1, 1, 0, 0, 7),
        None,
    ]
    joined = reopened(tmp_path / "x.vhdr")
    assert joined.read_table("New Segment")["tick"].tolist() == [0, 10, 20]


def test_unequal_segments(tmp_path):
    block = make_segments([10, 25])
    saved(block, tmp_path / "x.vhdr", number_format="INT_16")
    assert "SegmentationType" not in (tmp_path / "x.vhdr").read_text(encoding="utf-8")
    recording = reopened(tmp_path / "x.vhdr")
    assert recording.signal(0).length == 35
    assert recording.read_table("New Segment")["tick"].tolist() == [0, 10]
    assert recording.read_table("S")["tick"].tolist() == [2, 12]


def test_segments_without_signals_are_left_out(tmp_path):
    block = make_segments([10, 10])
    block.segments.append(Segment())
    report = saved(block, tmp_path / "x.vhdr")
    assert "1 segment without analog signals left out, with events and epochs" in report.losses
    assert reopened(tmp_path / "x.vhdr").signal(0).length == 20


def test_segments_of_a_recording_come_back(tmp_path):
    path = synth.write_sample("segments", tmp_path)
    before = reopened(path, segmented=True)
    (block,) = before.tree(lazy=True)
    saved(block, tmp_path / "copy.vhdr", number_format="INT_16")
    again = reopened(tmp_path / "copy.vhdr", segmented=True)
    np.testing.assert_array_equal(again.read_signal(0), before.read_signal(0))
    assert [s.rec_datetime for s in again.segments] == [s.rec_datetime for s in before.segments]
    assert again.read_table("New Segment")["tick"].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("other", "match"),
    [
        (make_signal(wave(5, 2), rate=600), r"2 channels .* at 600 Hz"),
        (make_signal(wave(5, 3)), "segment 1 has 3 channels"),
        (make_signal(wave(5, 2), "mV"), "signal 0 0 in mV"),
    ],
)
def test_segments_that_do_not_fit_are_refused(other, match, tmp_path):
    block = make_block(make_signal(wave(5, 2)))
    segment = Segment()
    segment.analogsignals.append(other)
    block.segments.append(segment)
    with pytest.raises(ValueError, match=match):
        saved(block, tmp_path / "x.vhdr")
    assert list(tmp_path.iterdir()) == []


# ---------------------------------------------------------------- what is refused or left out


@pytest.mark.parametrize(
    "other",
    [
        make_signal(wave(), rate=600, name="fast"),
        make_signal(wave(99), name="short"),
        make_signal(wave(), t_start=1 * pq.s, name="late"),
    ],
)
def test_signals_that_do_not_stand_side_by_side(other, tmp_path):
    with pytest.raises(ValueError, match=f"'slow'.* and '{other.name}'.*differ"):
        saved(make_block(make_signal(wave(), name="slow"), other), tmp_path / "x.vhdr")
    assert list(tmp_path.iterdir()) == []


def test_signals_without_channels_are_refused(tmp_path):
    with pytest.raises(NeoReadWriteError, match="has no samples of any"):
        saved(make_block(make_signal(np.empty((5, 0)))), tmp_path / "x.vhdr")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_lost_of_events_that_hold_none(tmp_path):
    event = Event([] * pq.s, labels=[], name="Tag", array_annotations={"tag_type": []})
    block = make_block(make_signal(wave()), events=[event])
    assert saved(block, tmp_path / "x.vhdr").losses == ()
    block.groups.append(Group(name="mine"))
    assert saved(block, tmp_path / "x.vhdr").losses == ("1 group is left out",)


def test_blocks_without_signals_are_refused(tmp_path):
    with pytest.raises(NeoReadWriteError, match="has no samples of any"):
        saved(make_block(), tmp_path / "x.vhdr")
    with pytest.raises(NeoReadWriteError, match="holds one block, there are 2"):
        write([Block(), Block()], tmp_path / "x", {}, progress=NullProgress())


def test_losses(tmp_path):
    block = make_block(
        make_signal(wave(), array_annotations={"impedance": [1, 2, 3]}, gain_mode="x"),
        mouse="m1",
    )
    segment = block.segments[0]
    segment.spiketrains.extend(SpikeTrain([0.1] * pq.s, t_stop=1 * pq.s) for _ in range(3))
    segment.irregularlysampledsignals.append(IrregularlySampledSignal([0.1] * pq.s, [1.0] * pq.mV))
    segment.imagesequences.append(
        ImageSequence(
            np.zeros((2, 2, 2)), units="V", sampling_rate=1 * pq.Hz, spatial_scale=1 * pq.um
        )
    )
    report = saved(block, tmp_path / "x.vhdr")
    assert report.losses == (
        "3 spike trains are left out: BrainVision files hold signals and markers",
        "1 irregularly sampled signal is left out: BrainVision files hold signals and markers",
        "1 image sequence is left out: BrainVision files hold signals and markers",
        "annotations are left out: gain_mode, mouse",
        "array annotations of signals are left out: impedance",
    )


# ---------------------------------------------------------------- costs and failures


def test_a_failure_leaves_the_old_files(tmp_path):
    saved(make_block(make_signal(wave())), tmp_path / "x.vhdr")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    progress = CallbackProgress(lambda done, total: done and progress.cancel())
    big = make_block(make_signal(np.zeros((400_000, 4), "f4")))
    with pytest.raises(Cancelled):
        saved(big, tmp_path / "x.vhdr", progress=progress)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(("number_format", "passes"), [("IEEE_FLOAT_32", 1), ("INT_16", 2)])
def test_progress_counts_bytes(number_format, passes, tmp_path):
    seen = []
    progress = CallbackProgress(lambda done, total: seen.append((done, total)))
    saved(
        make_block(make_signal(wave())),
        tmp_path / "x.vhdr",
        progress=progress,
        number_format=number_format,
    )
    nbytes = (tmp_path / "x.eeg").stat().st_size * passes
    assert seen[0] == (0, nbytes)
    assert seen[-1] == (nbytes, nbytes)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(
    "options", [{}, {"number_format": "INT_16"}, {"format": "ascii"}], ids=["float", "int", "text"]
)
def test_memory_is_bounded(options, orientation, tmp_path):
    points = 100_000 if "format" in options else 2_000_000
    recipe = synth.Recipe(
        names=tuple("abcdefgh"), references=("",) * 8, resolutions=("0.5",) * 8, units=("µV",) * 8
    )
    (block,) = reopened(synth.write_sparse(tmp_path, recipe, points)).tree(lazy=True)
    tracemalloc.start()
    saved(block, tmp_path / "copy.vhdr", orientation=orientation, **options)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 48 * 2**20
    assert reopened(tmp_path / "copy.vhdr").signal(0).length == points


def test_objects_are_not_changed(tmp_path):
    values = wave(dtype="f8")
    block = make_block(make_signal(values.copy()))
    saved(block, tmp_path / "x.vhdr", number_format="INT_16")
    np.testing.assert_array_equal(block.segments[0].analogsignals[0].magnitude, values)


def test_by_the_io_class(tmp_path):
    from ephyrus.io import BrainVisionIO

    block = make_block(make_signal(wave()))
    io = BrainVisionIO(str(tmp_path / "x.vhdr"))
    io.write_block(block, orientation="vectorized")
    (signal,) = io.read_block().segments[0].analogsignals
    np.testing.assert_array_equal(signal.magnitude, wave())
    assert str(signal.units.dimensionality) == "uV"
