"""The service as an ASGI application.

One class does what a stack of middleware would do, in the order in which a request passes: host,
route, who asks, what they may, body, handler, answer, numbers and log. Handlers see a
:class:`~ephyrus.service.routes.call.Call` and give an
:class:`~ephyrus.service.routes.answers.Answer`.
"""

from __future__ import annotations

import gc
import inspect
import logging
import re
import secrets
import sys
import time
from contextlib import asynccontextmanager
from functools import cache, partial
from itertools import count
from typing import TYPE_CHECKING, Any

from ephyrus.service.accounts.authentication import Authenticator
from ephyrus.service.accounts.cross_site import check_host, check_site
from ephyrus.service.accounts.proxies import Forwarded
from ephyrus.service.accounts.scopes import require, require_user
from ephyrus.service.db.asking import LoopWatch
from ephyrus.service.db.engine import Database
from ephyrus.service.errors import ServiceError
from ephyrus.service.files.store import open_store
from ephyrus.service.memory import keep_freed_memory
from ephyrus.service.orphans import stop_with_parent
from ephyrus.service.principals import ANONYMOUS, Principal
from ephyrus.service.routes import route_table
from ephyrus.service.routes.answers import Answer, StreamAnswer, send_answer
from ephyrus.service.routes.bodies import parse_form, parse_json, read_body
from ephyrus.service.routes.call import Call, Service
from ephyrus.service.routes.failures import describe_failure, failure_answer
from ephyrus.service.routes.headers import (
    NO_CONTENT_POLICY,
    Cors,
    header_of,
    standing_headers,
)
from ephyrus.service.routes.logs import log_request, set_up_logs
from ephyrus.service.routes.metrics import Metrics
from ephyrus.service.routes.table import Route
from ephyrus.service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Application", "create_app", "from_environment"]

_LOG = logging.getLogger(__name__)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}\Z")
_NO_ROUTE = "(none)"
_is_coroutine = cache(inspect.iscoroutinefunction)  # handlers are few, requests are many
_LARGE_BODY = 2**20  # bytes
_QUICK_BODY = 2**15  # bytes that are understood in less time than a thread costs
_LOOP_WATCHES_SOCKETS = sys.platform != "win32"  # those of a library, that is
_MOST_HOSTS = 100  # names of the service that are remembered


class _Exchange:
    """One request under way: puts the common headers on the answer and counts its bytes."""

    __slots__ = ("headers", "principal", "request_id", "route", "send_on", "size", "status")

    def __init__(self, scope: Scope, send: Send, request_id: str) -> None:
        self.send_on = send
        self.request_id = request_id
        self.headers = standing_headers(scope["scheme"], request_id)
        self.status = 0  # 0: nothing has been sent
        self.size = 0
        self.route = _NO_ROUTE
        self.principal = ANONYMOUS

    async def send(self, message: Message) -> None:
        """Send one message of the answer."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own: list[tuple[bytes, bytes]] = message["headers"]
            own += self.headers
            if NO_CONTENT_POLICY[0] not in dict(own):
                own.append(NO_CONTENT_POLICY)
        else:
            self.size += len(message.get("body", b""))
        await self.send_on(message)


class Application:
    """The service.

    Parameters
    ----------
    settings : Settings
        The settings.
    database : Database, optional
        The catalog; None: it is opened as the settings say and closed at the end.
    recordings : object, optional
        Pool of the recordings that are served in place.

    Attributes
    ----------
    service : Service
        What the process keeps, between start and stop.
    """

    def __init__(
        self, settings: Settings, *, database: Database | None = None, recordings: Any = None
    ) -> None:
        self.settings = settings
        self.table = route_table()
        self._given = database
        self._recordings = recordings
        self._service: Service | None = None
        self._worker: Any = None
        self._metrics = Metrics()
        self._cors = Cors(settings.cors_origins)
        self._prefix = secrets.token_hex(4)
        self._numbers = count(1)
        self._hosts: set[str] = set()
        # believing a proxy costs something per request: only where there is one
        self._entry: ASGIApp = self._serve
        if settings.trusted_proxies:
            self._entry = Forwarded(self._serve, settings)

    @property
    def service(self) -> Service:
        """What the process keeps.

        Raises
        ------
        RuntimeError
            The application has not been started.
        """
        if self._service is None:
            raise RuntimeError("the service has not been started; use `async with app.running()`")
        return self._service

    async def start(self) -> None:
        """Open the database (bringing its tables up to date) and the store."""
        if self._service is not None:
            return
        keep_freed_memory()
        database = self._given or Database(self.settings)
        try:
            database.upgrade()
            store = open_store(self.settings)
        except BaseException:
            if self._given is None:
                database.close()
            raise
        self._service = Service(
            self.settings,
            database,
            Authenticator(database, self.settings),
            store,
            self.table,
            recordings=self._recordings,
        )
        self._service.part("metrics", lambda _: self._metrics)
        if self.settings.worker_threads > 0:
            from ephyrus.service.files.worker import start_thread

            self._worker = start_thread(self._service)

    async def stop(self) -> None:
        """Close everything, after the requests that are under way."""
        if self._service is None:
            return
        service, self._service = self._service, None
        service.stopping.set()
        if self._worker is not None:
            await service.thread(self._worker.stop)
            self._worker = None
        await service.close()
        if self._given is None:
            service.database.close()

    def end_endless(self) -> None:
        """End answers that go on as long as the service does: the server is about to stop."""
        if self._service is not None:
            self._service.stopping.set()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Application]:
        """Start and stop it around a block, where no server does."""
        await self.start()
        try:
            yield self
        finally:
            await self.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http":
            await self._entry(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: Receive, send: Send) -> None:
        """Follow the life of the server."""
        await receive()
        try:
            await self.start()
        except Exception as error:
            _LOG.exception("the service cannot start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens."""
        started = time.perf_counter()
        exchange = _Exchange(scope, send, self._request_id(scope))
        if self._cors.origins:
            exchange.headers += self._cors.headers(scope)
        try:
            answer = await self._answer(exchange, scope, receive)
            await send_answer(
                answer,
                service=self.service,
                accept_encoding=header_of(scope, b"accept-encoding"),
                is_head=scope["method"] == "HEAD",
                receive=receive,
                send=exchange.send,
            )
        except Exception as error:  # noqa: BLE001  # whatever it is, the client is told something
            await self._fail(error, exchange, scope, receive)
        finally:
            self._note(scope["method"], exchange, time.perf_counter() - started)

    async def _answer(
        self, exchange: _Exchange, scope: Scope, receive: Receive
    ) -> Answer | StreamAnswer:
        """Find the route, look at who asks, and let the handler answer."""
        method = scope["method"]
        match = self.table.find(scope["path"])
        if match is None:
            raise ServiceError("not_found", "There is nothing at this address.")
        exchange.route = match.template
        if method == "OPTIONS":
            headers = {"Allow": match.allow, **self._cors.preflight(scope, match.allow)}
            return Answer(status=204, media_type="", headers=headers)
        route = match.routes.get("GET" if method == "HEAD" else method)
        if route is None:
            raise ServiceError(
                "invalid_method",
                f"{method} is not possible here; use {match.allow}.",
                headers={"Allow": match.allow},
            )
        call = Call(self.service, scope, receive, route, match.path, request_id=exchange.request_id)
        if route.path != "/health":  # asked for by address, by whatever watches the service
            self._check_host(call)
        try:
            await self._admit(call)
        finally:
            exchange.principal = call.principal  # a refusal too says who is refused
        if route.body in ("json", "form"):
            await self._read_body(call)
        if _is_coroutine(route.handler):
            return await route.handler(call)  # type: ignore[no-any-return]  # a Route's handler
        if route.inline:
            return route.handler(call)  # type: ignore[no-any-return]
        return await call.thread(route.handler, call)

    def _check_host(self, call: Call) -> None:
        """Refuse names that the service is not called by; what was allowed once is remembered."""
        host = call.header("host")
        if host in self._hosts:
            return
        check_host(call.headers, self.settings)
        if len(self._hosts) < _MOST_HOSTS:
            self._hosts.add(host)

    async def _admit(self, call: Call) -> None:
        """Find out who asks, and whether the route is for them at all."""
        route, service = call.route, call.service
        if route.access != "open":
            # the embedded database tells in 5 us; a server on the network may keep one waiting
            if service.database.is_sqlite:
                call.stamp = service.database.changes()
            elif _LOOP_WATCHES_SOCKETS:
                call.stamp = await service.part("changes", _loop_watch).counter()
            else:
                call.stamp = await call.thread(service.database.changes)
            principal = service.authenticator.cached(call.scope, call.stamp)
            if principal is None:
                principal = await call.thread(
                    service.authenticator.authenticate, call.scope, call.stamp
                )
            call.principal = principal
            self._check_access(route, principal)
        if call.method != "GET" or route.scope != "read":
            check_site(
                "POST",  # whatever changes something, by GET as well
                call.headers,
                by_cookie=call.principal.by_cookie,
                allowed_origins=self.settings.allowed_origins,
            )

    def _check_access(self, route: Route, principal: Principal) -> None:
        # who holds a share link is nobody, but belongs to the group of its holders
        is_nobody = principal.is_anonymous and not principal.groups
        if route.access != "public" or (is_nobody and not self.settings.anonymous_read):
            require_user(principal)
        require(principal, route.scope)
        if route.access == "admin" and not principal.is_admin:
            raise ServiceError("not_authorized", "Only administrators may do this.")

    async def _read_body(self, call: Call) -> None:
        body = await read_body(
            call.receive,
            call.headers,
            limit=self.settings.max_json_bytes,
            seconds=self.settings.receive_timeout,
        )
        parse = partial(parse_json, body)
        if call.route.body == "form":
            parse = partial(parse_form, body, call.header("content-type"))
        # what takes long to understand must not keep the other requests waiting
        parsed = await call.thread(parse) if len(body) > _QUICK_BODY else parse()
        if call.route.body == "json":
            call.document = parsed
        else:
            call.form = parsed

    async def _fail(
        self, error: Exception, exchange: _Exchange, scope: Scope, receive: Receive
    ) -> None:
        """Answer a failure; where the answer has begun, the connection is cut."""
        failure = describe_failure(error)
        facts = {"request": {"request_id": exchange.request_id, "route": exchange.route}}
        if failure is None:
            _LOG.error("a request failed", exc_info=error, extra=facts)
        elif not isinstance(error, ServiceError):
            _LOG.warning("%s: %s", type(error).__name__, error, extra=facts)
        if exchange.status:
            return
        answer = failure_answer(
            failure, username=exchange.principal.username, request_id=exchange.request_id
        )
        if _has_large_body(scope):
            answer.headers = {**dict(answer.headers), "Connection": "close"}
        await send_answer(
            answer,
            service=self.service,
            accept_encoding="",
            is_head=scope["method"] == "HEAD",
            receive=receive,
            send=exchange.send,
        )

    def _note(self, method: str, exchange: _Exchange, seconds: float) -> None:
        """Count and log a request that has ended."""
        status = exchange.status or 499  # nothing was sent: the client went away
        self._metrics.observe(exchange.route, method, status, seconds, exchange.size)
        log_request(
            method=method,
            route=exchange.route,
            status=status,
            seconds=seconds,
            size=exchange.size,
            user_id=exchange.principal.user_id,
            request_id=exchange.request_id,
        )

    def _request_id(self, scope: Scope) -> str:
        """Take the number that a proxy gave the request, or make one."""
        given = header_of(scope, b"x-request-id")
        if given and _REQUEST_ID.match(given):
            return given
        return f"{self._prefix}-{next(self._numbers):x}"


def _loop_watch(service: Service) -> LoopWatch:
    return service.database.loop_watch(service.thread)


def _has_large_body(scope: Scope) -> bool:
    """Tell whether a body may be under way that would have to be read to no purpose."""
    length = header_of(scope, b"content-length")
    if length.isascii() and length.isdigit():
        return len(length) > 7 or int(length) > _LARGE_BODY
    return bool(header_of(scope, b"transfer-encoding"))


def create_app(
    settings: Settings, *, database: Database | None = None, recordings: Any = None
) -> Application:
    """Make the service.

    Parameters
    ----------
    settings : Settings
        The settings.
    database : Database, optional
        The catalog; None: it is opened as the settings say.
    recordings : object, optional
        Pool of the recordings that are served in place.

    Returns
    -------
    Application
        The ASGI application. Servers start and stop it; elsewhere use ``running()``.
    """
    return Application(settings, database=database, recordings=recordings)


def from_environment() -> Application:
    """Make the service as the environment says: for ``uvicorn --factory``."""
    stop_with_parent()
    settings = Settings()
    set_up_logs(settings)
    app = create_app(settings)
    # What was imported stays for ever: looking through it again and again for what may be freed
    # would make requests wait that have nothing to do with it.
    gc.freeze()
    return app
