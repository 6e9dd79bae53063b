"""Checks of how a recording is opened: costs, descriptors, threads, pickles, failing disks."""

from __future__ import annotations

import gc
import math
import pickle
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ephyrus.recording import SNIFF_BYTES, Access, FileSet, Limits, Opening, Recording, SignalStream
from ephyrus.testing.faults import Counter, FailAt, WatchedFileSet
from ephyrus.testing.guards import memory_limit, open_descriptors
from ephyrus.testing.mutate import is_text, mutation
from ephyrus.testing.subject import (
    Subject,
    all_signals,
    all_streams,
    quiet,
    read_all,
    require,
    same,
    values,
)

__all__ = [
    "check_access_modes",
    "check_closing",
    "check_failing_disk",
    "check_large",
    "check_pickling",
    "check_salvage_of_sound",
    "check_sniff",
    "check_threads",
]

LARGE_BYTES = 100_000_000
OPENING_MEMORY = 64 * 2**20
MOST_FAILURES = 400


def check_sniff(subject: Subject) -> None:
    """Check that `sniff` knows its own file, and gives 0 to 1 for whatever bytes there are."""
    sniff = subject.module.sniff
    with quiet():
        files = subject.files()
        head = b"" if files.is_dir else files.main.head(SNIFF_BYTES)
        require(0 < sniff(files, head) <= 1, f"sniff gives {sniff(files, head)} for its own file")
        heads = [b"", bytes(SNIFF_BYTES), b"\xff" * 512, head[:1], head[:5], head[: len(head) // 2]]
        heads += [mutation(head, subject.title, number).data for number in range(200) if head]
        for data in heads:
            confidence = sniff(files, data)
            require(
                isinstance(confidence, int | float) and 0 <= confidence <= 1,
                f"sniff gives {confidence!r} for a file that begins with {data[:32]!r}",
            )
        files.close()


def check_access_modes(subject: Subject) -> None:
    """Check that mapped, read and in-memory files give the same."""
    with subject.open() as rec:
        expected, described = values(rec), rec.problems
    ways: dict[str, FileSet] = {"pread": subject.files(access="pread")}
    if subject.in_memory and not subject.path.is_dir():
        ways["memory"] = subject.damaged(subject.contents())
    for name, files in ways.items():
        with subject.open(files) as rec:
            require(same(values(rec), expected), f"access {name!r} reads other values than mmap")
            found = [problem.reason for problem in rec.problems]
            wanted = [problem.reason for problem in described]
            require(found == wanted, f"access {name!r} notes {found}, mmap {wanted}")


def check_pickling(subject: Subject) -> None:
    """Check that a pickled recording reopens with its options and gives the same."""
    limits = Limits(read_bytes=2**40)
    files = subject.files()
    with Recording(subject.module, files, subject.sample.options, limits=limits) as rec:
        expected = values(rec)
        recipe = pickle.dumps(rec)
        with pickle.loads(recipe) as other:  # noqa: S301 - made three lines above
            require(other.path == rec.path, f"path {rec.path!r} became {other.path!r}")
            require(other.options == rec.options, f"options {rec.options} became {other.options}")
            require(other.limits == limits, f"limits {limits} became {other.limits}")
            require(same(values(other), expected), "the unpickled recording reads other values")
        if subject.has_file:
            allowed = 10_000 + len(repr(subject.sample.options))
            require(
                len(recipe) <= allowed,
                f"the pickle has {len(recipe):,} bytes: it is to hold path and options, not data",
            )


def check_threads(subject: Subject) -> None:
    """Check that two threads read what one reads, also while the first read is going on."""
    with subject.open() as rec:
        expected = values(rec)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with subject.open() as rec, ThreadPoolExecutor(2) as pool:
            streams = [stream for _, stream in all_streams(rec)]
            for turned in (1, -1, 1, -1):
                work = [stream for stream in streams[::turned] for _ in range(2)]
                found = list(pool.map(lambda stream: read_all(rec, stream), work))
                wanted = [value for value in [*expected.values()][::turned] for _ in range(2)]
                right = all(same(one, other) for one, other in zip(found, wanted, strict=True))
                require(right, "two threads read other values than one")
    finally:
        sys.setswitchinterval(interval)


def check_closing(subject: Subject) -> None:
    """Check that closing frees all descriptors, also after errors, and that reading reopens."""
    for access in ("mmap", "pread"):
        with _nothing_left_open(f"{access}: {{}} descriptors are open after close()"):
            _check_reopening(subject, access)
    if subject.has_file:
        _check_failed_openings(subject)


@contextmanager
def _nothing_left_open(message: str) -> Iterator[None]:
    """Require that no descriptor that the block opened is open after it.

    What was there before is frozen: to collect it in a large test suite would take most of the time
    of the suite, and a file of it that is closed within the block would hide one that is not.
    """
    gc.freeze()
    try:
        before = open_descriptors()
        yield
        gc.collect()
        left = open_descriptors() - before
    finally:
        gc.unfreeze()
    require(left <= 0, message.format(left))


def _check_reopening(subject: Subject, access: Access) -> None:
    rec = subject.open(subject.files(access=access))
    expected = values(rec)
    rec.close()
    rec.close()
    require(same(values(rec), expected), f"{access}: reading after close() differs")
    rec.close()


def _check_failed_openings(subject: Subject) -> None:
    """Open cut and failing files until something breaks, and count what stays open."""
    contents = subject.contents()
    main = next(iter(contents))
    counter = Counter()
    subject.open(subject.files(watch=counter)).close()
    with _nothing_left_open("{} descriptors are open after openings that failed"), quiet():
        for part in range(8):
            cut = contents[main][: len(contents[main]) * part // 8]
            _try_opening(subject, WatchedFileSet(subject.stored({**contents, main: cut})))
        for number in range(1, min(counter.requests, 50) + 1):
            _try_opening(subject, subject.files(watch=FailAt(number), access="pread"))


def _try_opening(subject: Subject, files: FileSet) -> None:
    try:
        subject.open(files).close()
    except OSError:
        return


def check_salvage_of_sound(subject: Subject) -> None:
    """Check that ``salvage=True`` changes nothing in a sound file."""
    with subject.open() as rec, subject.open(salvage=True) as salvaged:
        require(same(values(salvaged), values(rec)), "salvage=True reads other values")
        found = [problem.reason for problem in salvaged.problems]
        wanted = [problem.reason for problem in rec.problems]
        require(found == wanted, f"salvage=True notes {found}, strict mode {wanted}")


def check_failing_disk(subject: Subject) -> None:
    """Check that a failing read surfaces as the OSError it is, wherever it happens."""
    with quiet():
        counter = Counter()
        _read_watched(subject, counter)
        total = counter.requests
        require(total > 0 or not subject.has_file, "nothing is read through the FileSet")
        count = min(total, MOST_FAILURES)
        for step in range(count):
            _check_failure(subject, 1 + step * total // count, total)


def _read_watched(subject: Subject, watch: Counter | FailAt) -> None:
    files = subject.files(watch=watch, access="pread")
    with subject.open(files) as rec:
        values(rec)


def _check_failure(subject: Subject, number: int, total: int) -> None:
    failing = FailAt(number)
    what = f"request {number} of {total} failed"
    try:
        _read_watched(subject, failing)
    except OSError as error:
        cause: BaseException | None = error
        while cause is not None and cause is not failing.error:
            cause = cause.__cause__
        require(cause is not None, f"{what}, and another error surfaced: {error!r}")
        return
    except Exception as error:
        raise AssertionError(f"{what}, and surfaced as {error!r}, no OSError") from error
    require(failing.error is None, f"{what} ({failing.error}), and that was swallowed")


def check_large(subject: Subject, folder: Path, *, opening_bytes: int, slice_bytes: int) -> None:
    """Check what opening a large recording, and reading a second of one channel, cost.

    Parameters
    ----------
    subject : Subject
        Gives the format and the sample, whose `large` is written.
    folder : Path
        Where to.
    opening_bytes : int
        Most bytes that are read by opening.
    slice_bytes : int
        Most bytes that are asked for beyond the frames of one second.
    """
    if subject.sample.large is None:
        raise ValueError(f"{subject.title} has no large recording")
    path = subject.sample.large(folder)
    size = sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())
    require(size >= LARGE_BYTES, f"the large sample has {size:,} bytes, not {LARGE_BYTES:,}")
    _check_header_cost(subject, path, opening_bytes)
    counter = Counter()
    files = WatchedFileSet(path, watch=counter, access="pread")
    with memory_limit(OPENING_MEMORY, "opening a large file"):
        subject.open(files).close()
    if not is_text(files_head(path)):
        _require_cheap(counter, opening_bytes, "opening")
    _check_slice_cost(subject, path, slice_bytes)


def files_head(path: Path) -> bytes:
    """Give the first bytes of a file (nothing of a folder)."""
    if path.is_dir():
        return b""
    with path.open("rb") as file:
        return file.read(4096)


def _require_cheap(counter: Counter, allowed: int, what: str) -> None:
    require(
        counter.nbytes < allowed,
        f"{what} reads {counter.nbytes:,} bytes in {counter.requests} requests; "
        f"fewer than {allowed:,} are allowed",
    )


def _check_header_cost(subject: Subject, path: Path, allowed: int) -> None:
    counter = Counter()
    files = WatchedFileSet(path, watch=counter, access="pread")
    options = subject.module.FORMAT.option_values(subject.sample.options)
    try:
        subject.module.parse_header(Opening(files, options))
    finally:
        files.close()
    _require_cheap(counter, allowed, "parse_header")


def _check_slice_cost(subject: Subject, path: Path, allowed: int) -> None:
    counter = Counter()
    with subject.open(WatchedFileSet(path, watch=counter)) as rec:
        for key, signal in all_signals(rec):
            start, stop = _second(signal)
            before = counter.nbytes
            rec.read_signal(signal, start, stop, 0)
            cost = counter.nbytes - before
            needed = (stop - start) * signal.item_bytes
            require(
                cost <= needed + allowed,
                f"{' '.join(key)}: one channel of samples {start} to {stop} asks for {cost:,} "
                f"bytes; the frames have {needed:,}",
            )


def _second(signal: SignalStream) -> tuple[int, int]:
    """Give the range of one second in the middle of the longest run."""
    run = signal.runs[np.argmax(signal.runs["count"])]
    count = min(math.ceil(signal.rate), int(run["count"]))
    start = int(run["first"]) + (int(run["count"]) - count) // 2
    return start, start + count
