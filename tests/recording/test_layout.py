"""Structured layouts: stored entry sizes, checked counts, texts of unknown encoding."""

import numpy as np
import pytest

from ephyrus.errors import CorruptError, TruncatedError
from ephyrus.recording import layout
from ephyrus.recording.files import MemorySource

DTYPE = np.dtype([("a", "<i2"), ("b", "<u4")])
ROWS = np.array([(1, 10), (-2, 20), (3, 30)], DTYPE)
SOURCE = MemorySource("file.x", b"head" + ROWS.tobytes())


def test_read_struct():
    record = layout.read_struct(SOURCE, 10, DTYPE, "row")
    assert (record["a"], record["b"]) == (-2, 20)
    with pytest.raises(TruncatedError, match=r"file\.x: byte 20 \(row\): 6 bytes are needed"):
        layout.read_struct(SOURCE, 20, DTYPE, "row")


def test_entries_as_we_know_them():
    found = layout.read_entries(SOURCE, 4, DTYPE, 3, "rows")
    np.testing.assert_array_equal(found, ROWS)
    assert found.dtype == DTYPE


@pytest.mark.parametrize("stored", [2, 4, 5, 9, 20])
def test_entries_stored_shorter_or_longer(stored):
    entries = [row.tobytes()[:stored].ljust(stored, b"\xee") for row in ROWS]
    source = MemorySource("x", b"".join(entries))
    found = layout.read_entries(source, 0, DTYPE, 3, "rows", entry_bytes=stored)
    expected = [row.tobytes()[:stored].ljust(DTYPE.itemsize, b"\0") for row in ROWS]
    assert found.tobytes() == b"".join(expected)


def test_no_entries():
    assert layout.read_entries(SOURCE, 4, DTYPE, 0, "rows").shape == (0,)
    assert layout.read_entries(SOURCE, 4, DTYPE, 0, "rows", entry_bytes=0).shape == (0,)


def test_entries_that_cannot_be():
    with pytest.raises(CorruptError, match=r"byte 4 \(rows\): entries of 0 bytes"):
        layout.read_entries(SOURCE, 4, DTYPE, 2, "rows", entry_bytes=0)
    with pytest.raises(CorruptError, match="entries of -3 bytes"):
        layout.read_entries(SOURCE, 4, DTYPE, 2, "rows", entry_bytes=-3)
    with pytest.raises(CorruptError, match="a count of -1"):
        layout.read_entries(SOURCE, 4, DTYPE, -1, "rows")
    text = "4 items of 6 bytes are promised, 18 bytes are left in the file"
    with pytest.raises(TruncatedError, match=text):
        layout.read_entries(SOURCE, 4, DTYPE, 4, "rows")


def test_checked_count():
    assert layout.checked_count(SOURCE, np.uint32(3), 6, 4, "rows") == 3
    assert layout.checked_count(SOURCE, 0, 6, 22, "rows") == 0
    for count, offset in ((1, 22), (0, 23), (0, -1), (2**62, 0)):
        with pytest.raises(TruncatedError, match="are left in the file"):
            layout.checked_count(SOURCE, count, 6, offset, "rows")


@pytest.mark.parametrize("value", [0, -1.5, float("nan"), float("inf")])
def test_positive(value):
    assert layout.positive(SOURCE, np.float32(2.5), "rate") == 2.5
    with pytest.raises(CorruptError, match=r"\(rate\): found .*, expected a number above 0"):
        layout.positive(SOURCE, value, "rate", offset=3)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"  name \0rubbish\xff", "name"),
        (b"\xb5V", "µV"),
        (b"\x80", "€"),
        (b"bad\x81", "bad\x81"),
        (b"", ""),
        (np.bytes_(b"abc"), "abc"),
    ],
)
def test_fixed_text(raw, expected):
    assert layout.fixed_text(raw) == expected


@pytest.mark.parametrize(
    ("raw", "encoding", "expected"),
    [
        ("µV".encode(), None, "µV"),
        ("µV".encode("utf-8-sig"), None, "µV"),
        ("µV".encode("cp1252"), None, "µV"),
        (b"\x81\xff", None, "\x81ÿ"),
        ("µ".encode("utf-16"), "utf-16", "µ"),
        ("ж".encode("cp1251"), "cp1251", "ж"),
        (b"\xb5", "utf-8", "µ"),
        (b"abc", "no such encoding", "abc"),
        (b"abc", "hex", "abc"),
        (b"abc", "undefined", "abc"),
        (b"abc", "nul\0", "abc"),
        (b"abc", "", "abc"),
    ],
)
def test_decode(raw, encoding, expected):
    assert layout.decode(raw, encoding) == expected


def test_read_text(monkeypatch):
    source = MemorySource("x.txt", "µV\r\n".encode("cp1252"))
    assert layout.read_text(source, "header") == "µV\r\n"
    monkeypatch.setattr(layout, "HEADER_BYTES", 3)
    with pytest.raises(CorruptError, match=r"a text header of 4 bytes \(at most 3 are read\)"):
        layout.read_text(source, "header")


def test_corrupt():
    with pytest.raises(CorruptError, match=r"^file\.x: byte 7 \(version\): found 9$"):
        layout.corrupt(SOURCE, "found 9", offset=7, field="version")
