"""Routes of the HTTP interface, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ephyrus.service.routes.table import RouteTable

__all__ = ["route_table"]


def route_table() -> RouteTable:
    """Join the routes of all modules.

    Returns
    -------
    RouteTable
        All routes of the service.
    """
    # imported here: the modules of the handlers import their helpers from this package
    from ephyrus.service.routes import (
        accounts,
        appending,
        bulk,
        data,
        events,
        files,
        object_routes,
        operations,
        selections,
    )
    from ephyrus.service.routes.table import RouteTable

    modules = (
        object_routes,
        data,
        files,
        appending,
        bulk,
        events,
        accounts,
        selections,
        operations,
    )
    return RouteTable(route for module in modules for route in module.ROUTES)
