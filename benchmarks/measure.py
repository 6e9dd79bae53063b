"""What a benchmark is, and how it is measured.

All figures are CPU times of this process (user and system), the best of several runs, with files
in the page cache. What is compared is measured in turn (floor, ours, neo, floor, ours, ...), so
that a machine that slows down in between slows down all of them.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

Operation = Callable[[], Any]

SHORTEST = 0.02  # seconds: quicker operations are repeated in a loop until they take so long
NEO_TARGET = 5.0  # times as fast as neo, wherever neo is not at the floor itself
FLOOR_REACH = 1.5  # up to so many times the floor a reader counts as being at the floor


@dataclass(frozen=True)
class Work:
    """Operations that do the same, ready to run.

    Attributes
    ----------
    ours : callable
        The operation that is measured.
    floor : callable or None
        The least work that gives the same numbers, in plain numpy or Python.
    neo : callable or None
        The same operation in neo.
    """

    ours: Operation
    floor: Operation | None = None
    neo: Operation | None = None


@dataclass(frozen=True)
class Place:
    """Where a benchmark works.

    Attributes
    ----------
    folder : Path
        For its files; empty, and removed afterwards.
    scale : float
        Factor on the sizes of files and objects.
    neo : module or None
        The package, if it is installed.
    """

    folder: Path
    scale: float
    neo: Any

    def count(self, full: int, multiple: int = 1) -> int:
        """Scale a number of items; at least one, and a whole multiple."""
        return max(1, round(full * self.scale / multiple)) * multiple


@dataclass(frozen=True)
class Benchmark:
    """One row of the table.

    Attributes
    ----------
    group, name : str
        Its address is ``group/name``.
    prepare : callable
        Makes files or objects, and the operations on them.
    ratio : float or None
        The bar: at most so many times the floor.
    seconds : float or None
        The bar: at most so much CPU time, whatever the size.
    floor_is : str
        What the floor does.
    """

    group: str
    name: str
    prepare: Callable[[Place], Work]
    ratio: float | None = None
    seconds: float | None = None
    floor_is: str = ""

    @property
    def address(self) -> str:
        return f"{self.group}/{self.name}"


@dataclass
class Result:
    """Best CPU times of a benchmark in seconds; NaN for what was not measured."""

    benchmark: Benchmark
    ours: float
    floor: float = math.nan
    neo: float = math.nan
    neo_error: str = field(default="")

    @property
    def ratio(self) -> float:
        return self.ours / self.floor

    @property
    def neo_ratio(self) -> float:
        return self.neo / self.floor

    @property
    def speedup(self) -> float:
        """How many times as long neo takes."""
        return self.neo / self.ours

    @property
    def is_met(self) -> bool | None:
        """Whether the bar is met; None if there is none."""
        bar = self.benchmark
        if bar.ratio is not None:
            return self.ratio <= bar.ratio
        return None if bar.seconds is None else self.ours < bar.seconds

    @property
    def neo_verdict(self) -> str:
        """Whether neo takes at least five times as long, and if not, whether that is possible."""
        if math.isnan(self.neo):
            return ""
        if self.speedup >= NEO_TARGET:
            return "met"
        if self.neo_ratio <= FLOOR_REACH:
            return "neo is at the floor"
        if self.neo_ratio < NEO_TARGET:
            return "5x would beat the floor"
        return "MISSED"

    def as_json(self) -> dict[str, Any]:
        bench = self.benchmark
        times = {"ours_s": self.ours, "floor_s": self.floor, "neo_s": self.neo}
        ratios = {"ratio": self.ratio, "neo_ratio": self.neo_ratio, "neo_speedup": self.speedup}
        return {
            "name": bench.address,
            "floor": bench.floor_is,
            **{key: None if math.isnan(number) else number for key, number in times.items()},
            **{key: None if math.isnan(number) else number for key, number in ratios.items()},
            "bar_ratio": bench.ratio,
            "bar_s": bench.seconds,
            "is_met": self.is_met,
            "neo_verdict": self.neo_verdict or None,
            "neo_error": self.neo_error or None,
        }


class Contender:
    """One operation that takes part in a benchmark, and its best time so far."""

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.best = math.inf
        self.spent = 0.0

    @cached_property
    def loops(self) -> int:
        """How many times in a row make a run that is long enough to be measured."""
        self._timed(1)  # the first time imports, and fills caches
        loops = 1
        while (taken := self._timed(loops)) < SHORTEST:
            loops = max(loops * 2, math.ceil(loops * SHORTEST / max(taken, 1e-9)))
        return loops

    def run(self) -> None:
        taken = self._timed(self.loops)
        self.spent += taken
        self.best = min(self.best, taken / self.loops)

    def _timed(self, loops: int) -> float:
        operation = self.operation
        gc.collect()
        gc.disable()
        start = time.process_time()
        for _ in range(loops):
            operation()
        end = time.process_time()
        gc.enable()
        return end - start


class SlowContender(Contender):
    """One that may take minutes: its first run counts, and may be the only one."""

    @cached_property
    def loops(self) -> int:
        first = self._timed(1)
        if first < SHORTEST:
            return super().loops
        self.best, self.spent = first, first
        return 1


def measured(benchmark: Benchmark, place: Place, repeats: int, patience: float) -> Result:
    """Measure a benchmark.

    Parameters
    ----------
    benchmark : Benchmark
        Which one.
    place : Place
        Where its files go.
    repeats : int
        Runs of each operation.
    patience : float
        Seconds of CPU time after which neo is not run again.
    """
    work = benchmark.prepare(place)
    result = Result(benchmark, math.nan)
    entered = {"ours": Contender(work.ours)}
    if work.floor is not None:
        entered["floor"] = Contender(work.floor)
    neo, error = _entered_neo(work)
    for _ in range(repeats):
        for contender in entered.values():
            contender.run()
        if neo is not None and neo.spent < patience:
            neo.run()
    for name, contender in entered.items():
        setattr(result, name, contender.best)
    if neo is not None:
        result.neo = neo.best
    result.neo_error = error
    return result


def _entered_neo(work: Work) -> tuple[Contender | None, str]:
    """Let neo take part, if it can do this at all."""
    if work.neo is None:
        return None, ""
    contender = SlowContender(work.neo)
    try:
        contender.loops  # noqa: B018 - runs it once
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"
    return contender, ""
