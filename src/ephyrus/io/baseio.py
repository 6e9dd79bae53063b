"""`BaseIO`: what all IO classes share, and what a hand-written one overrides."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Literal

from ephyrus._logging import attach_handler
from ephyrus.core import Block, Segment, objectlist
from ephyrus.errors import NeoReadWriteError

__all__ = ["BaseIO", "read_error", "write_error"]

read_error = "This type is not supported by this file format for reading"
write_error = "This type is not supported by this file format for writing"


class BaseIO:
    """Reads and writes one file or folder of one format.

    Parameters
    ----------
    filename : path-like, optional
        The file (or folder, for formats that are folders).

    Attributes
    ----------
    is_readable, is_writable : bool
        What the class can do.
    supported_objects : list of class
        Core classes that can occur in the result.
    readable_objects, writeable_objects, writable_objects : list of class
        What a ``read_...`` gives directly, the highest level first; what a ``write_...`` takes.
    support_lazy : bool
        ``lazy=True`` gives objects that load their data when asked to.
    has_header, is_streameable : bool
        Informative.
    read_params, write_params : dict
        Class to list of (name, description) of keyword arguments, for graphical interfaces.
    name, description : str
        Name of the format.
    extensions : list of str
        Usual name endings, without dot.
    mode : {"file", "dir", "database", "fake"}
        What a path of this format is.
    logger : logging.Logger
        Logger of the instance.
    """

    is_readable: ClassVar[bool] = False
    is_writable: ClassVar[bool] = False
    supported_objects: ClassVar[list[type]] = []
    readable_objects: ClassVar[list[type]] = []
    writeable_objects: ClassVar[list[type]] = []
    support_lazy: ClassVar[bool] = True
    has_header: ClassVar[bool] = False
    is_streameable: ClassVar[bool] = False
    read_params: ClassVar[dict[type, list[tuple[str, dict[str, Any]]]]] = {}
    write_params: ClassVar[dict[type, list[tuple[str, dict[str, Any]]]]] = {}
    name: ClassVar[str] = "BaseIO"
    description: ClassVar[str] = ""
    extensions: ClassVar[list[str]] = []
    mode: ClassVar[Literal["file", "dir", "database", "fake"]] = "file"

    def __init__(self, filename: str | os.PathLike[str] | None = None, **kwargs: Any) -> None:
        self.filename = None if filename is None else os.fspath(filename)
        attach_handler()
        kind = type(self)
        self.logger = logging.getLogger(f"ephyrus.io.{kind.__name__.lower()}.{kind.__name__}")

    @property
    def writable_objects(self) -> list[type]:
        """Same list as `writeable_objects`."""
        return self.writeable_objects

    def read(self, lazy: bool = False, cascade: Any = True, **kwargs: Any) -> list[Block]:
        """Read everything.

        Parameters
        ----------
        lazy : bool
            Give objects that load their data when asked to.
        cascade : bool or "lazy"
            Give children now, not at all, or when they are touched.

        Returns
        -------
        list of Block

        Raises
        ------
        NotImplementedError
            If the class reads neither blocks nor segments.
        """
        options = {"lazy": lazy, "cascade": cascade, **kwargs}
        if hasattr(self, "read_all_blocks"):
            return list(self.read_all_blocks(**options))
        reader: Any = self  # has a read_... for every class, most of which refuse
        if Block in self.readable_objects:
            return [reader.read_block(**options)]
        if Segment in self.readable_objects:
            block = Block(name="One segment only")
            if cascade:
                block.segments.append(reader.read_segment(**options))
            return [block]
        raise NotImplementedError(f"{type(self).__name__} reads neither blocks nor segments")

    def write(self, bl: Any, **kwargs: Any) -> None:
        """Write a Block, a list of Blocks, or a Segment.

        Raises
        ------
        NeoReadWriteError
            If the format cannot hold it.
        """
        if isinstance(bl, Sequence):
            if hasattr(self, "write_all_blocks"):
                self.write_all_blocks(bl, **kwargs)
                return
            if len(bl) != 1:
                raise NeoReadWriteError(
                    f"{self.name} holds one block, {len(bl)} were given: write each to a file"
                )
            bl = bl[0]
        if isinstance(bl, Block) and Block not in self.writeable_objects:
            bl = single_segment(bl, self.name)
        writer: Callable[..., None] = getattr(self, f"write_{type(bl).__name__.lower()}", _refuse)
        writer(bl, **kwargs)

    def close(self) -> None:
        """Release files; reading again opens them."""

    @property
    def isopen(self) -> bool:
        """Whether files are held open."""
        return False

    def __enter__(self) -> BaseIO:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.filename!r})"


def single_segment(block: Block, format_name: str) -> Segment:
    """Give the only segment of a block.

    Raises
    ------
    NeoReadWriteError
        If there is not exactly one.
    """
    if len(block.segments) != 1:
        raise NeoReadWriteError(
            f"{format_name} holds one segment, the block has {len(block.segments)}: "
            "write block.segments[i] to a file each"
        )
    return block.segments[0]


def _refuse(self_or_object: Any, *args: Any, **kwargs: Any) -> Any:
    raise NeoReadWriteError(write_error)


def _unsupported(verb: str, kind: str, message: str) -> Callable[..., Any]:
    """Make the method for an object that a format does not know."""

    def method(self: BaseIO, *args: Any, **kwargs: Any) -> Any:
        raise NeoReadWriteError(f"{message} ({type(self).__name__}.{method.__name__})")

    method.__name__ = f"{verb}_{kind.lower()}"
    method.__doc__ = f"Raise `NeoReadWriteError` where the format does not {verb} a {kind}."
    return method


for _kind in objectlist:
    for _verb, _message in (("read", read_error), ("write", write_error)):
        _method = _unsupported(_verb, _kind.__name__, _message)
        setattr(BaseIO, _method.__name__, _method)
