"""Run the benchmarks and print a table: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import json
import logging
import math
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks import neuroshare, nix, nixobjects, objects, packets, reading
from benchmarks.measure import Benchmark, Place, Result, measured
from benchmarks.table import duration, machine, table_of, times


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    made = argparse.ArgumentParser("benchmarks", description=__doc__)
    made.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="part of a name, such as 'read/' or 'Axon'; may be given again",
    )
    made.add_argument("--list", action="store_true", help="only list the names")
    made.add_argument("--scale", type=float, default=1.0, help="factor on all sizes (default 1)")
    made.add_argument("--repeats", type=int, default=5, help="runs of each operation (default 5)")
    made.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    made.add_argument("--no-neo", action="store_true", help="leave neo out")
    made.add_argument(
        "--patience",
        type=float,
        default=3.0,
        metavar="SECONDS",
        help="CPU time after which neo is not run again (default 3)",
    )
    made.add_argument("--folder", type=Path, help="where files are made (default: temporary)")
    made.add_argument("--strict", action="store_true", help="exit with 1 if a bar is missed")
    return made


def chosen(names: Sequence[str]) -> list[Benchmark]:
    """Give the benchmarks whose name has one of the given parts; all if none is given."""
    groups = (reading, objects, packets, nix, nixobjects, neuroshare)
    found = [bench for group in groups for bench in group.benchmarks()]
    wanted = [name.lower() for name in names]
    return [
        bench
        for bench in found
        if not wanted or any(name in bench.address.lower() for name in wanted)
    ]


def peer() -> Any:
    """Give neo, or None if it is not installed (dependency group peers)."""
    try:
        import neo
    except ImportError:
        return None
    return neo


def run(options: argparse.Namespace, benchmarks: Sequence[Benchmark], neo: Any) -> list[Result]:
    """Measure all, each in a folder of its own, and tell of each when it is done."""
    console = Console(stderr=True)
    results = []
    for number, benchmark in enumerate(benchmarks, 1):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            place = Place(Path(folder), options.scale, neo)
            result = measured(benchmark, place, options.repeats, options.patience)
        results.append(result)
        ratio = "" if math.isnan(result.ratio) else f", {times(result.ratio)} the floor"
        console.print(
            f"{number}/{len(benchmarks)} {benchmark.address}: {duration(result.ours)}{ratio}",
            highlight=False,
        )
        if result.neo_error:
            console.print(f"  neo: {result.neo_error}", highlight=False, markup=False)
    return results


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; gives the exit code."""
    options = parser().parse_args(arguments)
    benchmarks = chosen(options.only)
    console = Console(width=None if sys.stdout.isatty() else 160)
    if options.list or not benchmarks:
        for benchmark in benchmarks:
            console.print(benchmark.address, highlight=False)
        return 0 if benchmarks else 2
    warnings.simplefilter("ignore")  # other packages' deprecations
    logging.disable(logging.WARNING)
    neo = None if options.no_neo else peer()
    facts = machine() | {"scale": f"{options.scale:g}", "repeats": f"{options.repeats}"}
    facts["neo"] = "not installed or left out" if neo is None else neo.__version__
    results = run(options, benchmarks, neo)
    console.print(", ".join(f"{key} {value}" for key, value in facts.items()), highlight=False)
    console.print(table_of(results, with_neo=neo is not None))
    if options.json is not None:
        figures = {"machine": facts, "results": [result.as_json() for result in results]}
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    missed = [result for result in results if result.is_met is False]
    return 1 if options.strict and missed else 0


if __name__ == "__main__":
    sys.exit(main())
