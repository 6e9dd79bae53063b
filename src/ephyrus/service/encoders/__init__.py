"""Bodies of array requests: HDF5, JSON, npy, raw, Arrow, CSV and Zarr."""

from __future__ import annotations

from ephyrus.service.encoders.body import Body
from ephyrus.service.encoders.negotiation import accepts, choose_format, format_of
from ephyrus.service.encoders.registry import FORMATS, Format, encode

__all__ = ["FORMATS", "Body", "Format", "accepts", "choose_format", "encode", "format_of"]
