"""``ephyrus service init`` and ``ephyrus service run``."""

from __future__ import annotations

import sys
from typing import Any

import typer

from ephyrus._shared.extras import optional_module
from ephyrus.cli import console
from ephyrus.cli.failures import FINE, Failure
from ephyrus.cli.service.accounts import add_user
from ephyrus.cli.service.configured import read_settings
from ephyrus.cli.service.keep import opened
from ephyrus.service.accounts import users
from ephyrus.service.app import create_app
from ephyrus.service.inplace.server import Server, address_of, environment_of, listening
from ephyrus.service.routes.logs import set_up_logs

__all__ = ["init", "run"]


def init(admin: str | None, *, stdin: bool) -> int:
    """Make a database and its first administrator; gives the exit code."""
    with opened() as (database, store), database.reading() as connection:
        store.check()
        there = [user.name for user in users.listing(connection) if user.is_admin]
        address = database.engine.url.render_as_string()
    if there:
        raise Failure(
            f"{address} has an administrator already: {', '.join(there)}",
            "'ephyrus service user add --admin NAME' makes another one",
        )
    if admin is None:
        if stdin or not sys.stdin.isatty():
            raise Failure("the name of the administrator is missing", "add --admin NAME")
        admin = str(typer.prompt("Name of the first administrator", err=True))
    add_user(admin, full_name="", email="", is_admin=True, ask=True, stdin=stdin)
    console.say(f"database {address}")
    console.say("'ephyrus service run' answers requests")
    return FINE


def run(*, host: str | None, port: int | None, workers: int) -> int:
    """Answer requests until somebody stops it; gives the exit code."""
    given = {"host": host, "port": port}
    values: dict[str, Any] = {name: each for name, each in given.items() if each is not None}
    settings = read_settings(**values)
    if settings.oidc_issuer:  # told now, not to the first one who logs in
        for package in ("httpx2", "joserfc"):
            optional_module(package, "oidc", "Login through a provider")
    set_up_logs(settings)
    with listening(settings.host, settings.port) as listener:
        with opened():  # brings the tables up to date once, and tells what is wrong
            pass
        console.say(f"serving at {address_of(listener)}; Ctrl-C stops it")
        sys.stdout.flush()  # whoever starts it as a child waits for this line
        app = create_app(settings) if workers == 1 else None
        server = Server(
            listener,
            app,
            workers=workers,
            environment=environment_of(values),
            stop_seconds=settings.stop_seconds,
        )
        server.run()
    return FINE
