"""Downloads: files as they were uploaded, in ranges, and recordings as one NIX file."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ephyrus.recording.files import ByteSource, PreadSource
from ephyrus.service.catalog import reading, rights
from ephyrus.service.catalog.query import parse_at_time
from ephyrus.service.encoders import ranges
from ephyrus.service.errors import ServiceError
from ephyrus.service.files.exporting import EXPORTED, export
from ephyrus.service.files.hands import hands_of
from ephyrus.service.files.kinds import ARRAY, NAMES
from ephyrus.service.files.packed import array_file
from ephyrus.service.files.records import FileRow, file_row
from ephyrus.service.files.scratch import plain_name
from ephyrus.service.files.workshop import workshop_of
from ephyrus.service.routes.answers import Answer, StreamAnswer
from ephyrus.service.routes.caching import cache_headers, revalidate

if TYPE_CHECKING:
    from ephyrus.service.routes.call import Call

__all__ = ["HDF5", "download"]

BLOCK = 2**20  # bytes that are read and sent at a time
HDF5 = "application/x-hdf"
_HDF5_NAMES = (".h5", ".hdf5")
# What browsers would show, and run scripts of, on the page of the service.
_SHOWN = ("text/html", "application/xhtml+xml", "image/svg+xml", "application/xml", "text/xml")


async def download(call: Call) -> Answer | StreamAnswer:
    """Send a file as it was uploaded, or converted."""
    run = hands_of(call.service).look if "format" in call.query else call.thread
    return await run(_download, call)


def _download(call: Call) -> Answer | StreamAnswer:
    """Find out what is to be sent, and begin."""
    call.query.check_names(frozenset({"format", "at_time"}))
    format = (call.query.one("format") or "").lower()
    if format not in ("", "hdf5", "h5"):
        raise ServiceError("wrong_params", "format must be hdf5 or absent.", details="format")
    with call.service.database.reading() as connection:
        at_time = _moment(call.query.one("at_time"))
        rights.require_data(connection, call.principal, call.id, at_time=at_time)
        row = file_row(connection, call.id, with_deleted=at_time is not None)
        array = reading.array_of(connection, call.id, at_time=at_time)
    if row is None:
        raise ServiceError("does_not_exist", f"There is no datafile {call.path['id']}.")
    is_array = array is not None and array.location["kind"] != "recorded"
    if row.key is not None and (not format or row.file_type == ARRAY):
        mime = row.mime if row.mime not in _SHOWN else "application/octet-stream"
        return _sent(call, row, call.service.store.source(row.key), row.name, mime)
    if array is not None and is_array:
        source = array_file(call.service.store, array)
        name = plain_name(row.name)
        name = name if Path(name).suffix.lower() in _HDF5_NAMES else f"{name}.h5"
        version = "" if at_time is None else f"-{array.shape[0]}"
        return _sent(call, row, source, name, HDF5, version=version)
    if row.key is None:
        raise ServiceError(
            "does_not_exist",
            "Nothing was uploaded here: this is a part of a recording that is served where it "
            f"lies. Its numbers are at /datafiles/{call.path['id']}/data.",
        )
    if row.file_type not in EXPORTED:
        found = NAMES[row.file_type]
        raise ServiceError("non_convertible", f"A file of this kind ({found}) has no such form.")
    return _exported(call, row)


def _moment(text: str | None) -> datetime | None:
    """Understand ``at_time``."""
    return None if text is None else parse_at_time(text)


def _disposition(name: str) -> str:
    """Say what the file is to be called where it arrives."""
    plain = plain_name(name)
    ascii_name = plain.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_")
    return f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(plain)}"


def _sent(
    call: Call, row: FileRow, source: ByteSource, name: str, mime: str, *, version: str = ""
) -> Answer | StreamAnswer:
    """Send a stored file, or the range of it that is asked for."""
    tag = f'"{row.content or row.id}{version}"'
    is_public = row.safety_level == 1
    try:
        same = revalidate(call, tag, public=is_public)
        part = ranges.requested(
            call.header("range") or None,
            length=source.size,
            if_range=call.header("if-range") or None,
            etag=tag,
        )
    except BaseException:
        source.close()
        raise
    if same is not None:
        source.close()
        return same
    headers = {
        **cache_headers(tag, public=is_public),
        "Content-Disposition": _disposition(name),
        "Accept-Ranges": "bytes",
    }
    start, stop, status = 0, source.size, 200
    if part is not None:
        start, stop, status = part.start, part.stop, 206
        headers["Content-Range"] = part.content_range(source.size)
    return StreamAnswer(
        blocks=_blocks(source, start, stop),
        status=status,
        media_type=mime,
        headers=headers,
        length=stop - start,
    )


def _blocks(source: ByteSource, start: int, stop: int) -> Generator[bytes, None, None]:
    """Read a range of a file in blocks."""
    try:
        for at in range(start, stop, BLOCK):
            yield source.read_at(at, min(BLOCK, stop - at))
    finally:
        source.close()


def _exported(call: Call, row: FileRow) -> StreamAnswer:
    """Send a recording as NIX, which is HDF5, from a file that lives as long as the answer."""
    headers = {
        "Content-Disposition": _disposition(f"{Path(plain_name(row.name)).stem}.nix"),
        "Cache-Control": "private, no-store",
    }
    if call.is_head:  # its length is known when it has been written
        return StreamAnswer(blocks=iter(()), media_type=HDF5, headers=headers)
    workshop = workshop_of(call.service)
    with ExitStack() as stack:
        folder = stack.enter_context(workshop.scratch.folder())
        path = export(workshop, row, folder)
        source = PreadSource(path)
        stack.callback(source.close)
        size = source.size
        kept = stack.pop_all()
    return StreamAnswer(
        blocks=_blocks_then(source, kept),
        media_type=HDF5,
        headers=headers,
        length=size,
    )


class _blocks_then(Iterator[bytes]):  # noqa: N801 - it is used like the generator beside it
    """Blocks of a file, after which what it lay in is removed; also if none is ever asked for.

    Parameters
    ----------
    source : ByteSource
        The file.
    kept : ExitStack
        Removes what it lies in.
    """

    def __init__(self, source: ByteSource, kept: ExitStack) -> None:
        self._blocks = _blocks(source, 0, source.size)
        self._kept = kept

    def __next__(self) -> bytes:
        try:
            return next(self._blocks)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Remove everything."""
        self._blocks.close()
        self._kept.close()
