"""What every object has: a name, a description, an origin, annotations, and parents."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from numbers import Number
from typing import Any, ClassVar, TypeAlias

import numpy as np
import quantities as pq

from ephyrus.errors import MergeError, NeoReadWriteError

__all__ = [
    "BaseNeo",
    "MergeError",
    "NeoReadWriteError",
    "check_annotations",
    "copy_annotations",
    "intersect_annotations",
    "merge_annotation",
    "merge_annotations",
    "merge_text",
    "parent_attribute",
]

Annotations: TypeAlias = dict[str, Any]
AttributeSpec: TypeAlias = tuple[Any, ...]

MERGE_CONFLICT = "MERGE CONFLICT"

_logger = logging.getLogger(__name__)

# The common types are found in this set without walking the class tree.
_SIMPLE = frozenset({str, int, float, bool, complex, bytes, type(None), datetime, date, timedelta})
_ALLOWED = (
    *(int, float, complex, str, bytes, type(None), datetime, date, time, timedelta),
    *(Number, Decimal, np.number, np.bool_, np.str_, np.bytes_, np.datetime64, np.timedelta64),
)
_ARRAY_KINDS = frozenset("biufcSUmM")


def check_annotations(value: Any) -> None:
    """Check that a value may be kept as an annotation.

    Parameters
    ----------
    value : object
        Allowed are numbers, str, bytes, bool, None, dates and times, Decimal, numpy scalars and
        arrays of these (also Quantities), and lists, tuples and dicts of them to any depth.

    Raises
    ------
    ValueError
        If a value is of another kind (a set, an object, an array of objects).
    TypeError
        If the key of a dict is not a str.
    """
    if type(value) in _SIMPLE:
        return
    if isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"annotation names must be str, not {type(key).__name__}: {key!r}")
            if type(item) not in _SIMPLE:
                check_annotations(item)
    elif isinstance(value, list | tuple):
        for item in value:
            if type(item) not in _SIMPLE:
                check_annotations(item)
    elif isinstance(value, np.ndarray):
        if value.dtype.kind not in _ARRAY_KINDS:
            raise ValueError(
                f"annotations cannot be arrays of dtype {value.dtype}; "
                "use numbers, strings or times"
            )
    elif not isinstance(value, _ALLOWED):
        raise ValueError(  # noqa: TRY004 - as Neo
            f"annotations cannot be of type {type(value).__name__}; use numbers, strings, dates, "
            "arrays of these, or lists, tuples and dicts of them"
        )


def copy_annotations(annotations: Mapping[str, Any]) -> Annotations:
    """Copy annotations deeply (simple values are shared, containers and arrays are copied)."""
    return {
        key: value if type(value) in _SIMPLE else _copy_value(value)
        for key, value in annotations.items()
    }


def _copy_value(value: Any) -> Any:
    """Copy one annotation value."""
    if isinstance(value, np.ndarray):
        return value.copy()
    if isinstance(value, dict):
        return {key: _copy_value(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)([_copy_value(item) for item in value])
    return value


def merge_annotation(a: Any, b: Any) -> Any:
    """Merge two values of the same annotation.

    Parameters
    ----------
    a, b : annotation values of the same type
        dicts are merged key by key, arrays and lists are joined, equal strings are kept, different
        ones become ``"a;b"``; anything else must be equal.

    Returns
    -------
    object

    Raises
    ------
    TypeError
        If the types differ.
    ValueError
        If two values of any other type differ.
    """
    if type(a) is not type(b):
        raise TypeError(
            f"annotations of different types cannot be merged: {type(a).__name__}, "
            f"{type(b).__name__}"
        )
    if isinstance(a, dict):
        return merge_annotations(a, b)
    if isinstance(a, pq.Quantity):
        joined = np.append(a.magnitude, b.rescale(a.dimensionality).magnitude)
        return pq.Quantity(joined, a.dimensionality)
    if isinstance(a, np.ndarray):
        return np.append(a, b)
    if isinstance(a, list):
        return a + b
    if isinstance(a, str):
        return a if a == b else f"{a};{b}"
    if a != b:
        raise ValueError(f"annotations with different values cannot be merged: {a!r}, {b!r}")
    return a


def merge_annotations(A: Mapping[str, Any], *Bs: Mapping[str, Any]) -> Annotations:  # noqa: N803
    """Merge dicts of annotations into a new dict.

    Parameters
    ----------
    A : mapping
        Not changed.
    *Bs : mapping
        Keys of either are kept; keys of both are merged by `merge_annotation`. Values that cannot
        be merged become the string ``"MERGE CONFLICT"``, and both are logged.

    Returns
    -------
    dict
    """
    merged = dict(A)
    for other in Bs:
        for key, value in other.items():
            merged[key] = _merge_key(key, merged[key], value) if key in merged else value
    return merged


def _merge_key(key: str, a: Any, b: Any) -> Any:
    """Merge the values of one key; a conflict is logged and marked."""
    if isinstance(a, str) and a == MERGE_CONFLICT:
        return a
    try:
        return merge_annotation(a, b)
    except (TypeError, ValueError):
        _logger.warning("annotation %r cannot be merged: %r and %r", key, a, b)
        return MERGE_CONFLICT


def intersect_annotations(A: Mapping[str, Any], B: Mapping[str, Any]) -> Annotations:  # noqa: N803
    """Return the annotations that are common to two dicts and equal in both, copied.

    Parameters
    ----------
    A, B : mapping
        Values of different types are not common.

    Returns
    -------
    dict
        In the order of `A`.
    """
    common = {}
    for key, value in A.items():
        if key in B and _equal(value, B[key]):
            common[key] = _copy_value(value)
    return common


def _equal(a: Any, b: Any) -> bool:
    """Tell whether two annotation values are of one type and equal."""
    if type(a) is not type(b):
        return False
    if isinstance(a, pq.Quantity) and a.dimensionality != b.dimensionality:
        return False
    if isinstance(a, np.ndarray):
        return bool(np.array_equal(np.asarray(a), np.asarray(b)))
    if isinstance(a, Mapping):
        return a.keys() == b.keys() and all(_equal(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def merge_text(
    values: list[str | None], *, what: str = "merge", separator: str = ", "
) -> str | None:
    """Merge names or descriptions: equal ones are kept, others become ``merge(a, b)``."""
    first = values[0]
    if all(value == first for value in values):
        return first
    return f"{what}({separator.join(str(value) for value in values)})"


class BaseNeo:
    """Base of all objects: attributes, annotations and parents.

    Parameters
    ----------
    name : str, optional
        What the object is called.
    description : str, optional
        Free text.
    file_origin : str, optional
        File or address that the data came from.
    **annotations
        Every other keyword becomes an annotation; see `check_annotations` for what is allowed.

    Attributes
    ----------
    annotations : dict
        Changed freely; only the constructor and `annotate` check the values.

    Raises
    ------
    ValueError
        If an annotation is of a kind that cannot be kept.
    """

    is_view: ClassVar[bool] = False
    _parent_objects: ClassVar[tuple[str, ...]] = ()
    _parent_attrs: ClassVar[tuple[str, ...]] = ()
    _necessary_attrs: ClassVar[tuple[AttributeSpec, ...]] = ()
    _recommended_attrs: ClassVar[tuple[AttributeSpec, ...]] = (
        ("name", str),
        ("description", str),
        ("file_origin", str),
    )
    _repr_pretty_attrs_keys_: ClassVar[tuple[str, ...]] = ("name", "description", "annotations")

    name: str | None
    description: str | None
    file_origin: str | None
    annotations: Annotations

    def __init__(
        self,
        name: str | None = None,
        description: str | None = None,
        file_origin: str | None = None,
        **annotations: Any,
    ) -> None:
        if annotations:
            check_annotations(annotations)
        self.annotations = annotations
        self.name = name
        self.description = description
        self.file_origin = file_origin
        for attribute in self._parent_attrs:
            setattr(self, attribute, None)

    def annotate(self, **annotations: Any) -> None:
        """Add annotations; those of the same name are replaced.

        Parameters
        ----------
        **annotations
            See `check_annotations` for what is allowed.

        Raises
        ------
        ValueError
            If an annotation is of a kind that cannot be kept; nothing is changed then.
        """
        check_annotations(annotations)
        self.annotations.update(annotations)

    def merge_annotations(self, *others: BaseNeo) -> None:
        """Merge the annotations of other objects into this one (see `merge_annotations`).

        Parameters
        ----------
        *others : BaseNeo
        """
        merged = merge_annotations(self.annotations, *[other.annotations for other in others])
        self.annotations.update(merged)

    def merge(self, *others: BaseNeo) -> Any:
        """Merge other objects into this one: here, their annotations.

        Parameters
        ----------
        *others : BaseNeo
        """
        self.merge_annotations(*others)

    def set_parent(self, obj: Any) -> None:
        """Set the link to the container that holds this object.

        Parameters
        ----------
        obj : object of one of the classes that may hold this one

        Raises
        ------
        TypeError
            If objects of that class cannot hold this one.
        """
        classes: Any = type(self), type(obj)
        attribute = parent_attribute(*classes)
        if attribute is not None:
            setattr(self, attribute, obj)
            return
        allowed = ", ".join(self._parent_objects) or "none"
        raise TypeError(
            f"{type(self).__name__} cannot have a parent of type {type(obj).__name__}; "
            f"allowed: {allowed}"
        )

    @property
    def parents(self) -> tuple[Any, ...]:
        """The containers this object belongs to, one entry per possible kind (or None)."""
        return tuple(getattr(self, attribute) for attribute in self._parent_attrs)

    @property
    def _parent_containers(self) -> tuple[str, ...]:
        """Names of the possible parents in lower case."""
        return tuple(name.lower() for name in self._parent_objects)

    @property
    def _all_attrs(self) -> tuple[AttributeSpec, ...]:
        """Descriptions of all attributes, the necessary ones first."""
        return self._necessary_attrs + self._recommended_attrs

    def _pretty_lines(self) -> list[str]:
        """Return the first lines of the pretty form."""
        return [type(self).__name__]

    def _repr_html_(self) -> str:
        """Return a piece of HTML for notebooks, which everything is escaped in; loads nothing."""
        from ephyrus.core._html import html

        return html(self)

    def _repr_pretty_(self, p: Any, cycle: bool) -> None:
        """Print in IPython: first lines, then one line per attribute that is not empty."""
        if cycle:
            p.text(f"{type(self).__name__}(...)")
            return
        lines = self._pretty_lines()
        p.text(lines[0])
        for line in lines[1:]:
            p.break_()
            p.text(line)
        for key in self._repr_pretty_attrs_keys_:
            value = getattr(self, key, None)
            if value is None or value in ("", {}):
                continue
            p.break_()
            p.text(f"{key}: ")
            p.pretty(value)


@lru_cache(maxsize=256)
def parent_attribute(child: Any, parent: Any) -> str | None:
    """Name the attribute of class `child` that links to class `parent`; None if there is none."""
    classes = {cls.__name__ for cls in parent.__mro__}
    links = zip(child._parent_objects, child._parent_attrs, strict=True)
    return next((attribute for name, attribute in links if name in classes), None)
