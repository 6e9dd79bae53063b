"""Saved selections of a service: filters that a user keeps there under a name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from ephyrus.client.calls import Call, Flow, Reply
from ephyrus.client.flows import Flows, query_pairs
from ephyrus.errors import RemoteError

__all__ = ["SavedSelection", "changed", "listed", "removed", "saved"]

PATH = "/account/selections"
PAGE = 1000


@dataclass(frozen=True, slots=True)
class SavedSelection:
    """A saved selection; give it to `Client.select` or `Client.iterate` as ``selection=``.

    Attributes
    ----------
    id : int
        Id on the service.
    type : str
        Type of the objects.
    name, description : str
        What it is called, and what it is for.
    query : str
        Filters, words and order, as in the address of a list.
    owner : str
        Name of the user whose it is.
    safety_level : int
        1 everybody sees it, 2 friends do, 3 only those that it is shared with.
    shared_with, shared_with_groups : mapping of str to int
        Users and groups who may see (1) or change (2) it, as far as one may know.
    permalink : str
        Path of the selection.
    """

    id: int
    type: str
    name: str
    description: str
    query: str
    owner: str
    safety_level: int
    shared_with: Mapping[str, int]
    shared_with_groups: Mapping[str, int]
    permalink: str

    def __str__(self) -> str:
        return str(self.id)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> SavedSelection:
        """Make it of what a service tells."""
        return cls(
            id=int(told["id"]),
            type=str(told["type"]),
            name=str(told["name"]),
            description=str(told["description"]),
            query=str(told["query"]),
            owner=str(told["owner_name"]),
            safety_level=int(told["safety_level"]),
            shared_with=dict(told["shared_with"]),
            shared_with_groups=dict(told["shared_with_groups"]),
            permalink=str(told["permalink"]),
        )


def listed(flows: Flows, type_name: str | None) -> Flow[list[SavedSelection]]:
    """Fetch all selections that may be seen, page by page."""
    given = () if type_name is None else (("type", type_name),)
    found: list[SavedSelection] = []
    while True:
        params = (*given, ("offset", str(len(found))), ("max_results", str(PAGE)))
        page = yield from _told(flows, Call("GET", PATH, params=params))
        found += page
        if len(page) < PAGE:
            return found


def saved(
    flows: Flows,
    type_name: str,
    name: str,
    filters: Mapping[str, Any],
    values: Mapping[str, Any],
) -> Flow[SavedSelection]:
    """Save filters under a name."""
    sent = {"type": type_name, "name": name, "query": _query(filters), **_given(values)}
    return (yield from _one(flows, Call("POST", PATH, json=sent)))


def changed(
    flows: Flows,
    selection: SavedSelection | int,
    filters: Mapping[str, Any] | None,
    values: Mapping[str, Any],
) -> Flow[SavedSelection]:
    """Change a selection."""
    sent = _given(values)
    if filters is not None:
        sent["query"] = _query(filters)
    return (yield from _one(flows, Call("POST", f"{PATH}/{selection}", json=sent)))


def removed(selection: SavedSelection | int) -> Call:
    """Make the call that deletes a selection."""
    return Call("DELETE", f"{PATH}/{selection}")


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _query(filters: Mapping[str, Any]) -> str:
    return urlencode(query_pairs(filters))


def _one(flows: Flows, call: Call) -> Flow[SavedSelection]:
    found = yield from _told(flows, call)
    if len(found) != 1:
        raise RemoteError(flows.address + call.path, f"gave {len(found)} selections")
    return found[0]


def _told(flows: Flows, call: Call) -> Flow[list[SavedSelection]]:
    """Make a call that is answered with selections."""
    reply: Reply = yield call
    address = flows.address + call.path
    told = reply.envelope(address)
    try:
        return [SavedSelection.of(each) for each in told["selections"]]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RemoteError(
            address, f"the answer is not that of a data service ({error!r})"
        ) from error
