"""Spike trains, events and epochs in the forms of other packages: tables and plots."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import quantities as pq

__all__ = ["PointViews", "TrainFromPandas"]


class PointViews:
    """Mixin of PointObject: `to_pandas` and `plot`."""

    def to_pandas(self) -> Any:
        """Give the items as a ``pandas.DataFrame``; a lazy object is loaded.

        Returns
        -------
        pandas.DataFrame
            One row per item. Columns: ``time``; ``duration`` of epochs; ``label`` where there
            are labels; ``waveform`` (arrays of shape (channel, sample)) where there are
            waveforms; then one per array annotation, with an underscore if its name is taken.
            ``attrs["units"]`` gives units by column, ``attrs["ephyrus"]`` all other metadata
            as plain lists and numbers, so that `from_pandas` gives the same object.

        Raises
        ------
        MissingExtraError
            If pandas is not installed.
        """
        from ephyrus.core._frames import points_frame

        return points_frame(self)

    def plot(
        self,
        *,
        t_start: pq.Quantity | float | None = None,
        t_stop: pq.Quantity | float | None = None,
        width: int = 1600,
        figure: Any = None,
        path: str | os.PathLike[str] | None = None,
    ) -> Any:
        """Draw the items over time: ticks for spikes, lines for events, bands for epochs.

        Parameters
        ----------
        t_start, t_stop : Quantity or float, optional
            Stretch of time; bare numbers are in the units of this object (default: all).
        width : int, default 1600
            Columns over that stretch; of very many items one is drawn for each quarter of a
            column. Lazy objects are read piece by piece.
        figure : matplotlib.figure.Figure or SubFigure, optional
            Where to draw (default: a new figure; pyplot is not used).
        path : path-like, optional
            Save the figure there; the suffix tells the format (``.png``, ``.svg``, ``.pdf``).

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        ValueError
            If the stretch of time is empty or not of times, or `width` is below 1.
        """
        from ephyrus.core._plotting import plot_object

        return plot_object(self, t_start, t_stop, width, figure, path)


class TrainFromPandas:
    """Mixin of SpikeTrain: `from_pandas`."""

    @classmethod
    def from_pandas(
        cls,
        frame: Any,
        *,
        t_stop: pq.Quantity | float | None = None,
        t_start: pq.Quantity | float | None = None,
        units: Any = None,
    ) -> Self:
        """Make a spike train of a ``pandas.DataFrame``, such as `to_pandas` gives.

        Parameters
        ----------
        frame : pandas.DataFrame
            Column ``time``; ``waveform`` (arrays of one shape) is optional. All other columns
            become array annotations. Rows may have been chosen or sorted since.
        t_stop, t_start : Quantity or float, optional
            Limits; by default what the frame tells (``attrs["ephyrus"]``), and 0 for the
            beginning. Bare numbers are in the units of the times.
        units : str or unit, optional
            Of the times; by default what the frame tells (``attrs["units"]``).

        Returns
        -------
        SpikeTrain

        Raises
        ------
        ValueError
            If there is no column ``time``, units or the end are not told, a unit is not known,
            or a spike is outside the limits.
        """
        from ephyrus.core._frames import spiketrain_from

        return spiketrain_from(cls, frame, t_stop, t_start, units)  # type: ignore[no-any-return]
