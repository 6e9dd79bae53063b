"""The description of the interface, made from the table of routes and the table of types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ephyrus import __version__
from ephyrus.service.routes.parameters import filters_of
from ephyrus.service.routes.schemas import (
    components,
    id_schema,
    new_name,
    ref,
    selection_name,
)
from ephyrus.service.routes.table import Parameter, Route
from ephyrus.service.types import CATEGORIES, TYPES, ObjectType

__all__ = ["describe"]

Schema = dict[str, Any]

_NAMES = re.compile(r"\{(\w+)(?::\w+)?\}")
_COMMON_FAILURES = {
    400: "Something in the request is wrong; details names it.",
    404: "There is nothing at this address, or no such object.",
    413: "More is sent or asked for than the limits allow.",
    503: "The database or the store does not answer.",
}
_USER_FAILURES = {
    401: "Log in, or send a valid token.",
    403: "The right, or the scope of the token, is missing.",
}
_WRITE_FAILURES = {
    408: "The body came too slowly.",
    409: "Others may write the object, or it is in use.",
    412: "If-Match names another version.",
    429: "Too many attempts; wait as long as Retry-After says.",
}
_ABOUT = """Objects of electrophysiology, their metadata and their arrays.

An object names its arrays by links; the links lead to the numbers. Range parameters may be put on
the object: its links then lead to that part. Every JSON answer but the numbers themselves has the
keys logged_in_as, message and message_type."""


def describe(routes: Iterable[Route], *, id_style: str = "int") -> dict[str, Any]:
    """Describe the interface as an OpenAPI 3.1 document.

    Parameters
    ----------
    routes : iterable of Route
        All routes; those that are hidden are left out.
    id_style : {"int", "base32"}
        How ids are printed.

    Returns
    -------
    dict
        The document, ready to be written as JSON.
    """
    shared = _Parameters()
    paths: dict[str, dict[str, Any]] = {}
    for route, kind in _expanded(routes):
        path = _NAMES.sub(r"{\1}", route.path)
        if kind is not None:
            path = path.replace("{type}", kind.name)
        operation = _operation(route, kind, shared, id_style)
        paths.setdefault(path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Ephyrus data service",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "servers": [{"url": "/"}],
        "security": [{"session": []}, {"token": []}, {}],
        "paths": paths,
        "components": {
            "schemas": components(id_style),
            "parameters": shared.made,
            "responses": {
                f"failure_{status}": {"description": text, "content": _failure_content()}
                for status, text in {
                    **_COMMON_FAILURES,
                    **_USER_FAILURES,
                    **_WRITE_FAILURES,
                }.items()
            },
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": "sessionid"},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def _expanded(routes: Iterable[Route]) -> Iterator[tuple[Route, ObjectType | None]]:
    """Give each route once, or once for each type where the address names the type."""
    for route in routes:
        if route.hidden:
            continue
        if "{type}" in route.path:
            for kind in dict.fromkeys(CATEGORIES[route.tag].values()):
                yield route, kind
        else:
            yield route, TYPES.get(route.kind)


class _Parameters:
    """Parameters that several operations share, each described once."""

    def __init__(self) -> None:
        self.made: dict[str, Schema] = {}

    def refer(self, parameter: Parameter) -> Schema:
        """Refer to a parameter, which is described the first time."""
        text = {
            "name": parameter.name,
            "in": "query",
            "required": parameter.required,
            "description": parameter.description,
            "schema": dict(parameter.schema),
        }
        if parameter.repeated:
            text["schema"] = {"type": "array", "items": dict(parameter.schema)}
        key, count = parameter.name, 1
        while self.made.setdefault(key, text) != text:
            count += 1
            key = f"{parameter.name}_{count}"
        return {"$ref": f"#/components/parameters/{key}"}


def _operation(route: Route, kind: ObjectType | None, shared: _Parameters, id_style: str) -> Schema:
    """Describe one method of one address."""
    typed = kind is not None and "{type}" in route.path
    name = f"{kind.name}.{route.name.partition('.')[2]}" if kind and typed else route.name
    made: Schema = {
        "operationId": name,
        "summary": route.summary,
        "tags": [route.tag or route.path.strip("/").partition("/")[0] or "service"],
        "parameters": [
            *_path_parameters(route, id_style, typed=typed),
            *(shared.refer(each) for each in _query(route, kind)),
        ],
        "responses": _responses(route, kind),
    }
    if route.description:
        made["description"] = route.description
    if route.scope != "read":
        made["x-scope"] = route.scope
    if route.needs:
        made["x-right"] = route.needs
    if route.access == "open":
        made["security"] = [{}]
    elif route.access != "public":
        made["security"] = [{"session": []}, {"token": []}]
    body = _body(route, kind)
    if body is not None:
        made["requestBody"] = body
    return made


def _path_parameters(route: Route, id_style: str, *, typed: bool) -> Iterator[Schema]:
    for name in _NAMES.findall(route.path):
        if name == "type" and typed:
            continue
        schema = id_schema(id_style) if name == "id" and route.names_object else {"type": "string"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query(route: Route, kind: ObjectType | None) -> Iterator[Parameter]:
    """Give the parameters of a query; lists have the filters of their type besides."""
    names = {each.name for each in route.query}
    yield from route.query
    filters = filters_of(kind) if kind is not None and route.is_filtered else ()
    for each in filters:
        if each.name not in names:
            names.add(each.name)
            yield each


def _body(route: Route, kind: ObjectType | None) -> Schema | None:
    """Describe what is sent."""
    if route.body == "none":
        return None
    schema: Mapping[str, Any] = route.document or {"type": "object"}
    if route.document is None and kind is not None and route.answer == "selection":
        schema = ref(new_name(kind) if "{id}" not in route.path else f"{kind.name}_change")
    media = {
        "json": ("application/json",),
        "form": ("application/x-www-form-urlencoded", "application/json"),
        "stream": ("multipart/form-data",),
    }[route.body]
    return {"content": {each: {"schema": schema} for each in media}, "required": True}


def _responses(route: Route, kind: ObjectType | None) -> Schema:
    """Describe the answers: the good ones, then the failures that may come."""
    made: Schema = {}
    for status, text in route.responses.items():
        made[str(status)] = {"description": text}
        if status < 300 and status != 204:
            made[str(status)]["content"] = _content(route, kind)
        elif status >= 400:
            made[str(status)]["content"] = _failure_content()
    failures = dict(_COMMON_FAILURES)
    if route.access != "open":
        failures.update(_USER_FAILURES)
    if route.method != "GET":
        failures.update(_USER_FAILURES | _WRITE_FAILURES)
    for status in failures:
        made.setdefault(str(status), {"$ref": f"#/components/responses/failure_{status}"})
    return dict(sorted(made.items()))


def _failure_content() -> Schema:
    return {"application/json": {"schema": ref("Error")}}


def _content(route: Route, kind: ObjectType | None) -> Schema:
    """Describe the body of a good answer."""
    if route.answer == "selection" and kind is not None:
        schema = ref(selection_name(kind))
    elif route.answer:
        schema = {"type": "object"} if route.answer == "any" else ref(route.answer)
    else:
        schema = ref("Message")
    made: Schema = {}
    for media in route.media:
        is_envelope = media == "application/json" and len(route.media) == 1
        made[media] = {"schema": schema if is_envelope else {}}
    return made
