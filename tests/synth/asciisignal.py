"""Synthetic tables of text, written from the format page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ephyrus.testing import Sample


def numbers(rows: int, columns: int, *, seed: int = 0) -> np.ndarray:
    """Numbers that six decimals hold exactly."""
    rng = np.random.default_rng(seed)
    return rng.integers(-(10**6), 10**6, (rows, columns)) / 10**6


def table(
    values: np.ndarray,
    *,
    delimiter: str = "\t",
    fmt: str = "%.6f",
    decimal: str = ".",
    newline: str = "\n",
    header: Sequence[str] = (),
    quotes: bool = False,
    trailing: bool = False,
    mark: bytes = b"",
) -> bytes:
    """Rows of numbers below header lines."""
    cell = f'"{fmt}"' if quotes else fmt
    line = delimiter.join([cell] * values.shape[1]) + (delimiter if trailing else "") + "\n"
    body = (line * len(values)) % tuple(values.ravel().tolist())
    text = "".join(f"{each}\n" for each in header) + body.replace(".", decimal)
    return mark + text.replace("\n", newline).encode()


def with_times(times: np.ndarray, values: np.ndarray, position: int = 0) -> np.ndarray:
    """Values with a column of times."""
    return np.insert(values, position, times, axis=1)


def irregular_times(rows: int) -> np.ndarray:
    """Increasing times with three decimals, unequally spaced."""
    return np.cumsum(np.random.default_rng(1).integers(1, 2000, rows)) / 1000


def _sample(
    name: str,
    data: bytes,
    file_name: str = "table.txt",
    about: dict[str, Any] | None = None,
    **options: Any,
) -> Sample:
    def write(folder: Path) -> Path:
        path = folder / file_name
        path.write_bytes(data)
        if about is not None:
            sidecar = folder / f"{path.stem}_about.json"
            sidecar.write_text(json.dumps(about), encoding="utf-8")
        return path

    def boundaries(content: bytes) -> list[int]:
        ends = [at + 1 for at, byte in enumerate(content) if byte in b"\r\n"]
        return [0, *ends[:3], *ends[-2:], len(content)]

    return Sample(
        "asciisignal", name, write, options=options, boundaries=boundaries, states_length=False
    )


def samples() -> list[Sample]:
    """One small recording per delimiter, method, kind of time column, and with a sidecar."""
    values = numbers(40, 3)
    regular = with_times(np.arange(40) / 10_000, values)
    irregular = with_times(irregular_times(40), values)
    return [
        _sample("tab", table(values)),
        _sample("comma", table(values, delimiter=","), "table.csv", delimiter=","),
        _sample("decimal-comma", table(values, delimiter=";", decimal=","), decimal=","),
        _sample("blanks", table(values, delimiter="  ", fmt="%12.6f"), delimiter=" "),
        _sample("header", table(values, header=["# made", "a\tb\tc"]), skiprows=2),
        _sample("quoted", table(values, delimiter=",", quotes=True), method="csv"),
        _sample("homemade", table(values, delimiter="\t\t", trailing=True), method="homemade"),
        _sample("windows", table(values, newline="\r\n", mark=b"\xef\xbb\xbf")),
        _sample("returns", table(values, newline="\r")),
        _sample("columns", table(values), usecols=[2, 0], sampling_rate=500.0, t_start=-1.0),
        _sample("times", table(regular), timecolumn=0, units="mV", regular=True),
        _sample("irregular", table(irregular), timecolumn=0, time_units="ms", regular=False),
        _sample(
            "sidecar",
            table(regular, delimiter=";"),
            about={"timecolumn": 0, "units": "pA", "regular": True},
        ),
    ]
