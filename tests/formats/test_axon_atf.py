"""ATF files against the synthetic writer."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from ephyrus.errors import CorruptError
from ephyrus.formats.axon import atf_table
from ephyrus.recording.clock import seconds
from ephyrus.registry import open_recording
from tests.synth.axon import atf, counts

NAMES, UNITS = ["IN 0", "Cmd"], ["pA", "mV"]


@pytest.fixture
def opened(tmp_path):
    """Give a function that writes a text and opens it; every recording is closed in the end."""
    recordings = []

    def open_text(raw, **options):
        path = tmp_path / "test.atf"
        path.write_bytes(raw if isinstance(raw, bytes) else raw.encode("cp1252"))
        recordings.append(open_recording(path, format="axon", **options))
        return recordings[-1]

    yield open_text
    for recording in recordings:
        recording.close()


def values(sweeps=3, rows=40, signals=2):
    return counts(sweeps * rows, signals).reshape(sweeps, rows, signals) / 8


def table(rows, *, titles=('"Time (s)"', '"Trace #1 (pA)"'), head=()):
    lines = ["ATF\t1.0", f"{len(head)}\t{len(titles)}", *head, "\t".join(titles), *rows]
    return "\r\n".join(lines) + "\r\n"


def starts(recording):
    (stream,) = recording.signals
    return seconds(stream.runs["tick"], stream.clock).tolist()


def reasons(recording):
    return [problem.reason for problem in recording.problems]


@pytest.mark.parametrize("separator", ["\t", ","])
@pytest.mark.parametrize("line_end", ["\r\n", "\n"])
def test_sweeps_side_by_side(opened, separator, line_end):
    data = values()
    raw = atf(
        data,
        names=NAMES,
        units=UNITS,
        starts_ms=[21.0, 221.0, 421.0],
        separator=separator,
        line_end=line_end,
        number="%.6f",
    )
    rec = opened(raw)
    (stream,) = rec.signals
    assert stream.channels.names == ("IN 0", "Cmd")
    assert stream.channels.units == ("pA", "mV")
    assert stream.rate == 10000
    assert stream.dtype == np.float64
    assert stream.runs["count"].tolist() == [40] * 3
    assert starts(rec) == [0.021, 0.221, 0.421]
    np.testing.assert_array_equal(rec.read_signal(0), data.reshape(120, 2))
    np.testing.assert_array_equal(rec.read_signal(0, 30, 90, [1]), data.reshape(120, 2)[30:90, 1:])
    assert [segment.t_stop for segment in rec.segments] == pytest.approx([0.025, 0.225, 0.425])
    assert rec.tables == ()
    assert rec.stimuli == ()
    assert not rec.problems


def test_facts(opened):
    rec = opened(atf(values(), names=NAMES, units=UNITS, extra=["SyncTimeUnits=20"]))
    facts = rec.blocks[0].annotations
    assert facts["file_comment"] == "a, comment"
    assert facts["operation_mode"] == "Episodic Stimulation"
    assert facts["atf_version"] == "1.0"
    assert facts["header"]["SyncTimeUnits"] == "20"
    assert facts["header"]["SignalsExported"] == "IN 0,Cmd"
    assert dict(rec.segments[1].annotations) == {"atf_version": "1.0", "sweep_index": 1}
    assert rec.blocks[0].rec_datetime is None


def test_sweeps_without_start_times_follow_each_other(opened):
    rec = opened(atf(values(), names=NAMES, units=UNITS))
    assert starts(rec) == [0.0, 0.004, 0.008]


def test_signals_without_exported_names(opened):
    data = values()
    rec = opened(atf(data, names=NAMES, units=UNITS, exported=False, number="%.6f"))
    assert rec.signals[0].channels.names == ("IN 0", "Cmd")
    np.testing.assert_array_equal(rec.read_signal(0), data.reshape(120, 2))


def test_sweeps_by_the_number_of_start_times(opened):
    raw = atf(
        values(), names=NAMES, units=UNITS, exported=False, signals=False, starts_ms=[0, 100, 200]
    )
    rec = opened(raw)
    assert rec.signals[0].channels.names == ("Trace #1", "Trace #1")
    assert starts(rec) == [0.0, 0.1, 0.2]


def test_columns_alone_are_signals(opened):
    data = values(1, 40, 2)
    raw = atf(data, names=NAMES, units=UNITS, exported=False, signals=False, number="%.6f")
    rec = opened(raw)
    assert len(rec.segments) == 1
    np.testing.assert_array_equal(rec.read_signal(0), data[0])


def test_columns_that_do_not_fit_the_signals(opened):
    head = ['"SignalsExported=a,b"']
    titles = ('"Time (ms)"', '"x (pA)"', '"y (mV)"', '"z"')
    rec = opened(table(["0\t1\t2\t3", "0.5\t4\t5\t6"], titles=titles, head=head))
    assert rec.signals[0].channels.names == ("x", "y", "z")
    assert rec.signals[0].channels.units == ("pA", "mV", "")
    assert rec.signals[0].rate == 2000
    assert "not a multiple of 2 signals" in reasons(rec)[0]


def test_units_that_differ_between_sweeps(opened):
    titles = ('"Time (s)"', '"a (pA)"', '"a (nA)"')
    rec = opened(table(["0\t1\t2", "1\t4\t5"], titles=titles, head=['"SignalsExported=a"']))
    assert rec.signals[0].channels.units == ("pA",)
    assert "units differ between sweeps" in reasons(rec)[0]


def test_start_times_that_are_too_few(opened):
    rec = opened(atf(values(), names=NAMES, units=UNITS, starts_ms=[21.0, 30.0]))
    assert starts(rec) == [0.0, 0.004, 0.008]
    assert "are not 3 times" in reasons(rec)[0]
    head = ['"SweepStartTimesMS=soon"']
    rec = opened(table(["0\t1", "1\t2"], head=head))
    assert "'soon' are not 1 times" in reasons(rec)[0]


@pytest.mark.parametrize(
    ("t_start", "starts_ms", "expected"),
    [(0.0, [500.0], 0.5), (0.5, [500.0], 0.5), (0.5, None, 0.5), (0.25, [500.0], 0.75)],
)
def test_time_column_may_count_from_the_sweep_or_the_file(opened, t_start, starts_ms, expected):
    data = values(1, 40, 1)
    raw = atf(data, names=["a"], units=["pA"], t_start=t_start, starts_ms=starts_ms)
    assert starts(opened(raw)) == [expected]


@pytest.mark.parametrize(
    ("interval", "form", "rate"),
    [
        (0.00005, "%.5f", Fraction(20000)),
        (0.00248, "%.5f", Fraction(10**5, 248)),
        (1 / 30000, "%.6f", Fraction(30000)),
        (1 / 30000, "%.8g", Fraction(30000)),
        (1 / 3, "%.4f", Fraction(3)),
        (2e-5, "%.1e", Fraction(50000)),
        (10.0, "%.0f", Fraction(1, 10)),
    ],
)
def test_rate_from_written_times(opened, interval, form, rate):
    raw = atf(values(1, 200, 1), names=["a"], units=["pA"], interval=interval, time_number=form)
    rec = opened(raw)
    if form == "%.1e":  # two digits only: nothing better can be told
        assert float(rec.signals[0].rate) == pytest.approx(float(rate), rel=0.02)
        return
    assert rec.signals[0].rate == rate
    assert not rec.problems


@pytest.mark.parametrize(
    ("unit", "factor"), [("s", 1), ("ms", 1000), ("us", 10**6), ("µs", 10**6), ("min", 1 / 60)]
)
def test_units_of_time(opened, unit, factor):
    rec = opened(table(["3\t1", "5\t2", "7\t3"], titles=(f'"Time ({unit})"', '"a"')))
    assert float(rec.signals[0].rate) == pytest.approx(factor / 2)
    assert starts(rec) == pytest.approx([3 / factor])
    assert not rec.problems


def test_rate_that_is_not_round(opened):
    times = ["0", "0.123456789012345678", "0.246913578024691356", "0.3703703670370370"]
    rec = opened(table([f"{time}\t1" for time in times]))
    assert float(rec.signals[0].rate) == pytest.approx(1 / 0.123456789012345678, rel=1e-14)


def test_start_times_without_a_common_clock(opened):
    titles = ('"Time (s)"', *['"a (pA)"'] * 2)
    head = ['"SignalsExported=a"', '"SweepStartTimesMS=0.123456789123,900000000000.7654"']
    rec = opened(table(["0\t1\t2", "1\t3\t4"], titles=titles, head=head))
    assert starts(rec) == pytest.approx([0.000123456789, 900000000.0007654], rel=1e-12, abs=1e-9)
    rec = opened(table(["0\t1\t2", "900000000.123\t3\t4"], titles=titles, head=head[:1]))
    assert starts(rec)[1] == pytest.approx(1800000000.246, rel=1e-12)


def test_unknown_unit_of_time(opened):
    rec = opened(table(["3\t1", "5\t2"], titles=('"Time (fortnights)"', '"a"')))
    assert rec.signals[0].rate == Fraction(1, 2)
    assert "'fortnights', which is not known; seconds are assumed" in reasons(rec)[0]


@pytest.mark.parametrize(
    ("rows", "titles", "reason"),
    [
        (["1\t2", "3\t4"], ('"a (pA)"', '"b (mV)"'), "there is no column of times"),
        (["1\t2"], ('"Time (s)"', '"b (mV)"'), "do not tell a sampling rate"),
        (["1\t2", "1\t3"], ('"Time (s)"', '"b (mV)"'), "do not tell a sampling rate"),
        (["0\t2", "5e-324\t3"], ('"Time (s)"', '"b (mV)"'), "do not tell a sampling rate"),
        (["\t2", "1\t3"], ('"Time (s)"', '"b (mV)"'), "a time is missing"),
        (["1e300\t2", "2e300\t3"], ('"Time (s)"', '"b (mV)"'), "cannot be true"),
        ([], ('"Time (s)"', '"b (mV)"'), "there are no rows"),
        ([""] * 5000, ('"Time (s)"', '"b (mV)"'), "there are no rows"),
    ],
)
def test_rate_that_is_not_known(opened, rows, titles, reason):
    rec = opened(table(rows, titles=titles))
    assert rec.signals[0].rate == 1
    assert rec.signals[0].length == len([row for row in rows if row])
    assert reason in reasons(rec)[0]


def test_table_without_times(opened):
    rec = opened(table(["1\t2", "3\t4"], titles=('"a (pA)"', '"b (mV)"')))
    np.testing.assert_array_equal(rec.read_signal(0), [[1, 2], [3, 4]])


def test_times_that_are_not_equally_spaced(opened):
    rec = opened(table(["0.0\t1", "1.0\t2", "8.0\t3", "9.0\t4"]))
    assert rec.signals[0].rate == Fraction(1, 3)
    assert "not equally spaced" in reasons(rec)[0]


def test_empty_cells_blank_lines_and_tabs_at_the_end(opened):
    rec = opened(table(["0\t1\t", "1\t", "", "2\t3\t\t", "", "   "]))
    np.testing.assert_array_equal(rec.read_signal(0), [[1.0], [np.nan], [3.0]])
    assert rec.signals[0].rate == 1


def test_numbers_in_all_forms(opened):
    rec = opened(table(["0\t1e-3", "1\t-.5", "2\t+7", "3\tnan", "4\t-inf"]))
    np.testing.assert_array_equal(rec.read_signal(0)[:, 0], [0.001, -0.5, 7.0, np.nan, -np.inf])


def test_last_line_without_an_end(opened):
    rec = opened(table(["0\t1", "1\t2"]).rstrip("\r\n"))
    np.testing.assert_array_equal(rec.read_signal(0), [[1.0], [2.0]])
    rec = opened(table(["0\t1", "1\t2"]) + "\x1a\0\0")
    np.testing.assert_array_equal(rec.read_signal(0), [[1.0], [2.0]])


def test_titles_with_commas_and_empty_ones(opened):
    titles = ('"Time (s)"', '"a, b (x) (pA)"', '""')
    rec = opened(table(["0\t1\t2", "1\t4\t5"], titles=titles))
    assert rec.signals[0].channels.names == ("a, b (x)", "ch1")
    assert rec.signals[0].channels.units == ("pA", "")


def test_titles_and_lines_without_quotes(opened):
    text = "ATF 1.0\n2 3\nComment=hello, you\nSweepStartTimesMS=0.0,50.0\n"
    text += "Time (ms)\tA (pA)\tA (pA)\n0\t1\t2\n1\t3\t4\n"
    rec = opened(text)
    assert rec.blocks[0].annotations["file_comment"] == "hello, you"
    assert starts(rec) == [0.0, 0.05]
    np.testing.assert_array_equal(rec.read_signal(0), [[1.0], [3.0], [2.0], [4.0]])


def test_byte_order_mark_and_legacy_code_page(opened):
    rec = opened(b"\xef\xbb\xbf" + table(["0\t1", "1\t2"]).encode())
    assert rec.blocks[0].annotations["atf_version"] == "1.0"
    rec = opened(table(["0\t1", "1\t2"], titles=('"Time (µs)"', '"é (µV)"')))
    assert rec.signals[0].channels.names == ("é",)
    assert rec.signals[0].channels.units == ("µV",)
    assert rec.signals[0].rate == 10**6


def test_pieces_do_not_change_the_values(opened, monkeypatch):
    data = values(2, 500, 2)
    raw = atf(data, names=NAMES, units=UNITS, number="%.6f")
    monkeypatch.setattr(atf_table, "PIECE", 70)
    np.testing.assert_array_equal(opened(raw).read_signal(0), data.reshape(1000, 2))
    monkeypatch.setattr(atf_table, "PIECE", 1)
    np.testing.assert_array_equal(opened(raw).read_signal(0), data.reshape(1000, 2))


def test_long_header_and_many_columns(opened):
    data = values(4000, 2, 1)
    starts_ms = np.arange(4000) * 5.0
    rec = opened(atf(data, names=["a"], units=["pA"], starts_ms=starts_ms, number="%.6f"))
    assert len(rec.segments) == 4000
    assert starts(rec)[-1] == pytest.approx(19.995)
    np.testing.assert_array_equal(rec.read_signal(0), data.reshape(8000, 1))


# Bad input


@pytest.mark.parametrize(
    "line", ["", "x\ty", "3", "-1\t2", "0\t0", "0\t99999999999", "99999999\t2", "1.5\t2"]
)
def test_counts_that_cannot_be_true(opened, line):
    with pytest.raises(CorruptError, match=r"second line.*expected the numbers"):
        opened(f"ATF\t1.0\r\n{line}\r\n" + '"Time (s)"\t"a"\r\n0\t1\r\n')


def test_header_that_ends_too_early(opened):
    with pytest.raises(CorruptError, match=r"head.*10 header lines are promised, 5 are there"):
        opened("ATF\t1.0\r\n7\t2\r\n" + '"Time (s)"\t"a"\r\n0\t1\r\n')
    with pytest.raises(CorruptError, match="2 header lines"):
        opened("ATF\t1.0")
    with pytest.raises(CorruptError, match="3 header lines"):
        opened("ATF\t1.0\r\n0\t2\r\n")


def test_number_of_titles(opened):
    with pytest.raises(CorruptError, match="3 column titles for 2 columns"):
        opened("ATF\t1.0\r\n0\t2\r\n" + '"Time (s)"\t"a"\t"b"\r\n0\t1\t2\r\n')


def test_only_times(opened):
    with pytest.raises(CorruptError, match="no column but the times"):
        opened(table(["0", "1"], titles=('"Time (s)"',)))


@pytest.mark.parametrize("cell", ["drug", "1.5x", "0x10", "1 2", "1_0"])
def test_cells_that_are_no_number(opened, cell):
    rows = ["0\t1", f"1\t{cell}", "2\t3"]
    text = table(rows)
    with pytest.raises(CorruptError, match="is not a number; only tables of numbers") as caught:
        opened(text)
    assert caught.value.offset == text.index(f"1\t{cell}")


def test_rows_of_other_lengths(opened):
    text = table(["0\t1", "1\t2\t3", "2"])
    with pytest.raises(CorruptError, match="a row of 3 cells, expected 2") as caught:
        opened(text)
    assert caught.value.offset == text.index("1\t2\t3")
