"""The file beside a text table that tells what its columns are: ``<name>_about.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import PurePath
from typing import Any

from ephyrus.errors import CorruptError
from ephyrus.recording import ByteSource, FileSet, Opening, Option, corrupt, read_text
from ephyrus.recording.declaration import by_keyword
from ephyrus.recording.plaintext import TIME_UNITS

__all__ = ["told_by_sidecar"]

# In Hz.
RATE_UNITS: Mapping[str, Fraction] = {
    **dict.fromkeys(("Hz", "hz", "hertz", "1/s"), Fraction(1)),
    **dict.fromkeys(("kHz", "khz", "kilohertz", "1/ms"), Fraction(10**3)),
    **dict.fromkeys(("MHz", "megahertz", "1/us"), Fraction(10**6)),
}
IGNORED = {"filename", "metadata_filename"}


def told_by_sidecar(opening: Opening, options: Sequence[Option]) -> dict[str, Any]:
    """Read what a sidecar tells, as checked options.

    Parameters
    ----------
    opening : Opening
        The recording being opened. Its option ``metadata_filename`` names the sidecar; else it is
        ``<name>_about.json`` beside the table, if that exists.
    options : sequence of Option
        The options of the format: the keys that may be told.

    Returns
    -------
    dict
        Options by name; empty without a sidecar.

    Raises
    ------
    CorruptError
        If it is not JSON, or a value cannot be what its key says.
    FileNotFoundError
        If the sidecar that was named is not there.
    """
    files, named = opening.files, opening.options["metadata_filename"]
    if named is None:
        name = f"{files.stem}_about.json"
        return _told(opening, files.source(name), options) if files.exists(name) else {}
    beside = files.find(named) if PurePath(named).name == named else None
    if beside is not None:
        return _told(opening, files.source(beside), options)
    elsewhere = FileSet(named, access=files.access)  # a path that the user gave, not the file
    try:
        return _told(opening, elsewhere.main, options)
    finally:
        elsewhere.close()


def _told(opening: Opening, source: ByteSource, options: Sequence[Option]) -> dict[str, Any]:
    """Read and check a sidecar."""
    try:
        content = json.loads(read_text(source, "sidecar"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, CorruptError):
            raise
        raise CorruptError(source.name, f"this is not JSON: {error}") from error
    if not isinstance(content, dict):
        corrupt(source, "expected a JSON object with the names of options")
    names = by_keyword(options)
    told: dict[str, Any] = {}
    for key, value in content.items():
        if value is None or key in IGNORED:
            continue
        if key in names:
            told[names[key].name] = _checked(source, names[key], value)
        else:
            opening.note(f"the key {key!r} is not known and ignored", path=source.name)
    return told


def _checked(source: ByteSource, option: Option, value: Any) -> Any:
    """Check one value of a sidecar."""
    units = {"frequency": RATE_UNITS, "time": {u: 1 / n for u, n in TIME_UNITS.items()}}
    try:
        if isinstance(value, dict) and option.kind in units:
            factor = units[option.kind][value["units"]]
            value = float(Fraction(repr(float(value["value"]))) * factor)
        if option.name == "method":
            value = str(value)  # a callable cannot be told in a file
        return option.converted(value)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        reason = f"{value!r} cannot be used: {error}"
        raise CorruptError(source.name, reason, field=option.name) from error
