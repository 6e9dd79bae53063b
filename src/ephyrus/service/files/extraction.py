"""Unpacks archives in the background: sections for folders, datafiles for files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ephyrus.service.catalog.bulk import NewObject
from ephyrus.service.files import jobs
from ephyrus.service.files.frames import LISTING
from ephyrus.service.files.kinds import ARCHIVES, NAMES
from ephyrus.service.files.looking import Looked, look_at_path
from ephyrus.service.files.making import Failed, Taken, asked, file_of, keep, taking, upload_facts
from ephyrus.service.files.records import FileRow
from ephyrus.service.files.scratch import lay_out, plain_name
from ephyrus.service.files.workshop import Workshop

__all__ = ["extract"]


@dataclass(frozen=True, slots=True)
class _Unpacked:
    """A file that came out of an archive: where it was, where it is, what it is."""

    place: str
    name: str
    path: Path
    looked: Looked


def extract(workshop: Workshop, job: jobs.Job) -> None:
    """Unpack an archive into sections with files."""
    row, _ = file_of(workshop, job)
    if row.file_type not in ARCHIVES:
        raise Failed(f"a file of this kind ({NAMES[row.file_type]}) is no archive", row.id)
    settings = workshop.settings
    with workshop.scratch.folder() as shown, workshop.scratch.folder() as folder:
        request = {
            "path": str(lay_out(workshop.store, [(row.name, row.key or "")], shown)[0]),
            "folder": str(folder),
            "file_type": row.file_type,
            "files": settings.archive_max_files,
            "most": settings.archive_max_bytes,
            "ratio": settings.max_unpack_ratio,
        }
        asked(workshop, row, "unpack", request)
        with taking(workshop) as taken:
            objects = list(_objects(workshop, row, folder, taken))
    keep(workshop, job, row, objects)


def _objects(workshop: Workshop, row: FileRow, folder: Path, taken: Taken) -> Iterator[NewObject]:
    """Give sections for the folders of an archive, and datafiles for its files."""
    listing = json.loads((folder / LISTING).read_text(encoding="ascii"))
    top = PurePosixPath(plain_name(row.name)).name.partition(".")[0] or "archive"
    yield NewObject("section", "", attributes={"name": top}, safety_level=row.safety_level)
    known = {""}
    for place in sorted({str(PurePosixPath(each["name"]).parent) for each in listing}):
        yield from _sections(place, known, row.safety_level)
    unpacked = []
    for place, name, path in _laid_out(listing, folder):
        looked = look_at_path(workshop, path, path.stat().st_size)
        if looked.array is not None:
            taken.note(looked.array.key)
        unpacked.append(_Unpacked(place, name, path, looked))
    for each in unpacked:  # once all have been looked at: some are known by their neighbours
        yield _datafile(each, row.safety_level, taken)


def _sections(place: str, known: set[str], safety_level: int) -> Iterator[NewObject]:
    """Give the sections of a folder and of those above it that are not there yet."""
    above = ""
    for name in PurePosixPath("" if place == "." else place).parts:
        key = f"{above}/{name}"
        if key not in known:
            known.add(key)
            yield NewObject(
                "section",
                key,
                attributes={"name": name},
                parents={"parent_section": above},
                safety_level=safety_level,
            )
        above = key


def _laid_out(listing: list[dict[str, Any]], folder: Path) -> list[tuple[str, str, Path]]:
    """Give the unpacked files the names that they had, each folder of the archive in one of ours.

    Returns
    -------
    list of (str, str, Path)
        Key of the section, name, and where the file lies now.
    """
    numbers: dict[str, int] = {}
    placed = []
    for each in listing:
        full = PurePosixPath(each["name"])
        parent = "" if str(full.parent) == "." else f"/{full.parent}"
        number = numbers.setdefault(parent, len(numbers))
        target = folder / "names" / str(number) / plain_name(full.name)
        if target.exists():  # names that differ only in letters that no file may have
            target = folder / "names" / str(each["file"]) / plain_name(full.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / each["file"]).rename(target)
        placed.append((parent, full.name, target))
    return placed


def _datafile(unpacked: _Unpacked, safety_level: int, taken: Taken) -> NewObject:
    """Give the datafile of an unpacked file, which the store takes over."""
    size = unpacked.path.stat().st_size
    with unpacked.path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha1").hexdigest()
    key = taken.adopt(unpacked.path)
    array = unpacked.looked.array
    return NewObject(
        "datafile",
        f"file {key}",
        attributes={"name": unpacked.name},
        parents={"section": unpacked.place},
        safety_level=safety_level,
        array=None if array is None else array.row,
        facts=upload_facts(unpacked.looked, key, size, digest),
    )
