"""One request, as handlers see it, and what a process keeps for all of them."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from functools import partial
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload
from urllib.parse import parse_qsl

from ephyrus.service.catalog.ids import parse_id
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import ANONYMOUS, Principal
from ephyrus.service.routes.bodies import read_stream
from ephyrus.service.routes.table import Route

if TYPE_CHECKING:
    from starlette.types import Receive, Scope

    from ephyrus.service.accounts.authentication import Authenticator
    from ephyrus.service.db.engine import Database
    from ephyrus.service.files.store import ArrayStore
    from ephyrus.service.routes.table import RouteTable
    from ephyrus.service.settings import Settings

__all__ = ["MOST_PARAMETERS", "Call", "Query", "Service"]

MOST_PARAMETERS = 1000  # in one query: more than any list of ids that is asked for in one request

P = ParamSpec("P")
T = TypeVar("T")


def _pairs(text: str) -> list[tuple[str, str]]:
    """Take a query apart: as `parse_qsl` does, but most queries hold nothing to be decoded.

    Raises
    ------
    ValueError
        If there are too many parameters; UnicodeDecodeError if they are not UTF-8.
    """
    if "%" in text or "+" in text or text.count("&") >= MOST_PARAMETERS:
        return parse_qsl(
            text, keep_blank_values=True, max_num_fields=MOST_PARAMETERS, errors="strict"
        )
    parts = (part.partition("=") for part in text.split("&") if part)
    return [(name, value) for name, _, value in parts]


class Query:
    """The parameters of an address.

    Parameters
    ----------
    text : str
        What stands behind the question mark.

    Attributes
    ----------
    pairs : list of (str, str)
        Names and values in the order in which they were sent.
    """

    __slots__ = ("_values", "pairs")

    def __init__(self, text: str) -> None:
        try:
            self.pairs = _pairs(text)
        except UnicodeDecodeError:
            raise ServiceError(
                "wrong_params", "The query is not UTF-8 text; encode the address as UTF-8."
            ) from None
        except ValueError:
            raise ServiceError(
                "wrong_params", f"A query may have at most {MOST_PARAMETERS} parameters."
            ) from None
        self._values: dict[str, list[str]] = {}
        for name, value in self.pairs:
            if "\x00" in name or "\x00" in value:
                raise ServiceError("wrong_params", "A query may not hold the character 0.")
            self._values.setdefault(name, []).append(value)

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def names(self) -> tuple[str, ...]:
        """All names, each once."""
        return tuple(self._values)

    def all(self, name: str) -> list[str]:
        """All values of a parameter."""
        return list(self._values.get(name, ()))

    @overload
    def one(self, name: str) -> str | None: ...
    @overload
    def one(self, name: str, default: str) -> str: ...
    def one(self, name: str, default: str | None = None) -> str | None:
        """Value of a parameter that may be given once.

        Raises
        ------
        ServiceError
            It is given several times (400 ``wrong_params``).
        """
        values = self._values.get(name)
        if values is None:
            return default
        if len(values) > 1:
            raise ServiceError(
                "wrong_params", f"{name} is given {len(values)} times; give it once.", details=name
            )
        return values[0]

    def flag(self, name: str, default: bool = False) -> bool:
        """Truth of a parameter: ``0`` and ``false`` are false, ``1``, ``true``, empty are true."""
        value = self.one(name)
        if value is None:
            return default
        known = {"0": False, "false": False, "1": True, "true": True, "": True}.get(value.lower())
        if known is None:
            raise ServiceError(
                "wrong_params", f"{name} is {value[:40]!r}; it must be 0 or 1.", details=name
            )
        return known

    def number(self, name: str, default: int, *, least: int = 0, most: int = 2**63 - 1) -> int:
        """Whole number of a parameter.

        Raises
        ------
        ServiceError
            It is not a plain number, or not within the limits (400 ``wrong_params``).
        """
        value = self.one(name)
        if value is None:
            return default
        if not (value.isascii() and value.isdigit() and len(value) <= 19):
            raise ServiceError(
                "wrong_params",
                f"{name} is {value[:40]!r}; it must be a whole number of {least} or more.",
                details=name,
            )
        if not least <= int(value) <= most:
            raise ServiceError(
                "wrong_params",
                f"{name} is {value}; it must lie between {least} and {most}.",
                details=name,
            )
        return int(value)

    def check_names(self, known: frozenset[str]) -> None:
        """Refuse parameters that the request does not have; ``_...`` is free for caches.

        Raises
        ------
        ServiceError
            There is another one (400 ``wrong_params``); the message names a similar one.
        """
        for name in self._values:
            if name not in known and not name.startswith("_"):
                near = get_close_matches(name, known, 1)
                hint = f" Did you mean {near[0]}?" if near else ""
                raise ServiceError(
                    "wrong_params",
                    f"{name[:60]!r} is not a parameter of this request.{hint}",
                    details=name[:200],
                )


class Service:
    """What one process of the service keeps.

    Parameters
    ----------
    settings : Settings
        The settings.
    database : Database
        The catalog.
    authenticator : Authenticator
        Finds who asks.
    store : ArrayStore
        Where arrays lie.
    table : RouteTable
        All routes.
    recordings : object, optional
        Pool of the recordings that are served in place.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        authenticator: Authenticator,
        store: ArrayStore,
        table: RouteTable,
        *,
        recordings: Any = None,
    ) -> None:
        self.settings = settings
        self.database = database
        self.authenticator = authenticator
        self.store = store
        self.table = table
        self.recordings = recordings
        self.stopping = threading.Event()
        self.threads = ThreadPoolExecutor(settings.request_threads, "ephyrus-request")
        self._streams = ThreadPoolExecutor(settings.stream_threads, "ephyrus-stream")
        self._parts: dict[str, Any] = {}
        self._lock = threading.RLock()

    def part(self, key: str, make: Callable[[Service], T]) -> T:
        """Give what a module keeps per process; made at the first call."""
        found = self._parts.get(key)
        if found is None:
            with self._lock:
                found = self._parts.get(key)
                if found is None:
                    found = self._parts[key] = make(self)
        made: T = found  # the maker of a key is always the same
        return made

    async def close(self) -> None:
        """Close all parts, last made first, then the threads."""
        for part in reversed(self._parts.values()):
            close = getattr(part, "close", None)
            result = close() if close is not None else None
            if inspect.isawaitable(result):
                await result
        self._parts.clear()
        self._streams.shutdown(wait=True, cancel_futures=True)
        self.threads.shutdown(wait=True, cancel_futures=True)

    async def thread(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that blocks in a worker thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, partial(function, *args, **kwargs))

    async def stream(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that makes a block of a streamed answer in a thread.

        These have threads of their own: however many answers are being sent, other requests do not
        wait behind their blocks.
        """
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._streams, partial(function, *args, **kwargs))


class Call:
    """One request.

    Attributes
    ----------
    service : Service
        What the process keeps.
    scope : mapping
        ASGI scope.
    receive : callable
        Gives the messages of the body.
    route : Route
        The route that was found.
    path : mapping of str to str
        Parts of the address by name.
    method : str
        HTTP method; ``"GET"`` for HEAD.
    is_head : bool
        Only headers are asked for.
    principal : Principal
        Who asks.
    stamp : object
        State of the catalog when the request came.
    request_id : str
        Names the request in logs.
    document : object
        The JSON body, for routes that take one; None: no body.
    form : dict of str to object
        The fields of a form, for routes that take one.
    """

    __slots__ = (
        "_headers", "_query", "document", "form", "is_head", "method", "path", "principal",
        "receive", "request_id", "route", "scope", "service", "stamp",
    )  # fmt: skip

    def __init__(
        self,
        service: Service,
        scope: Scope,
        receive: Receive,
        route: Route,
        path: Mapping[str, str],
        *,
        request_id: str = "",
    ) -> None:
        self.service = service
        self.scope = scope
        self.receive = receive
        self.route = route
        self.path = path
        self.is_head = scope["method"] == "HEAD"
        self.method: str = "GET" if self.is_head else scope["method"]
        self.principal: Principal = ANONYMOUS
        self.stamp: Any = None
        self.request_id = request_id
        self.document: Any = None
        self.form: dict[str, Any] = {}
        self._query: Query | None = None
        self._headers: dict[str, str] | None = None

    @property
    def query(self) -> Query:
        """Parameters of the address."""
        if self._query is None:
            self._query = Query(self.scope["query_string"].decode("latin-1"))
        return self._query

    @property
    def headers(self) -> dict[str, str]:
        """Headers by lower-case name; one that came several times is joined by commas."""
        if self._headers is None:
            headers: dict[str, str] = {}
            for name, value in self.scope["headers"]:
                key, text = name.decode("latin-1"), value.decode("latin-1")
                headers[key] = f"{headers[key]}, {text}" if key in headers else text
            self._headers = headers
        return self._headers

    def header(self, name: str, default: str = "") -> str:
        """Value of a header."""
        return self.headers.get(name, default)

    @property
    def id(self) -> int:
        """The object that the address names.

        Raises
        ------
        ServiceError
            What stands there cannot be an id (404 ``does_not_exist``).
        """
        return parse_id(self.path["id"], self.service.settings.id_style)

    def stream(
        self, *, limit: int | None = None, idle: float | None = None
    ) -> AsyncIterator[bytes]:
        """Read the body in pieces.

        Parameters
        ----------
        limit : int, optional
            Most bytes that are taken; None: ``settings.max_upload_bytes``.
        idle : float, optional
            Seconds that may pass between two pieces; None: ``settings.receive_timeout``.

        Raises
        ------
        ServiceError
            More is sent (413 ``too_large``), or the sender is too slow (408
            ``request_timeout``).
        """
        settings = self.service.settings
        return read_stream(
            self.receive,
            self.headers,
            limit=settings.max_upload_bytes if limit is None else limit,
            idle=settings.receive_timeout if idle is None else idle,
            total=None,
        )

    async def thread(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that blocks in a worker thread."""
        return await self.service.thread(function, *args, **kwargs)
