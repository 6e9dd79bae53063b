"""Functions that the databases spell differently."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, ColumnElement, Integer
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

__all__ = ["contains", "matches"]


class _position(FunctionElement[int]):  # noqa: N801 (is called like a function)
    """Where a text holds another one, from 1; 0: nowhere."""

    type = Integer()
    inherit_cache = True


def contains(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Make the condition that a text holds another one, by code points."""
    return _position(column, text) > 0


class matches(FunctionElement[bool]):  # noqa: N801
    """A pattern is found in a text: ``matches(column, sqlite's argument, PostgreSQL's)``."""

    type = Boolean()
    inherit_cache = True


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
