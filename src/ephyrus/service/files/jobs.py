"""Background jobs in the database: put there by requests, taken by any worker on any machine.

A job is put down in the transaction of the request that wants it, so that it exists if and only if
that is kept. A worker takes it for a time, and gives a sign of life as long as it works; when it
dies the job is taken again by another, up to a number of attempts. What a job has made is kept in
the transaction that ends it, which fails if the job has meanwhile been taken by somebody else: the
work of a job is there once, or not at all.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from ephyrus.errors import EphyrusError
from ephyrus.service.db.engine import Database
from ephyrus.service.db.schema import JOBS

__all__ = [
    "Job",
    "JobStatus",
    "Lost",
    "claim",
    "enqueue",
    "fail",
    "finish",
    "heartbeat",
    "is_due",
    "put_back",
    "status",
    "worker_name",
]

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
FIRST_PAUSE = 2.0  # seconds before the second attempt; each further pause is four times as long
MOST_MESSAGE = 2000  # characters


class Lost(EphyrusError):
    """A job was taken for dead and belongs to another worker now."""


@dataclass(frozen=True, slots=True)
class Job:
    """A job that a worker has taken.

    Attributes
    ----------
    id : int
        Its number, which clients know as ``task_id``.
    kind : str
        What is to be done.
    payload : mapping
        With what.
    attempt : int
        How often it has been begun, this time included.
    worker : str
        Who has taken it.
    user_id : int or None
        Who wanted it.
    """

    id: int
    kind: str
    payload: Mapping[str, Any]
    attempt: int
    worker: str
    user_id: int | None


@dataclass(frozen=True, slots=True)
class JobStatus:
    """How a job stands.

    Attributes
    ----------
    state : {"waiting", "running", "done", "failed"}
        Whether it has been done.
    message : str
        Why it failed, or what is to be said of it.
    result : mapping
        What came out.
    """

    id: int
    kind: str
    state: str
    attempts: int
    message: str
    user_id: int | None
    payload: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)
    started: datetime | None = None
    heartbeat: datetime | None = None

    @property
    def is_over(self) -> bool:
        """It will not be worked on any more."""
        return self.state in (DONE, FAILED)


def worker_name() -> str:
    """Make a name for a worker that no other has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def _now(connection: Connection) -> datetime:
    """Give the time that all workers agree on: that of the database, where it has a clock."""
    if connection.dialect.name == "sqlite":
        return datetime.now(UTC).replace(tzinfo=None)
    found = connection.execute(select(func.timezone("utc", func.clock_timestamp()))).scalar_one()
    return datetime.fromisoformat(str(found)).replace(tzinfo=None)


def enqueue(
    connection: Connection,
    kind: str,
    payload: Mapping[str, Any],
    *,
    user_id: int | None,
    run_after: datetime | None = None,
) -> int:
    """Put a job down within the caller's transaction.

    Parameters
    ----------
    connection : Connection
        Of :meth:`Database.writing`.
    kind : str
        What is to be done: a key of `ephyrus.service.files.work.WORK`.
    payload : mapping
        With what.
    user_id : int or None
        Who wants it.
    run_after : datetime, optional
        Not before this time (UTC, without a zone).

    Returns
    -------
    int
        Its number.
    """
    values = {
        "kind": kind,
        "payload": dict(payload),
        "state": WAITING,
        "attempts": 0,
        "run_after": run_after or _now(connection),
        "user_id": user_id,
    }
    return int(connection.execute(insert(JOBS).values(values).returning(JOBS.c.id)).scalar_one())


def status(connection: Connection, job_id: int) -> JobStatus | None:
    """Tell how a job stands; None if there is no such job."""
    row = connection.execute(select(JOBS).where(JOBS.c.id == job_id)).mappings().first()
    if row is None:
        return None
    return JobStatus(
        row["id"],
        row["kind"],
        row["state"],
        row["attempts"],
        row["message"] or "",
        row["user_id"],
        row["payload"] or {},
        row["result"] or {},
        row["started_at"],
        row["heartbeat_at"],
    )


def _is_free(now: datetime, lease: float) -> Any:
    """Say in the database's terms which jobs may be taken."""
    dead = now - timedelta(seconds=lease)
    return or_(
        and_(JOBS.c.state == WAITING, JOBS.c.run_after <= now),
        and_(JOBS.c.state == RUNNING, JOBS.c.heartbeat_at < dead),
    )


def is_due(connection: Connection, *, lease: float) -> bool:
    """Tell whether there is a job to take, without locking anything."""
    free = _is_free(_now(connection), lease)
    return connection.execute(select(JOBS.c.id).where(free).limit(1)).first() is not None


def claim(database: Database, worker: str, *, lease: float, attempts: int) -> Job | None:
    """Take the job that has waited longest.

    Parameters
    ----------
    database : Database
        Where jobs are.
    worker : str
        Who takes it; see `worker_name`.
    lease : float
        Seconds without a sign of life after which a worker is taken for dead.
    attempts : int
        How often a job is begun; one whose workers have all died has failed.

    Returns
    -------
    Job or None
        None: nothing is to be done.
    """
    with database.reading() as connection:
        if not is_due(connection, lease=lease):
            return None
    with database.writing(quiet=True) as connection:
        now = _now(connection)
        free = _is_free(now, lease)
        connection.execute(
            update(JOBS)
            .where(free, JOBS.c.state == RUNNING, JOBS.c.attempts >= attempts)
            .values(state=FAILED, message=f"its worker died {attempts} times in the middle of it")
        )
        # PostgreSQL: workers pass over what others are just taking. SQLite has one writer anyway.
        wanted = (
            select(JOBS.c.id)
            .where(free)
            .order_by(JOBS.c.run_after, JOBS.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        found = connection.execute(wanted).scalar()
        if found is None:
            return None
        taken = (
            update(JOBS)
            .where(JOBS.c.id == found)
            .values(
                state=RUNNING,
                attempts=JOBS.c.attempts + 1,
                started_at=now,
                heartbeat_at=now,
                worker=worker,
                message=None,
            )
            .returning(JOBS.c.kind, JOBS.c.payload, JOBS.c.attempts, JOBS.c.user_id)
        )
        row = connection.execute(taken).one()
        return Job(found, row.kind, row.payload, row.attempts, worker, row.user_id)


def _mine(job: Job) -> Any:
    """Say in the database's terms that a job is still the worker's own, in this attempt."""
    return and_(
        JOBS.c.id == job.id,
        JOBS.c.state == RUNNING,
        JOBS.c.worker == job.worker,
        JOBS.c.attempts == job.attempt,
    )


def heartbeat(database: Database, job: Job) -> bool:
    """Give a sign of life; False if the job belongs to another worker by now."""
    with database.writing(quiet=True) as connection:
        alive = update(JOBS).where(_mine(job)).values(heartbeat_at=_now(connection))
        return connection.execute(alive).rowcount == 1


def finish(connection: Connection, job: Job, result: Mapping[str, Any], message: str = "") -> None:
    """End a job within the transaction that keeps what it made.

    Raises
    ------
    Lost
        If it belongs to another worker by now; nothing of the transaction may be kept then.
    """
    values = {"state": DONE, "result": dict(result), "message": message[:MOST_MESSAGE]}
    if connection.execute(update(JOBS).where(_mine(job)).values(values)).rowcount != 1:
        raise Lost(f"job {job.id} took too long to give a sign of life and was given to another")


def fail(connection: Connection, job: Job, message: str, *, attempts: int) -> bool:
    """Tell that a job failed.

    Parameters
    ----------
    connection : Connection
        Of :meth:`Database.writing`.
    job : Job
        The job.
    message : str
        Why.
    attempts : int
        It is tried again, after a pause, until it has been begun so often.

    Returns
    -------
    bool
        It will be tried again.
    """
    is_again = job.attempt < attempts
    values: dict[str, Any] = {"state": FAILED, "message": message[:MOST_MESSAGE]}
    if is_again:
        pause = timedelta(seconds=FIRST_PAUSE * 4.0 ** (job.attempt - 1))
        values |= {"state": WAITING, "run_after": _now(connection) + pause}
    connection.execute(update(JOBS).where(_mine(job)).values(values))
    return is_again


def put_back(database: Database, job: Job) -> None:
    """Give a job back as if it had not been taken, since the worker stops."""
    values = {"state": WAITING, "attempts": JOBS.c.attempts - 1, "worker": None}
    with database.writing(quiet=True) as connection:
        connection.execute(update(JOBS).where(_mine(job)).values(values))
