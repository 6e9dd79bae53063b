"""Background jobs: each is done once or not at all, whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update

from ephyrus.service.accounts import users
from ephyrus.service.db.engine import Database, moment
from ephyrus.service.db.schema import JOBS, TABLES
from ephyrus.service.files import jobs
from ephyrus.service.files.receiving import Received
from ephyrus.service.files.uploads import Wanted, keep_upload
from ephyrus.service.files.worker import Worker, sweep
from ephyrus.service.files.workshop import Workshop, open_workshop
from ephyrus.service.principals import Principal
from ephyrus.service.settings import Settings

ROOT = Path(__file__).parents[2]
PATIENCE = 60.0  # seconds after which a test gives up


def put(database: Database, *kinds: str) -> list[int]:
    with database.writing() as connection:
        return [jobs.enqueue(connection, kind, {"n": kind}, user_id=None) for kind in kinds]


def states(database: Database) -> dict[int, str]:
    with database.reading() as connection:
        return {row.id: row.state for row in connection.execute(select(JOBS.c.id, JOBS.c.state))}


def claim(database: Database, worker: str = "a", lease: float = 60, attempts: int = 3):
    return jobs.claim(database, worker, lease=lease, attempts=attempts)


def age(database: Database, seconds: float) -> None:
    """Let time pass for all jobs."""
    back = timedelta(seconds=seconds)
    with database.writing(quiet=True) as connection:
        for row in connection.execute(select(JOBS)).all():
            values = {"run_after": row.run_after - back}
            if row.heartbeat_at is not None:
                values["heartbeat_at"] = row.heartbeat_at - back
            connection.execute(update(JOBS).where(JOBS.c.id == row.id).values(values))


def test_jobs_are_taken_in_order_and_once(database):
    first, second = put(database, "x", "y")
    one, two = claim(database, "a"), claim(database, "b")
    assert (one.id, one.kind, one.payload, one.attempt) == (first, "x", {"n": "x"}, 1)
    assert (two.id, two.worker) == (second, "b")
    assert claim(database) is None
    with database.writing() as connection:
        jobs.finish(connection, one, {"objects": {"block": [7]}}, "well")
    assert states(database) == {first: "done", second: "running"}
    with database.reading() as connection:
        found = jobs.status(connection, first)
        assert jobs.status(connection, 999) is None
    assert (found.state, found.result, found.message) == (
        "done",
        {"objects": {"block": [7]}},
        "well",
    )
    assert found.is_over


def test_a_job_exists_if_its_transaction_is_kept(database):
    with pytest.raises(KeyError), database.writing() as connection:
        raise KeyError(jobs.enqueue(connection, "x", {}, user_id=None))
    assert states(database) == {}
    with database.writing() as connection:
        later = moment(connection) + timedelta(hours=1)
        jobs.enqueue(connection, "x", {}, user_id=None, run_after=later)
    assert claim(database) is None


def test_many_workers_take_each_job_once(database):
    ids = put(database, *"abcdefghijklmnopqrst")
    taken: list[int] = []
    lock = threading.Lock()

    def work(name: str) -> None:
        while (job := claim(database, name)) is not None:
            with lock:
                taken.append(job.id)
            with database.writing() as connection:
                jobs.finish(connection, job, {})

    threads = [threading.Thread(target=work, args=(str(each),)) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == ids
    assert set(states(database).values()) == {"done"}


def test_the_jobs_of_the_dead_are_done_by_others(database):
    (number,) = put(database, "x")
    dead = claim(database, "dead")
    assert claim(database, "b") is None
    age(database, 30)
    assert jobs.heartbeat(database, dead)
    age(database, 50)
    assert claim(database, "b") is None
    age(database, 20)
    heir = claim(database, "b")
    assert (heir.id, heir.attempt) == (number, 2)
    assert not jobs.heartbeat(database, dead)
    with pytest.raises(jobs.Lost):
        _finish_with_more(database, dead)
    assert list(states(database)) == [number]
    with database.writing() as connection:
        assert jobs.fail(connection, dead, "no", attempts=9)
    assert states(database) == {number: "running"}
    with database.writing() as connection:
        jobs.finish(connection, heir, {})
    assert states(database) == {number: "done"}


def _finish_with_more(database: Database, job: jobs.Job) -> None:
    with database.writing() as connection:
        jobs.enqueue(connection, "y", {}, user_id=None)  # what it made
        jobs.finish(connection, job, {})


def test_attempts_are_counted(database):
    (number,) = put(database, "x")
    for attempt in (1, 2):
        assert claim(database, str(attempt), attempts=2).attempt == attempt
        age(database, 100)
    assert claim(database, "3", attempts=2) is None
    with database.reading() as connection:
        found = jobs.status(connection, number)
    assert (found.state, found.attempts) == ("failed", 2)
    assert "died 2 times" in found.message


def test_failures_are_tried_again_after_a_pause(database):
    (number,) = put(database, "x")
    job = claim(database)
    with database.writing() as connection:
        assert jobs.fail(connection, job, "away", attempts=2)
    assert claim(database) is None
    age(database, 3)
    job = claim(database)
    assert job.attempt == 2
    with database.writing() as connection:
        assert not jobs.fail(connection, job, "still", attempts=2)
    assert states(database) == {number: "failed"}


def test_a_job_that_is_put_back_loses_no_attempt(database):
    put(database, "x")
    jobs.put_back(database, claim(database))
    assert claim(database).attempt == 1


@pytest.fixture
def workshop(database, tmp_path) -> Workshop:
    settings = Settings(
        data_folder=tmp_path / "data",
        database=database.engine.url.render_as_string(hide_password=False),
    )
    made = open_workshop(settings, database=Database(settings))
    yield made
    made.database.close()


def uploaded(workshop: Workshop, name: str, data: bytes, **more) -> int:
    """Upload a file as a new user; gives the id of its datafile."""
    with workshop.database.writing() as connection:
        user = users.create(connection, f"user{time.monotonic_ns()}")
    with workshop.store.create() as new:
        new.write(data)
        key = new.commit()
    principal = Principal(user.id, user.name, scopes=frozenset({"read", "write"}))
    wanted = Wanted(None, True, {}, {}, **more)
    received = [Received(name, key, len(data), "0" * 40)]
    (record,) = keep_upload(workshop, principal, received, wanted)
    return record.id


def counts(workshop: Workshop, *kinds: str) -> list[int]:
    with workshop.database.reading() as connection:
        return [
            connection.execute(select(func.count()).select_from(TABLES[kind])).scalar_one()
            for kind in kinds
        ]


def test_a_worker_does_all_jobs_that_wait(workshop):
    uploaded(workshop, "a.csv", b"1,2,3\n4,5,6\n")
    with workshop.database.writing() as connection:
        strange = jobs.enqueue(connection, "strange", {}, user_id=None)
    assert Worker(workshop, most=2).run_once() == 2
    assert counts(workshop, "block", "analogsignal", "datafile") == [1, 2, 3]
    with workshop.database.reading() as connection:
        found = jobs.status(connection, strange)
    assert (found.state, "strange" in found.message) == ("failed", True)


def test_jobs_are_handed_to_a_cluster(sqlite_database, tmp_path):
    distributed = pytest.importorskip("distributed")
    settings = sqlite_database.settings
    workshop = open_workshop(settings, database=sqlite_database)
    uploaded(workshop, "a.csv", b"1,2,3\n4,5,6\n")
    with distributed.LocalCluster(
        n_workers=1, processes=False, dashboard_address=None, local_directory=str(tmp_path)
    ) as cluster:
        assert Worker(workshop, dask=cluster.scheduler_address).run_once() == 1
    assert counts(workshop, "block", "analogsignal", "datafile") == [1, 2, 3]


def test_faults_are_tried_again_and_told(workshop, monkeypatch, caplog):
    from ephyrus.service.files import worker as module

    def work(workshop, job):
        raise RuntimeError("secret path /srv")

    monkeypatch.setattr(module, "WORK", {"x": work})
    (number,) = put(workshop.database, "x")
    assert Worker(workshop).run_once() == 1
    with workshop.database.reading() as connection:
        found = jobs.status(connection, number)
    assert (found.state, found.attempts) == ("waiting", 1)
    assert "RuntimeError" in found.message
    assert "secret" not in found.message


def test_a_worker_that_stops_gives_its_jobs_back(workshop, monkeypatch):
    from ephyrus.errors import Cancelled
    from ephyrus.service.files import worker as module

    begun = threading.Event()

    def work(workshop, job):
        begun.set()
        workshop.stopping.wait(60)
        raise Cancelled("stopped")

    monkeypatch.setattr(module, "WORK", {"x": work})
    quick = workshop.settings.model_copy(update={"stop_seconds": 0.1})
    (number,) = put(workshop.database, "x")
    stop = threading.Event()
    worker = Worker(replace(workshop, settings=quick))
    thread = threading.Thread(target=worker.run, args=(stop,))
    thread.start()
    try:
        assert begun.wait(PATIENCE)
    finally:
        stop.set()
        thread.join(PATIENCE)
    assert states(workshop.database) == {number: "waiting"}
    assert not workshop.stopping.is_set()


def table_of_numbers(rows: int) -> bytes:
    """A file of which a conversion makes so many signals."""
    return (b",".join(b"%d.5" % number for number in range(2000)) + b"\n") * rows


def until_it_writes(workshop: Workshop, is_over: Callable[[], bool]) -> None:
    """Wait until a conversion has written its second array."""
    end = time.monotonic() + PATIENCE
    while not list(workshop.scratch.root.glob("*/array-1*")):
        assert time.monotonic() < end
        assert not is_over()
        time.sleep(0.002)


@contextmanager
def command(workshop: Workshop, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run `ephyrus worker`."""
    environment = {
        **os.environ,
        "EPHYRUS_SERVICE_DATA_FOLDER": str(workshop.settings.data_folder),
        "EPHYRUS_SERVICE_DATABASE": workshop.settings.database,
    }
    program = [sys.executable, "-m", "ephyrus", "worker", *arguments]
    process = subprocess.Popen(
        program, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.skipif(os.name == "nt", reason="there is no kill -9")
@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # SQLite: test_proof_kills
def test_a_worker_that_is_killed_leaves_nothing_half_done(workshop):
    uploaded(workshop, "a.csv", table_of_numbers(50))
    before = counts(workshop, "block", "segment", "analogsignal", "datafile")
    assert before == [0, 0, 0, 1]
    with command(workshop, "--once") as victim, workshop.database.writing(quiet=True) as connection:
        # it cannot make objects until this transaction ends: it does not get to the end
        connection.execute(text("LOCK TABLE block IN EXCLUSIVE MODE"))
        until_it_writes(workshop, lambda: victim.poll() is not None)
        victim.send_signal(signal.SIGKILL)
        victim.wait()
    assert counts(workshop, "block", "segment", "analogsignal", "datafile") == before
    assert list(states(workshop.database).values()) == ["running"]
    assert Worker(workshop).run_once() == 0
    age(workshop.database, 100)
    assert Worker(workshop).run_once() == 1
    assert counts(workshop, "block", "segment", "analogsignal", "datafile") == [1, 1, 50, 51]
    assert list(states(workshop.database).values()) == ["done"]


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGTERM")
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_command_does_jobs_until_it_is_asked_to_stop(workshop):
    uploaded(workshop, "a.csv", b"1,2,3\n")
    with command(workshop, "--threads", "2") as worker:
        end = time.monotonic() + PATIENCE
        while list(states(workshop.database).values()) != ["done"]:
            assert time.monotonic() < end
            time.sleep(0.05)
        worker.send_signal(signal.SIGTERM)
        said, _ = worker.communicate(timeout=PATIENCE)
    assert (worker.returncode, said) == (0, b"doing background jobs; Ctrl-C stops it\n")


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc")
def test_a_conversion_whose_child_is_killed_is_tried_again(workshop):
    uploaded(workshop, "a.csv", table_of_numbers(100))
    worker = Worker(workshop)
    thread = threading.Thread(target=worker.run_once)
    thread.start()
    try:
        until_it_writes(workshop, lambda: not thread.is_alive())
        parent = workshop.nursery._process.pid
        for child in Path(f"/proc/{parent}/task/{parent}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
    finally:
        thread.join()
    assert counts(workshop, "block", "analogsignal", "datafile") == [0, 0, 1]
    assert list(states(workshop.database).values()) == ["waiting"]
    age(workshop.database, 100)
    assert Worker(workshop).run_once() == 1
    assert counts(workshop, "block", "analogsignal", "datafile") == [1, 100, 101]
    assert list(workshop.scratch.root.iterdir()) == []


def test_what_nothing_names_is_swept(workshop):
    uploaded(workshop, "a.csv", b"1,2,3\n")
    Worker(workshop).run_once()
    keys = set(workshop.store.keys())
    with workshop.store.create() as new:
        new.write(b"lost")
        lost = new.commit()
    assert sweep(workshop) == 0  # it is too young
    for key in (*keys, lost):
        path = workshop.store.local_path(key)
        os.utime(path, (0, 0))
    assert sweep(workshop) == 1
    assert set(workshop.store.keys()) == keys
