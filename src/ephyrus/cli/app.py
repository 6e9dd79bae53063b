"""The surface of the command line: commands, options and help.

Nothing heavy is imported here; each command imports its module when it runs.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ephyrus.cli.nix import app as nix_commands
from ephyrus.cli.params import (
    AccessMode,
    AccessOption,
    ChannelsOption,
    FilesArgument,
    FormatOption,
    JsonOption,
    OptionOption,
    QuietOption,
    RecursiveOption,
    SalvageOption,
    a_time,
    assignments,
    channel_list,
    complete_format,
    complete_written,
    examples,
)
from ephyrus.cli.program import Commands
from ephyrus.cli.service import app as service_commands
from ephyrus.cli.serving import SERVE_EXAMPLES, WORKER_EXAMPLES, serve, worker

if TYPE_CHECKING:
    from ephyrus.cli.inputs import How

__all__ = ["app"]


app = typer.Typer(
    name="ephyrus",
    cls=Commands,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "ephyrus info recording.abf                what is in a recording",
        "ephyrus head recording.vhdr -c Cz         its first values",
        "ephyrus check -r archive/                 are all files whole?",
        "ephyrus convert recording.abf out.vhdr    keep it in another format",
        "ephyrus plot recording.abf -o look.png    a picture of it",
        "",
        "Exit codes: 0 fine; 1 problems were found, or some files failed;",
        "2 wrong usage, or nothing could be read.",
        "'ephyrus COMMAND --help' shows more examples.",
    ),
)


def _show_version(*, wanted: bool) -> None:
    if wanted:
        from ephyrus._version import __version__

        typer.echo(f"ephyrus {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _program(
    ctx: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and exit.",
            is_eager=True,
            callback=lambda value: _show_version(wanted=value),
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", envvar="EPHYRUS_DEBUG", help="Show tracebacks and what is done on the way."
        ),
    ] = False,
) -> None:
    """Open any electrophysiology recording: look at it, check it, convert it, draw it."""
    logger = logging.getLogger("ephyrus")
    handler = logging.StreamHandler() if debug else logging.NullHandler()
    handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if debug else level)

    def restore() -> None:
        logger.removeHandler(handler)
        logger.setLevel(level)

    ctx.call_on_close(restore)
    if ctx.invoked_subcommand is None:
        typer.echo(ctx.get_help())


def _how(format: str | None, option: list[str] | None, access: AccessMode, *, salvage: bool) -> How:
    from ephyrus.cli.inputs import How

    return How(format, assignments(option, "--option"), salvage, access.value)


@app.command(
    epilog=examples(
        "ephyrus identify recording.dat",
        "ephyrus identify -r archive/              every recording below a folder",
        "ephyrus identify --json *.dat             for programs",
    )
)
def identify(
    files: FilesArgument, recursive: RecursiveOption = False, as_json: JsonOption = False
) -> int:
    """Tell which format recordings are of, by their content and then by their name."""
    from ephyrus.cli.identify import run

    return run(files, recursive=recursive, as_json=as_json)


@app.command(
    epilog=examples(
        "ephyrus info recording.abf",
        "ephyrus info session.vhdr day2/           several recordings, one after the other",
        "ephyrus info raw.bin -f rawbinarysignal -O nb_channel=64 -O sampling_rate=30kHz",
        "ephyrus info recording.abf --json | jq '.[0].duration'",
    )
)
def info(
    files: FilesArgument,
    recursive: RecursiveOption = False,
    format: FormatOption = None,
    option: OptionOption = None,
    salvage: SalvageOption = False,
    access: AccessOption = AccessMode.mmap,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Show what is in recordings: signals, spikes, events, segments, annotations, problems.

    Only headers are read (and, where a format demands it, the packets are walked once), so that
    large recordings are as quick as small ones.
    """
    from ephyrus.cli.info import run

    how = _how(format, option, access, salvage=salvage)
    return run(files, how, recursive=recursive, as_json=as_json, quiet=quiet)


@app.command(
    epilog=examples(
        "ephyrus head recording.abf                the first ten samples of every signal",
        "ephyrus head eeg.vhdr -c Fp1,Cz -n 20     two channels, twenty samples",
        "ephyrus head cell.abf --start 1.5         from 1.5 s on",
        "ephyrus head sweeps.abf --segment 3       the fourth sweep (counted from 0)",
    )
)
def head(
    files: FilesArgument,
    samples: Annotated[
        int, typer.Option("--samples", "-n", min=0, help="How many samples, spikes, events.")
    ] = 10,
    channels: ChannelsOption = None,
    start: Annotated[
        float | None,
        typer.Option(
            "--start", help="From this time on, in seconds.", show_default=False, callback=a_time
        ),
    ] = None,
    segment: Annotated[
        int | None,
        typer.Option(
            "--segment", min=0, help="Of this segment (sweep), counted from 0.", show_default=False
        ),
    ] = None,
    recursive: RecursiveOption = False,
    format: FormatOption = None,
    option: OptionOption = None,
    salvage: SalvageOption = False,
    access: AccessOption = AccessMode.mmap,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Show the first values of signals, spikes and events, in physical units."""
    from ephyrus.cli.head import Wanted, run

    how = _how(format, option, access, salvage=salvage)
    wanted = Wanted(samples, tuple(channel_list(channels)), start, segment)
    return run(files, how, wanted, recursive=recursive, as_json=as_json, quiet=quiet)


@app.command(
    epilog=examples(
        "ephyrus check recording.abf",
        "ephyrus check -r archive/ && echo all whole",
        "ephyrus check --json *.vhdr > report.json",
    )
)
def check(
    files: FilesArgument,
    recursive: RecursiveOption = False,
    format: FormatOption = None,
    option: OptionOption = None,
    salvage: SalvageOption = False,
    access: AccessOption = AccessMode.pread,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> int:
    """Read every byte of recordings and report whatever is wrong with them.

    Every check of the header is made, every packet is walked, all data are read (in little memory).
    Of a folder, files are named too that are called like recordings, and are empty or not such.
    Exit code 0: all files are whole; 1: problems were found; 2: nothing could be read.
    """
    from ephyrus.cli.check import run

    how = _how(format, option, access, salvage=salvage)
    return run(files, how, recursive=recursive, as_json=as_json, quiet=quiet)


@app.command(
    epilog=examples(
        "ephyrus convert recording.abf recording.vhdr",
        "ephyrus convert *.abf converted/ --to brainvision",
        "ephyrus convert -r archive/ converted/ --to brainvision     keeps the folders",
        "ephyrus convert sweeps.abf third.txt --to asciisignal --segment 2",
        "ephyrus convert eeg.vhdr eeg.raw -W dtype=int16 -W signal_gain=0.1",
    )
)
def convert(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE", help="Recordings: files, folders, addresses.", show_default=False
        ),
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="A file (its ending tells the format), or a folder for several.",
            show_default=False,
        ),
    ],
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            "-t",
            metavar="NAME",
            help="Write this format (default: by the ending of TARGET).",
            autocompletion=complete_written,
            show_default=False,
        ),
    ] = None,
    segment: Annotated[
        int | None,
        typer.Option(
            "--segment",
            min=0,
            help="Only this segment (sweep) of the block, counted from 0.",
            show_default=False,
        ),
    ] = None,
    block: Annotated[
        int | None,
        typer.Option("--block", min=0, help="Only this block, counted from 0.", show_default=False),
    ] = None,
    write_option: Annotated[
        list[str] | None,
        typer.Option(
            "--write-option",
            "-W",
            metavar="NAME=VALUE",
            help="An option of writing; 'ephyrus formats NAME' lists them. May be repeated.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there already.")
    ] = False,
    recursive: RecursiveOption = False,
    format: FormatOption = None,
    option: OptionOption = None,
    salvage: SalvageOption = False,
    access: AccessOption = AccessMode.pread,
    quiet: QuietOption = False,
) -> int:
    """Write recordings in another format, of any size, in little memory.

    What the target format cannot hold is said in a line each. A file is complete or not there:
    it is written under another name first, also when Ctrl-C stops the work.
    """
    from ephyrus.cli.convert import Job, run

    how = _how(format, option, access, salvage=salvage)
    options = assignments(write_option, "--write-option")
    job = Job(target, to, options, block, segment, overwrite)
    return run(files, how, job, recursive=recursive, quiet=quiet)


@app.command(
    epilog=examples(
        "ephyrus plot recording.abf -o look.png",
        "ephyrus plot eeg.vhdr -o cz.pdf -c Cz --t-start 10 --t-stop 20",
    )
)
def plot(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A recording.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="PICTURE",
            help="The picture to write (or to replace); its ending tells the kind: png, pdf, svg.",
            show_default=False,
        ),
    ],
    t_start: Annotated[
        float | None,
        typer.Option(
            "--t-start", help="From this time, in seconds.", show_default=False, callback=a_time
        ),
    ] = None,
    t_stop: Annotated[
        float | None,
        typer.Option(
            "--t-stop", help="To this time, in seconds.", show_default=False, callback=a_time
        ),
    ] = None,
    channels: ChannelsOption = None,
    width: Annotated[
        int, typer.Option("--width", min=200, max=20_000, help="Width in pixels.")
    ] = 1600,
    height: Annotated[
        int | None,
        typer.Option(
            "--height",
            min=150,
            max=20_000,
            help="Height in pixels (default: as the recording needs).",
            show_default=False,
        ),
    ] = None,
    format: FormatOption = None,
    option: OptionOption = None,
    salvage: SalvageOption = False,
    access: AccessOption = AccessMode.mmap,
    quiet: QuietOption = False,
) -> int:
    """Draw an overview: signals as envelopes, spikes as rasters, events as lines."""
    from ephyrus.cli.plot import Picture, run

    how = _how(format, option, access, salvage=salvage)
    picture = Picture(output, t_start, t_stop, tuple(channel_list(channels)), width, height)
    return run(file, how, picture, quiet=quiet)


@app.command(
    epilog=examples(
        "ephyrus formats                           all of them",
        "ephyrus formats axon                      one of them, with its options",
    )
)
def formats(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[NAME]",
            help="A format, or its IO class (axon, AxonIO).",
            autocompletion=complete_format,
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """List the formats that are read and written, or explain one of them."""
    from ephyrus.cli.formats import run

    return run(name, as_json=as_json)


app.command(epilog=SERVE_EXAMPLES)(serve)
app.command(epilog=WORKER_EXAMPLES)(worker)
app.add_typer(nix_commands, name="nix")
app.add_typer(service_commands, name="service")
