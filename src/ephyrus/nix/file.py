"""Files: blocks of data and sections of metadata."""

from __future__ import annotations

import os
import warnings
import weakref
from collections.abc import Callable
from types import TracebackType
from typing import Any

import numpy as np

from ephyrus.nix import storage
from ephyrus.nix.block import Block, create_block
from ephyrus.nix.containers import Container
from ephyrus.nix.copying import copy_entity, copy_section
from ephyrus.nix.entity import forced_time, stored_time
from ephyrus.nix.enums import Compression, FileMode, member_of
from ephyrus.nix.exceptions import InvalidFile, VersionError
from ephyrus.nix.finding import breadth_first, everything
from ephyrus.nix.opening import Session, open_session
from ephyrus.nix.removal import delete_plain, delete_section
from ephyrus.nix.section import Section, create_section
from ephyrus.nix.store import Links, Store, child_links, made_links
from ephyrus.nix.util import create_id, is_uuid

__all__ = ["FILE_FORMAT", "HDF_FF_VERSION", "File", "FileMode"]

HDF_FF_VERSION = (1, 2, 1)
FILE_FORMAT = "nix"
_FIRST_WITH_ID = (1, 2, 0)


class File:
    """A NIX file.

    Parameters
    ----------
    path : str, bytes, Path or file object
        Local path, address for fsspec (``https://...``, read only; extra ``cloud``), or an open
        binary file.
    mode : str
        ``FileMode.ReadOnly``, ``ReadWrite`` (default; a missing file is made) or ``Overwrite``.
    compression : Compression
        For data arrays of which neither array nor block says otherwise; Auto is none.
    auto_update_timestamps : bool
        Whether setters note the time of the update in the entity.
    safe : bool, optional
        Work on a copy that takes the place of the file when it is closed; if the ``with`` block
        fails, the file stays as it was. Default: for files that are made or overwritten; one that
        is there is edited in place, and a crash in the middle of that can leave a file that HDF5
        cannot open.

    Raises
    ------
    MissingFileError
        A RuntimeError: there is no file to read.
    WrongFormatError
        An OSError: it is no HDF5 file.
    InvalidFile
        It is HDF5, but not NIX.
    VersionError
        A RuntimeError: it is of a version that cannot be opened in this mode.
    LockedFileError
        An OSError: someone else writes it.
    ValueError
        If the mode is none.

    Notes
    -----
    On some damaged files HDF5 itself never ends. In file objects, at addresses and in local files
    of up to 1 MiB such damage is found and refused. For longer files from an unknown source, give
    the opened file: ``File(open(path, "rb"), "r")``; reading metadata takes 1.5 times as long then.
    """

    _words = "file"
    _section_key = b"metadata"

    def __init__(
        self,
        path: Any,
        mode: str = FileMode.ReadWrite,
        compression: Compression = Compression.Auto,
        auto_update_timestamps: bool = True,
        *,
        safe: bool | None = None,
    ) -> None:
        self._compression: Compression = member_of(Compression, compression)
        self._block_compression: dict[str, Compression] = {}
        self._children: dict[bytes, Links] = {}
        self._session: Session = open_session(path, mode, safe=safe)
        self._store: Store = self._session.store
        self._store.stamps = auto_update_timestamps
        try:
            if self._session.is_new:
                self._initialise()
            else:
                self._check()
        except BaseException:
            self._session.discard()
            raise
        # A file that is dropped without being closed keeps what was written.
        self._finalizer = weakref.finalize(self, Session.close, self._session)

    @classmethod
    def open(
        cls,
        path: Any,
        mode: str = FileMode.ReadWrite,
        compression: Compression = Compression.Auto,
        backend: Any = None,
        auto_update_timestamps: bool = True,
        *,
        safe: bool | None = None,
    ) -> File:
        """Open a file, as the constructor; `backend` is ignored with a warning."""
        if backend is not None:
            warnings.warn(
                "backend is ignored: there is one way to HDF5", DeprecationWarning, stacklevel=2
            )
        return cls(path, mode, compression, auto_update_timestamps, safe=safe)

    @property
    def _file(self) -> File:
        return self

    @property
    def _gid(self) -> Any:
        self._store.check_open()
        return self._store.root

    def _initialise(self) -> None:
        """Write what every file has."""
        gid = self._gid
        storage.put_text(gid, b"format", FILE_FORMAT)
        storage.put_int32(gid, b"version", HDF_FF_VERSION)
        storage.put_text(gid, b"id", create_id())
        now = self._store.now()
        storage.put_text(gid, b"created_at", now)
        storage.put_text(gid, b"updated_at", now)
        for key in (b"data", b"metadata"):
            self._made_links(key)

    def _check(self) -> None:
        """Refuse files that are not NIX, or of a version that cannot be opened in this mode."""
        path = self._store.path
        found = storage.text_of(self._gid, b"format")
        if found != FILE_FORMAT:
            raise InvalidFile(path, f"this is HDF5, but not NIX: the attribute format is {found!r}")
        version = self._stored_version()
        if self.mode == FileMode.ReadOnly:
            is_fine = version[0] == HDF_FF_VERSION[0] and 0 <= version[1] <= HDF_FF_VERSION[1]
            advice = "a newer ephyrus may read it"
        else:
            is_fine = version == HDF_FF_VERSION
            advice = (
                "open it with FileMode.ReadOnly, or bring it up to date with file_upgrade(path)"
            )
        if not is_fine:
            raise VersionError(
                path,
                f"the file is of version {'.'.join(map(str, version))}, this library writes "
                f"{'.'.join(map(str, HDF_FF_VERSION))}: {advice}",
            )
        if version >= _FIRST_WITH_ID and not is_uuid(storage.text_of(self._gid, b"id")):
            raise VersionError(path, "a file of version 1.2.0 or later must have a UUID as its id")

    def _stored_version(self) -> tuple[int, ...]:
        value = storage.attribute_of(self._gid, b"version")
        if not isinstance(value, np.ndarray) or value.shape != (3,) or value.dtype.kind not in "iu":
            raise VersionError(
                self._store.path, f"the attribute version should be three integers, got {value!r}"
            )
        return tuple(map(int, value))

    def _child_links(self, key: bytes) -> Links | None:
        found = self._children.get(key)
        if found is None:
            made = child_links(self._store, self._gid, key)
            if made is None:
                return None
            found = self._children[key] = made
        elif not self._store.is_open:
            self._store.check_open()
        return found

    def _made_links(self, key: bytes) -> Links:
        found = self._children.get(key)
        if found is None:
            found = self._children[key] = made_links(self._store, self._gid, key)
        return found

    # --- open and closed ---

    def close(self) -> None:
        """Close the file; a second time does nothing.

        Everything that was read from it as arrays stays; its entities cannot be used any more.
        """
        self._finalizer.detach()
        self._children.clear()
        self._session.close()

    def is_open(self) -> bool:
        """Tell whether the file is open."""
        return self._store.is_open

    def flush(self) -> bool:
        """Hand everything to the operating system (of a safe edit: to the copy); gives True."""
        self._store.flush()
        return True

    def __enter__(self) -> File:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._finalizer.detach()
        self._children.clear()
        self._session.close(keep=kind is None)

    # --- attributes ---

    @property
    def mode(self) -> str:
        """How the file was opened."""
        return self._session.mode

    @property
    def format(self) -> str:
        """Always ``"nix"``."""
        return storage.text_of(self._gid, b"format") or ""

    @property
    def version(self) -> tuple[int, ...]:
        """Version of the format, three integers."""
        return self._stored_version()

    @property
    def id(self) -> str | None:
        """UUID of the file; None in files before 1.2.0."""
        return storage.text_of(self._gid, b"id")

    @property
    def created_at(self) -> int:
        """Time of creation in whole POSIX seconds; 0 where the file has none."""
        return stored_time(self._gid, b"created_at") or 0

    @property
    def updated_at(self) -> int:
        """Time of the last update in whole POSIX seconds; 0 where the file has none."""
        return stored_time(self._gid, b"updated_at") or 0

    def force_created_at(self, t: int | None = None) -> None:
        """Set the time of creation: POSIX seconds, default now."""
        self._force_time(b"created_at", t)

    def force_updated_at(self, t: int | None = None) -> None:
        """Set the time of the last update: POSIX seconds, default now."""
        self._force_time(b"updated_at", t)

    def _force_time(self, name: bytes, seconds: int | None) -> None:
        text = forced_time(self._store, seconds)
        self._store.check_writable()
        storage.replace_text(self._gid, name, text)

    @property
    def auto_update_timestamps(self) -> bool:
        """Whether setters note the time of the update in the entity."""
        return self._store.stamps

    @auto_update_timestamps.setter
    def auto_update_timestamps(self, enable: bool) -> None:
        self._store.stamps = bool(enable)

    # --- content ---

    @property
    def blocks(self) -> Container[Block]:
        """The blocks."""
        self._store.check_open()
        return Container(self, b"data", Block, delete_plain)

    @property
    def sections(self) -> Container[Section]:
        """The sections at the root of the metadata."""
        self._store.check_open()
        return Container(self, b"metadata", Section, delete_section)

    def create_block(
        self,
        name: str = "",
        type_: str = "",
        compression: Compression = Compression.Auto,
        copy_from: Block | None = None,
        keep_copy_id: bool = True,
    ) -> Block:
        """Make a block.

        Parameters
        ----------
        name : str, optional
            Its name; default its id.
        type_ : str
            What it is.
        compression : Compression
            For data arrays of the block that do not say otherwise, while the file is open.
        copy_from : Block, optional
            Copy this one, of this or another file; `name` is the name of the copy if it is given.
        keep_copy_id : bool
            Whether the copy has the ids of the original.

        Raises
        ------
        ValueError
            If there is no type, or the name cannot be one.
        DuplicateName
            If the name is taken.
        """
        if copy_from is not None:
            made: Block = copy_entity(self, b"data", Block, copy_from, name, keep_id=keep_copy_id)
            return made
        return create_block(self, name, type_, compression)

    def create_section(
        self, name: str, type_: str = "undefined", oid: str | None = None
    ) -> Section:
        """Make a section at the root.

        Parameters
        ----------
        name, type_ : str
            Its name and what it describes.
        oid : str, optional
            UUID to use as its id.

        Raises
        ------
        DuplicateName
            If the name is taken.
        ValueError
            If the name, type or id cannot be one.
        """
        return create_section(self, name, type_, oid)

    def copy_section(
        self, obj: Section, children: bool = True, keep_id: bool = True, name: str = ""
    ) -> Section:
        """Copy a section to the root, as :meth:`Section.copy_section`."""
        if not isinstance(obj, Section):
            raise TypeError(f"expected a Section to copy, got {type(obj).__name__}")
        return copy_section(self, obj, children=children, keep_id=keep_id, name=name)

    def find_sections(
        self, filtr: Callable[[Section], bool] = everything, limit: int | None = None
    ) -> list[Section]:
        """List the sections, level by level.

        Parameters
        ----------
        filtr : callable
            Tells of a section whether to list it.
        limit : int, optional
            How many levels to go down; those at the root are level 1.
        """
        return breadth_first(self.sections, lambda each: each.sections, filtr, limit, 1)

    def validate(self) -> dict[str, dict[Any, list[str]]]:
        """Check the file against the rules of the format.

        Returns
        -------
        dict
            ``{"errors": {object: [text]}, "warnings": {object: [text]}}``.
        """
        from ephyrus.nix.validator import validate

        return validate(self)

    def pprint(
        self, indent: int = 2, max_length: int = 120, extra: bool = True, max_depth: int = 3
    ) -> None:
        """Print the content of the file.

        Parameters
        ----------
        indent : int
            Blanks for each level.
        max_length : int
            Length of a line.
        extra : bool
            Whether to print shapes, units and dimensions too.
        max_depth : int
            Last level of sections that is printed.
        """
        from ephyrus.nix.printing import print_file

        print_file(self, indent, max_length, max_depth, extra=extra)

    def __str__(self) -> str:
        state = "" if self._store.is_open else " (closed)"
        return f"file {os.fspath(self._store.path)!r}{state}"

    def __repr__(self) -> str:
        return f"<ephyrus.nix.File {self._store.path!r} mode {self.mode!r}>"
