"""What a list request asks for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from ephyrus.service.catalog.values import end_of_second
from ephyrus.service.errors import ServiceError
from ephyrus.service.partial.params import OBJECT_NAMES

__all__ = ["LONGEST_CURSOR", "MOST_RESULTS", "OTHER_PARAMETERS", "ListQuery", "parse_at_time"]

MOST_RESULTS = 1000
"""Most objects of one page."""

LONGEST_CURSOR = 8000
"""Most characters of a cursor."""

DEFAULT_RESULTS = 100
_MOST_OFFSET = 2**62
_MOST_FILTERS = 100
_MOST_SELECTIONS = 5

OTHER_PARAMETERS: frozenset[str] = OBJECT_NAMES | {
    "q",
    "show_kids",
    "fields",
    "cascade",
    "bulk_update",
    "mode",
    "m2m_append",
    "force",
    "notify",
    "compress",
    "prefer",
}
"""Parameters of a request that are not about the selection."""

_MANY = re.compile(r"\^\d*")


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What a list request asks for.

    Attributes
    ----------
    filters : tuple of (str, str)
        Names of filters, with prefixes and lookups, and their values.
    order_by : tuple of str
        Fields; a ``-`` before one turns its order.
    offset, max_results : int
        The part of the selection that is wanted.
    cursor : str or None
        Where the page before ended, in place of an offset.
    search : str
        Words that must all occur.
    at_time : datetime or None
        Show the state at a time, in UTC.
    groups_of : int or None
        Take so many objects, pass over `spacing` others, and so on.
    spacing : int
        See there.
    count : bool
        The size of the selection is wanted.
    selections : tuple of str
        Ids of saved selections; only what is in all of them is wanted.
    """

    filters: tuple[tuple[str, str], ...] = ()
    order_by: tuple[str, ...] = ()
    offset: int = 0
    max_results: int = DEFAULT_RESULTS
    cursor: str | None = None
    search: str = ""
    at_time: datetime | None = None
    groups_of: int | None = None
    spacing: int = 0
    count: bool = False
    selections: tuple[str, ...] = ()

    @property
    def selects(self) -> bool:
        """Something narrows the selection; what was saved must have been put in before."""
        return bool(self.filters or self.search.strip())

    def within(self, saved: ListQuery) -> ListQuery:
        """Select only what another query selects too; its order holds where there is none.

        Raises
        ------
        ServiceError
            ``wrong_params``: there are too many filters.
        """
        _check_count(len(self.filters) + len(saved.filters))
        return replace(
            self,
            filters=(*saved.filters, *self.filters),
            search=f"{saved.search} {self.search}".strip(),
            order_by=self.order_by or saved.order_by,
        )

    @classmethod
    def parse(cls, pairs: Iterable[tuple[str, str]]) -> ListQuery:
        """Read the parameters of a request.

        Parameters
        ----------
        pairs : iterable of (str, str)
            All parameters as sent; those that are not about the selection are passed over.

        Returns
        -------
        ListQuery
            Fields and lookups of filters are checked when it runs.

        Raises
        ------
        ServiceError
            ``wrong_params``: a parameter is repeated, or its value cannot be read.
        """
        values: dict[str, Any] = {}
        collected = _Collected()
        selections: list[str] = []
        for key, text in pairs:
            _check_text(key, text)
            name = _SYNONYMS.get(key, key)
            if name in _READ:
                if name in values:
                    raise _wrong(key, "is given twice")
                values[name] = _READ[name](key, text)
            elif key == "selection":
                selections.append(text)
            elif key not in OTHER_PARAMETERS:
                collected.add(key, text)
        if "cursor" in values and values.get("offset"):
            raise _wrong("offset", "cannot be combined with cursor")
        if len(selections) > _MOST_SELECTIONS:
            raise _wrong("selection", f"is given more than {_MOST_SELECTIONS} times")
        return cls(filters=collected.filters(), selections=tuple(selections), **values)


@dataclass(slots=True)
class _Collected:
    """Filters in the order in which they came; repeated ``in`` are one list."""

    order: list[tuple[str, str]] = field(default_factory=list)
    lists: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, key: str, text: str) -> None:
        """Take a filter."""
        if _is_list(key):
            self.lists[key].append(text)
        else:
            self.order.append((key, text))
        _check_count(len(self.order) + sum(map(len, self.lists.values())))

    def filters(self) -> tuple[tuple[str, str], ...]:
        """Give all filters."""
        lists = ((key, _joined(texts)) for key, texts in self.lists.items())
        return (*self.order, *lists)


def _check_count(filters: int) -> None:
    """Refuse too many filters."""
    if filters > _MOST_FILTERS:
        raise ServiceError("wrong_params", f"There are more than {_MOST_FILTERS} filters.")


def _is_list(key: str) -> bool:
    """Tell whether repeated keys make one list."""
    return key.endswith("__in") and not _MANY.match(key)


def _joined(texts: list[str]) -> str:
    """Join the values of repeated keys."""
    inner = (text.strip().removeprefix("[").removesuffix("]") for text in texts)
    return ",".join(part for part in inner if part)


def _check_text(key: str, text: str) -> None:
    """Refuse what no database keeps."""
    if "\0" in key or not (key.isascii() or _is_unicode(key)):
        raise ServiceError("wrong_params", "The name of a parameter is no text.")
    if "\0" in text or not (text.isascii() or _is_unicode(text)):
        raise _wrong(key, "is no text")


def _is_unicode(text: str) -> bool:
    """Tell whether a text has no halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _wrong(key: str, reason: str) -> ServiceError:
    return ServiceError("wrong_params", f"The parameter {key!r} {reason}.", details=key)


def _whole(least: int, most: int, *, cut: bool = False) -> Callable[[str, str], int]:
    """Make a reader of whole numbers; what is too large is cut or refused."""

    def read(key: str, text: str) -> int:
        if not (text.isascii() and text.isdigit()) or len(text) > 30 or int(text) < least:
            raise _wrong(key, f"must be a whole number of at least {least}, not {text[:40]!r}")
        number = int(text)
        if number > most and not cut:
            raise _wrong(key, f"must be at most {most}, not {text[:40]!r}")
        return min(number, most)

    return read


def _names(key: str, text: str) -> tuple[str, ...]:
    """Read names that are separated by commas."""
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if len(names) > 10:
        raise _wrong(key, "names more than 10 fields")
    return names


def _flag(key: str, text: str) -> bool:
    """Read 0 or 1."""
    if text not in {"0", "1", "true", "false"}:
        raise _wrong(key, f"must be 0 or 1, not {text[:40]!r}")
    return text in {"1", "true"}


def _text(most: int) -> Callable[[str, str], str]:
    """Make a reader of text of limited length."""

    def read(key: str, text: str) -> str:
        if len(text) > most:
            raise _wrong(key, f"is longer than {most} characters")
        return text

    return read


def parse_at_time(text: str, *, key: str = "at_time") -> datetime:
    """Read the time at which a state is wanted.

    Parameters
    ----------
    text : str
        A time; without a fraction it includes the whole second, as times are printed.
    key : str
        Name of the parameter, for messages.

    Returns
    -------
    datetime
        In UTC, without a zone.

    Raises
    ------
    ServiceError
        ``wrong_params``: it is no time.
    """
    try:
        return end_of_second(text)
    except ValueError:
        raise _wrong(
            key, f"must be a time such as 2026-11-21 18:00:00, not {text[:40]!r}"
        ) from None


_SYNONYMS: Mapping[str, str] = {"limit": "max_results", "total": "count"}
_READ: Mapping[str, Callable[[str, str], Any]] = {
    "offset": _whole(0, _MOST_OFFSET),
    "max_results": _whole(0, MOST_RESULTS, cut=True),
    "order_by": _names,
    "cursor": _text(LONGEST_CURSOR),
    "search": _text(500),
    "at_time": lambda key, text: parse_at_time(text, key=key),
    "groups_of": _whole(1, 10**9),
    "spacing": _whole(0, 10**9),
    "count": _flag,
}
