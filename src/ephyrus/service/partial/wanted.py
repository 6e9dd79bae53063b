"""A window as it was asked for, without what is redundant."""

from __future__ import annotations

from typing import NamedTuple

from ephyrus.service.partial.values import wrong

__all__ = ["Wanted"]

_NONE = (None, None)
_INDICES = ("start_index", "end_index", "samples_count")


class Wanted(NamedTuple):
    """A window without what is redundant: of each pair one at most, of three two at most."""

    start_time: float | None
    start_index: int | None
    end_time: float | None
    end_index: int | None
    duration: float | None
    samples: int | None

    @classmethod
    def of(
        cls,
        start: tuple[float | None, int | None],
        end: tuple[float | None, int | None],
        length: tuple[float | None, int | None],
    ) -> tuple[Wanted, tuple[str, ...]]:
        """Take what counts of what was sent.

        Parameters
        ----------
        start, end, length : tuple
            As time and as index, None for what was not sent. Time wins over index; start and end
            win over length.

        Returns
        -------
        wanted : Wanted
            What counts.
        disregarded : tuple of str
            Names of what was sent and does not.
        """
        names = [
            name
            for (time, index), name in zip((start, end, length), _INDICES, strict=True)
            if time is not None and index is not None
        ]
        start_time, start_index = _first(start)
        end_time, end_index = _first(end)
        duration, samples = _first(length)
        if _NONE not in (start, end, length):
            names.append("samples_count" if duration is None else "duration")
            duration = samples = None
        wanted = cls(start_time, start_index, end_time, end_index, duration, samples)
        return wanted, tuple(names)

    @property
    def start_name(self) -> str:
        """Name of the parameter that gives the start, else the end, else the length."""
        if self.start_time is not None:
            return "start_time"
        return "start_index" if self.start_index is not None else self.end_name

    @property
    def end_name(self) -> str:
        """Name of the parameter that gives the end, else the length, else the start."""
        for value, name in (
            (self.end_time, "end_time"),
            (self.end_index, "end_index"),
            (self.duration, "duration"),
            (self.samples, "samples_count"),
        ):
            if value is not None:
                return name
        return "start_time" if self.start_time is not None else "start_index"

    def check_order(self) -> None:
        """Refuse what is wrong for every object.

        Raises
        ------
        ServiceError
            If the end index lies before the start index, or a count reaches before index 0 from
            an end index.
        """
        if self.end_index is None:
            return
        if self.start_index is not None and self.start_index > self.end_index:
            raise wrong("end_index", f"end_index {self.end_index} lies before start_index.")
        if self.samples is not None and self.samples > self.end_index + 1:
            raise wrong(
                "samples_count",
                f"samples_count {self.samples} reaches before index 0 from end_index "
                f"{self.end_index}.",
            )


def _first(pair: tuple[float | None, int | None]) -> tuple[float | None, int | None]:
    """Drop the index where there is a time."""
    return pair if pair[0] is None else (pair[0], None)
