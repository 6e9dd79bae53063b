"""A child process in which a library runs: started, asked, and never left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from contextlib import ExitStack, suppress
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.dll.memory import SharedMemory
from ephyrus.dll.messages import Answer, received, send_request
from ephyrus.errors import DLLUnusable, LibraryCrashed, LibraryHung, NeuroshareError

if sys.platform == "win32":
    from multiprocessing.connection import PipeConnection as Connection
else:
    from multiprocessing.connection import Connection

__all__ = ["Worker"]

Gone = type[LibraryCrashed] | type[LibraryHung]

_STARTING = 60.0  # seconds for Python to start, on a busy machine
_PATIENCE = 1.0  # seconds for an orderly end
_KILLED = 5.0  # seconds for the system to end what was killed
_LAST_WORDS = 600  # bytes of the library's error output that are told


class Worker:
    """A child process with a library.

    Parameters
    ----------
    path : str
        The library's file.
    timeout : float or None
        Seconds that a call may take; None: as long as it likes.

    Attributes
    ----------
    failure : NeuroshareError or None
        Why it has ended; None while it runs.

    Raises
    ------
    DLLUnusable
        If the library cannot be loaded, or there is no Python to load it in.
    LibraryCrashed, LibraryHung
        If it does so while it is loaded.
    """

    def __init__(self, path: str, timeout: float | None) -> None:
        self._path = path
        self._timeout = timeout
        self._owner = os.getpid()
        self._gone: tuple[Gone, str] | None = None
        self._lock = threading.RLock()
        self._is_busy = False
        self._to_close: list[int] = []
        with ExitStack() as undo:
            self._log: IO[bytes] = undo.enter_context(tempfile.TemporaryFile())
            self._shared = SharedMemory()
            undo.callback(self._shared.close)
            self._connection, there = Pipe()
            undo.callback(self._connection.close)
            with there:
                self._process = _started(path, there, self._shared, self._log)
            self._shared.is_passed()
            undo.pop_all()
        self._finish = weakref.finalize(
            self, _ended, self._owner, self._process, self._connection, self._shared, self._log
        )
        with self._lock:
            try:
                self._answer("while Python started for it", _STARTING)
                self._answer("while it was loaded", self._timeout)
            except BaseException:
                self._finish()
                raise

    @property
    def failure(self) -> NeuroshareError | None:
        """Why it cannot be asked; None while it can."""
        if self._gone is not None:
            kind, why = self._gone
            return kind(why)
        if os.getpid() != self._owner:
            return LibraryCrashed(
                f"{self._name} runs for another process than this one; open the file again"
            )
        return None

    @property
    def process_id(self) -> int:
        """Number of the child process."""
        return self._process.pid

    @property
    def _name(self) -> str:
        return Path(self._path).stem

    def ask(self, call: str, *arguments: Any, into: NDArray[np.float64] | None = None) -> Answer:
        """Make a call in the library.

        Parameters
        ----------
        call : str
            One that `ephyrus.dll._child` knows.
        *arguments
            Numbers and texts.
        into : ndarray of float64, optional
            Takes the numbers that the library wrote into the shared memory.

        Returns
        -------
        Answer
            Its value is a number, or a dictionary of the fields of an information class.

        Raises
        ------
        NeuroshareError
            What the library answers; `LibraryCrashed`, `LibraryHung` if it does not.
        """
        with self._lock:
            self._is_busy = True
            try:
                answer = self._asked(call, *arguments)
                if into is not None:
                    into[:] = np.frombuffer(self._shared.map, np.float64, len(into))
            finally:
                self._is_busy = False
            while self._to_close:
                with suppress(NeuroshareError):
                    self._asked("close", self._to_close.pop())
            return answer

    def close(self, handle: int) -> None:
        """Close a file.

        A file that is forgotten may be closed at any moment, also within another call of the same
        thread: then it waits for the end of that call.
        """
        with self._lock:
            if self._is_busy:
                self._to_close.append(handle)
            else:
                self.ask("close", handle)

    def _asked(self, call: str, *arguments: Any) -> Answer:
        """Send a request and wait for the answer."""
        failure = self.failure
        if failure is not None:
            raise failure
        name = call.replace("_into", "_data")
        try:
            send_request(self._connection, call, *arguments)
        except OSError:
            raise self._crashed(f"before {name}") from None
        return self._answer(f"in {name}", self._timeout)

    def _answer(self, where: str, timeout: float | None) -> Answer:
        """Wait for an answer."""
        try:
            is_there = self._connection.poll(timeout)
            answer = received(self._connection, self._shared.map) if is_there else None
        except (EOFError, OSError, ValueError):  # it is gone, or what it says is no answer
            raise self._crashed(where) from None
        except BaseException:
            # Interrupted: the answer would be taken for that of the next call.
            self._stop(
                LibraryCrashed,
                f"{self._name} was stopped {where}, as the call was interrupted; open the file "
                "again",
            )
            raise
        if answer is None:
            raise self._hung(where, timeout)
        if answer.error is not None:
            raise answer.error
        return answer

    def end(self) -> None:
        """End the process; further calls are refused."""
        with self._lock:
            if self._gone is None:
                self._stop(LibraryCrashed, f"{self._name} was closed; open the file again")

    def _stop(self, kind: Gone, why: str) -> NeuroshareError:
        """Let it end, and keep why."""
        self._gone = (kind, why)
        self._finish()
        return kind(why)

    def _hung(self, where: str, timeout: float | None) -> NeuroshareError:
        """Stop a library that does not answer."""
        self._process.kill()
        return self._stop(
            LibraryHung,
            f"{self._name} hung {where}: it gave no answer within {timeout:g} s, and was "
            "stopped; the files that it had open must be opened again",
        )

    def _crashed(self, where: str) -> NeuroshareError:
        """Tell how a library ended its process."""
        try:
            code = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:  # it closed the connection, which is not its own
            self._process.kill()
            code = self._process.wait(_KILLED)
        self._log.seek(0, os.SEEK_END)
        self._log.seek(max(0, self._log.tell() - _LAST_WORDS))
        words = " ".join(self._log.read().decode("utf-8", "replace").split())
        told = f"; it wrote: {words}" if words else ""
        return self._stop(
            LibraryCrashed,
            f"{self._name} crashed {where} ({_ending(code)}); the files that it had open must be "
            f"opened again{told}",
        )


def _started(
    path: str, there: Connection, shared: SharedMemory, log: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start the child."""
    if not sys.executable:
        raise DLLUnusable(
            path, "this program has no Python to run it in a process of its own; isolate=False"
        )
    descriptor = there.fileno()
    # -P: no module of the current directory takes the place of one of ours.
    command = [sys.executable, "-P", "-m", "ephyrus.dll._child", str(descriptor), shared.token]
    options: dict[str, Any] = {"pass_fds": (descriptor, *shared.descriptors)}
    if sys.platform == "win32":
        os.set_handle_inheritable(descriptor, True)
        startup = subprocess.STARTUPINFO(lpAttributeList={"handle_list": [descriptor]})
        options = {"startupinfo": startup, "creationflags": subprocess.CREATE_NO_WINDOW}
    return subprocess.Popen(  # noqa: S603 - this Python, a module of ours
        [*command, path],
        stdin=subprocess.PIPE,  # its end tells the child that this process is gone
        stdout=subprocess.DEVNULL,
        stderr=log,
        env=_environment(),
        **options,
    )


def _environment() -> dict[str, str]:
    """Give the environment of the child: what it imports comes from where this process has it."""
    package = str(Path(__file__).parents[2])
    places = [package, *(place for place in sys.path if Path(place).is_absolute())]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(dict.fromkeys(places)),
        "OPENBLAS_NUM_THREADS": "1",  # numpy would make threads there that have nothing to do
    }


def _ending(code: int) -> str:
    """Say how a process ended."""
    if code >= 0:
        return f"exit code {code:#x}" if code > 255 else f"exit code {code}"
    try:
        return f"{signal.Signals(-code).name}: {signal.strsignal(-code)}"
    except ValueError:
        return f"signal {-code}"


def _ended(
    owner: int,
    process: subprocess.Popen[bytes],
    connection: Connection,
    shared: SharedMemory,
    log: IO[bytes],
) -> None:
    """Let the child end, by force where it must be, and give back everything that it had."""
    connection.close()
    shared.close()
    log.close()
    if process.stdin is not None:
        process.stdin.close()
    if os.getpid() != owner:  # a fork of the process whose child it is
        return
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        try:
            process.wait(_KILLED)
        except subprocess.TimeoutExpired:
            return  # it waits for a device: the system ends it when that answers
