"""Writing text columns: numbers, times, sidecars, what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import quantities as pq

from ephyrus.core import Block, IrregularlySampledSignal
from ephyrus.errors import NeoReadWriteError
from ephyrus.export.asciisignal import write
from ephyrus.formats.asciisignal import FORMAT
from ephyrus.recording import CallbackProgress, NullProgress
from ephyrus.registry import open_recording
from tests.synth.objects import block_of, signal_of


@pytest.fixture
def written(tmp_path):
    def writing(block, **options):
        path = tmp_path / "out.txt"
        options = FORMAT.option_values(options, writing=True)
        report = write([block], path, options, progress=NullProgress())
        assert report.paths[0] == path
        assert {each.name for each in tmp_path.iterdir()} == {p.name for p in report.paths}
        return path, report.losses

    return writing


def opened(path, **options):
    return open_recording(path, format="asciisignal", **options)


def test_the_text(written):
    path, losses = written(block_of(signal_of([[1.5, -2], [0.1, 3]]), signal_of([7.0, 8])))
    assert path.read_text() == (
        "1.500000000000000000e+00\t-2.000000000000000000e+00\t7.000000000000000000e+00\n"
        "1.000000000000000056e-01\t3.000000000000000000e+00\t8.000000000000000000e+00\n"
    )
    assert losses == (
        "units and times are not told in the file; to read it, say units='mV', "
        "sampling_rate=1000.0, t_start=0.0",
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"delimiter": ","}, "0.5,1.5\n2,3\n"),
        ({"delimiter": " "}, "0.5 1.5\n2 3\n"),
        ({"delimiter": "semicolon", "decimal": ","}, "0,5;1,5\n2;3\n"),
        ({"units": "uV"}, "500\t1500\n2000\t3000\n"),
        ({"timecolumn": 0}, "0\t0.5\t1.5\n0.001\t2\t3\n"),
        ({"timecolumn": -1, "time_units": "ms"}, "0.5\t1.5\t0\n2\t3\t1\n"),
        ({"timecolumn": 1, "time_units": "us"}, "0.5\t0\t1.5\n2\t1000\t3\n"),
    ],
)
def test_options(written, options, text):
    path, _ = written(block_of(signal_of([[0.5, 1.5], [2, 3]])), fmt="%g", **options)
    assert path.read_text() == text


@pytest.mark.parametrize("delimiter", ["\t", ",", ";", " "])
@pytest.mark.parametrize("timecolumn", [None, 0, 2, -1])
def test_what_is_written_is_read(written, delimiter, timecolumn):
    values = np.random.default_rng(0).normal(size=(3000, 3)) * 1e-3
    signal = signal_of(values, sampling_rate=44.1 * pq.kHz, t_start=-250 * pq.ms)
    path, _ = written(block_of(signal), delimiter=delimiter, timecolumn=timecolumn)
    told = {"sampling_rate": 44_100, "t_start": -0.25} if timecolumn is None else {}
    rec = opened(path, timecolumn=timecolumn, delimiter=delimiter, units="mV", **told)
    np.testing.assert_array_equal(rec.read_scaled(0), values)
    assert (rec.signals[0].rate, rec.signals[0].t_start()) == (44_100, -0.25)


@pytest.mark.parametrize("timecolumn", [None, 1])
def test_the_sidecar_tells_all(written, timecolumn):
    values = np.random.default_rng(1).normal(size=(100, 2))
    signal = signal_of(values, sampling_rate=2 * pq.kHz, t_start=3 * pq.s, units="pA")
    path, losses = written(
        block_of(signal),
        delimiter=";",
        decimal=",",
        timecolumn=timecolumn,
        time_units="ms",
        metadata_filename="out_about.json",
        signal_group_mode="all-in-one",
    )
    assert losses == ()
    about = json.loads((path.parent / "out_about.json").read_text(encoding="utf-8"))
    assert about["sampling_rate"] == {"value": 2000.0, "units": "Hz"}
    assert about["t_start"] == {"value": 3.0, "units": "s"}
    assert (about["filename"], about["units"]) == ("out.txt", "pA")
    rec = opened(path)
    np.testing.assert_array_equal(rec.read_scaled(0), values)
    stream = rec.signals[0]
    assert (stream.rate, stream.t_start(), stream.channels.units[0]) == (2000, 3, "pA")
    assert rec.reading.header.signal_group_mode == "all-in-one"


def test_names_and_other_objects_are_named(written):
    irregular = IrregularlySampledSignal([0, 1, 5] * pq.s, [1, 2, 3], units="mV")
    block = block_of(signal_of([1.0, 2], name="EEG"))
    block.segments[0].irregularlysampledsignals.append(irregular)
    _, losses = written(block)
    assert losses[:2] == (
        "1 irregularly sampled signal is left out: a table of text holds analog signals only",
        "the names of 1 signal are left out",
    )


def test_unequal_units_are_refused(written):
    block = block_of(signal_of([1.0], "mV"), signal_of([1.0], "V"))
    with pytest.raises(ValueError, match="one unit, the signals have V, mV"):
        written(block)
    path, _ = written(block, units="V", fmt="%g")
    assert path.read_text() == "0.001\t1\n"


def test_unequal_rates_are_refused(written):
    block = block_of(signal_of([1.0]), signal_of([1.0], sampling_rate=5 * pq.Hz))
    with pytest.raises(ValueError, match=r"'signal 0'.*'signal 1'"):
        written(block)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delimiter": "."}, "both delimiter and decimal mark"),
        ({"delimiter": ",", "decimal": ","}, "both delimiter and decimal mark"),
        ({"delimiter": "ab"}, "delimiter='ab'"),
        ({"fmt": "%s"}, "fmt='%s'"),
        ({"fmt": "%g%g"}, "fmt='%g%g'"),
        ({"timecolumn": 2}, "timecolumn=2: there are 2 columns"),
        ({"timecolumn": 0, "time_units": "mV"}, "time_units='mV'"),
    ],
)
def test_bad_options(written, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        written(block_of(signal_of([1.0])), **options)
    assert [*tmp_path.iterdir()] == []


def test_one_segment_with_a_signal_is_needed(written):
    with pytest.raises(NeoReadWriteError, match="the segment has none"):
        written(block_of())
    with pytest.raises(NeoReadWriteError, match="there are 0"):
        written(Block())


def test_lazy_signals_are_written_in_pieces(tmp_path, written):
    values = np.random.default_rng(2).integers(-30000, 30000, (30_000, 40), np.int16)
    source = tmp_path.parent / f"{tmp_path.name}-source.raw"
    source.write_bytes(values.tobytes())
    rec = open_recording(source, format="rawbinarysignal", nb_channel=40, units="mV")
    block = rec.tree(lazy=True)[0]
    path, _ = written(block, fmt="%.0f", timecolumn=0)
    found = np.loadtxt(path, delimiter="\t")
    np.testing.assert_array_equal(found[:, 1:], values)


def test_progress_counts_bytes(tmp_path):
    seen = []
    progress = CallbackProgress(lambda done, total: seen.append((done, total)))
    path = tmp_path / "x.txt"
    options = FORMAT.option_values({}, writing=True)
    write([block_of(signal_of(np.zeros(3000)))], path, options, progress=progress)
    assert seen[-1] == (path.stat().st_size, None)


@pytest.mark.parametrize(("shape", "reason"), [((0, 2), "no samples"), ((5, 0), "has none")])
def test_what_could_not_be_read_is_not_written(written, shape, reason):
    with pytest.raises(NeoReadWriteError, match=reason):
        written(block_of(signal_of(np.empty(shape))))
