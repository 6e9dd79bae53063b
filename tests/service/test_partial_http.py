"""Sections 1.2 to 1.4, 2.4 to 2.8 of the page over HTTP: every type of object, in every format."""

from __future__ import annotations

import io
import json

import h5py
import numpy as np
import pytest

from tests.service.support import Site

TIMES = np.array([5.0, 10.0, 10.0, 20.0, 35.5, 60.0, 90.0])
SHUFFLED = np.array([60.0, 10.0, 90.0, 5.0, 20.0, 1.0, 2.0])
LABELS = np.array(["a", "b", "é", "d", "e", "f", "long label"], dtype=object)
TEXTS = LABELS.tolist()
DURATIONS = np.array([100.0, 1, 1, 1, 1, 1, 1])
WAVEFORMS = np.arange(7 * 2 * 3, dtype=np.float32).reshape(7, 2, 3)
WAVEFORM = np.arange(12, dtype=np.int16).reshape(4, 3)
COUNTS = np.arange(1000, dtype=np.int16).reshape(250, 4)
PLANE = np.arange(21.0).reshape(7, 3)


def quantity(data, units):
    return {"data": data, "units": units}


@pytest.fixture(scope="module")
def ada(tmp_path_factory):
    """Somebody who has logged in."""
    with Site(tmp_path_factory.mktemp("service")) as site:
        yield site.user("ada")


@pytest.fixture(scope="module")
def objects(ada):
    """Permalinks of one object of each type, by name."""

    def make(kind, **fields):
        return ada.make(f"electrophysiology/{kind}", **fields)["permalink"]

    def array(values, units):
        if values.dtype == object:  # as an upload stores it
            values = np.array([each.encode("utf-8") for each in values])
        return quantity(ada.array(values), units)

    start, stop = quantity(0, "ms"), quantity(100, "ms")
    irregular = {"t_start": quantity(5, "ms"), "times": array(TIMES, "ms")}
    return {
        "train": make(
            "spiketrain",
            t_start=start,
            t_stop=stop,
            times=array(TIMES, "ms"),
            waveforms=array(WAVEFORMS, "mV"),
        ),
        "silent": make("spiketrain", t_start=start, t_stop=stop, times=array(TIMES[:0], "ms")),
        "shuffled": make(
            "spiketrain",
            t_start=start,
            t_stop=stop,
            times=array(SHUFFLED, "ms"),
            waveforms=array(WAVEFORMS, "mV"),
        ),
        "events": make("eventarray", labels=array(LABELS, None), times=array(TIMES, "ms")),
        "epochs": make(
            "epocharray",
            labels=array(LABELS, None),
            times=array(TIMES, "ms"),
            durations=array(DURATIONS, "ms"),
        ),
        "irregular": make("irregularlysampledsignal", signal=array(PLANE, "mV"), **irregular),
        "signals": make(
            "analogsignalarray",
            t_start=quantity(1.5, "s"),
            sampling_rate=quantity(1, "khz"),
            signal=array(COUNTS, "uV"),
        ),
        "spike": make("spike", time=quantity(5, "ms"), waveform=array(WAVEFORM, "mV")),
        "block": make("block", name="b"),
    }


def values_of(answer, format, stored):
    """Decode a body; texts as str."""
    content = answer.content
    if format == "hdf5":
        with h5py.File(io.BytesIO(content), "r") as h5:
            (dataset,) = h5.values()
            found = dataset[()]
    elif format == "json":
        return np.array(json.loads(content), object if stored.dtype == object else None)
    elif format == "npy":
        found = np.load(io.BytesIO(content), allow_pickle=False)
    else:
        shape = [int(n) for n in answer.headers["x-array-shape"].split(",")]
        found = np.frombuffer(content, answer.headers["x-array-dtype"]).reshape(shape)
    if found.dtype.kind == "S":
        return np.array([each.decode("utf-8") for each in found.tolist()], object)
    return found


CASES = [
    # object, query, arrays and the rows of each
    (
        "train",
        {"start_time": 10, "end_time": 35.5},
        {"times": slice(1, 5), "waveforms": slice(1, 5)},
    ),
    ("train", {"start_time": 21, "end_time": 35}, {"times": slice(0), "waveforms": slice(0)}),
    ("train", {"start_index": 2, "samples_count": 3}, {"times": slice(2, 5)}),
    ("train", {"downsample": 3}, {"times": slice(None), "waveforms": slice(None)}),
    ("silent", {"start_time": 21, "end_time": 35}, {"times": slice(0)}),
    ("shuffled", {"start_time": 10, "end_time": 60}, {"times": [0, 1, 4], "waveforms": [0, 1, 4]}),
    ("events", {"start_time": 10, "duration": 10}, {"times": slice(1, 4), "labels": slice(1, 4)}),
    ("events", {"end_time": 1}, {"times": slice(0), "labels": slice(0)}),
    (
        "epochs",
        {"start_time": 30, "end_time": 60},
        {"times": slice(4, 6), "labels": slice(4, 6), "durations": slice(4, 6)},
    ),
    (
        "epochs",
        {"start_time": 30, "end_time": 60, "overlap": 1},
        {"times": [0, 4, 5], "labels": [0, 4, 5], "durations": [0, 4, 5]},
    ),
    ("irregular", {"start_time": 6, "end_time": 60}, {"times": slice(1, 6), "signal": slice(1, 6)}),
    ("irregular", {"start_index": 5, "channels": "0,2"}, {"times": slice(5, 7)}),
    ("signals", {"start_time": 1.6, "duration": 0.05}, {"signal": slice(100, 151)}),
    ("signals", {"end_index": 999, "samples_count": 760}, {"signal": slice(240, 250)}),
    ("spike", {"start_index": 2}, {"waveform": slice(None)}),
]
STORED = {
    "times": TIMES,
    "labels": LABELS,
    "durations": DURATIONS,
    "waveforms": WAVEFORMS,
    "waveform": WAVEFORM,
}


@pytest.mark.parametrize("format", ["hdf5", "json", "npy", "raw"])
@pytest.mark.parametrize(("name", "query", "arrays"), CASES)
def test_values_of_every_type_in_every_format(ada, objects, name, query, arrays, format):
    fields = ada.one(objects[name], format=format, **query)["fields"]
    for array, rows in arrays.items():
        stored = {
            ("silent", "times"): TIMES[:0],
            ("shuffled", "times"): SHUFFLED,
            ("irregular", "signal"): PLANE,
            ("signals", "signal"): COUNTS,
        }.get((name, array), STORED.get(array))
        answer = ada.get(fields[array]["data"])
        assert answer.status_code == 200, answer.text
        found = values_of(answer, format, stored)
        expected = stored[rows]
        if format == "json":
            assert found.tolist() == expected.tolist()
            continue
        assert found.dtype == stored.dtype
        assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("name", "query", "t_start", "t_stop"),
    [
        ("train", {"start_time": 10, "end_time": 35.5}, 10, 35.5),
        ("train", {"start_time": -5, "end_time": 500}, 0, 100),
        ("train", {"start_index": 3, "end_index": 5}, 20, 60),
        ("train", {"downsample": 3}, 0, 100),
        ("irregular", {"start_time": 6}, 10, None),
        ("signals", {"start_time": 1.6}, 1.6, None),
        ("signals", {"downsample": 3}, 1.5, None),
    ],
)
def test_times_follow_the_window(ada, objects, name, query, t_start, t_stop):
    fields = ada.one(objects[name], **query)["fields"]
    assert fields["t_start"]["data"] == t_start
    if t_stop is not None:
        assert fields["t_stop"]["data"] == t_stop


def test_irregular_samples_and_their_times_stay_aligned(ada, objects):
    item = ada.one(objects["irregular"], start_time=6, downsample=3, channels="1", format="json")
    bins = [(1, 3), (3, 5), (5, 7)]
    times = ada.get(item["fields"]["times"]["data"]).json()
    signal = ada.get(item["fields"]["signal"]["data"]).json()
    assert times == [TIMES[a:b].mean() for a, b in bins]
    assert signal == [[PLANE[a:b, 1].mean()] for a, b in bins]
    assert (item["partial"]["samples_count"], item["partial"]["points"]) == (6, 3)


def test_channels_of_a_spike(ada, objects):
    fields = ada.one(objects["spike"], channels="3,1", format="json")["fields"]
    assert ada.get(fields["waveform"]["data"]).json() == WAVEFORM[[3, 1]].tolist()


def test_counts_in_bins(ada, objects):
    for query, counts in (
        ({"bins": 4}, [4, 1, 1, 1]),
        ({"bins": 4, "start_time": 10, "end_time": 50}, [2, 1, 1, 0]),
    ):
        fields = ada.one(objects["train"], format="json", **query)["fields"]
        assert ada.get(fields["times"]["data"]).json() == counts


@pytest.mark.parametrize("kind", ["electrophysiology/block", "metadata/section"])
def test_types_without_arrays_disregard_ranges(ada, kind):
    path = ada.make(kind, name="x")["permalink"]
    item = ada.one(path, start_time=5, end_index=3, downsample=2)
    assert item["partial"]["disregarded"] == ["start_time", "end_index", "downsample"]
    assert ada.get(path, {"start_time": "x"}).status_code == 400


# ------------------------------------------------------------------ datafiles: 1.2 to 1.4, 2.6


@pytest.fixture(scope="module")
def loose(ada):
    """Datafile that no object owns."""
    return ada.array(np.array([1.0, np.nan, np.inf, -np.inf, 2.0]))


def test_the_array_of_no_object_is_named_by_its_own_guid(ada, loose):
    guid = ada.one(f"/datafiles/{loose}/info")["fields"]["guid"]
    answer = ada.get(f"/datafiles/{loose}?start_index=1&end_index=4")
    with h5py.File(io.BytesIO(answer.content), "r") as h5:
        assert list(h5) == [guid]
    assert answer.headers["content-disposition"] == f"attachment; filename={guid}-S1-E4.h5"


DESCRIBED, SENT = "object_selected", "application/x-hdf"


@pytest.mark.parametrize(
    ("path", "accept", "kind"),
    [
        ("", "*/*", SENT),
        ("/", "*/*", SENT),
        ("/data", "*/*", SENT),
        ("/data/", "application/x-hdf5", SENT),
        ("", "application/json", DESCRIBED),
        ("?q=info", "*/*", DESCRIBED),
        ("/info", "application/x-hdf", DESCRIBED),
        ("/info/", "*/*", DESCRIBED),
        ("?start_index=1", "*/*", SENT),
        ("?start_index=1", "application/json", "application/json"),
        ("?format=hdf5", "application/json", SENT),
        ("/data", "application/json", "application/json"),
    ],
)
def test_what_a_datafile_answers(ada, loose, path, accept, kind):
    for prefix in ("/datafiles", "/datafiles/datafile"):
        answer = ada.get(f"{prefix}/{loose}{path}", headers={"Accept": accept})
        assert answer.status_code == 200
        if kind == DESCRIBED:
            assert answer.json()["message_type"] == DESCRIBED
            assert answer.json()["selected"][0]["model"] == "datafiles.datafile"
        else:
            assert answer.headers["content-type"] == kind


def test_a_file_that_is_no_array(ada):
    answer = ada.request("POST", "/datafiles/", files={"raw_file": ("x.txt", b"hello")})
    path = "/datafiles/{}".format(answer.json()["selected"][0]["fields"]["id"])
    assert ada.get(path).json()["message_type"] == DESCRIBED
    for data in ("/data", "?start_index=0", "?format=json"):
        refused = ada.get(path + data)
        assert (refused.status_code, refused.json()["message_type"]) == (400, "no_hdf5_array")
    assert ada.get(path + "/download").content == b"hello"


def test_json_has_null_for_what_it_cannot_say(ada, loose):
    assert ada.get(f"/datafiles/{loose}?format=json").json() == [1.0, None, None, None, 2.0]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("start_index=3", slice(3, None)),
        ("end_index=3", slice(3)),
        ("start_index=1&end_index=3", slice(1, 3)),
        ("samples_count=3", slice(3)),
        ("end_index=40&samples_count=3", slice(37, 40)),
        ("start_index=7&samples_count=2&end_index=20", slice(7, 20)),
        ("start_index=240&end_index=9999", slice(240, 250)),
        ("downsample=250", slice(None)),
        ("downsample=9999&kind=lttb", slice(None)),
        ("downsample=3&start_index=4&end_index=7&kind=minmax", slice(4, 7)),
    ],
)
def test_rows_of_a_datafile(ada, objects, query, rows):
    link = ada.one(objects["signals"])["fields"]["signal"]["data"]
    found = values_of(ada.get(f"{link}?{query}&format=npy"), "npy", COUNTS)
    assert found.dtype == COUNTS.dtype
    assert np.array_equal(found, COUNTS[rows])


@pytest.mark.parametrize(
    "query",
    [
        "start_index=250",
        "start_index=9&end_index=9",
        "start_index=9&end_index=8",
        "end_index=0",
        "end_index=5&samples_count=6",
        "start_index=-1",
        "start_index=1.0",
        "samples_count=0",
        "downsample=0",
        "downsample=5&kind=nearest",
        "channels=4",
        "start_index=1&start_index=1",
        "end_index=251&strict=1",
        "indices=250",
        "window=1:2",
    ],
)
def test_rows_that_a_datafile_refuses(ada, objects, query):
    link = ada.one(objects["signals"])["fields"]["signal"]["data"]
    answer = ada.get(f"{link}?{query}")
    assert (answer.status_code, answer.json()["message_type"]) == (400, "wrong_params")


def test_a_mean_skips_what_is_missing(ada):
    values = np.array([1.0, np.nan, 3, 4, np.nan, np.nan, 7, 9])
    datafile = ada.array(values)
    found = ada.get(f"/datafiles/{datafile}?downsample=4&format=json").json()
    assert found == [1.0, 3.5, None, 8.0]


# ------------------------------------------------------------------ rights and tags


def test_who_may_read_the_object_may_read_its_numbers(ada, objects):
    bob = ada.site.user("bob")
    path = objects["signals"]
    link = ada.one(path, start_index=5)["fields"]["signal"]["data"]
    assert (bob.get(path).status_code, bob.get(link).status_code) == (403, 403)
    assert ada.post(f"{path}/acl/", {"shared_with": {"bob": 1}}).status_code == 200
    assert bob.one(path, start_index=5)["fields"]["signal"]["data"] == link
    assert np.array_equal(values_of(bob.get(link), "hdf5", COUNTS), COUNTS[5:])


def test_tags_tell_windows_apart(ada, objects):
    path = objects["signals"]
    link = ada.one(path)["fields"]["signal"]["data"]
    for address in (path, link):
        tags = [
            ada.get(f"{address}?{query}").headers["etag"]
            for query in ("start_index=1", "start_index=01", "start_index=2", "downsample=2")
        ]
        assert tags[0] == tags[1]
        assert len(set(tags)) == 3
        again = ada.get(f"{address}?start_index=1", headers={"If-None-Match": tags[0]})
        assert again.status_code == 304
        other = ada.get(f"{address}?start_index=2", headers={"If-None-Match": tags[0]})
        assert other.status_code == 200
