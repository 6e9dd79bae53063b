"""Raw binary: values of every type and scaling, the old style, bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import quantities as pq

from ephyrus.errors import FormatError, WrongFormatError
from ephyrus.formats import rawbinarysignal
from ephyrus.recording import FileSet
from ephyrus.registry import open_recording
from tests.synth import rawbinarysignal as synth


def opened(tmp_path: Path, data: bytes, name: str = "x.raw", **options):
    path = tmp_path / name
    path.write_bytes(data)
    return open_recording(path, format="rawbinarysignal", **options)


@pytest.mark.parametrize("dtype", synth.DTYPES)
def test_values_of_every_type(tmp_path, dtype):
    values = synth.counts(dtype, 50, 4)
    rec = opened(tmp_path, synth.interleaved(values), dtype=dtype, nb_channel=4)
    signal = rec.signals[0]
    assert signal.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(rec.read_signal(0), values)
    np.testing.assert_array_equal(rec.read_signal(0, 10, 20, [3, 1]), values[10:20][:, [3, 1]])
    np.testing.assert_array_equal(rec.read_scaled(0, dtype=np.dtype("f8")), values)


def test_defaults_are_those_of_neo(tmp_path):
    rec = opened(tmp_path, np.arange(6, dtype="<i2").tobytes())
    signal = rec.signals[0]
    assert (signal.rate, signal.dtype, signal.length) == (10_000, np.dtype("i2"), 3)
    assert signal.channels.names == ("ch0", "ch1")
    assert signal.channels.units == ("", "")
    np.testing.assert_array_equal(rec.read_scaled(0), [[0, 1], [2, 3], [4, 5]])
    assert (rec.segments[0].t_start, rec.segments[0].t_stop) == (0.0, 3 / 10_000)


def test_gain_offset_header_and_times(tmp_path):
    values = synth.counts("<i2", 20, 3)
    rec = opened(
        tmp_path,
        synth.interleaved(values, header=b"\x01" * 11),
        nb_channel=3,
        bytesoffset=11,
        signal_gain=0.25,
        signal_offset=-2.0,
        units=["mV", "mV", "pA"],
        sampling_rate=2 * pq.kHz,
        t_start=500 * pq.ms,
    )
    np.testing.assert_array_equal(rec.read_scaled(0), values * 0.25 - 2.0)
    signal = rec.signals[0]
    assert signal.channels.units == ("mV", "mV", "pA")
    assert (signal.rate, signal.t_start()) == (2000, 0.5)
    assert rec.segments[0].t_stop == 0.5 + 20 / 2000


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("<i2", lambda raw: raw / 2**16 * 20.0 + 5.0),
        ("<u2", lambda raw: raw / 2**16 * 20.0 - 5.0),
        ("<f4", lambda raw: raw),
    ],
)
def test_range_of_the_old_style(tmp_path, dtype, expected):
    values = synth.counts(dtype, 30, 1)
    data = synth.interleaved(values)
    rec = opened(tmp_path, data, dtype=dtype, nbchannel=1, rangemin=-5.0, rangemax=15.0)
    found = rec.read_scaled(0, dtype=np.dtype("f8"))
    np.testing.assert_allclose(found, expected(values.astype("f8")), rtol=1e-14)


def test_an_incomplete_last_frame_is_left_out_with_a_note(tmp_path):
    values = synth.counts("<i2", 5, 2)
    rec = opened(tmp_path, synth.interleaved(values, rest=b"abc"))
    np.testing.assert_array_equal(rec.read_signal(0), values)
    (problem,) = rec.problems
    assert problem.offset == 20
    assert "last 3 bytes do not fill a frame" in problem.reason


def test_an_empty_file_has_no_samples(tmp_path):
    rec = opened(tmp_path, b"")
    assert rec.signals[0].length == 0
    assert rec.read_scaled(0).shape == (0, 2)
    assert rec.problems == ()


def test_reading_is_a_view_of_the_mapped_file(tmp_path):
    rec = opened(tmp_path, np.arange(100, dtype="<i2").tobytes())
    part = rec.read_signal(0, 10, 20)
    assert part.base is not None
    assert not part.flags.writeable
    assert part.tolist() == [[2 * at, 2 * at + 1] for at in range(10, 20)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"nb_channel": 0}, "nb_channel=0"),
        ({"bytesoffset": -1}, "bytesoffset=-1"),
        ({"bytesoffset": 41}, "beyond the end of the file of 40 bytes"),
        ({"dtype": "c8"}, "dtype=complex64"),
        ({"dtype": "i2,i2"}, "integers or floating point"),
        ({"dtype": "S2"}, "integers or floating point"),
        ({"dtype": "?"}, "dtype=bool"),
        ({"dtype": "no such"}, "expected dtype"),
        ({"sampling_rate": 0}, "above 0"),
        ({"signal_gain": 0.0}, "signal_gain=0.0"),
        ({"rangemin": 1.0}, "both must be given"),
        ({"rangemin": 1.0, "rangemax": 1.0}, "rangemin the smaller one"),
        ({"units": ["mV"]}, "1 units are given for 2 channels"),
    ],
)
def test_bad_arguments(tmp_path, options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        opened(tmp_path, bytes(40), **options)


def test_offset_beyond_the_file_is_an_error_of_the_file(tmp_path):
    with pytest.raises(FormatError):
        opened(tmp_path, b"", bytesoffset=1)


def test_offset_at_the_end_leaves_no_samples(tmp_path):
    assert opened(tmp_path, bytes(40), bytesoffset=40).signals[0].length == 0


def test_old_style_options_take_neos_old_defaults():
    found = rawbinarysignal.read_options({}, {"sampling_rate": 100.0, "nbchannel": 3})
    assert found == {
        "dtype": "f4",
        "sampling_rate": 100.0,
        "nb_channel": 3,
        "bytesoffset": 0,
        "units": "V",
        "t_start": 0.0,
        "rangemin": -10.0,
        "rangemax": 10.0,
        "signal_group_mode": "split-all",
    }


def test_old_style_keeps_what_the_class_was_told():
    told = {"dtype": "i2", "nbchannel": 4, "signal_gain": 2.0}
    found = rawbinarysignal.read_options(told, {"unit": "mV"})
    assert (found["dtype"], found["nb_channel"], found["units"]) == ("i2", 4, "mV")
    assert found["signal_gain"] == 2.0
    assert "rangemin" not in found


@pytest.mark.parametrize(
    ("name", "data", "confidence"),
    [
        ("x.raw", bytes(100), 0.1),
        ("x.DAT", bytes(100), 0.1),
        ("x.bin", b"", 0.1),
        ("x.dat", b"1.5\t2.5\t3.5\t4.5\n", 0.0),
        ("x.wav", bytes(100), 0.0),
    ],
)
def test_sniff_goes_by_name_only(name, data, confidence):
    assert rawbinarysignal.sniff(FileSet(name, memory={name: data}), data) == confidence


def test_a_raw_file_is_not_opened_unasked(tmp_path):
    path = tmp_path / "x.raw"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(WrongFormatError, match="rawbinarysignal"):
        open_recording(path)
