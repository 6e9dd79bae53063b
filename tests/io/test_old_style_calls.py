"""Calls as the early documentation writes them, format by format, and the values they give."""

from __future__ import annotations

import numpy as np
import pytest
import quantities as pq

from ephyrus import io


def test_raw_binary_with_the_arguments_of_read_segment(tmp_path):
    path = tmp_path / "old.raw"
    stored = np.arange(-6, 6, dtype="<i2")
    stored.tofile(path)
    segment = io.RawBinarySignalIO(filename=path).read_segment(
        lazy=False,
        cascade=True,
        sampling_rate=1000 * pq.Hz,
        unit=pq.mV,
        nbchannel=3,
        dtype="i2",
        rangemin=-5,
        rangemax=5,
        t_start=2 * pq.s,
    )
    assert len(segment.analogsignals) == 3
    for channel, signal in enumerate(segment.analogsignals):
        expected = (stored[channel::3] * (10 / 2**16)).astype("f4")
        assert np.asarray(signal).ravel().tolist() == expected.tolist()
        assert (signal.units, signal.sampling_rate, signal.t_start) == (pq.mV, 1 * pq.kHz, 2 * pq.s)


def test_raw_binary_floats_have_no_range(tmp_path):
    path = tmp_path / "old.raw"
    np.arange(6, dtype="<f4").tofile(path)
    segment = io.RawBinarySignalIO(path).read_segment(
        sampling_rate=500.0, unit="uV", nbchannel=2, bytesoffset=8, rangemin=-1, rangemax=1
    )
    values = [np.asarray(signal).ravel().tolist() for signal in segment.analogsignals]
    assert values == [[2, 4], [3, 5]]
    assert segment.analogsignals[0].units == pq.uV


@pytest.fixture
def columns(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("".join(f"{i / 10}\t{i}\t{-i}\n" for i in range(5)), encoding="ascii")
    return path


@pytest.mark.parametrize("place", ["class", "call"])
@pytest.mark.parametrize("lazy", [False, True])
def test_text_columns_all_in_one(columns, place, lazy):
    options = {"signal_group_mode": "all-in-one", "timecolumn": 0, "units": "mV"}
    of_class, of_call = (options, {}) if place == "class" else ({}, options)
    segment = io.AsciiSignalIO(columns, **of_class).read_segment(lazy=lazy, **of_call)
    (signal,) = segment.analogsignals
    assert signal.lazy_shape == ((5, 2) if lazy else None)
    signal = signal.load() if lazy else signal
    assert np.asarray(signal).tolist() == [[i, -i] for i in range(5)]
    assert (signal.units, signal.sampling_rate) == (pq.mV, 10 * pq.Hz)


def test_text_columns_with_the_arguments_of_read_segment(columns):
    segment = io.AsciiSignalIO(filename=columns).read_segment(
        lazy=False,
        cascade=True,
        delimiter="\t",
        usecols=[1, 2],
        skiprows=1,
        timecolumn=None,
        sampling_rate=5 * pq.Hz,
        t_start=1 * pq.s,
        unit=pq.mV,
        method="genfromtxt",
    )
    values = [np.asarray(signal).ravel().tolist() for signal in segment.analogsignals]
    assert values == [[1, 2, 3, 4], [-1, -2, -3, -4]]
    for signal in segment.analogsignals:
        assert (signal.units, signal.sampling_rate, signal.t_start) == (pq.mV, 5 * pq.Hz, 1 * pq.s)


@pytest.mark.parametrize("place", ["class", "call"])
def test_text_columns_refuse_other_modes(columns, place):
    options = {"signal_group_mode": "by-magic"}
    of_class, of_call = (options, {}) if place == "class" else ({}, options)
    with pytest.raises(NotImplementedError, match="no signal_group_mode 'by-magic'"):
        io.AsciiSignalIO(columns, **of_class).read_segment(**of_call)


def test_text_spike_trains_with_the_arguments_of_read_segment(tmp_path):
    path = tmp_path / "trains.txt"
    path.write_text("1.5;2.5;3\n\n4;5\n", encoding="ascii")
    segment = io.AsciiSpikeTrainIO(filename=path).read_segment(
        delimiter=";", t_start=500 * pq.us, unit=pq.ms
    )
    times = [train.rescale("ms").magnitude for train in segment.spiketrains]  # they are in seconds
    for found, told in zip(times, [[1.5, 2.5, 3], [], [4, 5]], strict=True):
        np.testing.assert_allclose(found, told, rtol=1e-15)
    assert {float(train.t_start.rescale("ms")) for train in segment.spiketrains} == {0.5}
