"""Links to the arrays of an object, with the part that is wanted."""

from __future__ import annotations

from ephyrus.service.partial.params import RangeRequest

__all__ = ["array_link", "encoding_part", "join", "range_part"]


def array_link(identifier: int | str, query: str = "") -> str:
    """Write the link to an array, relative to the host.

    Parameters
    ----------
    identifier : int or str
        Id of the datafile as it is printed.
    query : str
        Parameters.

    Examples
    --------
    >>> array_link(2177, "start_index=1000&end_index=3001")
    '/datafiles/2177?start_index=1000&end_index=3001'
    """
    return f"/datafiles/{identifier}?{query}" if query else f"/datafiles/{identifier}"


def range_part(start: int, stop: int) -> str:
    """Write a half-open range of rows."""
    return f"start_index={start}&end_index={stop}"


def join(*parts: str) -> str:
    """Join parts of a query, leaving out the empty ones."""
    return "&".join(part for part in parts if part)


def encoding_part(
    request: RangeRequest, *, channels: str | None = None, downsamples: bool = True
) -> str:
    """Write what a request says of the body, in the documented order.

    Parameters
    ----------
    request : RangeRequest
        The request.
    channels : str or None
        Channels of this array; None: the array has none, or all are wanted.
    downsamples : bool
        The array is downsampled where it is asked for.
    """
    parts: list[str] = []
    if downsamples and request.downsample is not None:
        parts.append(f"downsample={request.downsample}")
    if downsamples and request.kind is not None:
        parts.append(f"kind={request.kind}")
    if channels is not None:
        parts.append(f"channels={channels}")
    if request.format is not None:
        parts.append(f"format={request.format}")
    if request.dtype is not None:
        parts.append(f"dtype={request.dtype}")
    if request.scaled is not None:
        parts.append(f"scaled={request.scaled:d}")
    if request.compress is not None:
        parts.append(f"compress={request.compress:d}")
    if request.compression is not None:
        parts.append(f"compression={request.compression}")
    if request.times is not None and downsamples:
        parts.append(f"times={request.times:d}")
    return "&".join(parts)
