"""Objects of a service as the documented interface shows them, and arrays as they were fetched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import RemoteError

__all__ = ["ArrayFacts", "FetchedArray", "Page", "RemoteObject", "collection"]

_METADATA = frozenset({"section", "property", "value", "document"})


def collection(type_name: str) -> str:
    """Give the path of all objects of a type.

    Examples
    --------
    >>> collection("analogsignal"), collection("section"), collection("datafile")
    ('/electrophysiology/analogsignal/', '/metadata/section/', '/datafiles/')
    """
    if type_name == "datafile":
        return "/datafiles/"
    category = "metadata" if type_name in _METADATA else "electrophysiology"
    return f"/{category}/{type_name}/"


@dataclass(frozen=True, slots=True)
class ArrayFacts:
    """What is known of an array before it is fetched.

    Attributes
    ----------
    dtype : numpy.dtype
        Type of the numbers.
    shape : tuple of int
        Shape, time or items first.
    """

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> ArrayFacts:
        """Make them of what a service tells.

        Raises
        ------
        ValueError
            If no array can be so.
        """
        dtype = np.dtype(str(told["dtype"]))
        shape = tuple(map(int, told["shape"]))
        if dtype.kind not in "biufcS" or not 1 <= len(shape) <= 3 or min(shape) < 0:
            raise ValueError(f"no array has type {dtype} and shape {shape}")
        return cls(dtype, shape)

    @property
    def nbytes_at_most(self) -> int:
        """How long an answer with all of it can be: as wider numbers, with an index for each."""
        return 2 * prod(self.shape) * max(16, self.dtype.itemsize) + 2**16


@dataclass(frozen=True, slots=True, eq=False)
class RemoteObject(Mapping[str, Any]):
    """An object of a service: a mapping of its fields.

    Attributes
    ----------
    type : str
        Type, such as ``"analogsignal"``.
    id : str
        Id on the service.
    guid : str
        Name of this version; changes with every change.
    permalink : str
        Path of the object.
    fields : mapping
        All fields as the service shows them: quantities and arrays are
        ``{"data": ..., "units": ...}``.
    partial : mapping or None
        What the service says of a range that was asked for.
    arrays : mapping of str to ArrayFacts
        Types and shapes of the arrays.
    """

    type: str
    id: str
    guid: str
    permalink: str
    fields: Mapping[str, Any]
    partial: Mapping[str, Any] | None = None
    arrays: Mapping[str, ArrayFacts] = field(default_factory=dict)

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> RemoteObject:
        """Make the object of an entry of ``selected``."""
        fields = item.get("fields") or {}
        arrays = {name: ArrayFacts.of(facts) for name, facts in (item.get("arrays") or {}).items()}
        permalink = str(item["permalink"])
        return cls(
            type=str(item["model"]).rpartition(".")[2],
            id=str(item.get("id") or permalink.rpartition("/")[2]),
            guid=str(fields.get("guid", item.get("guid", ""))),
            permalink=permalink,
            fields=fields,
            partial=item.get("partial"),
            arrays=arrays,
        )

    def __getitem__(self, name: str) -> Any:
        try:
            return self.fields[name]
        except KeyError:
            raise KeyError(
                f"a {self.type} has no field {name!r}; it has: {', '.join(self.fields)}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def link(self, name: str) -> str | None:
        """Give the link to an array, or None where there is no array."""
        value = self[name]
        if not isinstance(value, Mapping) or "data" not in value:
            raise KeyError(f"{name!r} of a {self.type} is no array")
        link = value["data"]
        return None if link is None else str(link)

    def facts(self, name: str, *dimensions: int) -> ArrayFacts:
        """Give type and shape of an array.

        Parameters
        ----------
        name : str
            The array.
        *dimensions : int
            How many dimensions it may have; none given: any number.

        Raises
        ------
        RemoteError
            If the service does not tell, or it has another number of dimensions.
        """
        known = self.arrays.get(name)
        if known is None or (dimensions and len(known.shape) not in dimensions):
            shape = "" if known is None else f" of shape {known.shape}"
            raise RemoteError(self.permalink, f"it has no {name}{shape} that can be read")
        return known

    def children(self, type_name: str) -> list[str]:
        """Give the permalinks of the children of a type."""
        return list(self.fields.get(f"{type_name}_set") or ())

    def __repr__(self) -> str:
        name = self.fields.get("name")
        return f"<{self.type} {self.id}{f' {name!r}' if name else ''}: {', '.join(self.fields)}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(name)}</th><td>{escape(_shown(value))}</td></tr>"
            for name, value in self.fields.items()
        )
        return f"<b>{escape(self.type)} {escape(self.id)}</b><table>{rows}</table>"


def _shown(value: Any) -> str:
    """Word a field for a table."""
    if isinstance(value, Mapping) and set(value) == {"data", "units"}:
        return "" if value["data"] is None else f"{value['data']} {value['units'] or ''}".strip()
    if isinstance(value, list):
        more = f" and {len(value) - 3} more" if len(value) > 3 else ""
        return ", ".join(map(str, value[:3])) + more
    return "" if value is None else str(value)


@dataclass(frozen=True, slots=True)
class Page(Sequence[RemoteObject]):
    """Some of the objects that a request selects.

    Attributes
    ----------
    objects : tuple of RemoteObject
        The objects.
    first : int
        Position of the first one among all that are selected.
    total : int or None
        How many are selected in all, where the service says so.
    next : str or None
        Link to the next page.
    """

    objects: tuple[RemoteObject, ...]
    first: int = 0
    total: int | None = None
    next: str | None = None

    def __getitem__(self, key: Any) -> Any:
        return self.objects[key]

    def __len__(self) -> int:
        return len(self.objects)


@dataclass(frozen=True, slots=True, eq=False)
class FetchedArray:
    """Numbers (or text) of an array, or of a part of it.

    Attributes
    ----------
    values : ndarray
        Read-only.
    units : str or None
        Their unit.
    t_start : tuple of (float, str) or None
        Time of the first sample with its unit, of signals.
    sampling_rate : tuple of (float, str) or None
        Samples in a unit of time, of signals; after downsampling, points.
    """

    values: NDArray[Any]
    units: str | None = None
    t_start: tuple[float, str] | None = None
    sampling_rate: tuple[float, str] | None = None

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        if copy is False:
            return np.asarray(self.values, dtype)
        return np.array(self.values, dtype, copy=True if copy else None)

    def __len__(self) -> int:
        return len(self.values)
