"""Reading and writing the values of a data array like those of a numpy array."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
from h5py import h5t
from numpy.typing import DTypeLike, NDArray

from ephyrus.errors import CorruptError
from ephyrus.nix import storage
from ephyrus.nix.entity import EntityWithMetadata
from ephyrus.nix.enums import DataType
from ephyrus.nix.exceptions import OutOfBounds, UninitializedEntity

__all__ = ["DataSet", "applied_polynomial"]

_WHOLE = ((), slice(None))
_PIECE = 2**22  # bytes that are read at a time where they are converted
_BLOCK = 2**15  # values worked on at a time: they stay in the cache of the processor


def applied_polynomial(
    values: NDArray[Any],
    coefficients: tuple[float, ...],
    origin: float,
    *,
    out: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Calculate ``c0 + c1 (x - origin) + c2 (x - origin)^2 + ...`` in float64.

    Without coefficients it is ``x - origin``. The result is put into `out` if that is given: an
    array of the same shape, contiguous in memory.
    """
    terms = coefficients or (0.0, 1.0)
    source = values.reshape(-1)
    result = np.empty(values.shape, np.float64) if out is None else out
    flat = result.reshape(-1)
    for start in range(0, len(source), _BLOCK):
        part = slice(start, start + _BLOCK)
        shifted = source[part].astype(np.float64)
        if origin:
            shifted -= origin
        target = flat[part]
        if len(terms) == 1:
            target.fill(terms[0])
            continue
        np.multiply(shifted, terms[-1], out=target)
        for term in terms[-2:0:-1]:
            if term:
                target += term
            target *= shifted
        if terms[0]:
            target += terms[0]
    return result


class DataSet(EntityWithMetadata):
    """An entity with values: indexing, iteration, appending and conversion to numpy."""

    _did_kept: Any = None
    _numbers: Any = None  # the data set as h5py shows it, if its values need no conversion
    _terms_kept: tuple[int, tuple[tuple[float, ...], float] | None] = (-1, None)

    @property
    def _did(self) -> Any:
        """The data set of HDF5."""
        self._store.check_open()
        if self._did_kept is None:
            did = storage.data_child(self._gid, b"data")
            if did is None:
                raise UninitializedEntity(
                    f"{self._store.path}: {self._words} {self.name!r} has no data"
                )
            self._did_kept = did
        return self._did_kept

    def _writable_did(self) -> Any:
        self._changing()
        return self._did

    # --- reading ---

    def _read_raw(self, index: Any = ()) -> NDArray[Any]:
        """Read values as they are stored; a single one as an array of one."""
        did = self._did
        if index is Ellipsis or (isinstance(index, tuple | slice) and index in _WHOLE):
            return storage.read_all(did)
        if self._numbers is None and storage.memory_dtype(did) == did.dtype:
            is_plain = did.dtype.kind in "iufcb"
            readonly = not self._store.is_writable  # then h5py keeps more from read to read
            self._numbers = h5py.Dataset(did, readonly=readonly) if is_plain else None
        try:
            if self._numbers is None:
                return read_indexed(did, index)
            return np.atleast_1d(self._numbers[index])
        except IndexError as error:
            raise self._outside(error) from error
        except CorruptError:
            raise  # it is an OSError too, and says already what is wrong
        except OSError as error:
            raise unreadable(did, error) from error

    def _outside(self, error: IndexError) -> OutOfBounds:
        """Make the error for an index outside of the data."""
        return OutOfBounds(f"{self._words} {self.name!r} of the shape {self.shape}: {error}")

    def _terms(self) -> tuple[tuple[float, ...], float] | None:
        """Give polynomial and origin, if there is something to apply."""
        return None

    def _conversion(self) -> tuple[tuple[float, ...], float] | None:
        """Give polynomial and origin; kept until something in the file is changed by us."""
        edits = self._store.edits
        if self._terms_kept[0] != edits:
            self._terms_kept = edits, self._terms()
        return self._terms_kept[1]

    def _converted(self, values: NDArray[Any]) -> NDArray[Any]:
        """Apply the polynomial, if there is one."""
        terms = self._conversion()
        return values if terms is None else applied_polynomial(values, *terms)

    def __getitem__(self, index: Any) -> NDArray[Any]:
        is_whole = index is Ellipsis or (isinstance(index, tuple | slice) and index in _WHOLE)
        if is_whole and self.shape and self._conversion() is not None:
            return self._read_converted()
        return self._converted(self._read_raw(index))

    def _read_converted(self) -> NDArray[np.float64]:
        """Read all values and apply the polynomial, piece by piece: each is in memory once."""
        terms = self._conversion() or ((), 0.0)
        did, shape = self._did, self.shape
        row = did.dtype.itemsize * math.prod(shape[1:])
        step = max(1, _PIECE // max(1, row))
        chunk = storage.chunk_of(did)
        if chunk is not None:  # pieces begin where chunks begin
            step = max(chunk[0], step // chunk[0] * chunk[0])
        result = storage.empty(did, np.dtype(np.float64))
        for start in range(0, shape[0], step):
            part = slice(start, min(start + step, shape[0]))
            applied_polynomial(storage.read_rows(did, part), *terms, out=result[part])
        return result

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for position in range(len(self)):
            yield self[position]

    def __array__(
        self,
        dtype: DTypeLike | None = None,
        copy: bool | None = None,
    ) -> NDArray[Any]:
        if copy is False:
            raise ValueError("the values lie in a file: an array of them is always a copy")
        values = self[()]
        return values if dtype is None else values.astype(dtype, copy=False)

    def read_direct(self, data: NDArray[Any]) -> None:
        """Read all values into an array of the same shape.

        Raises
        ------
        ValueError
            If the shapes differ.
        """
        if data.shape != self.shape:
            raise ValueError(f"the data have the shape {self.shape}, the array {data.shape}")
        did = self._did
        is_plain = self._terms() is None and storage.memory_dtype(did) == data.dtype
        if is_plain and data.flags.c_contiguous and data.dtype.kind in "iufc" and data.size:
            did.read(h5py.h5s.ALL, h5py.h5s.ALL, data)
        else:
            data[...] = self[()]

    # --- writing ---

    def __setitem__(self, index: Any, value: Any) -> None:
        did = self._writable_did()
        if storage.memory_dtype(did) is storage.TEXT_DTYPE:
            value = storage.text_array(value)
        try:
            h5py.Dataset(did)[index] = value
        except IndexError as error:
            raise self._outside(error) from error

    def write_direct(self, data: NDArray[Any]) -> None:
        """Write all values from an array of the same shape.

        Raises
        ------
        ValueError
            If the shapes differ.
        """
        array = self._as_stored(data)
        if array.shape != self.shape:
            raise ValueError(f"the data have the shape {self.shape}, the array {array.shape}")
        storage.write_all(self._writable_did(), array)

    def _as_stored(self, data: Any) -> NDArray[Any]:
        """Give data as an array of the type in the file."""
        stored = storage.memory_dtype(self._did)
        if stored is storage.TEXT_DTYPE:
            return storage.text_array(data)
        return np.ascontiguousarray(data, stored)

    def append(self, data: Any, axis: int = 0) -> None:
        """Add values at the end of an axis.

        Parameters
        ----------
        data : array_like
            Of the same rank, and of the same lengths on the other axes.
        axis : int
            The axis that grows.

        Raises
        ------
        ValueError
            If rank or lengths differ, or there is no such axis.
        """
        array = self._as_stored(np.asarray(data))
        shape = self.shape
        if array.ndim != len(shape):
            raise ValueError(f"data of rank {array.ndim} cannot be appended to the shape {shape}")
        if not -len(shape) <= axis < len(shape):
            raise ValueError(f"there is no axis {axis} in data of the shape {shape}")
        axis %= len(shape)
        others = tuple(length for number, length in enumerate(shape) if number != axis)
        given = tuple(length for number, length in enumerate(array.shape) if number != axis)
        if others != given:
            raise ValueError(
                f"data of the shape {array.shape} cannot be appended to the shape {shape} on axis "
                f"{axis}: the other axes differ"
            )
        grow(self._writable_did(), array, axis)

    # --- facts ---

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        found: tuple[int, ...] = self._did.shape
        return found

    @property
    def data_extent(self) -> tuple[int, ...]:
        """Length of each axis; setting it cuts the data, or adds zeros."""
        return self.shape

    @data_extent.setter
    def data_extent(self, extent: tuple[int, ...]) -> None:
        if len(extent) != len(self.shape):
            raise ValueError(f"an extent of {len(self.shape)} numbers is needed, got {extent}")
        self._writable_did().set_extent(tuple(int(each) for each in extent))

    def __len__(self) -> int:
        shape = self.shape
        return shape[0] if shape else 1

    def __bool__(self) -> bool:
        return True

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values as stored (object for text)."""
        found: np.dtype[Any] = storage.memory_dtype(self._did)
        return found

    @property
    def data_type(self) -> Any:
        """Type of the values as stored, ``DataType.String`` for text."""
        dtype = storage.memory_dtype(self._did)
        return DataType.String if dtype is storage.TEXT_DTYPE else dtype


def unreadable(did: Any, error: Exception) -> CorruptError:
    """Make the error for data that HDF5 cannot read."""
    return storage.broken(did, f"{storage.object_path(did)} cannot be read: {error}")


def read_indexed(did: Any, index: Any) -> NDArray[Any]:
    """Read a part of a data set; a single value as an array of one."""
    dataset = h5py.Dataset(did)
    try:
        if storage.memory_dtype(did) is storage.TEXT_DTYPE:
            values = np.asarray(dataset.asstr(errors="replace")[index], object)
        else:
            values = dataset[index]
    except OSError as error:
        raise unreadable(did, error) from error
    array = np.atleast_1d(np.asarray(values))
    if isinstance(did.get_type(), h5t.TypeBitfieldID):
        return array.astype(bool)
    return array


def grow(did: Any, array: NDArray[Any], axis: int = 0) -> None:
    """Enlarge a data set and write an array at the end of an axis."""
    shape = did.shape
    extent = list(shape)
    extent[axis] += array.shape[axis]
    did.set_extent(tuple(extent))
    if not array.size:
        return
    start = tuple(shape[number] if number == axis else 0 for number in range(len(shape)))
    space = did.get_space()
    space.select_hyperslab(start, array.shape)
    did.write(h5py.h5s.create_simple(array.shape), space, np.ascontiguousarray(array))
