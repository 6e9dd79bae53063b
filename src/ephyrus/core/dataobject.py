"""The base of all objects that hold data: an array in physical units with annotations."""

from __future__ import annotations

import copy as copy_module
import math
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray
from quantities.dimensionality import Dimensionality

from ephyrus.core._arraydict import (
    ArrayDict,
    index_arrays,
    join_array_annotations,
    normalize_array_annotations,
)
from ephyrus.core._unitarray import UnitArray, converted
from ephyrus.core.baseneo import (
    Annotations,
    BaseNeo,
    check_annotations,
    copy_annotations,
    merge_annotations,
)
from ephyrus.core.lazy import MAX_CHUNK_BYTES, PointSource, chunk_bounds
from ephyrus.core.units import UnitInfo, as_unit

__all__ = ["ArrayDict", "DataObject"]

# Values of these types are shared between copies; a Dimensionality is never changed in place.
_SHARED = frozenset({str, int, float, bool, bytes, type(None), UnitInfo, Dimensionality})


class DataObject(BaseNeo, UnitArray):
    """Base of signals, spike trains, events, epochs and image sequences.

    Everything is done by ``__new__`` of the classes; ``__init__`` does nothing, so that making
    an object costs one pass. Slices, copies and readers use ``_create`` and ``_like``, which
    check nothing.

    Attributes
    ----------
    array_annotations : ArrayDict
        One array per name, with one value per channel (signals) or per item.
    segment : Segment or None
        The segment that holds the object.
    lazy_shape : tuple of int or None
        True shape of a lazy object; None for objects in memory.
    """

    _parent_objects: ClassVar[tuple[str, ...]] = ("Segment",)
    _parent_attrs: ClassVar[tuple[str, ...]] = ("segment",)
    _quantity_attr: ClassVar[str] = ""

    # Defaults of every array that numpy makes of one of these classes by itself.
    name = None
    description = None
    file_origin = None
    segment: Any = None
    lazy_shape: tuple[int, ...] | None = None
    _source: Any = None
    _annotations: Annotations | None = None
    _array_annotations: dict[str, Any] | None = None
    # Left by a child list (see `objectlist.Marker`); never part of a deep copy or a pickle.
    _marker: Any = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: ``__new__`` has made the object complete."""

    # --- making ---------------------------------------------------------------------------

    def _set_common(
        self,
        name: str | None,
        description: str | None,
        file_origin: str | None,
        annotations: Annotations | None,
        array_annotations: dict[str, Any] | None,
        source: Any = None,
    ) -> None:
        """Set what all data objects have, taking the dicts as they are."""
        self.name = name
        self.description = description
        self.file_origin = file_origin
        if annotations:
            self._annotations = annotations
        if array_annotations is not None:
            self._array_annotations = array_annotations
        if source is not None:
            self._source = source

    def _set_checked(
        self,
        name: str | None,
        description: str | None,
        file_origin: str | None,
        annotations: Annotations,
        array_annotations: dict[str, Any] | None,
    ) -> None:
        """Set what all data objects have, checking annotations (public constructors)."""
        self.name = name
        self.description = description
        self.file_origin = file_origin
        if annotations:
            check_annotations(annotations)
            self._annotations = annotations
        if array_annotations:
            length = self._annotated_length()
            self._array_annotations = normalize_array_annotations(array_annotations, length)

    def _like(self, data: NDArray[Any], unit: UnitInfo | None = None) -> Self:
        """Make an object of the same metadata around other data (same number of items).

        Attributes are shared, the dicts of annotations are copied (not their values).
        """
        new: Any = data.view(type(self))
        state = new.__dict__
        state.update(self.__dict__)
        if unit is not None:
            state["_dimensionality"] = unit.dimensionality
        self._own_annotations(state)
        return new  # type: ignore[no-any-return] # numpy types the view as an ndarray

    def _take_metadata(self, other: Self) -> None:
        state = self.__dict__
        state.update(other.__dict__)
        self._own_annotations(state)
        if other._source is not None:
            self._source, self.lazy_shape = other._source, other.lazy_shape

    @staticmethod
    def _own_annotations(state: dict[str, Any]) -> None:
        """Give a copied state dicts of its own and no source."""
        annotations = state.get("_annotations")
        if annotations is not None:
            state["_annotations"] = annotations.copy()
        arrays = state.get("_array_annotations")
        if arrays is not None:
            state["_array_annotations"] = arrays.copy()
        if state.get("_source") is not None:
            state["_source"] = None
            state["lazy_shape"] = None

    # --- units ----------------------------------------------------------------------------

    def rescale(self, units: Any = None, dtype: DTypeLike | None = None) -> Self:
        """Convert to other units.

        Parameters
        ----------
        units : str or unit
            Of the same dimension; None for the preferred units of quantities.
        dtype : dtype_like, optional
            Of the result. By default floats keep theirs and integers become float64.

        Returns
        -------
        same class
            New data, with all attributes, annotations, array annotations and the segment.
            A lazy object stays lazy.

        Raises
        ------
        ValueError
            If the dimension differs.
        """
        if units is None:
            return self.rescale_preferred()  # type: ignore[no-any-return] # calls rescale(units)
        source, target = self._unit, as_unit(units)
        values = self.view(np.ndarray)
        if source is target:
            data = values.copy() if dtype is None else values.astype(dtype)
        else:
            data = converted(values, source, target, dtype)
        new = self._like(data, target)
        if self._source is not None:
            new._source = self._converted_source(source, target)
            new.lazy_shape = self.lazy_shape
        self._rescale_more(new, source, target)
        return new

    def _converted_source(self, source: UnitInfo, target: UnitInfo) -> Any:
        """Return the source of a lazy object in another unit (times are in seconds anyway)."""
        return self._source

    def _rescale_more(self, new: Self, source: UnitInfo, target: UnitInfo) -> None:
        """Convert what depends on the unit besides the data (times: limits, durations)."""

    def astype(self, dtype: Any = None, **kwargs: Any) -> Self:
        """Return a copy in another dtype with all metadata; see `numpy.ndarray.astype`."""
        return self._like(self.view(np.ndarray).astype(dtype, **kwargs))

    # --- annotations ----------------------------------------------------------------------

    @property
    def annotations(self) -> Annotations:
        """Annotations of the object, a plain dict."""
        if self._annotations is None:
            self._annotations = {}
        return self._annotations

    @annotations.setter
    def annotations(self, annotations: Annotations) -> None:
        self._annotations = annotations

    @property
    def array_annotations(self) -> ArrayDict:
        """Annotations with one value per channel or per item.

        Those of a lazy object are read when they are first asked for.
        """
        arrays = self._array_annotations
        if type(arrays) is not ArrayDict:
            if arrays is None:
                arrays = self._read_array_annotations()
            arrays = ArrayDict.trusted(self._annotated_length(), arrays)
            self._array_annotations = arrays
        return arrays

    @array_annotations.setter
    def array_annotations(self, arrays: dict[str, Any]) -> None:
        length = self._annotated_length()
        checked = normalize_array_annotations(dict(arrays), length)
        self._array_annotations = ArrayDict.trusted(length, checked)

    def _read_array_annotations(self) -> dict[str, Any]:
        """Read the array annotations of a lazy object from its source."""
        source = self._source
        if source is None or not isinstance(source, PointSource):
            return {}
        return source.read(0, source.length).array_annotations

    def _annotated_length(self) -> int:
        """Return the number of values that an array annotation has."""
        return int(self.shape[0] if self.lazy_shape is None else self.lazy_shape[0])

    def array_annotate(self, **array_annotations: Any) -> None:
        """Add array annotations; those of the same name are replaced.

        Parameters
        ----------
        **array_annotations : array_like
            One value per channel (signals) or per item; see `ArrayDict`.

        Raises
        ------
        ValueError
            If the length or the kind of values is wrong; nothing is changed then.
        """
        self.array_annotations.update(array_annotations)

    def array_annotations_at_index(self, index: Any) -> dict[str, Any]:
        """Return the array annotations of one or some channels or items.

        Parameters
        ----------
        index : int, slice, list of int or mask

        Returns
        -------
        dict
            Single values for an int, else arrays; empty arrays stay empty.

        Raises
        ------
        IndexError
            If the index is out of range.
        """
        return index_arrays(self.array_annotations, index)

    def _indexed_arrays(self, index: Any) -> dict[str, Any] | None:
        """Return array annotations for a part of the channels or items (None if there are none)."""
        arrays = self._array_annotations
        return index_arrays(arrays, index) if arrays else None

    def _merge_array_annotations(self, *others: DataObject) -> dict[str, Any]:
        """Join the array annotations of this and other objects (see `join_array_annotations`)."""
        return join_array_annotations(
            self.array_annotations, *[other.array_annotations for other in others], stacklevel=3
        )

    def _merged_annotations(self, *others: DataObject) -> Annotations:
        """Merge the annotations of this and other objects into a new dict."""
        return merge_annotations(self.annotations, *[other.annotations for other in others])

    # --- copies ---------------------------------------------------------------------------

    def copy(self, order: Any = "C") -> Self:
        """Copy the data; attributes are shared, the dicts of annotations are copied shallowly.

        Parameters
        ----------
        order : {"C", "F", "A", "K"}, optional
            Memory layout.

        Returns
        -------
        same class
            A lazy object gives a lazy one on the same source.
        """
        new = self._like(self.view(np.ndarray).copy(order))
        new._source = self._source
        new.lazy_shape = self.lazy_shape
        return new

    def __copy__(self) -> Self:
        return self.copy()

    def __pos__(self) -> Self:
        return self.copy()

    def detached(self) -> Self:
        """Return an object on the same data that belongs to no container.

        Pickling it, unlike pickling one that has a segment, takes nothing else along.

        Returns
        -------
        same class
        """
        new = self._like(self.view(np.ndarray))
        new._source = self._source
        new.lazy_shape = self.lazy_shape
        for attribute in (*self._parent_attrs, "_marker"):
            new.__dict__.pop(attribute, None)
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._deep_like(self.view(np.ndarray).copy(), memo)

    def _deep_like(self, data: NDArray[Any], memo: dict[int, Any]) -> Self:
        """Make an object around other data with deep copies of all metadata and no parent."""
        new: Any = data.view(type(self))
        memo[id(self)] = new
        state = new.__dict__
        state.update(self.__dict__)
        for attribute in self._parent_attrs:
            state.pop(attribute, None)
        state.pop("_marker", None)
        for key, value in state.items():
            if type(value) in _SHARED or key == "_source":
                continue
            if key == "_annotations":
                state[key] = copy_annotations(value)
            elif key == "_array_annotations":
                state[key] = {name: array.copy() for name, array in value.items()}
            else:
                state[key] = _copied(value, memo)
        return new  # type: ignore[no-any-return] # numpy types the view as an ndarray

    def _independent(self) -> Self:
        """Return a deep copy (no parent)."""
        return self.__deepcopy__({})

    def __reduce__(self) -> tuple[Any, ...]:
        cls = type(self)
        state = {  # without what is None by default
            key: value
            for key, value in self.__dict__.items()
            if value is not None or not hasattr(cls, key)
        }
        del state["_dimensionality"]
        state.pop("_marker", None)
        if "_array_annotations" in state:
            state["_array_annotations"] = dict(state["_array_annotations"])
        return _rebuild, (cls, self.view(np.ndarray), self._unit), state

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return self.__reduce__()

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    # --- lazy objects ---------------------------------------------------------------------

    @property
    def proxy_for(self) -> type[DataObject]:
        """The class of the loaded object; only lazy objects have this attribute."""
        if self._source is None:
            raise AttributeError("proxy_for: the object is in memory, not lazy")
        return type(self)

    # --- pieces ---------------------------------------------------------------------------

    def chunks(self, max_bytes: int = MAX_CHUNK_BYTES) -> Iterator[Self]:
        """Go through the data in pieces of bounded size, in memory or from the source.

        Parameters
        ----------
        max_bytes : int, optional
            Largest payload of a piece (at least one item each).

        Yields
        ------
        same class
            Loaded pieces in order; of objects in memory they are views. An empty object
            gives one empty piece.

        Raises
        ------
        ValueError
            If `max_bytes` is below 1.
        """
        bounds = chunk_bounds(self._item_count(), self._item_bytes(), max_bytes)
        return (self._piece(start, stop) for start, stop in bounds)

    @property
    def true_shape(self) -> tuple[int, ...]:
        """Shape of the data, loaded or (for a lazy object) still to be loaded."""
        return self.shape if self.lazy_shape is None else self.lazy_shape

    def _item_count(self) -> int:
        """Return the true number of items along the first axis."""
        return int(self.true_shape[0])

    def _item_bytes(self) -> int:
        """Return the payload of one item in bytes."""
        return int(math.prod(self.true_shape[1:]) * self.dtype.itemsize)

    def _piece(self, start: int, stop: int) -> Self:
        """Return the items ``[start, stop)``, loaded."""
        raise NotImplementedError(f"{type(self).__name__} has no pieces")


def _copied(value: Any, memo: dict[int, Any]) -> Any:
    """Copy one attribute."""
    if isinstance(value, np.ndarray) and value.dtype.kind != "O":
        return value.copy()
    return copy_module.deepcopy(value, memo)


def _rebuild(cls: type[DataObject], data: NDArray[Any], unit: UnitInfo) -> DataObject:
    """Recreate a pickled object; its attributes follow as its state."""
    return cls._wrap(data, unit)
