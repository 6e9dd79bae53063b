"""A library in a process of its own: crashes, hangs, ends, and nothing left behind."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Pipe
from pathlib import Path

import numpy as np
import pytest

from ephyrus.dll import _child, isolated, memory, messages, worker
from ephyrus.dll.isolated import TIMEOUT_VARIABLE, IsolatedLibrary
from ephyrus.dll.library import DllLibrary
from ephyrus.errors import (
    DLLUnusable,
    LibraryCrashed,
    LibraryHung,
    NeuroshareError,
)
from tests.dll import contents

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")

CALLS = {
    "ns_GetFileInfo": ("file_info",),
    "ns_GetEntityInfo": ("entity_info", 0),
    "ns_GetEventInfo": ("event_info", 0),
    "ns_GetEventData": ("event_data", 0, 0, 4),
    "ns_GetAnalogInfo": ("analog_info", 5),
    "ns_GetAnalogData": ("analog_data", 5, 0, 4),
    "ns_GetSegmentInfo": ("segment_info", 7),
    "ns_GetSegmentSourceInfo": ("source_info", 7, 0),
    "ns_GetSegmentData": ("segment_data", 7, 0, 4),
    "ns_GetNeuralInfo": ("neural_info", 8),
    "ns_GetNeuralData": ("neural_data", 8, 0, 4),
    "ns_GetTimeByIndex": ("time_by_index", 0, 0),
    "ns_GetIndexByTime": ("index_by_time", 0, 0.25, 0),
}


PATIENCE = 60.0  # seconds after which a test gives up


def state_of(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "X"


def is_running(process: int) -> bool:
    return state_of(process) not in "ZX"


def stop(process: int) -> None:
    """Let a process stand still, so that it neither answers nor ends."""
    os.kill(process, signal.SIGSTOP)
    assert wait_for(lambda: state_of(process) == "T")


def wait_for(is_so, seconds: float = PATIENCE) -> bool:
    end = time.monotonic() + seconds
    while not is_so() and time.monotonic() < end:
        time.sleep(0.02)
    return is_so()


def children() -> list[str]:
    tasks = Path("/proc/self/task").glob("*/children")
    return [child for task in tasks for child in task.read_text().split()]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def shared_memory() -> int:
    return Path("/proc/self/maps").read_text().count("ephyrus-neuroshare")


@pytest.fixture
def library(build):
    made = IsolatedLibrary(build(), timeout=PATIENCE)
    yield made
    made.shutdown()


@pytest.mark.parametrize("function", CALLS)
def test_crashes(library, record, function):
    handle = library.open(record(f"crash {function}"))
    call, *arguments = CALLS[function]
    for _ in range(2):  # the second time it says the same
        with pytest.raises(LibraryCrashed) as caught:
            getattr(library, call)(handle, *arguments)
        assert caught.value.message == (
            f"nsTestLibrary crashed in {call} (SIGABRT: Aborted); "
            "the files that it had open must be opened again"
        )
        assert caught.value.code == -1
    library.close(handle)
    with pytest.raises(NeuroshareError, match="no such file is open"):
        library.close(handle)


def test_other_files_after_a_crash(library, record):
    good = library.open(record(name="good.nst"))
    bad = library.open(record("crash ns_GetFileInfo", name="bad.nst"))
    assert library.file_info(good) == contents.FILE
    with pytest.raises(LibraryCrashed, match="crashed in file_info"):
        library.file_info(bad)
    with pytest.raises(LibraryCrashed, match="must be opened again"):
        library.file_info(good)
    again = library.open(record(name="good.nst"))
    assert again not in (good, bad)
    assert library.file_info(again) == contents.FILE
    with pytest.raises(LibraryCrashed):  # the old handles stay those of the old process
        library.file_info(good)
    for handle in (good, bad, again):
        library.close(handle)


def test_crash_while_opening(library, record):
    with pytest.raises(LibraryCrashed, match="crashed in open "):
        library.open(record("crash ns_OpenFile"))
    assert library.library_info() == contents.LIBRARY


@pytest.mark.parametrize(("code", "told"), [(0, "exit code 0"), (3, "exit code 3")])
def test_exits(library, record, code, told):
    handle = library.open(record(f"exit ns_GetEventData {code}"))
    with pytest.raises(LibraryCrashed, match=f"crashed in event_data \\({told}\\)"):
        library.event_data(handle, 0, 0, 1)


@pytest.mark.parametrize("function", ["ns_OpenFile", "ns_GetAnalogData", "ns_GetTimeByIndex"])
def test_hangs(library, record, function, monkeypatch):
    process = library._worker.process_id
    path = record(f"hang {function}")
    call, *arguments = CALLS.get(function, ("open", path))
    if function in CALLS:
        arguments = [library.open(path), *arguments]
    monkeypatch.setattr(library._worker, "_timeout", 0.3)
    with pytest.raises(LibraryHung, match=rf"hung in {call}: it gave no answer within 0\.3 s"):
        getattr(library, call)(*arguments)
    assert not is_running(process)
    handle = library.open(record(name="good.nst"))
    assert library.file_info(handle) == contents.FILE


def test_timeouts(monkeypatch):
    given = []
    monkeypatch.setattr(isolated, "Worker", lambda path, timeout: given.append(timeout))

    def timeout_of(**options) -> float | None:
        library = IsolatedLibrary("nsX.so", **options)
        assert given[-1] == library.timeout
        return library.timeout

    assert timeout_of() == 120
    assert timeout_of(timeout=2.5) == 2.5
    assert timeout_of(timeout=0) is None
    monkeypatch.setenv(TIMEOUT_VARIABLE, "7")
    assert timeout_of() == 7
    assert timeout_of(timeout=3) == 3
    for wrong in ("soon", "-1", "nan"):
        monkeypatch.setenv(TIMEOUT_VARIABLE, wrong)
        with pytest.raises(ValueError, match=f"{TIMEOUT_VARIABLE} is '{wrong}'; it is a number"):
            IsolatedLibrary("nsX.so")
    with pytest.raises(ValueError, match=r"timeout is -2; it is a number"):
        IsolatedLibrary("nsX.so", timeout=-2)


def test_no_timeout(build, record):
    library = IsolatedLibrary(build(), timeout=0)
    handle = library.open(record("slow ns_GetFileInfo 300"))
    assert library.file_info(handle) == contents.FILE
    library.shutdown()


@pytest.mark.parametrize(
    ("variant", "error", "message"),
    [
        ("CRASH_AT_LOAD", LibraryCrashed, "crashed while it was loaded"),
        ("HANG_AT_LOAD", LibraryHung, "hung while it was loaded"),
    ],
)
def test_faults_while_loading(build, variant, error, message):
    with pytest.raises(error, match=message):
        IsolatedLibrary(build(variant), timeout=PATIENCE if error is LibraryCrashed else 0.5)


def test_what_is_no_library(tmp_path):
    path = tmp_path / "nsX.so"
    path.write_bytes(b"nothing")
    with pytest.raises(DLLUnusable, match="it is no shared library") as caught:
        IsolatedLibrary(path)
    assert caught.value.path == str(path)


def test_noise(library, record, capfd):
    handle = library.open(record("noise ns_GetFileInfo"))
    for _ in range(6):
        assert library.file_info(handle) == contents.FILE
    size = os.fstat(library._worker._log.fileno()).st_size
    assert size < 2_000_000  # 6 x 20,000 lines are 2.6 MB
    assert capfd.readouterr() == ("", "")


def test_last_words(library, record):
    handle = library.open(record("noise ns_GetFileInfo", "crash ns_GetFileInfo"))
    with pytest.raises(LibraryCrashed, match=r"opened again; it wrote: .*the library complains$"):
        library.file_info(handle)


def test_a_child_that_was_killed(library, record):
    handle = library.open(record())
    os.kill(library._worker.process_id, signal.SIGKILL)
    assert wait_for(lambda: not is_running(library._worker.process_id))
    with pytest.raises(LibraryCrashed, match=r"crashed (in|before) file_info \(SIGKILL: Killed\)"):
        library.file_info(handle)
    library.close(handle)
    assert library.library_info() == contents.LIBRARY


def test_interrupts(library, record, monkeypatch):
    """An interrupted call leaves no answer behind that would be taken for another's."""
    handle = library.open(record("hang ns_GetFileInfo"))
    send = messages.send_request
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))

    def send_and_wait_for_it(*request) -> None:
        send(*request)
        timer.start()

    with monkeypatch.context() as patch:
        patch.setattr(worker, "send_request", send_and_wait_for_it)
        with pytest.raises(KeyboardInterrupt):
            library.file_info(handle)
    timer.join()
    with pytest.raises(LibraryCrashed, match="stopped in file_info, as the call was interrupted"):
        library.entity_info(handle, 0)
    assert library.library_info() == contents.LIBRARY


def test_files_closed_within_another_call(library, record, monkeypatch):
    """As the collector of garbage may do it: between the request and the answer."""
    path = record()
    handle, forgotten = library.open(path), [library.open(path) for _ in range(7)]
    send = messages.send_request

    def send_and_forget(connection, call, *arguments) -> None:
        send(connection, call, *arguments)
        if call == "file_info":
            while forgotten:
                library.close(forgotten.pop())

    monkeypatch.setattr(worker, "send_request", send_and_forget)
    assert library.file_info(handle) == contents.FILE
    assert library.entity_info(handle, 0) == contents.ENTITIES[0]
    for _ in range(7):  # all of them are closed, so that there is room for others
        library.open(path)


def test_an_answer_that_is_none(library, record, monkeypatch):
    """A library that writes where it should not: the child is ended, whatever it says."""
    handle = library.open(record())
    process = library._worker.process_id
    monkeypatch.setattr(worker, "_PATIENCE", 0.1)
    with monkeypatch.context() as patch:
        patch.setattr(worker, "received", lambda *sides: json.loads("{"))
        with pytest.raises(LibraryCrashed, match=r"crashed in file_info \(SIGKILL: Killed\)"):
            library.file_info(handle)
    assert not is_running(process)
    assert library.library_info() == contents.LIBRARY


@on_linux
def test_a_child_that_does_not_end(library, monkeypatch):
    monkeypatch.setattr(worker, "_PATIENCE", 0.1)
    process = library._worker.process_id
    stop(process)
    library.shutdown()
    assert not is_running(process)


@on_linux
def test_a_child_that_cannot_be_ended(library, monkeypatch):
    """The system ends it when it can: nobody waits for that."""
    monkeypatch.setattr(worker, "_PATIENCE", 0.1)
    monkeypatch.setattr(worker, "_KILLED", 0.1)
    child = library._worker._process
    stop(child.pid)
    with monkeypatch.context() as patch:
        patch.setattr(child, "kill", lambda: None)
        library.shutdown()
    assert is_running(child.pid)
    child.kill()
    child.wait()


@on_linux
def test_what_cannot_be_started(build, monkeypatch):
    gc.collect()
    before = descriptors(), shared_memory()
    monkeypatch.setattr(sys, "executable", "/there/is/no/python")
    with pytest.raises(FileNotFoundError):
        IsolatedLibrary(build())
    monkeypatch.setattr(os, "ftruncate", lambda descriptor, size: os.read(-1, 1))
    with pytest.raises(OSError, match="Bad file descriptor"):
        IsolatedLibrary(build())
    assert (descriptors(), shared_memory()) == before


def test_memory_of_systems_without_unnamed_files_in_memory(monkeypatch):
    monkeypatch.setattr(memory, "sys", type("sys", (), {"platform": "darwin"}))
    shared = memory.SharedMemory()
    other = memory.attached(shared.token)
    shared.is_passed()
    other[-3:] = b"end"
    assert shared.map[-3:] == b"end"
    assert len(shared.map) == memory.ROOM
    other.close()
    shared.close()


def test_shutdown(library, record):
    handle = library.open(record())
    process = library._worker.process_id
    library.shutdown()
    library.shutdown()
    assert not is_running(process)
    with pytest.raises(LibraryCrashed, match="nsTestLibrary was closed; open the file again"):
        library.file_info(handle)
    library.close(handle)
    handle = library.open(record())
    assert library.file_info(handle) == contents.FILE


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_forks(library, record):
    """A fork of this process neither uses nor ends the child of this one."""
    handle = library.open(record())
    child = os.fork()
    if child == 0:
        code = 1
        try:
            library.file_info(handle)
        except LibraryCrashed as error:
            code = 0 if "runs for another process" in str(error) else 2
        finally:
            library._worker._finish()
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    assert library.file_info(handle) == contents.FILE


PARENT = """
import os, sys, threading, time
from ephyrus.dll.isolated import IsolatedLibrary
library = IsolatedLibrary(sys.argv[1])
handle = library.open(sys.argv[2])
if sys.argv[3] == "hang":
    threading.Thread(target=library.file_info, args=(handle,), daemon=True).start()
    time.sleep(0.3)
print(library._worker.process_id, flush=True)
if sys.argv[3] != "end":
    time.sleep(60)
"""


@on_linux
@pytest.mark.parametrize("way", ["idle", "hang", "end"])
def test_the_child_ends_with_its_parent(build, record, way):
    orders = ["hang ns_GetFileInfo"] if way == "hang" else []
    command = [sys.executable, "-c", PARENT, str(build()), record(*orders), way]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        process = int(parent.stdout.readline())
        if way == "end":
            assert parent.wait(PATIENCE) == 0
        else:
            assert is_running(process)
            parent.kill()
            parent.wait(PATIENCE)
        assert wait_for(lambda: not is_running(process))


@on_linux
def test_nothing_is_imported_from_the_current_directory(build, record, tmp_path, monkeypatch):
    for name in ("ephyrus", "numpy", "json", "signal"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken from the current directory')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    library = IsolatedLibrary(build())
    handle = library.open(record(name="good.nst"))
    assert library.file_info(handle) == contents.FILE
    library.shutdown()


def test_no_python_to_run_it_in(build, monkeypatch):
    monkeypatch.setattr(sys, "executable", "")
    with pytest.raises(DLLUnusable, match="isolate=False"):
        IsolatedLibrary(build())


# Nothing is left behind


@on_linux
@pytest.mark.parametrize("kind", [DllLibrary, IsolatedLibrary])
def test_ten_thousand_files(build, record, kind):
    path = record()
    library = kind(build())
    library.close(library.open(path))
    gc.collect()
    before = descriptors(), children()
    for _ in range(10_000):
        handle = library.open(path)
        library.close(handle)
    assert (descriptors(), children()) == before
    handles = [library.open(path) for _ in range(8)]  # all the library has: none was kept
    with pytest.raises(NeuroshareError, match="too many files"):
        library.open(path)
    for handle in handles:
        library.close(handle)
    if isinstance(library, IsolatedLibrary):
        library.shutdown()
        assert not library._files


@on_linux
def test_children_leave_nothing(build, record):
    gc.collect()
    before = descriptors(), children(), shared_memory()
    bad = record("crash ns_GetFileInfo", name="bad.nst")
    for number in range(4):
        library = IsolatedLibrary(build())
        assert shared_memory() == before[2] + 1
        handle = library.open(bad)
        if number % 2:
            with pytest.raises(LibraryCrashed):
                library.file_info(handle)
        if number % 4 == 0:
            library.shutdown()
        del library
        gc.collect(1)
    with pytest.raises(LibraryCrashed):
        IsolatedLibrary(build("CRASH_AT_LOAD"))
    with pytest.raises(DLLUnusable):
        IsolatedLibrary(bad)
    assert (descriptors(), children(), shared_memory()) == before


# What the processes say to each other


def said(call, arguments) -> messages.Answer:
    """What is received of what is sent, with the memory of both sides."""
    here, there = Pipe()
    shared = memory.SharedMemory()
    with here, there:
        thread = threading.Thread(target=call, args=(there, *arguments(shared.map)))
        thread.start()
        answer = messages.received(here, shared.map)
        thread.join()
    shared.close()
    return answer


@pytest.mark.parametrize("size", [3, memory.ROOM // 8 - 1, memory.ROOM // 8])
def test_arrays(size):
    """Arrays that fit lie in the shared memory; others follow the message."""
    arrays = np.arange(float(size)), np.array([[1, 2], [3, 2**32 - 1]], np.uint32)
    answer = said(messages.send_value, lambda shared: (shared, 5, arrays))
    assert answer.value == 5
    assert answer.error is None
    for got, sent in zip(answer.arrays, arrays, strict=True):
        assert got.dtype == sent.dtype
        np.testing.assert_array_equal(got, sent)
        got[...] = 0  # it is our own


def test_information_of_a_library():
    answer = said(messages.send_value, lambda shared: (shared, contents.LIBRARY))
    assert messages.library_info(answer.value) == contents.LIBRARY


@pytest.mark.parametrize(
    "error",
    [
        NeuroshareError(-7, "ns_BADINDEX", "no such item"),
        DLLUnusable("/x", "why"),
        ValueError("wrong"),
        TypeError("of another type"),
        MemoryError("too much"),
    ],
)
def test_errors(error):
    answer = said(messages.send_error, lambda shared: (error,))
    assert type(answer.error) is type(error)
    assert str(answer.error) == str(error)


def test_the_child_serves(build, record):
    """The code of the child, run here in a thread."""
    here, there = Pipe()
    shared = memory.SharedMemory()
    thread = threading.Thread(target=_child.serve, args=(there, shared.map, str(build())))
    thread.start()

    def ask(*request) -> messages.Answer:
        messages.send_request(here, *request)
        return messages.received(here, shared.map)

    for _ in ("started", "loaded"):
        assert messages.received(here, shared.map).error is None
    handle = ask("open", record()).value
    assert ask("entity_info", handle, 5).value["label"] == "gaps µV"
    assert ask("analog_into", handle, 5, 10, 4).value == 4
    expected = contents.analog_values(10, 14)
    np.testing.assert_array_equal(np.frombuffer(shared.map, np.float64, 4), expected)
    assert ask("neural_into", handle, 8, 0, 7).error is None
    np.testing.assert_array_equal(np.frombuffer(shared.map, np.float64, 7), contents.times(8))
    times, lengths, joined = ask("event_data", handle, 0, 0, 4).arrays
    np.testing.assert_array_equal(times, contents.times(0))
    assert (lengths.tolist(), joined.tobytes()) == ([5, 6, 0, 4], b"startReiz \xfcstop")
    values = ask("segment_data", handle, 7, 0, 6).arrays[1]
    np.testing.assert_array_equal(values, contents.segment_values(7))
    assert str(ask("entity_info", handle, 99).error) == "Neuroshare-Error (-5): no such entity"
    assert ask("close", handle).error is None
    here.close()
    thread.join()
    there.close()
    shared.close()


def test_the_child_tells_why_it_cannot_load(tmp_path):
    here, there = Pipe()
    with here, there, memory.SharedMemory().map as shared:
        _child.serve(there, shared, str(tmp_path / "missing.so"))
        assert messages.received(here, shared).error is None
        error = messages.received(here, shared).error
    assert isinstance(error, DLLUnusable)


@pytest.mark.parametrize(
    ("code", "told"),
    [(-11, "SIGSEGV: Segmentation fault"), (-99, "signal 99"), (1, "exit code 1")],
)
def test_endings(code, told):
    assert worker._ending(code) == told
    assert worker._ending(0xC0000005) == "exit code 0xc0000005"
