"""Routes of objects: the same for all types."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ephyrus.service.routes import changes, objects, parameters
from ephyrus.service.routes.table import Route

__all__ = ["ROUTES"]

_CHANGED = {200: "The object as it is now.", 412: "If-Match names another version."}


def _typed(category: str) -> Iterator[Route]:
    """Give the routes of a category whose addresses name the type."""
    base, prefix = f"/{category}/{{type}}", category
    yield from _collection(category, base, prefix)
    yield Route(
        name=f"{prefix}.create",
        method="POST",
        path=base,
        handler=changes.post_objects,
        summary="Create an object, or change all that the filters select (bulk_update=1).",
        scope="write",
        access="user",
        body="json",
        query=parameters.BULK_SWITCHES,
        responses={201: "The new object.", 200: "The objects that were changed."},
        tag=category,
        answer="selection",
    )
    yield Route(
        name=f"{prefix}.get",
        method="GET",
        path=f"{base}/{{id}}",
        handler=objects.show,
        summary="Show one object.",
        query=(*parameters.SHOWN, *parameters.RANGE),
        responses={200: "The object.", 304: "It has not been changed."},
        tag=category,
        answer="selection",
        needs="view",
    )
    yield from _members(category, f"{base}/{{id}}", prefix, "")


def _files() -> Iterator[Route]:
    """Give the routes of datafiles that other objects have too."""
    yield from _collection("datafiles", "/datafiles", "datafile", "datafile")
    yield Route(
        name="datafile.info",
        method="GET",
        path="/datafiles/{id}/info",
        handler=objects.show,
        summary="Show the description of a datafile.",
        query=parameters.SHOWN,
        responses={200: "The description.", 304: "It has not been changed."},
        tag="datafiles",
        answer="selection",
        kind="datafile",
        needs="view",
    )
    yield from _members("datafiles", "/datafiles/{id}", "datafile", "datafile")


def _collection(category: str, path: str, prefix: str, kind: str = "") -> Iterator[Route]:
    """Give the routes of a list."""
    yield Route(
        name=f"{prefix}.list",
        method="GET",
        path=path,
        handler=objects.list_objects,
        summary="List the objects that the filters select.",
        description="A filter is <field>[__<field of the parent>...][__<lookup>]=<value>.",
        query=(*parameters.LIST, *parameters.RANGE),
        responses={200: "The objects.", 304: "The list has not been changed."},
        tag=category,
        answer="selection",
        kind=kind,
    )
    yield Route(
        name=f"{prefix}.delete_list",
        method="DELETE",
        path=path,
        handler=changes.delete_objects,
        summary="Delete all objects that the filters select, and what is below them.",
        scope="write",
        access="user",
        query=(*parameters.DELETE_SWITCHES, *parameters.BULK_SWITCHES[3:]),
        responses={200: "How many were deleted.", 409: "Others may write, or it is in use."},
        tag=category,
        kind=kind,
    )


def _members(category: str, path: str, prefix: str, kind: str) -> Iterator[Route]:
    """Give the routes of one object that change it, and of what belongs to it."""
    common = Route(
        name="", method="GET", path=path, handler=objects.show, summary="", tag=category, kind=kind
    )
    update = replace(
        common,
        name=f"{prefix}.update",
        method="POST",
        handler=changes.update_object,
        summary="Change the fields that are sent.",
        scope="write",
        access="user",
        body="json",
        query=parameters.UPDATE_SWITCHES,
        responses=_CHANGED,
        answer="selection",
        needs="edit",
    )
    yield update
    yield replace(update, name=f"{prefix}.put", method="PUT", hidden=True)
    yield replace(update, name=f"{prefix}.patch", method="PATCH", hidden=True)
    yield replace(
        common,
        name=f"{prefix}.delete",
        method="DELETE",
        handler=changes.delete_object,
        summary="Delete an object and what is below it.",
        scope="write",
        access="user",
        query=parameters.DELETE_SWITCHES,
        responses={
            200: "What was deleted.",
            409: "Others may write, or it is in use.",
            412: "If-Match names another version.",
        },
        needs="edit",
    )
    yield from _rights(common, path, prefix)
    yield replace(
        common,
        name=f"{prefix}.metadata",
        path=f"{path}/metadata",
        handler=objects.read_annotations,
        summary="Show the properties and values that an object is annotated with.",
        query=(parameters.AT_TIME,),
        responses={200: "The metadata."},
        needs="view",
    )
    yield replace(
        common,
        name=f"{prefix}.history",
        path=f"{path}/history",
        handler=objects.read_history,
        summary="List the versions of an object.",
        query=parameters.SPAN,
        responses={200: "The versions."},
        needs="view",
    )


def _rights(common: Route, path: str, prefix: str) -> Iterator[Route]:
    """Give the routes of the rights on an object."""
    yield replace(
        common,
        name=f"{prefix}.acl",
        path=f"{path}/acl",
        handler=objects.read_acl,
        summary="Show who may read and write an object.",
        responses={200: "The rights."},
        needs="view",
    )
    write = replace(
        common,
        name=f"{prefix}.set_acl",
        method="POST",
        path=f"{path}/acl",
        handler=changes.write_acl,
        summary="Change who may read and write an object.",
        scope="write",
        access="user",
        body="json",
        query=parameters.ACL_SWITCHES,
        responses={200: "The rights as they are now."},
        needs="own",
    )
    yield write
    yield replace(write, name=f"{prefix}.put_acl", method="PUT", hidden=True)


ROUTES: tuple[Route, ...] = (*_typed("electrophysiology"), *_typed("metadata"), *_files())
"""Routes of objects."""
