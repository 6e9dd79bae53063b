"""Unpacks archives: plain files only, under names of ours, and not more than is allowed."""

from __future__ import annotations

import json
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

from ephyrus.service.files.frames import LISTING
from ephyrus.service.files.inside.arrays import ALWAYS_ALLOWED
from ephyrus.service.files.inside.kinds import open_compressed
from ephyrus.service.files.nursery import Refused

__all__ = ["UnpackLimits", "unpack"]

BLOCK = 2**20
MOST_NAME = 1024  # characters
MOST_DEPTH = 32
_READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)


@dataclass(frozen=True, slots=True)
class UnpackLimits:
    """What may come out of an archive.

    Attributes
    ----------
    files : int
        Number of files.
    most : int
        Bytes of all together.
    ratio : int
        How many times larger than the archive, beyond `ALWAYS_ALLOWED`.
    """

    files: int
    most: int
    ratio: int

    def bytes_for(self, archive_size: int) -> int:
        """Give the bytes that may come out of an archive of this size."""
        return min(self.most, max(ALWAYS_ALLOWED, self.ratio * archive_size))


def unpack(path: Path, folder: Path, limits: UnpackLimits, *, is_zip: bool) -> None:
    """Unpack the files of an archive as ``file-0``, ``file-1``, ... and list them.

    Parameters
    ----------
    path : Path
        The archive.
    folder : Path
        Where its files go; the list is written to ``files.json`` in it.
    limits : UnpackLimits
        What may come out.
    is_zip : bool
        It is a ZIP archive, and not a TAR one (which may well end with a ZIP file).

    Raises
    ------
    Refused
        If the archive is damaged, has names that lead out of it, links, devices or encrypted
        files, or is too large; archives within it stay as they are.
    """
    left = limits.bytes_for(path.stat().st_size)
    members = _zip_members if is_zip else _tar_members
    seen: set[str] = set()
    listing: list[dict[str, Any]] = []
    try:
        for name, content in members(path):
            if name in seen:
                raise Refused(f"the archive holds {name!r} twice")
            seen.add(name)
            if len(seen) > limits.files:
                raise Refused(f"the archive holds more than {limits.files:,} files")
            target = folder / f"file-{len(listing)}"
            size = _copied(content, target, left)
            left -= size
            listing.append({"name": name, "file": target.name, "size": size})
    except _DAMAGE as error:
        raise Refused(f"the archive cannot be read: {' '.join(str(error).split())[:200]}") from None
    (folder / LISTING).write_text(json.dumps(listing), encoding="ascii")


def _copied(content: Any, target: Path, left: int) -> int:
    """Copy one file; counts what really comes out, whatever the archive says."""
    size = 0
    with closing(content), target.open("xb") as sink:
        while piece := content.read(BLOCK):
            size += len(piece)
            if size > left:
                raise Refused(
                    "the archive unpacks to more bytes than are allowed for its size; send its "
                    "files one by one"
                )
            sink.write(piece)
    return size


def _zip_members(path: Path) -> Iterator[tuple[str, Any]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name = checked_name(info.filename)
            mode = info.external_attr >> 16
            kind = stat.S_IFMT(mode)
            if info.is_dir():
                continue
            if kind not in (0, stat.S_IFREG):
                raise Refused(f"{name!r} in the archive is a link or a device; only files are kept")
            if info.flag_bits & 0x1:
                raise Refused(f"{name!r} in the archive is encrypted")
            if info.compress_type not in _READABLE:
                raise Refused(f"{name!r} is packed by method {info.compress_type}; use deflate")
            yield name, archive.open(info)


def _tar_members(path: Path) -> Iterator[tuple[str, Any]]:
    with (
        path.open("rb") as file,
        closing(open_compressed(file)) as content,
        tarfile.open(fileobj=content, mode="r|") as archive,
    ):
        for info in archive:
            name = checked_name(info.name)
            archive.members = []  # type: ignore[attr-defined]  # it would keep them all
            if info.isdir():
                continue
            source = archive.extractfile(info) if info.isreg() else None
            if source is None:
                raise Refused(f"{name!r} in the archive is a link or a device; only files are kept")
            yield name, source


def checked_name(name: str) -> str:
    """Give the name of a member with plain slashes.

    Raises
    ------
    Refused
        If it is absolute, has a drive, or leads upwards.
    """
    path = PureWindowsPath(name)  # knows both separators, drives and anchors
    parts = [part for part in path.parts if part != "."]
    is_bad = path.anchor or ".." in parts or any(ord(letter) < 32 for letter in name)
    if is_bad or len(name) > MOST_NAME or len(parts) > MOST_DEPTH or ":" in name:
        raise Refused(f"the name {name[:100]!r} in the archive leads out of it, or is no plain one")
    return "/".join(parts)
