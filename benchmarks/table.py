"""The figures as a table, and the state of the machine beside them."""

from __future__ import annotations

import math
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from rich.table import Table

from benchmarks.measure import Result


def duration(seconds: float) -> str:
    """Write a time with three digits and its unit."""
    if math.isnan(seconds):
        return ""
    for factor, unit in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def times(ratio: float) -> str:
    """Write a ratio."""
    if math.isnan(ratio):
        return ""
    digits = 2 if ratio < 10 else 1 if ratio < 100 else 0
    return f"{ratio:,.{digits}f}x"


def bar(result: Result) -> str:
    """Write the bar of a benchmark."""
    benchmark = result.benchmark
    if benchmark.ratio is not None:
        return f"<= {benchmark.ratio:g}x"
    return "" if benchmark.seconds is None else f"< {duration(benchmark.seconds)}"


def verdict(result: Result) -> str:
    """Write whether the bar is met."""
    return {True: "[green]met[/]", False: "[red]MISSED[/]", None: ""}[result.is_met]


def table_of(results: Sequence[Result], *, with_neo: bool) -> Table:
    """Make the table of all figures."""
    table = Table(title="CPU times, best of several runs")
    table.add_column("operation")
    headers = ["ours", "floor", "ours / floor", "bar", "verdict"]
    headers += ["neo", "neo / floor", "neo / ours", "5x"] if with_neo else []
    for header in headers:
        table.add_column(header, justify="left" if header in ("verdict", "5x") else "right")
    for result in results:
        cells = [duration(result.ours), duration(result.floor), times(result.ratio)]
        cells += [bar(result), verdict(result)]
        if with_neo:
            cells += [duration(result.neo) if not result.neo_error else "fails"]
            cells += [times(result.neo_ratio), times(result.speedup), result.neo_verdict]
        table.add_row(result.benchmark.address, *cells)
    return table


def machine() -> dict[str, str]:
    """Tell on what, and how busy, the machine is that the figures come from."""
    facts = {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    if hasattr(os, "getloadavg"):
        facts["load"] = " ".join(f"{load:.1f}" for load in os.getloadavg())
    return facts | {name: version(name) for name in ("quantities", "ephyrus")}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
