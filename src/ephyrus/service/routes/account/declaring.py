"""Routes of what belongs to users, as they are written down."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ephyrus.service.routes.account.fields import Field, schema
from ephyrus.service.routes.table import Access, Parameter, Right, Route

__all__ = ["reads", "writes"]


def writes(
    name: str,
    method: Any,
    path: str,
    handler: Callable[..., Any],
    summary: str,
    *,
    tag: str = "accounts",
    fields: Sequence[Field] | None = None,
    access: Access = "user",
    created: bool = False,
    needs: Right = "",
) -> Route:
    """Make a route that changes something."""
    return Route(
        name=name,
        method=method,
        path=path,
        handler=handler,
        summary=summary,
        access=access,
        scope="admin" if access == "admin" else "write",
        body="none" if fields is None else "json",
        document=None if fields is None else schema(*fields),
        responses={201 if created else 200: "Done."},
        tag=tag,
        needs=needs,
    )


def reads(
    name: str,
    path: str,
    handler: Callable[..., Any],
    summary: str,
    *,
    tag: str = "accounts",
    access: Access = "user",
    query: tuple[Parameter, ...] = (),
    answer: str = "",
    needs: Right = "",
) -> Route:
    """Make a route that shows something."""
    return Route(
        name=name,
        method="GET",
        path=path,
        handler=handler,
        summary=summary,
        access=access,
        query=query,
        answer=answer,
        tag=tag,
        needs=needs,
    )
