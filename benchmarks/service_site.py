"""What the benchmark of the service asks for: a recording, its objects, servers, and a client."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sqlalchemy import update

from ephyrus.recording.levels import build_levels
from ephyrus.service.accounts import tokens, users
from ephyrus.service.catalog import bulk
from ephyrus.service.db.engine import Database
from ephyrus.service.db.schema import ARRAYS
from ephyrus.service.files.canonical import ArrayWriter
from ephyrus.service.files.store import open_store
from ephyrus.service.inplace.catalog import Entry, add_entry, change_entry
from ephyrus.service.inplace.files import files_of, opened, state_of
from ephyrus.service.inplace.mapping import rows_of
from ephyrus.service.inplace.pool import Recipe
from ephyrus.service.settings import Settings

CHANNELS = 32
RATE = 20_000
SECONDS = 780  # 13 minutes: 1 GB
SERVER = ("--http", "httptools", "--loop", "uvloop", "--no-access-log", "--log-level", "warning")
READY_SECONDS = 60


@dataclass(frozen=True)
class Site:
    """A service with one long recording.

    Attributes
    ----------
    settings : dict of str to str
        Variables of the environment for the servers.
    token : str
        Bearer token of the user who owns everything.
    signal : str
        Permalink of the object.
    datafile : str
        Permalink of its array.
    recorded : str
        Permalink of an array of the same numbers, served in place from the file of a recording.
    samples : int
        Its length.
    file, offset : Path, int
        Where the numbers lie, for the floor.
    """

    settings: dict[str, str]
    token: str
    signal: str
    datafile: str
    recorded: str
    samples: int
    file: Path
    offset: int


def recording(samples: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Make blocks of a recording: noise, slow waves, and some spikes."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 300, (RATE * 5, CHANNELS))
    for first in range(0, samples, RATE):
        count = min(RATE, samples - first)
        shift = int(rng.integers(0, len(noise) - count))
        times = np.arange(first, first + count) / RATE
        block = noise[shift : shift + count] + 800 * np.sin(times * 2 * np.pi * 8)[:, None]
        places = rng.integers(0, count, 20)
        block[places, rng.integers(0, CHANNELS, 20)] -= 8000
        yield block.astype("<i2")


def made(folder: Path, scale: float, database: str = "", objects: int = 0) -> Site:
    """Make a service with a recording of 13 minutes (times `scale`), its levels, and objects."""
    samples = max(RATE * 20, int(SECONDS * RATE * scale))
    values = {"data_folder": str(folder), "worker_threads": "0", "log_level": "warning"}
    if database:
        values["database"] = database
    settings = Settings(**values)
    catalog, store = Database(settings), open_store(settings)
    catalog.upgrade()
    with store.create() as new:
        writer = ArrayWriter(new, np.dtype("<i2"), (samples, CHANNELS))
        for block in recording(samples):
            writer.write(block)
        info = writer.finish(new.commit())
    source = store.source(info.key)

    def read(start: int, stop: int) -> np.ndarray:
        place = info.offset + start * CHANNELS * 2
        return source.array(place, "<i2", (stop - start) * CHANNELS).reshape(-1, CHANNELS)

    path = folder / "levels"
    build_levels(path, read, samples, dtype=np.dtype("<i2"), item_shape=(CHANNELS,))
    levels = store.adopt(path)
    with catalog.writing() as connection:
        user = users.create(connection, "bench")
        token, _ = tokens.issue(connection, user.id, "bench", frozenset({"read", "write"}))
        ids = bulk.insert_tree(connection, user.id, _objects(info))
        chosen = update(ARRAYS).where(ARRAYS.c.datafile_id == ids["file"])
        connection.execute(chosen.values(levels_key=levels))
    place = store.local_path(info.key)
    assert place is not None
    recorded = _recorded(catalog, place, info.offset, user.id, levels)
    for first in range(0, objects, 10_000):
        with catalog.writing() as connection:
            more = _spike_trains(first, min(first + 10_000, objects))
            bulk.insert_tree(connection, user.id, more)
    catalog.close()
    return Site(
        {f"EPHYRUS_SERVICE_{name.upper()}": value for name, value in values.items()},
        token,
        f"/electrophysiology/analogsignalarray/{ids['signal']}",
        f"/datafiles/{ids['file']}",
        f"/datafiles/{recorded}",
        samples,
        place,
        info.offset,
    )


def _recorded(catalog: Database, path: Path, offset: int, owner_id: int, levels: str) -> int:
    """Serve a file as a recording where it lies; gives the id of the datafile."""
    facts = {"nb_channel": CHANNELS, "sampling_rate": RATE, "dtype": "<i2", "bytesoffset": offset}
    source, files = opened(str(path), "rawbinarysignal", facts)
    with source, catalog.writing() as connection:
        number = add_entry(connection, str(path), str(path.parent))
        paths = tuple(files_of(files, source.format))
        state = state_of(paths)
        rows = list(rows_of(source, recording_id=number, name="raw", version=state.modified_ns))
        ids = bulk.insert_tree(connection, owner_id, rows, recording_id=number)
        recipe = Recipe(number, str(path), "rawbinarysignal", facts, paths, state)
        change_entry(connection, Entry(recipe, str(path.parent), "ready"))
        (datafile,) = (ids[row.key] for row in rows if row.type == "datafile")
        chosen = update(ARRAYS).where(ARRAYS.c.datafile_id == datafile)
        connection.execute(chosen.values(levels_key=levels))
    return datafile


def _objects(info):
    return [
        bulk.NewObject(
            type="datafile",
            key="file",
            attributes={"name": "recording"},
            array=info.row,
            facts={"file_type": 5, "size": info.size, "content": info.digest},
        ),
        bulk.NewObject(
            type="analogsignalarray",
            key="signal",
            attributes={"name": "recording"},
            quantities={"sampling_rate": (RATE, "hz"), "t_start": (0, "s")},
            arrays={"signal": ("file", "uV")},
        ),
    ]


def _spike_trains(first: int, last: int):
    """Make many small objects of three units in segments of a hundred."""
    for number in range(first, last):
        if number % 100 == 0:
            yield bulk.NewObject("segment", f"segment {number}", {"name": f"trial {number // 100}"})
        yield bulk.NewObject(
            "spiketrain",
            number,
            {"name": f"unit {number % 3} of trial {number // 100}"},
            quantities={"t_start": (number % 100, "s"), "t_stop": (number % 100 + 1, "s")},
            parents={"segment": f"segment {number // 100 * 100}"},
        )


@contextmanager
def serving(app: str, environment: dict[str, str], *, workers: int = 1, factory: bool = False):
    """Run an application with uvicorn; gives the port and the process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", app, *SERVER, "--port", str(port)]
    command += ["--workers", str(workers)] if workers > 1 else []
    command += ["--factory"] if factory else []
    process = subprocess.Popen(command, env=os.environ | environment)
    try:
        until = time.monotonic() + READY_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if time.monotonic() > until or process.poll() is not None:
                    raise
                time.sleep(0.05)
        time.sleep(0.5 if workers == 1 else 3.0)  # all of the workers
        yield port, process
    finally:
        process.terminate()
        process.wait(20)


def ours(site: Site, *, workers: int = 1):
    """Run the service."""
    return serving(
        "ephyrus.service.app:from_environment", site.settings, workers=workers, factory=True
    )


def bare(site: Site, *, workers: int = 1):
    """Run the floor."""
    facts = {
        "BARE_CHANNELS": str(CHANNELS),
        "BARE_OFFSET": str(site.offset),
        "BARE_FILE": str(site.file),
    }
    return serving("benchmarks.service_bare:app", facts, workers=workers)


class Client:
    """A client that costs next to nothing: one connection, requests as bytes."""

    def __init__(self, port: int, token: str = "") -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.lines = b" HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        if token:
            self.lines += f"authorization: Bearer {token}\r\n".encode()
        self.buffer = bytearray(2**22)
        self.view = memoryview(self.buffer)

    def get(self, path: str) -> memoryview:
        """Ask for something and give the body."""
        self.socket.sendall(b"GET " + path.encode() + self.lines + b"\r\n")
        got, end = 0, -1
        while end < 0:
            got += self._more(self.view[got:])
            end = self.buffer.find(b"\r\n\r\n", 0, got)
        head = bytes(self.view[:end]).lower()
        assert head.startswith(b"http/1.1 200"), head
        body = end + 4
        need = body + int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        if need > len(self.buffer):
            return self.view[: self._through(need - got)]
        while got < need:
            got += self._more(self.view[got:])
        return self.view[body:need]

    def _through(self, left: int) -> int:
        while left > 0:
            left -= self._more(self.view)
        return 0

    def _more(self, view: memoryview) -> int:
        count = self.socket.recv_into(view)
        if count == 0:
            raise ConnectionError("the server closed the connection")
        return count

    def json(self, path: str):
        """Ask for JSON."""
        return json.loads(bytes(self.get(path)))


def resident(process: subprocess.Popen) -> int:
    """Give the largest memory that a process has had so far, in bytes; 0 where unknown."""
    try:
        text = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return int(text.split("VmHWM:")[1].split()[0]) * 1024
