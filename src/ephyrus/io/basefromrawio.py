"""`BaseFromRaw`: the IO class over a Recording; one is derived from every format's declaration."""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from ephyrus.core import Block, Segment
from ephyrus.core.dataobject import DataObject
from ephyrus.errors import NeoReadWriteError
from ephyrus.export import writer
from ephyrus.io.baseio import BaseIO
from ephyrus.recording import Format, NullProgress, Progress, Recording
from ephyrus.recording.declaration import by_keyword
from ephyrus.recording.files import is_url
from ephyrus.recording.tree import (
    CascadeLoader,
    TreeOptions,
    read_block,
    read_blocks,
    read_protocol,
    read_segment,
)
from ephyrus.registry import format_module, open_recording

__all__ = ["BaseFromRaw"]

_TREE_KEYWORDS = {
    "create_group_across_segment": "groups",
    "signal_group_mode": "signal_group_mode",
    "load_waveforms": "load_waveforms",
    "time_slice": "time_slice",
    "strict_slicing": "strict_slicing",
    "lazy": "lazy",
    "cascade": "cascade",
}
_OWN_KEYWORDS = ("access", "progress", "limits", "storage_options")


class BaseFromRaw(BaseIO):
    """Reads (and, where the format is writable, writes) one recording as Blocks.

    Parameters
    ----------
    filename, dirname : path-like or str
        The recording; either name is accepted.
    *args, **kwargs
        Options of the format, in the order of ``FORMAT.options``, and: `access`, `progress`,
        `limits`, `storage_options` (see :func:`ephyrus.open`), and ``errors="salvage"`` to read
        what is sound of a damaged file (default "raise").

    Raises
    ------
    FileNotFoundError
        If the file is not there (formats that are also written: when it is read).
    FormatError
        If it is not of this format, or damaged.
    """

    format: ClassVar[Format]

    def __init__(
        self,
        filename: str | os.PathLike[str] | None = None,
        *args: Any,
        dirname: str | os.PathLike[str] | None = None,
        errors: Literal["raise", "salvage"] = "raise",
        **kwargs: Any,
    ) -> None:
        if filename is not None and dirname is not None:
            raise TypeError(f"{type(self).__name__} takes filename or dirname, not both")
        if errors not in ("raise", "salvage"):
            raise ValueError(f'errors must be "raise" or "salvage", not {errors!r}')
        path = filename if dirname is None else dirname
        if path is None and self.mode != "fake":
            raise TypeError(f"{type(self).__name__} needs a filename")
        super().__init__("" if path is None else path)
        self.dirname = self.filename
        self._salvage = errors == "salvage"
        self._own = {name: kwargs.pop(name) for name in _OWN_KEYWORDS if name in kwargs}
        self._given = self._named(args, kwargs)
        self._recording: Recording | None = None
        if not self.is_writable or self._is_there():
            self._check_kind()
            self._recording = self._opened(self._given)

    def _named(self, args: Sequence[Any], kwargs: dict[str, Any]) -> dict[str, Any]:
        """Give names to options that came by position."""
        names = [option.name for option in self.format.options]
        if len(args) > len(names):
            raise TypeError(
                f"{type(self).__name__} takes {len(names)} options after the file name, "
                f"{len(args)} were given"
            )
        named = dict(zip(names, args, strict=False))
        if doubled := sorted(set(named) & set(kwargs)):
            raise TypeError(f"{type(self).__name__} got {', '.join(doubled)} twice")
        return named | kwargs

    def _is_there(self) -> bool:
        path = self.filename or ""
        return is_url(path) or Path(path).expanduser().exists()

    def _check_kind(self) -> None:
        """Say which kind of path the format takes if the other one was given."""
        path = Path(self.filename or "").expanduser()
        if self.mode == "file" and path.is_dir():
            raise TypeError(f"{path} is a folder; {type(self).__name__} reads a file")

    def _opened(self, options: Mapping[str, Any]) -> Recording:
        return open_recording(
            self.filename or "example.fake",
            format=self.format.name,
            salvage=self._salvage,
            **self._own,
            **options,
        )

    @property
    def recording(self) -> Recording:
        """The open recording.

        Raises
        ------
        FileNotFoundError
            If the file is not there (it may be about to be written).
        """
        if self._recording is None:
            self._recording = self._opened(self._given)
        return self._recording

    def read_block(self, block_index: int = 0, lazy: bool = False, **kwargs: Any) -> Block:
        """Read one block.

        Parameters
        ----------
        block_index : int
            Which block.
        lazy : bool
            Give objects of size 0 that load their data when asked to.
        cascade : bool or "lazy"
            Give children now (True), not at all (False), or when they are touched ("lazy").
        create_group_across_segment : bool, dict or None
            Groups of the same signal or unit over segments; None: of signals.
        signal_group_mode : str, optional
            ``"group-by-same-units"`` or ``"split-all"`` (see the format).
        load_waveforms : bool
            Load waveforms of spikes too.
        time_slice : (start, stop), optional
            Read this window only: Quantity, or float in seconds, or None for an open end.
        strict_slicing : bool
            A bound outside a segment is an error; else it is clipped.
        **kwargs
            Options of the format, for this call only.

        Returns
        -------
        Block
        """
        recording, options = self._prepared(lazy, kwargs)
        return read_block(recording, block_index, options)

    def read_segment(
        self,
        block_index: int = 0,
        seg_index: int = 0,
        lazy: bool = False,
        **kwargs: Any,
    ) -> Segment:
        """Read one segment of a block; parameters as for `read_block`."""
        recording, options = self._prepared(lazy, kwargs)
        return read_segment(recording, block_index, seg_index, options)

    def read_all_blocks(self, lazy: bool = False, **kwargs: Any) -> list[Block]:
        """Read every block; parameters as for `read_block`."""
        recording, options = self._prepared(lazy, kwargs)
        return read_blocks(recording, options)

    def _prepared(self, lazy: bool, kwargs: dict[str, Any]) -> tuple[Recording, TreeOptions]:
        """Sort keywords into those of the tree and options of the format."""
        tree = {
            ours: kwargs.pop(theirs) for theirs, ours in _TREE_KEYWORDS.items() if theirs in kwargs
        }
        recording = self.recording
        if kwargs:
            translate = getattr(format_module(self.format.name), "read_options", None)
            given = (
                {**self._given, **kwargs} if translate is None else translate(self._given, kwargs)
            )
            tree.setdefault("signal_group_mode", given.pop("signal_group_mode", None))
            recording = self._opened(given)
        return recording, TreeOptions(lazy=lazy, **tree)

    def load_lazy_object(self, obj: DataObject) -> DataObject:
        """Load a lazy object of this reader.

        Parameters
        ----------
        obj : DataObject
            A lazy object.

        Returns
        -------
        DataObject
            The full object; its `segment` is None.

        Raises
        ------
        ValueError
            If the object is loaded already or belongs to another reader.
        """
        source = getattr(obj, "_source", None)
        if source is None:
            raise ValueError(f"this {type(obj).__name__} is not lazy: its data are loaded already")
        if getattr(source, "recording", None) is not self._recording:
            raise ValueError(f"this {type(obj).__name__} belongs to another reader")
        loaded: DataObject = obj.load()
        return loaded

    def load_lazy_cascade(self, address: Any, lazy: bool) -> Any:
        """Load the object at an address that a list of ``cascade="lazy"`` holds."""
        return CascadeLoader(self.recording).load_lazy_cascade(address, lazy)

    def write_block(self, block: Block, **kwargs: Any) -> None:
        """Write a block, beside the file first; the old file stays whole if that fails.

        Raises
        ------
        NeoReadWriteError
            If the format is not written or cannot hold the block.
        """
        self._write(block, kwargs)

    def write_segment(self, segment: Segment, **kwargs: Any) -> None:
        """Write a segment; otherwise as `write_block`."""
        block, parent = Block(name=segment.name), segment.block
        block.segments.append(segment)
        try:
            self._write(block, kwargs)
        finally:
            segment.block = parent

    def _write(self, block: Block, kwargs: dict[str, Any]) -> None:
        if not self.is_writable:
            raise NeoReadWriteError(f"{self.name} files are read, not written")
        known = by_keyword(self.format.write_options)
        progress: Progress = self._own.get("progress") or NullProgress()
        given = {name: value for name, value in self._given.items() if name in known} | kwargs
        options = self.format.option_values(given, writing=True)
        self.close()
        self._recording = None
        path = Path(self.filename or "").expanduser()
        report = writer(self.format.name)([block], path, options, progress=progress)
        for loss in report.losses:
            self.logger.warning("%s: %s", path, loss)

    def close(self) -> None:
        """Release files; reading again opens them."""
        if self._recording is not None:
            self._recording.close()

    @property
    def isopen(self) -> bool:
        """Whether files are held open."""
        return self._recording is not None and self._recording.is_open


def protocol_reader(self: BaseFromRaw) -> list[Segment]:
    """Read the command signals of the protocol.

    Returns
    -------
    list of Segment
        One per sweep, each with one AnalogSignal per output channel.
    """
    return read_protocol(self.recording)


def signature(declared: Format) -> inspect.Signature:
    """Give the signature that a derived class shows: its format's options by name."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    both = inspect.Parameter.POSITIONAL_OR_KEYWORD
    options = [
        inspect.Parameter(option.name, both, default=option.default) for option in declared.options
    ]
    own = [
        inspect.Parameter("dirname", keyword, default=None),
        inspect.Parameter("errors", keyword, default="raise"),
        *(inspect.Parameter(name, keyword, default=None) for name in _OWN_KEYWORDS),
    ]
    return inspect.Signature([inspect.Parameter("filename", both, default=None), *options, *own])
