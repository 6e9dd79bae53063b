"""Routes for those who run the service: description, health, numbers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import func, select

from ephyrus import __version__
from ephyrus.service.accounts.tables import utc_now
from ephyrus.service.db.schema import JOBS, RECORDINGS
from ephyrus.service.errors import ServiceError
from ephyrus.service.partial.params import FORMATS, KINDS
from ephyrus.service.principals import ANONYMOUS
from ephyrus.service.routes.answers import JSON_TYPE, Answer
from ephyrus.service.routes.caching import content_tag, revalidate
from ephyrus.service.routes.envelope import message
from ephyrus.service.routes.metrics import Metrics
from ephyrus.service.routes.openapi import describe
from ephyrus.service.routes.page import page, policy
from ephyrus.service.routes.table import Route
from ephyrus.service.types import CATEGORIES

if TYPE_CHECKING:
    from ephyrus.service.routes.call import Call, Service

__all__ = ["ROUTES"]


@dataclass(frozen=True, slots=True)
class _Description:
    """The description of the interface, written once per process."""

    document: bytes
    page: bytes
    tag: str


def _description(service: Service) -> _Description:
    document = describe(service.table.routes, id_style=service.settings.id_style)
    body = orjson.dumps(document)
    return _Description(body, page(document).encode("utf-8"), content_tag(body))


def _static(call: Call, tag: str, body: bytes, media_type: str, **headers: str) -> Answer:
    """Answer with something that changes with the release only."""
    same = revalidate(call, tag, public=True)
    if same is not None:
        return same
    common = {"ETag": tag, "Cache-Control": "public, no-cache", **headers}
    return Answer(body=body, media_type=media_type, headers=common)


def show_document(call: Call) -> Answer:
    """Give the OpenAPI document."""
    found = call.service.part("description", _description)
    return _static(call, found.tag, found.document, JSON_TYPE)


def show_page(call: Call) -> Answer:
    """Give the page that describes the interface."""
    found = call.service.part("description", _description)
    headers = {"Content-Security-Policy": policy()}
    return _static(call, found.tag, found.page, "text/html; charset=utf-8", **headers)


def show_versions(call: Call) -> Answer:
    """Say what the service can do, and its limits."""
    settings = call.service.settings
    return message(
        call,
        "processed",
        "This is what the service can do.",
        headers={"Cache-Control": "no-cache"},
        version=__version__,
        faces=["documented"],
        categories={
            category: sorted({kind.name for kind in kinds.values()})
            for category, kinds in CATEGORIES.items()
        },
        formats=sorted(set(FORMATS.values())),
        downsampling=list(KINDS),
        id_style=settings.id_style,
        anonymous_read=settings.anonymous_read,
        limits={
            "max_results": 1000,
            "json_bytes": settings.max_json_bytes,
            "upload_bytes": settings.max_upload_bytes,
            "inline_points": settings.inline_points,
            "cascade_objects": settings.cascade_objects,
        },
        description="/openapi.json",
        documentation="/docs",
    )


def show_health(call: Call) -> Answer:
    """Say whether the service can work: 503 where it cannot."""
    checks: dict[str, Any] = {}
    started = time.perf_counter()
    try:
        with call.service.database.reading() as conn:
            conn.execute(select(1))
            checks["database"] = {"ok": True, "ms": _ms(started)}
            checks["jobs"] = _job_lag(conn)
            checks["recordings"] = _recordings(conn)
    except ServiceError as error:
        checks["database"] = {"ok": False, "message": error.message}
    checks["store"] = _store_state(call.service)
    good = all(check.get("ok", True) for check in checks.values())
    return message(
        call,
        "processed" if good else "unavailable",
        "The service works." if good else "A part of the service does not work.",
        status=200 if good else 503,
        version=__version__,
        details="" if good else {name: check for name, check in checks.items() if not check["ok"]},
        checks=checks,
    )


def _ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 3)


def _job_lag(conn: Any) -> dict[str, Any]:
    """Say how much work waits, and for how long the oldest has."""
    waiting, oldest = conn.execute(
        select(func.count(), func.min(JOBS.c.run_after)).where(
            JOBS.c.state == "waiting", JOBS.c.run_after <= utc_now()
        )
    ).one()
    lag = 0.0 if oldest is None else (utc_now() - oldest).total_seconds()
    return {"ok": True, "waiting": waiting, "lag_seconds": round(max(lag, 0.0), 3)}


def _recordings(conn: Any) -> dict[str, Any]:
    """Say how many recordings are shown in place, by their state."""
    states = select(RECORDINGS.c.state, func.count()).group_by(RECORDINGS.c.state)
    return {"ok": True, **{str(state): number for state, number in conn.execute(states)}}


def _store_state(service: Service) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        service.store.check()
    except OSError:
        return {"ok": False, "message": "The store of arrays does not answer."}
    return {"ok": True, "ms": _ms(started)}


def show_metrics(call: Call) -> Answer:
    """Give the numbers of all workers."""
    _check_metrics(call)
    metrics: Metrics = call.service.part("metrics", lambda _: Metrics())
    body, media_type = metrics.text()
    return Answer(body=body, media_type=media_type, headers={"Cache-Control": "no-store"})


def _check_metrics(call: Call) -> None:
    """Show numbers to the same machine and to administrators, unless they are public."""
    if call.service.settings.metrics_public or _is_local(call):
        return
    principal = call.service.authenticator.authenticate(call.scope)
    if principal == ANONYMOUS:
        raise ServiceError(
            "not_authenticated",
            "The numbers of the service are for administrators.",
            headers={"WWW-Authenticate": "Session"},
        )
    if not principal.is_admin:
        raise ServiceError("not_authorized", "The numbers are for administrators.")


def _is_local(call: Call) -> bool:
    """Tell whether a request comes from the same machine, and not through a proxy on it."""
    client = call.scope.get("client")
    if client is None or call.header("x-forwarded-for") or call.header("forwarded"):
        return False
    try:
        return ip_address(client[0]).is_loopback
    except ValueError:
        return False


ROUTES: tuple[Route, ...] = (
    Route(
        name="service.describe",
        method="GET",
        path="/api",
        handler=show_versions,
        summary="Say what the service can do, and its limits.",
        access="open",
        inline=True,
        tag="service",
        responses={200: "Versions, formats and limits."},
    ),
    Route(
        name="service.root",
        method="GET",
        path="/",
        handler=show_versions,
        summary="Say what the service can do, and its limits.",
        access="open",
        inline=True,
        tag="service",
        responses={200: "Versions, formats and limits."},
    ),
    Route(
        name="service.openapi",
        method="GET",
        path="/openapi.json",
        handler=show_document,
        summary="Give this description.",
        access="open",
        tag="service",
        answer="any",
        responses={200: "The OpenAPI document.", 304: "It has not been changed."},
    ),
    Route(
        name="service.docs",
        method="GET",
        path="/docs",
        handler=show_page,
        summary="Give this description as a page.",
        access="open",
        tag="service",
        media=("text/html",),
        responses={200: "The page.", 304: "It has not been changed."},
    ),
    Route(
        name="service.health",
        method="GET",
        path="/health",
        handler=show_health,
        summary="Say whether database and store answer, and how long work has been waiting.",
        access="open",
        tag="service",
        responses={200: "The service works.", 503: "A part of it does not work."},
    ),
    Route(
        name="service.metrics",
        method="GET",
        path="/metrics",
        handler=show_metrics,
        summary="Give numbers about requests, for Prometheus.",
        access="open",
        tag="service",
        media=("text/plain",),
        responses={
            200: "The numbers.",
            401: "They are for administrators.",
            403: "They are for administrators.",
        },
    ),
)
"""Routes of the service itself."""
