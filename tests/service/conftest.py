"""Databases for the tests of the service: SQLite, and a PostgreSQL server of the run's own."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from ephyrus.service.db.engine import Database
from ephyrus.service.settings import Settings
from tests.service.postgres import account, binaries
from tests.service.processes import PATIENCE, quiet_port

_USER = "ephyrus"


def _start(folder: Path, programs: Path) -> dict[str, str]:
    """Start a server in a folder of its own; tell where it listens."""
    user = account()
    folder.mkdir(mode=0o755)
    if user:
        os.chown(folder, user["user"], user["group"])
    options: dict[str, object] = {**user, "extra_groups": []} if user else {}
    data = folder / "data"
    subprocess.run(
        [programs / "initdb", "-D", data, "-U", _USER, "-A", "trust", "-E", "UTF8", "--no-sync",
         "--locale=C"],
        check=True, capture_output=True, cwd=folder, **options,
    )  # fmt: skip
    port = quiet_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": str(folder),
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "max_connections": "200",
        "shared_buffers": "64MB",
        "autovacuum": "off",  # which comes when it likes
    }
    flags = " ".join(f"-c {name}={value}" for name, value in settings.items())
    subprocess.run(
        [programs / "pg_ctl", "start", "-w", "-t", "110", "-D", data, "-l", folder / "log", "-o",
         flags],
        check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, cwd=folder, **options,
    )  # fmt: skip
    return {"url": f"postgresql+psycopg://{_USER}@127.0.0.1:{port}/postgres"}


def _stop(folder: Path, programs: Path) -> None:
    """Stop the server: it drops its connections."""
    user = account()
    options: dict[str, object] = {**user, "extra_groups": []} if user else {}
    subprocess.run(
        [programs / "pg_ctl", "stop", "-w", "-m", "immediate", "-D", folder / "data"],
        check=True, capture_output=True, cwd=folder, **options,
    )  # fmt: skip


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://")


@pytest.fixture(scope="session")
def postgresql_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a PostgreSQL server of this run's own, shared by all workers of xdist."""
    programs = binaries()
    if programs is None or (os.getuid() == 0 and not account()):
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed, which CI must have")
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    root = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        root = root.parent
    shared = (
        Path(tempfile.gettempdir())
        / f"ephyrus-pg-{uuid.uuid5(uuid.NAMESPACE_URL, str(root)).hex[:12]}"
    )
    state = Path(f"{shared}.json")
    with _Locked(state):
        known = json.loads(state.read_text()) if state.exists() else None
        if known is None:
            shutil.rmtree(shared, ignore_errors=True)
            known = {**_start(shared, programs), "users": 0}
        known["users"] += 1
        state.write_text(json.dumps(known))
    yield str(known["url"])
    with _Locked(state):
        known = json.loads(state.read_text())
        known["users"] -= 1
        state.write_text(json.dumps(known))
        if not known["users"]:
            _stop(shared, programs)
            state.unlink()
            shutil.rmtree(shared, ignore_errors=True)
            Path(f"{state}.lock").unlink()


class _Locked:
    """A lock between the workers of xdist."""

    def __init__(self, path: Path) -> None:
        self._path = Path(f"{path}.lock")

    def __enter__(self) -> None:
        self._file = self._path.open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self._file.close()


@pytest.fixture(scope="session")
def _postgresql_template(postgresql_server: str) -> Iterator[str]:
    """A database with all tables, from which those of the tests are copied."""
    name = f"template_{uuid.uuid4().hex[:12]}"
    url = postgresql_server.rsplit("/", 1)[0] + f"/{name}"
    with psycopg.connect(_plain(postgresql_server), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    database = Database(_patient(url))
    database.upgrade()
    database.close()
    yield name
    with psycopg.connect(_plain(postgresql_server), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def new_postgresql(postgresql_server: str, _postgresql_template: str) -> Callable[[], str]:
    """A function that makes a new database with all tables and gives its address."""

    def make() -> str:
        name = f"test_{uuid.uuid4().hex[:12]}"
        with psycopg.connect(_plain(postgresql_server), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {_postgresql_template}")
        return postgresql_server.rsplit("/", 1)[0] + f"/{name}"

    return make


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with all tables, from which those of the tests are copied."""
    settings = Settings(data_folder=tmp_path_factory.mktemp("sqlite-template"))
    database = Database(settings)
    database.upgrade()
    database.close()
    return settings.data_folder / "catalog.sqlite"


@pytest.fixture(scope="session")
def new_sqlite(
    _sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Path]:
    """A function that makes a new data folder with a database with all tables in it."""

    def make() -> Path:
        folder = tmp_path_factory.mktemp("data")
        shutil.copy(_sqlite_template, folder / "catalog.sqlite")
        return folder

    return make


@pytest.fixture
def postgresql_url(new_postgresql: Callable[[], str]) -> str:
    """Address of a new PostgreSQL database with all tables."""
    return new_postgresql()


def _patient(url: str) -> Settings:
    return Settings(database=url, database_seconds=PATIENCE)


@pytest.fixture
def sqlite_database(new_sqlite: Callable[[], Path]) -> Iterator[Database]:
    """A new embedded database."""
    database = Database(Settings(data_folder=new_sqlite()))
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A new database with all tables: the test runs once on each of both kinds."""
    if request.param == "sqlite":
        settings = Settings(data_folder=request.getfixturevalue("new_sqlite")())
    else:
        settings = _patient(request.getfixturevalue("new_postgresql")())
    database = Database(settings)
    yield database
    database.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def module_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """As `database`, one for all tests of a module."""
    if request.param == "sqlite":
        settings = Settings(data_folder=request.getfixturevalue("new_sqlite")())
    else:
        settings = _patient(request.getfixturevalue("new_postgresql")())
    database = Database(settings)
    yield database
    database.close()
