"""Checks of what damaged files do: raise `FormatError`, or are read as far as they are sound."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from ephyrus.errors import FormatError
from ephyrus.recording import FileSet, Recording, SignalStream, TableStream
from ephyrus.testing.faults import WatchedFileSet
from ephyrus.testing.guards import (
    LimitExceeded,
    TooSlow,
    memory_limit,
    opened_paths,
    time_limit,
)
from ephyrus.testing.mutate import (
    is_text,
    lying_counts,
    mutation,
    replaced_names,
    truncation_places,
)
from ephyrus.testing.subject import (
    Key,
    Subject,
    Values,
    all_signals,
    all_streams,
    lengths,
    quiet,
    require,
    same,
    values,
)

__all__ = [
    "DamageLimits",
    "check_escapes",
    "check_lying_counts",
    "check_mutations",
    "check_refused_names",
    "check_salvage",
    "check_truncation",
]

TREE_EVERY = 10  # cases whose object tree is made too
SHOWN = 5  # different failures that are shown


@dataclass(frozen=True, slots=True)
class DamageLimits:
    """What one damaged file may cost.

    Attributes
    ----------
    seconds : float
        Wall-clock time of opening and reading everything.
    cpu_seconds : float
        CPU time of all the cases of one check.
    memory, per_byte : int
        Bytes of memory: `memory`, and `per_byte` for each byte of the files.
    """

    seconds: float = 10.0
    cpu_seconds: float = 20.0
    memory: int = 64 * 2**20
    per_byte: int = 8

    def allowed_memory(self, contents: Mapping[str, bytes]) -> int:
        """Give the bytes of memory that these files justify."""
        return self.memory + self.per_byte * sum(map(len, contents.values()))


@dataclass(slots=True)
class Cases:
    """Runs cases under their limits and gathers failures, so that one run shows all of them."""

    subject: Subject
    limits: DamageLimits
    failures: dict[str, str] = field(default_factory=dict)
    failed: int = 0
    done: int = 0

    def run(self, contents: Mapping[str, bytes], what: str, test: Any) -> None:
        """Run ``test(files)``; only `OSError` (and so `FormatError`) may come out of it."""
        self.done += 1
        files = None
        try:
            with (
                memory_limit(self.limits.allowed_memory(contents), what),
                time_limit(self.limits.seconds, what),
            ):
                files = self.subject.damaged(contents)
                test(files)
        except OSError:
            pass
        except TooSlow as error:  # each of these costs its whole limit: no more of them
            self._failed(what, error)
            self.finish()
        except (Exception, LimitExceeded) as error:  # a fault of the reader, whatever it is  # noqa: BLE001 - whatever else it is, is the finding
            self._failed(what, error)
        finally:
            if files is not None:
                files.close()

    def _failed(self, what: str, error: BaseException) -> None:
        """Keep the first failure of each kind and place."""
        self.failed += 1
        frames = traceback.extract_tb(error.__traceback__)
        place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        ours = Path(__file__).parent
        inner = [each for each in frames if ours not in Path(each.filename).parents]
        steps = "".join(traceback.format_list(inner[-3:]))
        kind = f"{type(error).__name__} {place}"
        if isinstance(error, AssertionError):
            kind = str(error)[:60]
        self.failures.setdefault(kind, f"{what}\n{steps}  {type(error).__name__}: {error}")

    def finish(self) -> None:
        """Fail the test if a case failed."""
        if not self.failures:
            return
        shown = "\n\n".join([*self.failures.values()][:SHOWN])
        raise AssertionError(
            f"{self.subject.title}: {self.failed} of {self.done} damaged files raise something "
            f"else than FormatError or OSError, or are read wrongly; {len(self.failures)} "
            f"different failures:\n\n{shown}"
        )


def _exercise(subject: Subject, files: FileSet, *, tree: bool) -> None:
    """Open, read everything (which checks shapes and types) and make the lazy tree."""
    with subject.open(files) as rec:
        values(rec)
        if tree:
            rec.tree(lazy=True)


def _run_mutations(cases: Cases, damaged: Iterable[tuple[Mapping[str, bytes], str]]) -> None:
    """Run cases that only have to raise the right errors."""
    subject = cases.subject
    begin = time.process_time()
    with quiet():
        for number, (contents, what) in enumerate(damaged):
            tree = number % TREE_EVERY == 0
            cases.run(contents, what, lambda files, tree=tree: _exercise(subject, files, tree=tree))
    spent = time.process_time() - begin
    cases.finish()
    require(
        spent <= cases.limits.cpu_seconds,
        f"{cases.done} damaged files took {spent:.1f} s of CPU time; "
        f"{cases.limits.cpu_seconds:g} s are allowed: is the sample too large?",
    )


def check_mutations(subject: Subject, count: int, limits: DamageLimits) -> None:
    """Check that seeded damage raises only `FormatError` or `OSError`, in time and memory."""
    _run_mutations(Cases(subject, limits), _mutated(subject, count))


def _mutated(subject: Subject, count: int) -> Iterator[tuple[Mapping[str, bytes], str]]:
    """Give damaged files; the main file has half of the cases, its companions the rest."""
    contents = subject.contents()
    names = [name for name, data in contents.items() if data]
    for number in range(count):
        name = names[0 if number % 2 else number // 2 % len(names)]
        case = mutation(contents[name], subject.title, number)
        what = f"mutation({name!r}, seed {subject.title!r}, number {number}): {case.what}"
        yield {**contents, name: case.data}, what


def check_lying_counts(subject: Subject, count: int, head: int, limits: DamageLimits) -> None:
    """Check the same for every place of the heads set to numbers that no honest file has."""
    _run_mutations(Cases(subject, limits), _lying(subject, count, head))


def _lying(subject: Subject, count: int, head: int) -> Iterator[tuple[Mapping[str, bytes], str]]:
    contents = subject.contents()
    for name, data in contents.items():
        share = count // len(contents)
        for case in lying_counts(data, head=head, limit=share, seed=subject.title):
            yield {**contents, name: case.data}, f"{subject.title}, {name}: {case.what}"


@dataclass(frozen=True, slots=True)
class Sound:
    """What the undamaged recording holds."""

    values: Values
    lengths: Mapping[Key, int]
    runs: Mapping[Key, Sequence[Any]]
    channels: Mapping[Key, Sequence[str]]
    problems: frozenset[str]
    segments: int

    @classmethod
    def of(cls, subject: Subject) -> Sound:
        """Read everything of the sound sample."""
        with subject.open() as rec:
            runs = {key: stream.runs.tolist() for key, stream in all_streams(rec)}
            channels = {key: signal.channels.ids for key, signal in all_signals(rec)}
            segments = len(rec.segments)
            return cls(values(rec), lengths(rec), runs, channels, _reasons(rec), segments)


def _reasons(rec: Recording) -> frozenset[str]:
    """Give what was noted; of a damaged file, notes on its sound parts may be missing."""
    return frozenset(f"{problem.field}: {problem.reason}" for problem in rec.problems)


@dataclass(frozen=True, slots=True)
class Cut:
    """A cut file among sound ones.

    Attributes
    ----------
    contents : mapping
        All files.
    what : str
        Which is cut, and where.
    noticed : bool
        The format must notice that items are lost.
    unsure : int
        Items at the end of each run that may have changed: the last number of a text loses digits.
    """

    contents: Mapping[str, bytes]
    what: str
    noticed: bool
    unsure: int


def _cuts(subject: Subject, seeded: int) -> Iterator[Cut]:
    """Cut the main file at its boundaries and elsewhere, companions elsewhere."""
    contents = subject.contents()
    for number, (name, data) in enumerate(contents.items()):
        boundaries = [0, 1] if number else subject.sample.boundaries(data)
        count = seeded // 2 if number else seeded
        for place in truncation_places(data, boundaries, seeded=count, seed=subject.title):
            what = f"{subject.title}, {name} cut to {place} of {len(data)} bytes"
            noticed = number == 0 and subject.sample.states_length
            yield Cut({**contents, name: data[:place]}, what, noticed, int(is_text(data)))


def check_truncation(subject: Subject, seeded: int, limits: DamageLimits) -> None:
    """Check that cut files raise, or are read in part and say so."""
    sound = Sound.of(subject)
    cases = Cases(subject, limits)

    def test(files: FileSet, cut: Cut) -> None:
        with subject.open(files) as rec:
            _check_part(rec, sound, cut, salvaged=False)

    with quiet():
        for cut in _cuts(subject, seeded):
            cases.run(cut.contents, cut.what, partial(test, cut=cut))
    cases.finish()


def check_salvage(subject: Subject, seeded: int, limits: DamageLimits) -> None:
    """Check that salvaged files hold what is left of the sound ones, and say what is lost."""
    sound = Sound.of(subject)
    cases = Cases(subject, limits)

    def test(files: FileSet, cut: Cut) -> None:
        try:
            rec = subject.open(files, salvage=True)
        except FormatError:
            return
        except OSError as error:
            raise AssertionError(f"salvage=True raised {error!r}, no FormatError") from error
        with rec:
            _check_part(rec, sound, cut, salvaged=True)

    with quiet():
        for cut in _cuts(subject, seeded):
            cases.run(cut.contents, cut.what, partial(test, cut=cut))
    cases.finish()


def _check_part(rec: Recording, sound: Sound, cut: Cut, *, salvaged: bool) -> None:
    """Check that a damaged recording is a part of the sound one, and says so if it must."""
    found = lengths(rec)
    origins = {key: _origin(key, stream, sound) for key, stream in all_streams(rec)}
    longer = {
        key: count for key, count in found.items() if count > sound.lengths.get(origins[key], 0)
    }
    require(not longer, f"longer than the sound recording, or not in it: {longer}")
    lost = {key: count for key, count in sound.lengths.items() if found.get(key, 0) < count}
    noted = bool(_reasons(rec) - sound.problems)
    if cut.noticed and lost:
        require(
            noted,
            f"items are lost and no problem is noted: {found} of {dict(sound.lengths)}",
        )
    kept: Mapping[Key, Any] = values(rec)
    skipped = sound.segments - len(rec.segments) if salvaged and noted else 0
    for key, stream in all_streams(rec):
        origin = origins[key]
        full: Any = sound.values[origin]
        if skipped > 0:
            _check_shifted(stream, kept[key], sound, origin, cut.unsure, skipped)
            continue
        for first, count, begin, whole in _matching_runs(origin, stream, sound, salvaged and noted):
            if isinstance(stream, SignalStream):
                sure = max(count - cut.unsure, 0)
                expected = _same_channels(stream, full, sound.channels[origin])
                right = same(kept[key][first : first + sure], expected[begin : begin + sure])
                require(right, f"{' '.join(key)}: the first {sure} items are not those of the run")
            else:
                rows, expected = _rows(kept[key], first, count), _rows(full, begin, whole)
                _check_rows_kept(stream, rows, expected, cut.unsure)


def _origin(key: Key, stream: SignalStream | TableStream, sound: Sound) -> Key:
    """Give the sound stream that a stream is of: a cut may set some of its channels apart."""
    if not isinstance(stream, SignalStream) or key in sound.channels:
        return key
    mine = set(stream.channels.ids)
    holders = (
        other
        for other, ids in sound.channels.items()
        if other[0] == key[0] and mine and mine <= set(ids)
    )
    return next(holders, key)


def _matching_runs(
    key: Key, stream: SignalStream | TableStream, sound: Sound, may_move: bool
) -> Iterator[tuple[int, int, int, int]]:
    """Give first item and count of each run, and those of it in the sound recording.

    Runs match by segment and time. Salvage may have lost where and when runs begin, if it says so
    (`may_move`); then they match by their place among the items.
    """
    seen: dict[tuple[int, int], int] = {}
    for first, count, tick, segment in stream.runs.tolist():
        place = segment, tick
        order = seen[place] = seen.get(place, -1) + 1
        matches = [run for run in sound.runs[key] if (run[3], run[2]) == place]
        if len(matches) > order and count <= matches[order][1]:
            yield first, count, *matches[order][:2]
            continue
        there = f"{matches[order][1]} items" if len(matches) > order else "no such run"
        require(
            may_move,
            f"{' '.join(key)}, run of segment {segment} at tick {tick}: {count} items, "
            f"the sound recording has {there}",
        )
        begin = first if isinstance(stream, SignalStream) else 0
        yield first, count, begin, sound.lengths[key] - begin


def _check_shifted(
    stream: SignalStream | TableStream,
    kept: Any,
    sound: Sound,
    origin: Key,
    unsure: int,
    skipped: int,
) -> None:
    """Check a stream of a recording that lost whole segments, perhaps that at which time begins."""
    full: Any = sound.values[origin]
    if not isinstance(stream, SignalStream):
        rows, expected = (
            _rows({name: each[name] for name in each if name != "tick"}, 0, sound.lengths[origin])
            for each in (kept, full)
        )
        _check_rows_kept(stream, rows, expected, unsure)
        return
    full = _same_channels(stream, full, sound.channels[origin])
    for first, count, _, segment in stream.runs.tolist():
        sure = max(count - unsure, 0)
        places = range(segment, segment + skipped + 1)
        begins = [run[0] for run in sound.runs[origin] if run[3] in places and run[1] >= count]
        require(
            any(same(kept[first : first + sure], full[begin : begin + sure]) for begin in begins),
            f"signal {stream.id!r}: its run in segment {segment} is none of the sound recording's",
        )


def _same_channels(signal: SignalStream, full: Any, ids: Sequence[str]) -> Any:
    """Give the columns of the sound recording that are left (salvage may drop channels)."""
    strange = set(signal.channels.ids) - set(ids)
    require(not strange, f"signal {signal.id!r}: channels {strange}, the sound one has {ids}")
    if len(signal.item_shape) > 1 or signal.channels.ids == ids:
        return full
    return full[:, [ids.index(each) for each in signal.channels.ids]]


def _rows(table: Mapping[str, Any], first: int, count: int) -> list[tuple[Any, ...]]:
    """Give the rows of a table as values that can be compared."""
    rows = slice(first, first + count)
    cells = [
        column[rows].tolist()
        if column.dtype.kind in "OU"
        else [item.tobytes() for item in column[rows]]
        for column in table.values()
    ]
    return list(zip(*cells, strict=True))


def _check_rows_kept(
    table: TableStream, kept: list[tuple[Any, ...]], full: list[tuple[Any, ...]], unsure: int
) -> None:
    """Find each row in the sound table, in its order; `unsure` of them may have changed."""
    place, strange = 0, []
    for row in kept:
        if row in full[place:]:
            place = full.index(row, place) + 1
        else:
            strange.append(row)
    require(
        len(strange) <= unsure,
        f"table {table.id!r}: {len(strange)} items are not in the sound recording, "
        f"or in another order: {strange[:2]} ({list(table.columns)})",
    )


ESCAPES = (
    "../canary.bin", "..\\canary.bin", "sub/../../canary.bin", "/canary.bin", "\\canary.bin",
    "C:\\canary.bin", "C:canary.bin", "\\\\host\\share\\canary.bin", "//host/share/canary.bin",
    "..", "../", "/", "", ".", "a\0b",
)  # fmt: skip


def check_refused_names(subject: Subject) -> None:
    """Check that the recording's file set opens no name that leads out of its folder."""
    with closing(subject.files()) as files:
        for name in ESCAPES:
            for method in (files.source, files.exists):
                _require_refused(method, name)


def _require_refused(method: Callable[[str], object], name: str) -> None:
    found: object = None
    try:
        found = method(name)
    except FormatError:
        return
    except OSError as error:
        found = error
    raise AssertionError(f"{method.__name__}({name!r}) is not refused: {found!r}")


def check_escapes(subject: Subject) -> None:
    """Check that names in headers lead to nothing outside the recording's folder.

    The whole recording lies in a folder of its own; beside the folder lie canaries: copies of its
    files under the names to which the headers are changed. No canary may be opened.
    """
    contents = subject.contents()
    outside = subject.scratch.resolve()
    subject.stored(contents)
    names = [name for name in contents if name != subject.path.name]
    for holder, name in product(contents, names):
        for target, canary in _targets(name, outside):
            canary.write_bytes(contents[name])
            for case in replaced_names(contents[holder], name, target):
                _check_escape(subject, {**contents, holder: case.data}, outside, case.what)


def _targets(name: str, outside: Path) -> Iterator[tuple[str, Path]]:
    """Give names that lead outside, with the file they would lead to."""
    short = Path(name).name[-max(len(name) - 3, 1) :].lstrip(".") or "x"
    for canary in (outside / short, outside / Path(name).name):
        yield f"../{canary.name}", canary
        yield f"..\\{canary.name}", canary
        yield f"sub/../../{canary.name}", canary
        yield f"./../{canary.name}", canary
        yield str(canary), canary
        yield canary.as_uri(), canary
        yield f"C:\\{canary.name}", canary
        yield f"\\\\localhost\\{canary.name}", canary


def _check_escape(
    subject: Subject, contents: Mapping[str, bytes], outside: Path, what: str
) -> None:
    path = subject.stored(contents)
    inside = (outside / "damaged").resolve()
    # Most formats refuse such a name; some look for a file of its last part in their own folder.
    with quiet(), opened_paths() as opened, suppress(OSError):
        _exercise(subject, WatchedFileSet(path), tree=False)
    real = [Path(each).resolve() for each in opened]
    escaped = [each for each in real if outside in each.parents and inside not in each.parents]
    require(not escaped, f"{what}: {escaped} was opened, outside of the recording's folder")
