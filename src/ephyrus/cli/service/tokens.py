"""``ephyrus service token``: the surface of the commands; each imports its module when run."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["tokens_app"]

tokens_app = typer.Typer(
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@tokens_app.callback()
def _token() -> None:
    """Make and revoke bearer tokens for programs."""


@tokens_app.command()
def add(
    user: Annotated[str, typer.Argument(metavar="USER", help="Whose.", show_default=False)],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What it is for.", show_default=False)
    ],
    scope: Annotated[
        str,
        typer.Option(
            "--scope",
            "-s",
            metavar="read|write|admin",
            help="What it may do; write includes read, admin includes both.",
        ),
    ] = "read",
    days: Annotated[
        float | None,
        typer.Option("--days", min=0, help="Days that it lives.", show_default="no end"),
    ] = None,
) -> int:
    """Make a token; it is written to standard output, once."""
    from ephyrus.cli.service.accounts import add_token

    return add_token(user, name, scope=scope, days=days)


@tokens_app.command("list")
def list_(
    user: Annotated[
        str | None,
        typer.Argument(metavar="[USER]", help="Whose (default: all).", show_default=False),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")] = False,
) -> int:
    """List tokens; their secrets are not kept and cannot be shown."""
    from ephyrus.cli.service.accounts import list_tokens

    return list_tokens(user, as_json=as_json)


@tokens_app.command()
def revoke(
    token: Annotated[
        int, typer.Argument(metavar="ID", help="Its id, of the list.", show_default=False)
    ],
) -> int:
    """Revoke a token; sessions that were begun with it end."""
    from ephyrus.cli.service.accounts import revoke_token

    return revoke_token(token)
