"""Accounts for tests: cheap passwords, and one user."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete
from starlette.testclient import TestClient

from ephyrus.service.accounts import tables, users
from ephyrus.service.accounts.login import Logins
from ephyrus.service.accounts.passwords import Passwords
from ephyrus.service.app import create_app
from ephyrus.service.db.schema import METADATA
from ephyrus.service.settings import Settings

PASSWORD = "correct horse"
HOME, AWAY = "192.0.2.1", "198.51.100.1"


def emptied(database):
    """Empty the tables of accounts: quicker than a new database."""
    names = [getattr(tables, name) for name in tables.__all__ if name.isupper()]
    with database.writing() as conn:
        for table in sorted(names, key=lambda table: table in {tables.USER, tables.GROUP}):
            conn.execute(delete(table))
    return database


def emptied_of_all(database):
    """Empty all tables, those of objects too."""
    with database.writing() as conn:
        for table in reversed(METADATA.sorted_tables):
            if table.name not in {"change", "meta"}:
                conn.execute(delete(table))
    return database


def cheap(database, **changes):
    """Settings of a database with cheap passwords."""
    values = {
        "data_folder": database.settings.data_folder,
        "database": database.settings.database,
        "password_time_cost": 1,
        "password_memory_kib": 8,
        "password_parallelism": 1,
        "password_min_length": 4,
    }
    return Settings(**{**values, **changes})


def entry(database, **changes):
    """Make what lets users in, and the user bob."""
    made = Logins(database, cheap(database, **changes))
    stored = made.passwords.hash(PASSWORD, name="bob")
    with database.writing() as conn:
        if users.find(conn, "bob") is None:
            users.create(conn, "Bob", password_hash=stored)
    return made


class Clock:
    """Time that a test moves, for all modules of accounts."""

    def __init__(self, monkeypatch):
        self.now = 1_700_000_000.0
        monkeypatch.setattr("ephyrus.service.accounts.limits.time.time", lambda: self.now)
        for name in ("sessions", "authentication", "login", "tokens"):
            monkeypatch.setattr(f"ephyrus.service.accounts.{name}.utc_now", self.moment)

    def moment(self):
        """Give the time as the database keeps it."""
        return datetime(1970, 1, 1, tzinfo=UTC).replace(tzinfo=None) + timedelta(seconds=self.now)

    def wait(self, seconds):
        """Let time pass."""
        self.now += seconds


class Lab:
    """A service with the users bob and ada (an administrator), and browsers."""

    def __init__(self, database, **changes):
        self.database = database
        self.settings = cheap(database, worker_threads=0, request_threads=4, **changes)
        self.app = create_app(self.settings, database=database)
        stored = Passwords(self.settings).hash(PASSWORD)
        with database.writing() as conn:
            self.bob = users.create(conn, "bob", password_hash=stored, full_name="Bob B.").id
            self.ada = users.create(conn, "ada", password_hash=stored, is_admin=True).id

    def __enter__(self):
        self.main = TestClient(self.app, base_url="http://localhost")
        self.main.__enter__()
        return self

    def __exit__(self, *error):
        self.main.__exit__(*error)

    def browser(self, *, base_url="http://localhost"):
        """Give a client with cookies of its own."""
        client = TestClient(self.app, base_url=base_url, follow_redirects=False)
        client.portal = self.main.portal  # the one event loop of the service
        return client

    def logged_in(self, name="bob"):
        client = self.browser()
        answer = client.post(
            "/account/authenticate/", data={"username": name, "password": PASSWORD}
        )
        assert answer.status_code == 200, answer.text
        return client

    def token(self, name, *scopes):
        """Give a client that sends a token with these scopes."""
        body = {"name": "t", "scopes": list(scopes)}
        text = self.logged_in(name).post("/account/tokens/", json=body).json()["token"]
        client = self.browser()
        client.headers["Authorization"] = f"Bearer {text}"
        return client


def outcome(answer):
    return answer.status_code, answer.json()["message_type"]
