"""``ephyrus plot``: a picture of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from ephyrus._shared.extras import optional_module
from ephyrus.cli import console
from ephyrus.cli.channels import chosen_channels
from ephyrus.cli.failures import Failure, Tally
from ephyrus.cli.inputs import How, open_source, recording_files, remarks
from ephyrus.cli.progress import RichProgress
from ephyrus.cli.targets import made_folder
from ephyrus.errors import FormatError
from ephyrus.export.files import beside
from ephyrus.recording import Progress, Recording, SignalStream

__all__ = ["Picture", "run"]


@dataclass(frozen=True, slots=True)
class Picture:
    """What is to be drawn.

    Attributes
    ----------
    path : Path
        The picture.
    t_start, t_stop : float or None
        Window in seconds.
    channels : tuple of str
        Names or positions; empty: all.
    width : int
        Pixels.
    height : int or None
        Pixels; None: as the recording needs.
    """

    path: Path
    t_start: float | None
    t_stop: float | None
    channels: tuple[str, ...]
    width: int
    height: int | None


def run(path: str, how: How, picture: Picture, *, quiet: bool) -> int:
    """Draw a recording; gives the exit code."""
    ending = _ending(picture.path)
    tally = Tally(salvage=how.salvage)
    with (
        RichProgress(quiet=quiet) as progress,
        tally.attempt(path),
        open_source(path, how, progress) as recording,
    ):
        remarks(recording, quiet=quiet)
        _check_free(picture.path, recording)
        figure = _drawn(recording, picture, progress)
        _save(figure, picture, ending)
        if not quiet:
            columns, rows = (round(inches * figure.dpi) for inches in figure.get_size_inches())
            size = f"  {columns:,} × {rows:,} pixels"
            name = console.plain(picture.path)
            console.say(Text.assemble((name, "green"), (size, "dim")))
    return tally.code


def _ending(path: Path) -> str:
    """Give the kind of picture that a name tells.

    Raises
    ------
    Failure
        If there is no such kind.
    MissingExtraError
        If matplotlib is not installed.
    """
    backends = optional_module("matplotlib.backend_bases", "plot", "ephyrus plot")
    kinds = sorted(backends.FigureCanvasBase.get_supported_filetypes())
    ending = path.suffix[1:].lower()
    if ending not in kinds:
        what = f"ends in .{ending}, which is no kind of picture" if ending else "has no name ending"
        raise Failure(f"{path}: {what}", f"give one of these: {', '.join(kinds)}")
    return ending


def _check_free(path: Path, recording: Recording) -> None:
    """Refuse to replace the recording by its picture."""
    place = path.expanduser().resolve()  # also where a folder that will be made is left by ".."
    if place.is_dir():
        raise Failure(f"{path}: is a folder", f"name a picture in it: {path / 'look.png'}")
    if place.exists() and any(place.samefile(file) for file in recording_files(recording)):
        raise Failure(f"{path}: belongs to the recording that is drawn", "name another picture")


def _drawn(recording: Recording, picture: Picture, progress: Progress) -> Any:
    """Draw what was asked for, at the size that was asked for."""
    selection: dict[str, Any] = {}
    if picture.channels:
        streams, names = _selected(recording, picture.channels)
        selection = {"streams": [*streams, *recording.tables], "channels": names}
    try:
        figure = recording.plot(
            t_start=picture.t_start,
            t_stop=picture.t_stop,
            width=picture.width,
            progress=progress,
            **selection,
        )
    except FormatError:
        raise
    except (ValueError, IndexError, KeyError) as error:
        reason = error.args[0] if error.args else error  # str() of a KeyError is quoted
        raise Failure(f"{recording.path}: {reason}") from error
    width, height = figure.get_size_inches()
    figure.set_dpi(picture.width / width)
    if picture.height is not None:
        height = picture.height / figure.dpi
    figure.set_size_inches(width, height)
    return figure


def _selected(
    recording: Recording, wanted: tuple[str, ...]
) -> tuple[list[SignalStream], list[str]]:
    """Give the signals in question, and the channels by name (by id where names are not unique)."""
    chosen = chosen_channels(recording.signals, wanted, recording.path)
    streams, names = [], []
    for stream, positions in zip(recording.signals, chosen, strict=True):
        if not positions:
            continue
        streams.append(stream)
        for position in positions:
            name = stream.channels.names[position]
            is_unique = stream.channels.names.count(name) == 1
            names.append(name if is_unique else stream.channels.ids[position])
    return streams, list(dict.fromkeys(names))


def _save(figure: Any, picture: Picture, ending: str) -> None:
    """Write the picture beside its place first."""
    path = picture.path.expanduser()
    with made_folder(path.parent), beside(path) as (part,):
        figure.savefig(part, format=ending, dpi=figure.dpi)
