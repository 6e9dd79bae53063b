"""What both clients share: from the arguments of a method to a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ephyrus.client.calls import Call, Upload
from ephyrus.client.flows import Flows
from ephyrus.client.objects import RemoteObject, collection

__all__ = ["Face"]

PIECE_BYTES = 2**20


class Face:
    """Arguments of the methods of a client, made into calls.

    Parameters
    ----------
    flows : Flows
        What the client does.
    """

    def __init__(self, flows: Flows) -> None:
        self.flows = flows

    @staticmethod
    def permalink(type_name: str, id: int | str) -> str:
        """Give the permalink of an object from its id or its permalink."""
        text = str(id).strip("/")
        if "://" in text:  # a whole address; another service's is refused when it is called
            return text
        return f"/{text}" if "/" in text else collection(type_name) + text

    @staticmethod
    def plain(values: Mapping[str, Any]) -> dict[str, Any]:
        """Give fields as they are sent: objects by id, quantities as number and unit."""
        return {name: _plain(value) for name, value in values.items()}

    @staticmethod
    def share_call(
        owner: RemoteObject,
        safety_level: int | None,
        shared_with: Mapping[str, int | str] | None,
        *,
        cascade: bool,
    ) -> Call:
        """Make the call that says who may see an object."""
        said: dict[str, Any] = {}
        if safety_level is not None:
            said["safety_level"] = safety_level
        if shared_with is not None:
            said["shared_with"] = dict(shared_with)
        params = (("cascade", "1"),) if cascade else ()
        return Call("POST", f"{owner.permalink}/acl/", params=params, json=said)

    @staticmethod
    def annotate_call(
        owner: RemoteObject, values: Sequence[RemoteObject | str], *, replace: bool
    ) -> Call:
        """Make the call that tags an object."""
        links = [each.permalink if isinstance(each, RemoteObject) else each for each in values]
        params = (("m2m_append", "0"),) if replace else ()
        return Call("POST", owner.permalink, params=params, json={"metadata": links})

    @staticmethod
    def upload_value(path: Path, progress: Callable[[int], object] | None) -> Upload:
        """Make the upload of a file."""

        def pieces() -> Iterator[bytes]:
            with path.open("rb") as file:
                while piece := file.read(PIECE_BYTES):
                    yield piece
                    if progress is not None:
                        progress(len(piece))

        return Upload(path.name, pieces, path.stat().st_size)


def _plain(value: Any) -> Any:
    """Give a value as JSON has it."""
    if isinstance(value, RemoteObject):
        return int(value.id) if value.id.isdecimal() else value.id
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    units = getattr(value, "dimensionality", None)
    if units is not None:  # a number with a unit
        return {"data": float(value.magnitude), "units": str(units.string)}
    isoformat = getattr(value, "isoformat", None)
    return isoformat() if callable(isoformat) else value
