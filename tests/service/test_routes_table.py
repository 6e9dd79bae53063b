"""Finding routes by address, and the table itself."""

from __future__ import annotations

import pytest

from ephyrus.service.routes.table import Route, RouteTable


def _route(name: str, method: str, path: str) -> Route:
    return Route(name=name, method=method, path=path, handler=lambda call: call, summary="x")


TABLE = RouteTable(
    [
        _route("file.list", "GET", "/datafiles"),
        _route("file.query", "POST", "/datafiles/query"),
        _route("file.get", "GET", "/datafiles/{id}"),
        _route("file.update", "POST", "/datafiles/{id}"),
        _route("file.zarr", "GET", "/datafiles/{id}/zarr/{rest:path}"),
        _route("object.list", "GET", "/metadata/{type}"),
        _route("object.get", "GET", "/metadata/{type}/{id}"),
    ]
)


@pytest.mark.parametrize(
    ("path", "names", "found", "template"),
    [
        ("/datafiles", {"GET": "file.list"}, {}, "/datafiles"),
        ("/datafiles/", {"GET": "file.list"}, {}, "/datafiles"),
        ("/datafiles/query", {"POST": "file.query"}, {}, "/datafiles/query"),
        (
            "/datafiles/7",
            {"GET": "file.get", "POST": "file.update"},
            {"id": "7"},
            "/datafiles/{id}",
        ),
        (
            "/datafiles/7/zarr/c/0/0",
            {"GET": "file.zarr"},
            {"id": "7", "rest": "c/0/0"},
            "/datafiles/{id}/zarr/{rest:path}",
        ),
        (
            "/datafiles/7/zarr/",
            {"GET": "file.zarr"},
            {"id": "7", "rest": ""},
            "/datafiles/{id}/zarr/{rest:path}",
        ),
        (
            "/metadata/section/3/",
            {"GET": "object.get"},
            {"type": "section", "id": "3"},
            "/metadata/{type}/{id}",
        ),
        (
            "/datafiles/datafile/7",
            {"GET": "file.get.alias", "POST": "file.update.alias"},
            {"id": "7"},
            "/datafiles/datafile/{id}",
        ),
        (
            "/datafiles/datafile",
            {"GET": "file.list.alias"},
            {},
            "/datafiles/datafile",
        ),
    ],
)
def test_an_address_finds_its_routes(path, names, found, template):
    match = TABLE.find(path)
    assert {method: route.name for method, route in match.routes.items()} == names
    assert match.path == found
    assert match.template == template


@pytest.mark.parametrize(
    "path",
    ["/", "", "/nothing", "/datafiles/7/nothing", "/metadata", "/metadata//3", "/datafiles//"],
)
def test_other_addresses_find_nothing(path):
    match = TABLE.find(path)
    if path == "/datafiles//":  # slashes at the end are one slash
        assert match.template == "/datafiles"
    else:
        assert match is None


def test_allow_names_head_and_options():
    assert TABLE.find("/datafiles/7").allow == "GET, HEAD, OPTIONS, POST"
    assert TABLE.find("/datafiles/query").allow == "GET, HEAD, OPTIONS, POST".replace(
        "GET, HEAD, ", ""
    )


def test_two_routes_that_are_alike_are_refused():
    with pytest.raises(ValueError, match="two routes are called 'a'"):
        RouteTable([_route("a", "GET", "/x"), _route("a", "GET", "/y")])
    with pytest.raises(ValueError, match="two routes for GET /x"):
        RouteTable([_route("a", "GET", "/x"), _route("b", "GET", "/x")])
    with pytest.raises(ValueError, match="called 'id' and 'name'"):
        RouteTable([_route("a", "GET", "/x/{id}"), _route("b", "GET", "/x/{name}/y")])
