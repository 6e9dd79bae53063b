"""Windows of one array, asked for again and again: only the range of rows is new.

A viewer that scrolls, or a program that walks through a recording, sends the same link with another
range. What does not depend on the range is worked out once and kept for as long as nothing changes
in the catalog; so a window of a thousand samples does not cost more in Python than in reading.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ephyrus.service.arrays.parts import Choice, choose
from ephyrus.service.encoders import encode
from ephyrus.service.routes.answers import Answer
from ephyrus.service.routes.caching import cache_headers, quoted
from ephyrus.service.routes.choices import Wanted, channel_columns, facts_of
from ephyrus.service.routes.entries import Entry, opened

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ephyrus.service.partial.params import DataRequest
    from ephyrus.service.routes.call import Call

__all__ = ["INLINE_BYTES", "PLAIN_FORMATS", "Plans", "disposition"]

INLINE_BYTES = 2 * 2**20  # read from a local file in the event loop: quicker than any thread
PLAIN_FORMATS = frozenset({"hdf5", "npy", "raw"})
_MOST_PLANS = 4096
_LONGEST = 500  # characters of a query or a header that is kept
_LINK = re.compile(rb"start_index=([0-9]{1,15})&end_index=([0-9]{1,15})(&.*)?", re.DOTALL)
_OTHER = ("range", "if-none-match", "if-modified-since", "prefer")


@dataclass(slots=True)
class _Plan:
    """What a link asks for, whatever its range of rows."""

    stamp: Any
    entry: Entry
    format: str
    channels: NDArray[np.intp] | None
    is_scaled: bool
    dtype: np.dtype[Any] | None
    tag: tuple[str, str]  # what the tag depends on, before and behind the range


class Plans:
    """What was worked out for the links that were asked for last."""

    def __init__(self) -> None:
        self._plans: dict[Hashable, _Plan] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, call: Call) -> Plans:
        """Give those of this process."""
        return call.service.part("plans", lambda _: cls())

    def answer(self, call: Call) -> Answer | None:
        """Answer a request in the short way, if it is known; else None."""
        match = _LINK.fullmatch(call.scope["query_string"])
        if match is None or call.is_head:
            return None
        plan = self._plans.get(_key(call, match[3]))
        if plan is None or plan.stamp != call.stamp:
            return None
        entry, start = plan.entry, int(match[1])
        stop = min(int(match[2]), entry.array.shape[0])
        if start >= stop or (stop - start) * entry.row_bytes > INLINE_BYTES:
            return None
        headers = call.headers
        if any(name in headers for name in _OTHER):
            return None
        return _answer(call, plan, start, stop, f"start_index={start}&end_index={int(match[2])}")

    def keep(
        self, call: Call, entry: Entry, request: DataRequest, found: Wanted, name: str
    ) -> None:
        """Remember what a request asked for."""
        match = _LINK.fullmatch(call.scope["query_string"])
        choice = found.choice
        if match is None or choice is None or not _is_plain(request) or name not in PLAIN_FORMATS:
            return
        span = f"start_index={request.start_index}&end_index={request.end_index}"
        before, middle, behind = request.normal.partition(span)
        key = _key(call, match[3])
        if not middle or len(match[3] or b"") > _LONGEST or len(key[-1]) > _LONGEST:
            return
        tag = f"{entry.name} {before}", f"{behind} {name}"
        plan = _Plan(call.stamp, entry, name, choice.channels, choice.is_scaled, choice.dtype, tag)
        with self._lock:
            while len(self._plans) >= _MOST_PLANS:
                self._plans.pop(next(iter(self._plans)))
            self._plans[key] = plan


def _key(call: Call, rest: bytes | None) -> tuple[Any, Any, Any, str]:
    return call.principal, call.path["id"], rest, call.headers.get("accept", "")


def _is_plain(request: DataRequest) -> bool:
    """Tell whether rows are sent as they are stored."""
    unusual = (
        request.downsample, request.compress, request.compression, request.times, request.strict,
        request.samples_count, request.bins, request.window, request.indices,
    )  # fmt: skip
    return all(value is None for value in unusual)


def _answer(call: Call, plan: _Plan, start: int, stop: int, span: str) -> Answer:
    entry = plan.entry
    array = opened(call, entry)
    choice = Choice(start, stop, None, plan.channels, None, "mean", plan.is_scaled, plan.dtype)
    part = choose(array, choice, name=entry.name, attributes=facts_of(entry, choice))
    body = encode(part, plan.format, columns=channel_columns(array, choice))
    tag = quoted(entry.guid, f"{plan.tag[0]}{span}{plan.tag[1]}")
    headers = cache_headers(tag, public=entry.is_public)
    headers["Content-Disposition"] = disposition(entry.name, start, stop, body.extension)
    headers["Accept-Ranges"] = "bytes"
    headers.update(body.headers)
    first, rest = body.pieces()
    return Answer(body=first, rest=rest, media_type=body.media_type, headers=headers, coding=False)


def disposition(name: str, start: int, stop: int, extension: str) -> str:
    """Name the file that an answer may be saved as."""
    return f"attachment; filename={name}-S{start}-E{stop}{extension}"
