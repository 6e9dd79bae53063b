"""A service in this process for tests over HTTP: users, tokens, objects, arrays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from starlette.testclient import TestClient

from ephyrus.service.accounts import tokens, users
from ephyrus.service.app import Application, create_app
from ephyrus.service.files.canonical import store_array
from ephyrus.service.settings import Settings
from tests.service.processes import PATIENCE

ALL_SCOPES = frozenset({"read", "write", "admin"})


def cheap_settings(folder: Path, **changes: Any) -> Settings:
    """Settings for tests: cheap passwords, no background work, everything in a folder."""
    values: dict[str, Any] = {
        "data_folder": folder,
        "password_time_cost": 1,
        "password_memory_kib": 8,
        "password_parallelism": 1,
        "password_min_length": 4,
        "worker_threads": 0,
        "request_threads": 4,
        "database_seconds": PATIENCE,
        "events_life": 0.05,
        "events_interval": 0.02,
        "allowed_hosts": ("testserver",),
    }
    return Settings(**{**values, **changes})


class User:
    """Somebody who asks: a client that sends one user's token, or none."""

    def __init__(self, site: Site, name: str = "", token: str = "") -> None:
        self.site = site
        self.name = name
        self.token = token
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        """Send a request."""
        headers = {**self.headers, **options.pop("headers", {})}
        return self.site.http.request(
            method, path, headers=headers, follow_redirects=False, **options
        )

    def get(self, path: str, params: Any = None, **options: Any) -> httpx2.Response:
        """GET."""
        return self.request("GET", path, params=params, **options)

    def post(self, path: str, document: Any = None, **options: Any) -> httpx2.Response:
        """POST a JSON document."""
        if document is not None:
            options["content"] = json.dumps(document)
        return self.request("POST", path, **options)

    def delete(self, path: str, **options: Any) -> httpx2.Response:
        """DELETE."""
        return self.request("DELETE", path, **options)

    def one(self, path: str, **params: Any) -> dict[str, Any]:
        """GET one object."""
        answer = self.get(path, params)
        assert answer.status_code == 200, answer.text
        (item,) = answer.json()["selected"]
        return item

    def make(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Create an object (``kind`` with its category); the new object."""
        answer = self.post(f"/{kind}/", fields)
        assert answer.status_code == 201, answer.text
        (item,) = answer.json()["selected"]
        return item

    def array(self, values: np.ndarray, *, name: str = "array", **fields: Any) -> int:
        """Put an array into the store and the catalog; the id of its datafile."""
        return self.site.put_array(self.name, values, name=name, **fields)


class Site:
    """A service and its users.

    Parameters
    ----------
    folder : Path
        Where everything lies.
    database : str
        Address of the database; empty: SQLite.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.settings = cheap_settings(folder, **settings)
        self.app: Application = create_app(self.settings)
        self.http = TestClient(self.app, base_url="http://testserver")
        self.anonymous = User(self)
        self.ids: dict[str, int] = {}

    def __enter__(self) -> Site:
        self.http.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.http.__exit__(*error)

    @property
    def database(self) -> Any:
        """The catalog."""
        return self.app.service.database

    def user(
        self, name: str, *, is_admin: bool = False, scopes: frozenset[str] = ALL_SCOPES
    ) -> User:
        """Make a user (once) and a token."""
        with self.database.writing() as conn:
            if name not in self.ids:
                self.ids[name] = users.create(conn, name, is_admin=is_admin).id
            text, _ = tokens.issue(conn, self.ids[name], "test", scopes)
        return User(self, name, text)

    def put_array(
        self, owner: str, values: np.ndarray, *, name: str = "array", **fields: Any
    ) -> int:
        """Put an array into the store and the catalog, as an upload does."""
        from ephyrus.service.catalog import bulk

        info = store_array(self.app.service.store, values)
        row: Mapping[str, Any] = info.row
        with self.database.writing() as conn:
            keys = bulk.insert_tree(
                conn,
                self.ids[owner],
                [
                    bulk.NewObject(
                        type="datafile",
                        key="it",
                        attributes={"name": name, **fields},
                        array=row,
                        facts={"file_type": 5, "size": info.size, "content": info.digest},
                    )
                ],
            )
        return keys["it"]


@contextmanager
def site_on(
    request: pytest.FixtureRequest, folders: pytest.TempPathFactory, **settings: Any
) -> Iterator[Site]:
    """Run a service on the kind of database that the parameter of a fixture names."""
    if request.param == "postgresql":
        settings["database"] = request.getfixturevalue("new_postgresql")()
    with Site(folders.mktemp("site"), **settings) as made:
        yield made


__all__ = ["Site", "User", "cheap_settings", "site_on"]
