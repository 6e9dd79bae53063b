"""Puts arrays that have arrived into the catalog: all of one request, or none."""

from __future__ import annotations

from collections.abc import Sequence

from ephyrus.service.catalog.creating import Made, NewItem, create_many
from ephyrus.service.catalog.ids import format_id
from ephyrus.service.catalog.snapshots import id_style
from ephyrus.service.errors import ServiceError
from ephyrus.service.files.intake import Intake, TakenArray
from ephyrus.service.files.kinds import ARRAY
from ephyrus.service.files.making import enqueue_levels
from ephyrus.service.files.receiving import Received
from ephyrus.service.files.workshop import Workshop
from ephyrus.service.principals import Principal

__all__ = ["keep_arrays"]

MIME = "application/x-hdf"  # of what a download gives


def keep_arrays(
    workshop: Workshop,
    principal: Principal,
    files: Sequence[Received],
    intake: Intake,
    section_id: int | None,
) -> list[Made]:
    """Put arrays of the store into the catalog, as datafiles.

    Parameters
    ----------
    workshop : Workshop
        What is needed for it.
    principal : Principal
        Who sent them.
    files : sequence of Received
        Their names.
    intake : Intake
        The arrays.
    section_id : int or None
        Where they go.

    Returns
    -------
    list of Made
        Their datafiles, in order.

    Raises
    ------
    ServiceError
        If they may not be put there; they are removed from the store then.
    """
    pairs = list(zip(files, intake.arrays, strict=True))
    try:
        with workshop.database.writing() as connection:
            printed = None if section_id is None else format_id(section_id, id_style(connection))
            items = [_item(file, array, printed) for file, array in pairs]
            made = create_many(connection, principal, items)
            for each, array in zip(made, intake.arrays, strict=True):
                enqueue_levels(connection, each.id, array.row, user_id=principal.user_id)
            return made
    except ServiceError as error:
        # After other failures nobody knows whether the transaction was kept: the files stay, and
        # are swept when nothing names them.
        if error.message_type != "unavailable":
            intake.discard()
        raise


def _item(file: Received, array: TakenArray, section: int | str | None) -> NewItem:
    info = array.info
    return NewItem(
        "datafile",
        {"name": file.name, "section": section},
        facts={
            "size": info.size,
            "mime": MIME,
            "file_type": ARRAY,
            "extracted_info": {"dtype": info.dtype, "shape": list(info.shape)},
            "operations_log": [],
            "content": info.digest,
        },
        array=array.row,
    )
