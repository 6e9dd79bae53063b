"""Functions that the databases spell differently."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

__all__ = ["contains", "matches"]


class contains(FunctionElement[bool]):  # noqa: N801 (is called like a function)
    """Text holds another text, by code points: ``contains(column, text)``."""

    type = Boolean()
    inherit_cache = True


class matches(FunctionElement[bool]):  # noqa: N801
    """A pattern is found in a text: ``matches(column, sqlite's argument, PostgreSQL's)``."""

    type = Boolean()
    inherit_cache = True


@compiles(contains)
def _contains(element: contains, compiler: Any, **options: Any) -> str:
    """Spell it for SQLite."""
    return f"(instr({compiler.process(element.clauses, **options)}) > 0)"


@compiles(contains, "postgresql")
def _contains_postgresql(element: contains, compiler: Any, **options: Any) -> str:
    """Spell it for PostgreSQL."""
    return f"(strpos({compiler.process(element.clauses, **options)}) > 0)"


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
