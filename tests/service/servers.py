"""Real processes of the service for tests: servers and job workers.

Whatever is started here is ended with its block, with all processes below it, however the test
ends.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import httpx2
import numpy as np
from starlette.testclient import TestClient

from ephyrus.service.accounts import tokens, users
from ephyrus.service.app import create_app
from ephyrus.service.catalog import bulk
from ephyrus.service.db.engine import Database
from ephyrus.service.files.canonical import array_header
from ephyrus.service.files.store import FolderStore
from ephyrus.service.settings import Settings
from tests.service.processes import PATIENCE, below, eventually, is_alive

__all__ = [
    "Place",
    "Process",
    "array_file",
    "job_worker",
    "raw_request",
    "server",
    "servers",
]

ALL_SCOPES = frozenset({"read", "write", "admin"})
_LISTEN = "0A"  # state of a connection in /proc/net/tcp
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")


@dataclass
class Place:
    """A data folder and a database that processes share.

    Attributes
    ----------
    folder : Path
        Data folder: the store of arrays, and the embedded database.
    database : str
        Address of the database; empty: SQLite in `folder`.
    settings : dict
        Further settings of the processes.
    """

    folder: Path
    database: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        cheap = {
            "password_time_cost": 1,
            "password_memory_kib": 8,
            "password_parallelism": 1,
            "worker_threads": 0,
            "log_level": "warning",
            "database_seconds": PATIENCE,
        }
        self.settings = {**cheap, **self.settings}
        self._catalog: Database | None = None

    @property
    def catalog(self) -> Database:
        """The database, opened in this process."""
        if self._catalog is None:
            self._catalog = Database(
                Settings(data_folder=self.folder, database=self.database, **self.settings)
            )
        return self._catalog

    @property
    def store(self) -> FolderStore:
        """The store of arrays, opened in this process."""
        return FolderStore(self.folder / "arrays")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._catalog is not None:
            self._catalog.close()

    def environment(self, **changes: Any) -> dict[str, str]:
        """Give the variables that tell a process where all this is."""
        values = {**self.settings, "data_folder": self.folder, "database": self.database, **changes}
        kept = {name: each for name, each in os.environ.items() if "EPHYRUS_SERVICE" not in name}
        return {
            **kept,
            **{f"EPHYRUS_SERVICE_{name.upper()}": _text(each) for name, each in values.items()},
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(self.folder),  # what killed processes leave there goes with the test
            "NO_COLOR": "1",
            "COLUMNS": "200",
            "OPENBLAS_NUM_THREADS": "1",
        }

    def user(self, name: str, *, is_admin: bool = False) -> tuple[int, str]:
        """Make a user and a token that may do everything; the id and the token."""
        with self.catalog.writing() as connection:
            found = users.find(connection, name)
            user = found or users.create(connection, name, is_admin=is_admin)
            text, _ = tokens.issue(connection, user.id, "test", ALL_SCOPES)
        return user.id, text

    @contextlib.contextmanager
    def client(self, token: str) -> Iterator[TestClient]:
        """Give a client of a service in this process, which has the same database and store."""
        app = create_app(self.catalog.settings, database=self.catalog)
        with TestClient(app, base_url="http://127.0.0.1") as made:
            made.headers["Authorization"] = f"Bearer {token}"
            yield made

    def sparse_array(
        self, owner: int, shape: tuple[int, ...], dtype: str = "<i2", *, name: str = "sparse"
    ) -> int:
        """Put an array of zeros into the store that takes no room; the id of its datafile."""
        head = array_header(np.dtype(dtype), shape)
        path = self.store.unfinished / f"sparse-{time.monotonic_ns()}"
        with path.open("wb") as file:
            file.write(head)
            file.truncate(len(head) + int(np.prod(shape)) * np.dtype(dtype).itemsize)
        size = path.stat().st_size
        key = self.store.adopt(path)
        row = {
            "dtype": np.dtype(dtype).str,
            "shape": list(shape),
            "sorted": None,
            "location": {"kind": "stored", "key": key, "offset": len(head)},
        }
        return self.put_array(owner, row, name=name, size=size, content=key, store_key=key)

    def put_array(self, owner: int, row: Mapping[str, Any], *, name: str, **facts: Any) -> int:
        """Put an array of the store into the catalog; the id of its datafile."""
        made = bulk.NewObject(
            type="datafile",
            key="it",
            attributes={"name": name},
            array=row,
            facts={"file_type": 5, **facts},
        )
        with self.catalog.writing() as connection:
            return bulk.insert_tree(connection, owner, [made])["it"]


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, tuple | list | dict) else str(value)


class Process:
    """A process of the service.

    Attributes
    ----------
    address : str
        Where it answers; empty for job workers.
    """

    def __init__(self, arguments: list[str], place: Place, **settings: Any) -> None:
        self.address = ""
        self._level = 0
        self._log = place.folder / f"process-{time.monotonic_ns()}.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "ephyrus", *arguments],
                env=place.environment(**settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a group of its own: see `end`
            )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text(errors="replace")

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return int(self.address.rpartition(":")[2])

    def wait_until_healthy(self) -> Self:
        """Wait until it answers."""
        self.address = eventually(self._find_address, what=f"an address\n{self.log}")
        eventually(self._is_healthy, what=f"health\n{self.log}")
        return self

    def _find_address(self) -> str:
        self._check_alive()
        found = _ADDRESS.search(self.log)
        return found.group(0) if found else ""

    def _is_healthy(self) -> bool:
        self._check_alive()
        return self.health() == 200

    def health(self, *, seconds: float = PATIENCE) -> int:
        """Ask whether it is well, on a new connection; the status, 0 without an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/health")
                return connection.getresponse().status
            except OSError:
                return 0

    def _check_alive(self) -> None:
        assert self._process.poll() is None, self.log

    def client(self, token: str = "", **options: Any) -> httpx2.Client:
        """Give a client that sends a user's token; it is for one thread."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        options = {"timeout": PATIENCE, **options}
        return httpx2.Client(base_url=self.address, headers=headers, **options)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait for its end; the exit code."""
        return self._process.wait(seconds)

    @property
    def is_running(self) -> bool:
        """It has not ended."""
        return self._process.poll() is None

    def below(self) -> list[int]:
        """Give the processes that it has started, and those that they have."""
        return below(self.pid)

    def workers(self) -> list[int]:
        """Give the processes that answer: itself, or those below a parent of several."""
        return [each for each in self.below() if "spawn_main" in _words(each)] or [self.pid]

    def connections(self) -> int:
        """Count the connections of clients that it holds open."""
        rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        end = f":{self.port:04X}"
        return sum(row[1].endswith(end) and row[3] != _LISTEN and row[9] != "0" for row in rows)

    @property
    def memory(self) -> int:
        """Resident bytes of the processes that answer."""
        return sum(_memory(each, "VmRSS") for each in self.workers())

    @property
    def work(self) -> float:
        """Seconds of the processor that those that answer have used so far."""
        ticks = 0
        for each in self.workers():
            after = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            ticks += int(after[11]) + int(after[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    @contextlib.contextmanager
    def growth(self) -> Iterator[Callable[[], int]]:
        """Measure how far resident memory rises above what it is now."""
        # what is taken away for others and comes back is no growth
        self._level = before = max(self._level, self.memory)
        for each in self.workers():
            Path(f"/proc/{each}/clear_refs").write_text("5")  # the peak counts from here
        yield lambda: sum(_memory(each, "VmHWM") for each in self.workers()) - before

    def end(self) -> None:
        """End it as a loss of power does: without a word, with all processes below it."""
        everything = self.below()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        for each in everything:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        self._process.wait(PATIENCE)
        eventually(lambda: not any(map(is_alive, everything)), what="children have ended")


def _words(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
    return ""


def _memory(pid: int, name: str) -> int:
    """Give a figure of a process's memory in bytes."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


@contextlib.contextmanager
def server(place: Place, *, workers: int = 1, **settings: Any) -> Iterator[Process]:
    """Run a server until the end of the block; with several workers they share its port."""
    arguments = ["service", "run", "--port", "0", "--workers", str(workers)]
    process = Process(arguments, place, **settings)
    try:
        yield process.wait_until_healthy()
    finally:
        process.end()


@contextlib.contextmanager
def servers(place: Place, count: int = 2, **settings: Any) -> Iterator[list[Process]]:
    """Run several servers on one database and one store, each at a port of its own."""
    arguments = ["service", "run", "--port", "0"]
    started: list[Process] = []
    try:
        started += [Process(arguments, place, **settings) for _ in range(count)]
        yield [each.wait_until_healthy() for each in started]
    finally:
        for each in started:
            each.end()


@contextlib.contextmanager
def job_worker(place: Place, *arguments: str, **settings: Any) -> Iterator[Process]:
    """Run `ephyrus worker` until the end of the block."""
    process = Process(["worker", *arguments], place, **settings)
    try:
        yield process
    finally:
        process.end()


@contextlib.contextmanager
def raw_request(
    process: Process, head: str, body: bytes = b"", *, room: int = 0
) -> Iterator[socket.socket]:
    """Send bytes over a connection of their own; lines of the head end with ``\\n``.

    ``room`` is the space for what is received and not yet read (0: what the system likes).
    """
    with socket.socket() as connection:
        if room:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        connection.settimeout(PATIENCE)
        connection.connect(("127.0.0.1", process.port))
        lines = head.format(host=f"127.0.0.1:{process.port}").replace("\n", "\r\n")
        connection.sendall(lines.encode() + body)
        yield connection


def array_file(values: np.ndarray, name: str = "data") -> bytes:
    """Give an HDF5 file with one array, as clients upload it."""
    target = io.BytesIO()
    with h5py.File(target, "w") as file:
        file[name] = values
    return target.getvalue()
