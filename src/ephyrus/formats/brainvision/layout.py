"""Names, tables and text rules of BrainVision files, for the reader and the writer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ephyrus.errors import CorruptError
from ephyrus.recording import decode
from ephyrus.recording.plaintext import UTF8_MARK

__all__ = [
    "DATA_SUFFIXES",
    "DEFAULT_UNIT",
    "HEADER_LINE",
    "HEADER_SUFFIXES",
    "MARKER_LINE",
    "MARKER_SUFFIXES",
    "NUMBER_FORMATS",
    "Section",
    "TextFile",
    "escaped",
    "parse_text",
    "unescaped",
    "unit_text",
]

HEADER_SUFFIXES = ("vhdr", "ahdr")
MARKER_SUFFIXES = ("vmrk", "amrk")
DATA_SUFFIXES = ("eeg", "dat", "seg", "avg")

_FIRST_LINE = r"Brain ?Vision(?: Core| V-Amp)? Data(?: Exchange)? {} File,? Version ([12]\.0)"
HEADER_LINE = re.compile(_FIRST_LINE.format("Header"), re.IGNORECASE)
MARKER_LINE = re.compile(_FIRST_LINE.format("Marker"), re.IGNORECASE)

DEFAULT_UNIT = "uV"


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """A value of ``BinaryFormat``."""

    dtype: np.dtype[Any]
    is_written: bool = False


NUMBER_FORMATS: Mapping[str, NumberFormat] = {
    "IEEE_FLOAT_32": NumberFormat(np.dtype("<f4"), is_written=True),
    "INT_16": NumberFormat(np.dtype("<i2"), is_written=True),
    "INT_32": NumberFormat(np.dtype("<i4"), is_written=True),
    "UINT_16": NumberFormat(np.dtype("<u2")),  # known to BioSig
    "IEEE_FLOAT_64": NumberFormat(np.dtype("<f8")),  # written by the BBCI toolbox
}

# Sections that end the free text of [Comment]; its lines may begin with other brackets.
KNOWN_SECTIONS = {
    "common infos",
    "binary infos",
    "ascii infos",
    "channel infos",
    "channel user infos",
    "coordinates",
    "comment",
    "marker infos",
    "marker user infos",
    "user infos",
}

_CODEPAGE = re.compile(rb"^[ \t]*codepage[ \t]*=[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_ENCODINGS = {"utf-8": "utf-8", "utf8": "utf-8", "ansi": "cp1252"}
_WHOLE = re.compile(r"[+-]?[0-9]{1,15}")
_WHOLE_DIGITS = 15
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?")
_NUMBER_LENGTH = 64
# Micro signs as files have them: U+00B5, Greek mu, and both after UTF-8 was read as Latin-1.
_MICRO = re.compile("\u00c2\u00b5|\u00ce\u00bc|\u03bc")


def unescaped(text: str) -> str:
    r"""Decode the commas of a field, which are stored as ``\1``."""
    return text.replace("\\1", ",")


def escaped(text: str) -> str:
    r"""Encode a text as one field: commas as ``\1``, line ends as blanks."""
    return " ".join(text.replace("\0", "").splitlines()).replace(",", "\\1")


def unit_text(stored: str) -> str:
    """Give the text of a unit with one kind of micro sign; microvolt where it is empty."""
    return _MICRO.sub("\u00b5", stored.strip()) or DEFAULT_UNIT


def whole_number(text: str) -> int | None:
    """Read an integer, or give None where the text is not one."""
    if text.isdigit() and text.isascii() and len(text) <= _WHOLE_DIGITS:
        return int(text)  # nearly all; markers come in tens of thousands
    stripped = text.strip()
    return int(stripped) if _WHOLE.fullmatch(stripped) else None


def real_number(text: str) -> float | None:
    """Read a finite decimal number, or give None where the text is not one."""
    stripped = text.strip()
    if len(stripped) > _NUMBER_LENGTH or not _NUMBER.fullmatch(stripped):
        return None
    number = float(stripped)
    return number if np.isfinite(number) else None


@dataclass(frozen=True, slots=True)
class Section:
    """Keys of one section of a header.

    Attributes
    ----------
    path : str
        The file, for error messages.
    name : str
        Name of the section, as error messages show it.
    entries : mapping of str to (str, int)
        Value and byte offset of the line, by lower-case key.
    """

    path: str
    name: str
    entries: Mapping[str, tuple[str, int]]

    def text(self, key: str, default: str = "") -> str:
        """Give a value as text, stripped."""
        return self.entries.get(key.lower(), (default, 0))[0]

    def choice(self, key: str, allowed: tuple[str, ...], default: str = "") -> str:
        """Give a value that must be one of some upper-case words."""
        found = self.text(key).upper() or default
        if found not in allowed:
            what = f"found {self.text(key)!r}" if key.lower() in self.entries else "it is missing"
            raise self.error(key, f"{what}, expected {' or '.join(allowed)}")
        return found

    def whole(self, key: str, default: int | None = None) -> int | None:
        """Give an integer; absent and empty values give the default."""
        text = self.text(key)
        number = whole_number(text) if text else default
        if text and number is None:
            raise self.error(key, f"found {text!r}, expected a whole number")
        return number

    def error(self, key: str, reason: str) -> CorruptError:
        """Make the error for a key."""
        offset = self.entries.get(key.lower(), ("", None))[1]
        return CorruptError(self.path, reason, offset=offset, field=f"[{self.name}] {key}")


@dataclass(frozen=True, slots=True)
class TextFile:
    """A header or marker file, cut into sections.

    Attributes
    ----------
    path : str
        The file, for error messages.
    sections : mapping of str to list of (str, int)
        Lines and their byte offsets by lower-case section name; ``""`` is what comes before the
        first section. Comment lines and empty lines are left out, but for ``""`` and ``comment``.
    misfit : str or None
        The code page that the file names, where its bytes do not fit it.
    """

    path: str
    sections: Mapping[str, list[tuple[str, int]]]
    misfit: str | None

    def first_lines(self) -> list[str]:
        """Lines before the first section."""
        return [line for line, _ in self.sections[""]]

    def section(self, name: str) -> Section:
        """Give the keys of a section; of a key that occurs twice the first counts."""
        entries: dict[str, tuple[str, int]] = {}
        for line, offset in self.sections.get(name.lower(), ()):
            key, separator, value = line.partition("=")
            if separator:
                entries.setdefault(key.strip().lower(), (value.strip(), offset))
        return Section(self.path, name, entries)

    def comment(self) -> str:
        """Give the free text of the header."""
        return "\n".join(line for line, _ in self.sections.get("comment", ())).strip("\n")


def parse_text(path: str, raw: bytes) -> TextFile:
    """Cut a header or marker file into sections."""
    start = len(UTF8_MARK) if raw.startswith(UTF8_MARK) else 0
    body = raw[start:]
    text, misfit = _decoded(body)
    current = ""
    sections: dict[str, list[tuple[str, int]]] = {current: []}
    for stored, line in zip(body.split(b"\n"), text.split("\n"), strict=True):
        offset, start = start, start + len(stored) + 1
        stripped = line.strip()
        if stripped[:1] == "[" and stripped[-1:] == "]":
            name = stripped[1:-1].strip().lower()
            if current != "comment" or name in KNOWN_SECTIONS:
                current = name
                sections.setdefault(current, [])
                continue
        if current == "comment":
            sections[current].append((line.rstrip("\r"), offset))
        elif stripped and (stripped[0] != ";" or not current):
            sections[current].append((stripped, offset))
    return TextFile(path, sections, misfit)


def _decoded(body: bytes) -> tuple[str, str | None]:
    """Decode by the code page that the file names, else by what fits."""
    found = _CODEPAGE.search(body)
    claimed = found.group(1).decode("latin-1").strip() if found else ""
    encoding = _ENCODINGS.get(claimed.lower())
    if encoding is None:
        return decode(body), claimed or None
    try:
        return body.decode(encoding), None
    except UnicodeDecodeError:
        return decode(body), claimed
