"""Pages deep in a list, found from where an earlier page ended.

A database finds the object at an offset by walking through all before it. Who reads a list page by
page, or jumps forward in it, has been near before: the walk begins there.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ephyrus.service.catalog.query import ListQuery
    from ephyrus.service.catalog.records import Page
    from ephyrus.service.routes.loading import Loader

__all__ = ["from_nearest_end", "keep_end"]

_MOST_ENDS = 256  # of one list
_LONGEST = 256  # characters of a cursor that is kept
_BYTES = _MOST_ENDS * (_LONGEST + 150)

End = tuple[int, str]
"""Offset behind the last object of a page, and the cursor that continues there."""


def from_nearest_end(loader: Loader, key: Hashable, stamp: Any, query: ListQuery) -> ListQuery:
    """Let a query begin at the nearest known end of a page before its offset.

    Parameters
    ----------
    loader : Loader
        Keeps the ends.
    key : hashable
        The list: who asks, for what, in which order.
    stamp : object
        State of the catalog.
    query : ListQuery
        What is asked for.

    Returns
    -------
    ListQuery
        A query for the same objects.
    """
    if not query.offset or query.cursor is not None or query.groups_of is not None:
        return query
    ends: list[End] = list(loader.known(key, stamp) or ())  # others may add to it
    place = bisect_right(ends, query.offset, key=_offset) - 1
    if place < 0:
        return query
    offset, cursor = ends[place]
    return replace(query, offset=query.offset - offset, cursor=cursor)


def keep_end(loader: Loader, key: Hashable, stamp: Any, page: Page) -> None:
    """Remember where a page ends, which has its offset from the beginning of the list."""
    if page.next_cursor is None or len(page.next_cursor) > _LONGEST:
        return
    ends: list[End] | None = loader.known(key, stamp)
    if ends is None:
        ends = []
        loader.keep(key, stamp, ends, size=_BYTES)
    end = page.offset + len(page.records)
    place = bisect_right(ends, end, key=_offset)
    if place and ends[place - 1][0] == end:
        return
    if len(ends) >= _MOST_ENDS:
        del ends[::2]
    insort(ends, (end, page.next_cursor))


def _offset(end: End) -> int:
    return end[0]
