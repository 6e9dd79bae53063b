"""NIX: data with units, tags and metadata in one HDF5 file.

The model of the Neuroscience Information Exchange format, versions 1.0.0 to 1.2.1, on ``h5py``.
Files are read and written by the C++, MATLAB and Python libraries as well.

>>> import io
>>> from ephyrus import nix
>>> file = nix.File(io.BytesIO(), nix.FileMode.Overwrite)  # or a path: "recording.nix"
>>> block = file.create_block("session", "nix.session")
>>> array = block.create_data_array("voltage", "nix.sampled", data=[0.0, 1.5, 3.0], unit="mV")
>>> dimension = array.append_sampled_dimension(0.001, label="time", unit="s")
>>> array.sel(time=slice(0.001, None))[:]
array([1.5, 3. ])
>>> file.close()
"""

from __future__ import annotations

from ephyrus._version import __version__
from ephyrus.nix import exceptions, util, validator
from ephyrus.nix.block import Block
from ephyrus.nix.data_array import DataArray
from ephyrus.nix.data_frame import DataFrame
from ephyrus.nix.data_view import DataView
from ephyrus.nix.dimensions import (
    RangeDimension,
    SampledDimension,
    SampleDimension,
    SetDimension,
)
from ephyrus.nix.enums import (
    Compression,
    DataSliceMode,
    DataType,
    DimensionType,
    FileMode,
    IndexMode,
    LinkType,
    OdmlType,
    SliceMode,
)
from ephyrus.nix.feature import Feature
from ephyrus.nix.file import File
from ephyrus.nix.group import Group
from ephyrus.nix.multi_tag import MultiTag
from ephyrus.nix.property import Property
from ephyrus.nix.section import S, Section
from ephyrus.nix.source import Source
from ephyrus.nix.tag import Tag
from ephyrus.nix.upgrade import file_upgrade
from ephyrus.nix.values import Value

__all__ = [
    "Block",
    "Compression",
    "DataArray",
    "DataFrame",
    "DataSliceMode",
    "DataType",
    "DataView",
    "DimensionType",
    "Feature",
    "File",
    "FileMode",
    "Group",
    "IndexMode",
    "LinkType",
    "MultiTag",
    "OdmlType",
    "Property",
    "RangeDimension",
    "S",
    "SampleDimension",
    "SampledDimension",
    "Section",
    "SetDimension",
    "SliceMode",
    "Source",
    "Tag",
    "Value",
    "__version__",
    "exceptions",
    "file_upgrade",
    "util",
    "validator",
]
