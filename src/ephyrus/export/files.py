"""Write beside and rename: a failure leaves the old files whole."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["beside"]

_LONGEST = 255 - 14  # bytes of a name that leave room for the mark


@contextmanager
def beside(*targets: Path) -> Iterator[tuple[Path, ...]]:
    """Give a temporary path beside each target; rename them all at the end, in the given order.

    Parameters
    ----------
    *targets : Path
        Files to be made. The one that makes the set valid (a header) goes last.

    Yields
    ------
    tuple of Path
        Where to write; files not written are not renamed. If the block fails, they are removed and
        the targets stay as they were.
    """
    mark = f".part-{secrets.token_hex(4)}"
    parts = tuple(
        target.with_name((f"{number}" if _is_long(target.name) else target.name) + mark)
        for number, target in enumerate(targets)
    )
    try:
        yield parts
        for part in parts:
            _flush(part)
        for part, target in zip(parts, targets, strict=True):
            if part.exists():
                part.replace(target)
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _is_long(name: str) -> bool:
    """Tell whether a name and the mark together are more than file systems take."""
    return len(os.fsencode(name)) > _LONGEST


def _flush(path: Path) -> None:
    """Bring a file's bytes to the disk before it takes the place of another."""
    if path.exists():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
