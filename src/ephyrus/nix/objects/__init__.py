"""Objects of the object model in NIX files, as Neo's NixIO keeps them.

A block is a NIX block, a segment a group, each channel of a signal a data array; events, epochs,
spike trains and views of channels are multi tags; annotations are properties of a section of the
same name. Where this layout has no place for something, it is kept in a form that other readers
see as plain text (:mod:`ephyrus.nix.objects.annotations`).

Source: files written by Neo's NixIO (neo 0.14), compared with what it reads back.
"""

from ephyrus.nix.objects.plain import read_plain
from ephyrus.nix.objects.reading import BlockReader, NixPath, block_names, read_block
from ephyrus.nix.objects.target import Written, bytes_of
from ephyrus.nix.objects.tree import facts_of
from ephyrus.nix.objects.writing import write_block

__all__ = [
    "BlockReader",
    "NixPath",
    "Written",
    "block_names",
    "bytes_of",
    "facts_of",
    "read_block",
    "read_plain",
    "write_block",
]
