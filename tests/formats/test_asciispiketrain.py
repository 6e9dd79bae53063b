"""Spike trains as text: separators, empty lines, units, order, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import quantities as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.errors import CorruptError, WrongFormatError
from ephyrus.formats import asciispiketrain
from ephyrus.formats.asciispiketrain import times as times_module
from ephyrus.recording import FileSet
from ephyrus.registry import open_recording
from tests.synth import asciispiketrain as synth


@pytest.fixture
def opened(tmp_path):
    def opening(data: bytes | str, **options):
        path = tmp_path / "spikes.txt"
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return open_recording(path, format="asciispiketrain", **options)

    return opening


def ticks(rec) -> list[list[float]]:
    return [rec.read_table(table)["tick"].tolist() for table in rec.tables]


@pytest.mark.parametrize(
    ("made", "options"),
    [
        ({}, {}),
        ({}, {"delimiter": "\t"}),
        ({"trailing": False}, {}),
        ({"delimiter": " "}, {"delimiter": " "}),
        ({"delimiter": "  ", "trailing": False}, {}),
        ({"delimiter": ","}, {"delimiter": ","}),
        ({"delimiter": ";"}, {}),
        ({"delimiter": ", "}, {}),
        ({"newline": "\r\n"}, {}),
        ({"newline": "\r"}, {}),
        ({"last_newline": False}, {}),
        ({"last_newline": False, "trailing": False}, {}),
        ({"unit": " s"}, {}),
        ({"unit": " s", "delimiter": " "}, {"delimiter": " "}),
    ],
)
def test_layouts(opened, made, options):
    times = synth.trains(5, 30)
    rec = opened(synth.text(times, **made), **options)
    assert ticks(rec) == [train.tolist() for train in times]
    assert [table.is_sorted for table in rec.tables] == [True] * 5


def test_descriptors(opened):
    rec = opened("1\t2\n\n3.5\n", unit="ms", t_start=-1)
    assert [table.length for table in rec.tables] == [2, 0, 1]
    assert [table.units[0].annotations for table in rec.tables] == [
        {"channel_index": 0},
        {"channel_index": 1},
        {"channel_index": 2},
    ]
    assert [table.unit_counts.tolist() for table in rec.tables] == [[[2]], [[]], [[1]]]
    assert [table.clock for table in rec.tables] == [1000] * 3
    assert rec.read_table(0)["unit"].tolist() == [0, 0]
    assert (rec.segments[0].t_start, rec.segments[0].t_stop) == (-1.0, 0.0035)


def test_all_trains_share_the_span_of_the_file(opened):
    rec = opened("1\t9\n2\t3\n")
    assert (rec.segments[0].t_start, rec.segments[0].t_stop) == (0.0, 9.0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\n", [[]]),
        ("\n\n", [[], []]),
        ("1", [[1]]),
        ("1\n\n", [[1], []]),
        ("\n1\n", [[], [1]]),
        ("\t1\t\n", [[1]]),
        ("1\n  ", [[1]]),
        ("1\t1e2\t.5\t+3\n", [[1, 100, 0.5, 3]]),
    ],
)
def test_lines(opened, text, expected):
    """Neo fails on an empty line, and cuts the last character of a line without newline."""
    rec = opened(text)
    assert ticks(rec) == expected


def test_an_empty_file_has_no_trains(opened):
    rec = opened("", t_start=2)
    assert rec.tables == ()
    assert (rec.segments[0].t_start, rec.segments[0].t_stop) == (2.0, 2.0)


def test_order_of_the_file_is_kept(opened):
    rec = opened("3\t1\t2\n1\t2\n2\t2\n0.5\t0.4\n")
    assert ticks(rec) == [[3, 1, 2], [1, 2], [2, 2], [0.5, 0.4]]
    assert [table.is_sorted for table in rec.tables] == [False, True, True, False]


def test_times_are_read_in_double_precision(opened):
    assert ticks(opened("0.1234567890123456\t123456789.12345678\n")) == [
        [0.1234567890123456, 123456789.12345678]
    ]


def test_units_in_the_file_are_obeyed(opened):
    rec = opened("1.5 s\t2500 ms\t3\n4000000 us\t\n")
    assert ticks(rec) == [[1.5, 2.5, 3], [4]]
    assert ticks(opened("1.5 s\t20 ms\t3\n", unit=pq.ms)) == [[1500, 20, 3]]


@pytest.mark.parametrize(
    ("text", "message", "offset"),
    [
        ("1\t2\n3\tabc\n", r"line 2, field 2\): 'abc' is not a time", 4),
        ("1\t2\n\n3\n1.2.3\n", r"line 4, field 1\): '1.2.3'", 7),
        ("s 1\n", r"line 1, field 1\): 's'", 0),
        ("1\tnan\n", r"line 1, field 2\): 'nan'", 0),
        ("1\tinf\n", r"line 1, field 2\): 'inf'", 0),
        ("1\t1_0\n", r"line 1, field 2\): '1_0'", 0),
        ("1 mV\n", r"line 1, field 2\): 'mV'", 0),
        ("1\n- 2\n", r"line 2, field 1\): '-'", 2),
    ],
)
def test_what_is_not_a_time_is_named(opened, text, message, offset):
    with pytest.raises(CorruptError, match=message) as caught:
        opened(text)
    assert isinstance(caught.value, ValueError)
    assert caught.value.offset == offset


def test_salvage_leaves_out_what_is_not_a_time(opened):
    rec = opened("1\tx\t2\n\ty\n3\n", salvage=True)
    assert ticks(rec) == [[1, 2], [], [3]]
    assert rec.problems[0].lost == 2


def test_a_spike_before_t_start(opened):
    with pytest.raises(CorruptError, match=r"t_start=2.0 s is after the first spike at 1.0 s"):
        opened("3\n1\t2\n", t_start=2 * pq.s)
    with pytest.raises(ValueError, match=r"t_start=0\.0 s"):
        opened("-1\t2\n")
    rec = opened("-1\t2\n", salvage=True)
    assert rec.segments[0].t_start == -1.0
    assert opened("1500\n", unit="ms", t_start=1.5).segments[0].t_stop == 1.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "mV"}, "unit='mV'"),
        ({"delimiter": "ab"}, "delimiter='ab'"),
        ({"delimiter": "."}, "delimiter='.'"),
        ({"delimiter": "1"}, "delimiter='1'"),
        ({"t_start": "x"}, "t_start"),
    ],
)
def test_bad_arguments(opened, options, message):
    with pytest.raises(ValueError, match=message):
        opened("1\n", **options)


def test_another_delimiter(opened):
    assert ticks(opened("1|2|\n3|\n", delimiter="|")) == [[1, 2], [3]]
    with pytest.raises(CorruptError, match="'1,5'"):
        opened("1,5;2\n", delimiter=";")


def test_utf16_is_refused(opened):
    with pytest.raises(WrongFormatError, match="UTF-16"):
        opened("1\t2\n".encode("utf-16"))


def test_old_style_options():
    found = asciispiketrain.read_options({"delimiter": " "}, {"units": "ms", "t_start": 1})
    assert found == {"delimiter": " ", "unit": "ms", "t_start": 1}


# Long files


@pytest.mark.parametrize("unit", ["", " s"])
def test_long_lines_and_many_lines(opened, monkeypatch, unit):
    monkeypatch.setattr(times_module, "PIECE", 2048)
    times = [*synth.trains(3, 2000), np.empty(0), *synth.trains(300, 2, seed=1)]
    times[1] = times[1][::-1]
    rec = opened(synth.text(times, unit=unit))
    assert len(rec.reading.index.pieces) > 50
    assert ticks(rec) == [train.tolist() for train in times]
    assert [not table.is_sorted for table in rec.tables] == [at == 1 for at in range(len(times))]
    rng = np.random.default_rng(0)
    for start in rng.integers(0, 2000, 100):
        stop = int(rng.integers(start, 2001))
        found = rec.read_table(0, int(start), stop, ["tick"])["tick"]
        np.testing.assert_array_equal(found, times[0][start:stop])


def test_order_across_pieces(opened, monkeypatch):
    """A fall between the last time of a piece and the first of the next is in a line, or not."""
    monkeypatch.setattr(times_module, "PIECE", 16)
    falling = "\t".join(f"{90 - at}.5" for at in range(40))
    rec = opened(f"{falling}\n1.5\t2.5\t3.5\t4.5\t5.5\t6.5\n1.25\t2.25\t3.25\t4.25\n")
    assert [table.is_sorted for table in rec.tables] == [False, True, True]


def test_many_empty_lines(opened, monkeypatch):
    monkeypatch.setattr(times_module, "PIECE", 4096)
    rec = opened("1\n" + "\n" * 5000 + "2\n")
    assert [table.length for table in rec.tables] == [1, *[0] * 5000, 1]


def test_endless_text_is_refused(opened):
    with pytest.raises(CorruptError, match="no times here"):
        opened(b"x" * (2 * times_module.PIECE))


def test_lines_far_down_are_numbered(opened, monkeypatch):
    monkeypatch.setattr(times_module, "PIECE", 64)
    data = "1.5\t2.5\n" * 500 + "1.5\t?\n"
    with pytest.raises(CorruptError, match=r"byte 4000 \(line 501, field 2\)"):
        opened(data)


# Sniffing


@pytest.mark.parametrize(
    ("name", "data", "confidence"),
    [
        ("x.txt", b"1\t2\n3\t4\t5\n", 0.5),
        ("x.txt", b"1 s\t2 s\t\n3 s\t\n", 0.5),
        ("x.txt", b"1\t2\t\n\n", 0.5),
        ("x.dat", b"1\t2\n3\t4\t5\n", 0.2),
        ("x.txt", b"1\t2\n3\t4\n", 0.1),
        ("x.txt", b"1\n2\n3\n", 0.1),
        ("x.txt", b"1\t2\t3\n", 0.1),
        ("x.csv", b"1\t2\n3\t4\n", 0.0),
        ("x.txt", b"", 0.0),
        ("x.txt", b"\n\n", 0.0),
        ("x.txt", b"a b\n1\n", 0.0),
        ("x.txt", b"s 1\n1\n", 0.0),
        ("x.txt", b"ATF\t1.0\n1\n", 0.0),
        ("x.txt", b"1\t2\n\0", 0.0),
    ],
)
def test_sniff(name, data, confidence):
    assert asciispiketrain.sniff(FileSet(name, memory={name: data}), data) == confidence


def test_sniff_of_a_long_file_ignores_the_cut_line():
    data = synth.text(synth.trains(100, 100))
    head = data[: 16 * 1024]
    assert asciispiketrain.sniff(FileSet("x.txt", memory={"x.txt": data}), head) == 0.5


# Laws


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.lists(st.floats(0, 1e6))),
    st.sampled_from(["\t", " ", ",", "\t "]),
    st.booleans(),
)
def test_what_is_written_is_read(times, delimiter, trailing):
    data = synth.text([np.array(train) for train in times], delimiter=delimiter, trailing=trailing)
    data = data if times else b""
    rec = _in_memory(data)
    assert ticks(rec) == times
    assert [table.is_sorted for table in rec.tables] == [sorted(each) == each for each in times]


def _in_memory(data: bytes):
    from ephyrus.recording import Recording
    from ephyrus.registry import format_module

    files = FileSet("x.txt", memory={"x.txt": data})
    return Recording(format_module("asciispiketrain"), files)
