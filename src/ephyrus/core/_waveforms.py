"""What a spike train knows about the waveforms of its spikes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import quantities as pq

from ephyrus.core._times import check_time_unit
from ephyrus.core.units import HERTZ, SECOND, UnitInfo, inverse_unit, quantity, scalar_in, unit_of

__all__ = ["Waveforms", "checked_waveforms"]


def _rate_of(value: Any, name: str) -> tuple[float, UnitInfo]:
    """Return a sampling rate and its unit; a bare number is in Hz."""
    unit = unit_of(value) if isinstance(value, pq.Quantity) else HERTZ
    if unit.base is not HERTZ.base:
        raise ValueError(f"{name} must be a frequency, not a value in {unit.symbol or 'no unit'}")
    rate = scalar_in(value, unit, name)
    if not (math.isfinite(rate) and rate > 0):
        raise ValueError(f"{name} must be above 0, not {value}")
    return rate, unit


class Waveforms:
    """Mixin of SpikeTrain: waveforms, their rate, and where the spike is in them.

    Rate and left sweep are kept as numbers with their units; Quantities are made when asked
    for, fresh each time, so that changing one never changes the train.
    """

    waveforms: Any = None
    _rate: float | None = None
    _rate_unit: UnitInfo = HERTZ
    _left_sweep: Any = None
    _left_sweep_unit: UnitInfo = SECOND

    if TYPE_CHECKING:  # given by DataObject

        @property
        def _unit(self) -> UnitInfo: ...

    @property
    def sampling_rate(self) -> pq.Quantity | None:
        """Samples per time of the waveforms; None if unknown.

        Raises
        ------
        ValueError
            When set to what is not a frequency or not positive.
        """
        return None if self._rate is None else quantity(self._rate, self._rate_unit)

    @sampling_rate.setter
    def sampling_rate(self, value: pq.Quantity | None) -> None:
        if value is None:
            self._rate = None
        else:
            self._rate, self._rate_unit = _rate_of(value, "sampling_rate")

    @property
    def sampling_period(self) -> pq.Quantity | None:
        """Time between samples of the waveforms; setting it sets `sampling_rate`.

        Raises
        ------
        ValueError
            When set to what is not a time or not positive.
        """
        if self._rate is None:
            return None
        return quantity(1.0 / self._rate, inverse_unit(self._rate_unit))

    @sampling_period.setter
    def sampling_period(self, value: pq.Quantity | None) -> None:
        if value is None:
            self._rate = None
            return
        unit = unit_of(value) if isinstance(value, pq.Quantity) else SECOND
        check_time_unit(unit, "sampling_period")
        period = scalar_in(value, unit, "sampling_period")
        if not (math.isfinite(period) and period > 0):
            raise ValueError(f"sampling_period must be above 0, not {value}")
        self._rate, self._rate_unit = 1.0 / period, inverse_unit(unit)

    @property
    def left_sweep(self) -> pq.Quantity | None:
        """Time from the beginning of a waveform to its spike; None if unknown.

        Raises
        ------
        ValueError
            When set to what is not a time.
        """
        if self._left_sweep is None:
            return None
        return quantity(np.array(self._left_sweep, dtype=np.float64), self._left_sweep_unit)

    @left_sweep.setter
    def left_sweep(self, value: pq.Quantity | float | None) -> None:
        if value is None:
            self._left_sweep = None
            return
        unit = unit_of(value) if isinstance(value, pq.Quantity) else self._unit
        self._left_sweep_unit = check_time_unit(unit, "left_sweep")
        self._left_sweep = np.array(value, dtype=np.float64)

    @property
    def spike_duration(self) -> pq.Quantity | None:
        """Duration of a waveform, in units of time; None without waveforms or rate."""
        if self.waveforms is None or self._rate is None or np.ndim(self.waveforms) < 3:
            return None
        return quantity(self.waveforms.shape[2] / self._rate, inverse_unit(self._rate_unit))

    @property
    def right_sweep(self) -> pq.Quantity | None:
        """Time from a spike to the end of its waveform; None if something is unknown."""
        left, duration = self.left_sweep, self.spike_duration
        return None if left is None or duration is None else left + duration


def checked_waveforms(waveforms: Any, count: int, *, copy: bool | None) -> Any:
    """Return waveforms as an array, one entry per spike."""
    made = waveforms if isinstance(waveforms, np.ndarray) else np.asarray(waveforms)
    if made.ndim == 0 or len(made) != count:
        raise ValueError(
            f"the number of waveforms ({len(made) if made.ndim else 0}) must be equal to the "
            f"number of spikes ({count})"
        )
    return made.copy() if copy and made is waveforms else made
