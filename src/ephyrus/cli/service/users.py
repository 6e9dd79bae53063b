"""``ephyrus service user``: the surface of the commands; each imports its module when run."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["users_app"]

users_app = typer.Typer(
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

_NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="User name.", show_default=False)
]
_StdinOption = Annotated[
    bool,
    typer.Option(
        "--stdin", help="Read the password from the first line of standard input, without asking."
    ),
]


@users_app.callback()
def _user() -> None:
    """Make and change the users of a service.

    Passwords are asked for, or read from standard input; they are never arguments, which other
    users of the machine can see.
    """


@users_app.command()
def add(
    name: _NameArgument,
    full_name: Annotated[str, typer.Option("--full-name", help="Full name.")] = "",
    email: Annotated[str, typer.Option("--email", help="E-mail address.")] = "",
    admin: Annotated[bool, typer.Option("--admin", help="Make an administrator.")] = False,
    no_password: Annotated[
        bool,
        typer.Option("--no-password", help="No login by password (tokens, OpenID Connect)."),
    ] = False,
    stdin: _StdinOption = False,
) -> int:
    """Make a user."""
    from ephyrus.cli.service.accounts import add_user

    return add_user(
        name, full_name=full_name, email=email, is_admin=admin, ask=not no_password, stdin=stdin
    )


@users_app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON, for programs.")] = False,
) -> int:
    """List the users."""
    from ephyrus.cli.service.accounts import list_users

    return list_users(as_json=as_json)


@users_app.command()
def password(name: _NameArgument, stdin: _StdinOption = False) -> int:
    """Give a user a new password; all sessions of the user end, failed logins are forgotten."""
    from ephyrus.cli.service.accounts import set_password

    return set_password(name, stdin=stdin)


@users_app.command()
def deactivate(name: _NameArgument) -> int:
    """Let a user in no more: sessions and tokens end; the user's objects stay."""
    from ephyrus.cli.service.accounts import change_user

    return change_user(name, is_active=False)


@users_app.command()
def activate(name: _NameArgument) -> int:
    """Let a user in again who was deactivated."""
    from ephyrus.cli.service.accounts import change_user

    return change_user(name, is_active=True)


@users_app.command()
def admin(
    name: _NameArgument,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take the administrator's rights away.")
    ] = False,
) -> int:
    """Make a user an administrator."""
    from ephyrus.cli.service.accounts import change_user

    return change_user(name, is_admin=not remove)


@users_app.command()
def unlock(name: _NameArgument) -> int:
    """Forget the failed logins of a user, so that the next attempt is let through."""
    from ephyrus.cli.service.accounts import unlock_user

    return unlock_user(name)


@users_app.command()
def link(
    name: _NameArgument,
    subject: Annotated[
        str,
        typer.Argument(
            metavar="SUBJECT", help="Who the user is at the provider.", show_default=False
        ),
    ],
) -> int:
    """Let a user log in through the OpenID Connect provider of the settings."""
    from ephyrus.cli.service.accounts import link_user

    return link_user(name, subject)
