"""What the client does on the documented interface, as flows (see `ephyrus.client.calls`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np
from numpy.typing import NDArray

from ephyrus.client.bodies import from_npy, npy_bytes, parts_of, total_of
from ephyrus.client.cache import BodyCache
from ephyrus.client.calls import Call, Flow, Reply, Upload
from ephyrus.client.objects import ArrayFacts, FetchedArray, Page, RemoteObject, collection
from ephyrus.errors import RemoteError

__all__ = ["Flows", "query_pairs"]

RANGE_BYTES = 8 * 2**20  # of a body that is fetched in several ranges at the same time
RANGES_AT_ONCE = 8  # of them that are held beside the body
PAGE_OBJECTS = 500
PARTS_AT_ONCE = 1000  # of arrays that are asked for in one request
PART_HEAD = 2048  # bytes around each of them, at most


@dataclass(slots=True)
class Flows:
    """The flows of one client.

    Attributes
    ----------
    address : str
        Of the service; part of the keys of the cache, and of messages.
    cache : BodyCache or None
        Where bodies of arrays are kept.
    """

    address: str
    cache: BodyCache | None = None

    def login(self, username: str, password: str) -> Flow[str]:
        """Begin a session; gives the user's name."""
        form = {"username": username, "password": password}
        reply: Reply = yield Call("POST", "/account/authenticate/", form=form)
        return str(reply.envelope(self.address).get("logged_in_as", username))

    def logout(self) -> Flow[None]:
        """End the session."""
        yield Call("POST", "/account/logout/")

    def get(self, permalink: str, params: Mapping[str, Any]) -> Flow[RemoteObject]:
        """Fetch one object."""
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
        reply: Reply = yield Call("GET", path, params=query_pairs(params))
        return self._page(path, reply)

    def _page(self, path: str, reply: Reply) -> Page:
        told = reply.envelope(self.address + path)
        try:
            selected = told.get("selected") or ()
            if isinstance(selected, Mapping):  # as older services told of a new file
                selected = (selected,)
            objects = tuple(RemoteObject.of(item) for item in selected)
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
        found = self._page(path, reply).objects
        if not found:
            raise RemoteError(self.address + path, "the service does not show what was changed")
        return found[0]

    def delete(self, permalink: str, *, force: bool) -> Flow[None]:
        """Delete an object and what lies below it."""
        yield Call("DELETE", permalink, params=(("force", "1"),) if force else ())

    def told(self, call: Call) -> Flow[dict[str, Any]]:
        """Make a call whose answer is an envelope."""
        reply: Reply = yield call
        return reply.envelope(self.address + call.path)

    def upload(
        self, uploads: Sequence[Upload], section: str | None, *, convert: bool
    ) -> Flow[list[RemoteObject]]:
        """Send files in one request; gives their datafiles."""
        params = [("convert", "1" if convert else "0")]
        params += [] if section is None else [("section_id", section)]
        reply: Reply = yield Call(
            "POST", "/datafiles/", params=tuple(params), uploads=tuple(uploads)
        )
        return self._as_many("/datafiles/", reply, len(uploads))

    def create_many(self, items: Sequence[Mapping[str, Any]]) -> Flow[list[RemoteObject]]:
        """Create objects that may refer to one another, all or none, in one request."""
        reply: Reply = yield Call("POST", "/bulk/", json=list(items))
        return self._as_many("/bulk/", reply, len(items))

    def upload_arrays(
        self, uploads: Sequence[Upload], section: str | None
    ) -> Flow[list[RemoteObject]]:
        """Send arrays (as ``.npy``), all or none, in one request; gives their datafiles."""
        path = "/datafiles/arrays/"
        params = () if section is None else (("section_id", section),)
        reply: Reply = yield Call("POST", path, params=params, uploads=tuple(uploads))
        return self._as_many(path, reply, len(uploads))

    def _as_many(self, path: str, reply: Reply, count: int) -> list[RemoteObject]:
        """Give the objects that a service made, which must be as many as were sent."""
        found = list(self._page(path, reply))
        if len(found) != count:
            raise RemoteError(
                self.address + path, f"the service took {count} objects and names {len(found)}"
            )
        return found

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
        values = yield from self.numbers(
            link, owner.guid, most_bytes=_most_bytes(owner.arrays.get(name))
        )
        rate = _quantity((owner.partial or {}).get("sampling_rate")) or _quantity(
            owner.fields.get("sampling_rate")
        )
        return FetchedArray(values, units, _quantity(owner.fields.get("t_start")), rate)

    def numbers(
        self,
        link: str,
        guid: str,
        more: Iterable[tuple[str, str]] = (),
        most_bytes: int | None = None,
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
        most_bytes : int, optional
            How long the answer may be.

        Raises
        ------
        RemoteError
            If the answer is no array, is longer, or changes while it is fetched.
        """
        path, _, query = link.partition("?")
        given = dict(parse_qsl(query, keep_blank_values=True)) | dict(more) | {"format": "npy"}
        request = f"{path}?{urlencode(given, safe=',:')}"
        cache = self.cache if guid else None
        if cache is not None:
            kept = cache.get(self.address, guid, request)
            if kept is not None:
                with suppress(RemoteError):  # a damaged entry is fetched again
                    return from_npy(kept, request)
        body = yield from self._body(request, most_bytes)
        values = from_npy(body, self.address + request)
        if cache is not None:
            cache.put(self.address, guid, request, memoryview(body))
        return values

    def _body(self, request: str, most_bytes: int | None) -> Flow[bytes | bytearray]:
        """Fetch a body: its first bytes, then the rest in ranges at the same time.

        What the service says of the length is not believed: memory grows with what arrives.
        """
        most = _UNKNOWN if most_bytes is None else most_bytes
        if most <= RANGE_BYTES:
            small: Reply = yield Call("GET", request, headers=_NO_CODING, most_bytes=most)
            return small.body
        first: Reply = yield _ranged(request, 0, RANGE_BYTES, {}, most)
        total = total_of(first, self.address + request)
        if total is None or total <= len(first.body):
            return first.body
        if total > most or total != npy_bytes(first.body, self.address + request):
            raise RemoteError(
                self.address + request, f"{total:,} bytes are not the length of this array"
            )
        condition = {"if-range": first.headers["etag"]} if "etag" in first.headers else {}
        whole = bytearray(first.body)
        while len(whole) < total:
            starts = range(len(whole), total, RANGE_BYTES)[:RANGES_AT_ONCE]
            stops = [min(start + RANGE_BYTES, total) for start in starts]
            replies: list[Reply] = yield [
                _ranged(request, start, stop, condition, total)
                for start, stop in zip(starts, stops, strict=True)
            ]
            for start, stop, reply in zip(starts, stops, replies, strict=True):
                if reply.status != 206 or len(reply.body) != stop - start:
                    raise RemoteError(
                        self.address + request,
                        f"the array changed while it was fetched (bytes {start} to {stop})",
                    )
                whole += reply.body
        return whole

    def parts(
        self, wanted: Sequence[Mapping[str, Any]], most_bytes: int
    ) -> Flow[list[NDArray[Any]]]:
        """Fetch parts of many arrays in few requests.

        Parameters
        ----------
        wanted : sequence of mapping
            For each its ``datafile`` (id or link) and, if not all is wanted, its ``start_index``
            and ``end_index``.
        most_bytes : int
            How long all of them are together, at most.

        Returns
        -------
        list of ndarray
            In the order asked for.

        Raises
        ------
        RemoteError
            If the service refuses, or does not give what was asked for.
        """
        arrays: list[NDArray[Any]] = []
        for first in range(0, len(wanted), PARTS_AT_ONCE):
            some = [dict(each) for each in wanted[first : first + PARTS_AT_ONCE]]
            reply: Reply = yield Call(
                "POST",
                QUERY_PATH,
                params=(("format", "npy"),),
                json=some,
                headers=_NO_CODING,
                most_bytes=most_bytes + PART_HEAD * len(some),
                is_query=True,
            )
            bodies = parts_of(reply, self.address + QUERY_PATH, len(some))
            arrays += [from_npy(body, self.address + QUERY_PATH) for body in bodies]
        return arrays


def _ranged(
    request: str, start: int, stop: int, condition: Mapping[str, str], most_bytes: int
) -> Call:
    """Make the call for bytes [start, stop) of a body."""
    headers = {"range": f"bytes={start}-{stop - 1}", **condition, **_NO_CODING}
    return Call("GET", request, headers=headers, most_bytes=most_bytes)


def _most_bytes(facts: ArrayFacts | None) -> int | None:
    """Tell how long an array can become: with wider numbers, or with an index for each."""
    if facts is None:
        return None
    return facts.nbytes_at_most


QUERY_PATH = "/datafiles/query"
_UNKNOWN = 2**62  # bytes: the length of an array that nobody told us
_NO_CODING = {"accept-encoding": "identity"}  # ranges count bytes of the array itself


def query_pairs(params: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
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
