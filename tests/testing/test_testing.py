"""The contract suite itself: a good toy format passes, each broken one fails where it should."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ephyrus.recording import SegmentInfo, run_table
from ephyrus.recording.objects import load_address
from ephyrus.testing import FormatContract, Subject, descriptors, laws
from ephyrus.testing.contract import skip_without_file
from tests.testing import toyformat as toy


class TestGoodToy(FormatContract):
    module = toy
    mutations = 300
    lying_counts = 300

    def samples(self):
        return toy.samples()


class TestGoodToyOnDisk(FormatContract):
    module = toy
    mutations = 30
    lying_counts = 30
    truncations = 5
    in_memory = False

    def samples(self):
        return toy.samples()[1:]


class TestGoodToyFolder(FormatContract):
    module = toy
    mutations = 30
    lying_counts = 30
    truncations = 5

    def samples(self):
        return [toy.folder_sample()]


def described(change):
    """A `describe` whose result is changed."""

    def describe(header, index):
        return change(toy.describe(header, index))

    return describe


def with_signal(**changed):
    def change(info):
        return replace(info, signals=(replace(info.signals[0], **changed),))

    return described(change)


def with_spikes(**changed):
    def change(info):
        return replace(info, tables=(replace(info.tables[0], **changed), info.tables[1]))

    return described(change)


def with_channels(**changed):
    def change(info):
        signal = info.signals[0]
        channels = replace(signal.channels, **changed)
        return replace(info, signals=(replace(signal, channels=channels),))

    return described(change)


# Descriptors


@pytest.mark.parametrize(
    ("describe", "message"),
    [
        (with_signal(name=b"signal"), "is a bytes, no str"),
        (with_signal(index=1), "index is 1"),
        (with_signal(rate=Fraction(-9)), r"rate of signal 'signal' is Fraction\(-9, 1\), no"),
        (with_signal(dtype=np.dtype("U4")), "samples of type <U4"),
        (with_signal(item_shape=(7,)), "3 channels"),
        (with_channels(gain=np.array([1.0, np.nan, 1.0])), "gains"),
        (with_channels(gain=np.array([1.0, 0.0, 1.0])), "a gain of 0"),
        (with_channels(offset=np.array([1.0, np.inf, 1.0])), "offsets"),
        (with_channels(ids=("0", "1", "0")), "channel ids of signal 'signal' must be unique"),
        (with_channels(units=("uV",)), "1 units for 3 channels"),
        (with_channels(extra={"filter": np.zeros(2)}), "2 values of 'filter' for 3"),
        (with_spikes(id="events"), "ids of table streams must be unique; given twice: events"),
        (with_spikes(kind="events"), "events without columns .'label'."),
        (with_spikes(units=()), "no units"),
        (with_spikes(unit_counts=np.zeros((1, 1), np.int64)), "unit_counts of shape"),
        (described(lambda info: replace(info, software=3)), "software is no text"),
    ],
)
def test_descriptors_that_cannot_be_true(broken, describe, message):
    with (
        broken(describe=describe).open() as rec,
        pytest.raises(AssertionError, match=message),
    ):
        descriptors.check_descriptors(rec)


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (run_table([199]), "199 items, the stream has 200"),
        (run_table([100, 100]), r"segments \[0, 1\] of 1"),
        (run_table([201, -1], segments=0), "counts"),
        (run_table([200])[["first", "count", "tick"]], "dtype"),
        (np.array([(1, 200, 0, 0)], run_table([1]).dtype), "do not follow each other"),
    ],
)
def test_runs_that_do_not_cover_the_stream(broken, monkeypatch, runs, message):
    monkeypatch.setattr("ephyrus.recording.recording.with_extents", lambda info: info.segments)
    with (
        broken(describe=with_signal(runs=runs)).open() as rec,
        pytest.raises(AssertionError, match=message),
    ):
        descriptors.check_runs(rec)


def test_empty_runs_of_tables(broken):
    describe = with_spikes(runs=run_table([40, 0], segments=0))
    with broken(describe=describe).open() as rec, pytest.raises(AssertionError, match="counts"):
        descriptors.check_runs(rec)


@pytest.mark.parametrize(
    ("segment", "message"),
    [
        (SegmentInfo(block=1), "block 1"),
        (SegmentInfo(t_start=2.0, t_stop=1.0), "from 2.0 s to 1.0 s"),
        (SegmentInfo(t_start=np.nan), "from nan s"),
    ],
)
def test_extents_that_cannot_be_true(broken, segment, message):
    describe = described(lambda info: replace(info, segments=(segment,)))
    with (
        broken(describe=describe).open() as rec,
        pytest.raises(AssertionError, match=message),
    ):
        descriptors.check_extents(rec)


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ({"path": Path()}, "is a PosixPath|is a WindowsPath"),
        ({"x": [1, {"y": object()}]}, "is a object"),
        ({"x": np.array([object()])}, "array of object"),
        ({"Two words": 1}, "no snake_case"),
        ({3: 1}, "no str"),
    ],
)
def test_annotations_that_are_not_plain(broken, annotations, message):
    describe = described(lambda info: replace(info, annotations=annotations))
    with (
        broken(describe=describe).open() as rec,
        pytest.raises(AssertionError, match=message),
    ):
        descriptors.check_annotations(rec)


# Reading


def short_signal(reading, stream, start, stop, channels):
    return toy.read_signal(reading, stream, start, stop, channels)[: stop - start - 1]


def shifted_signal(reading, stream, start, stop, channels):
    values = toy.read_signal(reading, stream, start, stop, channels)
    return values if start == 0 else np.roll(values, 1, axis=0)


def wide_signal(reading, stream, start, stop, channels):
    return toy.read_signal(reading, stream, start, stop, channels).astype("<i4")


@pytest.mark.parametrize(
    ("read_signal", "message"),
    [
        (short_signal, r"declared shape \(200, 3\), read \(199, 3\)"),
        (wide_signal, "declared <i2, read <i4"),
        (shifted_signal, "the two halves are not the whole"),
    ],
)
def test_wrong_lengths_types_and_slices(broken, read_signal, message):
    with (
        broken(read_signal=read_signal).open() as rec,
        pytest.raises(AssertionError, match=message),
    ):
        laws.check_slices(rec, "seed")


def test_wrong_slices_of_tables(broken):
    def read_table(reading, stream, start, stop, columns):
        found = toy.read_table(reading, stream, start, stop, columns)
        return {name: column[::-1] for name, column in found.items()} if stop < 40 else found

    with (
        broken(read_table=read_table).open() as rec,
        pytest.raises(AssertionError, match=r"table spikes, .* the two halves are not the whole"),
    ):
        laws.check_slices(rec, "seed")


def test_ignored_channels(broken):
    def read_signal(reading, stream, start, stop, channels):
        values = toy.read_signal(reading, stream, start, stop, None)
        return values if channels is None else values[:, : len(channels)]

    with (
        broken(read_signal=read_signal).open() as rec,
        pytest.raises(AssertionError, match="channels -1 are not columns"),
    ):
        laws.check_channel_selection(rec, "seed")


def test_columns_that_depend_on_each_other(broken):
    def read_table(reading, stream, start, stop, columns):
        found = toy.read_table(reading, stream, start, stop, columns)
        return found if len(columns) > 1 else {columns[0]: found[columns[0]][::-1]}

    with (
        broken(read_table=read_table).open() as rec,
        pytest.raises(AssertionError, match="'tick' alone differs"),
    ):
        laws.check_columns(rec)


def test_rows_that_are_others(broken):
    def read_rows(reading, stream, rows, columns):
        return toy.read_rows(reading, stream, rows[::-1], columns)

    with (
        broken(read_rows=read_rows).open() as rec,
        pytest.raises(AssertionError, match="read_rows differs"),
    ):
        laws.check_rows(rec, "seed")


def test_time_that_goes_back(broken):
    def index(opening, header):
        return toy.index(opening, header)[::-1]

    subject = broken(index=index)
    with subject.open() as rec, pytest.raises(AssertionError, match="time goes back after item"):
        laws.check_ticks(rec)


def test_time_that_may_go_back(broken):
    subject = broken(
        index=lambda opening, header: toy.index(opening, header)[::-1],
        describe=with_spikes(is_sorted=False),
    )
    with subject.open() as rec:
        laws.check_ticks(rec)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"unit_counts": np.array([[39], [1]])}, r"unit_counts \[39, 1\], the unit column has"),
        ({"units": (toy.Unit(0, "a", "a"), toy.Unit(7, "b", "b"))}, "units that are not declared"),
    ],
)
def test_units_that_are_not_counted(broken, changed, message):
    with (
        broken(describe=with_spikes(**changed)).open() as rec,
        pytest.raises(AssertionError, match=message),
    ):
        laws.check_unit_counts(rec)


def test_lazy_objects_that_load_something_else(broken):
    calls = []

    def read_signal(reading, stream, start, stop, channels):
        calls.append(1)
        return toy.read_signal(reading, stream, start, stop, channels) + np.int16(len(calls))

    message = r"block.segments\[0\].analogsignals\[0\]: loaded values differ"
    with pytest.raises(AssertionError, match=message):
        laws.check_lazy(broken(read_signal=read_signal))


def test_lazy_trees_that_are_not_lazy(broken, monkeypatch):
    def full(recording, address, **keywords):
        return load_address(recording, address, **{**keywords, "lazy": False})

    monkeypatch.setattr("ephyrus.recording.tree.load_address", full)
    with pytest.raises(AssertionError, match="AnalogSignal 'signal' of the lazy tree holds data"):
        laws.check_lazy(broken())


# The class


def test_a_class_without_samples():
    with pytest.raises(NotImplementedError, match=r"FormatContract must define samples\(\)"):
        FormatContract().samples()


def test_a_fake_format_may_not_have_a_file(tmp_path, monkeypatch):
    module = toy.variant(monkeypatch, "fake", FORMAT=replace(toy.FORMAT, mode="fake"))
    sample = toy.samples()[0]
    subject = Subject(module, sample, sample.write(tmp_path), tmp_path)
    with pytest.raises(AssertionError, match="a format of mode 'fake' with a file"):
        skip_without_file(subject)
    subject.path.unlink()
    with pytest.raises(pytest.skip.Exception, match="its mode is 'fake', there is no file"):
        skip_without_file(subject)


def test_a_format_with_a_file_is_not_skipped(broken):
    skip_without_file(broken())


BROKEN_SUITE = """
from ephyrus.testing import FormatContract
from tests.testing import toyformat as toy
from types import SimpleNamespace

def read_signal(reading, stream, start, stop, channels):
    return toy.read_signal(reading, stream, start, stop, None)

functions = {name: getattr(toy, name) for name in toy.NAMES}

class TestBroken(FormatContract):
    module = SimpleNamespace(**{**functions, "read_signal": read_signal})
    mutations = lying_counts = truncations = 3

    def samples(self):
        return toy.samples()
"""


def test_the_class_in_a_suite_of_its_own(tmp_path):
    """Each test runs for each sample; only those fail that see the fault."""
    suite = tmp_path / "test_broken.py"
    suite.write_text(BROKEN_SUITE)
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-c", os.devnull, "--rootdir", str(tmp_path), "-rA", "--tb=no", str(suite)]
    paths = os.pathsep.join([str(root), *filter(None, [os.environ.get("PYTHONPATH")])])
    result = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": paths, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    outcomes = {}
    for line in result.stdout.splitlines():
        found = re.match(r"(PASSED|FAILED) \S+::test_(\w+)\[toy-(\w+)\]", line)
        if found:
            outcomes.setdefault(found[1], set()).add((found[2], found[3]))
    tests = {name.removeprefix("test_") for name in dir(FormatContract) if name.startswith("test_")}
    run = outcomes["PASSED"] | outcomes["FAILED"]
    assert run == {(test, name) for test in tests for name in ("three", "one")} - {("large", "one")}
    # What looks at chosen channels: the selection itself, and the pickle of a nameless module.
    assert {test for test, _ in outcomes["FAILED"]} == {"channel_selection", "pickling"}, (
        result.stdout
    )
