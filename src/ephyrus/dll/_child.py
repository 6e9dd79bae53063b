"""The process in which an isolated library runs: ``python -m ephyrus.dll._child``.

It answers calls of its parent until that closes the connection or dies. Started by
`ephyrus.dll.worker` only.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from mmap import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.dll.library import DllLibrary
from ephyrus.dll.memory import attached
from ephyrus.dll.messages import Arrays, received_request, send_error, send_value
from ephyrus.errors import DLLUnusable, NeuroshareError

if sys.platform == "win32":
    from multiprocessing.connection import PipeConnection as Connection
else:
    from multiprocessing.connection import Connection

_MOST_LOG = 1_048_576  # bytes that a library may write to its error output
_ANSWERED = (NeuroshareError, ValueError, TypeError, MemoryError)

Answer = tuple[Any, Arrays]


class Server:
    """Makes the calls of a parent in a library.

    Parameters
    ----------
    library : DllLibrary
        The library.
    shared : mmap
        Where arrays go.
    """

    def __init__(self, library: DllLibrary, shared: mmap) -> None:
        self._library = library
        self._shared = shared
        plain = (
            library.library_info, library.open, library.close, library.file_info,
            library.entity_info, library.event_info, library.analog_info, library.segment_info,
            library.source_info, library.neural_info, library.continuous_count,
            library.time_by_index, library.index_by_time,
        )  # fmt: skip
        self._plain: dict[str, Callable[..., Any]] = {call.__name__: call for call in plain}
        self._with_arrays: dict[str, Callable[..., Answer]] = {
            "analog_into": self._analog_into,
            "neural_into": self._neural_into,
            "event_data": self._event_data,
            "segment_data": self._segment_data,
        }

    def answer(self, call: str, arguments: list[Any]) -> Answer:
        """Make a call; gives its value and arrays."""
        if call in self._plain:
            return self._plain[call](*arguments), ()
        return self._with_arrays[call](*arguments)

    def _place(self, count: int) -> NDArray[np.float64]:
        """Give the shared memory, for the library to write into."""
        return np.frombuffer(self._shared, np.float64, count)

    def _analog_into(self, handle: int, entity: int, start: int, count: int) -> Answer:
        return self._library.analog_into(handle, entity, start, self._place(count)), ()

    def _neural_into(self, handle: int, entity: int, start: int, count: int) -> Answer:
        self._library.neural_into(handle, entity, start, self._place(count))
        return None, ()

    def _event_data(self, handle: int, entity: int, start: int, count: int) -> Answer:
        times, values = self._library.event_data(handle, entity, start, count)
        lengths = np.array([len(value) for value in values], np.int64)
        return None, (times, lengths, np.frombuffer(b"".join(values), np.uint8))

    def _segment_data(self, handle: int, entity: int, start: int, count: int) -> Answer:
        return None, tuple(self._library.segment_data(handle, entity, start, count))


def serve(connection: Connection, shared: mmap, path: str) -> None:
    """Load a library, say so, and answer calls until the parent closes the connection."""
    send_value(connection, shared, None)
    try:
        server = Server(DllLibrary(path), shared)
    except DLLUnusable as error:
        send_error(connection, error)
        return
    send_value(connection, shared, None)
    while True:
        try:
            request = received_request(connection)
        except EOFError:
            return
        try:
            value, arrays = server.answer(*request)
        except _ANSWERED as error:
            send_error(connection, error)
        else:
            send_value(connection, shared, value, arrays)
        _shorten_log()


def _shorten_log() -> None:
    """Empty the file that the library's error output goes to, when it has grown large."""
    log = sys.__stderr__.fileno() if sys.__stderr__ else -1
    if log >= 0 and os.fstat(log).st_size > _MOST_LOG:
        os.ftruncate(log, 0)
        os.lseek(log, 0, os.SEEK_SET)


def _end_with_parent() -> None:
    """End this process when the parent's end of the input is closed, even within a call."""
    while os.read(0, 1):
        pass
    os._exit(0)


def main(arguments: list[str]) -> None:
    """Run the child: descriptor of the connection, token of the shared memory, library."""
    descriptor, token, path = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is for the parent to act on
    threading.Thread(target=_end_with_parent, daemon=True).start()
    serve(Connection(int(descriptor)), attached(token), path)
    sys.stderr.flush()
    os._exit(0)  # what the library does at an orderly end could crash or hang


if __name__ == "__main__":
    main(sys.argv[1:])
