"""The surface of ``ephyrus serve`` and ``ephyrus worker``; each imports its module when run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ephyrus.cli.params import FormatOption, OptionOption, QuietOption, assignments, examples

__all__ = ["SERVE_EXAMPLES", "WORKER_EXAMPLES", "serve", "worker"]

SERVE_EXAMPLES = examples(
    "ephyrus serve recordings/                 all recordings below a folder",
    "ephyrus serve session.vhdr day2/ --port 8000",
    "ephyrus serve raw.bin -f rawbinarysignal -O nb_channel=64 -O sampling_rate=30kHz",
    "",
    "The files stay where they are and are not changed. 'ephyrus service --help' tells of a",
    "service with users of its own.",
)
WORKER_EXAMPLES = examples(
    "ephyrus worker                            until Ctrl-C",
    "ephyrus worker --once                     what waits now, for a timer",
    "ephyrus worker --threads 4                four at the same time",
    "ephyrus worker --dask tcp://head:8786     hand the work to a cluster",
    "",
    "Which service: EPHYRUS_SERVICE_DATABASE, EPHYRUS_SERVICE_DATA_FOLDER and the like, as for",
    "'ephyrus service'. Any number of workers may run, on any machines that reach the database",
    "and the store of arrays.",
)


def serve(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="Recordings: files, or folders with everything below them.",
            show_default=False,
        ),
    ],
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            min=0,
            max=65_535,
            help="Port (default: 8420, or the next that is free; 0: any).",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen at.", metavar="ADDRESS")
    ] = "127.0.0.1",
    allow_remote: Annotated[
        bool,
        typer.Option("--allow-remote", help="Others than this machine may ask (see --host)."),
    ] = False,
    workers: Annotated[
        int, typer.Option("--workers", "-w", min=1, max=256, help="Processes that answer.")
    ] = 1,
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            metavar="ADDRESS",
            help="Another database than the embedded one (postgresql+psycopg://...).",
            show_default=False,
        ),
    ] = None,
    data_folder: Annotated[
        Path | None,
        typer.Option(
            "--data-folder",
            metavar="FOLDER",
            help="Where the list of objects and overviews are kept (default: the user's own data "
            "folder, a part for each set of FILEs).",
            show_default=False,
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Show one request and its answer, and stop.")
    ] = False,
    format: FormatOption = None,
    option: OptionOption = None,
    quiet: QuietOption = False,
) -> int:
    """Show recordings to programs over HTTP, where they lie: objects, and any window of any signal.

    The address and a token are printed at the start; recordings appear as they are opened, and what
    changes on disk is noticed. Nobody else can reach the service, unless you say so.
    """
    from ephyrus.cli.serve import Wanted, run

    wanted = Wanted(
        host,
        port,
        allow_remote,
        workers,
        database or "",
        data_folder,
        once,
        format,
        assignments(option, "--option"),
    )
    return run(files, wanted, quiet=quiet)


def worker(
    once: Annotated[bool, typer.Option("--once", help="Do what waits now, and stop.")] = False,
    threads: Annotated[
        int, typer.Option("--threads", "-t", min=1, max=256, help="Jobs at the same time.")
    ] = 1,
    dask: Annotated[
        str | None,
        typer.Option(
            "--dask",
            metavar="ADDRESS",
            help="Scheduler of a Dask cluster that jobs are handed to.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Do the background jobs of a data service: conversions, archives, overviews.

    A worker may be stopped or killed at any time: what it was doing is done by another one, and
    nothing is ever half done.
    """
    from ephyrus.cli.worker import run

    return run(once=once, threads=threads, dask=dask)
