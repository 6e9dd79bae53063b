"""Appending rows to arrays of a service that grow."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ephyrus.client.calls import Call, Flow, Reply
from ephyrus.client.flows import Flows
from ephyrus.client.growing import given_array
from ephyrus.client.objects import RemoteObject, collection
from ephyrus.errors import RemoteConflict, RemoteError

__all__ = ["Appended", "AppendsRows", "Datafile", "append"]

T = TypeVar("T")

SENT_BYTES = 16 * 2**20  # of one request
NPY = "application/x-npy"

Datafile = RemoteObject | int | str


@dataclass(frozen=True, slots=True)
class Appended:
    """Rows that were appended to an array.

    Attributes
    ----------
    start : int
        Where the first of them is.
    length : int
        Rows of the array up to the last of them.
    guid : str
        Version of the datafile.
    """

    start: int
    length: int
    guid: str


class AppendsRows:
    """What a client does to arrays that grow.

    Attributes
    ----------
    flows : Flows
        What the client does.
    """

    flows: Flows

    def run(self, flow: Flow[T]) -> T:
        """Drive a flow to its end."""
        raise NotImplementedError("this is what a client is for")

    def append(
        self,
        datafile: Datafile,
        array: ArrayLike,
        *,
        start: int | None = None,
        beside: Mapping[Datafile, ArrayLike] | None = None,
    ) -> Appended:
        """Append rows to an array that grows.

        Parameters
        ----------
        datafile : RemoteObject, int or str
            The datafile: itself, its id, or the link of an array, ``signal.link("signal")``.
        array : array_like, shape (rows, ...)
            The rows, of the type and width of the array on the service.
        start : int, optional
            Where the first of them belongs: the rows that the array has before. Then the request
            is sent again when the connection fails, and the rows are appended once. None: behind
            the last row; the request is sent once.
        beside : mapping of datafile to array_like, optional
            Rows of other arrays that belong to the same object and must stay as long: labels and
            durations beside times. All are appended, or none.

        Returns
        -------
        Appended
            Where the rows begin, how long the array is with them, and its new version.

        Raises
        ------
        RemoteConflict
            If the array has another length than `start`, and does not hold these rows there;
            ``error.details["length"]`` tells it.
        RemoteForbidden, RemoteMissing
            If it may not be written to, or there is none.
        RemoteError
            If the rows are of another type or width.
        ValueError
            If there are no rows, or not as many for each array.

        Notes
        -----
        Long arrays are sent in several requests. If one of them fails, those before it are kept.
        """
        return self.run(append(self.flows, datafile, array, start, beside or {}))


def append(
    flows: Flows,
    datafile: Datafile,
    array: ArrayLike,
    start: int | None,
    beside: Mapping[Datafile, ArrayLike],
) -> Flow[Appended]:
    """Append rows; see `Client.append`."""
    given = {_path(datafile): array}
    for key, rows in beside.items():
        if _path(key) in given:
            raise ValueError(f"beside names {_path(key)}, for which there are other rows already")
        given[_path(key)] = rows
    arrays: dict[str, NDArray[Any]] = {}
    for path, each in given.items():
        values = given_array(each, path)
        if values.dtype.kind in "UO":
            found: RemoteObject = yield from flows.get(path, {"q": "info"})
            values = _texts(values, found)
        arrays[path] = _plain(values)
    lengths = {len(each) for each in arrays.values()}
    if len(lengths) > 1 or not min(lengths):
        raise ValueError(
            f"append needs as many rows for each array, one at least, not {sorted(lengths)}"
        )
    (count,) = lengths
    width = sum(each.itemsize * prod(each.shape[1:]) for each in arrays.values())
    step = max(1, SENT_BYTES // max(1, width))
    begun, length, guid = start, start, ""
    for first in range(0, count, step):
        part = {path: each[first : first + step] for path, each in arrays.items()}
        here, guid = yield from _once(flows, part, length)
        begun = here if begun is None else begun
        length = here + min(step, count - first)
    return Appended(begun or 0, length or 0, guid)


def _path(datafile: Datafile) -> str:
    """Give the path of a datafile, from what names it."""
    if isinstance(datafile, RemoteObject):
        if datafile.type != "datafile":
            raise ValueError(
                f"rows are appended to a datafile, not to the {datafile.type} {datafile.id}: give "
                'the link of its array, such as signal.link("signal")'
            )
        return datafile.permalink
    text = str(datafile).partition("?")[0].strip("/")
    return f"/{text}" if "/" in text else collection("datafile") + text


def _texts(values: NDArray[Any], datafile: RemoteObject) -> NDArray[Any]:
    """Give texts as the array has them: UTF-8 of its width.

    Raises
    ------
    ValueError
        If one is longer.
    """
    facts = datafile.arrays.get("data")
    coded = np.char.encode(values.astype(np.str_), "utf-8")
    if facts is None or facts.dtype.kind != "S" or coded.dtype.itemsize > facts.dtype.itemsize:
        known = "no texts" if facts is None or facts.dtype.kind != "S" else f"{facts.dtype}"
        raise ValueError(
            f"{datafile.permalink} holds {known}; texts of {coded.dtype.itemsize} bytes do not fit"
        )
    return coded.astype(facts.dtype)


def _plain(values: NDArray[Any]) -> NDArray[Any]:
    """Give numbers as services keep them: little-endian, truth values as bytes, C order."""
    if values.ndim == 0:
        raise ValueError("append needs a list of rows, not a single number")
    dtype = np.dtype("u1") if values.dtype.kind == "b" else values.dtype.newbyteorder("<")
    return np.ascontiguousarray(values, dtype)


def _once(
    flows: Flows, arrays: Mapping[str, NDArray[Any]], start: int | None
) -> Flow[tuple[int, str]]:
    """Append what one request can hold; gives where it begins, and the new version."""
    first, *others = arrays
    body = io.BytesIO()
    for values in arrays.values():
        np.lib.format.write_array(body, values, (1, 0), allow_pickle=False)
    params = [] if start is None else [("start_index", str(start))]
    if others:
        params.append(("with", ",".join(path.rpartition("/")[2] for path in others)))
    call = Call(
        "POST",
        f"{first}/append",
        params=tuple(params),
        body=body.getvalue(),
        headers={"content-type": NPY},
        is_query=start is not None,  # sent twice it does what it does sent once
    )
    try:
        reply: Reply = yield call
    except RemoteConflict as error:
        if start is None or not _may_be_there(error, start, arrays[first]):
            raise
        if not (yield from _are_there(flows, arrays, start)):
            raise
        found: RemoteObject = yield from flows.get(first, {"q": "info"})
        return start, found.guid
    told = reply.envelope(flows.address + first)
    try:
        return int(told["start_index"]), str(told["guid"])
    except (KeyError, TypeError, ValueError) as error:
        raise RemoteError(
            flows.address + first, f"the answer is not that of a data service ({error!r})"
        ) from error


def _may_be_there(error: RemoteConflict, start: int, values: NDArray[Any]) -> bool:
    """Tell whether rows may have been appended by a request whose answer was lost."""
    details = error.details if isinstance(error.details, Mapping) else {}
    length = details.get("length")
    if error.message_type != "length_differs" or not isinstance(length, int):
        return False
    return length >= start + len(values)


def _are_there(flows: Flows, arrays: Mapping[str, NDArray[Any]], start: int) -> Flow[bool]:
    """Tell whether arrays hold rows at a place."""
    for path, values in arrays.items():
        link = f"{path}/data?start_index={start}&end_index={start + len(values)}"
        found: NDArray[Any] = yield from flows.numbers(link, "", most_bytes=values.nbytes + 2**16)
        if found.dtype != values.dtype or found.tobytes() != values.tobytes():
            return False
    return True
