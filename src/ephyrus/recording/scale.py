"""The only place of gain and offset arithmetic: stored numbers to physical units, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ephyrus.recording.arena import Allocate

__all__ = ["scaled", "scaled_dtype", "single_gain"]

_ROW_ITEMS = 4096  # per-channel factors are repeated to rows of this length: long inner loops


def scaled_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the float type that holds scaled values of `dtype` without losing digits.

    float32 holds every 16-bit integer exactly; wider integers and float64 become float64.

    Examples
    --------
    >>> scaled_dtype(np.dtype("i2")), scaled_dtype(np.dtype("i4"))
    (dtype('float32'), dtype('float64'))
    """
    wide = dtype.itemsize > 4 or (dtype.kind in "iu" and dtype.itemsize > 2)
    return np.dtype(np.float64 if wide else np.float32)


def scaled(
    raw: NDArray[Any],
    gain: ArrayLike,
    offset: ArrayLike = 0.0,
    *,
    dtype: np.dtype[Any] | None = None,
    allocate: Allocate = np.empty,
    out: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Give ``raw * gain + offset`` as a new array.

    Parameters
    ----------
    raw : ndarray, shape (..., channels)
        Stored numbers.
    gain, offset : array_like, shape () or (channels,)
        Factors along the last axis.
    dtype : numpy.dtype, optional
        Float type of the result (default: :func:`scaled_dtype` of the stored type).
    allocate : callable
        ``allocate(shape, dtype)`` makes the result, uninitialised and in C order.
    out : ndarray, optional
        The result, of the right shape and type and in C order.

    Returns
    -------
    ndarray of float32 or float64, shape of `raw`
        Owned by the caller, C order.
    """
    kind = scaled_dtype(raw.dtype) if dtype is None else np.dtype(dtype)
    factors, shifts = _collapsed(gain, kind), _collapsed(offset, kind)
    result = allocate(raw.shape, kind) if out is None else out
    if not result.size:
        return result
    if factors.ndim == 0 and factors == 1:
        np.copyto(result, raw, casting="unsafe")
    elif factors.ndim == 0 or not raw.flags.c_contiguous:
        np.multiply(raw, factors, out=result, dtype=kind, casting="unsafe")
    else:
        _by_rows(np.multiply, raw, factors, result)
    if shifts.ndim:
        _by_rows(np.add, result, shifts, result)
    elif shifts != 0:
        np.add(result, shifts, out=result)
    return result


def single_gain(gain: ArrayLike, offset: ArrayLike) -> float:
    """Give the one gain that all channels share.

    Raises
    ------
    ValueError
        If gains differ or an offset is not 0, so that the stored integers have no common unit.
    """
    gains = np.unique(np.asarray(gain, np.float64))
    if gains.size != 1 or np.any(np.asarray(offset) != 0):
        raise ValueError(
            'magnitude_mode="raw" needs one gain for all channels and no offset; '
            "load single channels, or rescaled values"
        )
    return float(gains[0])


def _collapsed(factor: ArrayLike, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Make equal factors one scalar: numpy is several times faster with it."""
    values = np.asarray(factor, np.float64)
    if values.ndim and values.size and len(set(values.ravel().tolist())) == 1:
        values = values.reshape(-1)[0:1].reshape(())
    return values.astype(dtype)


def _by_rows(
    operation: np.ufunc, raw: NDArray[Any], factors: NDArray[Any], out: NDArray[Any]
) -> None:
    """Apply a per-channel operation to contiguous data in long rows instead of short ones."""
    channels = factors.size
    repeat = max(1, _ROW_ITEMS // channels)
    flat, target = raw.reshape(-1), out.reshape(-1)
    whole = flat.size // (repeat * channels) * (repeat * channels)
    rows = (-1, repeat * channels)
    operation(
        flat[:whole].reshape(rows),
        np.tile(factors, repeat),
        out=target[:whole].reshape(rows),
        dtype=out.dtype,
        casting="unsafe",
    )
    rest = (-1, channels)
    operation(
        flat[whole:].reshape(rest),
        factors,
        out=target[whole:].reshape(rest),
        dtype=out.dtype,
        casting="unsafe",
    )
