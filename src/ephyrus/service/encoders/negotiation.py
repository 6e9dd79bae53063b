"""Choosing a format by the parameter ``format`` and the header ``Accept``."""

from __future__ import annotations

from functools import lru_cache

from ephyrus.service.errors import ServiceError
from ephyrus.service.partial.params import FORMATS

__all__ = ["REMEMBERED", "accepts", "choose_format", "format_of", "weighted"]

_FORMAT_OF_TYPE = {
    "application/x-hdf": "hdf5",
    "application/x-hdf5": "hdf5",
    "application/json": "json",
    "application/x-npy": "npy",
    "application/octet-stream": "raw",
    "application/vnd.apache.arrow.stream": "arrow",
    "application/zip": "zarr",
    "text/csv": "csv",
}

REMEMBERED = 256
"""Characters of the longest header whose reading is kept: long ones are not a program's habit."""


def weighted(header: str) -> tuple[tuple[str, float], ...]:
    """Read a header of names with weights (``Accept``, ``Accept-Encoding``).

    Parameters
    ----------
    header : str
        ``name;q=weight, ...``. Other parameters of a name are disregarded, as are elements that
        break the rules: a header that cannot be read must not make an answer fail.

    Returns
    -------
    tuple of (str, float)
        Names in lower case with their weights from 0 to 1, in the order of the header.
    """
    result = []
    for element in header.split(","):
        name, *parameters = (text.strip().lower() for text in element.split(";"))
        weight = 1.0
        for parameter in parameters:
            key, _, value = parameter.partition("=")
            if key.strip() == "q":
                weight = _weight(value.strip())
                break
        if name and weight >= 0:
            result.append((name, weight))
    return tuple(result)


def _weight(text: str) -> float:
    """Read a weight; -1 when it is none."""
    whole, _, fraction = text.partition(".")
    if whole not in {"0", "1"} or not (
        fraction == "" or (fraction.isdecimal() and len(fraction) <= 3)
    ):
        return -1.0
    return min(float(text), 1.0)


def accepts(accept: str | None, media_type: str) -> float:
    """Return the weight that ``Accept`` gives to a media type.

    Parameters
    ----------
    accept : str or None
        The header; None or empty: everything is welcome.
    media_type : str
        Such as ``application/json``.

    Returns
    -------
    float
        0 (not acceptable) to 1. The most specific range that names the type decides.
    """
    if not accept or not accept.strip():
        return 1.0
    weights = dict(weighted(accept))
    for name in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        if name in weights:
            return weights[name]
    return 0.0


def format_of(value: str) -> str:
    """Return the format that a value of the parameter ``format`` means.

    Raises
    ------
    ServiceError
        400 ``wrong_params``: there is no such format.
    """
    try:
        return FORMATS[value]
    except KeyError:
        known = ", ".join(FORMATS)
        msg = f"format={value} is unknown: use one of {known}"
        raise ServiceError("wrong_params", msg, details={"parameter": "format"}) from None


def choose_format(value: str | None, accept: str | None) -> str:
    """Choose the format of a body.

    Parameters
    ----------
    value : str or None
        Parameter ``format``; it wins.
    accept : str or None
        Header ``Accept``: the heaviest type that it names, the first of equals. ``*/*`` and
        ``application/*`` are sent by programs that have no wish: they mean HDF5, as no header does,
        where they outweigh every type that is named.

    Returns
    -------
    str
        A key of :data:`~ephyrus.service.encoders.FORMATS`. HDF5 when the header names nothing that
        can be sent: a client that knows the two-step access expects it.

    Raises
    ------
    ServiceError
        400 ``wrong_params``: there is no such format.
    """
    if value is not None:
        return format_of(value)
    if not accept:
        return "hdf5"
    return _by_known_accept(accept) if len(accept) <= REMEMBERED else _by_accept(accept)


def _by_accept(accept: str) -> str:
    """Choose by the header alone."""
    best, best_weight, no_wish = "hdf5", 0.0, 0.0
    for name, weight in weighted(accept):
        known = _FORMAT_OF_TYPE.get(name)
        if known is not None and weight > best_weight:
            best, best_weight = known, weight
        elif name in {"*/*", "application/*"}:
            no_wish = max(no_wish, weight)
    return best if best_weight >= no_wish else "hdf5"


_by_known_accept = lru_cache(maxsize=256)(_by_accept)
