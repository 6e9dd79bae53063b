"""Functions that the databases spell differently."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    ColumnElement,
    Dialect,
    Integer,
    Text,
    TypeDecorator,
    bindparam,
    literal,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeEngine

__all__ = ["among", "among_bound", "contains", "matches", "unindexed"]


class _Condition(FunctionElement[bool]):
    """A condition: SQLAlchemy would compare it with 1 on SQLite, which then uses no index."""

    type = Boolean()
    inherit_cache = True

    def self_group(self, against: Any = None) -> Any:
        """Stay as it is."""
        del against
        return self


class _position(FunctionElement[int]):  # noqa: N801 (is called like a function)
    """Where a text holds another one, from 1; 0: nowhere."""

    type = Integer()
    inherit_cache = True


def contains(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Make the condition that a text holds another one, by code points."""
    return _position(column, text) > 0


class matches(_Condition):  # noqa: N801
    """A pattern is found in a text: ``matches(column, sqlite's argument, PostgreSQL's)``."""

    inherit_cache = True


class _Ids(TypeDecorator[list[int]]):
    """Ids as one parameter: an array, or JSON."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Choose the type of the parameter."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(ARRAY(BigInteger()))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: list[int] | None, dialect: Dialect) -> Any:
        """Write the ids for SQLite."""
        return value if dialect.name == "postgresql" else json.dumps(value)


class _among(_Condition):  # noqa: N801
    """A number is one of many."""

    inherit_cache = True


def among(column: ColumnElement[int], ids: Iterable[int]) -> ColumnElement[bool]:
    """Make the condition that a number is one of many, which are one parameter of the statement."""
    return _among(column, literal(list(ids), _Ids()))


def among_bound(column: ColumnElement[int], name: str) -> ColumnElement[bool]:
    """As :func:`among`, where the ids are given by name when the statement runs."""
    return _among(column, bindparam(name, type_=_Ids()))


@compiles(_among)
def _in_json(element: _among, compiler: Any, **options: Any) -> str:
    """Spell it for SQLite."""
    column, ids = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({ids}))"  # noqa: S608 (both are compiled)


@compiles(_among, "postgresql")
def _in_array(element: _among, compiler: Any, **options: Any) -> str:
    """Spell it for PostgreSQL."""
    column, ids = (compiler.process(each, **options) for each in element.clauses)
    return f"{column} = ANY ({ids})"


class _unindexed(FunctionElement[Any]):  # noqa: N801
    """A column as an expression, for which the databases use no index."""

    inherit_cache = True


def unindexed(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Give a column such that the database does not look for its values in an index."""
    made: ColumnElement[Any] = _unindexed(column)
    made.type = column.type
    return made


@compiles(_unindexed)
def _plus(element: _unindexed, compiler: Any, **options: Any) -> str:
    """Spell it for SQLite."""
    return f"+{compiler.process(element.clauses, **options)}"


@compiles(_unindexed, "postgresql")
def _coalesce(element: _unindexed, compiler: Any, **options: Any) -> str:
    """Spell it for PostgreSQL."""
    column = compiler.process(element.clauses, **options)
    return f"coalesce({column}, {column})"


@compiles(_position)
def _instr(element: _position, compiler: Any, **options: Any) -> str:
    """Spell it for SQLite."""
    return f"instr({compiler.process(element.clauses, **options)})"


@compiles(_position, "postgresql")
def _strpos(element: _position, compiler: Any, **options: Any) -> str:
    """Spell it for PostgreSQL."""
    return f"strpos({compiler.process(element.clauses, **options)})"


@compiles(matches)
def _matches(element: matches, compiler: Any, **options: Any) -> str:
    """Spell it for SQLite."""
    column, key, _ = (compiler.process(each, **options) for each in element.clauses)
    return f"ephyrus_matches({key}, {column})"


@compiles(matches, "postgresql")
def _matches_postgresql(element: matches, compiler: Any, **options: Any) -> str:
    """Spell it for PostgreSQL."""
    column, _, pattern = (compiler.process(each, **options) for each in element.clauses)
    return f"({column} ~ {pattern})"
