"""Taking away all that an upload of a block has made: block, files, and section."""

from __future__ import annotations

from ephyrus.client.calls import Call, Flow
from ephyrus.client.flows import Flows
from ephyrus.client.objects import RemoteObject, collection
from ephyrus.errors import RemoteConflict, RemoteMissing

__all__ = ["ARRAY", "SECTION_TYPE", "calls_to_remove", "removed"]

SECTION_TYPE = "recording"
"""``odml_type`` of the section that an upload makes."""

ARRAY = 5
"""``file_type`` of all files that an upload makes."""


def calls_to_remove(section: str, *, force: bool) -> list[Call]:
    """Make the calls that take an upload away, in the order in which the service lets them go.

    Parameters
    ----------
    section : str
        Id of the section that the upload has made: all else lies in it, or below a block in it.
    force : bool
        Also when others may write something of it.
    """
    forced = (("force", "1"),) if force else ()
    lists = [
        Call("DELETE", collection(each), params=(("section", section), *forced))
        for each in ("block", "datafile")
    ]
    return [*lists, Call("DELETE", collection("section") + section, params=forced)]


def removed(flows: Flows, owner: RemoteObject, *, force: bool) -> Flow[None]:
    """Take away what an upload made; see `Client.remove_upload`."""
    if owner.type != "block":
        raise _refusal(flows, owner, f"it is a {owner.type}, and an upload makes a block")
    block = yield from _found(flows, owner.permalink)  # None: an earlier call stopped midway
    link = (block or owner).get("section")
    section = None if link is None else (yield from _found(flows, str(link)))
    if section is not None:
        yield from _check_own(flows, owner, section)
        for call in calls_to_remove(section.id, force=force):
            yield from flows.told(call)
    elif block is not None:
        raise _refusal(flows, owner, "it has no section, which every upload makes")


def _found(flows: Flows, permalink: str) -> Flow[RemoteObject | None]:
    """Fetch an object; None: it is gone."""
    try:
        return (yield from flows.get(permalink, {}))
    except RemoteMissing:
        return None


def _check_own(flows: Flows, owner: RemoteObject, section: RemoteObject) -> Flow[None]:
    """Check that a section was made by an upload, and holds nothing of others."""
    if section.get("odml_type") != SECTION_TYPE:
        raise _refusal(flows, owner, f"no upload has made its section {section.permalink}")
    others = {*(section.get("block_set") or ()), *(section.get("section_set") or ())}
    others.discard(owner.permalink)
    if others:
        held = ", ".join(sorted(map(str, others))[:5])
        raise _refusal(flows, owner, f"its section {section.permalink} holds others, too: {held}")
    files = yield from flows.all_of("datafile", {"section": section.id, "q": "info"})
    for file in files:
        if file.get("file_type") != ARRAY:
            what = f"a file that is no array, {file.permalink} ({file.get('name')})"
            raise _refusal(flows, owner, f"its section {section.permalink} holds {what}")


def _refusal(flows: Flows, owner: RemoteObject, reason: str) -> RemoteConflict:
    return RemoteConflict(
        flows.address + owner.permalink,
        f"nothing was taken away: {reason}; delete() takes the object away alone",
    )
