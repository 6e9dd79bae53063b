"""Speed of the data service over HTTP: ``python -m benchmarks.service --help``.

Server and client run on this machine. Beside the service runs the floor ("bare"): fifteen lines of
ASGI over a memory map, under the same uvicorn. Both are asked in turn, so that a machine that slows
down in between slows down both. Times are wall-clock medians as the client sees them.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.service_site import CHANNELS, RATE, Client, Site, bare, made, ours, resident
from benchmarks.table import duration, machine, times

POINTS = 2000
CLIENTS = 4
LOAD_SECONDS = 3.0

Ask = Callable[[int], object]


@dataclass
class Row:
    """One row of the table."""

    request: str
    ours: float
    bare: float = math.nan
    bar: str = ""
    is_met: bool | None = None
    p99: float = math.nan
    unit: str = "s"

    @property
    def ratio(self) -> float:
        return self.ours / self.bare


def median(ask: Ask, rounds: int) -> list[float]:
    """Time requests one after the other; the first ones warm up."""
    for turn in range(5):
        ask(turn)
    taken = []
    for turn in range(rounds):
        start = time.perf_counter()
        ask(turn)
        taken.append(time.perf_counter() - start)
    return taken


def in_turn(ask: Ask, floor: Ask, rounds: int) -> tuple[list[float], list[float]]:
    """Time two kinds of requests in turn."""
    mine, theirs = [], []
    for _ in range(5):
        theirs += median(floor, rounds // 5)
        mine += median(ask, rounds // 5)
    return mine, theirs


def p99(taken: Sequence[float]) -> float:
    return float(np.quantile(taken, 0.99))


class Bench:
    """The requests of the table."""

    def __init__(self, site: Site, rounds: int) -> None:
        self.site = site
        self.rounds = rounds
        self.rng = np.random.default_rng(1)
        self.rows: list[Row] = []

    def start(self) -> int:
        return int(self.rng.integers(0, self.site.samples - RATE))

    def channel(self) -> int:
        return int(self.rng.integers(0, CHANNELS))

    def compare(self, name: str, ask: Ask, floor: Ask, most: float) -> None:
        mine, theirs = in_turn(ask, floor, self.rounds)
        row = Row(name, statistics.median(mine), statistics.median(theirs), p99=p99(mine))
        row.bar, row.is_met = f"<= {most:g}x", row.ratio <= most
        self.rows.append(row)

    def limit(self, name: str, ask: Ask, most: float | None) -> None:
        taken = median(ask, max(20, self.rounds // 5))
        row = Row(name, statistics.median(taken), p99=p99(taken))
        if most is not None:
            row.bar, row.is_met = f"<= {most * 1e3:g} ms", row.ours <= most
        self.rows.append(row)

    def latencies(self, mine: Client, floor: Client) -> None:
        """Ask for windows and overviews, one after the other."""
        data, signal = self.site.datafile, self.site.signal

        def window(form: str) -> Ask:
            def ask(_: int) -> object:
                start = self.start()
                path = f"{data}?start_index={start}&end_index={start + RATE}"
                return mine.get(f"{path}&channels={self.channel()}{form}")

            return ask

        def steps(_: int) -> object:
            start = self.start() / RATE
            shown = mine.json(f"{signal}/?start_time={start}&duration=1&channels={self.channel()}")
            return mine.get(shown["selected"][0]["fields"]["signal"]["data"])

        def everything(form: str) -> Ask:
            def ask(_: int) -> object:
                start = self.start()
                return mine.get(f"{data}?start_index={start}&end_index={start + RATE}{form}")

            return ask

        def floor_one(_: int) -> object:
            start = self.start()
            return floor.get(f"/?start={start}&stop={start + RATE}&channel={self.channel()}")

        def floor_all(_: int) -> object:
            start = self.start()
            return floor.get(f"/?start={start}&stop={start + RATE}")

        self.compare("1 s of one channel, raw", window("&format=raw"), floor_one, 2)
        self.compare("1 s of one channel, HDF5", window(""), floor_one, 2)
        self.compare("1 s of one channel, two steps", steps, floor_one, 4)
        self.compare("1 s of 32 channels, raw", everything("&format=raw"), floor_all, 1.5)
        self.compare("1 s of 32 channels, HDF5", everything(""), floor_all, 1.5)

    def overviews(self, mine: Client) -> None:
        """Ask for everything in few points; never the same range twice."""

        def overview(datafile: str, kind: str, *, is_one: bool) -> Ask:
            def ask(turn: int) -> object:
                channels = f"&channels={turn % CHANNELS}" if is_one else ""
                part = f"start_index={17 * turn + 3}&downsample={POINTS}&kind={kind}{channels}"
                return mine.get(f"{datafile}?{part}")

            return ask

        site = self.site
        for place, datafile in (("", site.datafile), (", in place", site.recorded)):
            for kind, name in (("minmax", "overview"), ("mean", "means")):
                one, all_ = (overview(datafile, kind, is_one=is_one) for is_one in (True, False))
                # the bars are for extremes: means look at the samples beside every border of bins
                bars = (3e-3, 15e-3) if kind == "minmax" else (None, None)
                self.limit(f"{name}{place}, one channel", one, bars[0])
                self.limit(f"{name}{place}, 32 channels", all_, bars[1])

    def lists(self, mine: Client, objects: int) -> None:
        """Ask for a hundred of many objects."""
        trains = "/electrophysiology/spiketrain/?max_results=100"

        def by_parent(turn: int) -> object:
            return mine.get(f"{trains}&segment__name=trial%20{turn * 37 % (objects // 100)}")

        def by_number(turn: int) -> object:
            return mine.get(f"{trains}&t_start__gt={turn % 90}&name__startswith=unit%201")

        def page(turn: int) -> object:
            return mine.get(f"{trains}&offset={turn * 977 % (objects - 100)}")

        for name, ask in (
            ("of a segment, by its name", by_parent),
            ("by number and name", by_number),
            ("a page of all", page),
        ):
            self.limit(f"100 of {objects:,} objects, {name}", ask, 10e-3)

    def download(self, mine: Client, floor: Client, process) -> None:
        """Download everything."""
        size = self.site.samples * CHANNELS * 2
        before = resident(process)
        rates = {"mine": 0.0, "floor": 0.0}
        for _ in range(3):
            for name, client, path in (
                ("floor", floor, "/"),
                ("mine", mine, f"{self.site.datafile}?format=raw"),
            ):
                start = time.perf_counter()
                client.get(path)
                rates[name] = max(rates[name], size / (time.perf_counter() - start))
        row = Row("full download", rates["mine"], rates["floor"], unit="MB/s")
        row.bar, row.is_met = ">= 0.7x", row.ratio >= 0.7
        self.rows.append(row)
        grown = resident(process) - before
        row = Row("memory that it takes", float(grown), unit="MB", bar="<= 64 MB")
        row.is_met = grown <= 64e6
        self.rows.append(row)

    def load(self) -> None:
        """Let several clients ask at once."""
        with ours(self.site, workers=2) as (port, _):
            path = (
                f"{self.site.datafile}?start_index={{0}}&end_index={{1}}&channels={{2}}&format=raw"
            )
            mine = loaded(port, self.site.token, path, self.site.samples)
        with bare(self.site) as (port, _):
            path = "/?start={0}&stop={1}&channel={2}"
            floor = loaded(port, "", path, self.site.samples)
        row = Row(f"{CLIENTS} clients, 2 workers", mine, floor, unit="1/s")
        row.bar, row.is_met = ">= 0.5x", row.ratio >= 0.5
        self.rows.append(row)


def loaded(port: int, token: str, path: str, samples: int) -> float:
    """Give the requests per second of several clients."""
    with multiprocessing.get_context("spawn").Pool(CLIENTS) as pool:
        tasks = [(port, token, path, samples, seed) for seed in range(CLIENTS)]
        pool.starmap(asking, [(*task, 0.3) for task in tasks])  # they have begun, all of them
        return sum(pool.starmap(asking, [(*task, LOAD_SECONDS) for task in tasks], chunksize=1))


def asking(port: int, token: str, path: str, samples: int, seed: int, seconds: float) -> float:
    """Ask again and again; gives requests per second."""
    rng, client = np.random.default_rng(seed), Client(port, token)
    count, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < seconds:
        start = int(rng.integers(0, samples - RATE))
        client.get(path.format(start, start + RATE, int(rng.integers(0, CHANNELS))))
        count += 1
    return count / (time.perf_counter() - begun)


def number(value: float, unit: str) -> str:
    """Write a figure with its unit."""
    if math.isnan(value):
        return ""
    if unit == "s":
        return duration(value)
    return f"{value / 1e6:,.0f} {unit}" if unit.startswith("MB") else f"{value:,.0f} {unit}"


def table_of(rows: Sequence[Row]) -> Table:
    """Make the table."""
    table = Table(title="The service over HTTP (medians)")
    for header in ("request", "ours", "p99", "bare", "ratio", "bar", ""):
        table.add_column(header, justify="left" if header in ("request", "") else "right")
    words = {True: "[green]met[/]", False: "[red]MISSED[/]", None: ""}
    for row in rows:
        table.add_row(
            row.request,
            number(row.ours, row.unit),
            number(row.p99, "s"),
            number(row.bare, row.unit),
            times(row.ratio),
            row.bar,
            words[row.is_met],
        )
    return table


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    found = argparse.ArgumentParser("benchmarks.service", description=__doc__)
    found.add_argument("--scale", type=float, default=1.0, help="factor on the 13 minutes")
    found.add_argument("--rounds", type=int, default=300, help="requests of each kind")
    found.add_argument("--objects", type=int, default=100_000, help="in the lists (default 100000)")
    found.add_argument("--database", default="", help="address of a PostgreSQL; else SQLite")
    found.add_argument("--folder", type=Path, help="where files are made (default: temporary)")
    found.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    found.add_argument("--strict", action="store_true", help="exit with 1 if a bar is missed")
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; gives the exit code."""
    options = parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        site = made(Path(folder), options.scale, options.database, options.objects)
        bench = Bench(site, options.rounds)
        with ours(site) as (port, process), bare(site) as (floor_port, _):
            bench.latencies(Client(port, site.token), Client(floor_port))
            bench.overviews(Client(port, site.token))
            if options.objects >= 200:
                bench.lists(Client(port, site.token), options.objects)
            bench.download(Client(port, site.token), Client(floor_port), process)
        bench.load()
    console = Console(width=None if sys.stdout.isatty() else 140)
    facts = machine() | {"scale": f"{options.scale:g}"}
    console.print(", ".join(f"{key} {value}" for key, value in facts.items()), highlight=False)
    console.print(table_of(bench.rows))
    if options.json is not None:
        rows = [asdict(row) | {"ratio": row.ratio} for row in bench.rows]
        options.json.write_text(json.dumps({"machine": facts, "rows": rows}, indent=1) + "\n")
    missed = any(row.is_met is False for row in bench.rows)
    return 1 if options.strict and missed else 0


if __name__ == "__main__":
    sys.exit(main())
