"""Content codings: gzip, Brotli and Zstandard, chosen by ``Accept-Encoding``."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache, partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

from ephyrus.service.encoders.body import Body, Buffer, streamed
from ephyrus.service.encoders.negotiation import REMEMBERED, weighted

__all__ = ["AVAILABLE", "choose", "compress", "compressed", "encoded"]

_PACKAGES = {"zstd": "zstandard", "br": "brotli"}

AVAILABLE: tuple[str, ...] = (
    *(name for name, package in _PACKAGES.items() if find_spec(package) is not None),
    "gzip",
)
"""Codings that this server has, the best value for its time first."""

# levels beyond which a little less to send costs several times the work
_ZSTD_LEVEL = 3
_BROTLI_QUALITY = 3
_GZIP_LEVEL = 4


class _Compressor(Protocol):
    """What compresses piece by piece."""

    def compress(self, data: Buffer) -> bytes: ...
    def flush(self) -> bytes: ...


class _Brotli:
    """Brotli under the names of the others."""

    def __init__(self) -> None:
        brotli: Any = import_module("brotli")
        self._compressor: Any = brotli.Compressor(
            mode=brotli.MODE_TEXT, quality=_BROTLI_QUALITY, lgwin=22
        )

    def compress(self, data: Buffer) -> bytes:
        """Take a piece; return what is ready."""
        result: bytes = self._compressor.process(data)
        return result

    def flush(self) -> bytes:
        """Return the rest."""
        result: bytes = self._compressor.finish()
        return result


def _compressor(coding: str) -> _Compressor:
    """Begin a stream of a coding."""
    if coding == "gzip":
        return zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    if coding == "br":
        return _Brotli()
    if coding == "zstd":
        import zstandard

        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
    msg = f"{coding!r} is not a content coding: one of {', '.join(AVAILABLE)}"
    raise ValueError(msg)


def choose(accept_encoding: str | None, available: tuple[str, ...] = AVAILABLE) -> str | None:
    """Choose a content coding.

    Parameters
    ----------
    accept_encoding : str or None
        The header. None (not sent) and the empty text ask for no coding.
    available : tuple of str
        Codings to choose from, best first.

    Returns
    -------
    str or None
        The coding with the largest weight, the earlier in `available` of equals; ``identity`` when
        none is wanted, or when the header puts it above the others. None: the header refuses them
        all and ``identity`` with them.
    """
    if not accept_encoding:
        return "identity"
    if len(accept_encoding) <= REMEMBERED:
        return _known_choice(accept_encoding, available)
    return _choice(accept_encoding, available)


def _choice(accept_encoding: str, available: tuple[str, ...]) -> str | None:
    """Choose by a header that is not empty."""
    weights = dict(weighted(accept_encoding))
    weights.setdefault("gzip", weights.get("x-gzip", -1.0))
    if weights["gzip"] < 0:
        del weights["gzip"]
    others = weights.get("*", 0.0)
    best, best_weight = None, 0.0
    for coding in available:
        weight = weights.get(coding, others)
        if weight > best_weight:
            best, best_weight = coding, weight
    refused = weights.get("identity", weights.get("*", 1.0)) == 0
    if best is None:
        return None if refused else "identity"
    # without a weight of its own, no coding is what remains when nothing else is wanted
    return "identity" if weights.get("identity", 0.0) > best_weight else best


_known_choice = lru_cache(maxsize=256)(_choice)


def compressed(blocks: Iterable[Buffer], coding: str) -> Iterator[bytes]:
    """Compress block by block.

    Parameters
    ----------
    blocks : iterable of bytes
        What is compressed.
    coding : {"gzip", "br", "zstd"}
        One of :data:`AVAILABLE`.

    Yields
    ------
    bytes
        The compressed stream; never an empty block.
    """
    compressor = _compressor(coding)
    for block in blocks:
        piece = compressor.compress(block)
        if piece:
            yield piece
    rest = compressor.flush()
    if rest:
        yield rest


def compress(data: Buffer, coding: str) -> bytes:
    """Compress bytes in one go (see :func:`compressed`)."""
    return b"".join(compressed((data,), coding))


def encoded(body: Body, coding: str) -> Body:
    """Put a body under a content coding.

    Parameters
    ----------
    body : Body
        Any body.
    coding : str
        One of :data:`AVAILABLE`, or ``identity``: the body as it is.

    Returns
    -------
    Body
        With the header ``Content-Encoding``, without a length and without ranges. The caller adds
        ``Vary: Accept-Encoding``, also to answers without a coding.
    """
    if coding == "identity":
        return body
    return replace(
        body,
        stream=streamed(lambda: compressed(body.blocks(), coding)),
        whole=partial(_whole, body, coding),
        length=None,
        headers={**body.headers, "Content-Encoding": coding},
        seekable=False,
        compressible=False,
    )


def _whole(body: Body, coding: str) -> bytes:
    return compress(body.read_all(), coding)
