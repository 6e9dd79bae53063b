"""`AsyncClient`: a data service, for programs that wait for many things at once."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ephyrus.client import appending, removing, selections
from ephyrus.client.appending import Appended, Datafile
from ephyrus.client.calls import Call, Flow, Reply, Step
from ephyrus.client.face import Face
from ephyrus.client.objects import FetchedArray, Page, RemoteObject, collection
from ephyrus.client.selections import SavedSelection
from ephyrus.client.transport import (
    Pieces,
    closed,
    pause_before,
    prepared,
    taken,
    unreachable,
)
from ephyrus.errors import RemoteError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ephyrus.core import Block

__all__ = ["AsyncClient"]

T = TypeVar("T")


class AsyncClient(Face):
    """A data service, for asynchronous programs (asyncio or trio).

    Parameters and methods are those of `ephyrus.client.Client`; methods are awaited. Lazy objects
    of `block` load synchronously, as all objects do: load them in a worker thread, or fetch windows
    with `array`. They are read with the session or token of this client, a session only until
    it is closed.
    """

    def _open(self, transport: Any) -> None:
        """Make what connections need."""
        import anyio  # which the HTTP library brings

        self._lock = anyio.Lock()
        self._limiter = anyio.CapacityLimiter(self.access.connections)
        self._http = self._library.AsyncClient(**self._http_options(transport))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the session, if one was begun, and close the connections."""
        self._login = None
        if self._has_session:
            self._has_session = False
            with suppress(RemoteError):  # it ends by itself, later
                await self._drive(self.flows.logout())
        await self._http.aclose()

    @property
    def is_closed(self) -> bool:
        """Nothing can be fetched any more."""
        return bool(self._http.is_closed)

    async def run(self, flow: Flow[T]) -> T:
        """Drive a flow to its end."""
        await self._ensure_login()
        return await self._drive(flow)

    async def _ensure_login(self) -> None:
        if self._login is None:
            return
        async with self._lock:
            if self._login is not None:
                await self._drive(self.flows.login(*self._login))
                self._login, self._has_session = None, True

    async def _drive(self, flow: Flow[T]) -> T:
        answer: Any = None
        try:
            step = next(flow)
            while True:
                try:
                    answer = await self._taken(step)
                except RemoteError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as stop:
            found: T = stop.value
            return found

    async def _taken(self, step: Step) -> Reply | list[Reply | None]:
        """Make the call, or the calls, of a step."""
        if isinstance(step, Call):
            return await self._send(step)
        import anyio

        replies: list[Reply | None] = [None] * len(step)
        failures: list[RemoteError] = []

        async def send_one(position: int, call: Call) -> None:
            async with self._limiter:
                if failures:
                    return
                try:
                    replies[position] = await self._send(call)
                except RemoteError as error:
                    failures.append(error)

        async with anyio.create_task_group() as group:
            for position, call in enumerate(step):
                group.start_soon(send_one, position, call)
        if failures:
            raise failures[0]
        return replies

    async def _send(self, call: Call) -> Reply:
        """Send a call, again where that may help."""
        import anyio

        attempt = 0
        while True:
            try:
                return await self._once(call)
            except RemoteError as error:
                pause = pause_before(self.access, call, attempt, error)
                if pause is None:
                    raise
            attempt += 1
            await anyio.sleep(pause)

    async def _once(self, call: Call) -> Reply:
        if self._http.is_closed:
            raise closed(self.access)
        request = prepared(self._http, self.access, call, is_async=True)
        try:
            response = await self._http.send(request, stream=True)
            try:
                pieces = Pieces(response, call.most_bytes)
                async for piece in response.aiter_bytes():
                    pieces.add(piece)
            finally:
                await response.aclose()
        except (self._library.TransportError, self._library.DecodingError) as error:
            raise unreachable(self.access, error) from error
        return taken(response, pieces.whole)

    async def get(self, type_name: str, id: int | str, **params: Any) -> RemoteObject:
        """Fetch an object; see `Client.get`."""
        return await self.run(self.flows.get(self.permalink(type_name, id), params))

    async def select(self, type_name: str, **params: Any) -> Page:
        """Fetch a page of the objects that filters select."""
        return await self.run(self.flows.page(collection(type_name), params))

    async def iterate(self, type_name: str, **params: Any) -> AsyncIterator[RemoteObject]:
        """Go through all objects that filters select, fetching page after page."""
        page = await self.select(type_name, **params)
        while True:
            for each in page:
                yield each
            if page.next is None:
                return
            page = await self.run(self.flows.page(page.next, {}))

    async def create(self, type_name: str, **values: Any) -> RemoteObject:
        """Create an object."""
        return await self.run(self.flows.create(type_name, self.plain(values)))

    async def create_many(self, items: Sequence[Mapping[str, Any]]) -> list[RemoteObject]:
        """Create objects in one request, all or none; see `Client.create_many`."""
        return await self.run(self.flows.create_many([self.plain(item) for item in items]))

    async def update(
        self, owner: RemoteObject, *, force: bool = False, **values: Any
    ) -> RemoteObject:
        """Change an object; see `Client.update`."""
        guid = None if force else owner.guid
        return await self.run(self.flows.update(owner.permalink, self.plain(values), guid))

    async def delete(self, owner: RemoteObject, *, force: bool = False) -> None:
        """Delete an object and what lies below it."""
        await self.run(self.flows.delete(owner.permalink, force=force))

    async def remove_upload(self, block: RemoteObject, *, force: bool = False) -> None:
        """Take away all that `upload` has made; see `Client.remove_upload`."""
        await self.run(removing.removed(self.flows, block, force=force))

    async def selections(self, type_name: str | None = None) -> list[SavedSelection]:
        """Give the saved selections that one may see; see `Client.selections`."""
        return await self.run(selections.listed(self.flows, type_name))

    async def save_selection(
        self, type_name: str, name: str, filters: Mapping[str, Any], **values: Any
    ) -> SavedSelection:
        """Save filters under a name; see `Client.save_selection`."""
        return await self.run(selections.saved(self.flows, type_name, name, filters, values))

    async def change_selection(
        self,
        selection: SavedSelection | int,
        *,
        filters: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> SavedSelection:
        """Change a saved selection; see `Client.change_selection`."""
        return await self.run(selections.changed(self.flows, selection, filters, values))

    async def delete_selection(self, selection: SavedSelection | int) -> None:
        """Delete a saved selection, and nothing of what it selects."""
        await self.run(self.flows.told(selections.removed(selection)))

    async def array(self, owner: RemoteObject, name: str, **params: Any) -> FetchedArray:
        """Fetch an array of an object, or a part of it; see `Client.array`."""
        return await self.run(self.flows.array(owner, name, params))

    async def acl(self, owner: RemoteObject) -> dict[str, Any]:
        """Tell who may see and change an object."""
        return await self.run(self.flows.told(Call("GET", f"{owner.permalink}/acl/")))

    async def share(
        self,
        owner: RemoteObject,
        *,
        safety_level: int | None = None,
        shared_with: Mapping[str, int | str] | None = None,
        cascade: bool = False,
    ) -> dict[str, Any]:
        """Say who may see and change an object; see `Client.share`."""
        call = self.share_call(owner, safety_level, shared_with, cascade=cascade)
        return await self.run(self.flows.told(call))

    async def annotate(
        self, owner: RemoteObject, values: Sequence[RemoteObject | str], *, replace: bool = False
    ) -> dict[str, Any]:
        """Tag an object, and what lies below it, with metadata values."""
        return await self.run(self.flows.told(self.annotate_call(owner, values, replace=replace)))

    async def upload_file(
        self,
        path: str | os.PathLike[str],
        *,
        section: RemoteObject | None = None,
        convert: bool = True,
        progress: Callable[[int], object] | None = None,
    ) -> RemoteObject:
        """Send a file; see `Client.upload_file`."""
        upload = self.upload_value(Path(path), progress)
        place = None if section is None else section.id
        (found,) = await self.run(self.flows.upload([upload], place, convert=convert))
        return found

    async def append(
        self,
        datafile: Datafile,
        array: ArrayLike,
        *,
        start: int | None = None,
        beside: Mapping[Datafile, ArrayLike] | None = None,
    ) -> Appended:
        """Append rows to an array that grows; see `Client.append`."""
        return await self.run(appending.append(self.flows, datafile, array, start, beside or {}))

    async def upload_arrays(
        self,
        arrays: Mapping[str, Any],
        *,
        section: RemoteObject | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> list[RemoteObject]:
        """Send arrays in one request, all or none; see `Client.upload_arrays`."""
        uploads = self.array_uploads(arrays, progress)
        place = None if section is None else section.id
        return await self.run(self.flows.upload_arrays(uploads, place))

    async def block(self, id: int | str, *, lazy: bool = True) -> Block:
        """Give a block as an object of `ephyrus.core`; see `Client.block`."""
        made: Block = await self._in_thread("block", id, lazy=lazy)
        return made

    async def upload(self, block: Block, *, progress: Any = None) -> RemoteObject:
        """Send a whole block; see `Client.upload`."""
        made: RemoteObject = await self._in_thread("upload", block, progress=progress)
        return made

    async def _in_thread(self, method: str, *args: Any, **keywords: Any) -> Any:
        """Call a method of a synchronous client of the same service in a worker thread."""
        import anyio.to_thread

        from ephyrus.client.sync import Client

        await self._ensure_login()
        access = self.access
        client = Client(
            access.address,
            token=access.token,
            cache=self.flows.cache,
            retries=access.retries,
            timeout=access.timeout,
            connections=access.connections,
        )
        client.take_session(self._http.cookies)
        return await anyio.to_thread.run_sync(lambda: getattr(client, method)(*args, **keywords))
