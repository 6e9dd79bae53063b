"""The handler that shows warnings where the user has set up no logging."""

from __future__ import annotations

import logging

__all__ = ["attach_handler", "logging_handler"]

logging_handler = logging.StreamHandler()
logging_handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))


def attach_handler() -> None:
    """Attach :data:`logging_handler` to the logger "ephyrus" unless the user set up logging.

    Called by the first class or function that logs, so that a handler which the user adds between
    import and use is respected.
    """
    logger = logging.getLogger("ephyrus")
    if not logger.handlers and not logging.getLogger().handlers:
        logger.addHandler(logging_handler)
