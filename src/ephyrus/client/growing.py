"""An array that comes in pieces of rows, on its way to a service as a ``.npy`` file.

A short one stays in memory, a long one goes to a file, whose head is filled in when its length is
known: memory stays bounded however long the array is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ephyrus.client.calls import Upload

__all__ = ["GrowingArray", "Told", "array_upload"]

SMALL_BYTES = 2**20  # arrays up to here stay in memory until they are sent
HEAD_BYTES = 192  # of every file
PIECE_BYTES = 2**20  # that are sent at a time
MOST_WIDENED = 2**30  # bytes of texts in the width of the longest

Told: TypeAlias = Callable[[int], object] | None


def _head(dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    """Write the head of a file, always of one length."""
    text = f"{{'descr': {dtype.str!r}, 'fortran_order': False, 'shape': {shape!r}, }}"
    line = text.ljust(HEAD_BYTES - 11).encode("ascii") + b"\n"
    return b"\x93NUMPY\1\0" + len(line).to_bytes(2, "little") + line


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Give values as they are sent: in C order, text as UTF-8."""
    if values.dtype.kind not in "OU":
        return np.ascontiguousarray(values)
    texts = [str(each).encode("utf-8", "replace") for each in values.ravel().tolist()]
    width = max(map(len, texts), default=1)
    return np.array(texts, f"S{max(1, width)}").reshape(values.shape)


def given_array(values: ArrayLike, name: str) -> NDArray[Any]:
    """Give what a user wants to be sent as an array.

    Raises
    ------
    ValueError
        If it holds something that is neither a number nor a text, or nothing where it is masked.
    """
    if np.ma.is_masked(values):
        raise ValueError(f"{name}: values are masked; say what is sent for them: values.filled(..)")
    found = np.asarray(values)
    objects = found.ravel().tolist() if found.dtype.kind == "O" else []
    odd = [each for each in objects if not isinstance(each, str)]
    if odd:
        raise ValueError(f"{name}: {repr(odd[0])[:60]} is neither a number nor a text")
    return found


def array_upload(values: ArrayLike, name: str, told: Told = None) -> Upload:
    """Make the upload of an array that is in memory.

    Parameters
    ----------
    values : array_like
        Numbers or text of one to three dimensions.
    name : str
        Name that the service shows.
    told : callable, optional
        Called with the number of bytes after each piece that was sent.

    Raises
    ------
    ValueError
        As `given_array`.
    """
    return _upload(_plain(given_array(values, name)), name, told)


def _upload(plain: NDArray[Any], name: str, told: Told) -> Upload:
    """Make the upload of an array that is as it is sent."""
    head = _head(plain.dtype, plain.shape)

    def pieces() -> Iterator[bytes]:
        yield head
        if told is not None:
            told(len(head))
        data = plain.reshape(-1).view(np.uint8).data if plain.size else memoryview(b"")
        for first in range(0, len(data), PIECE_BYTES):
            piece = bytes(data[first : first + PIECE_BYTES])
            yield piece
            if told is not None:
                told(len(piece))

    return Upload(name, pieces, len(head) + plain.nbytes)


class GrowingArray:
    """One array.

    Parameters
    ----------
    path : Path
        Place for its file, if it becomes long.

    Attributes
    ----------
    held : int
        Bytes of it that are in memory.
    """

    def __init__(self, path: Path) -> None:
        self.held = 0
        self._path = path
        self._pieces: list[NDArray[Any]] = []
        self._runs: list[tuple[int, np.dtype[Any]]] = []  # rows, as they lie in the file
        self._items: tuple[int, ...] = ()
        self._dtype = np.dtype("f8")
        self._file: BinaryIO | None = None

    def add(self, values: NDArray[Any]) -> None:
        """Take the next rows."""
        plain = _plain(values)
        if not self._runs:
            self._items, self._dtype = plain.shape[1:], plain.dtype
        elif plain.dtype.kind != "S":
            plain = plain.astype(self._dtype, copy=False)
        elif plain.dtype.itemsize > self._dtype.itemsize:
            self._dtype = plain.dtype
        self._runs.append((len(plain), plain.dtype))
        self._pieces.append(plain)
        self.held += plain.nbytes
        if self.held > SMALL_BYTES or self._file is not None:
            self._write_pieces()

    def _write_pieces(self) -> None:
        """Move to the file what is in memory."""
        if self._file is None:
            self._file = self._path.open("wb")
            self._file.write(bytes(HEAD_BYTES))
        for piece in self._pieces:
            self._file.write(piece.tobytes())
        self._pieces.clear()
        self.held = 0

    def remove(self) -> None:
        """Remove the file."""
        if self._file is not None:
            self._file.close()
            self._path.unlink(missing_ok=True)

    def upload(self, told: Told) -> Upload:
        """Give what is sent: all rows that have come.

        Raises
        ------
        ValueError
            If texts differ so much in length that they do not fit beside one another.
        """
        name = f"{self._path.stem}.npy"
        if self._file is None:
            values = np.concatenate([piece.astype(self._dtype) for piece in self._pieces])
            self._pieces = [values]
            return _upload(_plain(values), name, told)
        rows = sum(count for count, _ in self._runs)
        self._file.seek(0)
        self._file.write(_head(self._dtype, (rows, *self._items)))
        self._file.close()
        if any(dtype != self._dtype for _, dtype in self._runs):
            self._widen(rows)
        return Upload(name, lambda: _file_pieces(self._path, told), self._path.stat().st_size)

    def _widen(self, rows: int) -> None:
        """Give all texts of the file the width of the longest."""
        if rows * self._dtype.itemsize > MOST_WIDENED:
            raise ValueError(
                f"{rows:,} labels, one of them with {self._dtype.itemsize:,} bytes, are too much "
                "for a service, which keeps all in the width of the longest; shorten it"
            )
        widened = self._path.with_suffix(".wide")
        with self._path.open("rb") as source, widened.open("wb") as target:
            target.write(source.read(HEAD_BYTES))
            for count, dtype in self._runs:
                texts = np.frombuffer(source.read(count * dtype.itemsize), dtype)
                target.write(texts.astype(self._dtype).tobytes())
        widened.replace(self._path)


def _file_pieces(path: Path, told: Told) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece
            if told is not None:
                told(len(piece))
