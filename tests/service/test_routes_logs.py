"""Logs of the service: one form for all that is said."""

from __future__ import annotations

import json
import logging

from ephyrus.service.routes.logs import set_up_logs
from tests.service.support import cheap_settings


def test_complaints_of_the_server_are_lines_of_json_too(capsys, tmp_path):
    loggers = [logging.getLogger(name) for name in ("ephyrus", "uvicorn", "asyncio")]
    before = [(each.handlers[:], each.level, each.propagate) for each in loggers]
    try:
        set_up_logs(cheap_settings(tmp_path))
        for name in ("uvicorn.error", "asyncio", "ephyrus.service"):
            logging.getLogger(name).warning("about %s", name)
        logging.getLogger("uvicorn.error").info("hello")  # is not said
    finally:
        for each, (handlers, level, propagates) in zip(loggers, before, strict=True):
            each.handlers[:], each.propagate = handlers, propagates
            each.setLevel(level)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    expected = ["about uvicorn.error", "about asyncio", "about ephyrus.service"]
    assert [line["message"] for line in lines] == expected
