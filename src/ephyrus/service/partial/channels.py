"""Channels, or rows, that are asked for one by one: ``0,3,5-9``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ephyrus.service.partial.values import wrong

__all__ = ["Channels", "compact"]

_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Channels:
    """A choice of channels (or rows) in the order wanted.

    Attributes
    ----------
    parameter : str
        Name of the parameter, for messages.
    text : str
        As it was sent.
    items : tuple
        ``(first, last)`` for one index or several that follow each other, else a name.
    """

    parameter: str
    text: str
    items: tuple[tuple[int, int] | str, ...]

    @classmethod
    def parse(cls, parameter: str, text: str, *, names: bool = True) -> Channels:
        """Read indices, ranges of indices (both ends belong to them) and names.

        Parameters
        ----------
        parameter : str
            Name of the parameter, for messages.
        text : str
            What was sent: items with commas between them.
        names : bool
            Names are accepted beside indices.

        Raises
        ------
        ServiceError
            If an item is empty, a range runs backwards, or a name is not accepted.
        """
        return cls(parameter, text, tuple(_items(parameter, text, names)))

    @property
    def is_plain(self) -> bool:
        """Indices only: no names to look up."""
        return not any(isinstance(item, str) for item in self.items)

    def resolve(self, count: int, names: Sequence[str] = ()) -> NDArray[np.int64]:
        """Find the positions that are asked for.

        Parameters
        ----------
        count : int
            Number of channels (or rows).
        names : sequence of str
            Names of the channels, where they are known.

        Returns
        -------
        ndarray of int64
            Positions in the order asked for.

        Raises
        ------
        ServiceError
            If one is out of range, unknown, or asked for twice.
        """
        parts = self._ranges(count, names)
        found = [np.arange(first, last + 1, dtype=np.int64) for first, last in parts]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def run(self, count: int, names: Sequence[str] = ()) -> slice | None:
        """Give the positions as a slice where each follows the one before; None: they do not.

        Raises
        ------
        ServiceError
            As `resolve`; nothing is made that grows with the number of positions.
        """
        parts = self._ranges(count, names)
        if any(after[0] != before[1] + 1 for before, after in pairwise(parts)):
            return None
        return slice(parts[0][0], parts[-1][1] + 1)

    def _ranges(self, count: int, names: Sequence[str]) -> list[tuple[int, int]]:
        """Find first and last position of each item; no position is in two."""
        parts = [self._positions(item, count, names) for item in self.items]
        if any(after[0] <= before[1] for before, after in pairwise(sorted(parts))):
            raise wrong(self.parameter, f"{self.parameter} names one more than once.")
        return parts

    def linked(self, positions: NDArray[np.int64]) -> str:
        """Write the choice for a link: as it was sent, names as the positions found for them."""
        return self.text if self.is_plain else ",".join(compact(positions))

    def _positions(
        self, item: tuple[int, int] | str, count: int, names: Sequence[str]
    ) -> tuple[int, int]:
        """Give first and last position of one item."""
        if isinstance(item, str):
            if item not in names:
                raise wrong(self.parameter, f"No channel has the name {item!r}.")
            return (names.index(item),) * 2
        if item[1] >= count:
            raise wrong(
                self.parameter,
                f"{self.parameter}: {item[1]} is out of range, there are {count} (from 0).",
            )
        return item


def _items(parameter: str, text: str, names: bool) -> Iterator[tuple[int, int] | str]:
    for part in text.split(","):
        if not part.strip():
            raise wrong(parameter, f"{parameter} has an empty item: send for example 0,3,5-9.")
        match = _RANGE.fullmatch(part)
        if match is None:
            if not names:
                raise wrong(parameter, f"{parameter} must be indices like 0,3,5-9, not {part!r}.")
            yield part
            continue
        first = int(match[1])
        last = int(match[2] or first)
        if last < first:
            raise wrong(parameter, f"{parameter}: the range {part} runs backwards.")
        yield first, last


def _item_text(item: tuple[int, int]) -> str:
    return str(item[0]) if item[0] == item[1] else f"{item[0]}-{item[1]}"


def compact(positions: NDArray[np.int64]) -> list[str]:
    """Write positions as items of `Channels`: runs of three or more as a range.

    Examples
    --------
    >>> compact(np.array([0, 3, 5, 6, 7]))
    ['0', '3', '5-7']
    """
    if not len(positions):
        return []
    cuts = np.flatnonzero(np.diff(positions) != 1) + 1
    firsts = positions[np.concatenate(([0], cuts))].tolist()
    lasts = positions[np.concatenate((cuts - 1, [len(positions) - 1]))].tolist()
    items: list[str] = []
    for first, last in zip(firsts, lasts, strict=True):
        if last - first == 1:
            items += [str(first), str(last)]
        else:
            items.append(_item_text((first, last)))
    return items
