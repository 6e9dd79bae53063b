"""What all jobs about uploaded files have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Connection

from ephyrus.errors import EphyrusError
from ephyrus.recording.levels import worth_levels
from ephyrus.service.catalog.bulk import Existing, NewObject, insert_tree
from ephyrus.service.catalog.facts import log_operation, set_facts
from ephyrus.service.files import jobs
from ephyrus.service.files.looking import Looked, StoredName
from ephyrus.service.files.nursery import ChildFailed, ChildLost, Refused
from ephyrus.service.files.records import FileRow, file_row, siblings_of
from ephyrus.service.files.store import ArrayStore
from ephyrus.service.files.workshop import Workshop

__all__ = [
    "Failed",
    "Stopped",
    "Taken",
    "asked",
    "enqueue_levels",
    "file_of",
    "keep",
    "taking",
    "upload_facts",
]


class Failed(EphyrusError):
    """A job that cannot succeed, however often it is tried; the message says why.

    Parameters
    ----------
    message : str
        Why.
    datafile_id : int, optional
        In whose log it is noted.
    """

    def __init__(self, message: str, datafile_id: int | None = None) -> None:
        super().__init__(message)
        self.datafile_id = datafile_id

    def note(self, connection: Connection, job: jobs.Job) -> None:
        """Note it in the log of the file."""
        if self.datafile_id is not None:
            log_operation(connection, self.datafile_id, f"task {job.id} ({job.kind}): {self}")


class Stopped(EphyrusError):
    """A job was given up since its worker stops; another one will do it."""


class Taken:
    """Takes files over into a store, and can take that back."""

    def __init__(self, store: ArrayStore) -> None:
        self._store = store
        self._keys: list[str] = []

    def adopt(self, path: Path) -> str:
        """Take over a file; gives its key. It is durable after `settle`."""
        key = self._store.adopt(path, settled=False)
        self._keys.append(key)
        return key

    def note(self, key: str) -> None:
        """Count a file in that was taken over already."""
        self._keys.append(key)

    def settle(self) -> None:
        """Make all durable."""
        self._store.settle(self._keys)

    def discard(self) -> None:
        """Remove what was taken over."""
        for key in self._keys:
            self._store.delete(key)


@contextmanager
def taking(workshop: Workshop) -> Iterator[Taken]:
    """Take files over within the block, or none of them if it fails.

    The transaction that names them comes after the block: if that fails nobody knows for certain
    whether it was kept, and the files stay until they are swept.
    """
    taken = Taken(workshop.store)
    try:
        yield taken
        taken.settle()
    except BaseException:
        taken.discard()
        raise


def file_of(workshop: Workshop, job: jobs.Job) -> tuple[FileRow, list[StoredName]]:
    """Give the file that a job is about, and what lies beside it."""
    with workshop.database.reading() as connection:
        row = file_row(connection, int(job.payload["datafile"]))
        if row is None or row.key is None:
            raise Failed("the file was deleted")
        return row, siblings_of(connection, row.owner_id, row.section_id)


def asked(
    workshop: Workshop, row: FileRow, task: str, request: Mapping[str, Any]
) -> dict[str, Any]:
    """Have a child do a task for a job; what it refuses, it would refuse again."""
    try:
        return workshop.nursery.run(task, request, workshop.convert_limits())
    except ChildLost:
        raise
    except (Refused, ChildFailed) as error:
        raise Failed(str(error), row.id) from error


def keep(
    workshop: Workshop,
    job: jobs.Job,
    row: FileRow,
    objects: list[NewObject],
    *,
    problems: Iterable[Any] = (),
) -> None:
    """Write everything down: the objects, what is noted of the file, the end of the job."""
    told = [str(problem)[:500] for problem in problems]
    with workshop.database.writing() as connection:
        if file_row(connection, row.id) is None:
            raise Failed("the file was deleted meanwhile")
        ids = insert_tree(
            connection,
            row.owner_id,
            [_below(each, row.section_id) for each in objects],
            user_id=job.user_id,
        )
        tops = _tops(objects, ids)
        set_facts(connection, row.id, extracted_info={**row.info, "objects": tops})
        log_operation(connection, row.id, f"task {job.id} ({job.kind}): {_counted(objects)}")
        for problem in told:
            log_operation(connection, row.id, f"task {job.id} ({job.kind}): {problem}")
        for each in objects:
            if each.array is not None:
                enqueue_levels(connection, ids[each.key], each.array, user_id=job.user_id)
        jobs.finish(connection, job, {"objects": tops, "problems": told}, _counted(objects))


def _below(made: NewObject, section_id: int | None) -> NewObject:
    """Put what has no place of its own into the section of the file."""
    name = {"block": "section", "section": "parent_section", "datafile": "section"}.get(made.type)
    if section_id is None or name is None or made.parents.get(name) is not None:
        return made
    if made.type == "section" and made.parents.get("document") is not None:
        return made
    if made.type == "datafile" and made.array is not None:  # an array, found through its object
        return made
    parents = {**made.parents, name: Existing(section_id)}
    return NewObject(
        made.type,
        made.key,
        attributes=made.attributes,
        quantities=made.quantities,
        arrays=made.arrays,
        parents=parents,
        safety_level=made.safety_level,
        array=made.array,
        facts=made.facts,
        tags=made.tags,
    )


def _tops(objects: list[NewObject], ids: Mapping[Any, int]) -> dict[str, list[int]]:
    """Give the ids of the objects that stand at the top of what was made."""
    tops: dict[str, list[int]] = {}
    for each in objects:
        if _is_top(each):
            tops.setdefault(each.type, []).append(ids[each.key])
    return tops


def _is_top(made: NewObject) -> bool:
    """Tell whether an object belongs to no other of those that were made."""
    above = made.parents.get("parent_section"), made.parents.get("document")
    is_below = any(key is not None and not isinstance(key, Existing) for key in above)
    return made.type in ("block", "document") or (made.type == "section" and not is_below)


def _counted(objects: Iterable[NewObject]) -> str:
    """Say how many objects of which type were made."""
    counts: dict[str, int] = {}
    for each in objects:
        counts[each.type] = counts.get(each.type, 0) + 1
    return "made " + (", ".join(f"{count} {name}" for name, count in counts.items()) or "nothing")


def upload_facts(looked: Looked, key: str, size: int, digest: str) -> dict[str, Any]:
    """Give what the catalog is told of a file that was uploaded or unpacked.

    Parameters
    ----------
    looked : Looked
        What it is.
    key : str
        Where it lies in the store.
    size : int
        Bytes.
    digest : str
        SHA-1 of its content.
    """
    return {
        "size": size,
        "mime": looked.mime,
        "file_type": looked.file_type,
        "extracted_info": looked.info,
        "operations_log": [looked.note] if looked.note else [],
        "store_key": key,
        "content": digest,
    }


def enqueue_levels(
    connection: Connection, datafile_id: int, array: Mapping[str, Any], *, user_id: int | None
) -> None:
    """Have the overviews of a stored array built, if it is long enough to need them."""
    shape = tuple(array["shape"])
    if worth_levels(shape[0], np.dtype(array["dtype"]), shape[1:]):
        jobs.enqueue(connection, "levels", {"datafile": datafile_id}, user_id=user_id)
