"""How connections to PostgreSQL are set up: limits of time, and what notices that they are lost."""

from __future__ import annotations

import math
import time
from typing import Any

import psycopg
from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError

from ephyrus.service.db.pulse import AttendedConnection, Pulse
from ephyrus.service.settings import Settings

__all__ = ["make_engine"]

_USED = "ephyrus_used"
_IDLE_SECONDS = 0.2


def make_engine(url: URL, settings: Settings) -> tuple[Engine, Pulse]:
    """Make an engine for a server, and what tells whether that hangs.

    Parameters
    ----------
    url : URL
        Where the server is.
    settings : Settings
        Limits of time.

    Returns
    -------
    Engine
        Its connections wait for the server as long as that is alive.
    Pulse
        Of the server.
    """
    limits = {
        "statement_timeout": round(settings.query_seconds * 1000),
        "lock_timeout": round(settings.lock_seconds * 1000),
        "idle_in_transaction_session_timeout": 600_000,
        "timezone": "UTC",
        "jit": "off",  # queries are short
    }
    engine = create_engine(
        url.set(drivername="postgresql+psycopg"),
        pool_size=8,
        max_overflow=24,
        pool_timeout=settings.lock_seconds,
        connect_args={
            "options": " ".join(f"-c {name}={value}" for name, value in limits.items()),
            # a server that is out of reach is noticed after some seconds, not after hours
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        },
    )
    _check_idle(engine)
    return engine, _attend(engine, settings)


def _attend(engine: Engine, settings: Settings) -> Pulse:
    """Have connections made that do not wait for ever for a server that hangs."""
    address: dict[str, Any] = {}  # as the first connection was asked for

    def knock(seconds: int) -> psycopg.Connection[Any]:
        return psycopg.connect(**{**address, "connect_timeout": seconds})

    pulse = Pulse(knock, settings.database_seconds)
    most = settings.query_seconds + settings.lock_seconds + settings.database_seconds

    def connect(_dialect: Any, _record: Any, _positional: Any, named: dict[str, Any]) -> Any:
        pulse.require()
        address.update(named)
        try:
            made = AttendedConnection.connect(**{"connect_timeout": pulse.patience, **named})
        except psycopg.errors.ConnectionTimeout:
            pulse.stop()
            raise
        made.pulse, made.most = pulse, most
        return made

    event.listen(engine, "do_connect", connect)
    return pulse


def _check_idle(engine: Engine) -> None:
    """Try connections that were not used for a moment before they are used again.

    A server that was restarted has closed them. The question costs as much as a small query, so it
    is not asked of connections that are in use all the time.
    """

    def checkin(_connection: object, record: Any) -> None:
        record.info[_USED] = time.monotonic()

    def checkout(connection: Any, record: Any, _proxy: object) -> None:
        if time.monotonic() - record.info.get(_USED, math.inf) < _IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error

    event.listen(engine, "checkin", checkin)
    event.listen(engine, "checkout", checkout)
