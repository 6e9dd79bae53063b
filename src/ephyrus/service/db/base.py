"""What all tables are made with: the metadata and the types of columns."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, DateTime, Integer, MetaData, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import JSON, TypeEngine

__all__ = ["ID", "METADATA", "MOMENT", "TEXT", "VALUES"]

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""All tables of the service."""

ID: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")
"""A 64-bit number; a primary key of SQLite must be spelled INTEGER to count up."""

TEXT: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that is compared and sorted by code points, on both databases alike."""

MOMENT: TypeEngine[Any] = DateTime(timezone=False)
"""A time in UTC with microseconds and without a zone."""

VALUES: TypeEngine[Any] = JSON(none_as_null=True).with_variant(
    JSONB(none_as_null=True), "postgresql"
)
"""Lists and objects."""
