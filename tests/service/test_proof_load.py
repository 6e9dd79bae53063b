"""The load test of the benchmarks, for a moment: every answer is right, and memory stays flat."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.service_load import MOST_GROWTH, WEIGHTS, load
from benchmarks.service_site import made
from tests.service.servers import Place, server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")


def test_a_mixture_of_requests_for_some_seconds(tmp_path: Path) -> None:
    site = made(tmp_path, 0.05, objects=1000)
    with Place(tmp_path) as place, server(place) as process, ThreadPoolExecutor(4) as clients:
        report = load(site, process, clients, 4, 1.0)
    assert [row["kind"] for row in report.rows()] == list(WEIGHTS)
    assert report.asked.count >= 24  # each client asks for each of them, however slow that is
    assert all(row["p99_s"] >= row["p50_s"] > 0 for row in report.rows())
    downloads = len(report.asked.seconds["download"])
    assert report.asked.received > downloads * site.samples * 64
    assert report.peak - report.before < MOST_GROWTH
