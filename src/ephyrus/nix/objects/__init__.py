"""Objects of the object model in NIX files, as Neo's NixIO keeps them.

A block is a NIX block, a segment a group, each channel of a signal a data array; events, epochs,
spike trains and views of channels are multi tags; annotations are properties of a section of the
same name. Where this layout has no place for something, it is kept in a form that other readers
see as plain text (:mod:`ephyrus.nix.objects.annotations`).

Source: files written by Neo's NixIO (neo 0.14), compared with what it reads back.
"""

from ephyrus.nix.objects.reading import NixPath, read_block
from ephyrus.nix.objects.writing import Written, write_block

__all__ = ["NixPath", "Written", "read_block", "write_block"]
