"""`NixIO`: reads, writes and edits NIX files that hold objects."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ephyrus.core import Block, Segment
from ephyrus.core.dataobject import DataObject
from ephyrus.errors import NeoReadWriteError
from ephyrus.formats.nix import file_of
from ephyrus.io.basefromrawio import BaseFromRaw
from ephyrus.nix.enums import Compression, FileMode
from ephyrus.nix.file import File
from ephyrus.nix.objects import BlockReader, NixPath, block_names, bytes_of, facts_of, write_block
from ephyrus.recording import NullProgress, Progress, Recording, under_way
from ephyrus.recording.files import is_url
from ephyrus.registry import file_set

__all__ = ["NixIO"]

MODES = {"ro": FileMode.ReadOnly, "rw": FileMode.ReadWrite, "ow": FileMode.Overwrite}


class NixIO(BaseFromRaw):
    """Reads and writes blocks of a NIX file, as Neo's class of this name.

    Parameters
    ----------
    filename, dirname : path-like or str
        The file; an address (``https://...``) is read only.
    mode : {"rw", "ro", "ow"}
        Read and write (a file that is missing is made by the first write), read only, or
        overwrite. A file is opened for writing when something is written, or `nix_file` asked for.
    safe : bool, optional
        Edit a copy that takes the place of the file on `close`. Default: only for ``"ow"``.
        Without it, a crash in the middle of an edit can leave a damaged file.
    **kwargs
        `access`, `progress`, `limits`, `storage_options` and `errors`, as for other IO classes.

    Raises
    ------
    ValueError
        If the mode is none.
    FileNotFoundError
        If the file is not there (``"rw"``: when it is read).
    FormatError
        If it is no NIX file, or damaged.

    Examples
    --------
    >>> from ephyrus.core import Block
    >>> from ephyrus.io import NixIO
    >>> with NixIO("session.nix", mode="ow") as file:
    ...     file.write_block(Block(name="session 1"))
    >>> with NixIO("session.nix", mode="ro") as file:
    ...     file.read_block(neoname="session 1").name
    'session 1'
    """

    def __init__(
        self,
        filename: str | os.PathLike[str] | None = None,
        mode: str = "rw",
        *,
        dirname: str | os.PathLike[str] | None = None,
        safe: bool | None = None,
        **kwargs: Any,
    ) -> None:
        if mode not in MODES:
            raise ValueError(f'mode must be "ro", "rw" or "ow", not {mode!r}')
        super().__init__(filename, dirname=dirname, **kwargs)
        self._mode = mode
        self._safe = safe
        self._next = 0
        self._file: File | None = None
        self._is_fresh = mode == "ow"  # the first opening empties the file
        self._place = self._located(self.filename or "")
        if self._is_fresh:
            self._writable_file()
        elif mode == "ro" or self._exists():
            self._check_kind()
            block_names(self._place)

    def _is_there(self) -> bool:
        """Tell that nothing is to be opened yet: see `recording`."""
        return False

    def _exists(self) -> bool:
        return super()._is_there()

    def _located(self, path: str) -> NixPath:
        """Tell how the file is opened for reading."""
        if not is_url(path):
            return NixPath(str(Path(path).expanduser().absolute()))
        if self._mode == "ow":
            raise NeoReadWriteError(f"{path}: files at an address can only be read")
        files = file_set(path, storage_options=self._own.get("storage_options"))
        return NixPath(path, opener=partial(file_of, files))

    # --- the file ---

    @property
    def nix_file(self) -> File:
        """The open NIX file: for reading in mode ``"ro"``, else for writing too.

        Raises
        ------
        FileNotFoundError
            If it is not there, in mode ``"ro"``.
        VersionError
            A RuntimeError: files before version 1.2.1 cannot be edited; `ephyrus nix upgrade`
            brings them up to date.
        """
        return self._place.file if self._mode == "ro" else self._writable_file()

    def _writable_file(self) -> File:
        """Give the file, open for writing."""
        if self._mode == "ro":
            raise NeoReadWriteError(f'{self.filename} was opened with mode="ro": use mode="rw"')
        if is_url(self.filename or ""):
            raise NeoReadWriteError(f"{self.filename}: files at an address can only be read")
        if self._file is None or not self._file.is_open():
            self._forget()
            mode = MODES["ow" if self._is_fresh else "rw"]
            self._file = File(self._place.path, mode, safe=self._safe)
            self._is_fresh = False
            self._place.use(self._file)
        return self._file

    def _forget(self) -> None:
        """Close what reads the file, before it is written."""
        self._place.close()
        if self._recording is not None:
            self._recording.close()
            self._recording = None

    @property
    def recording(self) -> Recording:
        """The file as a recording, as it is on the disk.

        Raises
        ------
        FileNotFoundError
            If the file is not there (it may be about to be written).
        """
        if self._file is not None and self._file.is_open():
            self._file.flush()
        return super().recording

    @property
    def isopen(self) -> bool:
        """Whether the file is held open."""
        return self._place.is_open or super().isopen

    def close(self) -> None:
        """Close the file; reading again opens it."""
        self._place.close()
        self._file = None
        super().close()

    # --- reading ---

    def _names(self) -> list[str]:
        return block_names(self._place)

    def read_block(  # type: ignore[override]  # Neo's own order of arguments
        self,
        index: int | None = None,
        nixname: str | None = None,
        neoname: str | None = None,
        lazy: bool = False,
        *,
        cascade: Any = True,
        block_index: int | None = None,
        **kwargs: Any,
    ) -> Block | None:
        """Read one block.

        Parameters
        ----------
        index : int, optional
            Which one, in the order of the file. It counts before `nixname`, and this before
            `neoname`; without any of them the next block is read.
        nixname : str, optional
            Name of the NIX block.
        neoname : str, optional
            Name of the block as an object.
        lazy : bool
            Give objects of size 0 that load their data when asked to.
        cascade : bool or "lazy"
            Give children now (True), not at all (False), or when they are touched ("lazy").
        block_index : int, optional
            As `index`: the name that other IO classes have for it.
        **kwargs
            `time_slice`, `strict_slicing` and the like, as other IO classes take them.

        Returns
        -------
        Block or None
            None after the last block.

        Raises
        ------
        IndexError
            If there is no block of this index.
        KeyError
            If there is none of this name.
        """
        index = block_index if index is None else index
        names = self._names()
        chosen = self._position(names, index, nixname, neoname)
        if chosen is None:
            return None
        if kwargs or not names:  # windows of time; NIX files without objects
            return super().read_block(chosen, lazy, cascade=cascade, **kwargs)
        return self._block(names[chosen], lazy=lazy, cascade=cascade)

    def _position(
        self, names: list[str], index: int | None, nixname: str | None, neoname: str | None
    ) -> int | None:
        """Tell which block is meant; None after the last one."""
        count = len(names) or len(self._plain_blocks())
        if index is not None:
            if not -count <= index < count:
                raise IndexError(f"{self.filename} has {count} blocks, asked for block {index}")
            return index % count
        if nixname is not None:
            if nixname not in names:
                raise KeyError(f"no NIX block {nixname!r} in {self.filename}; there are {names}")
            return names.index(nixname)
        if neoname is not None:
            return self._named_block(names, neoname)
        self._next += 1
        return self._next - 1 if self._next <= count else None

    def _plain_blocks(self) -> Sequence[Any]:
        """Give the blocks of a file that holds no objects; none of a file that holds nothing."""
        return self.recording.blocks if len(self._place.file.blocks) else ()

    def _named_block(self, names: list[str], neoname: str) -> int:
        found = [facts_of(self._place.block(name)).reserved.get("neo_name") for name in names]
        if neoname not in found:
            raise KeyError(f"no block {neoname!r} in {self.filename}; there are {found}")
        return found.index(neoname)

    def _block(self, name: str, *, lazy: bool, cascade: Any) -> Block:
        if cascade not in (True, False, "lazy"):
            raise ValueError(f'cascade must be True, False or "lazy", not {cascade!r}')
        reader = BlockReader(self._place, name, lazy=lazy)
        if not cascade:
            return reader.bare()
        return reader.deferred() if cascade == "lazy" else reader.whole()

    def read_segment(
        self, block_index: int = 0, seg_index: int = 0, lazy: bool = False, **kwargs: Any
    ) -> Segment:
        """Read one segment of a block; parameters as for `read_block`."""
        names = self._names()
        if kwargs or not names:
            return super().read_segment(block_index, seg_index, lazy, **kwargs)
        chosen = names[self._position(names, block_index, None, None) or 0]
        segments = self._block(chosen, lazy=lazy, cascade="lazy").segments
        if not -len(segments) <= seg_index < len(segments):
            raise IndexError(
                f"block {block_index} of {self.filename} has {len(segments)} segments, "
                f"asked for segment {seg_index}"
            )
        return segments[seg_index]

    def read_all_blocks(
        self, lazy: bool = False, *, cascade: Any = True, **kwargs: Any
    ) -> list[Block]:
        """Read every block; parameters as for `read_block`."""
        count = len(self._names()) or len(self._plain_blocks())
        found = (self.read_block(at, lazy=lazy, cascade=cascade, **kwargs) for at in range(count))
        return [block for block in found if block is not None]

    def iter_blocks(self, lazy: bool = False, *, cascade: Any = True) -> Iterator[Block]:
        """Read one block after another; parameters as for `read_block`."""
        for at in range(len(self._names()) or len(self._plain_blocks())):
            block = self.read_block(at, lazy=lazy, cascade=cascade)
            if block is not None:
                yield block

    def load_lazy_object(self, obj: DataObject) -> DataObject:
        """Load a lazy object of this reader; see `BaseFromRaw.load_lazy_object`."""
        source: Any = getattr(obj, "_source", None)
        place = getattr(source, "place", None) or getattr(
            getattr(source, "values", None), "place", None
        )
        if place is self._place:
            loaded: DataObject = obj.load()
            return loaded
        return super().load_lazy_object(obj)

    def load_lazy_cascade(self, address: Any, lazy: bool) -> Any:
        """Load the object at an address that a list of ``cascade="lazy"`` holds."""
        if isinstance(address, tuple) and len(address) == 3 and isinstance(address[0], str):
            reader = BlockReader(self._place, address[0], lazy=lazy)
            return reader.load_lazy_cascade(address, lazy)
        return super().load_lazy_cascade(address, lazy)

    # --- writing ---

    def write_block(self, block: Block, use_obj_names: bool = False, **kwargs: Any) -> None:
        """Write a block; one that was written before is replaced.

        Parameters
        ----------
        block : Block
            The block, lazy or not. Every object gets the annotation ``nix_name``, by which it is
            known when it is written again.
        use_obj_names : bool
            Name entities like the objects.

        Raises
        ------
        NeoReadWriteError
            If the file was opened for reading.
        ValueError
            If names are to be used and are missing or not unique, or a group has members that are
            in no segment of the block. Nothing is changed then.
        """
        self._write(block, {"use_obj_names": use_obj_names, **kwargs})

    def write_all_blocks(self, blocks: Sequence[Block], use_obj_names: bool = False) -> None:
        """Write several blocks; raises as `write_block`."""
        for block in blocks:
            self.write_block(block, use_obj_names)

    def _write(self, block: Block, kwargs: dict[str, Any]) -> None:
        options = self.format.option_values(kwargs, writing=True)
        file = self._writable_file()
        if options["compression"]:
            file._compression = Compression.DeflateNormal
        progress: Progress = self._own.get("progress") or NullProgress()
        with under_way(progress, bytes_of(block), "B", f"writing {block.name or 'a block'}"):
            written = write_block(
                file,
                block,
                use_obj_names=options["use_obj_names"],
                strict=True,
                advance=progress.advance,
            )
        file.flush()
        for loss in written.losses:
            self.logger.warning("%s: %s", self.filename, loss)
