"""One user's service over folders: database, token, server, and the thread that watches."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from ephyrus.service.accounts import tokens, users
from ephyrus.service.app import create_app
from ephyrus.service.db.engine import Database
from ephyrus.service.files.store import open_store
from ephyrus.service.inplace.catalog import recordings
from ephyrus.service.inplace.discover import Scanner
from ephyrus.service.inplace.overviews import UNFINISHED
from ephyrus.service.inplace.register import Event
from ephyrus.service.inplace.server import Server, address_of, environment_of, listening
from ephyrus.service.inplace.serving import INTERVAL, FolderService
from ephyrus.service.settings import Settings

if TYPE_CHECKING:
    import socket

__all__ = ["InUseError", "LocalService", "folder_of"]

USERNAME = "local"
LOCK = "serving.lock"
START_TOKEN = "ephyrus serve"  # noqa: S105 - the name of such tokens


class InUseError(RuntimeError):
    """The folders are served already, or the database is another's; the message says which."""


def folder_of(paths: Sequence[str]) -> Path:
    """Give the folder for what is kept of these paths: each set of paths has one of its own."""
    real = sorted({os.path.realpath(Path(path).expanduser()) for path in paths})
    digest = hashlib.sha256("\0".join(real).encode("utf-8", "surrogateescape")).hexdigest()
    return platformdirs.user_data_path("ephyrus", appauthor=False) / "served" / digest[:20]


class LocalService:
    """Serves folders to one user.

    Parameters
    ----------
    scanner : Scanner
        What is served.
    folder : Path
        Where the database and the levels are kept.
    host, port : str, int
        Where to listen; port None: the usual one, or one of the next if that is taken.
    database : str
        Address of another database; empty: SQLite in `folder`.
    workers : int
        Processes that answer.
    tell : callable
        Is told what is done with recordings, from another thread.
    interval : float
        Seconds between looking at the disk.

    Attributes
    ----------
    address : str
        Where it is, once it has been entered.
    token : str
        Bearer token of the one user, likewise.
    watcher : FolderService
        The thread that keeps the catalog in step.
    """

    def __init__(
        self,
        scanner: Scanner,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        database: str = "",
        workers: int = 1,
        tell: Callable[[Event], None] = lambda event: None,
        interval: float = INTERVAL,
    ) -> None:
        self.address = self.token = ""
        self.watcher: FolderService
        self.database: Database
        self._scanner, self._folder, self._workers = scanner, folder, workers
        self._host, self._port, self._tell, self._interval = host, port, tell, interval
        self._values: dict[str, Any] = {
            "data_folder": folder,
            "host": host,
            # those of the environment are of another service, with users
            "database": database,
            "array_store": "",
            "anonymous_read": False,
            "log_format": "text",
            "log_level": "warning",
        }
        self._stack = contextlib.ExitStack()
        self._server: Server

    def __enter__(self) -> LocalService:
        with contextlib.ExitStack() as stack:
            self._set_up(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def _set_up(self, stack: contextlib.ExitStack) -> None:
        """Take the folder and the port, and open the database."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = stack.enter_context(_locked(self._folder / LOCK))
        listener = self._listening()
        stack.callback(listener.close)
        self.address = address_of(listener)
        lock(self.address)
        settings = Settings(**self._values, port=listener.getsockname()[1])
        self.database = Database(settings)
        stack.callback(self.database.close)
        self.database.upgrade()
        self._check_own()
        self._tidy()
        self.token = tokens.issue_start_token(self.database, settings, username=USERNAME)
        stack.callback(tokens.revoke_start_token, self.database, self.token)
        with self.database.reading() as connection:
            owner = users.find(connection, USERNAME)
        assert owner is not None  # noqa: S101 - made with the token
        pool = recordings(self.database)
        stack.callback(pool.close)
        self.watcher = FolderService(
            self.database,
            open_store(settings),
            self._scanner,
            pool,
            owner.id,
            self._folder,
            tell=self._tell,
            interval=self._interval,
        )
        app = create_app(settings, database=self.database, recordings=pool)
        self._server = Server(
            listener,
            app,
            workers=self._workers,
            environment=environment_of({**self._values, "port": settings.port}),
            stop_seconds=settings.stop_seconds,
        )
        stack.callback(self.watcher.stop)

    def _check_own(self) -> None:
        """Refuse the database of a service with users: its objects would not be theirs any more."""
        with self.database.reading() as connection:
            others = [user.name for user in users.listing(connection) if user.name != USERNAME]
        if others:
            raise InUseError(
                f"the database belongs to a service with {len(others)} users; recordings that are "
                "served where they lie need a database of their own"
            )

    def _tidy(self) -> None:
        """Take away what a process left that was killed: its token, and half-made files."""
        with self.database.writing() as connection:
            for token in tokens.listing(connection):
                if token.name == START_TOKEN:
                    tokens.revoke(connection, token.id)
        for place in self._folder.glob(f"{UNFINISHED}*"):
            shutil.rmtree(place, ignore_errors=True)

    def _listening(self) -> socket.socket:
        if self._port is not None:
            return listening(self._host, self._port)
        usual = int(Settings.model_fields["port"].default)
        return listening(self._host, usual, others=True)

    def watch(self) -> None:
        """Begin to open recordings and to watch the disk, in the background."""
        self.watcher.start()

    def run(self) -> None:
        """Answer requests until `stop`, Ctrl-C or SIGTERM."""
        self._server.run()

    def stop(self) -> None:
        """End `run`, from any thread."""
        self._server.stop()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[Callable[[str], None]]:
    """Hold a file that only one process can hold; what is given writes into it."""
    with path.open("a+") as file:
        if os.name == "posix":
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                place = file.read(200).strip() or "by a process that is starting"
                raise InUseError(f"these files are served already: {place}") from error

        def write(text: str) -> None:
            file.seek(0)
            file.truncate()
            file.write(text)
            file.flush()

        yield write
        write("")
