"""The files that are read: made by the writers of the tests, as large as the scale says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from tests.synth import axon, brainvision

RATE = 20_000  # samples per second and channel
INTERVAL = 1e6 / RATE  # microseconds


def counts(samples: int, channels: int) -> np.ndarray:
    """Stored numbers: all of int16, at random."""
    rng = np.random.default_rng(1)
    block = rng.integers(-32768, 32767, (min(samples, 250_000), channels), np.int16, endpoint=True)
    repeats = -(-samples // len(block))
    return np.tile(block, (repeats, 1))[:samples]


def adcs(channels: int, *, same_gain: bool) -> list[axon.Adc]:
    """Inputs of a recording; amplifier gains of 1, 2, 4, ... if they are to differ."""
    gains = [1.0 if same_gain else float(2 ** (number % 5)) for number in range(channels)]
    return [
        axon.Adc(name=f"IN {number}", number=number, signal_gain=gain)
        for number, gain in enumerate(gains)
    ]


def axon_gap_free(folder: Path, data: np.ndarray, *, same_gain: bool) -> tuple[Path, int]:
    """An ABF2 file; gives the offset of its samples too."""
    inputs = adcs(data.shape[1], same_gain=same_gain)
    parts = axon.abf2(data, adcs=inputs, mode=3, interval=INTERVAL)
    return parts.write(folder / "gap_free.abf"), len(parts.before)


def axon_sweeps(folder: Path, data: np.ndarray, sweeps: int) -> tuple[Path, int]:
    """An ABF2 file of equal sweeps with a synch array, one sweep per second."""
    each = data.size // sweeps
    synch = [(number * RATE, each) for number in range(sweeps)]
    parts = axon.abf2(
        data,
        adcs=adcs(data.shape[1], same_gain=True),
        mode=5,
        interval=INTERVAL,
        synch_unit=INTERVAL,
        synch=synch,
        sweeps=sweeps,
        samples_per_sweep=each,
    )
    return parts.write(folder / "sweeps.abf"), len(parts.before)


def axon_sparse(folder: Path, nbytes: int, channels: int) -> Path:
    """An ABF2 file of zeros that takes no room."""
    samples = nbytes // 2 // channels * channels
    parts = axon.abf2(
        np.zeros((0, channels), "<i2"),
        adcs=adcs(channels, same_gain=True),
        mode=3,
        interval=INTERVAL,
        data_count=samples,
    )
    path = parts.write(folder / "sparse.abf")
    with path.open("rb+") as file:
        file.truncate(len(parts.before) + samples * 2)
    return path


def brainvision_recipe(channels: int, *, same_gain: bool, vectorized: bool) -> brainvision.Recipe:
    """What a recording of microvolts looks like."""
    resolutions = ["0.1" if same_gain else f"{0.1 + 0.05 * i:.2f}" for i in range(channels)]
    return brainvision.Recipe(
        names=tuple(f"E{number}" for number in range(channels)),
        references=("",) * channels,
        resolutions=tuple(resolutions),
        units=("µV",) * channels,
        interval=f"{INTERVAL:g}",
        orientation="VECTORIZED" if vectorized else "MULTIPLEXED",
    )


def brainvision_full(folder: Path, data: np.ndarray, *, same_gain: bool, vectorized: bool) -> Path:
    """A BrainVision recording with its numbers; gives the header."""
    recipe = brainvision_recipe(data.shape[1], same_gain=same_gain, vectorized=vectorized)
    return brainvision.write(folder, recipe, data)


def brainvision_sparse(
    folder: Path, nbytes: int, channels: int, *, vectorized: bool = False
) -> Path:
    """A BrainVision recording of zeros that takes no room; gives the header."""
    recipe = brainvision_recipe(channels, same_gain=True, vectorized=vectorized)
    recipe = replace(recipe, markers=recipe.markers[:1])
    return brainvision.write_sparse(folder, recipe, nbytes // 2 // channels)


def text_table(folder: Path, rows: int, columns: int, *, with_times: bool) -> Path:
    """A table of tab-separated numbers with six decimals."""
    values = np.random.default_rng(1).integers(-(10**6), 10**6, (rows, columns)) / 10**6
    if with_times:
        values[:, 0] = np.arange(rows) / RATE
    path = folder / "table.txt"
    line = "\t".join(["%.6f"] * columns) + "\n"
    with path.open("w", encoding="ascii") as file:
        for first in range(0, rows, 10_000):
            part = values[first : first + 10_000]
            file.write((line * len(part)) % tuple(part.ravel().tolist()))
    return path
