"""Checks of a file against the rules of the format (`File.validate`).

What is stored is read, past anything that is kept in memory; a damaged part is reported and the
rest checked nevertheless.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from ephyrus.errors import EphyrusError
from ephyrus.nix import storage
from ephyrus.nix.axes import Axis
from ephyrus.nix.dimensions import Dimension, RangeDimension, SampledDimension
from ephyrus.nix.feature import feature_data_of
from ephyrus.nix.finding import all_sections, all_sources
from ephyrus.nix.util import units

__all__ = ["ValidationError", "ValidationWarning", "validate"]


class ValidationError:
    """Texts of errors; ``{}`` is filled with the number of the dimension (the first is 1)."""

    NoName = "no name set"
    NoType = "no type set"
    NoDate = "date is not set"
    NoDataType = "data type is not set"
    NoID = "no ID set"
    DimensionMismatch = "data dimensionality does not match number of defined dimensions"
    InvalidDimensionIndex = "index for dimension {} is not set to a valid value (index > 0)"
    IncorrectDimensionIndex = "index for dimension {} is set to incorrect value {}"
    DimensionTypeMismatch = (
        "dimension_type attribute for dimension {} does not match Dimension object type"
    )
    RangeDimTicksMismatch = (
        "number of ticks in RangeDimension ({}) differs from the number of data entries along the "
        "corresponding data dimension"
    )
    SetDimLabelsMismatch = (
        "number of labels in SetDimension ({}) differs from the number of data entries along the "
        "corresponding data dimension"
    )
    NoPosition = "position is not set"
    PositionDimensionMismatch = (
        "number of entries in position does not match number of dimensions in all referenced "
        "DataArrays"
    )
    ExtentDimensionMismatch = (
        "number of entries in extent does not match number of dimensions in all referenced "
        "DataArrays"
    )
    PositionExtentMismatch = "number of entries in position and extent do not match"
    ReferenceUnitsMismatch = (
        "some of the referenced DataArrays' dimensions don't have units where the Tag has; make "
        "sure that all references have the same number of dimensions as the Tag has units and that "
        "each dimension has a unit set"
    )
    ReferenceUnitsIncompatible = (
        "some of the referenced DataArrays' dimensions have units that are not convertible to the "
        "units set in the Tag (Note: composite units are not supported)"
    )
    InvalidUnit = "unit is invalid: not an atomic SI (Note: composite units are not supported)"
    NoPositions = "positions are not set"
    PositionsDimensionMismatch = (
        "number of entries (in 2nd dim) in positions does not match number of dimensions in all "
        "referenced DataArrays"
    )
    ExtentsDimensionMismatch = (
        "number of entries (in 2nd dim) in extents does not match number of dimensions in all "
        "referenced DataArrays"
    )
    PositionsExtentsMismatch = "number of entries in positions and extents do not match"
    NoTicks = "ticks for dimension {} are not set"
    UnsortedTicks = "ticks for dimension {} are not sorted"
    InvalidDimensionUnit = (
        "unit for dimension {} is set but it is not an atomic SI unit (Note: composite units are "
        "not supported)"
    )
    NoSamplingInterval = "sampling interval for dimension {} is not set"
    InvalidSamplingInterval = "sampling interval for dimension {} is not valid (interval > 0)"
    DataFrameMismatch = (
        "referenced data frame for dimension {} does not have the same row count as the data array"
    )
    NoData = "data is not set"
    NoLinkType = "link_type is not set"


class ValidationWarning:
    """Texts of warnings; ``{}`` is filled with the number of the dimension (the first is 1)."""

    NoVersion = "version is not set"
    NoFormat = "format is not set"
    NoFileID = "file ID is not set"
    InvalidUnit = "unit is not SI or composite of SI units"
    NoExpansionOrigin = (
        "polynomial coefficients for calibration are set, but expansion origin is missing"
    )
    NoPolynomialCoefficients = (
        "expansion origin for calibration is set, but polynomial coefficients are missing"
    )
    OffsetNoUnit = "offset for dimension {} is set, but no valid unit is set"
    NoUnit = "unit is not set"


_E, _W = ValidationError, ValidationWarning
_DAMAGE = (EphyrusError, *storage.FAULTS, MemoryError)


class _Report:
    """The findings."""

    def __init__(self) -> None:
        self.errors: dict[Any, list[str]] = {}
        self.warnings: dict[Any, list[str]] = {}

    def error(self, entity: Any, text: str) -> None:
        self.errors.setdefault(_key(entity), []).append(text)

    def warn(self, entity: Any, text: str) -> None:
        self.warnings.setdefault(_key(entity), []).append(text)

    def attempt(self, entity: Any, check: Callable[[_Report, Any], None]) -> None:
        """Make a check; damage that it meets is reported as an error of the entity."""
        try:
            check(self, entity)
        except _DAMAGE as error:
            self.error(entity, f"cannot be read: {error}")

    def each(self, owner: Any, entities: Callable[[], Any]) -> Iterator[Any]:
        """Walk the entities of a container; damage of the container is reported."""
        try:
            yield from entities()
        except _DAMAGE as error:
            self.error(owner, f"cannot be read: {error}")


def _key(entity: Any) -> Any:
    """Give the entity, or its description if not even its id can be read."""
    try:
        hash(entity)
    except _DAMAGE:
        return f"{entity._words} {entity._link!r}"
    return entity


def validate(file: Any) -> dict[str, dict[Any, list[str]]]:
    """Check a file; see :meth:`File.validate`."""
    report = _Report()
    report.attempt(file, _check_file)
    for block in report.each(file, lambda: file.blocks):
        _check_block(report, block)
    for section in report.each(file, lambda: all_sections(file)):
        report.attempt(section, _check_section)
    return {"errors": report.errors, "warnings": report.warnings}


def _check_block(report: _Report, block: Any) -> None:
    """Check a block and what is in it."""
    report.attempt(block, _check_entity)
    for group in report.each(block, lambda: block.groups):
        report.attempt(group, _check_entity)
    for array in report.each(block, lambda: block.data_arrays):
        report.attempt(array, _check_entity)
        report.attempt(array, _check_array)
    for frame in report.each(block, lambda: block.data_frames):
        report.attempt(frame, _check_entity)
        report.attempt(frame, _check_frame)
    for tag in report.each(block, lambda: block.tags):
        report.attempt(tag, _check_entity)
        report.attempt(tag, _check_tag)
        _check_features(report, tag)
    for tag in report.each(block, lambda: block.multi_tags):
        report.attempt(tag, _check_entity)
        report.attempt(tag, _check_multi_tag)
        _check_features(report, tag)
    for source in report.each(block, lambda: all_sources(block)):
        report.attempt(source, _check_entity)


def _check_file(report: _Report, file: Any) -> None:
    gid = file._gid
    if storage.attribute_of(gid, b"created_at") is None:
        report.error(file, _E.NoDate)
    for name, text in ((b"version", _W.NoVersion), (b"format", _W.NoFormat), (b"id", _W.NoFileID)):
        if storage.attribute_of(gid, name) is None:
            report.warn(file, text)


def _check_entity(report: _Report, entity: Any) -> None:
    gid = entity._gid
    required = (
        (b"name", _E.NoName),
        (b"type", _E.NoType),
        (b"entity_id", _E.NoID),
        (b"created_at", _E.NoDate),
    )
    for name, text in required:
        if storage.attribute_of(gid, name) in (None, ""):
            report.error(entity, text)
    for key in (b"metadata", b"link"):
        storage.group_child(gid, key)  # damage is reported by the caller


def _check_section(report: _Report, section: Any) -> None:
    _check_entity(report, section)
    for number, prop in enumerate(section.props):
        try:
            did = prop._gid
            for name, text in ((b"entity_id", _E.NoID), (b"name", _E.NoName)):
                if not storage.text_of(did, name):
                    report.error(section, f"property {number}: {text}")
            if prop.unit is None:
                report.warn(section, f"property {number}: {_W.NoUnit}")
        except _DAMAGE as error:
            report.error(section, f"property {number}: cannot be read: {error}")


def _check_frame(report: _Report, frame: Any) -> None:
    if storage.data_child(frame._gid, b"data") is None:
        report.error(frame, _E.NoData)


# --- data arrays ---


def _check_array(report: _Report, array: Any) -> None:
    did = storage.data_child(array._gid, b"data")
    if did is None:
        report.error(array, _E.NoData)
        return
    unit = array.unit
    if unit and not units.is_si(unit):
        report.warn(array, _W.InvalidUnit)
    coefficients, origin = array.polynom_coefficients, array.expansion_origin
    if coefficients and origin is None:
        report.warn(array, _W.NoExpansionOrigin)
    if origin is not None and not coefficients:
        report.warn(array, _W.NoPolynomialCoefficients)
    shape = did.shape
    links = array._child_links(b"dimensions")
    names = [] if links is None else list(links.names)
    if len(names) != len(shape):
        report.error(array, _E.DimensionMismatch)
    for number, name in enumerate(names, 1):
        length = shape[number - 1] if number <= len(shape) else None
        _check_dimension(report, array, number, name, length)


def _check_dimension(
    report: _Report, array: Any, number: int, name: str, length: int | None
) -> None:
    """Check one dimension: its index, kind and content."""
    if not (name.isascii() and name.isdecimal()) or int(name) < 1:
        report.error(array, _E.InvalidDimensionIndex.format(number))
        return
    try:
        dimension = array.dimensions._wrap(name)
    except _DAMAGE:
        report.error(array, _E.DimensionTypeMismatch.format(number))
        return
    try:
        if isinstance(dimension, SampledDimension):
            _check_sampled(report, array, number, dimension)
        elif isinstance(dimension, RangeDimension):
            _check_range(report, array, number, dimension, length)
        else:
            _check_set(report, array, number, dimension, length)
    except _DAMAGE as error:
        report.error(array, f"dimension {number} cannot be read: {error}")


def _check_unit(report: _Report, array: Any, number: int, unit: str | None) -> None:
    if unit and not units.is_atomic(unit):
        report.error(array, _E.InvalidDimensionUnit.format(number))


def _check_sampled(report: _Report, array: Any, number: int, dimension: SampledDimension) -> None:
    interval = storage.attribute_of(dimension._gid, b"sampling_interval")
    if interval is None:
        report.error(array, _E.NoSamplingInterval.format(number))
    elif isinstance(interval, str) or not interval >= 0:
        report.error(array, _E.InvalidSamplingInterval.format(number))
    _check_unit(report, array, number, dimension.unit)
    if dimension.offset and not dimension.unit:
        report.warn(array, _W.OffsetNoUnit.format(number))


def _check_range(
    report: _Report, array: Any, number: int, dimension: RangeDimension, length: int | None
) -> None:
    ticks = dimension._ticks()
    if not len(ticks):
        if length != 0:
            report.error(array, _E.NoTicks.format(number))
        return
    if np.any(np.diff(ticks) <= 0):
        report.error(array, _E.UnsortedTicks.format(number))
    if length is not None and len(ticks) != length:
        report.error(array, _E.RangeDimTicksMismatch.format(number))
    _check_unit(report, array, number, dimension.unit)


def _check_set(
    report: _Report, array: Any, number: int, dimension: Any, length: int | None
) -> None:
    labels = dimension.labels
    if labels and length is not None and len(labels) != length:
        link = dimension.dimension_link
        is_frame = link is not None and not link.is_array()
        text = _E.DataFrameMismatch if is_frame else _E.SetDimLabelsMismatch
        report.error(array, text.format(number))


# --- tags ---


def _axis_units(array: Any) -> list[str]:
    """Give the unit of each dimension; one without counts as an empty text."""
    return [_unit_of(dimension) for dimension in array.dimensions]


def _unit_of(dimension: Dimension) -> str:
    axis: Axis = dimension._axis()
    return axis.unit or ""


def _check_tag_units(report: _Report, tag: Any, references: Sequence[Any]) -> None:
    tag_units = tag.units
    if any(unit != "none" and not units.is_si(unit) for unit in tag_units):
        report.error(tag, _E.InvalidUnit)
    found = [_axis_units(array) for array in references]
    if any(len(each) != len(tag_units) for each in found):
        report.error(tag, _E.ReferenceUnitsMismatch)
        return
    pairs = [(mine, theirs) for each in found for mine, theirs in zip(tag_units, each, strict=True)]
    if any(not _converts(mine, theirs) for mine, theirs in pairs):
        report.error(tag, _E.ReferenceUnitsIncompatible)


def _converts(mine: str, theirs: str) -> bool:
    if mine == theirs or (mine in ("", "none") and not theirs):
        return True
    return units.scalable(mine, theirs)


def _check_tag(report: _Report, tag: Any) -> None:
    position, extent = tag.position, tag.extent
    if not position:
        report.error(tag, _E.NoPosition)
    if extent and len(extent) != len(position):
        report.error(tag, _E.PositionExtentMismatch)
    references = list(tag.references)
    ranks = [len(array.shape) for array in references]
    if position and any(rank != len(position) for rank in ranks):
        report.error(tag, _E.PositionDimensionMismatch)
    if extent and any(rank != len(extent) for rank in ranks):
        report.error(tag, _E.ExtentDimensionMismatch)
    if references:
        _check_tag_units(report, tag, references)
    elif any(unit != "none" and not units.is_si(unit) for unit in tag.units):
        report.error(tag, _E.InvalidUnit)


def _width(shape: tuple[int, ...]) -> int:
    """Give the number of coordinates of positions or extents."""
    return 1 if len(shape) < 2 else shape[1]


def _check_multi_tag(report: _Report, tag: Any) -> None:
    positions, extents = tag._linked_array(b"positions"), tag._linked_array(b"extents")
    references = list(tag.references)
    ranks = [len(array.shape) for array in references]
    if positions is None or not positions.size:
        report.error(tag, _E.NoPositions)
    elif any(rank != _width(positions.shape) for rank in ranks):
        report.error(tag, _E.PositionsDimensionMismatch)
    if extents is not None and positions is not None:
        if extents.shape != positions.shape:
            report.error(tag, _E.PositionsExtentsMismatch)
        if any(rank != _width(extents.shape) for rank in ranks):
            report.error(tag, _E.ExtentsDimensionMismatch)
    if references:
        _check_tag_units(report, tag, references)
    elif any(unit != "none" and not units.is_si(unit) for unit in tag.units):
        report.error(tag, _E.InvalidUnit)


def _check_features(report: _Report, tag: Any) -> None:
    for number, feature in enumerate(report.each(tag, lambda: tag.features)):
        try:
            gid = feature._gid
            required = (
                (b"entity_id", _E.NoID),
                (b"created_at", _E.NoDate),
                (b"link_type", _E.NoLinkType),
            )
            for name, text in required:
                if storage.attribute_of(gid, name) in (None, ""):
                    report.error(tag, f"feature {number}: {text}")
            if feature_data_of(feature) is None:
                report.error(tag, f"feature {number}: {_E.NoData}")
        except _DAMAGE as error:
            report.error(tag, f"feature {number}: cannot be read: {error}")
