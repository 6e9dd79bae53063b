"""Numbers about the requests of a service, in the text format of Prometheus.

With several worker processes the variable ``PROMETHEUS_MULTIPROC_DIR`` must name a folder before
this module is imported (:func:`prepare_workers` sees to it): each worker then keeps its numbers in
files there, and whichever worker is asked answers for all.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["Metrics", "prepare_workers"]

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
)  # fmt: skip


def prepare_workers() -> Path:
    """Make the folder that several workers keep their numbers in; call it before they start.

    Returns
    -------
    Path
        The folder of ``PROMETHEUS_MULTIPROC_DIR``, or a new one that the variable names from now
        on. Numbers of an earlier run are removed from it.
    """
    folder = Path(os.environ.get(_FOLDER) or tempfile.mkdtemp(prefix="ephyrus-metrics-"))
    os.environ[_FOLDER] = str(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.db"):
        old.unlink()
    return folder


class Metrics:
    """Counters of one process."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Histogram

        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "ephyrus_request_seconds",
            "Time from a request to the end of its answer.",
            ("route", "method", "status"),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._bytes = Counter(
            "ephyrus_response_bytes",
            "Bytes of the bodies of answers.",
            ("route",),
            registry=self._registry,
        )
        self._known: dict[
            tuple[str, str, int], tuple[Callable[[float], None], Callable[[float], None]]
        ] = {}

    def observe(self, route: str, method: str, status: int, seconds: float, size: int) -> None:
        """Count one request; about 2 microseconds."""
        key = (route, method, status)
        known = self._known.get(key)
        if known is None:
            name = method if method in _METHODS else "other"
            known = self._known[(route, name, status)] = (
                self._seconds.labels(route, name, str(status)).observe,
                self._bytes.labels(route).inc,
            )
        known[0](seconds)
        known[1](size)

    def text(self) -> tuple[bytes, str]:
        """Give all numbers, of all workers, and the type of the text."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = self._registry
        if os.environ.get(_FOLDER):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # it has no types
        return generate_latest(registry), CONTENT_TYPE_LATEST
