"""Container: what Block, Segment and Group have in common.

A container class declares its children as class attributes (`ChildList`); the list
behind one is made when it is first touched, so that an empty list costs nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar, cast, overload

from ephyrus.core._filtering import Filterable, filterdata
from ephyrus.core.baseneo import BaseNeo
from ephyrus.core.objectlist import ObjectList
from ephyrus.errors import MergeError

if TYPE_CHECKING:
    from typing import Self

    _Attribute = object  # editors and type checkers see the list, not a property
else:
    _Attribute = property

__all__ = ["ChildList", "Container", "filterdata", "list_name", "unique_objs"]

T = TypeVar("T", bound=BaseNeo)
L = TypeVar("L", bound=ObjectList[Any])


def unique_objs(objs: Iterable[T]) -> list[T]:
    """Return the objects of `objs` in order, each (by identity) once.

    Parameters
    ----------
    objs : iterable of BaseNeo

    Returns
    -------
    list of BaseNeo
    """
    return list({id(obj): obj for obj in objs}.values())


def list_name(class_name: str) -> str:
    """Return the name of the child list that holds objects of a class."""
    if class_name.endswith("RegionOfInterest"):
        return "regionsofinterest"
    return class_name.lower() + "s"


def _is_a(obj: BaseNeo, class_name: str) -> bool:
    """Tell whether `obj` is, or stands for, an object of the class of that name."""
    cls = getattr(obj, "proxy_for", None) or type(obj)
    return any(base.__name__ == class_name for base in cls.__mro__)


class _Replaced(dict[int, tuple[Any, Any]]):
    """What objects became in a merge, by identity (the objects are kept, so ids stay theirs)."""

    def note(self, old: Any, new: Any) -> None:
        """Remember that `new` is now in place of `old`."""
        self[id(old)] = old, new

    def current(self, obj: Any) -> Any:
        """Return what is now in place of `obj`, which may be itself."""
        while id(obj) in self:
            obj = self[id(obj)][1]
        return obj


class ChildList(_Attribute, Generic[L]):
    """A child list as attribute of a container class; assigning replaces its contents.

    It is a property because Python looks those up in half the time.

    Parameters
    ----------
    make : callable
        Called with the container, returns its empty list.
    """

    def __init__(self, make: Callable[[Any], L]) -> None:
        self._make = make

    def __set_name__(self, owner: type[Container], name: str) -> None:
        make = self._make

        def get(obj: Container) -> ObjectList[Any]:
            try:
                return obj._lists[name]
            except KeyError:
                return obj._lists.setdefault(name, make(obj))

        def replace(obj: Container, value: Iterable[Any]) -> None:
            own = get(obj)
            if own is not value:  # as it is after `obj.children += [...]`
                own._replace(value)

        property.__init__(cast("property", self), get, replace)

    if TYPE_CHECKING:

        @overload
        def __get__(self, obj: None, owner: type[Any]) -> Self: ...
        @overload
        def __get__(self, obj: Container, owner: type[Any]) -> L: ...
        def __get__(self, obj: Container | None, owner: type[Any]) -> Self | L: ...

        def __set__(self, obj: Container, value: Iterable[Any]) -> None: ...


class Container(BaseNeo, Filterable):
    """Base of the classes that hold other objects: Block, Segment and Group.

    Parameters
    ----------
    name, description, file_origin : str, optional
        What it is called, what it is, where it comes from.
    **annotations
        Further metadata of simple types.
    """

    _data_child_objects: ClassVar[tuple[str, ...]] = ()
    _container_child_objects: ClassVar[tuple[str, ...]] = ()
    _single_children: ClassVar[tuple[str, ...]] = ()
    _repr_pretty_containers: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        name: str | None = None,
        description: str | None = None,
        file_origin: str | None = None,
        **annotations: Any,
    ) -> None:
        super().__init__(name=name, description=description, file_origin=file_origin, **annotations)
        self._lists: dict[str, ObjectList[Any]] = {}

    # --- what there is ----------------------------------------------------------------
    @property
    def _child_objects(self) -> tuple[str, ...]:
        """Names of the classes that can be children."""
        return self._container_child_objects + self._data_child_objects

    @property
    def _data_child_containers(self) -> tuple[str, ...]:
        """Names of the lists of data objects."""
        return tuple(dict.fromkeys(list_name(name) for name in self._data_child_objects))

    @property
    def _container_child_containers(self) -> tuple[str, ...]:
        """Names of the lists of containers."""
        return tuple(list_name(name) for name in self._container_child_objects)

    @property
    def _child_containers(self) -> tuple[str, ...]:
        """Names of all child lists."""
        return self._container_child_containers + self._data_child_containers

    @property
    def _all_lists(self) -> tuple[str, ...]:
        """Names of the child lists, with those that the class tables do not count."""
        return tuple(
            name
            for cls in reversed(type(self).__mro__)
            for name, value in vars(cls).items()
            if isinstance(value, ChildList)
        )

    def _children_in(self, names: Iterable[str]) -> Iterator[Any]:
        for name in names:
            if self._lists.get(name):
                yield from self._lists[name]

    @property
    def data_children(self) -> tuple[BaseNeo, ...]:
        """Data objects that are direct children."""
        return tuple(self._children_in(self._data_child_containers))

    @property
    def container_children(self) -> tuple[Container, ...]:
        """Containers that are direct children."""
        return tuple(self._children_in(self._container_child_containers))

    @property
    def children(self) -> tuple[BaseNeo, ...]:
        """All direct children, data objects first."""
        return self.data_children + self.container_children

    @property
    def data_children_recur(self) -> tuple[BaseNeo, ...]:
        """Data objects of this container and of those in it, each once."""
        found = list(self.data_children)
        for container in self.container_children:
            found.extend(container.data_children_recur)
        return tuple(unique_objs(found))

    @property
    def container_children_recur(self) -> tuple[Container, ...]:
        """Containers in this container, then those in each of them, each once."""
        found = list(self.container_children)
        for container in self.container_children:
            found.extend(container.container_children_recur)
        return tuple(unique_objs(found))

    @property
    def children_recur(self) -> tuple[BaseNeo, ...]:
        """All objects below this container, each once, data objects first."""
        return self.data_children_recur + self.container_children_recur

    @property
    def size(self) -> dict[str, int]:
        """Number of children in each list, by the list's name."""
        return {name: len(self._lists.get(name, ())) for name in self._child_containers}

    def list_children_by_class(self, cls: type[Any] | str) -> list[Any]:
        """Return all objects of a class below this container, each once.

        Parameters
        ----------
        cls : type or str
            Class, or its name.

        Returns
        -------
        list of BaseNeo
        """
        name = cls if isinstance(cls, str) else cls.__name__
        found: list[Any] = []
        for container in (self, *self.container_children_recur):
            lists = container._all_lists
            # a base class such as DataObject, or a subclass of a user, has no list of its own
            own = (list_name(name),) if list_name(name) in lists else lists
            found.extend(child for child in container._children_in(own) if _is_a(child, name))
        return unique_objs(found)

    # --- adding -----------------------------------------------------------------------
    def _list_for(self, obj: Any) -> ObjectList[Any]:
        """Return the child list that takes `obj`."""
        cls = getattr(obj, "proxy_for", None) or type(obj)
        lists = set(self._all_lists)
        for base in cls.__mro__ if isinstance(obj, BaseNeo) else ():
            if list_name(base.__name__) in lists:
                return cast("ObjectList[Any]", getattr(self, list_name(base.__name__)))
        allowed = ", ".join(self._child_objects)
        raise TypeError(
            f"cannot add an object of type {type(obj).__name__} to a {type(self).__name__}, "
            f"only objects of these types: {allowed}"
        )

    def add(self, *objects: BaseNeo) -> None:
        """Put objects into the child lists of their classes.

        Parameters
        ----------
        *objects : BaseNeo

        Raises
        ------
        TypeError
            If one is of a class that this container does not hold; none is added then.
        ValueError
            If one is a child already.
        """
        targets = [self._list_for(obj) for obj in objects]
        for target, obj in zip(targets, objects, strict=True):
            target.append(obj)

    # --- links ------------------------------------------------------------------------
    def _linked_children(self) -> Iterator[Any]:
        """Yield the direct children that have this container as parent."""
        for name in self._all_lists:
            if self._lists.get(name) and self._lists[name].parent is not None:
                yield from self._lists[name]

    def check_relationships(self, recursive: bool = True) -> None:
        """Check that the children have this container as their parent.

        Parameters
        ----------
        recursive : bool, default True
            Check the containers below as well.

        Raises
        ------
        AttributeError
            Naming the first child whose parent is another object or none.
        """
        for child in self._linked_children():
            if not any(parent is self for parent in child.parents):
                raise AttributeError(
                    f"{type(child).__name__} {child.name!r} is listed by {self!r}, "
                    f"which is not its parent: {child.parents!r}"
                )
        for container in self.container_children if recursive else ():
            container.check_relationships(recursive=True)

    def create_relationship(
        self,
        force: bool = False,
        recursive: bool = True,
    ) -> None:
        """Make this container the parent of its children.

        Parameters
        ----------
        force : bool, default False
            Also of those that have another parent.
        recursive : bool, default True
            Do the same in the containers below.
        """
        for child in self._linked_children():
            if force or all(parent is None for parent in child.parents):
                child.set_parent(self)
        for container in self.container_children if recursive else ():
            container.create_relationship(force=force, recursive=True)

    # --- merging ----------------------------------------------------------------------
    def merge(self, *others: Any) -> None:
        """Move the contents of other containers of the same class into this one.

        Containers of the same name are merged and others appended. Data objects of
        segments with the same name that can be merged are (lists and groups then have
        the result in their place), and others appended. Objects that are
        here already are left alone. Annotations are merged.

        Parameters
        ----------
        *others : Container
            Of the same class. They go on listing their objects, whose parent becomes
            this container (or the one merged with theirs).

        Raises
        ------
        TypeError
            If one is of another class.
        """
        for other in others:
            if type(other) is not type(self):
                raise TypeError(
                    f"a {type(self).__name__} cannot be merged with a {type(other).__name__}"
                )
        replaced = _Replaced()
        for other in others:
            self._take_over(other, replaced)
            super().merge(other)
        for group in self.container_children_recur if replaced else ():
            group._substitute(replaced)

    def _take_over(self, other: Container, replaced: _Replaced) -> None:
        """Merge the children of `other`; note in `replaced` what a merge stands in for."""
        if other is self:
            return
        for name in self._all_lists:
            theirs = other._lists.get(name)
            if theirs:
                self._take_over_list(getattr(self, name), theirs, replaced)

    def _take_over_list(
        self, mine: ObjectList[Any], theirs: Iterable[Any], replaced: _Replaced
    ) -> None:
        by_name = {child.name: child for child in reversed(list(mine)) if child.name is not None}
        for original in list(theirs):
            child = replaced.current(original)
            namesake = by_name.get(child.name)
            if child in mine:
                continue
            if isinstance(namesake, Container):
                namesake._take_over(child, replaced)
                BaseNeo.merge(namesake, child)
            elif namesake is None or not self._merge_data(mine, namesake, child, replaced):
                mine.append(child)
            else:
                by_name[child.name] = replaced.current(namesake)

    def _merge_data(
        self, mine: ObjectList[Any], namesake: Any, child: Any, replaced: _Replaced
    ) -> bool:
        """Put the merge of two data objects in place of `namesake`; False if impossible."""
        if type(namesake) is not type(child) or type(namesake).merge is BaseNeo.merge:
            return False
        length, segment = len(mine), child.segment
        child.segment = namesake.segment  # data objects of two segments refuse to merge
        try:
            merged = namesake.merge(child)
        except (MergeError, NotImplementedError, ValueError):
            return False
        finally:
            child.segment = segment
        del mine[length:]  # a spike train appends the result of a merge to its segment
        mine[mine.index(namesake)] = merged
        replaced.note(namesake, merged)
        replaced.note(child, merged)
        return True

    def _substitute(self, replaced: _Replaced) -> None:
        """List the results of merges instead of the objects that went into them."""
        for own in self._lists.values():
            for position in reversed(range(len(own))):
                item = own[position]
                current = replaced.current(item)
                if current is not item and current in own:
                    del own[position]
                elif current is not item:
                    own[position] = current

    # --- copying ----------------------------------------------------------------------
    def __copy__(self) -> Self:
        """Copy the container alone: it lists the same objects, whose parent stays the other."""
        new = type(self).__new__(type(self))
        new.__dict__.update(self.__dict__)
        new.annotations = self.annotations.copy()
        new._lists = {}
        for name, own in self._lists.items():
            getattr(new, name)._unpack(own._packed_copy())
        return new

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Copy the whole tree below; links stay inside the copy, its own parent is None."""
        new = type(self).__new__(type(self))
        memo[id(self)] = new
        for key, value in self.__dict__.items():
            if key in self._parent_attrs:
                new.__dict__[key] = None
            elif key != "_lists":
                new.__dict__[key] = value if value is None else copy.deepcopy(value, memo)
        new._lists = {}
        for name, own in self._lists.items():
            if own:
                copied = new._lists[name] = copy.deepcopy(own, memo)
                if own.parent is not None:
                    copied._link_all(new)
        return new

    def __getstate__(self) -> dict[str, Any]:
        """Children go into a pickle as plain lists, which are smaller and faster."""
        lists = {name: own._packed() for name, own in self._lists.items() if own}
        return self.__dict__ | {"_lists": lists}

    def __setstate__(self, state: dict[str, Any]) -> None:
        lists = state["_lists"]
        self.__dict__.update(state)
        self._lists = {}
        for name, packed in lists.items():
            getattr(self, name)._unpack(packed)

    # --- representation ---------------------------------------------------------------
    def _counts(self) -> str:
        """Return the numbers of children, of lists that are not empty."""
        counted = [f"{number} {name}" for name, number in self.size.items() if number]
        return ", ".join(counted) or "no children"

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        return f"<{type(self).__name__}{name} with {self._counts()}>"

    def _pretty_lines(self) -> list[str]:
        return [f"{type(self).__name__} with {self._counts()}"]

    def describe(
        self, *, max_items: int = 10, max_lines: int = 200, annotations: bool = False
    ) -> str:
        """Describe what is below this container as a tree of text; loads nothing.

        Parameters
        ----------
        max_items : int, default 10
            Most objects of each child list that get a line of their own; others are counted.
        max_lines : int, default 200
            Most objects in all.
        annotations : bool, default False
            Show annotations too, and the names of array annotations.

        Returns
        -------
        str
            One line per object: class, name, counts, shapes, units, rates and times.

        Raises
        ------
        ValueError
            If a number is below 1.

        Examples
        --------
        >>> import quantities as pq
        >>> from ephyrus.core import Block, Event, Segment
        >>> block = Block(name="session 1")
        >>> block.segments.append(Segment(name="baseline"))
        >>> block.segments[0].events.append(Event([1, 2] * pq.s, labels=["on", "off"]))
        >>> print(block.describe())
        Block 'session 1': 1 Segment
        └─ Segment 'baseline': 1 Event, 1 s to 2 s
           └─ Event: 2 events, 1 s to 2 s, labels 'on', 'off'
        """
        from ephyrus.core._describe import describe

        return describe(self, max_items, max_lines, annotations)
