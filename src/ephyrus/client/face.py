"""What both clients share: from the arguments of a method to a call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ephyrus.client.cache import BodyCache, default_cache
from ephyrus.client.calls import Call, Upload
from ephyrus.client.flows import Flows
from ephyrus.client.objects import RemoteObject, collection
from ephyrus.client.transport import Access, base_address, http_library

__all__ = ["Face"]

PIECE_BYTES = 2**20


class Face:
    """What a client is made of, and the arguments of its methods, made into calls.

    Parameters are those of `ephyrus.client.Client`.
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
        self._library = http_library()
        self.access = Access(base_address(address), token, retries, timeout, connections)
        kept = default_cache() if isinstance(cache, str) else cache
        self.flows = Flows(self.access.address, kept)
        self._login = (username, password) if username else None
        self._has_session = False
        self._open(transport)

    def _open(self, transport: Any) -> None:
        """Make what connections need."""
        raise NotImplementedError("each client has connections of its own kind")

    @property
    def address(self) -> str:
        """Address of the service."""
        return self.access.address

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.address}>"

    def _http_options(self, transport: Any) -> dict[str, Any]:
        """Give what the HTTP library's client is made with."""
        return {
            "headers": self.access.headers(),
            "timeout": self.access.timeout,
            "transport": transport,
            "verify": self.access.is_secure,  # the certificates take longer than many calls
            "follow_redirects": False,
        }

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

    @staticmethod
    def array_uploads(
        arrays: Mapping[str, Any], progress: Callable[[int], object] | None
    ) -> list[Upload]:
        """Make the uploads of arrays that are in memory."""
        from ephyrus.client.growing import array_upload

        return [array_upload(values, name, progress) for name, values in arrays.items()]


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
