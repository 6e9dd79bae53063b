"""``ephyrus service``: the surface of the commands; each imports its module when run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ephyrus.cli.params import examples
from ephyrus.cli.service.tokens import tokens_app
from ephyrus.cli.service.users import users_app

__all__ = ["app"]


QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress bar and no remarks; errors are shown.")
]

app = typer.Typer(
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "ephyrus service init                      database and first administrator",
        "ephyrus service run                       answer requests",
        "ephyrus service import archive/           put recordings into it",
        "ephyrus service backup monday.tar         all of it in one file",
        "ephyrus service check                     is everything there?",
        "",
        "Which service: --settings FILE, or EPHYRUS_SERVICE_DATABASE, EPHYRUS_SERVICE_DATA_FOLDER",
        "and the like. 'ephyrus serve FOLDER' needs none of this.",
    ),
)


@app.callback()
def _service(
    ctx: typer.Context,
    settings: Annotated[
        Path | None,
        typer.Option(
            "--settings",
            metavar="FILE",
            help="Settings of the service (TOML; default: the environment).",
            show_default=False,
        ),
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            "--database",
            metavar="ADDRESS",
            help="The database: postgresql+psycopg://... (default: SQLite in the data folder).",
            show_default=False,
        ),
    ] = None,
    data_folder: Annotated[
        Path | None,
        typer.Option(
            "--data-folder",
            metavar="FOLDER",
            help="Where arrays and the embedded database are.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run a data service for a laboratory: make it, fill it, back it up, check it."""
    from ephyrus.cli.service.needed import check_installed

    if not {"-h", "--help"} & set(sys.argv):
        check_installed("'ephyrus service'")
    given = {
        "EPHYRUS_SERVICE_SETTINGS": settings,
        "EPHYRUS_SERVICE_DATABASE": database,
        "EPHYRUS_SERVICE_DATA_FOLDER": data_folder,
    }
    before = {name: os.environ.get(name) for name in given}

    def restore() -> None:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value

    ctx.call_on_close(restore)
    for name, value in given.items():
        if value is not None:
            path = value.expanduser().absolute() if isinstance(value, Path) else value
            os.environ[name] = str(path)


@app.command(
    epilog=examples(
        "ephyrus service init",
        "ephyrus service init --admin ada",
        "ephyrus service --data-folder /srv/ephyrus init --admin ada --stdin < secret",
    )
)
def init(
    admin: Annotated[
        str | None,
        typer.Option(
            "--admin",
            metavar="NAME",
            help="Name of the first administrator (default: it is asked for).",
            show_default=False,
        ),
    ] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help="Read the password from standard input.")
    ] = False,
) -> int:
    """Make the database of a service, and its first administrator."""
    from ephyrus.cli.service.make import init as run

    return run(admin, stdin=stdin)


@app.command(
    epilog=examples(
        "ephyrus service run",
        "ephyrus service run --workers 4 --port 8000   behind a proxy with TLS",
    )
)
def run(
    host: Annotated[
        str | None, typer.Option("--host", help="Address to listen at.", show_default=False)
    ] = None,
    port: Annotated[
        int | None,
        typer.Option("--port", min=0, max=65_535, help="Port to listen at.", show_default=False),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", "-w", min=1, max=256, help="Processes that answer.")
    ] = 1,
) -> int:
    """Answer requests until Ctrl-C or SIGTERM; requests under way are answered first."""
    from ephyrus.cli.service.make import run as serve

    return serve(host=host, port=port, workers=workers)


@app.command(
    "import",
    epilog=examples(
        "ephyrus service import recording.abf --owner ada",
        "ephyrus service import -r archive/ --owner ada --safety-level 2",
        "ephyrus service import --link /data/archive --owner ada    without a copy",
    ),
)
def import_(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE", help="Recordings: files, or folders of them.", show_default=False
        ),
    ],
    owner: Annotated[str, typer.Option("--owner", "-o", metavar="NAME", help="Whose they are.")],
    safety_level: Annotated[
        int,
        typer.Option(
            "--safety-level", min=1, max=3, help="Who reads them: 1 everybody, 2 friends, 3 nobody."
        ),
    ] = 3,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Look into folders within folders too.")
    ] = False,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            metavar="NAME",
            help="Read as this format (default: found by content).",
            show_default=False,
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option",
            "-O",
            metavar="NAME=VALUE",
            help="An option of the format. May be repeated.",
            show_default=False,
        ),
    ] = None,
    link: Annotated[
        bool,
        typer.Option(
            "--link",
            help="Show the files where they lie, without a copy; their objects cannot be changed.",
        ),
    ] = False,
    quiet: QuietOption = False,
) -> int:
    """Copy recordings into the service, as objects with arrays of its own.

    The files themselves are not changed, and not needed afterwards (unless --link is given: then
    every process of the service must find them under the same path). Each recording is put into the
    database as a whole, or not at all.
    """
    from ephyrus.cli.params import assignments
    from ephyrus.cli.service.fill import run as fill

    options = assignments(option, "--option")
    return fill(
        files,
        owner=owner,
        safety_level=safety_level,
        recursive=recursive,
        format=format,
        options=options,
        link=link,
        quiet=quiet,
    )


@app.command(epilog=examples("ephyrus service unlink recording.abf"))
def unlink(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE", help="Recordings put in with 'import --link'.", show_default=False
        ),
    ],
) -> int:
    """Show recordings no more that lie outside of the service; their files stay as they are."""
    from ephyrus.cli.service.fill import unlink as run_unlink

    return run_unlink(files)


@app.command(
    epilog=examples(
        "ephyrus service backup monday.tar",
        "ephyrus service backup monday.tar.gz",
        "ephyrus service backup - | ssh vault 'cat > monday.tar'",
    )
)
def backup(
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="The backup (.tar, .tar.gz), or - for standard output.",
            show_default=False,
        ),
    ],
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there already.")
    ] = False,
    quiet: QuietOption = False,
) -> int:
    """Write everything into one file: database and arrays, as they are at one moment.

    The service may go on meanwhile. The file is the same for SQLite and PostgreSQL, and for folders
    and object stores: a backup of one is restored into the other.
    """
    from ephyrus.cli.service.keep import backup as run_backup

    return run_backup(target, overwrite=overwrite, quiet=quiet)


@app.command(
    epilog=examples(
        "ephyrus service restore monday.tar",
        "ephyrus service --data-folder /srv/new restore monday.tar",
    )
)
def restore(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="A backup, or - for standard input.", show_default=False
        ),
    ],
    quiet: QuietOption = False,
) -> int:
    """Read a backup into an empty service; one that holds anything is refused."""
    from ephyrus.cli.service.keep import restore as run_restore

    return run_restore(source, quiet=quiet)


@app.command(
    epilog=examples(
        "ephyrus service check",
        "ephyrus service check --digests           read every byte too",
        "",
        "Exit codes: 0 all is well; 1 something is wrong; 2 it could not be looked at.",
    )
)
def check(
    digests: Annotated[
        bool, typer.Option("--digests", help="Read all arrays and compare their checksums.")
    ] = False,
    remove_orphans: Annotated[
        bool,
        typer.Option("--remove-orphans", help="Remove stored files that nothing refers to."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")] = False,
) -> int:
    """Compare the database with the stored arrays: what is missing, short, or left over."""
    from ephyrus.cli.service.keep import check as run_check

    return run_check(digests=digests, remove_orphans=remove_orphans, as_json=as_json)


app.add_typer(users_app, name="user")
app.add_typer(tokens_app, name="token")
