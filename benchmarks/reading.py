"""Reading whole recordings, opening them, and taking a second out of one channel."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import quantities as pq

import ephyrus
from benchmarks import files
from benchmarks.measure import Benchmark, Operation, Place, Work
from ephyrus import io
from tests.synth.rawbinarysignal import write_large

GROUP_MODE = "group-by-same-units"  # all channels of a unit as one signal, ours and neo's alike
FULL_SAMPLES = 64_000_000  # 128 MB of int16
SWEEPS = 300
SPARSE_BYTES = 10 * 10**9
SHORT_BYTES = 10**7
OPEN_SECONDS = 0.005
SLICE_SECONDS = 0.001
FLOOR = "np.fromfile of the same bytes, and one multiply into float32"
TEXT_FLOOR = "np.loadtxt of the same file"


def floor(path: Path, offset: int, samples: int, gain: float) -> np.ndarray:
    """Do the least that a full read can: read the bytes, multiply once into float32."""
    stored = np.fromfile(path, np.int16, samples, offset=offset)
    return np.multiply(stored, np.float32(gain), dtype=np.float32)


def _read(io_class: str, path: Path, mode: str = GROUP_MODE, **options: Any) -> Operation:
    """Read everything, as one does: make the IO object, read the block."""
    made = getattr(io, io_class)
    return lambda: made(path, **options).read_block(signal_group_mode=mode)


def _neo_read(
    place: Place, io_class: str, path: Path, mode: str = GROUP_MODE, **options: Any
) -> Operation | None:
    """Read everything with neo."""
    if place.neo is None:
        return None
    made = getattr(place.neo.io, io_class)
    return lambda: made(filename=str(path), **options).read_block(signal_group_mode=mode)


def _axon(place: Place, *, same_gain: bool, mode: str = GROUP_MODE) -> Work:
    data = files.counts(place.count(FULL_SAMPLES // 8), 8)
    path, offset = files.axon_gap_free(place.folder, data, same_gain=same_gain)
    return Work(
        _read("AxonIO", path, mode),
        partial(floor, path, offset, data.size, 0.5),
        _neo_read(place, "AxonIO", path, mode),
    )


def _axon_sweeps(place: Place, *, samples: int) -> Work:
    data = files.counts(place.count(samples * SWEEPS, SWEEPS), 2)
    path, offset = files.axon_sweeps(place.folder, data, SWEEPS)
    return Work(
        _read("AxonIO", path),
        partial(floor, path, offset, data.size, 0.5),
        _neo_read(place, "AxonIO", path),
    )


def _brainvision(
    place: Place, *, same_gain: bool, vectorized: bool, mode: str = GROUP_MODE
) -> Work:
    data = files.counts(place.count(FULL_SAMPLES // 32), 32)
    path = files.brainvision_full(place.folder, data, same_gain=same_gain, vectorized=vectorized)
    return Work(
        _read("BrainVisionIO", path, mode),
        partial(floor, path.with_suffix(".eeg"), 0, data.size, 0.1),
        _neo_read(place, "BrainVisionIO", path, mode),
    )


def _raw(place: Place, mode: str = GROUP_MODE) -> Work:
    data = files.counts(place.count(FULL_SAMPLES // 16), 16)
    path = place.folder / "signals.raw"
    data.tofile(path)
    options = {"dtype": "int16", "nb_channel": 16, "sampling_rate": float(files.RATE)}
    options |= {"signal_gain": 0.5, "signal_offset": 0.0}
    return Work(
        _read("RawBinarySignalIO", path, mode, units="uV", **options),
        partial(floor, path, 0, data.size, 0.5),
        _neo_read(place, "RawBinarySignalIO", path, mode, bytesoffset=0, **options),
    )


def _text(place: Place, *, with_times: bool) -> Work:
    path = files.text_table(place.folder, place.count(250_000), 8, with_times=with_times)
    options: dict[str, Any] = {"delimiter": "\t", "units": "mV", "signal_group_mode": "all-in-one"}
    if with_times:
        options |= {"timecolumn": 0, "time_units": "s"}
    else:
        options["sampling_rate"] = files.RATE * pq.Hz
    neo = None
    if place.neo is not None:
        neo_io = place.neo.io.AsciiSignalIO
        neo = lambda: neo_io(filename=str(path), **options).read_block()  # noqa: E731
    return Work(
        lambda: io.AsciiSignalIO(path, **options).read_block(),
        lambda: np.loadtxt(path, delimiter="\t"),
        neo,
    )


def full_reads() -> Iterator[Benchmark]:
    """Whole recordings, as float32 (text: float64) in memory."""
    full = partial(Benchmark, "read", ratio=1.5, floor_is=FLOOR)
    for gains, same in (("one gain", True), ("several gains", False)):
        yield full(f"Axon gap-free, {gains}", partial(_axon, same_gain=same))
        for order, vectorized in (("multiplexed", False), ("vectorised", True)):
            yield full(
                f"BrainVision int16 {order}, {gains}",
                partial(_brainvision, same_gain=same, vectorized=vectorized),
            )
    yield full("raw binary int16", _raw)
    split = partial(Benchmark, "split", ratio=None, floor_is=FLOOR)
    for name, prepare in (
        ("Axon gap-free", partial(_axon, same_gain=True)),
        ("BrainVision int16", partial(_brainvision, same_gain=True, vectorized=False)),
        ("raw binary int16", _raw),
    ):
        yield split(f"{name}, a signal per channel", partial(prepare, mode="split-all"))
    for seconds in (5, 1):
        prepare = partial(_axon_sweeps, samples=seconds * files.RATE)
        yield Benchmark(
            "read", f"Axon, {SWEEPS} sweeps of {seconds} s", prepare, 2.5, floor_is=FLOOR
        )
    text = partial(Benchmark, "read", ratio=3.0, floor_is=TEXT_FLOOR)
    yield text("text columns", partial(_text, with_times=False))
    yield text("text columns with times", partial(_text, with_times=True))


RAW_OPTIONS = {"dtype": "int16", "nb_channel": 32, "sampling_rate": float(files.RATE)}
SIZES = (("10 MB", SHORT_BYTES), ("10 GB", SPARSE_BYTES))
KINDS = ("Axon", "BrainVision", "BrainVision vectorised", "raw binary")


def _recording(kind: str, folder: Path, nbytes: int) -> tuple[Path, str, dict[str, Any]]:
    """Make a sparse recording; give its path, IO class and options."""
    if kind == "Axon":
        return files.axon_sparse(folder, nbytes, 16), "AxonIO", {}
    if kind == "raw binary":
        path = write_large(folder / "sparse.raw", nbytes // 64 * 64)
        return path, "RawBinarySignalIO", RAW_OPTIONS
    vectorized = kind.endswith("vectorised")
    path = files.brainvision_sparse(folder, nbytes, 32, vectorized=vectorized)
    return path, "BrainVisionIO", {}


def _open(place: Place, *, kind: str, nbytes: int) -> Work:
    """Open a recording by its path alone: what it is must be found out."""
    path, _, _ = _recording(kind, place.folder, nbytes)
    return Work(lambda: ephyrus.open(path).close())


def _open_io(place: Place, *, kind: str, nbytes: int) -> Work:
    """Open a recording with the IO class of its format."""
    path, io_class, options = _recording(kind, place.folder, nbytes)
    made = getattr(io, io_class)
    neo = None
    if place.neo is not None:
        neo_made = getattr(place.neo.io, io_class)
        neo = lambda: neo_made(filename=str(path), **options)  # noqa: E731
    return Work(lambda: made(path, **options), neo=neo)


def _slice(place: Place, *, kind: str, nbytes: int, how: str) -> Work:
    """Read one second of one channel near the end of an opened recording."""
    path, io_class, options = _recording(kind, place.folder, nbytes)
    recording = ephyrus.open(path, format=io_class, **options)
    stop = recording.signals[0].length - files.RATE
    start, second = stop - files.RATE, files.RATE
    if how == "read_scaled":
        ours: Operation = lambda: recording.read_scaled(0, start, start + second, [3])  # noqa: E731
    else:
        made = getattr(io, io_class)(path, **options)
        signal = made.read_segment(lazy=True).analogsignals[0]
        window = (start / second * pq.s, stop / second * pq.s)
        ours = lambda: signal.load(time_slice=window, channel_indexes=[3])  # noqa: E731
    neo = None
    if place.neo is not None and how == "load":

        @cache
        def proxy() -> Any:  # made when it is first used: neo cannot open all of these
            opened = getattr(place.neo.io, io_class)(filename=str(path), **options)
            return opened.read_segment(lazy=True, signal_group_mode=GROUP_MODE).analogsignals[0]

        neo = lambda: proxy().load(time_slice=window, channel_indexes=[3])  # noqa: E731
    return Work(ours, neo=neo)


def openings() -> Iterator[Benchmark]:
    """Opening short and very long recordings."""
    bench = partial(Benchmark, "open", seconds=OPEN_SECONDS)
    for kind in KINDS:
        for size, nbytes in SIZES:
            made = partial(_open_io, kind=kind, nbytes=nbytes)
            yield bench(f"{kind}, with its IO class, {size}", made)
            if kind != "raw binary":  # nothing in such a file tells what it is
                found = partial(_open, kind=kind, nbytes=nbytes)
                yield bench(f"{kind}, by its content, {size}", found)


def slices() -> Iterator[Benchmark]:
    """One second of one channel of an opened recording."""
    for kind in KINDS:
        for how in ("read_scaled", "load"):
            for size, nbytes in SIZES:
                prepare = partial(_slice, kind=kind, nbytes=nbytes, how=how)
                yield Benchmark("slice", f"{kind}, {how}, {size}", prepare, None, SLICE_SECONDS)


def benchmarks() -> list[Benchmark]:
    """All benchmarks of reading."""
    return [*full_reads(), *openings(), *slices()]
