"""Synthetic interleaved raw binary files, written from the format page."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ephyrus.testing import Sample

DTYPES = ("<i2", ">i2", "<u2", "<i4", ">i4", "<f4", ">f8", "<i1", "<u1")


def counts(dtype: str, frames: int, channels: int, *, seed: int = 0) -> np.ndarray:
    """Numbers of a type over its whole range (floats: normally distributed)."""
    rng = np.random.default_rng(seed)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return rng.normal(0, 100, (frames, channels)).astype(kind)
    limits = np.iinfo(kind)
    values = rng.integers(limits.min, limits.max, (frames, channels), np.int64, endpoint=True)
    values[0, 0], values[-1, -1] = limits.min, limits.max
    return values.astype(kind)


def interleaved(values: np.ndarray, *, header: bytes = b"", rest: bytes = b"") -> bytes:
    """Header, frames, and bytes that do not fill a frame."""
    return header + np.ascontiguousarray(values).tobytes() + rest


def write_large(path: Path, nbytes: int) -> Path:
    """A sparse file that is all zero."""
    with path.open("wb") as file:
        file.truncate(nbytes)
    return path


def _write(folder: Path, data: bytes, name: str = "signals.raw") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _sample(dtype: str, **options: Any) -> Sample:
    channels, offset = options.get("nb_channel", 2), options.get("bytesoffset", 0)
    frame = channels * np.dtype(dtype).itemsize
    values = counts(dtype, 100, channels)
    write: Callable[[Path], Path] = lambda folder: _write(  # noqa: E731
        folder, interleaved(values, header=bytes(range(offset)))
    )
    name = f"{np.dtype(dtype).name}-{'big' if dtype[0] == '>' else 'little'}"
    return Sample(
        "rawbinarysignal",
        "-".join([name, *sorted(set(options) - {"dtype"})]),
        write,
        options={"dtype": dtype, **options},
        boundaries=lambda data: [0, offset, offset + frame, len(data) - frame, len(data)],
        large=lambda folder: write_large(folder / "large.raw", 200 * 10**6 // frame * frame),
        states_length=False,
    )


def samples() -> list[Sample]:
    """One small recording per type, with header, gain, offset, range and time."""
    plain = [_sample(dtype) for dtype in DTYPES]
    return [
        *plain,
        _sample(
            "<i2", nb_channel=3, bytesoffset=7, signal_gain=0.5, signal_offset=-1.0, units="mV"
        ),
        _sample("<u2", nb_channel=1, rangemin=-5.0, rangemax=5.0, t_start=1.5, sampling_rate=25e3),
    ]


write_values = partial(_write, name="values.raw")
