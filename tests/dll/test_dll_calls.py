"""Every call of the interface on the vendor library, in this process and in one of its own."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest

from ephyrus.dll.constants import Result, Search
from ephyrus.errors import NeuroshareError
from tests.dll import contents

EVENTS, ANALOGS, SEGMENTS = (0, 1, 2, 3, 4, 9), (5, 6), (7, 11)
WITH_ITEMS = [n for n, entity in enumerate(contents.ENTITIES) if entity.item_count]


def code_of(call, *arguments) -> tuple[int, str, str]:
    with pytest.raises(NeuroshareError) as caught:
        call(*arguments)
    assert str(caught.value) == f"Neuroshare-Error ({caught.value.code}): {caught.value.message}"
    return caught.value.code, caught.value.name, caught.value.message


def test_library(library):
    assert library.library_info() == contents.LIBRARY
    assert library.name == "nsTestLibrary"
    assert library.path.endswith("/nsTestLibrary.so")
    assert repr(library) == f"{type(library).__name__}({library.path!r})"


def test_file(open_file):
    library, handle = open_file()
    assert library.file_info(handle) == contents.FILE


def test_handles(open_file):
    library, first = open_file()
    _, second = open_file("large 7")
    assert first >= 1
    assert second not in (0, first)
    assert library.entity_info(first, 6).item_count == contents.LARGE
    assert library.entity_info(second, 6).item_count == 7


def test_entities(open_file):
    library, handle = open_file()
    found = [library.entity_info(handle, number) for number in range(12)]
    assert found == contents.ENTITIES
    assert code_of(library.entity_info, handle, 12) == (-5, "ns_BADENTITY", "no such entity")


@pytest.mark.parametrize("entity", EVENTS)
def test_events(open_file, entity):
    library, handle = open_file()
    count = contents.ENTITIES[entity].item_count
    assert library.event_info(handle, entity) == contents.EVENT_INFOS[entity]
    times, values = library.event_data(handle, entity, 0, count)
    assert times.dtype == np.float64
    np.testing.assert_array_equal(times, contents.times(entity))
    assert values == contents.EVENT_VALUES[entity]
    if count > 1:
        times, values = library.event_data(handle, entity, 1, 1)
        np.testing.assert_array_equal(times, contents.times(entity)[1:2])
        assert values == contents.EVENT_VALUES[entity][1:2]


@pytest.mark.parametrize("entity", ANALOGS)
def test_analog(open_file, entity):
    library, handle = open_file()
    count = contents.ENTITIES[entity].item_count
    assert library.analog_info(handle, entity) == contents.ANALOG_INFOS[entity]
    data, continuous = library.analog_data(handle, entity, 0, count)
    assert data.dtype == np.float64
    np.testing.assert_array_equal(data, contents.analog_values(0, count))
    assert continuous == contents.continuous(entity, 0, count)


@pytest.mark.parametrize(
    ("start", "count"),
    [(0, 1000), (0, 999), (999, 2), (990, 100), (1000, 501), (1499, 2), (1500, 1)],
)
def test_analog_across_gaps(open_file, start, count):
    library, handle = open_file()
    data, continuous = library.analog_data(handle, 5, start, count)
    np.testing.assert_array_equal(data, contents.analog_values(start, start + count))
    assert continuous == contents.continuous(5, start, count)
    assert library.continuous_count(handle, 5, start, count) == continuous


def test_analog_of_many_blocks(open_file):
    library, handle = open_file("large 5000001")
    data, continuous = library.analog_data(handle, 6, 1, 5_000_000)
    np.testing.assert_array_equal(data, contents.analog_values(1, 5_000_001))
    assert continuous == 5_000_000
    assert library.continuous_count(handle, 6, 0, 5_000_001) == 5_000_001


@pytest.mark.parametrize("entity", SEGMENTS)
def test_segments(open_file, entity):
    library, handle = open_file()
    assert library.segment_info(handle, entity) == contents.SEGMENT_INFOS[entity]
    count = contents.ENTITIES[entity].item_count
    items = library.segment_data(handle, entity, 0, count)
    np.testing.assert_array_equal(items.times, contents.times(entity))
    np.testing.assert_array_equal(items.values, contents.segment_values(entity))
    np.testing.assert_array_equal(items.sample_counts, contents.segment_counts(entity))
    np.testing.assert_array_equal(items.unit_ids, contents.segment_units(entity))
    assert [part.dtype for part in items] == [np.float64, np.float64, np.uint32, np.uint32]


def test_part_of_segments(open_file):
    library, handle = open_file()
    items = library.segment_data(handle, 7, 2, 3)
    np.testing.assert_array_equal(items.times, contents.times(7)[2:5])
    np.testing.assert_array_equal(items.values, contents.segment_values(7)[2:5])
    np.testing.assert_array_equal(items.sample_counts, [11, 14, 17])
    np.testing.assert_array_equal(items.unit_ids, [2, 4, 2])


def test_many_segments(open_file):
    library, handle = open_file("large 70001")
    items = library.segment_data(handle, 11, 0, 70001)
    np.testing.assert_array_equal(items.times, contents.times(11, 70001))
    np.testing.assert_array_equal(items.values, contents.segment_values(11, 70001))
    np.testing.assert_array_equal(items.sample_counts, contents.segment_counts(11, 70001))
    np.testing.assert_array_equal(items.unit_ids, contents.segment_units(11, 70001))


@pytest.mark.parametrize(("entity", "source"), list(contents.SOURCE_INFOS))
def test_sources(open_file, entity, source):
    library, handle = open_file()
    found = library.source_info(handle, entity, source)
    assert found == contents.SOURCE_INFOS[entity, source]


def test_no_such_source(open_file):
    library, handle = open_file()
    refused = (-6, "ns_BADSOURCE", "no such source")
    assert code_of(library.source_info, handle, 7, 3) == refused
    assert code_of(library.source_info, handle, 7, -1)[0] == Result.BADSOURCE


def test_neural(open_file):
    library, handle = open_file()
    assert library.neural_info(handle, 8) == contents.NEURAL_INFO
    np.testing.assert_array_equal(library.neural_data(handle, 8, 0, 7), contents.times(8))
    np.testing.assert_array_equal(library.neural_data(handle, 8, 2, 3), contents.times(8)[2:5])


@pytest.mark.parametrize("entity", WITH_ITEMS)
def test_times(open_file, entity):
    library, handle = open_file()
    expected = contents.times(entity)
    for index in (0, len(expected) // 2, len(expected) - 1):
        assert library.time_by_index(handle, entity, index) == expected[index]
    code, name, message = code_of(library.time_by_index, handle, entity, len(expected))
    assert (code, name, message) == (-7, "ns_BADINDEX", "no such item")


def nearest(times: np.ndarray, time: float, search: int) -> int | None:
    """The item that is meant, by looking at all times."""
    if search == Search.CLOSEST:
        return int(np.argmin(np.abs(times - time)))
    among = np.flatnonzero(times <= time if search == Search.BEFORE else times >= time)
    if not len(among):
        return None
    return int(among[-1] if search == Search.BEFORE else among[0])


@pytest.mark.parametrize("orders", [(), ("lie times",), ("lie times", "lie counts")])
@pytest.mark.parametrize("entity", WITH_ITEMS)
def test_search(open_file, entity, orders):
    library, handle = open_file(*orders)
    times = contents.times(entity)
    some = times[:: max(1, len(times) // 5)]
    asked = {float(time) + shift for time in (*some, times[-1]) for shift in (0, -0.0003, 0.11)}
    for time in (*asked, -3.0, 1000.0, math.inf, -math.inf):
        for search in Search:
            expected = nearest(times, time, search) if math.isfinite(time) else None
            if not math.isfinite(time) and search != (1 if time > 0 else -1):
                expected = len(times) - 1 if time > 0 else 0
            if expected is None:
                code, name, _ = code_of(library.index_by_time, handle, entity, time, search)
                assert (code, name) == (-7, "ns_BADINDEX")
            else:
                assert library.index_by_time(handle, entity, time, search) == expected


def test_search_where_there_is_nothing(open_file):
    library, handle = open_file()
    for search in Search:
        code = code_of(library.index_by_time, handle, 9, 1.0, search)[0]
        assert code == Result.BADINDEX
    assert code_of(library.index_by_time, handle, 0, math.nan, 0)[0] == Result.BADINDEX
    assert code_of(library.index_by_time, handle, 12, 1.0, 0)[0] == Result.BADENTITY
    with pytest.raises(ValueError, match="5 is not a valid Search"):
        library.index_by_time(handle, 0, 1.0, 5)


READS = ("event_data", "analog_data", "continuous_count", "segment_data", "neural_data")


@pytest.mark.parametrize(("call", "entity"), list(zip(READS, (0, 5, 5, 7, 8), strict=True)))
def test_ranges(open_file, call, entity):
    library, handle = open_file()
    read = partial(getattr(library, call), handle)
    count = contents.ENTITIES[entity].item_count
    for start, size in ((0, count + 1), (count, 1), (1, count)):
        code, name, message = code_of(read, entity, start, size)
        assert (code, name) == (-7, "ns_BADINDEX")
        assert message in ("no such item", "samples past the end", "spikes past the end")
    for start, size in ((-1, 1), (0, -1), (0, 2**32), (2**32 - 1, 1), (2**40, 1)):
        code, _, message = code_of(read, entity, start, size)
        assert (code, message) == (-7, f"there are no {size} items from item {start} on")
    other = 8 if entity != 8 else 0
    assert code_of(read, other, 0, 1)[0] == Result.BADENTITY
    assert code_of(read, -1, 0, 1)[0] == Result.BADENTITY
    assert code_of(read, 2**32, 0, 1)[0] == Result.BADENTITY


@pytest.mark.parametrize(("call", "entity"), list(zip(READS, (0, 5, 5, 7, 8), strict=True)))
def test_nothing_asked_for(open_file, call, entity):
    library, handle = open_file()
    got = getattr(library, call)(handle, entity, 1, 0)
    if call == "continuous_count":
        assert got == 0
    elif call == "analog_data":
        assert (got[0].shape, got[1]) == ((0,), 0)
    elif call == "event_data":
        assert (got.times.shape, got.values) == ((0,), [])
    elif call == "segment_data":
        assert [part.shape for part in got] == [(0,), (0, 3, 20), (0,), (0,)]
    else:
        assert got.shape == (0,)


INFOS = ("entity_info", "event_info", "analog_info", "segment_info", "neural_info")


def test_closed_files(library, record):
    handle = library.open(record())
    library.close(handle)
    assert code_of(library.file_info, handle)[0] == Result.BADFILE
    assert code_of(library.close, handle)[0] == Result.BADFILE
    for call in INFOS:
        code, name, _ = code_of(getattr(library, call), handle, 0)
        assert (code, name) == (-4, "ns_BADFILE")
    assert code_of(library.time_by_index, handle, 0, 0)[0] == Result.BADFILE
    assert code_of(library.file_info, -1)[0] == Result.BADFILE


@pytest.mark.parametrize(("call", "entity"), list(zip(INFOS[1:], (5, 0, 0, 0), strict=True)))
def test_information_of_another_type(open_file, call, entity):
    library, handle = open_file()
    code, name, message = code_of(getattr(library, call), handle, entity)
    assert (code, name, message) == (-5, "ns_BADENTITY", "no such entity")


def test_files_that_are_none(library, tmp_path):
    missing = code_of(library.open, str(tmp_path / "missing.nst"))
    assert missing == (-3, "ns_FILEERROR", "the file cannot be opened")
    other = tmp_path / "other.nst"
    other.write_text("something else")
    assert code_of(library.open, str(other)) == (-2, "ns_TYPEERROR", "not a test recording")
    with pytest.raises(ValueError, match="no NUL character"):
        library.open("a\0b.nst")


def test_names_of_files(library, record, tmp_path, monkeypatch):
    for name in (
        "Messung ä µ 日本.nst",
        "with space.nst",
        b"\xff\xfe.nst".decode(errors="surrogateescape"),
    ):
        library.close(library.open(record(name=name)))
    monkeypatch.chdir(tmp_path)
    library.close(library.open("with space.nst"))


def test_numbers_of_numpy(open_file):
    library, handle = open_file()
    data, continuous = library.analog_data(handle, np.int64(5), np.int32(998), np.uint8(4))
    np.testing.assert_array_equal(data, contents.analog_values(998, 1002))
    assert continuous == 2
    assert library.time_by_index(np.int64(handle), np.uint16(7), np.int64(1)) == 1.75
    with pytest.raises(TypeError):
        library.time_by_index(handle, 7, 1.5)
    with pytest.raises(TypeError):
        library.entity_info(handle, "7")


FUNCTIONS = {
    "ns_OpenFile": None,
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


@pytest.mark.parametrize("code", [*list(Result)[1:], -99, 5])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_code_of_every_function(library, record, function, code):
    name = f"ns_{Result(code).name}" if code in list(Result) else "unknown"
    expected = (code, name, "as ordered")
    path = record(f"fail {function} {code}")
    if function == "ns_OpenFile":
        assert code_of(library.open, path) == expected
        return
    handle = library.open(path)
    try:
        call, *arguments = FUNCTIONS[function]
        asked = partial(getattr(library, call), handle, *arguments)
        if (function, code) == ("ns_GetIndexByTime", Result.BADINDEX):
            assert asked() == 0  # refused wrongly, and found all the same
        else:
            assert code_of(asked) == expected
    finally:
        library.close(handle)
