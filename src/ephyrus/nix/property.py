"""Properties: named lists of values in a section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from h5py import h5d

from ephyrus.nix import storage
from ephyrus.nix.containers import Container
from ephyrus.nix.entity import NamedEntity, checked_id, stamp_new
from ephyrus.nix.enums import DataType, OdmlType
from ephyrus.nix.exceptions import DuplicateName, InvalidEntity
from ephyrus.nix.printing import cut, emit
from ephyrus.nix.util import create_id, names, units
from ephyrus.nix.values import dtype_of_type, kind_of, value_array

if TYPE_CHECKING:
    from ephyrus.nix.section import Section

__all__ = ["Property", "create_property"]

_SMALL_CHUNK = 128  # bytes: most properties have one value


class Property(NamedEntity):
    """A named list of values of one type, with unit, uncertainty and origin.

    Made by :meth:`Section.create_property`.
    """

    _words = "property"

    def _checked(self, found: Any) -> Any:
        """Refuse an object that is no data set of this file."""
        if not isinstance(found, h5d.DatasetID):
            raise InvalidEntity(f"{self._store.path}: {self._link!r} should be a property")
        return storage.check_data_set(found)

    @property
    def parent(self) -> Section:
        """The section of the property."""
        found: Section = self._parent
        return found

    @property  # type: ignore[override]  # a property need not have one
    def type(self) -> str | None:
        """Free text; None removes it."""
        return self._get_text(b"type")

    @type.setter
    def type(self, value: str | None) -> None:
        self._set_text(b"type", value, "type")

    # --- values ---

    def _array(self) -> np.ndarray[Any, Any]:
        """Read the values; those of files before 1.1.1 lie in a compound."""
        values = storage.read_all(self._gid).reshape(-1)
        if values.dtype.names is None:
            return values
        return storage.decoded_column(values["value"])

    def _first(self, member: str) -> Any:
        """Give what a file before 1.1.1 keeps beside the first value."""
        if self._gid.dtype.names is None or member not in self._gid.dtype.names:
            return None
        values = storage.read_all(self._gid).reshape(-1)
        if not len(values):
            return None
        return storage.decoded_column(values[member])[:1].tolist()[0]

    @property
    def values(self) -> tuple[Any, ...]:
        """All values; set a scalar or a list of the same type. None or an empty list empties."""
        return tuple(self._array().tolist())

    @values.setter
    def values(self, data: Any) -> None:
        if data is None or (
            hasattr(data, "__len__") and not isinstance(data, str) and not len(data)
        ):
            self.delete_values()
            return
        array = self._fitting(data)
        storage.write_all(self._changing(), array)

    def _fitting(self, data: Any) -> np.ndarray[Any, Any]:
        """Give values as an array of the type that the property has."""
        array = value_array(data)
        stored = storage.memory_dtype(self._gid)
        if stored.names is not None:
            raise TypeError(
                f"property {self.name!r} is in the form of files before 1.1.1; upgrade the file to "
                "change it"
            )
        if kind_of(array.dtype) != kind_of(stored):
            raise TypeError(
                f"property {self.name!r} has values of type {kind_of(stored)}, "
                f"got {kind_of(array.dtype)}"
            )
        if stored is storage.TEXT_DTYPE:
            return array
        fitting = array.astype(stored)
        if stored.kind in "iu" and not np.array_equal(fitting, array):
            raise TypeError(f"property {self.name!r} keeps {stored}: these values do not fit in it")
        return fitting

    def extend_values(self, data: Any) -> None:
        """Add values of the same type.

        Raises
        ------
        TypeError
            If they are of another type.
        """
        array = self._fitting(data)
        did = self._changing()
        old = did.shape[0]
        did.set_extent((old + len(array),))
        storage.write_rows(did, old, array)

    def delete_values(self) -> None:
        """Remove all values; the type stays."""
        self._changing().set_extent((0,))

    @property
    def data_type(self) -> Any:
        """Type of the values: a numpy dtype, ``DataType.String`` for text."""
        dtype = storage.memory_dtype(self._gid)
        if dtype.names is not None:
            dtype = dtype["value"]
        return DataType.String if dtype.kind in "OSU" else dtype

    # --- attributes ---

    @property
    def unit(self) -> str | None:
        """Unit of the values, written without blanks and with ``u`` for micro; None removes it."""
        return self._get_text(b"unit")

    @unit.setter
    def unit(self, value: str | None) -> None:
        if isinstance(value, str):
            value = units.sanitizer(value) or None
        self._set_text(b"unit", value, "unit")

    @property
    def uncertainty(self) -> float | None:
        """Uncertainty of the values, in their unit; None removes it."""
        found = self._get_number(b"uncertainty")
        return self._first("uncertainty") if found is None else found

    @uncertainty.setter
    def uncertainty(self, value: float | None) -> None:
        self._set_number(b"uncertainty", value, "uncertainty")

    @property
    def reference(self) -> str | None:
        """Where the values come from; None removes it."""
        found = self._get_text(b"reference")
        return self._first("reference") if found is None else found

    @reference.setter
    def reference(self, value: str | None) -> None:
        self._set_text(b"reference", value, "reference")

    @property
    def dependency(self) -> str | None:
        """Name of the property on which this one depends; None removes it."""
        return self._get_text(b"dependency")

    @dependency.setter
    def dependency(self, value: str | None) -> None:
        self._set_text(b"dependency", value, "dependency")

    @property
    def dependency_value(self) -> str | None:
        """Value that the other property must have; None removes it."""
        return self._get_text(b"dependency_value")

    @dependency_value.setter
    def dependency_value(self, value: str | None) -> None:
        self._set_text(b"dependency_value", value, "value of the dependency")

    @property
    def value_origin(self) -> str | None:
        """File or device that the values come from; None removes it."""
        return self._get_text(b"value_origin")

    @value_origin.setter
    def value_origin(self, value: str | None) -> None:
        self._set_text(b"value_origin", value, "origin of the values")

    @property
    def odml_type(self) -> OdmlType | None:
        """Type of odML; None removes it."""
        text = self._get_text(b"odml_type")
        return None if text is None else OdmlType(text)

    @odml_type.setter
    def odml_type(self, value: OdmlType | None) -> None:
        if value is None:
            self._set_text(b"odml_type", None, "odML type")
            return
        if not isinstance(value, OdmlType):
            raise TypeError(f"expected a member of OdmlType, got {value!r}")
        values = self.values
        sample = (
            values[0]
            if values
            else {"bool": True, "int": 0, "float": 0.0, "str": ""}[kind_of(self.data_type)]
        )
        if not value.compatible(sample):
            raise TypeError(
                f"property {self.name!r} has values of type {kind_of(self.data_type)}, which "
                f"{value!r} does not allow"
            )
        self._set_text(b"odml_type", str(value), "odML type")

    # --- display ---

    def __str__(self) -> str:
        return f"Property: {{name = {self.name}}}"

    def pprint(self, indent: int = 2, max_length: int = 80, current_depth: int = -1) -> None:
        """Print name, values and unit on one line of at most `max_length` characters."""
        blanks = "" if current_depth < 0 else " " * indent * (current_depth + 2)
        unit = f" {self.unit}" if self.unit else ""
        spread = f"± {self.uncertainty}" if self.uncertainty else ""
        values = ", ".join(map(str, self.values))
        emit(f"{blanks}{cut(f'|- {self.name}: ({values}){unit}{spread}', max_length)}")


def create_property(
    section: Section, name: str, values_or_dtype: Any, oid: str | None = None
) -> Property:
    """Make a property in a section; see :meth:`Section.create_property`."""
    names.checked(name, "property")
    wanted = checked_id(oid)
    dtype = dtype_of_type(values_or_dtype)
    array = None if dtype is not None else value_array(values_or_dtype)
    if array is not None:
        dtype = storage.TEXT_DTYPE if array.dtype.kind == "O" else array.dtype
    section._store.check_writable()
    links = section._made_links(b"properties")
    if name in links:
        raise DuplicateName(f"section {section.name!r} has already a property named {name!r}")
    shape = (0,) if array is None else array.shape
    entity_id = wanted or create_id()
    key = storage.encode(name)
    did = storage.create_data_set(links.gid, key, dtype, shape, data=array, least=_SMALL_CHUNK)
    try:
        storage.put_text(did, b"name", name)
        stamp_new(did, section._store, entity_id)
    except BaseException:
        links.gid.unlink(key)
        raise
    links.added(name, entity_id)
    return Property(section, links, name, gid=did, name=name, entity_id=entity_id)._is_new()


class PropertyContainer(Container[Property]):
    """The properties of a section."""

    def __init__(self, owner: Section) -> None:
        super().__init__(owner, b"properties", Property)
