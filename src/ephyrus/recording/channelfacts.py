"""Facts of channels and units as the Neuroshare interface has them: ranges, filters, bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["place_and_filters", "sample_counts", "unit_bits", "value_range"]

LARGEST_BIT = 31  # units that a bit field of 32 bits can name; bit 0 is noise
NOISE = 255  # unit number by which several formats mark noise

# What formats call the facts; "high frequency corner" is the upper edge of the pass band.
_NUMBERS = {
    "location_x": ("location_x",),
    "location_y": ("location_y",),
    "location_z": ("location_z",),
    "location_user": ("location_user",),
    "high_freq_corner": ("high_freq_corner", "low_pass_frequency", "lowpass"),
    "low_freq_corner": ("low_freq_corner", "high_pass_frequency", "highpass"),
}
_ORDERS = {
    "high_freq_order": ("high_freq_order", "low_pass_order"),
    "low_freq_order": ("low_freq_order", "high_pass_order"),
}
_TEXTS = {
    "high_filter_type": ("high_filter_type", "low_pass_type"),
    "low_filter_type": ("low_filter_type", "high_pass_type"),
}


def place_and_filters(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Give place, filters and probe of a channel; 0 and empty texts for what is not known."""
    found: dict[str, Any] = {name: _number(facts, *keys) or 0.0 for name, keys in _NUMBERS.items()}
    found |= {name: max(0, int(_number(facts, *keys) or 0)) for name, keys in _ORDERS.items()}
    for name, keys in _TEXTS.items():
        found[name] = next((str(facts[key]) for key in keys if key in facts), "")
    return found | {"probe_info": _probe(facts)}


def value_range(
    dtype: np.dtype[Any], gain: float, offset: float, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Give least and greatest possible value and the step between values.

    Taken from facts of these names, else from the type of the stored numbers; the step between
    floating point numbers is given as 0.
    """
    is_whole = dtype.kind in "iu"
    limits: Any = np.iinfo(dtype) if is_whole else np.finfo(dtype)
    largest = float(np.finfo(np.float64).max)
    ends = sorted(
        min(max(float(end) * gain + offset, -largest), largest) for end in (limits.min, limits.max)
    )
    step = abs(gain) if is_whole else 0.0
    given = [_number(facts, name) for name in ("min_value", "max_value", "resolution")]
    low, high, resolution = (
        there if there is not None else default
        for there, default in zip(given, (*ends, step), strict=True)
    )
    return {"min_value": low, "max_value": high, "resolution": resolution}


def unit_bits(ids: NDArray[np.int64]) -> NDArray[np.uint32]:
    """Give the bit field of each unit.

    0 is unclassified, the number 255 is noise (bit 0), number n is bit n. Where a number has no
    bit, the units that are neither are numbered from 1 on in their order, as far as there are bits.

    Examples
    --------
    >>> unit_bits(np.array([0, 1, 3, 255]))
    array([0, 2, 8, 1], dtype=uint32)
    >>> unit_bits(np.array([0, 70, 90]))
    array([0, 2, 4], dtype=uint32)
    """
    numbers = np.asarray(ids, np.int64).copy()
    is_sorted = (numbers != 0) & (numbers != NOISE)
    chosen = numbers[is_sorted]
    if chosen.size and (chosen.min() < 1 or chosen.max() > LARGEST_BIT):
        numbers[is_sorted] = np.minimum(np.arange(1, chosen.size + 1), LARGEST_BIT)
    bits = np.where(is_sorted, np.uint32(1) << np.where(is_sorted, numbers, 0), 0)
    return np.where(numbers == NOISE, 1, bits).astype(np.uint32)


def sample_counts(values: NDArray[np.float64]) -> NDArray[np.uint32]:
    """Tell how many samples of each item, shape (items, sources, samples), come before NaN only."""
    there = np.asarray(~np.isnan(values).all(axis=1))
    from_end = np.argmax(there[:, ::-1], axis=1) if values.shape[2] else np.zeros(len(values), int)
    counts = np.where(there.any(axis=1), values.shape[2] - from_end, 0)
    return np.asarray(counts, np.uint32)


def _probe(facts: Mapping[str, Any]) -> str:
    """Give what is known of the electrode."""
    if "probe_info" in facts:
        return str(facts["probe_info"])
    impedance = _number(facts, "impedance")
    return "" if impedance is None else f"impedance {impedance:g}"


def _number(facts: Mapping[str, Any], *names: str) -> float | None:
    """Give the first of some facts that is a finite number."""
    for name in names:
        value = facts.get(name)
        is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        if is_number and np.isfinite(float(value)):  # type: ignore[arg-type]  # it is a number
            return float(value)  # type: ignore[arg-type]  # it is a number
    return None
