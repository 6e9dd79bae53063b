"""The instruments of the contract suite: watched files, seeded damage, limits."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from ephyrus.recording import Recording
from ephyrus.testing import (
    Counter,
    FailAt,
    InjectedError,
    WatchedFileSet,
    lying_counts,
    memory_limit,
    mutation,
    open_descriptors,
    opened_paths,
    time_limit,
    truncation_places,
)
from ephyrus.testing.guards import TooMuchMemory, TooSlow
from ephyrus.testing.mutate import is_text, replaced_names
from tests.testing import toyformat as toy

# Watched files


@pytest.mark.parametrize("access", ["mmap", "pread"])
def test_counter_counts_requests_and_bytes(tmp_path, access):
    path = toy.write(tmp_path, channels=2, samples=10, spikes=0)
    counter = Counter()
    files = WatchedFileSet(path, watch=counter, access=access)
    head = files.main.read_at(0, 4)
    values = files.main.array(toy.HEAD.itemsize, "<i2", 20)
    start = files.main.head(8)
    assert (head, start) == (path.read_bytes()[:4], path.read_bytes()[:8])
    assert values.tobytes() == path.read_bytes()[toy.HEAD.itemsize :]
    assert (counter.requests, counter.nbytes) == (4, 4 + 40 + 8)
    assert counter.names == {str(path)}
    files.close()


def test_fail_at_fails_once_and_keeps_the_error(tmp_path):
    path = toy.write(tmp_path)
    failing = FailAt(3)
    with WatchedContext(path, failing) as files:
        files.main.read_at(0, 4)
        with pytest.raises(InjectedError, match=r"rec\.toy \(injected at byte 7\)") as caught:
            files.main.array(7, "u1", 2)
        assert caught.value is failing.error
        assert isinstance(caught.value, OSError)
        assert files.main.read_at(0, 4) == toy.MAGIC


class WatchedContext:
    """A watched file set that is closed at the end of the block."""

    def __init__(self, path, watch):
        self.files = WatchedFileSet(path, watch=watch, access="pread")

    def __enter__(self):
        return self.files

    def __exit__(self, *exception):
        self.files.close()


def test_fail_at_an_opening(tmp_path):
    failing = FailAt(1)
    before = open_descriptors()
    with WatchedContext(toy.write(tmp_path), failing) as files, pytest.raises(InjectedError):
        files.main.size  # noqa: B018 - the property opens the file
    assert open_descriptors() == before


def test_watched_files_go_into_a_recording_and_through_pickle(tmp_path):
    counter = Counter()
    files = WatchedFileSet(toy.write(tmp_path), watch=counter, access="pread")
    with Recording(toy, files) as rec:
        requests = counter.requests
        expected = rec.read_signal(0)
        assert counter.requests == requests + 1
        with pickle.loads(pickle.dumps(rec)) as other:
            np.testing.assert_array_equal(other.read_signal(0), expected)
        assert counter.requests == requests + 1


# Seeded damage

BINARY = bytes(range(256)) * 8
TEXT = b"channels = 12\nrate = 0.5\n" * 20


@pytest.mark.parametrize("data", [BINARY, TEXT])
def test_the_same_number_gives_the_same_damage(data):
    one = [mutation(data, "seed", number) for number in range(200)]
    other = [mutation(data, "seed", number) for number in range(200)]
    assert one == other
    assert len({case.data for case in one}) > 180
    assert all(case.data != data for case in one)
    assert [mutation(data, "other seed", number) for number in range(200)] != one


@pytest.mark.parametrize("data", [BINARY, TEXT])
def test_all_kinds_of_damage_occur(data):
    done = " ".join(mutation(data, "seed", number).what for number in range(1000))
    kinds = ["flipped", "written", "deleted", "repeated", "inserted", "exchanged", "cut at"]
    kinds += ["digit to", "line", "each b"] if data is TEXT else ["as <f8", "moved", "to the byte"]
    assert [kind for kind in kinds if kind not in done] == []


@pytest.mark.parametrize("data", [b"", b"\0", b"1", b"\n"])
def test_short_files_can_be_damaged(data):
    for number in range(500):
        assert isinstance(mutation(data, "seed", number).data, bytes)


def test_lying_counts_reach_every_place_with_every_value():
    cases = list(lying_counts(b"\x11" * 8, limit=10_000))
    values = {0x00000000, 0xFFFFFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFF7F, 0x00000080}
    found = {int.from_bytes(case.data[2:6], "big") for case in cases} & values
    assert found == values
    for offset in range(7):
        for dtype, number in (("<u2", 0xFFFF), (">u2", 0x7FFF), ("<i2", 0x7FFF), (">i2", -32768)):
            head = [np.frombuffer(case.data, dtype, 1, offset)[0] for case in cases]
            assert number in head, (offset, dtype)
    assert all(len(case.data) == 8 for case in cases)
    assert all(case.data != b"\x11" * 8 for case in cases)


def test_lying_counts_are_limited_and_spread():
    cases = list(lying_counts(b"\x11" * 5000, head=2048, limit=2100, seed="x"))
    assert 1800 <= len(cases) <= 2100
    offsets = [int(case.what.split()[-1]) for case in cases]
    assert np.diff(offsets).max() <= 2
    assert min(offsets) < 2
    assert max(offsets) > 2045
    other = list(lying_counts(b"\x11" * 5000, head=2048, limit=2100, seed="y"))
    assert other != cases


def test_lying_counts_of_texts():
    cases = [case.data for case in lying_counts(b"n=12;x=-0.5e3", limit=1000)]
    assert b"n=99999999999;x=-0.5e3" in cases
    assert b"n=12;x=nan" in cases
    assert b"n=-1;x=-0.5e3" in cases
    assert b"n=;x=-0.5e3" in cases
    assert list(lying_counts(b"no numbers")) == []


def test_truncation_places():
    assert truncation_places(b"x" * 10, [0, 4, 10, 99], seeded=0, seed="") == [0, 1, 3, 4, 5, 9]
    seeded = truncation_places(bytes(10_000), [], seeded=30, seed="a")
    assert len(seeded) == 30
    assert seeded == truncation_places(bytes(10_000), [], seeded=30, seed="a")
    assert truncation_places(b"", [0, 1], seeded=30, seed="a") == []


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (TEXT, True),
        ("Spannung in µV".encode("latin-1"), True),
        (b"\xef\xbb\xbfutf-8", True),
        (BINARY, False),
        (b"text\0", False),
        (b"", False),
        (b"t" * 4096 + b"\0", True),
    ],
)
def test_is_text(data, expected):
    assert is_text(data) is expected


def test_replaced_names():
    assert [case.data for case in replaced_names(b"a.eeg;1", "a.eeg", "../b.eeg")] == [
        b"../b.eeg;1",
        b"../b.;1",
    ]
    assert [case.data for case in replaced_names(b"abcdef;1", "abcdef", "../x")] == [
        b"../x;1",
        b"../x\0\0;1",
    ]
    wide = "ab".encode("utf-16-le")
    assert [case.data for case in replaced_names(wide, "ab", "/b")] == ["/b".encode("utf-16-le")]
    assert list(replaced_names(b"other", "ab", "/b")) == []


# Limits


@pytest.mark.parametrize("method", ["auto", "signal", "thread"])
def test_time_limit_ends_a_loop(method):
    begin = time.monotonic()
    with (
        pytest.raises(TooSlow, match=r"the loop: not done after 0\.1 s"),
        time_limit(0.1, "the loop", method=method),
    ):
        swallowing_loop()
    assert time.monotonic() - begin >= 0.1


def swallowing_loop():
    """A loop that catches everything that a reader may catch."""
    while True:
        try:
            time.sleep(0.001)
        except Exception:  # noqa: S112 - that is the point
            continue


def test_time_limit_in_another_thread():
    failures = []

    def work():
        with pytest.raises(TooSlow, match="work: not done"), time_limit(0.1, "work"):
            swallowing_loop()
        failures.append("seen")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert failures == ["seen"]


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_time_limit_lets_quick_work_pass(method):
    for _ in range(50):
        with time_limit(60, "quick work", method=method):
            value = sum(range(100))
    assert value == 4950


def test_time_limit_gives_the_timer_back():
    rung = []
    handler = signal.signal(signal.SIGALRM, lambda *arguments: rung.append(1))
    timer = signal.setitimer(signal.ITIMER_REAL, 5000)
    try:
        with time_limit(500, "inner"):
            assert 400 < signal.getitimer(signal.ITIMER_REAL)[0] <= 500
        assert 4800 < signal.getitimer(signal.ITIMER_REAL)[0] <= 5000
        signal.raise_signal(signal.SIGALRM)
        assert rung == [1]
    finally:
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, handler)


METHODS = pytest.mark.parametrize("method", ["auto", "address space", "tracemalloc"])


@METHODS
def test_memory_limit_stops_large_arrays(method):
    with (
        pytest.raises(TooMuchMemory, match=r"an array.*: needs more than 67,108,864 bytes"),
        memory_limit(64 * 2**20, "an array", method=method),
    ):
        np.zeros(200 * 2**20, "u1")


@METHODS
def test_memory_limit_stops_impossible_arrays(method):
    with (
        pytest.raises(TooMuchMemory, match="needs more than 1,048,576 bytes"),
        memory_limit(2**20, "an array", method=method),
    ):
        np.zeros(2**50, "u1")


@METHODS
def test_memory_limit_lets_small_work_pass(method):
    with memory_limit(64 * 2**20, "small work", method=method):
        assert np.ones(2**20, "u1").sum() == 2**20
    np.zeros(200 * 2**20, "u1")  # the limit is gone


@METHODS
def test_memory_limit_lets_errors_pass(method):
    with (
        pytest.raises(ValueError, match="mine"),
        memory_limit(64 * 2**20, "an error", method=method),
    ):
        raise ValueError("mine")


def test_open_descriptors(tmp_path, monkeypatch):
    before = open_descriptors()
    with (tmp_path / "file").open("w"):
        assert open_descriptors() == before + 1
    assert open_descriptors() == before


def test_open_descriptors_without_a_folder_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "is_dir", lambda path: False)
    before = open_descriptors()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    assert open_descriptors() == before + 1
    os.close(descriptor)
    assert open_descriptors() == before


def test_opened_paths(tmp_path):
    one, other, later = (tmp_path / name for name in ("one", "other", "later"))
    one.write_bytes(b"1")
    other.write_bytes(b"2")
    with opened_paths() as paths:
        one.read_bytes()
        with opened_paths() as inner:
            os.close(os.open(os.fsencode(other), os.O_RDONLY))
    later.write_bytes(b"3")
    assert paths == [str(one), str(other)]
    assert inner == [str(other)]
