"""The data service under load: ``python -m benchmarks.service_load --help``.

Several clients ask for a mixture of things at the same time, for some seconds, over the loopback;
every answer is checked. The table tells how long each kind of request takes (as clients see it) and
how many are answered per second; below it stands the memory of the server.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.service_site import CHANNELS, RATE, Client, Site, made
from benchmarks.table import duration, machine
from tests.service.servers import Place, Process, server

POINTS = 2000
MOST_GROWTH = 96 * 2**20  # bytes per process, however much is downloaded
# How often each kind is asked for: as people look at data, with a download now and then.
WEIGHTS = {
    "1 s of one channel": 40,
    "1 s of 32 channels": 20,
    "overview": 15,
    "object with a window": 15,
    "list of 100": 9,
    "download": 1,
}


@dataclass
class Asked:
    """What a client has measured.

    Attributes
    ----------
    seconds : dict of str to list of float
        Times of the requests of each kind.
    received : int
        Bytes of all bodies.
    """

    seconds: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in WEIGHTS})
    received: int = 0

    def add(self, other: Asked) -> None:
        """Take over what another client has measured."""
        self.received += other.received
        for kind, taken in other.seconds.items():
            self.seconds[kind] += taken

    @property
    def count(self) -> int:
        """Requests of all kinds."""
        return sum(map(len, self.seconds.values()))


@dataclass
class Report:
    """What came out.

    Attributes
    ----------
    asked : Asked
        What the clients have measured.
    seconds : float
        How long it took.
    before, after, peak : int
        Resident bytes of the processes that answer.
    """

    asked: Asked
    seconds: float
    before: int
    after: int
    peak: int

    def rows(self) -> list[dict[str, float | str | int]]:
        """Give the figures by kind."""
        rows: list[dict[str, float | str | int]] = []
        for kind, taken in self.asked.seconds.items():
            if taken:
                p50, p99 = np.quantile(taken, [0.5, 0.99])
                row = {"kind": kind, "count": len(taken), "p50_s": float(p50), "p99_s": float(p99)}
                rows.append(row)
        return rows


class Asker:
    """A client that asks for a mixture of things and checks what it gets.

    Parameters
    ----------
    port : int
        Where the service is.
    site : Site
        What is there.
    seed : int
        Decides what is asked for.
    """

    def __init__(self, port: int, site: Site, seed: int) -> None:
        self.client = Client(port, site.token)
        self.site = site
        self.rng = np.random.default_rng(seed)
        shape = (site.samples, CHANNELS)
        self.numbers = np.memmap(site.file, "<i2", "r", site.offset, shape)
        self.digest = zlib.crc32(self.numbers)
        self.asked = Asked()
        self._taken = 0.0  # seconds of the last request, without looking at what came
        self._kinds: dict[str, Callable[[], int]] = {
            "1 s of one channel": self.one_channel,
            "1 s of 32 channels": self.all_channels,
            "overview": self.overview,
            "object with a window": self.window,
            "list of 100": self.listing,
            "download": self.download,
        }

    def run(self, seconds: float) -> Asked:
        """Ask until the time is over; each kind at least once."""
        names, weights = list(WEIGHTS), np.array(list(WEIGHTS.values()), float)
        begun = time.perf_counter()
        turns = list(names)
        while turns or time.perf_counter() - begun < seconds:
            kind = turns.pop() if turns else names[self.rng.choice(len(names), p=weights / 100)]
            self.asked.received += self._kinds[kind]()
            self.asked.seconds[kind].append(self._taken)
        self.client.socket.close()
        return self.asked

    def _start(self) -> int:
        return int(self.rng.integers(0, self.site.samples - RATE))

    def _get(self, path: str) -> memoryview:
        start = time.perf_counter()
        body = self.client.get(path)
        self._taken = time.perf_counter() - start
        return body

    def one_channel(self) -> int:
        """Ask for a second of one channel."""
        start, channel = self._start(), int(self.rng.integers(0, CHANNELS))
        part = f"start_index={start}&end_index={start + RATE}&channels={channel}&format=raw"
        body = self._get(f"{self.site.datafile}?{part}")
        assert bytes(body) == self.numbers[start : start + RATE, channel].tobytes()
        return len(body)

    def all_channels(self) -> int:
        """Ask for a second of all channels."""
        start = self._start()
        part = f"start_index={start}&end_index={start + RATE}&format=raw"
        body = self._get(f"{self.site.datafile}?{part}")
        assert bytes(body) == self.numbers[start : start + RATE].tobytes()
        return len(body)

    def overview(self) -> int:
        """Ask for a large part in few points."""
        start, channel = self._start() // 8, int(self.rng.integers(0, CHANNELS))
        part = f"start_index={start}&downsample={POINTS}&kind=minmax&channels={channel}&format=raw"
        body = self._get(f"{self.site.datafile}?{part}")
        points, column = np.frombuffer(body, "<i2"), self.numbers[start:, channel]
        assert len(points) == POINTS
        assert (points.min(), points.max()) == (column.min(), column.max())
        return len(body)

    def window(self) -> int:
        """Ask for an object with a window in time."""
        start = self._start()
        body = self._get(f"{self.site.signal}/?start_time={start / RATE}&samples_count={RATE}")
        link = json.loads(bytes(body))["selected"][0]["fields"]["signal"]["data"]
        assert link == f"{self.site.datafile}?start_index={start}&end_index={start + RATE}"
        return len(body)

    def listing(self) -> int:
        """Ask for a hundred of many objects."""
        number = int(self.rng.integers(0, 10))
        path = f"/electrophysiology/spiketrain/?max_results=100&segment__name=trial%20{number}"
        body = self._get(path)
        names = [each["fields"]["name"] for each in json.loads(bytes(body))["selected"]]
        first = number * 100
        assert names == [f"unit {each % 3} of trial {number}" for each in range(first, first + 100)]
        return len(body)

    def download(self) -> int:
        """Download everything, over a connection of its own."""
        client = Client(self.client.socket.getpeername()[1], self.site.token)
        size, digest, is_head = 0, 0, True
        start = time.perf_counter()
        with client.socket:
            client.socket.sendall(
                f"GET {self.site.datafile}?format=raw".encode()
                + client.lines
                + b"connection: close\r\n\r\n"
            )
            while count := client.socket.recv_into(client.buffer):
                begin = client.buffer.find(b"\r\n\r\n", 0, count) + 4 if is_head else 0
                is_head = False
                digest = zlib.crc32(client.view[begin:count], digest)
                size += count - begin
        self._taken = time.perf_counter() - start
        assert (size, digest) == (self.numbers.nbytes, self.digest)
        return size


def ask(port: int, site: Site, seed: int, seconds: float) -> Asked:
    """Ask for a mixture of things: what a process or thread does."""
    return Asker(port, site, seed).run(seconds)


def load(site: Site, process: Process, clients: Executor, count: int, seconds: float) -> Report:
    """Let clients ask at the same time.

    Parameters
    ----------
    site : Site
        What they ask for.
    process : Process
        The server.
    clients : Executor
        What they run in.
    count : int
        How many.
    seconds : float
        For how long.
    """
    before = process.memory
    begun = time.perf_counter()
    asked = Asked()
    with process.growth() as growth:
        tasks = [clients.submit(ask, process.port, site, seed, seconds) for seed in range(count)]
        for task in tasks:
            asked.add(task.result())
        peak = before + growth()
    return Report(asked, time.perf_counter() - begun, before, process.memory, peak)


def table_of(report: Report) -> Table:
    """Make the table."""
    table = Table(title="The service under load")
    for header in ("request", "count", "p50", "p99"):
        table.add_column(header, justify="left" if header == "request" else "right")
    for row in report.rows():
        times = (duration(float(row["p50_s"])), duration(float(row["p99_s"])))
        table.add_row(str(row["kind"]), f"{row['count']:,}", *times)
    return table


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    found = argparse.ArgumentParser("benchmarks.service_load", description=__doc__)
    found.add_argument("--seconds", type=float, default=10.0, help="of load (default 10)")
    found.add_argument("--clients", type=int, default=4, help="at the same time (default 4)")
    found.add_argument("--threads", action="store_true", help="clients are threads, not processes")
    found.add_argument("--workers", type=int, default=2, help="processes that answer (default 2)")
    found.add_argument("--scale", type=float, default=0.2, help="factor on the 13 minutes (0.2)")
    found.add_argument("--objects", type=int, default=20_000, help="in the lists (default 20000)")
    found.add_argument("--database", default="", help="address of a PostgreSQL; else SQLite")
    found.add_argument("--folder", type=Path, help="where files are made (default: temporary)")
    found.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    found.add_argument("--strict", action="store_true", help="exit with 1 if memory is not flat")
    return found


def executor(options: argparse.Namespace) -> Executor:
    """Give what clients run in."""
    if options.threads:
        return ThreadPoolExecutor(options.clients)
    return ProcessPoolExecutor(options.clients, multiprocessing.get_context("spawn"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; gives the exit code."""
    options = parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        site = made(Path(folder), options.scale, options.database, max(options.objects, 1000))
        with (
            Place(Path(folder), options.database) as place,
            server(place, workers=options.workers) as process,
            executor(options) as clients,
        ):
            list(clients.map(_warm, range(options.clients)))
            load(site, process, clients, options.clients, 0.5)  # caches are filled, pools are open
            report = load(site, process, clients, options.clients, options.seconds)
    return tell(report, options)


def _warm(_: int) -> str:
    """Make a process of the pool import what it needs."""
    return threading.current_thread().name


def tell(report: Report, options: argparse.Namespace) -> int:
    """Show the report; gives the exit code."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    facts = machine() | {name: str(getattr(options, name)) for name in ("clients", "workers")}
    console.print(", ".join(f"{key} {value}" for key, value in facts.items()), highlight=False)
    console.print(table_of(report))
    rate, volume = report.asked.count / report.seconds, report.asked.received / report.seconds
    grown = report.peak - report.before
    is_flat = grown <= MOST_GROWTH * options.workers
    console.print(
        f"{rate:,.0f} requests/s, {volume / 1e6:,.0f} MB/s; memory {report.before / 1e6:,.0f} MB "
        f"before, {report.after / 1e6:,.0f} MB after, {report.peak / 1e6:,.0f} MB at most: "
        f"{'flat' if is_flat else 'NOT FLAT'}",
        highlight=False,
    )
    if options.json is not None:
        figures = {
            "machine": facts,
            "requests_per_s": rate,
            "bytes_per_s": volume,
            "memory": {"before": report.before, "after": report.after, "peak": report.peak},
            "rows": report.rows(),
        }
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return 0 if is_flat or not options.strict else 1


if __name__ == "__main__":
    sys.exit(main())
