"""Writes uploaded recordings in a common form."""

from __future__ import annotations

from pathlib import Path

from ephyrus.service.errors import ServiceError
from ephyrus.service.files.kinds import NEUROSHARE, READABLE
from ephyrus.service.files.nursery import ChildFailed, ChildLost, Refused
from ephyrus.service.files.records import FileRow, siblings_of
from ephyrus.service.files.scratch import lay_out
from ephyrus.service.files.workshop import Workshop

__all__ = ["EXPORTED", "export"]

EXPORTED = frozenset({NEUROSHARE, READABLE})
"""Kinds of files that have a common form."""


def export(workshop: Workshop, row: FileRow, folder: Path) -> Path:
    """Write a recording as NIX.

    Parameters
    ----------
    workshop : Workshop
        What is needed for it.
    row : FileRow
        The file.
    folder : Path
        Where it is written.

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    ServiceError
        ``non_convertible``: the file cannot be read, or not be written so; ``unavailable``: try
        again.
    """
    with workshop.database.reading() as connection:
        siblings = siblings_of(connection, row.owner_id, row.section_id)
    with workshop.scratch.folder() as shown:
        beside = [(each.name, each.key) for each in siblings]
        paths = lay_out(workshop.store, [(row.name, row.key or "")], shown, siblings=beside)
        request = {
            "path": str(paths[0]),
            "folder": str(folder),
            "format": row.info.get("format"),
            **workshop.room,
        }
        try:
            workshop.nursery.run("export", request, workshop.export_limits(row.size), patience=0.0)
        except ChildLost as error:
            raise ServiceError("unavailable", str(error), headers={"Retry-After": "2"}) from error
        except (Refused, ChildFailed) as error:
            raise ServiceError("non_convertible", str(error)) from error
    return folder / "export.nix"
