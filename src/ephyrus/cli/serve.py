"""``ephyrus serve``: recordings over HTTP, where they lie, for one user."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ephyrus._shared.words import counted
from ephyrus.cli import console
from ephyrus.cli.failures import FINE, PROBLEMS, Failure
from ephyrus.cli.inputs import named_format, with_units
from ephyrus.cli.progress import RichProgress
from ephyrus.cli.service.needed import check_installed
from ephyrus.recording.files import is_url

if TYPE_CHECKING:
    from ephyrus.service.inplace.local import LocalService
    from ephyrus.service.inplace.register import Event

__all__ = ["Wanted", "run"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """How recordings are to be served.

    Attributes
    ----------
    host, port : str, int or None
        Where to listen; port None: the usual one, or the next that is free.
    allow_remote : bool
        Others than this machine may ask.
    workers : int
        Processes that answer.
    database : str
        Address of another database than the embedded one.
    data_folder : Path or None
        Where the database and overviews are kept.
    once : bool
        Show one answered request, and stop.
    format : str or None
        Read all files as this format.
    options : mapping
        Options of the format, as typed.
    """

    host: str = "127.0.0.1"
    port: int | None = None
    allow_remote: bool = False
    workers: int = 1
    database: str = ""
    data_folder: Path | None = None
    once: bool = False
    format: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


def run(paths: Sequence[str], wanted: Wanted, *, quiet: bool) -> int:
    """Serve until Ctrl-C; gives the exit code."""
    check_installed("'ephyrus serve'")
    from ephyrus.cli.service.configured import read_settings
    from ephyrus.service.inplace.discover import Scanner
    from ephyrus.service.inplace.local import InUseError, LocalService, folder_of

    _check(paths, wanted)
    read_settings(database=wanted.database)  # tells what is wrong with them
    options = dict(wanted.options)
    if wanted.format is not None:
        options = with_units(named_format(wanted.format).options, options)
    try:
        scanner = Scanner(paths, format=wanted.format, options=options)
    except (TypeError, ValueError) as error:
        hint = f"'ephyrus formats {wanted.format}' explains the options"
        raise Failure(str(error), hint) from error
    told = _Told(quiet=quiet)
    try:
        service = LocalService(
            scanner,
            wanted.data_folder or folder_of(paths),
            host=wanted.host,
            port=wanted.port,
            database=wanted.database,
            workers=wanted.workers,
            tell=told,
        )
        with service:
            told.begin(service, paths, once=wanted.once)
            service.watch()
            return _shown_once(service) if wanted.once else _served(service)
    except InUseError as error:
        raise Failure(str(error)) from error
    finally:
        told.end()


def _check(paths: Sequence[str], wanted: Wanted) -> None:
    """Refuse what cannot be served, and to be seen from elsewhere by mistake."""
    from ephyrus.service.inplace.server import is_loopback

    elsewhere = [path for path in paths if is_url(path)]
    if elsewhere:
        raise Failure(f"{elsewhere[0]}: only local files are served", "copy it to this machine")
    if wanted.options and wanted.format is None:
        raise Failure("--option needs --format", "'ephyrus formats' lists the names")
    if not wanted.allow_remote and not is_loopback(wanted.host):
        raise Failure(
            f"--host {wanted.host}: everyone on the network could reach the recordings there, and "
            "read the token on its way, as nothing is encrypted",
            "add --allow-remote if a proxy with TLS stands in front, or the network is your own",
        )


def _served(service: LocalService) -> int:
    """Answer requests until somebody stops it."""
    service.run()
    console.say("stopped")
    return FINE


def _shown_once(service: LocalService) -> int:
    """Answer one request of our own, show it, and stop."""
    from ephyrus.cli.sample import show_one

    codes: list[int] = []

    def ask() -> None:
        try:
            service.watcher.wait_until_listed(60)
            codes.append(show_one(service.address, service.token))
        finally:
            service.stop()

    asking = threading.Thread(target=ask, name="ephyrus-once", daemon=True)
    asking.start()
    service.run()
    asking.join(60)
    return codes[0] if codes else PROBLEMS


class _Told:
    """Says what is done with recordings."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bar = RichProgress(quiet=quiet)
        self._failed = 0

    def begin(self, service: LocalService, paths: Sequence[str], *, once: bool) -> None:
        """Say where the service is."""
        names = ", ".join(console.plain(path) for path in paths)
        console.say(f"serving {names} at {service.address}")
        console.say(f"token   {service.token}")
        if not once:
            console.say(
                f'try     curl -H "Authorization: Bearer {service.token}" '
                f"{service.address}/electrophysiology/block/"
            )
            console.say("Ctrl-C stops it")
        sys.stdout.flush()  # whoever starts it as a child waits for these lines

    def end(self) -> None:
        """Take the bar away."""
        self._bar.finish()

    def __call__(self, event: Event) -> None:
        """Say what became of a recording (called by the thread that opens them)."""
        _SAID[event.kind](self, event)

    def _found(self, event: Event) -> None:
        self._bar.start(event.objects, "recordings", "opening")

    def _ready(self, event: Event) -> None:
        self._bar.advance(1)
        if event.again:
            self._note(f"{event.name} changed and was read again")

    def _left_out(self, event: Event) -> None:
        self._failed += 1
        self._bar.advance(1)
        console.note("warning", f"{event.name} is left out: {event.message}")

    def _gone(self, event: Event) -> None:
        self._note(f"{event.name} is gone")

    def _listed(self, event: Event) -> None:
        self._bar.finish()
        left_out = f"; {self._failed:,} left out" if self._failed else ""
        self._note(f"{counted(event.objects, 'recording')} served{left_out}")

    def _note(self, text: str) -> None:
        if not self._quiet:
            console.note("info", text)


_SAID = {
    "found": _Told._found,
    "ready": _Told._ready,
    "failed": _Told._left_out,
    "gone": _Told._gone,
    "listed": _Told._listed,
}
