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
    from importlib.util import find_spec

    from ephyrus.service.routes import object_routes, operations
    from ephyrus.service.routes.table import RouteTable

    routes = [*object_routes.ROUTES, *operations.ROUTES]
    for name in ("accounts", "data", "files"):
        if find_spec(f"ephyrus.service.routes.{name}") is not None:
            module = __import__(f"ephyrus.service.routes.{name}", fromlist=["ROUTES"])
            routes += module.ROUTES
    return RouteTable(routes)
