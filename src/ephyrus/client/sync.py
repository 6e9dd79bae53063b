"""`Client`: a data service, one call after the other."""

from __future__ import annotations

import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ephyrus.client.cache import BodyCache, default_cache
from ephyrus.client.calls import Call, Flow, Reply, Step
from ephyrus.client.face import Face
from ephyrus.client.flows import Flows
from ephyrus.client.objects import FetchedArray, Page, RemoteObject, collection
from ephyrus.client.transport import (
    Access,
    Pieces,
    base_address,
    closed,
    http_library,
    pause_before,
    prepared,
    taken,
    unreachable,
)
from ephyrus.errors import RemoteError

if TYPE_CHECKING:
    from ephyrus.core import Block

__all__ = ["Client"]

T = TypeVar("T")


class Client(Face):
    """A data service. May be used from several threads.

    A pickled client, and so a pickled lazy object, holds what it needs to go on elsewhere: a token
    that was given (not one of the variable, which is read there), or the session; no password.

    Parameters
    ----------
    address : str
        ``http://host:port``.
    token : str, optional
        Bearer token (default: the variable ``EPHYRUS_TOKEN``). It is sent to this address only;
        redirects are not followed.
    username, password : str, optional
        Log in with these instead; the session ends with `close`.
    cache : BodyCache, None or "default"
        Where arrays are kept that were fetched; None: nowhere.
    retries : int, optional
        How often a call is sent again when the connection fails or the service is busy. Calls that
        create or change are not.
    timeout : float, optional
        Seconds without a byte after which a connection is given up.
    connections : int, optional
        Parts of a large array that are fetched at the same time.
    transport : object, optional
        Transport of the HTTP library, for tests and special networks.

    Raises
    ------
    MissingExtraError
        If the HTTP library is not installed.
    ValueError
        If the address is none, or holds a password.

    Examples
    --------
    >>> from ephyrus.client import Client
    >>> with Client("http://127.0.0.1:8420", token=token) as service:  # doctest: +SKIP
    ...     signal = service.select("analogsignalarray", name__icontains="lfp")[0]
    ...     part = service.array(signal, "signal", start_time=50, duration=100)
    """

    def __init__(
        self,
        address: str,
        *,
        token: str = "",
        username: str = "",
        password: str = "",
        cache: BodyCache | str | None = "default",
        retries: int = 4,
        timeout: float = 30.0,
        connections: int = 4,
        transport: Any = None,
    ) -> None:
        library = http_library()
        self.access = Access(base_address(address), token, retries, timeout, connections)
        kept = default_cache() if isinstance(cache, str) else cache
        super().__init__(Flows(self.access.address, kept))
        self._library = library
        self._login = (username, password) if username else None
        self._has_session = False
        self._lock = threading.RLock()
        self._pool: ThreadPoolExecutor | None = None
        self._http = library.Client(
            headers=self.access.headers(),
            timeout=timeout,
            transport=transport,
            verify=self.access.is_secure,  # reading the certificates takes longer than many calls
            follow_redirects=False,
        )
        weakref.finalize(self, self._http.close)  # lazy objects hold clients that nobody closes

    @property
    def address(self) -> str:
        """Address of the service."""
        return self.access.address

    def __repr__(self) -> str:
        return f"<Client of {self.address}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the session, if one was begun, and close the connections."""
        with self._lock:
            self._login = None
            if self._has_session:
                self._has_session = False
                with suppress(RemoteError):  # it ends by itself, later
                    self._drive(self.flows.logout())
            if self._pool is not None:
                self._pool.shutdown()
                self._pool = None
            self._http.close()

    @property
    def is_closed(self) -> bool:
        """Nothing can be fetched any more."""
        return bool(self._http.is_closed)

    def take_session(self, cookies: Any) -> None:
        """Go on with the session of another client of the same service."""
        self._http.cookies.update(cookies)

    def __reduce__(self) -> tuple[Any, ...]:
        self._ensure_login()
        access = self.access
        keywords = {
            "token": access.token,
            "retries": access.retries,
            "timeout": access.timeout,
            "connections": access.connections,
            "cache": self.flows.cache,
        }
        return _reopened, (access.address, keywords, dict(self._http.cookies))

    # --- driving flows ---

    def run(self, flow: Flow[T]) -> T:
        """Drive a flow to its end."""
        self._ensure_login()
        return self._drive(flow)

    def _ensure_login(self) -> None:
        if self._login is None:
            return
        with self._lock:
            if self._login is not None:
                self._drive(self.flows.login(*self._login))
                self._login, self._has_session = None, True

    def _drive(self, flow: Flow[T]) -> T:
        answer: Any = None
        try:
            step = next(flow)
            while True:
                try:
                    answer = self._taken(step)
                except RemoteError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as stop:
            found: T = stop.value
            return found

    def _taken(self, step: Step) -> Reply | list[Reply]:
        """Make the call, or the calls, of a step."""
        if isinstance(step, Call):
            return self._send(step)
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self.access.connections, "ephyrus-client")
            replies = self._pool.map(self._send, step)
        return list(replies)

    def _send(self, call: Call) -> Reply:
        """Send a call, again where that may help."""
        attempt = 0
        while True:
            try:
                return self._once(call)
            except RemoteError as error:
                pause = pause_before(self.access, call, attempt, error)
                if pause is None:
                    raise
            attempt += 1
            time.sleep(pause)

    def _once(self, call: Call) -> Reply:
        if self._http.is_closed:
            raise closed(self.access)
        request = prepared(self._http, self.access, call)
        try:
            response = self._http.send(request, stream=True)
            try:
                pieces = Pieces(response, call.most_bytes)
                for piece in response.iter_bytes():
                    pieces.add(piece)
            finally:
                response.close()
        except (self._library.TransportError, self._library.DecodingError) as error:
            raise unreachable(self.access, error) from error
        return taken(response, pieces.whole)

    # --- objects ---

    def get(self, type_name: str, id: int | str, **params: Any) -> RemoteObject:
        """Fetch an object.

        Parameters
        ----------
        type_name : str
            Type, such as ``"analogsignal"``.
        id : int or str
            Its id, or its permalink.
        **params
            Parameters of the request: ranges (``start_time``, ``duration``, ``downsample`` ...),
            ``q``, ``cascade``, ``at_time``.

        Raises
        ------
        RemoteMissing
            If there is no such object.
        RemoteForbidden
            If it may not be seen.
        RemoteError
            If a parameter is wrong.
        """
        return self.run(self.flows.get(self.permalink(type_name, id), params))

    def select(self, type_name: str, **params: Any) -> Page:
        """Fetch a page of the objects that filters select (see the page on filters)."""
        return self.run(self.flows.page(collection(type_name), params))

    def iterate(self, type_name: str, **params: Any) -> Iterator[RemoteObject]:
        """Go through all objects that filters select, fetching page after page."""
        page = self.select(type_name, **params)
        while True:
            yield from page
            if page.next is None:
                return
            page = self.run(self.flows.page(page.next, {}))

    def create(self, type_name: str, **values: Any) -> RemoteObject:
        """Create an object."""
        return self.run(self.flows.create(type_name, self.plain(values)))

    def update(self, owner: RemoteObject, *, force: bool = False, **values: Any) -> RemoteObject:
        """Change an object.

        Raises
        ------
        RemoteConflict
            If somebody changed it since it was fetched (not with `force`).
        """
        guid = None if force else owner.guid
        return self.run(self.flows.update(owner.permalink, self.plain(values), guid))

    def delete(self, owner: RemoteObject, *, force: bool = False) -> None:
        """Delete an object and what lies below it; `force`: also when others may write it."""
        self.run(self.flows.delete(owner.permalink, force=force))

    def array(self, owner: RemoteObject, name: str, **params: Any) -> FetchedArray:
        """Fetch an array of an object, or a part of it.

        Parameters
        ----------
        owner : RemoteObject
            The object.
        name : str
            Name of the array, such as ``"signal"``.
        **params
            ``start_time``, ``end_time``, ``duration``, ``start_index``, ``end_index``,
            ``samples_count``, ``downsample``, ``kind``, ``channels``.
        """
        return self.run(self.flows.array(owner, name, params))

    def acl(self, owner: RemoteObject) -> dict[str, Any]:
        """Tell who may see and change an object."""
        return self.run(self.flows.told(Call("GET", f"{owner.permalink}/acl/")))

    def share(
        self,
        owner: RemoteObject,
        *,
        safety_level: int | None = None,
        shared_with: Mapping[str, int | str] | None = None,
        cascade: bool = False,
    ) -> dict[str, Any]:
        """Say who may see (1) and change (2) an object; `shared_with` replaces what was said."""
        call = self.share_call(owner, safety_level, shared_with, cascade=cascade)
        return self.run(self.flows.told(call))

    def annotate(
        self, owner: RemoteObject, values: Sequence[RemoteObject | str], *, replace: bool = False
    ) -> dict[str, Any]:
        """Tag an object, and what lies below it, with metadata values."""
        return self.run(self.flows.told(self.annotate_call(owner, values, replace=replace)))

    # --- files ---

    def upload_file(
        self,
        path: str | os.PathLike[str],
        *,
        section: RemoteObject | None = None,
        convert: bool = True,
        progress: Callable[[int], object] | None = None,
    ) -> RemoteObject:
        """Send a file.

        Parameters
        ----------
        path : path-like
            The file.
        section : RemoteObject, optional
            Section that it goes to.
        convert : bool, optional
            Let the service make objects of a recording.
        progress : callable, optional
            Called with the number of bytes after each piece that was sent.

        Returns
        -------
        RemoteObject
            The datafile.
        """
        upload = self.upload_value(Path(path), progress)
        place = None if section is None else section.id
        (found,) = self.run(self.flows.upload([upload], place, convert=convert))
        return found

    # --- the object model ---

    def block(self, id: int | str, *, lazy: bool = True) -> Block:
        """Give a block as an object of `ephyrus.core`.

        Parameters
        ----------
        id : int or str
            Id or permalink of the block.
        lazy : bool, optional
            Leave the data on the service until they are asked for: ``load(time_slice=...)`` of a
            signal fetches just that window. False: fetch everything now.
        """
        from ephyrus.client.reading import read_block

        return read_block(self, self.permalink("block", id), lazy=lazy)

    def upload(self, block: Block, *, progress: Any = None) -> RemoteObject:
        """Send a whole block: its objects, their numbers, annotations and groups.

        Parameters
        ----------
        block : Block
            Lazy objects are read piece by piece.
        progress : ephyrus.recording.Progress, optional
            Told about bytes sent; cancels.

        Returns
        -------
        RemoteObject
            The block on the service. If it fails midway, what was made so far is taken away.
        """
        from ephyrus.client.writing import write_block

        return write_block(self, block, progress)


_REOPENED: weakref.WeakValueDictionary[Any, Client] = weakref.WeakValueDictionary()
_REOPENING = threading.Lock()


def _reopened(address: str, keywords: dict[str, Any], cookies: dict[str, str]) -> Client:
    """Make the client of lazy objects that were unpickled; those of one service share it."""
    cache = keywords["cache"]
    named = {**keywords, "cache": None if cache is None else str(cache.folder)}
    key = (address, tuple(sorted(named.items())), tuple(sorted(cookies.items())))
    with _REOPENING:
        client = _REOPENED.get(key)
        if client is None or client.is_closed:
            client = _REOPENED[key] = Client(address, **keywords)
            client.take_session(cookies)
    return client
