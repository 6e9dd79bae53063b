"""Printing of trees (`pprint`)."""

from __future__ import annotations

import sys
from typing import Any

__all__ = ["cut", "emit", "print_block", "print_data_array", "print_data_frame", "print_file"]


def cut(text: str, length: int) -> str:
    """Shorten a text to a length."""
    if length <= 0 or len(text) <= length:
        return text
    return f"{text[: max(0, length - 4)]} ..."


def emit(line: str) -> None:
    """Print one line."""
    sys.stdout.write(f"{line}\n")


class _Lines:
    """Prints indented lines."""

    def __init__(self, indent: int, max_length: int) -> None:
        self.indent = indent
        self.max_length = max_length

    def __call__(self, depth: int, text: str) -> None:
        emit(" " * self.indent * depth + cut(text, self.max_length))


def print_data_array(
    array: Any, indent: int, max_length: int, depth: int, *, extra: bool = True
) -> None:
    """Print a data array."""
    line = _Lines(indent, max_length)
    line(depth, str(array))
    if extra:
        line(depth + 1, f"Shape: {array.shape} Unit: {array.unit}")
        for dimension in array.dimensions:
            line(depth + 1, str(dimension))


def print_data_frame(
    frame: Any, indent: int, max_length: int, depth: int, *, extra: bool = True
) -> None:
    """Print a data frame."""
    line = _Lines(indent, max_length)
    line(depth, str(frame))
    if extra:
        line(depth + 1, f"Shape: {frame.shape} Columns: {frame.column_names}")


def _print_tag(tag: Any, indent: int, max_length: int, depth: int, *, extra: bool) -> None:
    line = _Lines(indent, max_length)
    line(depth, str(tag))
    if extra and tag._words == "tag":
        line(depth + 1, f"Position Length: {len(tag.position)} Units: {tag.units}")
    elif extra:
        line(depth + 1, f"Positions: {tag.positions.shape} Units: {tag.units}")


def print_block(
    block: Any, indent: int, max_length: int, depth: int, *, extra: bool = True
) -> None:
    """Print a block and what is in it."""
    line = _Lines(indent, max_length)
    line(depth, str(block))
    for array in block.data_arrays:
        print_data_array(array, indent, max_length, depth + 1, extra=extra)
    for frame in block.data_frames:
        print_data_frame(frame, indent, max_length, depth + 1, extra=extra)
    for tags in (block.tags, block.multi_tags):
        for tag in tags:
            _print_tag(tag, indent, max_length, depth + 1, extra=extra)
    for group in block.groups:
        line(depth + 1, str(group))
    for source in block.sources:
        line(depth + 1, str(source))


def print_file(file: Any, indent: int, max_length: int, max_depth: int, *, extra: bool) -> None:
    """Print a file: its blocks, then its sections."""
    emit(f"File: name = {file._store.path}")
    for block in file.blocks:
        print_block(block, indent, max_length, 1, extra=extra)
    for section in file.sections:
        section.pprint(indent=indent, max_depth=max_depth, max_length=max_length, current_depth=1)
