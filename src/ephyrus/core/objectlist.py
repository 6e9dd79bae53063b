"""ObjectList: the child lists of Block, Segment and Group.

A list that admits only certain classes, each object once, and links what it
admits to its parent. Membership is kept in marks on the objects or in a set of
identities, so that filling a list costs the same per object however long it is.
Items may be *deferred*: the list knows how many there are and loads one when it is
touched.
"""

from __future__ import annotations

import copy
import logging
import threading
from collections.abc import Callable, Iterable, Iterator, MutableSequence, Sequence
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, cast, overload

from ephyrus.core._deferred import Deferred, LazyCascadeLoader
from ephyrus.core._marker import NO_MARKER, Marker, new_marker
from ephyrus.core.baseneo import BaseNeo, parent_attribute

if TYPE_CHECKING:
    from typing import Self

    from ephyrus.core.container import Container

__all__ = ["LazyCascadeLoader", "ObjectList"]

T = TypeVar("T", bound=BaseNeo)

logger = logging.getLogger(__name__)

# Held while a loaded object takes the place of its deferred item, never while it is loaded.
_PLACING = threading.Lock()


class ObjectList(MutableSequence[T]):
    """A list of core objects that checks, and links to its parent, what it takes in.

    It offers the whole interface of a list. Membership and comparison go by identity,
    because comparing data objects compares their values. Slicing, ``+`` and `copy`
    give plain lists.

    Parameters
    ----------
    allowed_contents : type or sequence of type
        Class or classes of objects that may be in the list, derived from BaseNeo.
        A lazy stand-in whose `proxy_for` is one of them counts as that class.
    parent : Container, optional
        Object that becomes the parent of every object that is taken in.

    Raises
    ------
    TypeError
        If `allowed_contents` names something that is not a BaseNeo class.
    """

    __slots__ = ("_allowed", "_ids", "_items", "_marker", "_parent", "_pending")

    #: what is raised for an object of a class that is not allowed
    _wrong_type: type[Exception] = TypeError

    def __init__(
        self,
        allowed_contents: type[T] | Sequence[type[Any]],
        parent: Container | None = None,
    ) -> None:
        if isinstance(allowed_contents, type):
            allowed_contents = (allowed_contents,)
        classes = tuple(allowed_contents)
        for cls in classes:
            if not (isinstance(cls, type) and issubclass(cls, BaseNeo)):
                raise TypeError(f"an ObjectList holds objects derived from BaseNeo, not {cls!r}")
        self._allowed: tuple[type[Any], ...] = classes
        self._parent = parent
        self._items: list[Any] = []
        self._ids: set[int] | None = None  # made when first needed: unpickling renews all ids
        self._pending = 0
        # where moves are to be logged, no object is taken in the short way: asking that again
        # for each would be a fifth of the time it takes
        short = parent is not None and not logger.isEnabledFor(logging.DEBUG)
        self._marker = new_marker(classes, parent) if short else NO_MARKER

    @classmethod
    def _adopt(
        cls, allowed: tuple[type[Any], ...], items: list[Any], parent: Container | None
    ) -> Self:
        """Make a list around `items`, unchecked and unlinked."""
        new = cls.__new__(cls)
        new._allowed = allowed
        new._parent = parent
        new._items = items
        new._ids = None
        new._pending = 0
        new._marker = NO_MARKER
        return new

    @property
    def allowed_contents(self) -> tuple[type[Any], ...]:
        """Classes of objects that may be in the list."""
        return self._allowed

    @allowed_contents.setter
    def allowed_contents(self, classes: tuple[type[Any], ...]) -> None:
        self._load_ids()
        self._allowed = classes

    @property
    def parent(self) -> Container | None:
        """Object that becomes the parent of every object that is taken in."""
        return self._parent

    @parent.setter
    def parent(self, parent: Container | None) -> None:
        self._load_ids()
        self._parent = parent

    # --- deferred items ---------------------------------------------------------------
    def _defer(
        self, addresses: Iterable[Any], loader: LazyCascadeLoader, *, lazy: bool = False
    ) -> None:
        """Append one item per address, to be loaded when it is touched.

        Each address is passed to ``loader.load_lazy_cascade(address, lazy)`` once; the object is
        kept and linked to this list's parent.
        """
        self._load_ids()
        added = [Deferred(address, loader, lazy) for address in addresses]
        self._items.extend(added)
        self._pending += len(added)

    def _resolve(self, index: int) -> Any:
        """Return item `index` (not negative), loading it if that is still to be done."""
        item = self._items[index]
        if type(item) is not Deferred:
            return item
        loaded = item.load()
        self._check_type(loaded)
        with _PLACING:
            if self._items[index] is item:  # another thread may have put it in place
                self._link(loaded)
                self._load_ids().add(id(loaded))
                self._items[index] = loaded
                self._pending -= 1
        return loaded

    def _resolve_all(self) -> list[Any]:
        """Return the internal list with every item loaded."""
        if self._pending:
            for index in range(len(self._items)):
                self._resolve(index)
        return self._items

    # --- admission --------------------------------------------------------------------
    def _load_ids(self) -> set[int]:
        """Return the identities of the items, by which the list knows them from now on."""
        if self._ids is None:
            self._ids = {id(item) for item in self._items if type(item) is not Deferred}
            self._marker = NO_MARKER
        return self._ids

    def _check_type(self, obj: Any) -> None:
        if isinstance(obj, self._allowed):
            return
        stands_for = getattr(obj, "proxy_for", None)
        if isinstance(stands_for, type) and issubclass(stands_for, self._allowed):
            return
        allowed = " or ".join(cls.__name__ for cls in self._allowed)
        raise self._wrong_type(f"this list holds {allowed} objects, not {type(obj).__name__}")

    def _check(self, obj: Any) -> None:
        """Raise unless `obj` may be taken in: its class is allowed and it is new."""
        self._check_type(obj)
        if id(obj) in self._load_ids():
            raise ValueError(
                f"this {type(obj).__name__} is already in the list"
                + (f" (name {obj.name!r})" if obj.name else "")
            )

    def _link(self, obj: Any) -> None:
        parent = self._parent
        if parent is None:
            return
        for old in obj.parents if logger.isEnabledFor(logging.DEBUG) else ():
            if old is not None and old is not parent:
                logger.debug("%s %r moves from %r to %r", type(obj).__name__, obj.name, old, parent)
        obj.set_parent(parent)

    def _link_all(self, parent: Container) -> None:
        """Make `parent` that of this list, just copied, and of its items."""
        self._parent = parent
        attribute: Any = parent_attribute
        for item in self._items:
            if type(item) is not Deferred:
                setattr(item, attribute(type(item), type(parent)), parent)

    def _admit(self, objects: Iterable[Any]) -> list[Any]:
        """Check all of `objects` before any is taken in, then note and link them."""
        new = list(objects)
        ids = self._load_ids()
        fresh = set(map(id, new))
        allowed = all(issubclass(kind, self._allowed) for kind in set(map(type, new)))
        if not allowed or len(fresh) < len(new) or not ids.isdisjoint(fresh):
            self._check_each(new)
        for obj in new if self._parent is not None else ():
            self._link(obj)
        ids |= fresh
        return new

    def _check_each(self, objects: list[Any]) -> None:
        """Raise the error of the first of several objects that may not be taken in."""
        fresh: set[int] = set()
        for obj in objects:
            self._check(obj)
            if id(obj) in fresh:
                raise ValueError(f"the same {type(obj).__name__} is given twice")
            fresh.add(id(obj))

    def _forget(self, items: Iterable[Any]) -> None:
        """Strike `items`, which have just left the list, from the books."""
        self._rearranged()
        ids = self._load_ids()
        for item in items:
            if type(item) is Deferred:
                self._pending -= 1
            else:
                ids.discard(id(item))

    def _rearranged(self) -> None:
        """Learn that items have left or change their places; here, nothing depends on it."""

    # --- reading ----------------------------------------------------------------------
    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        if not self._pending:
            return iter(self._items)
        return self._iterate_loading()

    def _iterate_loading(self) -> Iterator[T]:
        index = 0
        while index < len(self._items):
            yield self._resolve(index)
            index += 1

    def __reversed__(self) -> Iterator[T]:
        yield from reversed(self._resolve_all())

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: SupportsIndex | slice) -> T | list[T]:
        if not self._pending:
            return cast("T | list[T]", self._items[index])
        positions = range(len(self._items))[index]
        if isinstance(positions, range):
            return [self._resolve(position) for position in positions]
        return cast("T", self._resolve(positions))

    def __contains__(self, obj: object) -> bool:
        return id(obj) in self._load_ids()

    def index(self, value: Any, start: int = 0, stop: int | None = None) -> int:
        """Return the position of `value`, found by identity.

        Parameters
        ----------
        value : BaseNeo
            Object to look for.
        start, stop : int, optional
            Part of the list to search, as for a list.

        Raises
        ------
        ValueError
            If it is not there.
        """
        for position in range(*slice(start, stop).indices(len(self._items))):
            if self._items[position] is value:
                return position
        raise ValueError(f"{type(value).__name__} is not in the list")

    def count(self, value: Any) -> int:
        """Return 1 if `value` is in the list, else 0."""
        return int(value in self)

    def copy(self) -> list[T]:
        """Return a plain list of the items."""
        return list(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (list, tuple, ObjectList)):
            return NotImplemented
        return len(self) == len(other) and all(a is b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]  # mutable, as a list is

    def __repr__(self) -> str:
        return repr(self._resolve_all())

    __str__ = __repr__

    # --- changing ---------------------------------------------------------------------
    def append(self, value: T) -> None:
        """Add an object at the end.

        Raises
        ------
        TypeError
            If it is of a class that is not allowed here.
        ValueError
            If it is in the list already.
        """
        marker = self._marker
        if type(value) is marker.kind:
            obj: Any = value
            carried: Marker | None = obj._marker
            if carried is not marker:
                if carried is not None:
                    carried.kind = None  # the list that it is of no longer knows all its items
                obj.segment = self._parent
                obj._marker = marker
                self._items.append(obj)
                return
        self._check(value)
        self._link(value)
        self._load_ids().add(id(value))
        self._items.append(value)

    def extend(self, values: Iterable[T]) -> None:
        """Add several objects at the end; all or, if one is refused, none.

        Raises
        ------
        TypeError, ValueError
            As for `append`.
        """
        self._items.extend(self._admit(values))

    def insert(self, index: SupportsIndex, value: T) -> None:
        """Add an object before position `index`.

        Raises
        ------
        TypeError, ValueError
            As for `append`.
        """
        self._items[index:index] = self._admit([value])

    @overload
    def __setitem__(self, index: SupportsIndex, value: T) -> None: ...
    @overload
    def __setitem__(self, index: slice, value: Iterable[T]) -> None: ...
    def __setitem__(self, index: SupportsIndex | slice, value: Any) -> None:
        if isinstance(index, slice):
            self._set_slice(index, list(value))
            return
        position = range(len(self._items))[index]
        if self._items[position] is not value:
            new = self._admit([value])
            self._forget([self._items[position]])
            self._items[position] = new[0]

    def _set_slice(self, index: slice, values: list[Any]) -> None:
        positions = range(len(self._items))[index]
        if positions.step != 1 and len(positions) != len(values):
            raise ValueError(
                f"attempt to assign {len(values)} objects to an extended slice of {len(positions)}"
            )
        old = self._items[index]
        self._forget(old)
        try:
            new = self._admit(values)
        except (TypeError, ValueError):
            # nothing has been changed but the books
            self._pending += sum(type(item) is Deferred for item in old)
            self._ids = None
            raise
        self._items[index] = new

    def __delitem__(self, index: SupportsIndex | slice) -> None:
        removed = self._items[index]
        del self._items[index]
        self._forget(removed if isinstance(index, slice) else [removed])

    def pop(self, index: SupportsIndex = -1) -> T:
        """Remove the object at `index`, by default the last, and return it.

        Raises
        ------
        IndexError
            If there is no such position.
        """
        item = self[index]
        del self[index]
        return item

    def remove(self, value: T) -> None:
        """Remove an object, found by identity.

        Raises
        ------
        ValueError
            If it is not in the list.
        """
        del self[self.index(value)]

    def clear(self) -> None:
        """Remove all objects."""
        self._rearranged()
        self._items.clear()
        self._ids = None
        self._pending = 0

    def reverse(self) -> None:
        """Reverse the order in place."""
        self._rearranged()
        self._items.reverse()

    def sort(self, *, key: Callable[[T], Any] | None = None, reverse: bool = False) -> None:
        """Sort in place.

        Parameters
        ----------
        key : callable
            Gives, for each object, the value to sort by; needed for data objects, which
            have no order themselves.
        reverse : bool, default False
            Sort in descending order.
        """
        items = self._resolve_all()
        self._rearranged()
        items.sort(key=cast("Any", key), reverse=reverse)

    def _replace(self, values: Iterable[T]) -> None:
        """Make `values` the whole contents (what assigning to a child list does)."""
        self[:] = values

    def __iadd__(self, other: Iterable[T]) -> Self:  # type: ignore[misc]  # + gives a list
        self.extend(other)
        return self

    def __add__(self, other: Iterable[Any]) -> list[Any]:
        return [*self, *other]

    def __radd__(self, other: Iterable[Any]) -> list[Any]:
        return [*other, *self]

    # --- copying ----------------------------------------------------------------------
    def __copy__(self) -> Self:
        """Return a list of its own with the same objects, which keep their parent."""
        return self._adopt(self._allowed, list(self._resolve_all()), None)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a list of copies without parent (copying a container sets the links)."""
        new = self._adopt(self._allowed, [], None)
        memo[id(self)] = new
        known, add = memo.get, new._items.append
        for item in self._resolve_all():
            copied = known(id(item))
            if copied is None:
                # copy.deepcopy does the same with more bookkeeping than a small object is worth
                own = getattr(item, "__deepcopy__", None)
                copied = copy.deepcopy(item, memo) if own is None else own(memo)
            add(copied)
        return new

    def _packed(self) -> Any:
        """Return what goes into a pickle for the items."""
        return self._resolve_all()

    def _packed_copy(self) -> Any:
        """Return what `_unpack` can take without sharing the list."""
        return list(self._resolve_all())

    def _unpack(self, packed: Any) -> None:
        """Take back what `_packed` returned; the objects may still be incomplete."""
        self._items = packed
        self._ids = None
        self._pending = 0
        self._marker = NO_MARKER

    def __reduce__(self) -> tuple[Any, ...]:
        # in the state, not the arguments: objects and their parents refer to each other
        state = (self._allowed, self._packed(), self._parent)
        return _rebuild_list, (type(self),), state

    def __setstate__(self, state: tuple[tuple[type[Any], ...], Any, Any]) -> None:
        self._allowed, packed, self._parent = state
        self._unpack(packed)


def _rebuild_list(cls: type[ObjectList[Any]]) -> ObjectList[Any]:
    """Make the empty list that unpickling fills."""
    if not issubclass(cls, ObjectList):
        raise TypeError(f"{cls.__name__} is not a child list")
    return cls.__new__(cls)
