"""A backup that is restored where the clock is behind that of the service which wrote it."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from ephyrus.service.accounts import users
from ephyrus.service.catalog import writing
from ephyrus.service.db.schema import CHANGE
from ephyrus.service.files.store import FolderStore
from ephyrus.service.principals import Principal
from ephyrus.service.upkeep.backup import write_backup
from ephyrus.service.upkeep.restore import read_backup

ALL = frozenset({"read", "write"})
AHEAD = timedelta(days=2)


def test_what_is_written_after_a_restore_is_later(database, sqlite_database, tmp_path):
    ahead = datetime.now(UTC).replace(tzinfo=None) + AHEAD
    with sqlite_database.writing() as connection:
        passed = (ahead - datetime(1970, 1, 1)) // timedelta(microseconds=1)
        connection.execute(update(CHANGE).values(last_at=passed))
    with sqlite_database.writing() as connection:
        ada = Principal(users.create(connection, "ada").id, scopes=ALL)
        old = writing.create(connection, ada, "block", {"name": "old"})
    assert old.created > ahead
    target = io.BytesIO()
    write_backup(sqlite_database, FolderStore(tmp_path / "here"), target)
    target.seek(0)
    read_backup(database, FolderStore(tmp_path / "there"), target)
    with database.writing() as connection:
        new = writing.create(connection, ada, "block", {"name": "new"})
    assert new.created > old.modified
