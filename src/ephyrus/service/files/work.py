"""What background jobs do, by kind: conversion, unpacking, overviews.

Every job makes files in the store first, which nothing names, and then writes down everything in
one transaction together with its own end. Whenever it is killed, nothing is half there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ephyrus.service.catalog.reading import array_of
from ephyrus.service.files import jobs
from ephyrus.service.files.extraction import extract
from ephyrus.service.files.kinds import CSV, NAMES, NEUROSHARE, ODML, READABLE
from ephyrus.service.files.making import Failed, asked, file_of, keep, taking
from ephyrus.service.files.manifests import read_objects
from ephyrus.service.files.merging import keep_levels, levels_file, merge
from ephyrus.service.files.nursery import ChildFailed
from ephyrus.service.files.scratch import lay_out
from ephyrus.service.files.workshop import Workshop

__all__ = ["CSV_DEFAULTS", "WORK"]

CSV_DEFAULTS: Mapping[str, Any] = {
    "sampling_rate": 1.0,
    "sampling_rate_units": "hz",
    "t_start": 0.0,
    "t_start_units": "s",
    "units": "dimensionless",
}
"""What is assumed of CSV files, which tell nothing but numbers."""

_TASKS = {NEUROSHARE: "convert", READABLE: "convert", CSV: "csv", ODML: "odml"}


def convert(workshop: Workshop, job: jobs.Job) -> None:
    """Turn a file into objects."""
    row, siblings = file_of(workshop, job)
    task = _TASKS.get(row.file_type)
    if task is None:
        raise Failed(f"a file of this kind ({NAMES[row.file_type]}) is not converted", row.id)
    with workshop.scratch.folder() as shown, workshop.scratch.folder() as folder:
        beside = [(each.name, each.key) for each in siblings]
        paths = lay_out(workshop.store, [(row.name, row.key or "")], shown, siblings=beside)
        request = {
            "path": str(paths[0]),
            "folder": str(folder),
            "format": row.info.get("format"),
            "options": {**CSV_DEFAULTS, **job.payload.get("options", {})},
            **workshop.room,
        }
        report = asked(workshop, row, task, request)
        with taking(workshop) as taken:
            try:
                objects = read_objects(folder, taken, safety_level=row.safety_level)
            except ChildFailed as error:
                raise Failed(str(error), row.id) from error
    keep(workshop, job, row, objects, problems=report.get("problems", []))


def build(workshop: Workshop, job: jobs.Job) -> None:
    """Build the levels of a stored array, from which overviews are answered."""
    datafile_id = int(job.payload["datafile"])
    with workshop.database.reading() as connection:
        row = array_of(connection, datafile_id)
    if row is None or row.levels_key is not None or row.location["kind"] == "recorded":
        _finish(workshop, job)
        return
    key = levels_file(workshop, row)
    if key is None:
        _finish(workshop, job)
        return
    with workshop.database.writing() as connection:
        keep_levels(connection, datafile_id, key, row.shape[0])
        jobs.finish(connection, job, {})


def _finish(workshop: Workshop, job: jobs.Job) -> None:
    """End a job that has nothing to do."""
    with workshop.database.writing(quiet=True) as connection:
        jobs.finish(connection, job, {})


WORK: Mapping[str, Callable[[Workshop, jobs.Job], None]] = {
    "convert": convert,
    "extract": extract,
    "levels": build,
    "merge": merge,
}
"""What is done for a job of each kind."""
