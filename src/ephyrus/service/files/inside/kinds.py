"""Tells by its content what an uploaded file is."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import mimetypes
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ephyrus.errors import EphyrusError
from ephyrus.recording import SNIFF_BYTES, FileSet
from ephyrus.registry import BY_NAME, Match, identify
from ephyrus.service.files.inside.csvlines import looks_like_csv
from ephyrus.service.files.inside.odml import looks_like_odml
from ephyrus.service.files.kinds import (
    CSV,
    NEUROSHARE,
    ODML,
    READABLE,
    TAR,
    UNKNOWN,
    ZIP,
)

__all__ = ["is_archive", "kind_of", "looks_like_tar", "open_compressed"]

ZIP_MEMBER = b"PK\x03\x04"
NEUROSHARE_FORMATS = ("neuroshare", "nsn")  # through a vendor's library, and the native one
PLAIN_TABLES = ("asciisignal", "asciispiketrain", "rawbinarysignal", "rawmcs")
_PACKED: tuple[tuple[bytes, Callable[[Any], Any]], ...] = (
    (b"\x1f\x8b", lambda file: gzip.GzipFile(fileobj=file)),
    (b"BZh", bz2.BZ2File),
    (b"\xfd7zXZ\0", lzma.LZMAFile),
)


def kind_of(path: Path) -> dict[str, Any]:
    """Tell what a file is that is no array.

    Parameters
    ----------
    path : Path
        The file, under the name that it was uploaded with; its companions lie beside it.

    Returns
    -------
    dict
        ``file_type``, ``format`` (of the recording, or None) and ``mime``.
    """
    with path.open("rb") as file:
        head = file.read(SNIFF_BYTES)
    is_named_csv = path.suffix.lower() == ".csv"
    if looks_like_odml(head):
        return _found(ODML, path, mime="application/xml")
    if looks_like_tar(path):
        return _found(TAR, path, mime="application/x-tar")
    if head.startswith(ZIP_MEMBER):
        return _found(ZIP, path, mime="application/zip")
    match = _recording(path)
    is_plain = match is not None and match.format.name in PLAIN_TABLES
    if match is not None and not is_plain:
        kind = NEUROSHARE if match.format.name in NEUROSHARE_FORMATS else READABLE
        return _found(kind, path, match.format.name)
    if zipfile.is_zipfile(path):
        return _found(ZIP, path, mime="application/zip")
    if looks_like_csv(head) and (is_named_csv or match is None):
        return _found(CSV, path, mime="text/csv")
    if match is not None:
        return _found(READABLE, path, match.format.name)
    return _found(UNKNOWN, path)


def _found(kind: int, path: Path, format: str | None = None, *, mime: str = "") -> dict[str, Any]:
    guessed = mime or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return {"file_type": kind, "format": format, "mime": guessed}


def _recording(path: Path) -> Match | None:
    """Give the format that the content speaks for, if there is one."""
    files = FileSet(path, access="pread")
    try:
        matches = identify(files)
    except (EphyrusError, OSError):  # a companion that cannot be read: then it is not known
        return None
    finally:
        files.close()
    return matches[0] if matches and matches[0].confidence > BY_NAME else None


def is_archive(path: Path) -> bool:
    """Tell whether a file begins as archives do."""
    with path.open("rb") as file:
        return file.read(4) == ZIP_MEMBER or looks_like_tar(path)


def open_compressed(file: Any) -> Any:
    """Give a reader of the unpacked content of a file, or the file itself if it is not packed."""
    head = file.read(8)
    file.seek(0)
    for magic, opener in _PACKED:
        if head.startswith(magic):
            return opener(file)
    return file


def looks_like_tar(path: Path) -> bool:
    """Tell whether a file is a tape archive, packed or not."""
    with path.open("rb") as file:
        try:
            block = open_compressed(file).read(tarfile.BLOCKSIZE)
        except (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError):
            return False
    if len(block) < tarfile.BLOCKSIZE or not block.strip(b"\0"):
        return False
    try:
        with tarfile.open(fileobj=io.BytesIO(block), mode="r:"):
            return True
    except tarfile.TarError:
        return False
