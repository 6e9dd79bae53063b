"""What the tests of arrays that grow have in common."""

from __future__ import annotations

import io
from contextlib import contextmanager

import h5py
import numpy as np
import pytest
from sqlalchemy import update

from ephyrus.service.accounts.tables import utc_now
from ephyrus.service.catalog.reading import array_of
from ephyrus.service.db.schema import JOBS
from ephyrus.service.files import appending, merging, rows
from ephyrus.service.files.worker import Worker
from ephyrus.service.files.workshop import open_workshop, workshop_of

LIMIT = 2**16
SETTINGS = {"max_append_bytes": LIMIT, "merge_seconds": 3600.0}
RAW = {"content-type": "application/octet-stream"}
JSON = {"content-type": "application/json"}
NPY = {"content-type": "application/x-npy"}


@contextmanager
def small_sizes():
    """Let few bytes be many: rows go to the store, pieces are joined in many tiers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "HELD", 512)
        patch.setattr(appending, "HELD", 512)
        patch.setattr(merging, "TIER", 512)
        patch.setattr(merging, "FAN", 3)
        patch.setattr(merging, "COPIED", 1000)
        yield


def send(user, number, values, **params):
    """Append values as bare samples."""
    return user.request(
        "POST", f"/datafiles/{number}/append", content=values.tobytes(), headers=RAW, params=params
    )


def grown(user, number, values, **params):
    answer = send(user, number, values, **params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(answer, status, message_type):
    """Check a refusal, and give its message and details."""
    told = answer.json()
    assert (answer.status_code, told["message_type"]) == (status, message_type), answer.text
    return told["message"], told["details"]


def read(user, number, **params):
    answer = user.get(f"/datafiles/{number}/data", {"format": "npy", **params})
    assert answer.status_code == 200, answer.text
    return np.load(io.BytesIO(answer.content))


def row_of(site, number):
    with site.database.reading() as conn:
        return array_of(conn, number)


def look_after(site, *, seconds=1e-6):
    """Do the jobs that wait, as if nothing had been appended for a while."""
    workshop = workshop_of(site.app.service)
    changed = workshop.settings.model_copy(update={"merge_seconds": seconds})
    with site.database.writing() as conn:
        conn.execute(update(JOBS).where(JOBS.c.state == "waiting").values(run_after=utc_now()))
    opened = open_workshop(changed, database=workshop.database, store=workshop.store)
    return Worker(opened).run_once()


def made_values(dtype, shape, seed=0):
    numbers = np.random.default_rng(seed).integers(0, 200, shape)
    return numbers.astype(dtype)


def npy(*arrays):
    body = io.BytesIO()
    for each in arrays:
        np.save(body, each)
    return body.getvalue()


def hdf5(values):
    body = io.BytesIO()
    with h5py.File(body, "w") as file:
        file.create_dataset("x", data=values, compression="gzip")
    return body.getvalue()
