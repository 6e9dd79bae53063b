"""``ns-convert``: what Neuroshare libraries read, as NIX, plain HDF5, or a native file."""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path
from typing import Annotated

import typer

from ephyrus.cli import console
from ephyrus.cli.console import prepare_streams
from ephyrus.cli.failures import FINE, Failure
from ephyrus.cli.program import Ending, _show_warning
from ephyrus.cli.progress import RichProgress

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class EntityLines(RichProgress):
    """Progress that also says which entity is written, a line each."""

    def __init__(self, *, quiet: bool) -> None:
        super().__init__(quiet=quiet)
        self._is_quiet = quiet

    def start(self, total: int | None, unit: str, label: str) -> None:
        """Begin an entity."""
        super().start(total, unit, label)
        if not self._is_quiet:
            console.say(console.plain(label))


@app.command()
def convert(
    source: Annotated[str, typer.Argument(metavar="INPUT", help="The recording.")],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            metavar="OUT",
            help="The file to be made; one that ends in .nsn is a Neuroshare native file.",
        ),
    ] = None,
    hdf5: Annotated[bool, typer.Option("--hdf5", help="Plain HDF5 instead of NIX.")] = False,
    library: Annotated[
        str | None,
        typer.Option("--library", help="Name or path of the vendor's library that reads it."),
    ] = None,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but errors.")] = False,
) -> int:
    """Convert a recording that a Neuroshare library, or ephyrus itself, reads.

    The result is a NIX file with the name of the recording and the ending .h5; see -o and --hdf5.
    """
    from ephyrus.neuroshare.converting import convert as converted

    if hdf5 and output is not None and Path(output).suffix.lower() == ".nsn":
        raise Failure(f"{output}: --hdf5 makes no .nsn file", "leave --hdf5 out")
    began = time.monotonic()
    with EntityLines(quiet=quiet) as progress:
        target, losses = converted(
            source, output, "hdf5" if hdf5 else None, library=library, progress=progress
        )
    for loss in losses:
        console.note("note", f"{target}: {loss}")
    if not quiet:
        console.say(console.plain(f"{target} written in {time.monotonic() - began:.1f} s"))
    return FINE


def main() -> int:
    """Run ``ns-convert`` with the arguments of the process; the entry point of the script.

    Returns
    -------
    int
        The exit code.
    """
    prepare_streams()
    warnings.showwarning = _show_warning
    ending = Ending()
    with ending:
        result = typer.main.get_command(app).main(prog_name="ns-convert", standalone_mode=False)
        sys.stdout.flush()
        ending.code = result if isinstance(result, int) else FINE
    return ending.code
