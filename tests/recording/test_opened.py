"""Recordings of more files than a process may have open."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from ephyrus.errors import FormatError
from ephyrus.recording import FileSet
from ephyrus.recording import opened as opened_module

resource = pytest.importorskip("resource")
FILES = 12
KEPT = 4


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(opened_module, "most_open", lambda: KEPT)
    for number in range(FILES):
        (tmp_path / f"{number}.dat").write_bytes(bytes([number]) * 8)
    return tmp_path


@pytest.mark.parametrize("access", ["mmap", "pread"])
def test_files_beyond_the_bound_are_let_go_and_opened_again(folder, access):
    files = FileSet(folder, access=access)
    kept = files.source("0.dat")
    for _ in range(2):
        for number in range(FILES):
            found = files.source(f"{number}.dat").array(0, "u1", 8)
            np.testing.assert_array_equal(found, np.full(8, number))
    assert kept is not files.source("0.dat")
    np.testing.assert_array_equal(kept.array(4, "u1", 4), np.zeros(4))  # who has it may read on
    assert files.source("11.dat") is files.source("11.dat")
    files.close()
    assert not files.is_open


def test_a_file_that_changed_is_not_opened_again(folder):
    files = FileSet(folder)
    files.source("0.dat")
    (folder / "0.dat").write_bytes(b"longer than before")
    for number in range(1, FILES):
        files.source(f"{number}.dat")
    with pytest.raises(FormatError, match="changed after it was opened"):
        files.source("0.dat")
    files.close()


def test_threads_share_it(folder):
    files, wrong = FileSet(folder), []

    def read():
        for number in range(10 * FILES):
            data = files.source(f"{number % FILES}.dat").array(0, "u1", 8)
            if data.tolist() != [number % FILES] * 8:
                wrong.append(number)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    files.close()


def test_files_in_memory_stay():
    memory = {f"{number}.dat": bytes([number % 256]) for number in range(3000)}
    files = FileSet("0.dat", memory=memory)
    first = files.source("0.dat")
    for name in memory:
        files.source(name)
    assert files.source("0.dat") is first


def test_what_is_attached_is_closed_with_the_files(folder):
    closed = []

    class Other:
        def close(self):
            closed.append(self)

    files, other = FileSet(folder), Other()
    files.attach(other)
    for number in range(FILES):
        files.source(f"{number}.dat")
    assert closed == []
    assert files.is_open
    files.close()
    assert closed == [other]
    assert not files.is_open


@pytest.mark.parametrize(
    ("limit", "most"), [(16, 32), (256, 64), (2**20, 1024), (resource.RLIM_INFINITY, 1024)]
)
def test_the_bound_follows_the_limit_of_the_process(monkeypatch, limit, most):
    monkeypatch.setattr(opened_module.resource, "getrlimit", lambda _: (limit, limit))
    assert opened_module.most_open() == most
