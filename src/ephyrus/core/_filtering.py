"""Filtering: the objects of a list whose attributes or annotations fulfil terms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

import numpy as np

from ephyrus.core._equality import equal_values
from ephyrus.core.baseneo import BaseNeo
from ephyrus.core.filters import FilterCondition, fulfils
from ephyrus.core.spiketrain import SpikeTrain
from ephyrus.core.spiketrainlist import SpikeTrainList

if TYPE_CHECKING:
    from ephyrus.core.container import Container

__all__ = ["Filterable", "Match", "array_annotations_of", "filterdata"]

Match = Literal["any", "all"]
Terms: TypeAlias = Mapping[str, Any]
Targets: TypeAlias = Terms | Sequence[Terms] | None
Classes: TypeAlias = type[Any] | str | Iterable[type[Any] | str] | None

_MISSING = object()
_NONE: dict[str, Any] = {}
# Values that are looked up in the annotations without further ado.
_PLAIN = frozenset({str, int, float, bool, bytes})


def filterdata(
    data: Iterable[Any],
    targdict: Targets = None,
    objects: Classes = None,
    *,
    match: Match = "any",
    **kwargs: Any,
) -> list[Any] | SpikeTrainList:
    """Return those of some objects that fulfil terms.

    A *term* is a name and a value, or a name and a condition (see `ephyrus.core.filters`). A
    value must equal the attribute or the annotation of that name, as a whole. A condition must
    hold for the attribute, the annotation or an element of the array annotation of that name
    (array annotations of lazy objects are read for it).

    Parameters
    ----------
    data : iterable of BaseNeo
        Each object is returned once, in the order given.
    targdict : dict, or sequence of dict, optional
        Terms. Several dicts are applied one after the other.
    objects : class, class name or iterable of them, optional
        Only objects of these classes (or of classes derived from them).
    match : {"any", "all"}, default "any"
        How many of the terms of a dict an object must fulfil: one of them (as in Neo), or
        all. With "any", ``[{"a": 1}, {"b": 2}]`` asks for both, ``{"a": 1, "b": 2}`` for either.
    **kwargs
        Further terms, a dict that is applied last.

    Returns
    -------
    list or SpikeTrainList
        A SpikeTrainList if `objects` is SpikeTrain, or if there are results and all of them are
        spike trains. Without terms, all objects.

    Raises
    ------
    TypeError
        If `targdict` or `objects` is of another type.
    ValueError
        If `match` is another word.

    Examples
    --------
    >>> from ephyrus.core import Event
    >>> from ephyrus.core.container import filterdata
    >>> from ephyrus.core.filters import GreaterThan
    >>> events = [Event([n], units="s", name=f"event {n}", size=n) for n in range(4)]
    >>> [event.name for event in filterdata(events, size=GreaterThan(1), name="event 0")]
    ['event 0', 'event 2', 'event 3']
    """
    objs = list({id(obj): obj for obj in data}.values())
    return _filtered(objs, _term_dicts(targdict, kwargs), objects, match)


def _filtered(
    objs: list[Any], dicts: list[Terms], objects: Classes, match: Match
) -> list[Any] | SpikeTrainList:
    """Filter objects among which there are no doubles; the result is always a new list."""
    found = objs
    if match not in ("any", "all"):
        raise ValueError(f"match must be 'any' or 'all', not {match!r}")
    names = None if objects is None else _class_names(objects)
    if names is not None:
        found = _of_classes(found, names)
    for terms in dicts:
        if match == "all":
            for name, wanted in terms.items():
                found = _select(found, name, wanted)
        else:
            found = _select_any(found, terms)
    if found is objs:  # it may be the inside of a child list
        found = list(objs)
    kinds = set(map(type, found))
    if names == {"SpikeTrain"} or (kinds and all(issubclass(kind, SpikeTrain) for kind in kinds)):
        return SpikeTrainList._adopt((SpikeTrain,), found, None)
    return found


class Filterable:
    """What containers are besides: searchable."""

    def filter(
        self,
        targdict: Targets = None,
        data: bool = True,
        container: bool = False,
        recursive: bool = True,
        objects: Classes = None,
        *,
        match: Match = "any",
        **kwargs: Any,
    ) -> list[Any] | SpikeTrainList:
        """Return the objects below this container that fulfil terms.

        Parameters
        ----------
        targdict : dict, or sequence of dict, optional
            Terms: names of attributes or annotations, and the values they must equal or the
            conditions (`ephyrus.core.filters`) they must satisfy; see `filterdata`. Several
            dicts are applied one after the other. Names that are also parameters of this
            method can be given here only.
        data : bool, default True
            Search data objects.
        container : bool, default False
            Search containers.
        recursive : bool, default True
            Search the containers below as well.
        objects : class, class name or iterable of them, optional
            Only objects of these classes; data objects and containers are searched then.
        match : {"any", "all"}, default "any"
            Whether an object must fulfil one of the terms of a dict, as in Neo, or all.
        **kwargs
            Further terms, a dict that is applied last.

        Returns
        -------
        list or SpikeTrainList
            In the order of the children, data objects first, each once. A SpikeTrainList if
            `objects` is SpikeTrain, or if there are results and all of them are spike trains.
            Without terms, all that was searched.

        Raises
        ------
        TypeError
            If `targdict` or `objects` is of another type.
        ValueError
            If `match` is another word.

        Examples
        --------
        >>> from ephyrus.core import Event, Segment
        >>> from ephyrus.core.filters import LessThan
        >>> segment = Segment()
        >>> segment.events.append(Event([1], units="s", name="go", subject="m1", trial=3))
        >>> segment.events.append(Event([2], units="s", name="stop", subject="m1", trial=9))
        >>> [event.name for event in segment.filter(name="stop", trial=3)]
        ['go', 'stop']
        >>> [event.name for event in segment.filter(subject="m1", trial=LessThan(5), match="all")]
        ['go']
        """
        own = cast("Container", self)
        parts: list[list[Any]] = []
        owners = 0
        if data or objects is not None:
            owners = _gather_data(own, parts, recursive)
        if container or objects is not None:
            inner = own.container_children_recur if recursive else own.container_children
            parts.append(list(inner))
        # one list is not copied: touching each of its objects takes as long as looking into some
        found = parts[0] if len(parts) == 1 else list(chain.from_iterable(parts))
        if owners > 1:  # a group lists what a segment has
            found = list({id(obj): obj for obj in found}.values())
        return _filtered(found, _term_dicts(targdict, kwargs), objects, match)


def _gather_data(container: Container, parts: list[list[Any]], recursive: bool) -> int:
    """Append the lists of data objects of a container; return how many containers had some."""
    before = len(parts)
    lists = map(container._lists.get, container._data_child_containers)
    parts.extend(each._resolve_all() for each in lists if each)
    owners = int(len(parts) > before)
    for inner in container.container_children if recursive else ():
        owners += _gather_data(inner, parts, recursive=True)
    return owners


# --- classes --------------------------------------------------------------------------------


def _class_names(objects: Any) -> set[str]:
    """Return the names of the classes that are asked for."""
    classes = [objects] if isinstance(objects, (type, str)) else objects
    if not isinstance(classes, Iterable):
        raise TypeError(f"objects must be a class, the name of one, or a list of them: {objects!r}")
    names = set()
    for cls in classes:
        if not isinstance(cls, (type, str)):
            raise TypeError(f"objects must be classes or names of classes, not {cls!r}")
        names.add(cls if isinstance(cls, str) else cls.__name__)
    return names


def _of_classes(objs: list[Any], names: set[str]) -> list[Any]:
    """Return the objects that are of one of the classes, or stand for one."""
    known: dict[type[Any], bool] = {}
    for kind in set(map(type, objs)):
        known[kind] = any(base.__name__ in names for base in kind.__mro__)
    return [obj for obj in objs if known[type(obj)] or _stands_for(obj, names)]


def _stands_for(obj: Any, names: set[str]) -> bool:
    """Tell whether `obj`, of a class of its own, takes the place of one of the classes."""
    if isinstance(obj, BaseNeo):
        return False
    cls = getattr(obj, "proxy_for", None)
    return isinstance(cls, type) and any(base.__name__ in names for base in cls.__mro__)


# --- terms ----------------------------------------------------------------------------------


def _term_dicts(targdict: Any, kwargs: Terms) -> list[Terms]:
    """Return the dicts of terms that are not empty, in the order they are applied in."""
    if targdict is None or isinstance(targdict, Mapping):
        dicts = [targdict or {}]
    elif isinstance(targdict, Sequence) and not isinstance(targdict, (str, bytes)):
        dicts = list(targdict)
    else:
        raise TypeError(_TARGDICT.format(targdict))
    for terms in dicts:
        if not isinstance(terms, Mapping):
            raise TypeError(_TARGDICT.format(terms))
    return [terms for terms in (*dicts, kwargs) if terms]


_TARGDICT = (
    "targdict must be a dict of names and values (or conditions), or a list of such dicts, not {!r}"
)


def _select_any(objs: list[Any], terms: Terms) -> list[Any]:
    """Return the objects that fulfil at least one term."""
    if len(terms) == 1:
        ((name, wanted),) = terms.items()
        return _select(objs, name, wanted)
    fulfilling: set[int] = set()
    rest = objs
    for name, wanted in terms.items():
        fulfilling.update(map(id, _select(rest, name, wanted)))
        rest = [obj for obj in rest if id(obj) not in fulfilling]
    return [obj for obj in objs if id(obj) in fulfilling]


def _select(objs: list[Any], name: str, wanted: Any) -> list[Any]:
    """Return the objects that fulfil one term."""
    if isinstance(wanted, FilterCondition):
        return [obj for obj in objs if _satisfies(obj, name, wanted)]
    if type(wanted) not in _PLAIN:
        return [obj for obj in objs if _equals(obj, name, wanted)]
    # Nearly always a plain value is looked for in the annotations of many data objects. That takes
    # no function call per object; those with an attribute of that name are judged afterwards.
    try:
        found = [
            obj
            for obj in objs
            if hasattr(obj, name) or (obj._annotations or _NONE).get(name) == wanted
        ]
    except (AttributeError, TypeError, ValueError):
        # containers have no `_annotations`, and an annotation that is an array is not comparable
        return [obj for obj in objs if _equals(obj, name, wanted)]
    return [obj for obj in found if not hasattr(obj, name) or _equals(obj, name, wanted)]


def _equals(obj: Any, name: str, wanted: Any) -> bool:
    """Tell whether an attribute or an annotation equals a value."""
    if name in obj.annotations and equal_values(obj.annotations[name], wanted):
        return True
    attribute = getattr(obj, name, _MISSING)
    return attribute is not _MISSING and equal_values(attribute, wanted)


def _satisfies(obj: Any, name: str, condition: FilterCondition) -> bool:
    """Tell whether an attribute, annotation or array annotation satisfies a condition."""
    if name in obj.annotations and fulfils(condition, obj.annotations[name]):
        return True
    attribute = getattr(obj, name, _MISSING)
    if attribute is not _MISSING and fulfils(condition, attribute):
        return True
    arrays = array_annotations_of(obj)
    return bool(arrays) and name in arrays and bool(np.any(condition.mask(arrays[name])))


def array_annotations_of(obj: Any) -> Any:
    """Return the array annotations of any object, None if there are none.

    Those of lazy objects are read; for others no dict is made that was not there.
    """
    arrays = getattr(obj, "_array_annotations", None)
    if arrays is None and getattr(obj, "_source", None) is not None:
        return obj.array_annotations
    return arrays
