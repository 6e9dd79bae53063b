"""Synthetic texts of spike trains, written from the format page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ephyrus.testing import Sample


def trains(count: int, spikes: int, *, seed: int = 0) -> list[np.ndarray]:
    """Sorted times in full double precision; each train has another number of them."""
    rng = np.random.default_rng(seed)
    return [np.sort(rng.uniform(0, 100, spikes + 3 * number)) for number in range(count)]


def text(
    times: Sequence[np.ndarray],
    *,
    delimiter: str = "\t",
    trailing: bool = True,
    newline: str = "\n",
    unit: str = "",
    last_newline: bool = True,
) -> bytes:
    """One line per train."""
    end = delimiter if trailing else ""
    lines = [
        delimiter.join(f"{time!r}{unit}" for time in train.tolist()) + (end if len(train) else "")
        for train in times
    ]
    return (newline.join(lines) + (newline if last_newline else "")).encode()


def _sample(name: str, data: bytes, **options: Any) -> Sample:
    def write(folder: Path) -> Path:
        path = folder / "spikes.txt"
        path.write_bytes(data)
        return path

    def boundaries(content: bytes) -> list[int]:
        ends = [at + 1 for at, byte in enumerate(content) if byte in b"\r\n"]
        return [0, *ends, len(content)]

    return Sample(
        "asciispiketrain", name, write, options=options, boundaries=boundaries, states_length=False
    )


def samples() -> list[Sample]:
    """One small recording per delimiter, and with empty lines, units, other line ends."""
    times = trains(4, 20)
    with_empty = [times[0], np.empty(0), times[2]]
    unsorted = [times[0][::-1], times[1]]
    return [
        _sample("tab", text(times)),
        _sample("space", text(times, delimiter=" ", trailing=False), delimiter=" "),
        _sample("comma", text(times, delimiter=",", newline="\r\n"), delimiter=",", unit="ms"),
        _sample("empty-line", text(with_empty, last_newline=False)),
        _sample("with-units", text(times, unit=" s"), t_start=-5.0),
        _sample("unsorted", text(unsorted, newline="\r")),
    ]
