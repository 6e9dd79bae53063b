"""Bringing the tables to their present form, by alembic."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Connection, inspect, select, text

from ephyrus.service.db.migrations import HEAD
from ephyrus.service.db.schema import META
from ephyrus.service.errors import ServiceError

if TYPE_CHECKING:
    from ephyrus.service.db.engine import Database

__all__ = ["upgrade"]

_FORMAT = "1"
_LOCK = 0x6570687972  # key of PostgreSQL's advisory lock: "ephyr"


def upgrade(database: Database) -> None:
    """Bring the tables to their present form, while no other process does the same.

    Parameters
    ----------
    database : Database
        Database, empty or of an earlier version.

    Raises
    ------
    ServiceError
        ``unavailable``: the database was made by a newer version, or with another style of ids.
    """
    with database.engine.connect() as plain:
        connection = plain.execution_options(ephyrus_write=True)
        with connection.begin():
            if not database.is_sqlite:
                cast(Any, plain.connection.driver_connection).most = math.inf
                plain.detach()  # from the pool: nobody else has its patience
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            if _revision(connection) != HEAD:
                _run(connection)
            _check_meta(connection, database.settings.id_style)


def _revision(connection: Connection) -> str | None:
    """Find the form of the tables; None: there are none."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _run(connection: Connection) -> None:
    """Run the steps that are missing."""
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    present = _revision(connection)
    if present is not None and present not in known:
        raise ServiceError(
            "unavailable",
            f"The database has form {present}, which this version of ephyrus does not know "
            f"(its own is {HEAD}); install the newer version that made the database.",
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _check_meta(connection: Connection, id_style: str) -> None:
    """Write down what is fixed when a database is made, or compare it."""
    wanted = {"format": _FORMAT, "id_style": id_style}
    found = dict(connection.execute(select(META.c.key, META.c.value)).all())
    missing = [{"key": key, "value": value} for key, value in wanted.items() if key not in found]
    if missing:
        connection.execute(META.insert(), missing)
        found |= {row["key"]: row["value"] for row in missing}
    if found["id_style"] != id_style:
        raise ServiceError(
            "unavailable",
            f"The database was made with ids of style {found['id_style']!r} and is opened with "
            f"{id_style!r}; set id_style={found['id_style']!r}.",
        )
    if found["format"] != _FORMAT:
        raise ServiceError(
            "unavailable",
            f"The database has content of format {found['format']}, this version of ephyrus "
            f"reads {_FORMAT}; install the version that made the database.",
        )
