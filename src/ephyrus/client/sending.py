"""The arrays of objects on their way to a service, many in one request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ephyrus.client.growing import GrowingArray

if TYPE_CHECKING:
    from ephyrus.client.calls import Upload
    from ephyrus.client.objects import RemoteObject
    from ephyrus.client.sync import Client

__all__ = ["Arrays", "quantity"]

PIECE_BYTES = 8 * 2**20
FILES_AT_ONCE = 500  # that go in one request
BYTES_AT_ONCE = 32 * 2**20

TIME_UNITS = frozenset({"s", "ms", "us"})
RATE_UNITS = frozenset({"Hz", "kHz", "MHz", "1/s"})

Column: TypeAlias = Callable[[Any], tuple[Any, str | None]]


def _symbol(value: Any) -> str:
    """Give the text of a unit."""
    return str(value.dimensionality.string)


def _known(value: Any) -> Any:
    """Give times and rates in a unit that a service has."""
    from ephyrus.core.units import is_frequency, is_time

    symbol = _symbol(value)
    if is_time(value.dimensionality):
        return value if symbol in TIME_UNITS else value.rescale("s")
    if is_frequency(value.dimensionality):
        return value if symbol in RATE_UNITS else value.rescale("Hz")
    return value


def quantity(value: Any) -> dict[str, Any]:
    """Give a number with its unit as it is sent."""
    known = _known(value)
    return {"data": float(known.magnitude), "units": _symbol(known)}


def _numbers(values: Any) -> tuple[Any, str | None]:
    return values.magnitude, _symbol(values)


def _times(piece: Any) -> tuple[Any, str | None]:
    return _numbers(_known(piece.times))


def _durations(piece: Any) -> tuple[Any, str | None]:
    return _numbers(_known(piece.durations))


def _waveforms(piece: Any) -> tuple[Any, str | None]:
    return _numbers(piece.waveforms)


def _labels(piece: Any) -> tuple[Any, str | None]:
    return np.asarray(piece.labels, object), None


COLUMNS: Mapping[str, Mapping[str, Column]] = {
    "analogsignalarray": {"signal": _numbers},
    "irsaanalogsignal": {"signal": _numbers, "times": _times},
    "spiketrain": {"times": _times, "waveforms": _waveforms},
    "eventarray": {"times": _times, "labels": _labels},
    "epocharray": {"times": _times, "durations": _durations, "labels": _labels},
}


@dataclass(slots=True)
class Arrays:
    """Arrays that wait to be sent, together.

    Attributes
    ----------
    client : Client
        How the service is reached.
    folder : Path
        Place for the files of long ones.
    section : str
        Id of the section that they go to.
    progress : object
        Told about bytes; None: nobody is.
    """

    client: Client
    folder: Path
    section: str
    progress: Any
    _owners: list[dict[str, str | None]] = field(default_factory=list)
    _arrays: list[GrowingArray] = field(default_factory=list)
    _uploads: list[Upload] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        """It is time to send."""
        size = sum(upload.size for upload in self._uploads)
        return len(self._uploads) >= FILES_AT_ONCE or size >= BYTES_AT_ONCE

    def add(self, type_name: str, held: Any) -> None:
        """Take the arrays of an object, piece by piece."""
        columns = dict(COLUMNS[type_name])
        if "waveforms" in columns and held.waveforms is None:
            del columns["waveforms"]
        told = None if self.progress is None else self.progress.advance
        units: dict[str, str | None] = {}
        made = {name: GrowingArray(self.folder / f"{len(self._owners)}-{name}") for name in columns}
        self._arrays += made.values()
        for piece in held.chunks(max_bytes=PIECE_BYTES):
            for name, column in columns.items():
                values, units[name] = column(piece)
                made[name].add(np.asarray(values))
        self._uploads += [array.upload(told) for array in made.values()]
        self._owners.append(units)

    def send(self) -> list[dict[str, Any]]:
        """Send all; gives the array fields of each object, in the order of `add`.

        Raises
        ------
        RemoteError
            If the service refuses one.
        """
        client = self.client
        found = client.run(client.flows.upload_arrays(self._uploads, self.section or None))
        ids = iter(found)
        fields = [
            {name: {"data": _id(next(ids)), "units": unit} for name, unit in units.items()}
            for units in self._owners
        ]
        self.discard()
        return fields

    def discard(self) -> None:
        """Remove what waits."""
        for array in self._arrays:
            array.remove()
        self._owners, self._arrays, self._uploads = [], [], []


def _id(found: RemoteObject) -> int | str:
    return int(found.id) if found.id.isdecimal() else found.id
