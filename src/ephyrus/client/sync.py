"""`Client`: a data service, one call after the other."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ephyrus.client import removing, selections
from ephyrus.client.appending import AppendsRows
from ephyrus.client.calls import Call
from ephyrus.client.driving import Driver
from ephyrus.client.objects import FetchedArray, Page, RemoteObject, collection
from ephyrus.client.selections import SavedSelection

if TYPE_CHECKING:
    from ephyrus.core import Block

__all__ = ["Client"]


class Client(Driver, AppendsRows):
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

    def create_many(self, items: Sequence[Mapping[str, Any]]) -> list[RemoteObject]:
        """Create objects in one request: all or none.

        Parameters
        ----------
        items : sequence of mapping
            For each its type as ``model`` and its ``fields``. An ``id`` that begins with ``#``
            names it, so that fields of the others can refer to it.

        Returns
        -------
        list of RemoteObject
            In the same order, with ids and guids and no other fields.

        Raises
        ------
        RemoteError
            If one is refused; the message says which.

        Examples
        --------
        >>> segment = {"model": "segment", "id": "#s", "fields": {"name": "one"}}
        >>> unit = {"model": "unit", "fields": {"name": "u1"}}
        >>> made = service.create_many([segment, unit])  # doctest: +SKIP
        """
        return self.run(self.flows.create_many([self.plain(item) for item in items]))

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

    def remove_upload(self, block: RemoteObject, *, force: bool = False) -> None:
        """Take away all that `upload` has made: the block, its files, and their section.

        `delete` takes a block and the objects below it; the section that an upload makes, with the
        annotations and the files of the arrays, is no part of the block and stays.

        Parameters
        ----------
        block : RemoteObject
            What `upload` gave.
        force : bool, optional
            Also when others may write something of it.

        Raises
        ------
        RemoteConflict
            If no upload has made it, or its section holds other blocks, sections, or files that
            are no arrays (nothing is taken away then; arrays that were put there later go); or,
            without `force`, if others may write something of it. After a failure midway call it
            again.
        """
        self.run(removing.removed(self.flows, block, force=force))

    # --- saved selections ---

    def selections(self, type_name: str | None = None) -> list[SavedSelection]:
        """Give the saved selections that one may see: all, or those of a type."""
        return self.run(selections.listed(self.flows, type_name))

    def save_selection(
        self, type_name: str, name: str, filters: Mapping[str, Any], **values: Any
    ) -> SavedSelection:
        """Save filters under a name.

        Parameters
        ----------
        type_name : str
            Type of the objects.
        name : str
            Name, new among one's own.
        filters : mapping
            What `select` would be given: filters, ``search``, ``order_by``.
        **values
            ``description``, ``safety_level``, ``shared_with``, ``shared_with_groups``.

        Returns
        -------
        SavedSelection
            Give it to `select` or `iterate` as ``selection=``, alone or with further filters. Who
            reads it gets what he or she may see.

        Raises
        ------
        RemoteError
            If a filter is wrong, or the name taken.
        """
        return self.run(selections.saved(self.flows, type_name, name, filters, values))

    def change_selection(
        self,
        selection: SavedSelection | int,
        *,
        filters: Mapping[str, Any] | None = None,
        **values: Any,
    ) -> SavedSelection:
        """Change the filters or other values (see `save_selection`) that are given."""
        return self.run(selections.changed(self.flows, selection, filters, values))

    def delete_selection(self, selection: SavedSelection | int) -> None:
        """Delete a saved selection, and nothing of what it selects."""
        self.run(self.flows.told(selections.removed(selection)))

    # --- arrays and rights ---

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

    def upload_arrays(
        self,
        arrays: Mapping[str, Any],
        *,
        section: RemoteObject | None = None,
        progress: Callable[[int], object] | None = None,
    ) -> list[RemoteObject]:
        """Send arrays in one request: all or none.

        Parameters
        ----------
        arrays : mapping of str to array
            Numbers or text of one to three dimensions, by the name that the service shows.
        section : RemoteObject, optional
            Section that they go to.
        progress : callable, optional
            Called with the number of bytes after each piece that was sent.

        Returns
        -------
        list of RemoteObject
            Their datafiles, in order: what array fields of new objects refer to.

        Raises
        ------
        RemoteError
            If one is refused, or they are too many for one request.
        """
        uploads = self.array_uploads(arrays, progress)
        return self.run(self.flows.upload_arrays(uploads, None if section is None else section.id))

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
