"""What the client does on the documented interface, as flows (see `ephyrus.client.calls`)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np
from numpy.typing import NDArray

from ephyrus.client.cache import BodyCache
from ephyrus.client.calls import Call, Flow, Reply, Upload
from ephyrus.client.objects import FetchedArray, Page, RemoteObject, collection
from ephyrus.errors import RemoteError

__all__ = ["Flows"]

RANGE_BYTES = 8 * 2**20  # of a body that is fetched in several ranges at the same time
SEEN_OBJECTS = 4096  # answers that are kept for requests that ask whether they still hold
PAGE_OBJECTS = 500
NPY_HEAD = 4096  # more than the head of any npy body


@dataclass(slots=True)
class Flows:
    """The flows of one client.

    Attributes
    ----------
    address : str
        Of the service; part of the keys of the cache, and of messages.
    cache : BodyCache or None
        Where bodies of arrays are kept.
    seen : OrderedDict
        Tags and bodies of objects that were fetched, the last used ones last.
    """

    address: str
    cache: BodyCache | None = None
    seen: OrderedDict[str, tuple[str, bytes]] = field(default_factory=OrderedDict)

    def login(self, username: str, password: str) -> Flow[str]:
        """Begin a session; gives the user's name."""
        form = {"username": username, "password": password}
        reply: Reply = yield Call("POST", "/account/authenticate/", form=form)
        return str(reply.envelope(self.address).get("logged_in_as", username))

    def logout(self) -> Flow[None]:
        """End the session."""
        yield Call("POST", "/account/logout/")

    def get(self, permalink: str, params: Mapping[str, Any]) -> Flow[RemoteObject]:
        """Fetch one object; asks only whether it has changed if it was fetched before."""
        found = yield from self._selected(permalink, params)
        if len(found.objects) != 1:
            raise RemoteError(self.address + permalink, f"gave {len(found.objects)} objects")
        return found.objects[0]

    def page(self, path: str, params: Mapping[str, Any]) -> Flow[Page]:
        """Fetch a page of a list."""
        return (yield from self._selected(path, params))

    def all_of(self, type_name: str, params: Mapping[str, Any]) -> Flow[list[RemoteObject]]:
        """Fetch all objects that a list request selects, page by page."""
        objects: list[RemoteObject] = []
        path: str | None = collection(type_name)
        query: Mapping[str, Any] = {"max_results": PAGE_OBJECTS, **params}
        while path is not None:
            page: Page = yield from self._selected(path, query)
            objects.extend(page.objects)
            path, query = page.next, {}
        return objects

    def _selected(self, path: str, params: Mapping[str, Any]) -> Flow[Page]:
        """Fetch what an address selects."""
        query = _pairs(params)
        key = f"{path}?{urlencode(sorted(query))}"
        tag, body = self.seen.get(key, ("", b""))
        headers = {"if-none-match": tag} if tag else {}
        reply: Reply = yield Call("GET", path, params=query, headers=headers)
        if reply.status == 304:
            reply = Reply(200, {}, body)
            self.seen.move_to_end(key)
        elif "etag" in reply.headers:
            self.seen[key] = reply.headers["etag"], reply.body
            while len(self.seen) > SEEN_OBJECTS:
                self.seen.popitem(last=False)
        return self._page(path, reply)

    def _page(self, path: str, reply: Reply) -> Page:
        told = reply.envelope(self.address + path)
        try:
            objects = tuple(RemoteObject.of(item) for item in told.get("selected") or ())
            first = (told.get("selected_range") or [0])[0]
            return Page(objects, int(first), told.get("total"), told.get("next"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RemoteError(
                self.address + path, f"the answer is not that of a data service ({error!r})"
            ) from error

    # --- changes ---

    def create(self, type_name: str, values: Mapping[str, Any]) -> Flow[RemoteObject]:
        """Create an object."""
        return (yield from self._changed("POST", collection(type_name), values, {}))

    def update(
        self, permalink: str, values: Mapping[str, Any], guid: str | None
    ) -> Flow[RemoteObject]:
        """Change an object; with a guid only if it is still that version."""
        headers = {} if guid is None else {"if-match": guid}
        return (yield from self._changed("POST", permalink, values, headers))

    def _changed(
        self, method: str, path: str, values: Mapping[str, Any], headers: Mapping[str, str]
    ) -> Flow[RemoteObject]:
        reply: Reply = yield Call(method, path, json=dict(values), headers=headers)
        return self._page(path, reply).objects[0]

    def delete(self, permalink: str, *, force: bool) -> Flow[None]:
        """Delete an object and what lies below it."""
        yield Call("DELETE", permalink, params=(("force", "1"),) if force else ())

    def told(self, call: Call) -> Flow[dict[str, Any]]:
        """Make a call whose answer is an envelope."""
        reply: Reply = yield call
        return reply.envelope(self.address + call.path)

    def upload(self, upload: Upload, section: str | None, *, convert: bool) -> Flow[RemoteObject]:
        """Send a file; gives the datafile."""
        params = [("convert", "1" if convert else "0")]
        params += [] if section is None else [("section_id", section)]
        reply: Reply = yield Call("POST", "/datafiles/", params=tuple(params), upload=upload)
        told = reply.envelope(self.address)
        selected = told.get("selected")
        if isinstance(selected, Mapping):
            selected = [selected]
        return self._page("/datafiles/", reply).objects[0] if selected else _no_file(self.address)

    # --- arrays ---

    def array(
        self, owner: RemoteObject, name: str, params: Mapping[str, Any]
    ) -> Flow[FetchedArray]:
        """Fetch an array of an object, or a part of it."""
        if params:
            owner = yield from self.get(owner.permalink, params)
        link = owner.link(name)
        units = owner[name].get("units")
        if link is None:
            return FetchedArray(np.empty(0), units)
        values = yield from self.numbers(link, owner.guid)
        rate = _quantity((owner.partial or {}).get("sampling_rate")) or _quantity(
            owner.fields.get("sampling_rate")
        )
        return FetchedArray(values, units, _quantity(owner.fields.get("t_start")), rate)

    def numbers(
        self, link: str, guid: str, more: Iterable[tuple[str, str]] = ()
    ) -> Flow[NDArray[Any]]:
        """Fetch what an array link names.

        Parameters
        ----------
        link : str
            As the service gave it.
        guid : str
            Of the object that owns the array: the key of the cache.
        more : iterable of (str, str)
            Further parameters of the request.
        """
        path, _, query = link.partition("?")
        given = dict(parse_qsl(query, keep_blank_values=True)) | dict(more) | {"format": "npy"}
        request = f"{path}?{urlencode(given)}"
        if self.cache is not None and guid:
            kept = self.cache.get(self.address, guid, request)
            if kept is not None:
                return _from_npy(kept, request)
        body = yield from self._body(request)
        values = _from_npy(body, self.address + request)
        if self.cache is not None and guid:
            self.cache.put(self.address, guid, request, memoryview(body))
        return values

    def _body(self, request: str) -> Flow[bytes | bytearray]:
        """Fetch a body: its first bytes, then the rest in ranges at the same time."""
        first: Reply = yield Call(
            "GET", request, headers={"range": f"bytes=0-{RANGE_BYTES - 1}", **_NO_CODING}
        )
        total = _total(first)
        if total is None or total <= len(first.body):
            return first.body
        whole = bytearray(total)
        whole[: len(first.body)] = first.body
        condition = {"if-range": first.headers["etag"]} if "etag" in first.headers else {}
        starts = range(len(first.body), total, RANGE_BYTES)
        calls = [
            Call(
                "GET",
                request,
                headers={
                    "range": f"bytes={start}-{min(start + RANGE_BYTES, total) - 1}",
                    **condition,
                    **_NO_CODING,
                },
            )
            for start in starts
        ]
        replies: list[Reply] = yield calls
        for start, reply in zip(starts, replies, strict=True):
            stop = min(start + RANGE_BYTES, total)
            if reply.status != 206 or len(reply.body) != stop - start:
                raise RemoteError(
                    self.address + request,
                    f"the array changed while it was fetched (bytes {start} to {stop})",
                )
            whole[start:stop] = reply.body
        return whole


_NO_CODING = {"accept-encoding": "identity"}  # ranges count bytes of the array itself


def _no_file(address: str) -> RemoteObject:
    raise RemoteError(address, "the service took a file and does not say under which id")


def _pairs(params: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Give the parameters of a query as text; lists repeat a name, None leaves it out."""
    pairs: list[tuple[str, str]] = []
    for name, value in params.items():
        if value is None:
            continue
        values = value if isinstance(value, list | tuple) else [value]
        pairs += [(name, _text(each)) for each in values]
    return tuple(pairs)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return value.permalink if isinstance(value, RemoteObject) else str(value)


def _quantity(value: Any) -> tuple[float, str] | None:
    """Give the number and the unit of a quantity."""
    if not isinstance(value, Mapping) or value.get("data") is None:
        return None
    return float(value["data"]), str(value.get("units") or "")


def _total(reply: Reply) -> int | None:
    """Give the length of the whole body that a range was cut from; None: it is whole."""
    if reply.status != 206:
        return None
    length = reply.headers.get("content-range", "").rpartition("/")[2]
    return int(length) if length.isdecimal() else None


def _from_npy(body: bytes | bytearray, address: str) -> NDArray[Any]:
    """Read a body of format npy; the array is read-only and shares its memory.

    Raises
    ------
    RemoteError
        If it is none.
    """
    try:
        head = BytesIO(bytes(body[:NPY_HEAD]))
        version = np.lib.format.read_magic(head)
        read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
            version, np.lib.format.read_array_header_2_0
        )
        shape, is_fortran, dtype = read(head)
        values = np.frombuffer(body, dtype, int(np.prod(shape)), head.tell())  # refuses objects
        values = values.reshape(shape, order="F" if is_fortran else "C")
    except (ValueError, TypeError) as error:
        raise RemoteError(address, f"the answer is no array ({error})") from error
    values.flags.writeable = False
    return values
