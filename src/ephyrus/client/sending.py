"""The arrays of objects, as HDF5 files that are written and sent piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ephyrus.client.objects import RemoteObject

if TYPE_CHECKING:
    from ephyrus.client.sync import Client

__all__ = ["Arrays", "quantity"]

PIECE_BYTES = 8 * 2**20
CHUNK_BYTES = 2**20  # of the arrays in the files that are sent
FILES_AT_ONCE = 64  # that go in one request
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
    type_name : str
        Type of the objects that own them.
    folder : Path
        Place for the files.
    section : str
        Id of the section that the files go to.
    progress : object
        Told about bytes; None: nobody is.
    """

    client: Client
    type_name: str
    folder: Path
    section: str
    progress: Any
    _owners: list[dict[str, str | None]] = field(default_factory=list)
    _files: list[Path] = field(default_factory=list)
    _bytes: int = 0

    @property
    def is_full(self) -> bool:
        """It is time to send."""
        return len(self._files) >= FILES_AT_ONCE or self._bytes >= BYTES_AT_ONCE

    def add(self, held: Any) -> None:
        """Write the arrays of an object to files, piece by piece."""
        import h5py

        columns = dict(COLUMNS[self.type_name])
        if "waveforms" in columns and held.waveforms is None:
            del columns["waveforms"]
        units: dict[str, str | None] = {}
        paths = {name: self.folder / f"{len(self._owners)}-{name}.h5" for name in columns}
        with ExitStack() as stack:
            files = {
                name: stack.enter_context(h5py.File(path, "w")) for name, path in paths.items()
            }
            for piece in held.chunks(max_bytes=PIECE_BYTES):
                for name, column in columns.items():
                    values, units[name] = column(piece)
                    _append(files[name], np.asarray(values))
        self._owners.append(units)
        self._files += paths.values()
        self._bytes += sum(path.stat().st_size for path in paths.values())

    def send(self) -> list[dict[str, Any]]:
        """Send all files; gives the array fields of each object, in the order of `add`.

        Raises
        ------
        RemoteError
            If the service refuses one.
        """
        told = None if self.progress is None else self.progress.advance
        client = self.client
        uploads = [client.upload_value(path, told) for path in self._files]
        found: list[RemoteObject] = []
        if uploads:
            found = client.run(client.flows.upload(uploads, self.section or None, convert=False))
        ids = iter(found)
        fields = [
            {name: {"data": _id(next(ids)), "units": unit} for name, unit in units.items()}
            for units in self._owners
        ]
        for path in self._files:
            path.unlink()
        self._owners, self._files, self._bytes = [], [], 0
        return fields


def _id(found: RemoteObject) -> int | str:
    return int(found.id) if found.id.isdecimal() else found.id


def _append(file: Any, values: NDArray[Any]) -> None:
    """Append rows to the one array of a file."""
    import h5py

    first = 0
    if "array" in file:
        stored = file["array"]
        first = stored.shape[0]
        stored.resize(first + len(values), axis=0)
    else:
        dtype = h5py.string_dtype() if values.dtype.kind == "O" else values.dtype
        rows = max(1, CHUNK_BYTES // max(1, values[:1].nbytes))
        shape = values.shape
        chunks = (rows, *(max(1, extent) for extent in shape[1:]))
        stored = file.create_dataset(
            "array", shape, dtype, chunks=chunks, maxshape=(None, *shape[1:])
        )
    stored[first:] = values
