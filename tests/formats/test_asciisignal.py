"""Text columns: every option, sidecars, times, bad lines."""

from __future__ import annotations

import json
import logging
from fractions import Fraction

import numpy as np
import pytest
import quantities as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.errors import CorruptError, FormatError, WrongFormatError
from ephyrus.formats import asciisignal
from ephyrus.formats.asciisignal import walk
from ephyrus.formats.asciisignal.layout import Layout, Rows, named_delimiter, parsed
from ephyrus.recording import CallbackProgress, FileSet
from ephyrus.registry import identify, open_recording
from tests.synth import asciisignal as synth


@pytest.fixture
def opened(tmp_path):
    def opening(data: bytes | str, name: str = "x.txt", about=None, **options):
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        if about is not None:
            text = about if isinstance(about, str) else json.dumps(about)
            (tmp_path / f"{path.stem}_about.json").write_text(text, encoding="utf-8")
        return open_recording(path, format="asciisignal", **options)

    return opening


def values_of(rec) -> np.ndarray:
    return rec.read_scaled(0)


@pytest.mark.parametrize(
    ("made", "options"),
    [
        ({}, {}),
        ({}, {"delimiter": "\t"}),
        ({}, {"delimiter": "\\t"}),
        ({}, {"delimiter": "tab"}),
        ({"delimiter": ","}, {}),
        ({"delimiter": ","}, {"delimiter": ","}),
        ({"delimiter": ", "}, {"delimiter": ", "}),
        ({"delimiter": ";"}, {}),
        ({"delimiter": "|"}, {"delimiter": "|"}),
        ({"delimiter": " "}, {}),
        ({"delimiter": "   ", "fmt": "%12.6f"}, {"delimiter": " "}),
        ({"fmt": "%.18e"}, {}),
        ({"delimiter": ";", "decimal": ","}, {"decimal": ","}),
        ({"delimiter": ";", "decimal": ","}, {}),
        ({"decimal": ","}, {"delimiter": "\t", "decimal": ","}),
        ({"delimiter": " ", "decimal": ","}, {"delimiter": " ", "decimal": ","}),
        ({"newline": "\r\n"}, {}),
        ({"newline": "\r"}, {}),
        ({"trailing": True}, {}),
        ({"trailing": True, "newline": "\r\n"}, {}),
        ({"mark": b"\xef\xbb\xbf"}, {}),
        ({"header": ["# made by", "", "a\tb\tc"]}, {}),
        ({"header": ["# made by", "12\t13\t14"]}, {"skiprows": 2}),
        ({"delimiter": ",", "quotes": True}, {"method": "csv"}),
        ({"delimiter": " ", "quotes": True}, {"method": "csv"}),
        ({"delimiter": ","}, {"method": "csv"}),
        ({"delimiter": "\t\t", "trailing": True}, {"method": "homemade"}),
        ({"delimiter": ",,", "decimal": "."}, {"method": "homemade", "delimiter": ","}),
    ],
)
def test_layouts(opened, made, options):
    values = synth.numbers(60, 3)
    rec = opened(synth.table(values, **made), **options)
    np.testing.assert_array_equal(values_of(rec), values)
    signal = rec.signals[0]
    assert signal.channels.names == ("Column 0", "Column 1", "Column 2")
    assert signal.channels.units == ("V", "V", "V")
    assert signal.channels.extra["channel_index"].tolist() == [0, 1, 2]
    assert (signal.name, signal.rate, signal.t_start()) == ("multichannel", 1, 0)


def test_numbers_are_read_in_double_precision(opened):
    values = np.random.default_rng(3).normal(size=(200, 2)) * 10.0 ** np.arange(-100, 100)[:, None]
    rec = opened(synth.table(values, fmt="%r"))
    np.testing.assert_array_equal(values_of(rec), values)


def test_special_numbers(opened):
    rec = opened("nan\tinf\n-inf\t+1e3\n1.\t.5\n")
    expected = [[np.nan, np.inf], [-np.inf, 1000], [1, 0.5]]
    np.testing.assert_array_equal(values_of(rec), expected)


def test_one_column_and_one_row(opened):
    np.testing.assert_array_equal(values_of(opened("1\n2\n3")), [[1], [2], [3]])
    np.testing.assert_array_equal(values_of(opened("1\t2\t3\n")), [[1, 2, 3]])
    np.testing.assert_array_equal(values_of(opened("1,5\n2,5", decimal=",")), [[1.5], [2.5]])


def test_told_times(opened):
    rec = opened("1\n2\n3\n", sampling_rate=2 * pq.kHz, t_start=100 * pq.ms, unit=pq.mV)
    signal = rec.signals[0]
    assert (signal.rate, float(signal.t_start())) == (2000, 0.1)
    assert signal.channels.units == ("mV",)
    assert rec.segments[0].t_stop == 0.1015


@pytest.mark.parametrize(
    ("usecols", "timecolumn", "signals"),
    [
        (None, 0, [1, 2, 3]),
        (None, -4, [1, 2, 3]),
        ([3, 0, 1], 1, [3, 1]),
        ([3, 0], -1, [3]),
        ([0, -1], 0, [3]),
        ("0, 2", 0, [2]),
    ],
)
def test_columns_and_time_column(opened, usecols, timecolumn, signals):
    values = synth.numbers(50, 4)
    values[:, 0] = np.arange(50) / 100 + 2
    rec = opened(synth.table(values), usecols=usecols, timecolumn=timecolumn)
    np.testing.assert_array_equal(values_of(rec), values[:, signals])
    signal = rec.signals[0]
    assert (signal.rate, signal.t_start()) == (100, 2)
    count = len(signals) + 1
    kept = [at for at in range(count) if at != timecolumn % count]
    assert signal.channels.names == tuple(f"Column {at}" for at in kept)
    assert signal.channels.extra["channel_index"].tolist() == kept


def test_repeated_and_reordered_columns(opened):
    rec = opened("1\t2\t3\n4\t5\t6\n", usecols=[2, 0, 2])
    np.testing.assert_array_equal(values_of(rec), [[3, 1, 3], [6, 4, 6]])
    np.testing.assert_array_equal(rec.read_signal(0, 1, 2, [1, 2]), [[4, 6]])


@pytest.mark.parametrize(
    ("fmt", "rate"),
    [
        ("%.9f", 44_100),
        ("%.6f", 10_000),
        ("%.18e", 44_100),
        ("%r", 30_000),
        ("%.3f", 250),
        ("%.5f", 3),
    ],
)
def test_rate_of_printed_times(opened, fmt, rate):
    times = np.arange(10 * rate if rate == 3 else 3000) / rate + 0.5
    data = "".join(f"{fmt % time}\t{at}\n" for at, time in enumerate(times.tolist()))
    signal = opened(data, timecolumn=0).signals[0]
    assert signal.rate == rate
    assert signal.t_start() == Fraction(1, 2)


def test_rate_is_that_of_the_first_and_last_time(opened):
    signal = opened("0\t1\n0.3\t1\n0.6\t1\n", timecolumn=0).signals[0]
    assert signal.rate == Fraction(10, 3)


def test_long_time_columns_are_regular(opened):
    """In Neo any column of a few thousand times is irregular, because it reads float32."""
    times = np.arange(100_000) / 20_000
    data = "".join(f"{time:.5f}\t0\n" for time in times)
    signal = opened(data, timecolumn=0).signals[0]
    assert (signal.rate, signal.length) == (20_000, 100_000)


def test_time_units(opened):
    rec = opened("5\t1\n5.5\t2\n6.0\t3\n", timecolumn=0, time_units=pq.ms)
    assert (rec.signals[0].rate, rec.signals[0].t_start()) == (2000, Fraction(5, 1000))


@pytest.mark.parametrize(("last", "is_regular"), [("2.0199", True), ("2.0401", False)])
def test_equally_spaced_within_one_percent_of_a_step(opened, last, is_regular):
    """The middle time lies half as far from the straight line as the last one moves."""
    rec = opened(f"0\t1\n1\t2\n{last}\t3\n", timecolumn=0)
    assert bool(rec.signals) is is_regular


def test_irregular_times(opened):
    times, values = synth.irregular_times(50), synth.numbers(50, 2)
    data = synth.table(synth.with_times(times, values, 1))
    rec = opened(data, timecolumn=1, time_units="ms", units="pA")
    (table,) = rec.tables
    assert (table.kind, table.length, table.is_sorted, table.name) == (
        "samples",
        50,
        True,
        "multichannel",
    )
    assert table.clock == 1000
    assert table.channels.names == ("Column 0", "Column 2")
    assert table.channels.units == ("pA", "pA")
    found = rec.read_table(0)
    np.testing.assert_array_equal(found["tick"], times)
    np.testing.assert_array_equal(found["value"], values)
    part = rec.read_table(0, 10, 20, ["value", "tick"])
    np.testing.assert_array_equal(part["tick"], times[10:20])
    np.testing.assert_array_equal(part["value"], values[10:20])
    assert rec.segments[0].t_start == times[0] / 1000
    assert rec.segments[0].t_stop == times[-1] / 1000


@pytest.mark.parametrize(
    ("times", "is_sorted"), [([0, 2, 1], False), ([3, 2, 1], False), ([1, 1, 1], True), ([5], True)]
)
def test_other_irregular_times(opened, times, is_sorted):
    rec = opened("".join(f"{time}\t0\n" for time in times), timecolumn=0)
    assert rec.tables[0].is_sorted is is_sorted
    assert rec.read_table(0)["tick"].tolist() == times
    assert (rec.segments[0].t_start, rec.segments[0].t_stop) == (min(times), max(times))


def test_regular_decides_beforehand(opened):
    assert opened("0\t1\n1\t2\n", timecolumn=0, regular=False).tables[0].length == 2
    signal = opened("3\t1\n", timecolumn=0, regular=True, sampling_rate=50).signals[0]
    assert (signal.rate, signal.t_start(), signal.length) == (50, 3, 1)
    with pytest.raises(CorruptError, match="not equally spaced"):
        opened("0\t1\n1\t2\n5\t3\n", timecolumn=0, regular=True)


def test_units_per_column(opened):
    rec = opened("0\t1\t2\n1\t2\t3\n", timecolumn=0, units=["s", "mV", "pA"])
    assert rec.signals[0].channels.units == ("mV", "pA")
    rec = opened("0\t1\t2\n1\t2\t3\n", timecolumn=0, units=["mV", "pA"])
    assert rec.signals[0].channels.units == ("mV", "pA")
    with pytest.raises(ValueError, match="1 are given for 2 signals"):
        opened("0\t1\t2\n1\t2\t3\n", timecolumn=0, units=["mV"])


# Lines that are no rows


def test_empty_lines_and_comments_are_left_out(opened):
    data = "# a 1 2\n\n  \n1\t2\n\n# b\n3\t4 # c\n  # d\n\r\n5\t6\n\n"
    rec = opened(data)
    np.testing.assert_array_equal(values_of(rec), [[1, 2], [3, 4], [5, 6]])
    assert rec.problems == ()


def test_comments_are_not_skipped_twice(opened):
    np.testing.assert_array_equal(
        values_of(opened("# a\n1\t2\n3\t4\n", skiprows=1)), [[1, 2], [3, 4]]
    )
    np.testing.assert_array_equal(values_of(opened("# a\n1\t2\n3\t4\n", skiprows=2)), [[3, 4]])


def test_a_header_that_was_not_told_is_noted(opened):
    rec = opened("time,a\n0,1\n1,2\n")
    np.testing.assert_array_equal(values_of(rec), [[0, 1], [1, 2]])
    (problem,) = rec.problems
    assert problem.field == "line 1"
    assert "'time,a' holds no number and is taken for a header (skiprows=1 skips it)" in str(
        problem
    )


def test_many_lines_are_skipped(opened):
    header = "9\t9\t9\n" * 100_000  # longer than one piece
    assert values_of(opened(header + "1\t2\n3\t4\n", skiprows=100_000)).tolist() == [[1, 2], [3, 4]]


def test_a_cut_last_line_is_left_out(opened):
    rec = opened("1\t2\n3\t4\n5")
    np.testing.assert_array_equal(values_of(rec), [[1, 2], [3, 4]])
    (problem,) = rec.problems
    assert (problem.field, problem.offset, problem.lost) == ("line 3", 8, 1)


def test_decimal_commas_that_were_not_told_are_noted(opened):
    rec = opened("0,5;1\n2;3,5\n")
    np.testing.assert_array_equal(values_of(rec), [[0.5, 1], [2, 3.5]])
    assert "decimal commas" in rec.problems[0].reason


# Bad input


def test_ragged_rows_name_the_line(opened):
    with pytest.raises(CorruptError, match=r"line 4\): 3 cells, the first row has 2") as caught:
        opened("# x\n1\t2\n3\t4\n5\t6\t7\n8\n9\t10\n")
    assert caught.value.offset == 12


@pytest.mark.parametrize("delimiter", ["\t", " ", ","])
def test_ragged_rows_of_equal_sum_are_found(opened, delimiter):
    """One cell more in one row and one fewer in the next."""
    data = "1\t2\t3\n4\t5\t6\t7\n8\t9\n".replace("\t", delimiter)
    with pytest.raises(CorruptError, match="line 2"):
        opened(data, delimiter=delimiter)


def test_ragged_rows_are_filled_up_where_damage_is_salvaged(opened):
    rec = opened("1\t2\n3\n5\t6\t7\n", salvage=True)
    np.testing.assert_array_equal(values_of(rec), [[1, 2], [3, np.nan], [5, 6]])
    assert rec.problems[0].lost == 2


def test_text_in_cells_is_nan_with_a_note(opened):
    data = "1\t2\nON\t\n3\t4\n5\tn/a\n"
    rec = opened(data)
    expected = [[1, 2], [np.nan, np.nan], [3, 4], [5, np.nan]]
    np.testing.assert_array_equal(values_of(rec), expected)
    (problem,) = rec.problems
    assert "3 cells hold no number" in problem.reason
    assert "line 2, column 0: 'ON'" in problem.reason
    with pytest.raises(CorruptError, match=r"line 2\): column 0: 'ON' is not a number"):
        opened(data, strict=True)


def test_text_in_columns_that_are_not_read_does_not_matter(opened):
    rec = opened("1\tON\t2\n3\tOFF\t4\n", usecols=[0, 2], strict=True)
    np.testing.assert_array_equal(values_of(rec), [[1, 2], [3, 4]])
    assert rec.problems == ()


@pytest.mark.parametrize("cell", ["1.2.3", "1-2", "--1", "1_0", "1 2"])
def test_malformed_numbers_are_found_when_they_are_read(opened, caplog, cell):
    data = f"1\t2\n{cell}\t3\n"
    rec = opened(data, delimiter="\t")
    with caplog.at_level(logging.WARNING, "ephyrus"):
        np.testing.assert_array_equal(values_of(rec), [[1, 2], [np.nan, 3]])
    told = [*map(str, rec.problems), caplog.text]
    assert any(f"line 2, column 0: {cell!r}" in text for text in told)
    with pytest.raises(CorruptError, match="line 2"):
        values_of(opened(data, delimiter="\t", strict=True))


def test_blank_cells_are_found_when_they_are_read(opened, caplog):
    rec = opened("1\t2\t3\n4\t \t6\n")
    with caplog.at_level(logging.WARNING, "ephyrus"):
        np.testing.assert_array_equal(values_of(rec), [[1, 2, 3], [4, np.nan, 6]])
    assert "line 2, column 1: ' '" in caplog.text


def test_empty_cells_at_every_place(opened):
    rec = opened("1\t2\t3\n\t5\t6\n7\t\t9\n10\t11\t\n\t\t\n")
    nan = np.nan
    expected = [[1, 2, 3], [nan, 5, 6], [7, nan, 9], [10, 11, nan], [nan, nan, nan]]
    np.testing.assert_array_equal(values_of(rec), expected)
    assert "6 cells" in rec.problems[0].reason


@pytest.mark.parametrize("cell", ["x", "", "nan", "inf"])
@pytest.mark.parametrize("row", [0, 1, 2])
def test_a_time_column_needs_times(opened, cell, row):
    lines = ["0\t1", "1\t2", "2\t3"]
    lines[row] = f"{cell}\t9"
    data = "\n".join(["#", *lines]) + "\n"
    with pytest.raises(CorruptError, match=rf"line {row + 2}\).*in the time column is not a time"):
        opened(data, timecolumn=0)
    if row:
        rec = opened(data, timecolumn=0, salvage=True)
        length = rec.signals[0].length if rec.signals else rec.tables[0].length
        assert length == row
        assert rec.problems[-1].lost == 3 - row


def test_a_value_behind_trailing_delimiters(opened):
    with pytest.raises(CorruptError, match=r"line 3\): a value stands behind the delimiter"):
        opened("1\t2\t\n3\t4\t\n5\t6\t7\n")


@pytest.mark.parametrize(
    ("data", "options", "message"),
    [
        ("", {}, "the file is empty"),
        ("\n\n", {}, "empty lines only"),
        ("# only\n", {}, "no line with a number"),
        ("a\tb\n", {}, "no line with a number"),
        ("1\t2\n", {"skiprows": 1}, "no line with a number"),
        ("1\t2\n", {"skiprows": 2}, "skiprows skips the whole file"),
        ("1\t2\n", {"usecols": [2]}, r"usecols=\[2\]: there are 2 columns"),
        ("1\t2\n", {"usecols": ["a"]}, "there are 2 columns"),
        ("1\t2\n", {"timecolumn": 2}, "timecolumn=2: there are 2 columns"),
        ("1\n", {"timecolumn": 0}, "leaves no column for a signal"),
        ("1e300\t2\n2e300\t3\n", {"timecolumn": 0}, "a time of 2e"),
    ],
)
def test_files_that_cannot_be_read_so(opened, data, options, message):
    with pytest.raises(FormatError, match=message) as caught:
        opened(data, **options)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "pandas"}, "method='pandas'"),
        ({"skiprows": -1}, "skiprows=-1"),
        ({"usecols": []}, "usecols"),
        ({"delimiter": "ab"}, "delimiter='ab'"),
        ({"delimiter": "5"}, "delimiter='5'"),
        ({"delimiter": ",", "decimal": ","}, "both delimiter and decimal mark"),
        ({"decimal": "'"}, "decimal"),
        ({"time_units": "mV"}, "time_units='mV'"),
        ({"sampling_rate": -1}, "above 0"),
    ],
)
def test_bad_arguments(opened, options, message):
    with pytest.raises(ValueError, match=message):
        opened("1\t2\n", **options)


def test_utf16_is_refused(opened):
    with pytest.raises(WrongFormatError, match="UTF-16"):
        opened("1\t2\n".encode("utf-16"))


def test_a_line_without_end_is_refused(opened, monkeypatch):
    monkeypatch.setattr(walk, "LINE_LIMIT", 2**20)
    with pytest.raises(CorruptError, match="a line of more than"):
        opened(b"1 " * 2**21)


# Sidecars and callables


def test_sidecar_wins(opened):
    about = {
        "filename": "x.txt",
        "delimiter": ";",
        "timecolumn": None,
        "units": "mV",
        "time_units": "s",
        "sampling_rate": {"value": 2.5, "units": "kHz"},
        "t_start": {"value": 300, "units": "ms"},
        "usecols": [1, 0],
        "skiprows": 1,
        "method": "genfromtxt",
        "signal_group_mode": "all-in-one",
    }
    rec = opened("9;9\n1;2\n3;4\n", about=about, units="pA", delimiter="\t")
    np.testing.assert_array_equal(values_of(rec), [[2, 1], [4, 3]])
    signal = rec.signals[0]
    assert (signal.rate, float(signal.t_start())) == (2500, 0.3)
    assert signal.channels.units == ("mV", "mV")
    assert rec.reading.header.signal_group_mode == "all-in-one"
    assert rec.problems == ()


@pytest.mark.parametrize("as_path", [False, True])
def test_named_sidecar(tmp_path, opened, as_path):
    folder = tmp_path / "elsewhere" if as_path else tmp_path
    folder.mkdir(exist_ok=True)
    (folder / "meta.json").write_text('{"units": "nA"}', encoding="utf-8")
    name = str(folder / "meta.json") if as_path else "meta.json"
    rec = opened("1\t2\n", metadata_filename=name, about={"units": "mV"})
    assert rec.signals[0].channels.units == ("nA", "nA")


def test_a_named_sidecar_must_be_there(opened):
    with pytest.raises(FileNotFoundError, match="no_such_sidecar"):
        opened("1\t2\n", metadata_filename="no_such_sidecar.json")


def test_unknown_keys_are_noted(opened):
    assert "'colour'" in opened("1\t2\n", about={"colour": 1}).problems[0].reason


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ("{", "this is not JSON"),
        ("[" * 100_000, "this is not JSON"),
        ("[1]", "expected a JSON object"),
        ({"sampling_rate": {"value": 1, "units": "mV"}}, "sampling_rate"),
        ({"sampling_rate": {"value": 1}}, "sampling_rate"),
        ({"sampling_rate": [1]}, "sampling_rate"),
        ({"t_start": {"value": "x", "units": "s"}}, "t_start"),
        ({"skiprows": "x"}, "skiprows"),
        ({"timecolumn": 1.5}, "timecolumn"),
        ({"usecols": 3}, "usecols"),
    ],
)
def test_bad_sidecars(opened, about, message):
    with pytest.raises(CorruptError, match=message) as caught:
        opened("1\t2\n", about=about)
    assert caught.value.path.endswith("x_about.json")


def test_callable_method(opened, tmp_path):
    seen = []

    def method(filename, usecols):
        seen.append((filename, usecols))
        return np.array([[0.0, 1, 2], [0.5, 3, 4], [1.0, 5, 6]])

    rec = opened("whatever", method=method, usecols=[0, 1, 2], timecolumn=0)
    assert seen == [(str(tmp_path / "x.txt"), [0, 1, 2])]
    np.testing.assert_array_equal(values_of(rec), [[1, 2], [3, 4], [5, 6]])
    np.testing.assert_array_equal(rec.read_signal(0, 1, 3, [1]), [[4], [6]])
    assert rec.signals[0].rate == 2
    with pytest.raises(ValueError, match="array of shape"):
        opened("x", method=lambda *_: np.zeros(3))
    with pytest.raises(CorruptError, match="row 1: nan"):
        opened("x", method=lambda *_: np.array([[0, 1], [np.nan, 1]]), timecolumn=0)


def test_old_style_options():
    found = asciisignal.read_options({"delimiter": ","}, {"unit": "mV", "timecolumn": 0})
    assert found == {"delimiter": ",", "units": "mV", "timecolumn": 0}


# Large files, ranges


@pytest.fixture
def long_table(opened):
    values = synth.numbers(60_000, 4)
    data = bytearray(synth.table(values))
    middle = data.index(b"\n", len(data) // 2) + 1
    data[middle:middle] = b"\n# comment in the middle\n\n"
    return opened(bytes(data)), values


def test_ranges_of_a_long_table(long_table):
    rec, values = long_table
    assert len(rec.reading.index.table.pieces) > 5
    np.testing.assert_array_equal(values_of(rec), values)
    starts = rec.reading.index.table.pieces["row"].tolist()
    for edge in starts:
        for start, stop in ((edge - 2, edge + 3), (edge, edge), (edge, edge + 1)):
            start, stop = max(start, 0), min(max(stop, 0), len(values))
            found = rec.read_signal(0, start, stop, [2, 0])
            np.testing.assert_array_equal(found, values[start:stop][:, [2, 0]])


def test_a_range_reads_only_its_surroundings(long_table):
    rec, values = long_table
    main = rec.reading.files.main
    before = main.bytes_read
    np.testing.assert_array_equal(rec.read_signal(0, 30_000, 30_010), values[30_000:30_010])
    assert main.bytes_read - before <= 2 * walk.PIECE


def test_line_numbers_far_down(opened):
    values = synth.numbers(30_000, 2)
    data = synth.table(values, header=["# a", ""]) + b"\n1\t1.2.3\n" + synth.table(values)
    with pytest.raises(CorruptError, match="line 30004"):
        values_of(opened(data, strict=True))
    with pytest.raises(CorruptError, match="line 30004"):
        opened(data.replace(b"\t1.2.3", b""))


def test_progress_is_told(tmp_path):
    data = synth.table(synth.with_times(np.arange(20_000) / 100, synth.numbers(20_000, 2)))
    path = tmp_path / "x.txt"
    path.write_bytes(data)
    seen = []
    progress = CallbackProgress(lambda done, total: seen.append((done, total)))
    open_recording(path, format="asciisignal", timecolumn=0, progress=progress).close()
    assert (len(data), len(data)) in seen
    assert seen[-1] == (20_000, 20_000)


# Sniffing


@pytest.mark.parametrize(
    ("name", "data", "format_name"),
    [
        ("x.txt", "1\t2\n3\t4\n", "asciisignal"),
        ("x.txt", "1\n2\n3\n", "asciisignal"),
        ("x.txt", "1\t2\t3\n", "asciisignal"),
        ("x.csv", "a,b\n1,2\n3,4\n", "asciisignal"),
        ("x.csv", "1,5;2,5\n3;4\n", "asciisignal"),
        ("x.csv", '"1","2"\n"3","4"\n', "asciisignal"),
        ("x.dat", "1 2\n3 4\n", "asciisignal"),
        ("x.txt", "1\t2\n3\t4\t5\n", "asciispiketrain"),
        ("x.txt", "0.1\t0.2\t\n\n0.3\t", "asciispiketrain"),
        ("x.csv", "1,2\n3,4,5\n", "asciisignal"),
    ],
)
def test_identified(name, data, format_name):
    files = FileSet(name, memory={name: data.encode()})
    assert identify(files)[0].format.name == format_name


@pytest.mark.parametrize(
    "head", [b"", b"ATF\t1.0\n1\t2\n", b"hello world\n", b"1\t2\n\0\0", b"\xff\xfe1\t", b"a\n1\n"]
)
def test_not_claimed(head):
    assert asciisignal.sniff(FileSet("x.txt", memory={"x.txt": head}), head) == 0


def test_a_cut_last_line_of_the_head_does_not_matter():
    data = synth.table(synth.numbers(2000, 3))
    head = data[: 16 * 1024]
    assert asciisignal.sniff(FileSet("x.txt", memory={"x.txt": data}), head) == 0.5


# Laws

CELLS = st.one_of(
    st.floats(allow_nan=False).map(repr), st.sampled_from(["", "x", "nan", "1e5", "-.5", "1.2.3"])
)


@settings(deadline=None, max_examples=200)
@given(
    st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(CELLS, min_size=n, max_size=n), min_size=1)
    ),
    st.sampled_from(["\n", "\r\n"]),
)
def test_fast_and_slow_parsers_agree(table, newline):
    data = "".join(",".join(row) + newline for row in table).encode()
    layout = Layout(b",")
    width = len(table[0])
    rows = Rows(data, layout)
    expected = [
        [float(cell) if cell and cell not in ("x", "1.2.3") else np.nan for cell in row]
        for row in table
        if width > 1 or row[0]
    ]
    assert len(rows) == len(expected)
    if expected:
        assert rows.field_counts(width) is None
        found, bad = parsed(data, layout, range(width), count=len(expected))
        np.testing.assert_array_equal(found, expected)
        bad_cells = sum(cell in ("", "x", "1.2.3") for row in table for cell in row)
        assert bad.count == (bad_cells if width > 1 else bad_cells - len(table) + len(expected))


def test_delimiter_names():
    assert [named_delimiter(name) for name in ("tab", "space", "comma", "semicolon", "   ")] == [
        b"\t",
        b" ",
        b",",
        b";",
        b" ",
    ]
