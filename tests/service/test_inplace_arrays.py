"""Served arrays have the values of the objects that ``read_block`` gives."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest

import ephyrus
from ephyrus import AnalogSignal, Epoch, ImageSequence, IrregularlySampledSignal, SpikeTrain
from ephyrus.errors import EphyrusError
from ephyrus.recording.blocks import from_blocks
from ephyrus.recording.objects import CHILD_LISTS
from ephyrus.service.arrays import recorded as module
from ephyrus.service.arrays.recorded import recorded_array
from ephyrus.service.errors import ServiceError
from ephyrus.service.inplace.discover import Scanner
from ephyrus.service.inplace.mapping import rows_of
from tests.golden import data_path
from tests.synth.held import held_recording

LISTS = {
    "analogsignal": ("analogsignals", "imagesequences"),
    "analogsignalarray": ("analogsignals", "imagesequences"),
    "irsaanalogsignal": ("irregularlysampledsignals",),
    "spiketrain": ("spiketrains",),
    "eventarray": ("events",),
    "epocharray": ("epochs",),
}


RECORDINGS = {"made up": lambda: ephyrus.open("made-up.fake"), "held": held_recording}


@pytest.fixture(params=RECORDINGS)
def recording(request):
    return RECORDINGS[request.param]()


def in_order(recording: Any) -> list[Any]:
    """The data objects of the tree in the order of the rows."""
    return [
        obj
        for block in recording.tree()
        for segment in block.segments
        for name in CHILD_LISTS.values()
        for obj in getattr(segment, name)
    ]


def numbers(recording: Any, rows: list[Any], row: Any, field: str, **how: Any) -> Any:
    key, _ = row.arrays[field]
    file = next(each for each in rows if each.key == key)
    array = recorded_array(recording, file.array["location"])
    values = array.read(**how)
    assert list(array.shape) == file.array["shape"]
    if not how:
        assert values.shape == array.shape
        assert values.dtype == array.dtype == np.dtype(file.array["dtype"])
    return values


def test_every_object_has_its_values(recording):
    rows = list(rows_of(recording))
    data = [row for row in rows if row.type in LISTS]
    objects = in_order(recording)
    assert len(data) == len(objects) > 0
    for row, obj in zip(data, objects, strict=True):
        assert type(obj).__name__.lower() + "s" in LISTS[row.type]
        assert (row.attributes["name"] or None) == obj.name
        for field, expected in values_of(obj).items():
            found = numbers(recording, rows, row, field)
            np.testing.assert_array_equal(found, expected, err_msg=f"{row.key} {field}")


def values_of(obj: Any) -> dict[str, Any]:
    """The arrays of an object, as the service shows them."""
    if isinstance(obj, AnalogSignal):
        values = obj.magnitude
        return {"signal": values[:, 0] if values.shape[1] == 1 else values}
    if isinstance(obj, ImageSequence):
        return {"signal": obj.magnitude.reshape(len(obj), -1)}
    times = {"times": obj.times.rescale("s").magnitude}
    if isinstance(obj, IrregularlySampledSignal):
        values = obj.magnitude
        return {**times, "signal": values[:, 0] if values.shape[1] == 1 else values}
    if isinstance(obj, SpikeTrain):
        return times
    labels = [str(label).encode() for label in obj.labels]
    found: dict[str, Any] = {**times, "labels": np.array(labels, "S")}
    if isinstance(obj, Epoch):
        found["durations"] = obj.durations.rescale("s").magnitude
    return found


def test_times_units_and_rates(recording):
    rows = list(rows_of(recording))
    data = [row for row in rows if row.type in LISTS]
    for row, obj in zip(data, in_order(recording), strict=True):
        if row.type.startswith("analogsignal"):
            rate = float(obj.sampling_rate.rescale("Hz").magnitude)
            assert row.quantities["sampling_rate"] == (rate, "Hz")
            assert row.arrays["signal"][1] == str(obj.dimensionality)
        if "t_start" in row.quantities:
            start = float(obj.t_start.rescale("s").magnitude)
            assert row.quantities["t_start"] == (pytest.approx(start, abs=1e-12), "s")
        if row.type == "spiketrain":
            assert row.quantities["t_stop"] == (float(obj.t_stop.rescale("s").magnitude), "s")
        assert row.arrays.get("times", ("", "s"))[1] == "s"


def test_waveforms_are_physical():
    recording = ephyrus.open("made-up.fake")
    rows = list(rows_of(recording))
    train = next(row for row in rows if row.type == "spiketrain")
    lazy = recording.tree(lazy=True)[0].segments[0].spiketrains[0]
    expected = lazy.load(load_waveforms=True).waveforms
    assert train.arrays["waveforms"][1] == str(expected.dimensionality)
    found = numbers(recording, rows, train, "waveforms")
    np.testing.assert_array_equal(found, expected.magnitude)
    np.testing.assert_array_equal(
        numbers(recording, rows, train, "waveforms", start=3, stop=5), expected.magnitude[3:5]
    )
    stored = numbers(recording, rows, train, "waveforms", scaled=False)
    assert stored.dtype == np.int16
    layout = recording.tables[0].waveforms
    np.testing.assert_allclose(stored * layout.gain + layout.offset, found, rtol=1e-6)


def first_array(recording: Any, kind: str, field: str) -> Any:
    rows = list(rows_of(recording))
    files = {each.key: each for each in rows if each.type == "datafile"}
    row = next(row for row in rows if row.type == kind)
    return recorded_array(recording, files[row.arrays[field][0]].array["location"])


def test_rows_and_channels_in_any_order():
    recording = ephyrus.open("made-up.fake")
    array = first_array(recording, "analogsignalarray", "signal")
    whole = recording.read_scaled(0, 0, 100_000)
    assert array.channel_names == recording.signals[0].channels.names
    np.testing.assert_array_equal(array.read(10, 20, [5, 0]), whole[10:20, [5, 0]])
    np.testing.assert_array_equal(array.read(10, 20, slice(2, 4)), whole[10:20, 2:4])
    stored = array.read(99_990, None, [3], scaled=False)
    np.testing.assert_array_equal(stored, recording.read_signal(0, 99_990, 100_000, [3]))
    assert stored.dtype == array.stored_dtype == np.int16
    np.testing.assert_allclose(stored * array.gain[3] + array.offset[3], whole[99_990:, [3]], 1e-6)
    assert array.read(5, 5).shape == (0, 8)


def test_channels_of_one_unit_are_picked_out_of_the_stream():
    recording = ephyrus.open("made-up.fake")  # its second stream has channels in uV and in pA
    rows = list(rows_of(recording))
    files = {each.key: each for each in rows if each.type == "datafile"}
    row = next(
        row for row in rows if row.type == "analogsignalarray" and row.arrays["signal"][1] == "pA"
    )
    array = recorded_array(recording, files[row.arrays["signal"][0]].array["location"])
    assert array.channel_names == ("ch14", "ch15")
    whole = recording.read_scaled(1, 0, 100_000)
    np.testing.assert_array_equal(array.read(7, 9), whole[7:9, 6:])
    np.testing.assert_array_equal(array.read(7, 9, [1]), whole[7:9, [7]])


def test_images_by_pixel():
    array = first_array(held_recording(), "analogsignalarray", "signal")
    assert array.shape == (50, 3)
    rows = list(rows_of(held_recording()))
    film = next(row for row in rows if row.type in LISTS and row.attributes["name"] == "film")
    assert film.attributes["description"] == (
        "images of 2 rows and 4 columns; one channel per pixel, row by row"
    )
    recording = held_recording()
    pixels = recording.tree()[0].segments[0].imagesequences[0].magnitude.reshape(7, 8)
    found = numbers(recording, rows, film, "signal", start=1, stop=3, channels=[7, 0])
    np.testing.assert_array_equal(found, pixels[1:3, [7, 0]])


def test_small_pieces_give_the_same(monkeypatch, recording):
    rows = list(rows_of(recording))
    before = [
        numbers(recording, rows, row, field)
        for row in rows
        if row.type in LISTS
        for field in row.arrays
    ]
    monkeypatch.setattr(module, "PIECE_BYTES", 64)
    monkeypatch.setattr(module, "SPAN_ITEMS", 3)
    shorter = [row for row in rows if row.type in LISTS]
    after = [
        numbers(recording, rows, row, field, stop=min(200, len(values)))
        for values, (row, field) in zip(
            before, [(row, field) for row in shorter for field in row.arrays], strict=True
        )
    ]
    for one, other in zip(before, after, strict=True):
        np.testing.assert_array_equal(one[:200], other)
        assert one.dtype == other.dtype


def test_looking_up_times(monkeypatch):
    recording = ephyrus.open("made-up.fake")
    array = first_array(recording, "spiketrain", "times")
    times = array.read()
    assert array.is_sorted
    for limit in (2, 2**14):
        monkeypatch.setattr(module, "READ_WHOLE", limit)
        for time in (-1.0, *times[[0, 7, 7, 19]], 3.3, 100.0):
            for side in ("left", "right"):
                assert array.locate(time, side) == np.searchsorted(times, time, side)


def test_times_that_are_not_sorted_say_so():
    recording = held_recording()
    array = first_array(recording, "spiketrain", "times")
    assert array.is_sorted is False
    with pytest.raises(ValueError, match="sorted"):
        array.locate(1.0)


def test_what_is_outside_is_refused():
    array = first_array(ephyrus.open("made-up.fake"), "analogsignalarray", "signal")
    with pytest.raises(IndexError):
        array.read(0, 100_001)
    with pytest.raises(IndexError):
        array.read(-1, 5)
    with pytest.raises(IndexError):
        array.read(0, 5, [8])
    times = first_array(ephyrus.open("made-up.fake"), "spiketrain", "times")
    with pytest.raises(IndexError, match="one axis"):
        times.read(0, 5, [0])


@pytest.mark.parametrize(
    ("field", "address"),
    [
        ("signal", {"stream": 9, "run": 0}),
        ("signal", {"stream": 0, "run": 9}),
        ("times", {"table": True, "stream": 99, "run": 0}),
        ("times", {"table": True, "stream": 0, "run": 9, "unit": 0}),
        ("times", {"table": True, "stream": 0, "run": 0, "unit": 4}),
        ("waveforms", {"table": True, "stream": 3, "run": 0}),
        ("nonsense", {"table": True, "stream": 3, "run": 0}),
    ],
)
def test_a_place_that_is_not_there(field, address):
    with pytest.raises(ServiceError, match="replaced by another one") as caught:
        recorded_array(ephyrus.open("made-up.fake"), {"field": field, "address": address})
    assert caught.value.message_type == "unavailable"


def test_relations_are_within_the_lot_and_come_before(recording):
    seen: set[str] = set()
    rows = list(rows_of(recording, recording_id=7, version=5))
    for row in rows:
        above = [
            key
            for value in row.parents.values()
            for key in (value if isinstance(value, tuple) else (value,))
        ]
        assert {*above, *(key for key, _ in row.arrays.values()), *row.tags} <= seen
        assert row.key not in seen
        seen.add(row.key)
        if row.array is not None:
            assert row.array["location"]["recording"] == 7
            assert row.array["location"]["version"] == 5
    assert [row.key for row in rows] == [row.key for row in rows_of(recording)]


def test_blocks_segments_channels_and_units():
    rows = list(rows_of(ephyrus.open("made-up.fake"), name="day 1/made-up.fake"))
    counts = Counter(row.type for row in rows)
    assert counts["block"] == 2
    assert counts["segment"] == 5
    assert counts["recordingchannel"] == 32  # 16 in each block
    assert counts["unit"] == 6
    blocks = [row for row in rows if row.type == "block"]
    assert [row.attributes["name"] for row in blocks] == ["Block #0", "Block #1"]
    segments = [row for row in rows if row.type == "segment"]
    assert [row.parents["block"] for row in segments] == ["block:0"] * 2 + ["block:1"] * 3
    assert [row.attributes["index"] for row in segments] == [0, 1, 0, 1, 2]
    trains = [row for row in rows if row.type == "spiketrain"]
    units = {row.key: row.attributes["name"] for row in rows if row.type == "unit"}
    assert [units[row.parents["unit"]] for row in trains[:3]] == ["unit0", "unit1", "unit2"]


def test_annotations_are_metadata_that_objects_are_tagged_with():
    rows = list(rows_of(ephyrus.open("made-up.fake")))
    by_key = {row.key: row for row in rows}
    block = next(row for row in rows if row.type == "block")
    words = {
        by_key[by_key[key].parents["parent_property"]].attributes["name"]: by_key[key].attributes
        for key in block.tags
    }
    assert words["block_extra_info"] == {"data": "This is the block 0"}
    assert words["format"]["data"] == ephyrus.open("made-up.fake").format.label
    assert block.parents == {"section": "section:recording"}
    assert by_key["section:block:0"].parents == {"parent_section": "section:recording"}


def test_texts_and_times_that_databases_hold():
    recording = held_recording()
    block = recording.tree()[0]
    block.name = "nul\0 and \udce9"
    block.rec_datetime = datetime(2024, 2, 29, 13, 0, tzinfo=timezone(timedelta(hours=2)))
    again = from_blocks(block)
    row = next(row for row in rows_of(again, name="x") if row.type == "block")
    assert row.attributes["name"] == "nul and ?"
    assert row.attributes["filedatetime"] == datetime(2024, 2, 29, 11, 0)
    assert row.attributes["description"] == "from memory"


@pytest.mark.real
def test_every_array_of_every_recording_of_the_collection():
    compared = 0
    for found in Scanner([data_path("")]).scan().found.values():
        try:
            recording = ephyrus.open(found.path, access="pread")
        except (EphyrusError, OSError):
            continue
        with recording:
            rows = list(rows_of(recording))
            data = [row for row in rows if row.type in LISTS]
            for row, obj in zip(data, in_order(recording), strict=True):
                for field, expected in values_of(obj).items():
                    values = numbers(recording, rows, row, field)
                    np.testing.assert_array_equal(values, expected, f"{found.name} {row.key}")
                    compared += 1
    assert compared > 2000
