"""``ephyrus nix``: the surface of the commands for NIX files; each imports its module when run."""

from __future__ import annotations

from typing import Annotated

import typer

from ephyrus.cli.params import examples

__all__ = ["app"]


FileArgument = Annotated[
    str,
    typer.Argument(
        metavar="FILE", help="A NIX file (.nix, .h5), or its address.", show_default=False
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")]

app = typer.Typer(
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "ephyrus nix tree session.nix              what is in the file, with sizes",
        "ephyrus nix metadata session.nix          its sections and properties",
        "ephyrus nix validate *.nix                do they keep the rules of NIX?",
        "ephyrus nix diff before.nix after.nix     what changed?",
        "",
        "'ephyrus info', 'plot' and 'convert' work on NIX files like on any other.",
    ),
)


@app.callback()
def _nix() -> None:
    """Look into NIX files: entities, metadata, rules, differences; and bring old ones up to date.

    A NIX file holds blocks of data arrays, tags and sources, and a tree of metadata.
    """


@app.command(
    epilog=examples(
        "ephyrus nix tree session.nix",
        "ephyrus nix tree --depth 2 session.nix    blocks and how much is in them",
        "ephyrus nix tree --json session.nix       for programs",
    )
)
def tree(
    file: FileArgument,
    depth: Annotated[
        int | None,
        typer.Option(
            "--depth", "-d", min=1, help="Levels to show (default: all).", show_default=False
        ),
    ] = None,
    as_json: JsonOption = False,
) -> int:
    """Show blocks, groups, data arrays, tags, sources and sections, with shapes and sizes."""
    from ephyrus.cli.nix.show import tree as run

    return run(file, depth=depth, as_json=as_json)


@app.command(
    epilog=examples(
        "ephyrus nix dump session.nix",
        "ephyrus nix dump -n 100 session.nix       more values of each array",
    )
)
def dump(
    file: FileArgument,
    values: Annotated[
        int, typer.Option("--values", "-n", min=0, help="Values to show of each array.")
    ] = 10,
    as_json: JsonOption = False,
) -> int:
    """Show everything that is set: attributes, dimensions, references, properties, first values."""
    from ephyrus.cli.nix.show import dump as run

    return run(file, values=values, as_json=as_json)


@app.command(
    epilog=examples(
        "ephyrus nix validate session.nix",
        "ephyrus nix validate --errors *.nix       no warnings",
        "",
        "Exit codes: 0 fine; 1 a file breaks a rule; 2 nothing could be read.",
    )
)
def validate(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="NIX files.", show_default=False)
    ],
    errors: Annotated[
        bool, typer.Option("--errors", help="Show errors only, no warnings.")
    ] = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="Warnings count for the exit code too.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Check files against the rules of NIX: units, dimensions, references, positions, ids."""
    from ephyrus.cli.nix.check import validate as run

    return run(files, errors_only=errors, strict=strict, as_json=as_json)


@app.command(
    epilog=examples(
        "ephyrus nix upgrade old.nix",
        "",
        "A copy is changed and takes the place of the file when it is complete.",
    )
)
def upgrade(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE...", help="NIX files.", show_default=False)
    ],
) -> int:
    """Bring files of versions 1.0.0 to 1.2.0 to the one written today; ids and times stay."""
    from ephyrus.cli.nix.check import upgrade as run

    return run(files)


@app.command(
    epilog=examples(
        "ephyrus nix diff before.nix after.nix",
        "ephyrus nix diff --ids copy.nix original.nix   compare ids and times too",
        "",
        "Exit codes: 0 equal; 1 different; 2 one cannot be read.",
    )
)
def diff(
    first: Annotated[str, typer.Argument(metavar="FIRST", help="A NIX file.", show_default=False)],
    second: Annotated[
        str, typer.Argument(metavar="SECOND", help="Another one.", show_default=False)
    ],
    ids: Annotated[
        bool, typer.Option("--ids", help="Compare ids and times of creation too.")
    ] = False,
    as_json: JsonOption = False,
) -> int:
    """Tell what is in one file only, and what differs: attributes, metadata and every value."""
    from ephyrus.cli.nix.compare import run

    return run(first, second, with_ids=ids, as_json=as_json)


@app.command(
    epilog=examples(
        "ephyrus nix metadata session.nix",
        "ephyrus nix metadata --yaml session.nix > session.yaml",
        "ephyrus nix metadata --section amplifier session.nix",
    )
)
def metadata(
    file: FileArgument,
    section: Annotated[
        str | None,
        typer.Option(
            "--section",
            "-s",
            metavar="NAME",
            help="Only sections of this name or type.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="Write YAML.")] = False,
) -> int:
    """Print sections and properties with units, as text, JSON or YAML."""
    from ephyrus.cli.nix.meta import run

    return run(file, section=section, as_json=as_json, as_yaml=as_yaml)
