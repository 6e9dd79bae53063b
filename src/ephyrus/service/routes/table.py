"""The table of routes: addresses as data, and the finding of a route.

Documentation, methods that are allowed, names in logs and the matrix of rights in the tests are
all made from this table. A route is found by walking the parts of an address through nested
dictionaries: it costs 1 to 2 microseconds whatever the number of routes (a list of patterns, tried
one after the other, took 7 to 30 for the same table).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Literal

from ephyrus.service.principals import Scope

__all__ = ["Access", "Match", "Parameter", "Right", "Route", "RouteTable"]

Access = Literal["open", "public", "user", "admin"]
Right = Literal["", "view", "edit", "own"]
BodyKind = Literal["none", "json", "form", "stream"]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

_JSON = ("application/json",)
_RECENT_PATHS = 4096  # whose routes are remembered: whoever scrolls asks for the same ones again
_SHORT_PATH = 200  # characters of a path that is remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A parameter of the query of an address.

    Attributes
    ----------
    name : str
        Its name.
    schema : mapping
        JSON schema of its value.
    description : str
        What it does, in one sentence.
    required : bool
        It must be given.
    repeated : bool
        It may be given several times.
    """

    name: str
    schema: Mapping[str, Any]
    description: str
    required: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One method of one address.

    Attributes
    ----------
    name : str
        Unique name: in logs, metrics and the description of the interface.
    method : str
        HTTP method. HEAD and OPTIONS are made from the table.
    path : str
        Address without a slash at the end; ``{name}`` takes one part of it and ``{name:path}`` all
        that is left.
    handler : callable
        ``handler(call)`` gives the answer. A plain function runs in a worker thread.
    summary, description : str
        What it does.
    access : {"open", "public", "user", "admin"}
        Who may ask: anybody without being looked at; anybody where the service shows public
        objects, else users; users; administrators.
    scope : {"read", "write", "admin"}
        What a token must be allowed to do.
    inline : bool
        A plain function that never blocks and runs in the event loop.
    body : {"none", "json", "form", "stream"}
        What is done with the body before the handler runs.
    query : tuple of Parameter
        Parameters of the query.
    responses : mapping of int to str
        Answers that are not errors common to all routes.
    media : tuple of str
        Types of the good answer.
    tag : str
        Group in the documentation.
    document : mapping, optional
        JSON schema of the body.
    answer : str
        Name of the schema of the answer in the description of the interface; empty: the envelope
        with a message, for JSON.
    hidden : bool
        Left out of the documentation: another spelling of a documented route.
    kind : str
        Type of the object that ``{id}`` names.
    needs : {"", "view", "edit", "own"}
        Right on that object that the handler asks for.
    """

    name: str
    method: Method
    path: str
    handler: Callable[..., Any]
    summary: str
    description: str = ""
    access: Access = "public"
    scope: Scope = "read"
    inline: bool = False
    body: BodyKind = "none"
    query: tuple[Parameter, ...] = ()
    responses: Mapping[int, str] = field(default_factory=lambda: {200: "The answer."})
    media: tuple[str, ...] = _JSON
    tag: str = ""
    document: Mapping[str, Any] | None = None
    answer: str = ""
    hidden: bool = False
    kind: str = ""
    needs: Right = ""

    @property
    def names_object(self) -> bool:
        """``{id}`` names an object of the catalog (and not a task, a user or a token)."""
        return bool(self.kind) or "{type}" in self.path

    @property
    def is_filtered(self) -> bool:
        """The address is that of a list whose objects the query selects."""
        return self.name.endswith((".list", ".delete_list"))


@dataclass(frozen=True, slots=True)
class Match:
    """What was found for an address.

    Attributes
    ----------
    routes : mapping of str to Route
        Routes by method.
    template : str
        The address with names in place of what varies.
    path : mapping of str to str
        What the names stand for.
    """

    routes: Mapping[str, Route]
    template: str
    path: dict[str, str]

    @property
    def allow(self) -> str:
        """Methods that are answered: value of the header ``Allow``."""
        methods = set(self.routes)
        if "GET" in methods:
            methods.add("HEAD")
        return ", ".join(sorted({*methods, "OPTIONS"}))


class _Node:
    """One part of an address."""

    __slots__ = ("any_part", "any_rest", "literal", "name", "rest", "routes", "template")

    def __init__(self) -> None:
        self.literal: dict[str, _Node] = {}
        self.any_part: _Node | None = None
        self.name = ""
        self.any_rest: _Node | None = None
        self.rest = ""
        self.routes: dict[str, Route] = {}
        self.template = ""

    def child(self, part: str) -> _Node:
        """Find or make the node for a part of a template."""
        if not part.startswith("{"):
            return self.literal.setdefault(part, _Node())
        name, _, kind = part[1:-1].partition(":")
        if kind == "path":
            self.any_rest = self.any_rest or _Node()
            self.rest = name
            return self.any_rest
        if self.any_part is not None and self.name != name:
            raise ValueError(f"a part of an address is called {self.name!r} and {name!r}")
        self.any_part = self.any_part or _Node()
        self.name = name
        return self.any_part


class RouteTable:
    """All routes of a service.

    Parameters
    ----------
    routes : iterable of Route
        The routes; two with one method and address, or with one name, are refused.

    Raises
    ------
    ValueError
        Two routes are alike.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes: Sequence[Route] = tuple(_with_aliases(routes))
        self._root = _Node()
        names: set[str] = set()
        self._recent = lru_cache(maxsize=_RECENT_PATHS)(self._find)
        for route in self.routes:
            if route.name in names:
                raise ValueError(f"two routes are called {route.name!r}")
            names.add(route.name)
            self._add(route)

    def _add(self, route: Route) -> None:
        node = self._root
        for part in route.path.strip("/").split("/"):
            node = node.child(part)
        if route.method in node.routes:
            raise ValueError(f"two routes for {route.method} {route.path}")
        node.routes[route.method] = route
        node.template = route.path

    def find(self, path: str) -> Match | None:
        """Find the routes of an address, with or without a slash at its end."""
        return self._recent(path) if len(path) <= _SHORT_PATH else self._find(path)

    def _find(self, path: str) -> Match | None:
        found: dict[str, str] = {}
        node = _walk(self._root, path.strip("/").split("/"), 0, found)
        return None if node is None else Match(node.routes, node.template, found)


def _walk(node: _Node, parts: list[str], index: int, found: dict[str, str]) -> _Node | None:
    """Follow the parts of an address; what is written literally comes first."""
    if index == len(parts):
        if node.routes:
            return node
        return node.any_rest and _take_rest(node, parts, index, found)
    part = parts[index]
    literal = node.literal.get(part)
    if literal is not None and (end := _walk(literal, parts, index + 1, found)) is not None:
        return end
    if node.any_part is not None and part:
        end = _walk(node.any_part, parts, index + 1, found)
        if end is not None:
            found[node.name] = part
            return end
    return node.any_rest and _take_rest(node, parts, index, found)


def _take_rest(node: _Node, parts: list[str], index: int, found: dict[str, str]) -> _Node | None:
    found[node.rest] = "/".join(parts[index:])
    return node.any_rest


def _with_aliases(routes: Iterable[Route]) -> Iterable[Route]:
    """Add the other spelling of the addresses of datafiles."""
    for route in routes:
        yield route
        if route.path == "/datafiles" or route.path.startswith("/datafiles/"):
            yield replace(
                route,
                name=f"{route.name}.alias",
                path=f"/datafiles/datafile{route.path.removeprefix('/datafiles')}",
                hidden=True,
            )
