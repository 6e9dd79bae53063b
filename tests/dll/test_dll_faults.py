"""Libraries that lie, lack functions, are packed, or have strange texts; and the lock."""

from __future__ import annotations

import ctypes
import ctypes.util
import pickle
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ephyrus import errors
from ephyrus.dll import functions, structures
from ephyrus.dll.blocks import count_in_blocks, read_in_blocks
from ephyrus.dll.constants import LibraryFlags, Result
from ephyrus.dll.failures import failure
from ephyrus.dll.functions import DEMANDED, PROTOTYPES, load_functions
from ephyrus.dll.isolated import IsolatedLibrary
from ephyrus.dll.library import DllLibrary
from ephyrus.dll.loading import is_isolated_by_default, load_library
from ephyrus.dll.texts import decoded
from ephyrus.errors import DLLUnusable, NeuroshareError
from tests.dll import contents

# Lies


def test_counts_that_promise_too_much(open_file):
    library, handle = open_file("lie counts")
    assert [library.entity_info(handle, number) for number in range(12)] == contents.ENTITIES


def test_counts_are_believed_where_only_times_are_refused(open_file):
    library, handle = open_file("fail ns_GetTimeByIndex -7")
    assert [library.entity_info(handle, number) for number in range(12)] == contents.ENTITIES


def test_counts_are_believed_where_times_fail(open_file):
    library, handle = open_file("lie counts", "fail ns_GetTimeByIndex -3")
    assert library.entity_info(handle, 5).item_count == 2 * 1501


def test_continuous_counts_that_cannot_be(open_file):
    library, handle = open_file("lie continuous")
    data, continuous = library.analog_data(handle, 5, 10, 90)
    np.testing.assert_array_equal(data, contents.analog_values(10, 100))
    assert continuous == 90
    assert library.continuous_count(handle, 5, 10, 90) == 90


def test_samples_refused_where_only_their_number_is_wanted(open_file):
    library, handle = open_file("lie pointers")
    assert library.continuous_count(handle, 5, 0, 1501) == 1000
    assert library.continuous_count(handle, 5, 1000, 400) == 400
    with pytest.raises(NeuroshareError, match="samples past the end"):
        library.continuous_count(handle, 5, 0, 1502)


def test_items_with_more_samples_than_the_longest(open_file):
    library, handle = open_file("lie samples")
    items = library.segment_data(handle, 7, 0, 6)
    np.testing.assert_array_equal(items.sample_counts, [20] * 6)
    np.testing.assert_array_equal(items.values, contents.segment_values(7))


def test_events_longer_than_promised(open_file):
    library, handle = open_file("lie lengths")
    times, values = library.event_data(handle, 0, 0, 4)
    assert values == [b"start" + b"." * 6000, b"Reiz \xfc", b"", b"stop"]
    np.testing.assert_array_equal(times, contents.times(0))


def test_events_that_claim_more_than_can_be(open_file):
    library, handle = open_file("lie used")
    with pytest.raises(NeuroshareError, match="claims that item 2 has 4294967280 bytes") as caught:
        library.event_data(handle, 0, 2, 1)
    assert caught.value.code == Result.LIBERROR


def test_segments_larger_than_a_call_can_give(in_process, record, monkeypatch):
    handle = in_process.open(record())
    vast = replace(contents.SEGMENT_INFOS[7], max_sample_count=2**32 - 1)
    monkeypatch.setattr(in_process, "segment_info", lambda handle, entity: vast)
    with pytest.raises(NeuroshareError, match="items of 103079215080 bytes are more than a call"):
        in_process.segment_data(handle, 7, 0, 1)
    none = replace(contents.SEGMENT_INFOS[7], max_sample_count=0)
    monkeypatch.setattr(in_process, "segment_info", lambda handle, entity: none)
    assert in_process.segment_data(handle, 7, 0, 0).values.shape == (0, 3, 0)
    in_process.close(handle)


# Variants


@pytest.mark.parametrize("kind", [DllLibrary, IsolatedLibrary])
def test_packed_structures(build, record, kind):
    library = kind(build("PACKED"))
    first = library.open(record("fail ns_GetFileInfo -3"))
    with pytest.raises(NeuroshareError, match=r"\(-3\): as ordered"):
        library.analog_info(first, 5)  # nothing is decided by a file that fails
    second = library.open(record("fail ns_GetFileInfo -1", name="second.nst"))
    with pytest.raises(NeuroshareError, match=r"\(-1\): as ordered"):
        library.file_info(second)
    third = library.open(record(name="third.nst"))
    assert library.analog_info(third, 5) == contents.ANALOG_INFOS[5]
    assert library.file_info(third) == contents.FILE
    assert library.segment_info(third, 7) == contents.SEGMENT_INFOS[7]
    assert library.source_info(third, 7, 2) == contents.SOURCE_INFOS[7, 2]
    assert library.event_info(third, 1) == contents.EVENT_INFOS[1]
    assert library.neural_info(third, 8) == contents.NEURAL_INFO
    assert library.analog_info(first, 5) == contents.ANALOG_INFOS[5]  # kept for all files
    for handle in (first, second, third):
        library.close(handle)


@pytest.mark.parametrize("kind", [DllLibrary, IsolatedLibrary])
def test_the_first_revision(build, record, kind):
    """It counted months from 0 on, and gave segments sample by sample."""
    library = kind(build("REVISION_1_0"))
    assert library.library_info() == replace(contents.LIBRARY, api_version_minor=0)
    handle = library.open(record())
    assert library.file_info(handle) == contents.FILE
    items = library.segment_data(handle, 7, 0, 6)
    np.testing.assert_array_equal(items.values, contents.segment_values(7))
    np.testing.assert_array_equal(items.sample_counts, contents.segment_counts(7))
    library.close(handle)


def test_sizes_of_structures():
    sizes = {
        structures.LIBRARY_INFO: (1192, 1192),
        structures.FILE_DESCRIPTION: (64, 64),
        structures.FILE_INFO: (408, 404),
        structures.ENTITY_INFO: (40, 40),
        structures.EVENT_INFO: (140, 140),
        structures.ANALOG_INFO: (272, 264),
        structures.SEGMENT_INFO: (56, 52),
        structures.SOURCE_INFO: (256, 248),
        structures.NEURAL_INFO: (136, 136),
    }
    for table, expected in sizes.items():
        natural, packed = structures.structure(table), structures.structure(table, 4)
        assert (ctypes.sizeof(natural), ctypes.sizeof(packed)) == expected
        if table is not structures.LIBRARY_INFO:
            assert structures.packed_dtype(table).itemsize == expected[1]


def test_a_function_that_is_missing(build):
    with pytest.raises(DLLUnusable, match="lacks ns_GetNeuralData; a newer version") as caught:
        DllLibrary(build("NO_NEURAL"))
    assert caught.value.path == str(build("NO_NEURAL"))
    with pytest.raises(DLLUnusable, match="lacks ns_GetNeuralData; a newer version"):
        IsolatedLibrary(build("NO_NEURAL"))


def test_no_function_at_all():
    path = Path(ctypes.util.find_library("m") or "libm.so.6")
    found = next(
        (
            each / path
            for each in map(Path, ("/lib/x86_64-linux-gnu", "/lib64", "/usr/lib"))
            if (each / path).exists()
        ),
        None,
    )
    other = found or Path(sys.modules["_ctypes"].__file__)
    with pytest.raises(DLLUnusable, match="none of the functions of a Neuroshare library"):
        load_functions(other)


def test_what_cannot_be_loaded(tmp_path):
    whole = Path(sys.modules["_ctypes"].__file__).read_bytes()
    for data, told in (
        (b"nothing", "it is no shared library, going by its first bytes; install it again$"),
        (whole[:5000], r"it is cut short: it has 5000 of \d+ bytes; copy or install it again$"),
        (whole[:5] + b"\x07" + whole[6:], "it is no shared library"),
        (whole[:16] + b"\x77" + whole[17:], "the system's loader says: .*nsX.so: .*; if it misses"),
    ):
        path = tmp_path / "nsX.so"
        path.write_bytes(data)
        with pytest.raises(DLLUnusable, match=rf"nsX\.so cannot be used: {told}"):
            load_functions(path)


def test_all_functions(build):
    loaded = load_functions(build())
    assert len(PROTOTYPES) == 17
    assert len(DEMANDED) == 16
    assert [f"ns_{name}" for name in loaded._fields] == list(PROTOTYPES)
    for name, function in zip(PROTOTYPES, loaded, strict=True):
        assert tuple(function.argtypes) == PROTOTYPES[name]
        assert function.restype is ctypes.c_int32
    assert load_functions(build("NO_LAST_ERROR")).GetLastErrorMsg is None


def test_calling_convention(monkeypatch):
    """32-bit Windows has a convention of its own; elsewhere there is one."""
    used = []
    monkeypatch.setattr(ctypes, "CDLL", lambda path: used.append(("CDLL", path)))
    monkeypatch.setattr(ctypes, "WinDLL", lambda path: used.append(("WinDLL", path)), raising=False)
    for platform, largest in (("linux", 2**31), ("win32", 2**63), ("win32", 2**31)):
        monkeypatch.setattr(
            functions, "sys", type("sys", (), {"platform": platform, "maxsize": largest - 1})
        )
        functions._loaded("x")
    assert used == [("CDLL", "x"), ("CDLL", "x"), ("WinDLL", "x")]


@pytest.mark.parametrize(
    ("variant", "message"),
    [
        ("NO_LAST_ERROR", "there is no such entity, or it is of another type"),
        ("EMPTY_MESSAGE", "there is no such entity, or it is of another type"),
        ("LONG_MESSAGE", "x" * 256),
    ],
)
def test_messages(build, record, variant, message):
    library = DllLibrary(build(variant))
    handle = library.open(record())
    with pytest.raises(NeuroshareError) as caught:
        library.entity_info(handle, 12)
    assert (caught.value.code, caught.value.message) == (-5, message)
    library.close(handle)


def test_a_library_that_tells_nothing_of_itself(build, record):
    library = DllLibrary(build("NO_INFO"))
    with pytest.raises(NeuroshareError, match="nothing to tell"):
        library.library_info()
    handle = library.open(record())
    assert library.file_info(handle) == contents.FILE
    library.close(handle)


def test_codes_have_meanings():
    told = {code: failure(code) for code in (*list(Result)[1:], 7)}
    assert told[-2].message == "this is no file of a type that the library reads"
    assert told[-2].name == "ns_TYPEERROR"
    assert (told[7].name, told[7].message) == ("unknown", "the library gives an unknown code")
    assert len({error.message for error in told.values()}) == len(told)
    assert failure(-7, "of its own").message == "of its own"


# Texts


@pytest.mark.parametrize(
    ("raw", "size", "text"),
    [
        (b"plain", 8, "plain"),
        (b"cut\0off", 8, "cut"),
        ("Grüße".encode(), 16, "Grüße"),
        ("Grüße".encode("latin-1"), 16, "Grüße"),
        (b"\xb5V", 16, "µV"),
        (b"\x80\x81\xff", 3, "\x80\x81ÿ"),
        ("µµµ".encode()[:-1], 5, "µµ"),  # cut within a character
        ("µµµ".encode()[:-1], 8, "ÂµÂµÂ"),  # not cut, so it is no UTF-8
        (b"caf\xe9", 4, "café"),  # full, but nothing before shows that it is UTF-8
        (b"", 0, ""),
        (b"\0\0", 2, ""),
    ],
)
def test_texts(raw, size, text):
    assert decoded(raw, size) == text


# Several threads


def at_once(call, threads: int = 8, times: int = 40) -> list:
    gate = threading.Barrier(threads)

    def work(number: int) -> list:
        gate.wait()
        return [call(number) for _ in range(times)]

    with ThreadPoolExecutor(threads) as pool:
        return [answer for each in pool.map(work, range(threads)) for answer in each]


def test_the_library_notices_calls_at_once(build, record):
    """What the lock is for: without it this library refuses."""
    raw = load_functions(build())
    handle = ctypes.c_uint32()
    path = record("meet ns_GetAnalogData 30000")
    assert raw.OpenFile(path.encode(), ctypes.byref(handle)) == 0

    def read(number: int) -> int:
        data = np.empty(4)
        return raw.GetAnalogData(handle.value, 5, 0, len(data), None, data.ctypes.data)

    try:
        assert set(at_once(read, 2, 1)) == {Result.OK, Result.LIBERROR}
    finally:
        raw.CloseFile(handle.value)


@pytest.mark.parametrize("kind", [DllLibrary, IsolatedLibrary])
def test_one_call_at_a_time(build, record, kind):
    library = kind(build())
    again = kind(build())  # the same library, with the same state if it is in this process
    handles = [(each, each.open(record("large 300000"))) for each in (library, again)]
    values = contents.analog_values(0, 300_000)

    def read(number: int) -> bool:
        each, handle = handles[number % 2]
        if number % 4 == 3:
            return each.entity_info(handle, 7) == contents.ENTITIES[7]
        data, continuous = each.analog_data(handle, 6, number, 299_000)
        return continuous == 299_000 and np.array_equal(data, values[number : number + 299_000])

    assert all(at_once(read, times=10))
    for each, handle in handles:
        each.close(handle)


def of_two(library, path: str) -> list[str]:
    """What two calls at once give, of which each wants to meet the other."""

    def call(number: int) -> str:
        try:
            library.event_info(handles[number], 0)
        except NeuroshareError as error:
            return error.message
        return "met"

    handles = [library.open(path), library.open(path)]
    try:
        return at_once(call, 2, 1)
    finally:
        for handle in handles:
            library.close(handle)


def test_libraries_for_several_threads_have_no_lock(build, record):
    several = DllLibrary(build("MULTITHREADED"))
    assert several.library_info().flags == LibraryFlags.DEBUG | LibraryFlags.MULTITHREADED
    assert of_two(several, record("meet ns_GetEventInfo 30000")) == ["met", "met"]
    alone = of_two(DllLibrary(build()), record("meet ns_GetEventInfo 50"))
    assert alone == ["no other call came"] * 2


# Blocks


@pytest.mark.parametrize("gap", [None, 1, 4, 5, 6, 8, 9, 12])
@pytest.mark.parametrize("count", [0, 1, 4, 8, 11, 12])
def test_gaps_at_the_edges_of_blocks(gap, count):
    """Samples 0 to 20, with a gap before sample `gap`, four a block, from sample 1 on."""

    def read_into(start: int, out: np.ndarray) -> int:
        out[:] = np.arange(start, start + len(out))
        return len(out) if gap is None or not start < gap < start + len(out) else gap - start

    expected = count if gap is None or not 1 < gap < 1 + count else gap - 1
    data, continuous = read_in_blocks(read_into, 1, count, 4)
    np.testing.assert_array_equal(data, np.arange(1, 1 + count))
    assert continuous == expected
    assert count_in_blocks(read_into, 1, count, 4) == expected


# Loading and errors


def test_which_libraries_are_isolated(build):
    assert is_isolated_by_default("nsTestLibrary")
    assert not is_isolated_by_default("nsMCDLibrary")
    other = load_library(build())
    assert isinstance(other, IsolatedLibrary)
    other.shutdown()
    assert isinstance(load_library(build(), isolate=False), DllLibrary)
    known = build(name="nsMCDLibrary")
    assert isinstance(load_library(known), DllLibrary)
    apart = load_library(known, isolate=True, timeout=3)
    assert isinstance(apart, IsolatedLibrary)
    assert apart.timeout == 3
    apart.shutdown()


@pytest.mark.parametrize(
    "error",
    [
        NeuroshareError(-7, "ns_BADINDEX", "no such item"),
        errors.LibraryCrashed("it crashed"),
        errors.LibraryHung("it hung"),
        errors.DLLTypeUnknown("x.abc", "abc"),
        errors.DLLNotFound("x.plx", "plx", "nsPlxLibrary", "look there"),
        errors.DLLUnusable("/x/nsPlxLibrary.so", "it is for another system"),
        errors.ArgumentError("x", "no ending"),
    ],
)
def test_errors_survive_pickling(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
    assert isinstance(error, errors.EphyrusError)


def test_texts_of_errors():
    assert str(NeuroshareError(-7, "ns_BADINDEX", "m")) == "Neuroshare-Error (-7): m"
    assert str(errors.LibraryHung("late")) == "Neuroshare-Error (-1): late"
    assert str(errors.DLLTypeUnknown("x.abc", "abc")) == '"abc": Unknown library type.'
    found = errors.DLLNotFound("x.plx", "plx", "nsPlxLibrary")
    assert str(found) == 'Vendor DLL "nsPlxLibrary" could not be found'
    assert isinstance(found, errors.DLLException)
    assert isinstance(errors.ArgumentError("x", "m"), ValueError)
