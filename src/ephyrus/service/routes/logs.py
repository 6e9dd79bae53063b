"""Logs as JSON, one line per record, and the line about each request."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from ephyrus.service.settings import Settings

__all__ = ["ACCESS", "JsonFormatter", "log_request", "set_up_logs"]

ACCESS = logging.getLogger("ephyrus.service.access")
"""Where requests are logged: one record each, its facts in ``record.request``."""


class JsonFormatter(logging.Formatter):
    """Write a record as one line of JSON: time, level, logger, message and facts of the request."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record."""
        facts: dict[str, Any] = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        request = record.__dict__.get("request")
        if request is not None:
            facts.update(request)
        if record.exc_info:
            facts["error"] = self.formatException(record.exc_info)
        return orjson.dumps(facts, default=str).decode("utf-8")

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        """Write the time of a record: UTC, milliseconds."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{moment}.{int(record.msecs):03d}Z"


def log_request(
    *,
    method: str,
    route: str,
    status: int,
    seconds: float,
    size: int,
    user_id: int | None,
    request_id: str,
) -> None:
    """Log one request. Addresses and headers are left out: they may hold secrets."""
    if not ACCESS.isEnabledFor(logging.INFO):
        return
    facts = {
        "method": method,
        "route": route,
        "status": status,
        "ms": round(seconds * 1000, 3),
        "bytes": size,
        "user": user_id,
        "request_id": request_id,
    }
    # made here: looking for the caller in the stack would cost as much as all the rest
    record = logging.LogRecord(
        ACCESS.name, logging.INFO, __file__, 0, "%s %s %d", (method, route, status), None
    )
    record.request = facts
    ACCESS.handle(record)


def set_up_logs(settings: Settings) -> None:
    """Send the logs of the service to the error stream as the settings say."""
    handler = logging.StreamHandler()
    if settings.log_format == "json":
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    # what the server and the event loop have to say comes in the same form, but only complaints
    for name, least in (("ephyrus", 0), ("uvicorn", logging.WARNING), ("asyncio", logging.WARNING)):
        logger = logging.getLogger(name)
        kept = [each for each in logger.handlers if isinstance(each, logging.NullHandler)]
        logger.handlers[:] = [*kept, handler]
        logger.setLevel(max(level, least))
        logger.propagate = False
