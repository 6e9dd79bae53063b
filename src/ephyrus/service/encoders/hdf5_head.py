"""The bytes of an HDF5 file that stand before the samples of its only dataset.

Laid out by the public HDF5 File Format Specification in the oldest forms that every HDF5 library
reads: superblock 0, a root group of one symbol table node, object headers of version 1. None of
them has a checksum, and the only addresses that depend on the dataset are patched into constant
bytes, so that a head costs a few microseconds. The samples follow in one piece, so that the length
of the file is known before any of them is read.

Order in the file: superblock, root group (header, B-tree node, symbol table node, head of the name
heap), texts of the attributes (global heap), name of the dataset, header of the dataset, samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from ephyrus.service.arrays.part import ArrayPart

__all__ = ["MAX_DIMENSIONS", "hdf5_head"]

MAX_DIMENSIONS = 32  # of a dataspace

_UNDEFINED = b"\xff" * 8  # an address that leads nowhere
_ROOT_HEADER = 96
_TREE = 136
_NODE = 680
_NAME_HEAP = 1008
_TEXTS = 1040  # address of the global heap: constant, so that attributes do not depend on it
_NAME_OFFSET = 8  # of the dataset's name in the name heap; at 0 is the empty name
_LEAF_K = 4  # half of the entries of a symbol table node
_TREE_K = 16  # half of the children of a B-tree node
_HEAP_MINIMUM = 4096  # bytes of the smallest global heap that the specification allows
_MAX_MESSAGE = 65535 - 7  # bytes of a header message: 16 bits, padded to 8
_MAX_MESSAGES = 65535 - 4

_DATASPACE, _DATATYPE, _FILL, _LAYOUT, _ATTRIBUTE, _SYMBOL_TABLE = 0x1, 0x3, 0x5, 0x8, 0xC, 0x11


def _u16(value: int) -> bytes:
    return value.to_bytes(2, "little")


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _u64(value: int) -> bytes:
    return value.to_bytes(8, "little")


def _padded(data: bytes) -> bytes:
    """Fill up with zeros to a multiple of 8."""
    return data + bytes(-len(data) % 8)


def _message(kind: int, data: bytes) -> bytes:
    """One message of an object header of version 1: type, size, no flags, the padded data."""
    size = len(data) + -len(data) % 8
    return b"".join((_u16(kind), _u16(size), bytes(4), data, bytes(size - len(data))))


def _object_header(messages: bytes, count: int) -> bytes:
    """Frame messages as an object header of version 1 with one reference to it."""
    return b"".join((b"\1\0", _u16(count), _u32(1), _u32(len(messages)), bytes(4), messages))


def _group() -> bytes:
    """Everything up to the global heap, with zeros where the dataset's addresses belong."""
    tables = _u64(_TREE) + _u64(_NAME_HEAP)
    root_entry = _u64(0) + _u64(_ROOT_HEADER) + _u32(1) + _u32(0) + tables
    superblock = b"".join(
        (
            b"\x89HDF\r\n\x1a\n",
            bytes((0, 0, 0, 0, 0, 8, 8, 0)),  # versions; 8 bytes for addresses and for lengths
            _u16(_LEAF_K) + _u16(_TREE_K) + _u32(0),
            _u64(0) + _UNDEFINED,  # base address, free space
            _u64(0) + _UNDEFINED,  # end of the file, driver information
            root_entry,
        )
    )
    root = _object_header(_message(_SYMBOL_TABLE, tables), 1)
    tree = b"TREE" + b"\0\0" + _u16(1) + _UNDEFINED * 2 + _u64(0) + _u64(_NODE) + _u64(_NAME_OFFSET)
    node = b"SNOD" + b"\1\0" + _u16(1) + _u64(_NAME_OFFSET) + _u64(0)
    heap = b"HEAP" + bytes(4) + _u64(0) + _u64(1) + _u64(0)  # 1: no free space in it
    parts = ((superblock, _ROOT_HEADER), (root, _TREE), (tree, _NODE), (node, _NAME_HEAP))
    data = b""
    for piece, end in parts:
        data = (data + piece).ljust(end, b"\0")
    return data + heap


_GROUP = _group()
_BEFORE_END = _GROUP[:40]
_BEFORE_HEADER = _GROUP[48:696]
_BEFORE_SEGMENT = _GROUP[704:1016]


def _fixed_point(size: int, *, signed: bool, big: bool = False) -> bytes:
    """Datatype of an integer."""
    flags = (8 if signed else 0) | (1 if big else 0)
    return bytes((0x10, flags, 0, 0)) + _u32(size) + _u16(0) + _u16(8 * size)


# bytes: (place of the sign, first bit and bits of the exponent, bits of the mantissa, bias)
_FLOATS = {2: (15, 10, 5, 10, 15), 4: (31, 23, 8, 23, 127), 8: (63, 52, 11, 52, 1023)}


def _floating_point(size: int, *, big: bool = False) -> bytes:
    """Datatype of an IEEE 754 number."""
    sign, exponent, exponent_bits, mantissa_bits, bias = _FLOATS[size]
    flags = 0x20 | (1 if big else 0)  # 0x20: the first bit of the mantissa is implied
    fields = bytes((exponent, exponent_bits, 0, mantissa_bits))
    return (
        bytes((0x11, flags, sign, 0)) + _u32(size) + _u16(0) + _u16(8 * size) + fields + _u32(bias)
    )


def _boolean() -> bytes:
    """Datatype of a truth value: an enumeration of two names, as libraries have come to keep it."""
    base = _fixed_point(1, signed=True)
    return bytes((0x18, 2, 0, 0)) + _u32(1) + base + b"FALSE\0\0\0" + b"TRUE\0\0\0\0" + b"\0\1"


@lru_cache(maxsize=256)
def _datatype(dtype: np.dtype[Any]) -> bytes:
    """Datatype of the samples."""
    size = dtype.itemsize
    big = dtype.str.startswith(">")
    if dtype.kind == "f":
        return _floating_point(size, big=big)
    if dtype.kind == "b":
        return _boolean()
    if dtype.kind == "S":
        return bytes((0x13, 0x11, 0, 0)) + _u32(size)  # padded with zeros, UTF-8
    return _fixed_point(size, signed=dtype.kind == "i", big=big)


# text of any length in the global heap: (variable-length text in UTF-8) of bytes
_TEXT = bytes((0x19, 1, 1, 0)) + _u32(16) + _fixed_point(1, signed=False)
_VALUE_TYPES = {
    "text": _TEXT,
    "float": _floating_point(8),
    "int": _fixed_point(8, signed=True),
    "uint": _fixed_point(8, signed=False),
}
_VALUE_BYTES = {"text": 16, "float": 8, "int": 8, "uint": 8}
_SCALAR = bytes((1, 0, 0, 0, 0, 0, 0, 0))


@lru_cache(maxsize=1024)
def _attribute_frame(name: str, kind: str) -> tuple[bytes, bytes]:
    """Return what stands before and behind the value of an attribute."""
    text = name.encode() + b"\0"
    datatype = _VALUE_TYPES[kind]
    sizes = _u16(len(text) & 0xFFFF) + _u16(len(datatype)) + _u16(len(_SCALAR))
    head = bytes((3, 0)) + sizes + b"\1" + text + datatype + _SCALAR
    size = len(head) + _VALUE_BYTES[kind]
    if b"\0" in text[:-1] or not name or size > _MAX_MESSAGE:
        msg = f"{name[:40]!r} cannot name an attribute: 1 to 65,000 bytes without zeros are needed"
        raise ValueError(msg)
    padding = -size % 8
    return _u16(_ATTRIBUTE) + _u16(size + padding) + bytes(4) + head, bytes(padding)


def _attributes(values: Mapping[str, str | int | float | None]) -> tuple[list[bytes], list[bytes]]:
    """Return the messages of the attributes and the texts that they refer to."""
    messages: list[bytes] = []
    texts: list[bytes] = []
    for name, value in values.items():
        if value is None:
            continue
        if isinstance(value, str):
            kind, data = "text", _text_value(value, texts)
        elif isinstance(value, int | np.integer):
            kind = "int" if value < 2**63 else "uint"
            data = int(value).to_bytes(8, "little", signed=kind == "int")
        else:
            kind, data = "float", np.float64(value).tobytes()
        before, behind = _attribute_frame(name, kind)
        messages.append(before + data + behind)
    if len(messages) > _MAX_MESSAGES:
        msg = f"{len(messages)} attributes: an object of an HDF5 file has at most {_MAX_MESSAGES}"
        raise ValueError(msg)
    return messages, texts


def _text_value(value: str, texts: list[bytes]) -> bytes:
    """Put a text behind the others; return what refers to it: length, heap, number in the heap."""
    data = value.encode()
    if not data:
        return bytes(16)
    texts.append(data)
    return _u32(len(data)) + _u64(_TEXTS) + _u32(len(texts))


def _global_heap(texts: list[bytes]) -> bytes:
    """One global heap with all texts, of at least the least size."""
    if not texts:
        return b""
    objects = [
        b"".join((_u16(number), b"\1\0\0\0\0\0", _u64(len(text)), text, bytes(-len(text) % 8)))
        for number, text in enumerate(texts, start=1)
    ]
    data = b"".join(objects)
    size = max(_HEAP_MINIMUM, 16 + len(data))
    free = size - 16 - len(data)
    # the rest is object 0; when less than its own head is left there is no such object
    rest = bytes(8) + _u64(free) if free >= 16 else b""
    return (b"GCOL\1\0\0\0" + _u64(size) + data + rest).ljust(size, b"\0")


@lru_cache(maxsize=4096)
def _space_and_type(shape: tuple[int, ...], dtype: np.dtype[Any]) -> bytes:
    """Messages of the shape, the datatype and the fill value."""
    space = bytes((1, len(shape), 0, 0, 0, 0, 0, 0)) + b"".join(map(_u64, shape))
    fill = bytes((2, 2, 2, 1, 0, 0, 0, 0))  # storage late, written if set, the default: zero
    return b"".join(
        (_message(_DATASPACE, space), _message(_DATATYPE, _datatype(dtype)), _message(_FILL, fill))
    )


@lru_cache(maxsize=4096)
def _name_segment(name: str) -> bytes:
    """Return the names that the root group needs: the empty one and that of the dataset."""
    if not name or name == "." or "/" in name or "\0" in name:
        msg = f"{name!r} cannot name a dataset of an HDF5 file"
        raise ValueError(msg)
    return bytes(8) + _padded(name.encode() + b"\0")


def hdf5_head(part: ArrayPart) -> bytes:
    """Return the bytes of an HDF5 file up to its samples.

    Parameters
    ----------
    part : ArrayPart
        What the only dataset holds: its name, dtype (integers, floating point, truth values,
        text), shape and attributes. Texts become attributes of variable length in UTF-8,
        whole numbers int64 (uint64 beyond), others float64.

    Returns
    -------
    bytes
        Its length is a multiple of 8. `part.nbytes` bytes of samples complete the file.

    Raises
    ------
    ValueError
        A name that HDF5 does not allow, or more than 32 dimensions.
    OverflowError
        A whole number in the attributes that 64 bits cannot hold.
    """
    if len(part.shape) > MAX_DIMENSIONS:
        msg = (
            f"{len(part.shape)} dimensions: a dataset of an HDF5 file has at most {MAX_DIMENSIONS}"
        )
        raise ValueError(msg)
    attributes, texts = _attributes(part.attributes)
    heap = _global_heap(texts)
    segment = _name_segment(part.name)
    messages = b"".join((_space_and_type(part.shape, part.dtype), *attributes))
    segment_at = _TEXTS + len(heap)
    header_at = segment_at + len(segment)
    layout_bytes = 32  # 8 of the message's head, 18, 6 to fill up
    samples_at = header_at + 16 + len(messages) + layout_bytes
    size = part.nbytes
    where = _u64(samples_at) if size else _UNDEFINED
    layout = _message(_LAYOUT, b"\3\1" + where + _u64(size))
    header = _object_header(layout + messages, 4 + len(attributes))
    return b"".join(
        (
            _BEFORE_END,
            _u64(samples_at + size),
            _BEFORE_HEADER,
            _u64(header_at),
            _BEFORE_SEGMENT,
            _u64(len(segment)) + _u64(1) + _u64(segment_at),
            heap,
            segment,
            header,
        )
    )
