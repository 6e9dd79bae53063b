"""Where conversions go: the format and the files of each target."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ephyrus.cli.failures import Failure
from ephyrus.cli.inputs import Source, named_format, with_units
from ephyrus.recording import Format
from ephyrus.recording.files import is_url
from ephyrus.registry import all_formats

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Job", "check_free", "made_folder", "planned", "target_format", "write_options"]


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be written.

    Attributes
    ----------
    target : str
        A file, or a folder.
    to : str or None
        Name of the format; None: by the name ending of the target.
    options : mapping
        Options of writing as typed.
    block, segment : int or None
        Only this one, counted from 0.
    overwrite : bool
        Replace files.
    """

    target: str
    to: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    block: int | None = None
    segment: int | None = None
    overwrite: bool = False


def target_format(job: Job) -> Format:
    """Find the format to be written.

    Raises
    ------
    Failure
        If it is not written, or the name does not tell; the message says what to add.
    """
    if is_url(job.target):
        raise Failure(f"{job.target}: files are written to local disks only")
    if job.to is not None:
        declared = named_format(job.to)
        if not declared.writes:
            raise Failure(f"{declared.label} is read, not written", _written())
        return declared
    ending = Path(job.target).suffix[1:].lower()
    if not ending or Path(job.target).expanduser().is_dir():
        raise Failure(f"{job.target}: the format to write is not told", f"add --to; {_written()}")
    fitting = [each for each in all_formats() if each.writes and ending in each.extensions]
    mains = [each for each in fitting if ending not in each.companions]
    if len(mains) == 1:
        return mains[0]
    if mains:
        names = " or ".join(f"--to {each.name}" for each in mains)
        raise Failure(f"{job.target}: several formats end in .{ending}", f"add {names}")
    if fitting:
        main = Path(job.target).with_suffix(f".{fitting[0].extensions[0]}")
        raise Failure(
            f"{job.target}: .{ending} is only a part of a {fitting[0].label} recording",
            f"name its main file: {main}",
        )
    raise Failure(f"{job.target}: no format that is written ends in .{ending}", _written())


def _written() -> str:
    """Tell what can be written."""
    names = [f"{each.name} (.{each.extensions[0]})" for each in all_formats() if each.writes]
    return f"these are written: {', '.join(names)}"


def write_options(declared: Format, job: Job) -> dict[str, Any]:
    """Check the options of writing.

    Raises
    ------
    Failure
        If one is unknown, or not of its kind.
    """
    try:
        given = with_units(declared.write_options, job.options)
        return declared.option_values(given, writing=True)
    except (TypeError, ValueError) as error:
        hint = f"'ephyrus formats {declared.name}' explains the options"
        raise Failure(f"--write-option: {error}", hint) from error


def planned(
    sources: Sequence[Source], job: Job, declared: Format, *, are_many: bool
) -> list[tuple[Source, Path]]:
    """Give the target file of each source.

    Parameters
    ----------
    sources : sequence of Source
        What is to be converted.
    job : Job
        What was asked for.
    declared : Format
        The format to be written.
    are_many : bool
        Several files, or a folder, were named, so that the target is a folder.

    Raises
    ------
    Failure
        If the target is a file and there are several sources, or two would go to one file.
    """
    target = Path(job.target).expanduser()
    is_folder = target.is_dir() or job.target.endswith(("/", os.sep))
    if not are_many and not is_folder:
        return [(source, target) for source in sources]
    if target.exists() and not is_folder:
        raise Failure(f"{target}: is a file", "several recordings go into a folder")
    if job.to is None:
        raise Failure(
            f"{target}: the format to write is not told",
            f"several recordings go into a folder, with --to NAME; {_written()}",
        )
    plan = [(source, target / _renamed(source, declared)) for source in sources]
    taken: dict[str, Source] = {}
    for source, path in plan:
        other = taken.setdefault(str(path).casefold(), source)
        if other is not source:
            raise Failure(
                f"{other.path} and {source.path} would both be written to {path}",
                "convert them into different folders",
            )
    return plan


def _renamed(source: Source, declared: Format) -> Path:
    ending = f".{declared.extensions[0]}"
    within = Path(source.within)
    if Path(source.path).is_dir():
        return within.with_name(within.name + ending)
    return within.with_suffix(ending)


def check_free(target: Path, declared: Format, files: Sequence[Path], *, overwrite: bool) -> None:
    """Refuse to replace files, above all those that are being read.

    Parameters
    ----------
    target : Path
        The main file to be written.
    declared : Format
        Its format, whose companions are written beside it.
    files : sequence of Path
        Files of the source.
    overwrite : bool
        Others may be replaced.

    Raises
    ------
    Failure
        If something is in the way.
    """
    if target.is_dir():
        raise Failure(f"{target}: is a folder", "name a file in it")
    beside = [target.with_suffix(f".{ending}") for ending in declared.companions]
    # Folders that are made for the target may be followed by "..": look where that will lead.
    there = [path for path in (target, *beside) if path.resolve().exists()]
    for path in there:
        if any(file.exists() and path.resolve().samefile(file) for file in files):
            raise Failure(f"{path}: belongs to the recording that is read", "name another target")
    if there and not overwrite:
        names = ", ".join(map(str, there))
        verb = "is" if len(there) == 1 else "are"
        raise Failure(f"{names} {verb} there already", "--overwrite replaces files")


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Make a folder for the time of a block; if that fails, take new and empty ones away."""
    new = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        for each in new:
            if not any(each.iterdir()):
                each.rmdir()
        raise
