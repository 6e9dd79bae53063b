"""Tell whether a block fits formats whose segments are all alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, overload

from ephyrus.core.block import Block

__all__ = ["is_block_rawio_compatible"]

_COUNTED = ("analogsignals", "spiketrains", "events", "epochs")
_REFUSED = ("irregularlysampledsignals", "imagesequences")


@overload
def is_block_rawio_compatible(block: Block, return_problems: Literal[False] = False) -> bool: ...
@overload
def is_block_rawio_compatible(
    block: Block, return_problems: Literal[True]
) -> tuple[bool, list[str]]: ...
def is_block_rawio_compatible(
    block: Block, return_problems: bool = False
) -> bool | tuple[bool, list[str]]:
    """Tell whether all segments of a block have the same streams, as many formats require.

    That is so if there are neither irregularly sampled signals nor image sequences, if all
    segments have the same number of signals, spike trains, events and epochs, and if the signals
    at the same place have the same channels, units, sampling rate and dtype.

    Parameters
    ----------
    block : Block
        Nothing is loaded.
    return_problems : bool, default False
        Return what is in the way too.

    Returns
    -------
    compatible : bool
    problems : list of str
        Only with `return_problems`; empty if there are none.

    Raises
    ------
    TypeError
        If `block` is not a Block.
    """
    if not isinstance(block, Block):
        raise TypeError(f"this asks for a Block, not a {type(block).__name__}")
    problems = [*_refused(block), *_different_counts(block), *_different_signals(block)]
    return (not problems, problems) if return_problems else not problems


def _refused(block: Block) -> Iterator[str]:
    """Name the objects that cannot be there at all."""
    for place, segment in enumerate(block.segments):
        for name in _REFUSED:
            count = len(getattr(segment, name))
            if count:
                yield f"segment {place} has {count} {name}"


def _different_counts(block: Block) -> Iterator[str]:
    """Name the lists that are not of the same length in all segments."""
    for name in _COUNTED:
        counts = [len(getattr(segment, name)) for segment in block.segments]
        if len(set(counts)) > 1:
            yield f"the segments have different numbers of {name}: {counts}"


def _different_signals(block: Block) -> Iterator[str]:
    """Name the properties of signals that are not the same in all segments."""
    signals = [list(segment.analogsignals) for segment in block.segments]
    for place in range(min(map(len, signals), default=0)):
        described = [_description(own[place]) for own in signals]
        for name, first in described[0].items():
            values = [own[name] for own in described]
            if any(value != first for value in values):
                shown = ", ".join(map(str, values))
                yield f"analogsignals[{place}] differ in {name} between segments: {shown}"


def _description(signal: Any) -> dict[str, Any]:
    """Return what must be the same in signals at the same place."""
    return {
        "number of channels": int(signal.shape[1]),
        "units": str(signal._unit),
        "sampling rate": signal.sampling_rate.rescale("Hz").item(),
        "dtype": str(signal.dtype),
    }
