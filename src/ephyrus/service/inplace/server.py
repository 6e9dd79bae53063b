"""Running the service with uvicorn: in this process, or in several below it."""

from __future__ import annotations

import contextlib
import errno
import gc
import ipaddress
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.supervisors.multiprocess import Multiprocess, Process

from ephyrus.service.routes.metrics import prepare_workers

__all__ = ["Server", "address_of", "environment_of", "is_loopback", "listening"]

FACTORY = "ephyrus.service.app:from_environment"
NUMBERS = "PROMETHEUS_MULTIPROC_DIR"
STARTUP_FAILURE = 3  # exit code of a process of uvicorn that cannot begin
HUNG = 60  # seconds without a sign of life after which a process is replaced
TRIED_PORTS = 20  # after the usual one, where that is taken


def is_loopback(host: str) -> bool:
    """Tell whether an address is of this machine alone."""
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def listening(host: str, port: int, *, others: bool = False) -> socket.socket:
    """Take a port, before anything else is done.

    Parameters
    ----------
    host : str
        Address to listen at.
    port : int
        The port; 0: any free one.
    others : bool
        Where it is taken, one of the next ones will do.

    Raises
    ------
    OSError
        If it is taken, or the address is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    last = port + TRIED_PORTS if others and port else port
    while True:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(os.name != "nt"))
        try:
            listener.bind((host, port))
            listener.listen(2048)
            listener.set_inheritable(True)
        except OSError as error:
            listener.close()
            if error.errno != errno.EADDRINUSE or port >= last:
                raise OSError(error.errno, error.strerror, f"{host} port {port}") from error
            port += 1
            continue
        return listener


def address_of(listener: socket.socket) -> str:
    """Give the address of a service as clients write it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def environment_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Give settings as variables of the environment, for processes that are started."""
    return {f"EPHYRUS_SERVICE_{name.upper()}": str(value) for name, value in values.items()}


class Server:
    """Serves until it is told to stop: by `stop`, Ctrl-C or SIGTERM.

    Parameters
    ----------
    listener : socket
        Where it listens.
    application : ASGI application, optional
        What is served in this process.
    workers : int
        How many processes; more than one make the application themselves, from the environment.
    environment : mapping
        Variables for them.
    stop_seconds : float
        How long requests under way may take when it stops.
    """

    def __init__(
        self,
        listener: socket.socket,
        application: Any = None,
        *,
        workers: int = 1,
        environment: Mapping[str, str] | None = None,
        stop_seconds: float = 10.0,
    ) -> None:
        self.listener = listener
        self._environment = dict(environment or {})
        self._many: Multiprocess | None = None
        self._is_stopped = threading.Event()
        is_here = application is not None and workers == 1
        self._config = uvicorn.Config(
            application if is_here else FACTORY,
            factory=not is_here,
            workers=workers,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            lifespan="on",
            http=_protocol(),
            ws="none",
            timeout_graceful_shutdown=stop_seconds,  # type: ignore[arg-type]  # not whole ones only
        )
        self._one = uvicorn.Server(self._config)

    @property
    def has_started(self) -> bool:
        """Whether requests are answered in this process."""
        return self._one.started

    def run(self) -> None:
        """Serve; returns when requests under way have been answered."""
        if self._is_stopped.is_set():
            return
        gc.freeze()  # see `from_environment`
        with _quiet_end():
            if self._config.workers == 1:
                with _variables(self._environment):
                    self._one.run(sockets=[self.listener])
                return
            with _variables(self._environment), _signals_kept(), _shared_numbers():
                self._many = _Workers(self._config, sockets=[self.listener])
                if self._is_stopped.is_set():
                    self._many.should_exit.set()
                self._many.run()

    def stop(self) -> None:
        """End it, from any thread."""
        self._is_stopped.set()
        self._one.should_exit = True
        if self._many is not None:
            self._many.should_exit.set()


class _Workers(Multiprocess):
    """Several processes that answer."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        super().__init__(config, sockets)
        self._asked: dict[int | None, float] = {}

    def keep_subprocess_alive(self) -> None:
        """Replace processes that have ended or hang, without waiting for a sign of life."""
        for index, each in enumerate(self.processes):
            if each.process.is_alive() and not self._hangs(each):
                continue
            each.kill()
            each.join()
            if each.exitcode == STARTUP_FAILURE:  # the next one would fail as well
                self.should_exit.set()
            if self.should_exit.is_set():
                return
            self.processes[index] = Process(self.config, self.sockets)
            self.processes[index].start()

    def _hangs(self, process: Process) -> bool:
        """Ask a process for a sign of life, or see whether the one asked for has come."""
        now = time.monotonic()
        asked = self._asked.get(process.pid)
        if asked is None:
            process.parent_conn.send(b"ping")
            self._asked[process.pid] = now
            return False
        if process.parent_conn.poll(0):
            process.parent_conn.recv()
            del self._asked[process.pid]
            return False
        return now - asked > HUNG

    def terminate_all(self) -> None:
        """Ask all to stop; new connections are refused as soon as they have stopped listening."""
        super().terminate_all()
        for each in self.sockets:
            each.close()


def _protocol() -> Any:
    """Give the class of connections; where httptools is missing (PyPy), the server's own."""
    if find_spec("httptools") is None:
        return "auto"
    from ephyrus.service.connection import Connection

    return Connection


@contextlib.contextmanager
def _quiet_end() -> Iterator[None]:
    """Take Ctrl-C and SIGTERM for the ordinary end that they are."""

    def leave(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGTERM, leave) if is_main else None
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        if is_main:
            signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Put back the handlers of signals that a block replaces."""
    names = ("SIGINT", "SIGTERM", "SIGHUP", "SIGTTIN", "SIGTTOU", "SIGBREAK")
    kept = {
        number: signal.getsignal(number)
        for name in names
        if (number := getattr(signal, name, None)) is not None
    }
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _shared_numbers() -> Iterator[None]:
    """Let each of several processes tell the numbers of all, which lie in a folder meanwhile."""
    with (
        tempfile.TemporaryDirectory(prefix="ephyrus-metrics-") as folder,
        _variables({NUMBERS: os.environ.get(NUMBERS, folder)}),
    ):
        prepare_workers()
        yield


@contextlib.contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables of the environment for a block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
