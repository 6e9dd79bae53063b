"""Recordings that are chains of packets: opening, continuous data, spikes, slices.

Floors are the bytes' own read time: `np.fromfile` of the files that hold what is asked for, and
where values come out, one multiply of all of them into float32.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

import ephyrus
from benchmarks.measure import Benchmark, Operation, Place, Work
from ephyrus import io
from ephyrus.recording.indexcache import CACHE_VARIABLE
from tests.synth import alphaomega, blackrock, neuroexplorer, plexon, spike2, tdt

GROUP_MODE = "group-by-same-units"
READ = "np.fromfile of the file"
SCALED = "np.fromfile, and one multiply into float32"
SLICE_SECONDS = 0.001
MILLION = 1_000_000

Writer = Callable[[Path, Place], Path]


@dataclass(frozen=True)
class Case:
    """A recording of one format.

    Attributes
    ----------
    name : str
        What the row is called.
    io_class : str
        Its class, ours and neo's.
    write : callable
        ``write(folder, place)`` makes the recording and gives the path to open.
    holds : tuple of str
        Endings of the files that hold what is asked for (default: of all).
    neo_argument : str
        Name of neo's argument, and "folder" if it takes the folder of the file.
    dtype : str
        Type of the stored samples.
    """

    name: str
    io_class: str
    write: Writer
    holds: tuple[str, ...] = ()
    neo_argument: str = "filename"
    dtype: str = "<i2"

    def files(self, path: Path) -> list[Path]:
        """Files that hold what is asked for."""
        folder = path if path.is_dir() else path.parent
        return [
            file
            for file in sorted(folder.iterdir())
            if not self.holds or file.suffix.lower() in self.holds
        ]


def _big(module: Any, name: str, **sizes: Any) -> Writer:
    """Give a writer of a large file; sizes in `sizes` are scaled."""

    def write(folder: Path, place: Place) -> Path:
        scaled = {
            key: place.count(size, 64) if isinstance(size, int) and size > 10_000 else size
            for key, size in sizes.items()
        }
        path = folder / name
        made = module.big(path, **scaled)
        return made if isinstance(made, Path) else path

    return write


def _floor_bytes(case: Case, path: Path) -> Operation:
    files = case.files(path)
    return lambda: [np.fromfile(file, np.uint8) for file in files]


def _floor_scaled(case: Case, path: Path) -> Operation:
    files, gain = case.files(path), np.float32(0.5)

    def floor() -> list[np.ndarray]:
        stored = [np.fromfile(file, case.dtype) for file in files]
        return [np.multiply(each, gain, dtype=np.float32) for each in stored]

    return floor


def _neo_io(case: Case, place: Place, path: Path) -> Operation | None:
    if place.neo is None:
        return None
    made = getattr(place.neo.io, case.io_class)
    keyword, _, folder = case.neo_argument.partition(" ")
    given = path.parent if folder else path
    return lambda: made(**{keyword: str(given)})


def _open(place: Place, *, case: Case, is_compiled: bool) -> Work:
    """Open a recording and find all its packets, with and without the compiled walk."""
    path = case.write(place.folder, place)
    walking: Any = importlib.import_module("ephyrus.recording.walk")
    usual = walking._compiles

    def ours() -> None:
        walking._compiles = lambda nbytes: is_compiled
        try:
            ephyrus.open(path, format=case.io_class).close()
        finally:
            walking._compiles = usual

    return Work(ours, _floor_bytes(case, path), _neo_io(case, place, path))


def _read(place: Place, *, case: Case) -> Work:
    """Read all continuous data, as one does: make the IO object, read the block."""
    path = case.write(place.folder, place)
    made = getattr(io, case.io_class)
    opened = _neo_io(case, place, path)
    neo = None
    if opened is not None:
        neo = lambda: opened().read_block(signal_group_mode=GROUP_MODE)  # noqa: E731
    return Work(
        lambda: made(path).read_block(signal_group_mode=GROUP_MODE),
        _floor_scaled(case, path),
        neo,
    )


def _spikes(place: Place, *, case: Case, waveforms: bool) -> Work:
    """Read all spikes of an opened recording."""
    path = case.write(place.folder, place)
    opened = getattr(io, case.io_class)(path)

    def ours() -> Any:
        opened.recording._unit_rows.clear()  # what a first reading has to find out
        return opened.read_block(load_waveforms=waveforms)

    made = _neo_io(case, place, path)
    neo = None
    if made is not None:
        kept = cache(made)
        neo = lambda: kept().read_block(load_waveforms=waveforms)  # noqa: E731
    floor = _floor_scaled if waveforms else _floor_bytes
    return Work(ours, floor(case, path), neo)


def _slice(place: Place, *, case: Case) -> Work:
    """Read one second of one channel in the middle of an opened recording."""
    path = case.write(place.folder, place)
    recording = ephyrus.open(path, format=case.io_class)
    stream = recording.signals[0]
    start, second = stream.length // 2, int(stream.rate)
    channel = min(3, len(stream.channels) - 1)
    return Work(lambda: recording.read_scaled(0, start, start + second, [channel]))


IN_FOLDER: Any = ((), "filename folder")
TDT_STREAMS: Any = ((".tev", ".sev"), "dirname folder", "<f4")
TDT_SPIKES: Any = ((".tsq", ".tev"), "dirname folder", "<f4")

CONTINUOUS = (
    Case("Blackrock .ns5", "BlackrockIO", _big(blackrock, "a.ns5", megabytes=128)),
    Case("NeuroExplorer .nex", "NeuroExplorerIO", _big(neuroexplorer, "a.nex", samples=4_000_000)),
    Case("Spike2 .smr", "Spike2IO", _big(spike2, "a.smr", what="waves", megabytes=128)),
    Case("TDT .tev", "TdtIO", _big(tdt, "b-tev", samples=2_000_000), *TDT_STREAMS),
    Case("TDT .sev", "TdtIO", _big(tdt, "b-sev", samples=2_000_000, sev=True), *TDT_STREAMS),
    Case(
        "Plexon .plx",
        "PlexonIO",
        _big(plexon, "a.plx", spikes=0, slow_blocks=256_000),
    ),
    Case(
        "Alpha Omega .mpx", "AlphaOmegaIO", _big(alphaomega, "a.mpx", packets=300_000), *IN_FOLDER
    ),
)
READ_BARS = (1.5, 1.5, 2, 2, 1.5, 3, 3)

SPIKES = (
    Case("Plexon .plx", "PlexonIO", _big(plexon, "a.plx", spikes=MILLION, slow_blocks=0)),
    Case("Blackrock .nev", "BlackrockIO", _big(blackrock, "a.nev", packets=MILLION)),
    Case("Spike2 .smr", "Spike2IO", _big(spike2, "a.smr", what="spikes", spikes=MILLION)),
    Case("TDT .tev", "TdtIO", _big(tdt, "b-spikes", spikes=MILLION), *TDT_SPIKES),
    Case("NeuroExplorer .nex", "NeuroExplorerIO", _big(neuroexplorer, "a.nex", spikes=MILLION)),
    Case(
        "Alpha Omega .mpx",
        "AlphaOmegaIO",
        _big(alphaomega, "a.mpx", packets=16, spikes=MILLION),
        *IN_FOLDER,
    ),
)

OPENED = (
    (Case("Plexon .plx, 600,000 blocks", "PlexonIO", _big(plexon, "a.plx")), 8),
    (replace(CONTINUOUS[-1], name="Alpha Omega .mpx, 300,000 packets"), 5),
    (replace(SPIKES[2], name="Spike2 .smr, 1,000,000 WaveMarks"), 5),
    (replace(SPIKES[3], name="TDT .tsq, 1,000,000 records", holds=(".tsq",)), 5),
    (replace(SPIKES[1], name="Blackrock .nev, 1,000,000 packets"), 5),
)


def benchmarks() -> Iterator[Benchmark]:
    """All benchmarks of packet formats."""
    os.environ[CACHE_VARIABLE] = "off"  # a kept index would be measured instead
    row = partial(Benchmark, "packets")
    for case, bar in OPENED:
        slow = partial(_open, case=case, is_compiled=False)
        yield row(f"open {case.name}", slow, bar, floor_is=READ)
    fast = partial(_open, case=OPENED[0][0], is_compiled=True)
    yield row(f"open {OPENED[0][0].name}, compiled", fast, 2, floor_is=READ)
    for case, bar in zip(CONTINUOUS, READ_BARS, strict=True):
        yield row(f"read {case.name}", partial(_read, case=case), bar, floor_is=SCALED)
    for waveforms, bar, what in ((False, 3, "spikes"), (True, 6, "spikes with waveforms")):
        for case in SPIKES:
            made = partial(_spikes, case=case, waveforms=waveforms)
            floor_is = SCALED if waveforms else READ
            yield row(f"{what} of {case.name}", made, bar, floor_is=floor_is)
    for case in CONTINUOUS:
        made = partial(_slice, case=case)
        yield row(f"a second of {case.name}", made, None, SLICE_SECONDS)
