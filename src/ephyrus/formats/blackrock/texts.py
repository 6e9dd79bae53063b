"""Texts of many packets at once."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["packet_texts"]

UTF16 = 1  # character set of comments; all others are ANSI
_SURROGATES = 0xD800, 0xDFFF


def packet_texts(raw: NDArray[Any], charsets: NDArray[Any] | None = None) -> NDArray[np.str_]:
    """Decode texts up to their first NUL.

    Parameters
    ----------
    raw : ndarray of uint8, shape (packets, bytes)
        The bytes of each text.
    charsets : ndarray of int, shape (packets,), optional
        1: UTF-16 (little-endian); all else is Windows' code page 1252.

    Returns
    -------
    ndarray of str, shape (packets,)
    """
    count = len(raw)
    wide = np.zeros(count, bool) if charsets is None else np.asarray(charsets) == UTF16
    texts = _strings(_code_page()[_to_first_nul(raw)])
    if not wide.any():
        return texts
    even = np.ascontiguousarray(raw[wide, : raw.shape[1] // 2 * 2])
    wider = _wide_strings(_to_first_nul(even.view("<u2")))
    result = texts.astype(max(texts.dtype, wider.dtype, key=lambda kind: kind.itemsize))
    result[wide] = wider
    return result


def _to_first_nul(units: NDArray[Any]) -> NDArray[Any]:
    """Put 0 behind the first 0 of each row, and cut columns that are all 0."""
    kept = np.cumsum(units == 0, axis=1) == 0
    longest = int(np.count_nonzero(kept, axis=1).max(initial=0))
    cut: NDArray[Any] = units[:, :longest] * kept[:, :longest]
    return cut


def _strings(codes: NDArray[np.uint32]) -> NDArray[np.str_]:
    """Make strings of code points; zeros are what numpy pads with."""
    count, longest = codes.shape
    if not count or not longest:
        return np.zeros(count, "U1")
    texts: NDArray[np.str_] = np.ascontiguousarray(codes, np.uint32).view(f"U{longest}")[:, 0]
    return texts


def _wide_strings(units: NDArray[Any]) -> NDArray[np.str_]:
    """Make strings of UTF-16 units; those with pairs of them for a letter are decoded alone."""
    low, high = _SURROGATES
    paired = np.any((units >= low) & (units <= high), axis=1)
    texts = _strings(units.astype(np.uint32) * ~paired[:, np.newaxis])
    if not paired.any():
        return texts
    rows = np.flatnonzero(paired).tolist()
    raw = [units[row].astype("<u2").tobytes() for row in rows]
    decoded = [text.decode("utf-16-le", "replace").rstrip("\0") for text in raw]
    texts = texts.astype(f"U{max(units.shape[1], 1)}")
    texts[paired] = decoded
    return texts


@cache
def _code_page() -> NDArray[np.uint32]:
    """Give the code points of Windows' code page 1252; what it does not define is Latin-1."""
    points = np.arange(256, dtype=np.uint32)
    for byte in range(0x80, 0xA0):
        points[byte] = ord(bytes([byte]).decode("cp1252", "ignore") or chr(byte))
    points.flags.writeable = False
    return points
