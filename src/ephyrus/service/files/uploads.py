"""Puts files that have arrived into the catalog: all of one upload, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert

from ephyrus.service.catalog import reading, rights
from ephyrus.service.catalog.facts import set_facts
from ephyrus.service.catalog.ids import format_id
from ephyrus.service.catalog.records import Record
from ephyrus.service.catalog.snapshots import id_style
from ephyrus.service.catalog.writing import create
from ephyrus.service.db.schema import ARRAYS
from ephyrus.service.errors import ServiceError
from ephyrus.service.files import jobs
from ephyrus.service.files.kinds import CONVERTIBLE
from ephyrus.service.files.looking import Looked, StoredName, look
from ephyrus.service.files.making import enqueue_levels, upload_facts
from ephyrus.service.files.nursery import ChildLost
from ephyrus.service.files.receiving import Received
from ephyrus.service.files.records import siblings_of
from ephyrus.service.files.workshop import Workshop
from ephyrus.service.principals import Principal

__all__ = ["Wanted", "check_section", "keep_upload"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be done with an upload.

    Attributes
    ----------
    section_id : int or None
        Where the files go.
    is_converted : bool
        Files that can be converted are.
    options : mapping
        Options of the conversion.
    attributes : mapping
        ``caption`` and ``tags`` of the datafiles, ``name`` of a single one.
    """

    section_id: int | None
    is_converted: bool
    options: Mapping[str, Any]
    attributes: Mapping[str, str]


def check_section(workshop: Workshop, principal: Principal, section_id: int) -> None:
    """Refuse a section that files may not be put into, before they are sent.

    Raises
    ------
    ServiceError
        ``wrong_reference``: there is none; ``not_authorized``.
    """
    with workshop.database.reading() as connection:
        try:
            rights.require(connection, principal, "section", section_id, 2)
        except ServiceError as error:
            if error.message_type != "does_not_exist":
                raise
            raise ServiceError(
                "wrong_reference", f"There is no section {section_id}.", details="section_id"
            ) from error


def keep_upload(
    workshop: Workshop, principal: Principal, files: Sequence[Received], wanted: Wanted
) -> list[Record]:
    """Put files of the store into the catalog.

    Parameters
    ----------
    workshop : Workshop
        What is needed for it.
    principal : Principal
        Who sent them.
    files : sequence of Received
        The files.
    wanted : Wanted
        What is to be done with them.

    Returns
    -------
    list of Record
        Their datafiles, in order.

    Raises
    ------
    ServiceError
        If they may not be put there; the files are removed from the store then.
    """
    looked: list[Looked] = []
    try:
        looked += _looked(workshop, principal, files, wanted.section_id)
        with workshop.database.writing() as connection:
            ids = [
                _add(connection, principal, received, found, wanted)
                for received, found in zip(files, looked, strict=True)
            ]
            return [reading.get(connection, principal, "datafile", each) for each in ids]
    except ServiceError as error:
        # After other failures nobody knows whether the transaction was kept: the files stay, and
        # are swept when nothing names them.
        if error.message_type != "unavailable":
            arrays = [found.array.key for found in looked if found.array is not None]
            for key in (*(received.key for received in files), *arrays):
                workshop.store.delete(key)
        raise


def _looked(
    workshop: Workshop,
    principal: Principal,
    files: Sequence[Received],
    section_id: int | None,
) -> list[Looked]:
    """Find out what the files are, among those that lie beside them."""
    with workshop.database.reading() as connection:
        siblings = siblings_of(connection, principal.user_id or 0, section_id)
    names = [StoredName(received.name, received.key, received.size) for received in files]
    try:
        return look(workshop, names, siblings)
    except ChildLost as error:
        for received in files:  # nothing names them, and the sender is told to send them again
            workshop.store.delete(received.key)
        raise ServiceError("unavailable", str(error), headers={"Retry-After": "10"}) from error


def _add(
    connection: Connection,
    principal: Principal,
    received: Received,
    looked: Looked,
    wanted: Wanted,
) -> int:
    """Add one datafile, with its array and its job."""
    section = wanted.section_id
    printed = None if section is None else format_id(section, id_style(connection))
    document = {"name": received.name, "section": printed, **wanted.attributes}
    facts = upload_facts(looked, received.key, received.size, received.digest)
    record = create(connection, principal, "datafile", document, facts=facts)
    if looked.array is not None:
        row = looked.array.row
        connection.execute(insert(ARRAYS).values(datafile_id=record.id, **row))
        enqueue_levels(connection, record.id, row, user_id=principal.user_id)
    if wanted.is_converted and looked.is_main and looked.file_type in CONVERTIBLE:
        payload = {"datafile": record.id, "options": dict(wanted.options)}
        job = jobs.enqueue(connection, "convert", payload, user_id=principal.user_id)
        set_facts(connection, record.id, last_task_id=job)
    return record.id
