"""Channels as people choose them: by name, by id, by position."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from ephyrus.cli.failures import Failure
from ephyrus.recording import SignalStream

__all__ = ["chosen_channels"]

_RANGE = re.compile(r"(\d+)-(\d+)")
NAMES_TOLD = 12


def chosen_channels(
    streams: Sequence[SignalStream], wanted: Sequence[str], path: str
) -> list[list[int] | None]:
    """Give, for each stream, the positions of the channels that are wanted.

    Parameters
    ----------
    streams : sequence of SignalStream
        Signals of a recording.
    wanted : sequence of str
        Names, positions from 0, ranges of positions (both ends belong to it), or ids; what is a
        name is not taken for a position. Empty: all channels.
    path : str
        The recording, for the message.

    Returns
    -------
    list of (list of int or None)
        None: all channels, in order; an empty list: none of this stream.

    Raises
    ------
    Failure
        If something is in none of the streams; the message lists what there is.
    """
    if not wanted:
        return [None] * len(streams)
    chosen: list[list[int]] = [[] for _ in streams]
    for text in wanted:
        found = [_positions(stream, text) for stream in streams]
        if not any(found):
            raise _unknown(streams, text, path)
        for positions, more in zip(chosen, found, strict=True):
            positions += [each for each in more if each not in positions]
    return [positions or [] for positions in chosen]


def _positions(stream: SignalStream, text: str) -> list[int]:
    """Give the positions that a text means within one stream."""
    count = len(stream.channels)
    if text in stream.channels.names:
        return _labelled(stream.channels.names, text)
    if text.isdecimal():
        return [int(text)] if int(text) < count else []
    span = _RANGE.fullmatch(text)
    if span is not None:
        return list(range(int(span[1]), min(int(span[2]) + 1, count)))
    return _labelled(stream.channels.ids, text)


def _labelled(labels: Sequence[str], text: str) -> list[int]:
    return [position for position, label in enumerate(labels) if label == text]


def _unknown(streams: Sequence[SignalStream], text: str, path: str) -> Failure:
    names = [name for stream in streams for name in stream.channels.names]
    if not names:
        return Failure(f"{path}: there is no channel {text!r}: the recording holds no signals")
    alike = difflib.get_close_matches(text, names, n=3)
    if alike:
        hint = f"did you mean {' or '.join(alike)}?"
    else:
        more = ", ..." if len(names) > NAMES_TOLD else ""
        hint = f"there are {', '.join(names[:NAMES_TOLD])}{more}"
    return Failure(f"{path}: there is no channel {text!r}", hint)
