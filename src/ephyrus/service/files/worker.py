"""Does background jobs: in a thread of the service, in a process of its own, or on a cluster.

A worker looks for jobs, hands them to threads (or to a Dask cluster), and gives signs of life for
those that are under way. It may be killed at any moment: its jobs are then taken by another.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any

from sqlalchemy import delete, select

from ephyrus._shared.extras import optional_module
from ephyrus.service.accounts.tables import utc_now
from ephyrus.service.catalog.loading import chunks
from ephyrus.service.db.schema import DISCARDED
from ephyrus.service.errors import ServiceError
from ephyrus.service.files import jobs
from ephyrus.service.files.making import Failed
from ephyrus.service.files.records import named_keys, stored_keys
from ephyrus.service.files.work import WORK
from ephyrus.service.files.workshop import Workshop, open_workshop, workshop_of
from ephyrus.service.settings import Settings

__all__ = ["Worker", "WorkerThread", "perform", "start_thread", "sweep"]

IDLE = 0.5  # seconds between two looks for jobs
GRACE = 10.0  # seconds in which jobs that are told to stop do so
SWEPT_EVERY = 3600.0  # seconds

log = logging.getLogger(__name__)


def perform(workshop: Workshop, job: jobs.Job) -> None:
    """Do one job to its end, whether good or bad.

    Parameters
    ----------
    workshop : Workshop
        What is needed for it.
    job : Job
        One that was claimed.

    Raises
    ------
    Lost
        If it was given to another worker in the meantime; nothing of it is kept.
    Exception
        Whatever else stops it and may not stop another attempt.
    """
    try:
        WORK.get(job.kind, _unknown)(workshop, job)
    except Failed as error:
        with workshop.database.writing() as connection:
            jobs.fail(connection, job, str(error), attempts=0)
            error.note(connection, job)


def _unknown(workshop: Workshop, job: jobs.Job) -> None:
    raise Failed(f"this version of the service does not know jobs of kind {job.kind!r}")


@cache
def _remote_workshop(settings: str) -> Workshop:
    """Give the workshop of a process of a cluster."""
    return open_workshop(Settings.model_validate_json(settings))


def perform_remotely(settings: str, job: jobs.Job) -> None:
    """Do one job in a process of a cluster, which has the same database and store."""
    perform(_remote_workshop(settings), job)


@dataclass(slots=True)
class _UnderWay:
    """A job that is being done."""

    job: jobs.Job
    future: Future[None]
    seen: float


class Worker:
    """Takes jobs and has them done.

    Parameters
    ----------
    workshop : Workshop
        What jobs need.
    most : int
        Jobs that are done at the same time.
    dask : str, optional
        Address of a Dask scheduler that jobs are handed to; empty: threads of this process.

    Raises
    ------
    MissingExtraError
        If a scheduler is named and Dask is not installed.
    """

    def __init__(self, workshop: Workshop, *, most: int = 1, dask: str = "") -> None:
        self.name = jobs.worker_name()
        self._workshop = replace(workshop, stopping=threading.Event())
        self._most = most
        self._under_way: list[_UnderWay] = []
        self._executor, self._close = _executor(most, dask)
        self._is_remote = bool(dask)
        self._swept = -SWEPT_EVERY

    def run(self, stop: threading.Event) -> None:
        """Do jobs until `stop` is set; those under way then have some seconds to end."""
        try:
            while not stop.is_set():
                self._step(stop)
        finally:
            self._wind_up()

    def run_once(self) -> int:
        """Do all jobs that wait now, and give how many were done."""
        done = 0
        stop = threading.Event()
        try:
            while self._take() or self._under_way:
                done += self._settle(stop)
        finally:
            self._wind_up()
        return done

    def _step(self, stop: threading.Event) -> None:
        """Take what there is, and wait a moment."""
        try:
            self._sweep()
            while self._take():
                pass
            self._settle(stop)
        except (ServiceError, OSError) as error:  # the database is away: it may come back
            log.warning("worker %s: %s", self.name, error)
            stop.wait(IDLE)
        if not self._under_way:
            stop.wait(IDLE)

    def _take(self) -> bool:
        """Take a job, if there is one and a hand is free."""
        if len(self._under_way) >= self._most:
            return False
        settings = self._workshop.settings
        job = jobs.claim(
            self._workshop.database,
            self.name,
            lease=settings.job_lease_seconds,
            attempts=settings.job_attempts,
        )
        if job is None:
            return False
        log.info("job %d (%s) begins, attempt %d", job.id, job.kind, job.attempt)
        self._under_way.append(_UnderWay(job, self._begun(job), time.monotonic()))
        return True

    def _wait(self, stop: threading.Event, seconds: float) -> None:
        """Wait for jobs under way to end."""
        deadline = time.monotonic() + seconds
        while self._under_way and time.monotonic() < deadline:
            self._settle(stop)

    def _begun(self, job: jobs.Job) -> Future[None]:
        if self._is_remote:
            settings = self._workshop.settings.model_dump_json()
            return self._executor.submit(perform_remotely, settings, job)
        return self._executor.submit(perform, self._workshop, job)

    def _settle(self, stop: threading.Event) -> int:
        """Give signs of life, and see what has ended; gives how many."""
        wait([each.future for each in self._under_way], timeout=IDLE, return_when="FIRST_COMPLETED")
        ended = [each for each in self._under_way if each.future.done()]
        for each in self._under_way:
            pause = self._workshop.settings.job_lease_seconds / 4
            if not each.future.done() and time.monotonic() - each.seen > pause:
                jobs.heartbeat(self._workshop.database, each.job)
                each.seen = time.monotonic()
        for each in ended:
            self._under_way.remove(each)
            self._close_job(each, is_stopping=stop.is_set())
        return len(ended)

    def _close_job(self, ended: _UnderWay, *, is_stopping: bool) -> None:
        """Write down how a job ended that did not do so itself."""
        error = ended.future.exception()
        job = ended.job
        if error is None:
            log.info("job %d (%s) ended", job.id, job.kind)
        elif isinstance(error, jobs.Lost):
            log.warning("job %d (%s): %s", job.id, job.kind, error)
        elif is_stopping:
            jobs.put_back(self._workshop.database, job)
        else:
            log.error("job %d (%s) failed", job.id, job.kind, exc_info=error)
            with self._workshop.database.writing() as connection:
                told = str(error) if isinstance(error, ServiceError | OSError) else "a fault"
                message = f"{type(error).__name__}: {told}; the service's log tells more"
                attempts = self._workshop.settings.job_attempts
                jobs.fail(connection, job, message, attempts=attempts)

    def _sweep(self) -> None:
        """Have leftovers removed now and then."""
        now = time.monotonic()
        if now < self._swept + SWEPT_EVERY:
            return
        is_first, self._swept = self._swept < 0, now
        sweep(self._workshop, with_files=not is_first)  # which takes its time in a large store

    def _wind_up(self) -> None:
        """Let jobs under way end, or give them back."""
        stop = threading.Event()
        stop.set()
        try:
            self._wait(stop, self._workshop.settings.stop_seconds)
            if self._under_way and not self._is_remote:
                self._workshop.stopping.set()
                self._workshop.nursery.close()  # ends the children, and so what waits for them
                self._wait(stop, GRACE)
            for each in self._under_way:
                jobs.put_back(self._workshop.database, each.job)
        finally:
            self._close()


def sweep(workshop: Workshop, *, with_files: bool = True) -> int:
    """Remove what killed processes left behind.

    Parameters
    ----------
    workshop : Workshop
        Store, scratch folders, catalog.
    with_files : bool
        Also finished files of the store that nothing in the catalog refers to.

    Returns
    -------
    int
        How many files and folders were removed.
    """
    settings = workshop.settings
    removed = _remove_discarded(workshop)
    # Longer than a conversion may take, whose arrays are referred to only at its end.
    older_than = max(settings.leftover_hours * 3600.0, settings.convert_seconds + 3600.0)
    removed += workshop.store.sweep(older_than=older_than)
    removed += workshop.scratch.sweep(older_than=older_than)
    keys = list(workshop.store.keys(older_than=older_than)) if with_files else []
    if keys:
        with workshop.database.reading() as connection:  # after the listing: nothing new is missed
            wanted = stored_keys(connection)
        for key in keys:
            if key not in wanted:
                workshop.store.delete(key)
                removed += 1
    if removed:
        log.info("%d leftovers were removed", removed)
    return removed


def _remove_discarded(workshop: Workshop) -> int:
    """Remove files of the store that were replaced long enough ago; gives how many.

    Small arrays share files: one in which others still lie stays, until these discard it, too.
    """
    latest = utc_now() - timedelta(hours=workshop.settings.leftover_hours)
    with workshop.database.reading() as connection:
        query = select(DISCARDED.c.key).where(DISCARDED.c.since <= latest)
        keys = list(connection.execute(query).scalars())
        named = named_keys(connection) if keys else set()
    unnamed = [key for key in keys if key not in named]
    for key in unnamed:  # should this end here, they are removed once more
        workshop.store.delete(key)
    for part in chunks(keys):
        with workshop.database.writing(quiet=True) as connection:
            noted = DISCARDED.c.key.in_(part), DISCARDED.c.since <= latest  # not anew since then
            connection.execute(delete(DISCARDED).where(*noted))
    return len(unnamed)


def _executor(most: int, dask: str) -> tuple[Executor, Callable[[], Any]]:
    """Give what does jobs, and what ends it."""
    if not dask:
        pool = ThreadPoolExecutor(most, "ephyrus-job")
        return pool, lambda: pool.shutdown(wait=False, cancel_futures=True)
    distributed = optional_module("distributed", "cluster", "Handing background jobs to a cluster")
    client = distributed.Client(dask, set_as_default=False)
    executor: Executor = client.get_executor(retries=0, pure=False)
    return executor, client.close


class WorkerThread:
    """A worker in a thread of a process that serves requests.

    Parameters
    ----------
    worker : Worker
        What runs in it.
    """

    def __init__(self, worker: Worker) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=worker.run, args=(self._stop,), name="ephyrus-worker", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop it, and wait until it has."""
        self._stop.set()
        self._thread.join()


def start_thread(service: Any) -> WorkerThread:
    """Start a worker in a thread of this process; `service` is that of the routes."""
    workshop = workshop_of(service)
    settings = workshop.settings
    worker = Worker(workshop, most=settings.worker_threads, dask=settings.dask)
    return WorkerThread(worker)
