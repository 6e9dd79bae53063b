"""The benchmarks run, whatever the machine's speed."""

from __future__ import annotations

import json
import math

import pytest

from benchmarks import __main__ as command
from benchmarks.measure import Benchmark, Place, Result, Work, measured


@pytest.fixture(autouse=True)
def no_side_effects(monkeypatch):
    """Leave warnings and logging of the tests as they are; times do not matter here."""
    monkeypatch.setattr("warnings.simplefilter", lambda *args, **kwargs: None)
    monkeypatch.setattr("logging.disable", lambda *args: None)
    monkeypatch.setattr("benchmarks.measure.SHORTEST", 1e-6)
    monkeypatch.setattr("benchmarks.measure.gc.collect", lambda: 0)  # most of the time they take


@pytest.mark.parametrize(
    "name", ["read/", "open/", "slice/", "split/", "core/", "neuroshare/", "nix/"]
)
def test_every_benchmark_runs(name, tmp_path, capsys):
    report = tmp_path / "figures.json"
    arguments = ["--scale", "0.0005", "--repeats", "1", "--no-neo", "--json", str(report)]
    assert command.main([*arguments, "--only", name]) == 0
    figures = json.loads(report.read_text(encoding="utf-8"))
    names = [bench.address for bench in command.chosen([name])]
    assert [result["name"] for result in figures["results"]] == names
    assert all(result["ours_s"] > 0 for result in figures["results"])
    assert figures["machine"]["scale"] == "0.0005"
    assert "ours / floor" in capsys.readouterr().out


def test_what_counts_as_met():
    by_ratio = Benchmark("g", "n", None, ratio=2.0)  # type: ignore[arg-type]
    assert Result(by_ratio, 2.0, 1.0).is_met
    assert not Result(by_ratio, 2.1, 1.0).is_met
    by_time = Benchmark("g", "n", None, seconds=0.005)  # type: ignore[arg-type]
    assert Result(by_time, 0.004).is_met
    assert not Result(by_time, 0.005).is_met
    assert Result(Benchmark("g", "n", None), 1.0).is_met is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ours", "floor", "neo", "verdict"),
    [
        (1.0, 1.0, 5.0, "met"),
        (1.0, 1.0, 1.5, "neo is at the floor"),
        (1.0, 1.0, 4.0, "5x would beat the floor"),
        (2.0, 1.0, 9.0, "MISSED"),
        (1.0, math.nan, 4.0, "MISSED"),
        (1.0, 1.0, math.nan, ""),
    ],
)
def test_verdict_on_neo(ours, floor, neo, verdict):
    bench = Benchmark("g", "n", None)  # type: ignore[arg-type]
    assert Result(bench, ours, floor, neo).neo_verdict == verdict


def test_another_packages_failure_is_a_result(tmp_path):
    def fails():
        raise RuntimeError("no such thing")

    bench = Benchmark("g", "n", lambda place: Work(lambda: None, lambda: None, fails), 2.0)
    result = measured(bench, Place(tmp_path, 1.0, None), 1, 1.0)
    assert result.neo_error == "RuntimeError: no such thing"
    assert math.isnan(result.neo)
    assert result.ours > 0
    assert result.floor > 0


def test_names_that_are_not_there(capsys):
    assert command.main(["--only", "nothing of the kind"]) == 2
    assert command.main(["--list", "--only", "core/merge"]) == 0
    assert "core/merge 1,000 trains" in capsys.readouterr().out
