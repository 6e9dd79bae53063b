"""Progress bars, on standard error, for people who watch."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console

from ephyrus.cli.console import err, plain

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID

__all__ = ["RichProgress"]

PATIENCE = 0.5  # seconds of work before a bar appears
LABEL_LETTERS = 40


class RichProgress:
    """A `Progress` that draws a bar once the work has lasted half a second.

    Nothing is drawn where standard error is no terminal, or `quiet`.

    Parameters
    ----------
    quiet : bool
        Never draw.
    console : rich.console.Console, optional
        Where to draw (default: standard error).
    patience : float
        Seconds of work before a bar appears.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        console: Console | None = None,
        patience: float = PATIENCE,
    ) -> None:
        self._console = console or err()
        self._shows = not quiet and self._console.is_terminal and not self._console.is_dumb_terminal
        self._patience = patience
        self._began = 0.0
        self._done = 0
        self._total: int | None = None
        self._unit = self._label = ""
        self._bars: Progress | None = None
        self._task: TaskID | None = None

    def start(self, total: int | None, unit: str, label: str) -> None:
        """Begin a piece of work; one that was under way ends."""
        self.finish()
        self._began, self._done = time.monotonic(), 0
        self._total, self._unit, self._label = total, unit, label

    def advance(self, n: int) -> None:
        """Report `n` more units."""
        self._done += n
        if self._bars is not None and self._task is not None:
            self._bars.update(self._task, completed=self._done)
        elif self._shows and time.monotonic() - self._began >= self._patience:
            self._draw()

    def finish(self) -> None:
        """End the piece of work and take the bar away."""
        if self._bars is not None:
            self._bars.stop()
            self._bars = None

    def _draw(self) -> None:
        from rich.progress import Progress

        self._bars = Progress(*self._columns(), console=self._console, transient=True)
        self._bars.start()
        label = plain(self._label)
        if len(label) > LABEL_LETTERS:
            label = f"...{label[3 - LABEL_LETTERS :]}"
        self._task = self._bars.add_task(label, total=self._total, completed=self._done)

    def _columns(self) -> list[ProgressColumn]:
        from rich import progress as rich

        label = rich.TextColumn("{task.description}", markup=False)
        if self._unit == "B":
            amount: list[ProgressColumn] = [rich.DownloadColumn(), rich.TransferSpeedColumn()]
        else:
            unit = plain(self._unit).replace("{", "{{").replace("}", "}}")
            amount = [rich.MofNCompleteColumn(), rich.TextColumn(unit, markup=False)]
        return [label, rich.BarColumn(), *amount, rich.TimeRemainingColumn()]

    def __enter__(self) -> RichProgress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.finish()
