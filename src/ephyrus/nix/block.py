"""Blocks: the roots of data in a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from ephyrus.nix import storage
from ephyrus.nix.containers import Container
from ephyrus.nix.copying import copy_entity
from ephyrus.nix.data_array import DataArray
from ephyrus.nix.data_frame import DataFrame
from ephyrus.nix.entity import EntityWithMetadata, checked_type, new_entity_attributes
from ephyrus.nix.enums import Compression, member_of
from ephyrus.nix.exceptions import DuplicateName
from ephyrus.nix.finding import breadth_first, everything
from ephyrus.nix.group import Group
from ephyrus.nix.multi_tag import MultiTag, checked_array
from ephyrus.nix.pieces import first_and_rest, write_pieces
from ephyrus.nix.removal import delete_data, delete_member, delete_plain, delete_source
from ephyrus.nix.source import Source, create_source
from ephyrus.nix.store import Links
from ephyrus.nix.table import column_types, create_table, table_of
from ephyrus.nix.tag import Tag
from ephyrus.nix.util import create_id, names, units

if TYPE_CHECKING:
    from ephyrus.nix.file import File

__all__ = ["Block", "create_block"]


class Block(EntityWithMetadata):
    """A root of data: arrays, frames, tags, groups, sources. Made by :meth:`File.create_block`."""

    _words = "block"

    # --- containers ---

    @property
    def groups(self) -> Container[Group]:
        """The groups."""
        return Container(self, b"groups", Group, delete_plain)

    @property
    def data_arrays(self) -> Container[DataArray]:
        """The data arrays."""
        return Container(self, b"data_arrays", DataArray, delete_data)

    @property
    def data_frames(self) -> Container[DataFrame]:
        """The data frames."""
        return Container(self, b"data_frames", DataFrame, delete_data)

    @property
    def tags(self) -> Container[Tag]:
        """The tags."""
        return Container(self, b"tags", Tag, delete_member)

    @property
    def multi_tags(self) -> Container[MultiTag]:
        """The multi tags."""
        return Container(self, b"multi_tags", MultiTag, delete_member)

    @property
    def sources(self) -> Container[Source]:
        """The sources at the top of their trees."""
        return Container(self, b"sources", Source, delete_source)

    def find_sources(
        self, filtr: Callable[[Source], bool] = everything, limit: int | None = None
    ) -> list[Source]:
        """List the sources, level by level.

        Parameters
        ----------
        filtr : callable
            Tells of a source whether to list it.
        limit : int, optional
            How many levels to go down; the block's own are level 1.
        """
        return breadth_first(self.sources, lambda each: each.sources, filtr, limit, 1)

    # --- making ---

    def _creating(self, key: bytes, name: str, type_: str, what: str) -> _New:
        """Make an entity in a ``with`` block; what fails inside of it leaves nothing behind."""
        names.checked(name, what)
        checked_type(type_, what)
        self._store.check_writable()
        links = self._made_links(key)
        if name in links:
            raise DuplicateName(f"block {self.name!r} has already a {what} named {name!r}")
        return _New(self, links, name, type_)

    def _compresses(self, compression: Compression | str) -> bool:
        """Decide whether new data are compressed: Auto asks the block, then the file."""
        choice: Any = member_of(Compression, compression)
        if choice is Compression.Auto and self._file._block_compression:
            choice = self._file._block_compression.get(self.id, Compression.Auto)
        if choice is Compression.Auto:
            choice = self._file._compression
        return bool(choice is Compression.DeflateNormal)

    def create_data_array(
        self,
        name: str = "",
        array_type: str = "",
        dtype: Any = None,
        shape: Sequence[int] | int | None = None,
        data: Any = None,
        compression: Compression = Compression.Auto,
        copy_from: DataArray | None = None,
        keep_copy_id: bool = True,
        label: str | None = None,
        unit: str | None = None,
    ) -> DataArray:
        """Make a data array.

        Parameters
        ----------
        name, array_type : str
            Its name and type.
        dtype : DataType or numpy type, optional
            Type of the values; default that of `data`, or float64.
        shape : tuple of int, optional
            Length of each axis, if no data are given.
        data : array_like, iterator or dask array, optional
            The values. An iterator gives arrays that follow each other on the first axis; they, and
            the parts of a dask array, are written one by one.
        compression : Compression
            Whether the values are compressed.
        copy_from : DataArray, optional
            Copy this one; `name` is the name of the copy if it is given.
        keep_copy_id : bool
            Whether the copy has the id of the original.
        label, unit : str, optional
            What the values are, and in which unit.

        Raises
        ------
        ValueError
            If the name or type cannot be one, or there is neither data nor shape, or they differ.
        DuplicateName
            If the name is taken.
        TypeError
            If values of this type cannot be kept.
        """
        if copy_from is not None:
            made: DataArray = copy_entity(
                self, b"data_arrays", DataArray, copy_from, name, keep_id=keep_copy_id
            )
            return made
        pieces = first_and_rest(data, dtype)
        dtype, extent = _type_and_shape(pieces.first, dtype, shape, pieces.shape)
        compress = self._compresses(compression)
        new = self._creating(b"data_arrays", name, array_type, "data array")
        with new as gid:
            did = storage.create_data_set(
                gid, b"data", dtype, extent, data=pieces.first, compress=compress
            )
            write_pieces(did, pieces)
            if unit:
                storage.put_text(gid, b"unit", units.sanitizer(unit))
            if label:
                storage.put_text(gid, b"label", label)
        array = new.wrapped(DataArray)
        array._did_kept = did
        return array

    def create_data_frame(
        self,
        name: str = "",
        type_: str = "",
        col_dict: Mapping[str, Any] | None = None,
        col_names: Sequence[str] | None = None,
        col_dtypes: Sequence[Any] | None = None,
        data: Any = None,
        compression: Compression = Compression.No,
        copy_from: DataFrame | None = None,
        keep_copy_id: bool = True,
    ) -> DataFrame:
        """Make a data frame.

        Parameters
        ----------
        name, type_ : str
            Its name and type.
        col_dict : dict, optional
            Types of the columns by their names.
        col_names, col_dtypes : sequence, optional
            Names and types, in place of `col_dict`; types default to those of the first row.
        data : sequence of tuple, or structured ndarray, optional
            The rows; default none.
        compression : Compression
            Whether the rows are compressed.
        copy_from : DataFrame, optional
            Copy this one; `name` is the name of the copy if it is given.
        keep_copy_id : bool
            Whether the copy has the id of the original.

        Raises
        ------
        ValueError
            If the name or type cannot be one, or names or types of the columns are missing.
        DuplicateColumnName
            If a name of a column is there twice.
        DuplicateName
            If the name is taken.
        """
        if copy_from is not None:
            made: DataFrame = copy_entity(
                self, b"data_frames", DataFrame, copy_from, name, keep_id=keep_copy_id
            )
            return made
        dtype = column_types(col_dict, col_names, col_dtypes, data)
        table = table_of([] if data is None else data, dtype)
        compress = self._compresses(compression)
        new = self._creating(b"data_frames", name, type_, "data frame")
        with new as gid:
            create_table(gid, table, compress=compress)
        return new.wrapped(DataFrame)

    def create_tag(
        self,
        name: str = "",
        type_: str = "",
        position: Any = 0,
        copy_from: Tag | None = None,
        keep_copy_id: bool = True,
    ) -> Tag:
        """Make a tag.

        Parameters
        ----------
        name, type_ : str
            Its name and type.
        position : number or sequence of number
            Start of the region, one coordinate for each axis; None leaves it unset.
        copy_from : Tag, optional
            Copy this one; `name` is the name of the copy if it is given.
        keep_copy_id : bool
            Whether the copy has the id of the original.

        Raises
        ------
        ValueError
            If the name or type cannot be one.
        DuplicateName
            If the name is taken.
        """
        from ephyrus.nix.base_tag import numbers_of

        if copy_from is not None:
            made: Tag = copy_entity(self, b"tags", Tag, copy_from, name, keep_id=keep_copy_id)
            return made
        numbers = None if position is None else numbers_of(position, "position")
        new = self._creating(b"tags", name, type_, "tag")
        with new as gid:
            if numbers is not None and numbers.size:
                storage.create_data_set(
                    gid, b"position", numbers.dtype, numbers.shape, data=numbers
                )
        return new.wrapped(Tag)

    def create_multi_tag(
        self,
        name: str = "",
        type_: str = "",
        positions: Any = None,
        extents: Any = None,
        copy_from: MultiTag | None = None,
        keep_copy_id: bool = True,
    ) -> MultiTag:
        """Make a multi tag.

        Parameters
        ----------
        name, type_ : str
            Its name and type.
        positions : DataArray or array_like, shape (n,) or (n, d)
            Starts of the regions. What is no data array is stored as one, ``<name>-positions``.
        extents : DataArray or array_like, optional
            Lengths of the regions, of the same shape; stored as ``<name>-extents``.
        copy_from : MultiTag, optional
            Copy this one; `name` is the name of the copy if it is given.
        keep_copy_id : bool
            Whether the copy has the id of the original.

        Raises
        ------
        ValueError
            If the name or type cannot be one, or there are no positions.
        DuplicateName
            If the name is taken.
        """
        if copy_from is not None:
            made: MultiTag = copy_entity(
                self, b"multi_tags", MultiTag, copy_from, name, keep_id=keep_copy_id
            )
            return made
        if positions is None:
            raise ValueError("a multi tag needs positions")
        new_arrays: list[DataArray] = []
        try:
            new = self._creating(b"multi_tags", name, type_, "multi tag")
            with new as gid:
                for key, value in (("positions", positions), ("extents", extents)):
                    if value is None:
                        continue
                    array = self._stored_array(name, type_, key, value, new_arrays)
                    storage.hard_link(gid, key.encode(), array._gid)
        except BaseException:
            for array in new_arrays:
                delete_data(array)
            raise
        return new.wrapped(MultiTag)

    def _stored_array(
        self, name: str, type_: str, key: str, value: Any, new_arrays: list[DataArray]
    ) -> DataArray:
        """Give a data array of this block; what is none is stored as one."""
        if isinstance(value, DataArray | str):
            return checked_array(self, value, key)
        numbers = np.asarray(value)
        if numbers.dtype.kind not in "biuf":
            raise TypeError(f"{key} must be numbers or a DataArray, got {value!r}")
        array = self.create_data_array(f"{name}-{key}", f"{type_}-{key}", data=numbers)
        new_arrays.append(array)
        return array

    def create_source(self, name: str, type_: str) -> Source:
        """Make a source.

        Raises
        ------
        DuplicateName
            If the name is taken.
        ValueError
            If the name or type cannot be one.
        """
        return create_source(self, name, type_)

    def create_group(self, name: str, type_: str) -> Group:
        """Make a group.

        Raises
        ------
        DuplicateName
            If the name is taken.
        ValueError
            If the name or type cannot be one.
        """
        new = self._creating(b"groups", name, type_, "group")
        with new:
            pass
        return new.wrapped(Group)

    def pprint(
        self, indent: int = 2, max_length: int = 120, extra: bool = True, start_depth: int = 0
    ) -> None:
        """Print the content of the block.

        Parameters
        ----------
        indent : int
            Blanks for each level.
        max_length : int
            Length of a line.
        extra : bool
            Whether to print shapes, units and dimensions too.
        start_depth : int
            Level of the block.
        """
        from ephyrus.nix.printing import print_block

        print_block(self, indent, max_length, start_depth, extra=extra)


E = TypeVar("E", bound=EntityWithMetadata)


class _New:
    """An entity that is being made."""

    def __init__(self, block: Block, links: Links, name: str, type_: str) -> None:
        self.block = block
        self.type = type_
        self.creation = links.creating(name, create_id())

    def __enter__(self) -> Any:
        made = self.creation
        gid = made.__enter__()
        try:
            new_entity_attributes(gid, self.block._store, made.name, self.type, made.entity_id)
        except BaseException as error:
            made.__exit__(type(error))
            raise
        return gid

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.creation.__exit__(kind)

    def wrapped(self, kind: type[E]) -> E:
        """Give the handle of the entity."""
        made = self.creation
        return kind(
            self.block,
            made.links,
            made.name,
            gid=made.gid,
            name=made.name,
            entity_id=made.entity_id,
        )._is_new()


def _type_and_shape(
    first: Any, dtype: Any, shape: Any, data_shape: tuple[int, ...] | None
) -> tuple[Any, tuple[int, ...]]:
    """Decide type and shape of a new data array."""
    if shape is not None:
        shape = (int(shape),) if np.ndim(shape) == 0 else tuple(int(each) for each in shape)
    if first is None:
        if shape is None:
            raise ValueError("give either the data or the shape of a data array")
        return np.float64 if dtype is None else dtype, shape or (1,)
    if shape is not None and data_shape is not None and shape != data_shape:
        raise ValueError(f"the data have the shape {data_shape}, but shape={shape} was given")
    return first.dtype if dtype is None else dtype, first.shape


def create_block(file: File, name: str, type_: str, compression: Compression) -> Block:
    """Make a block in a file."""
    entity_id = create_id()
    block_name = names.checked(name or entity_id, "block")
    checked_type(type_, "block")
    choice = member_of(Compression, compression)
    file._store.check_writable()
    links = file._made_links(b"data")
    if block_name in links:
        raise DuplicateName(f"there is already a block named {block_name!r}")
    with links.creating(block_name, entity_id) as gid:
        new_entity_attributes(gid, file._store, block_name, type_, entity_id)
    file._block_compression[entity_id] = choice
    return Block(file, links, block_name, gid=gid, name=block_name, entity_id=entity_id)
