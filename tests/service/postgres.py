"""PostgreSQL for tests: where it is, as whom it runs, and a server that may be killed."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.service.processes import PATIENCE, below, eventually, is_alive, quiet_port

__all__ = ["PostgresServer", "account", "binaries", "postgres_server"]


def binaries() -> Path | None:
    """Find the programs of PostgreSQL; None: it is not installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    folders += [Path(found).resolve().parent] if found else []
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def account() -> dict[str, int]:
    """Tell which user the server runs as: PostgreSQL refuses to run as root."""
    for name in ("postgres", "nobody") if os.getuid() == 0 else ():
        with contextlib.suppress(KeyError):
            found = pwd.getpwnam(name)
            return {"user": found.pw_uid, "group": found.pw_gid}
    return {}


class PostgresServer:
    """A PostgreSQL server that may be killed.

    Parameters
    ----------
    folder : Path
        Its place, which does not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        found = binaries()
        user = account()
        if found is None or (os.getuid() == 0 and not user):
            pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
        self._programs, self._folder = found, folder
        self._options: dict[str, Any] = {**user, "extra_groups": []} if user else {}
        folder.mkdir(mode=0o755)
        if user:
            os.chown(folder, user["user"], user["group"])
        subprocess.run(
            [found / "initdb", "-D", folder / "data", "-U", "ephyrus", "-A", "trust",
             "--no-sync", "--locale=C", "-E", "UTF8"],
            check=True, capture_output=True, cwd=folder, **self._options,
        )  # fmt: skip
        self.port = quiet_port()
        self.address = f"postgresql+psycopg://ephyrus@127.0.0.1:{self.port}/postgres"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self._folder,
            "shared_buffers": "32MB",
            # what is committed has been handed to the system, which is not what is killed
            "synchronous_commit": "on",
            "fsync": "off",
        }
        flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._folder / "data", *flags],
                stdout=log, stderr=log, cwd=self._folder, start_new_session=True, **self._options,
            )  # fmt: skip
        eventually(self._answers, what="PostgreSQL answers", pause=0.05)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.address.replace("+psycopg", ""), connect_timeout=10).close()
        except psycopg.OperationalError:
            return False
        return True

    def kill(self) -> None:
        """End it and all its processes at once, in the middle of what they do."""
        if self._process is not None:
            everything = below(self._process.pid)
            for pid in (self._process.pid, *everything):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._process.wait(PATIENCE)
            eventually(lambda: not any(map(is_alive, everything)), what="its processes end")
            self._process = None


@contextlib.contextmanager
def postgres_server(folder: Path) -> Iterator[PostgresServer]:
    """Run a PostgreSQL server until the end of the block, and remove its folder."""
    made = PostgresServer(folder)
    try:
        made.start()
        yield made
    finally:
        made.kill()
        shutil.rmtree(folder, ignore_errors=True)
