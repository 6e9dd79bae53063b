"""Parameters of partial data: sections 2.2 and 2.6 of the page, and additions of 13."""

from __future__ import annotations

import numpy as np
import pytest

from ephyrus.service.errors import ServiceError
from ephyrus.service.partial.channels import Channels, compact
from ephyrus.service.partial.params import (
    DATA_NAMES,
    DATA_TRIGGERS,
    FORMATS,
    KINDS,
    OBJECT_NAMES,
    RANGE_NAMES,
    DataRequest,
    RangeRequest,
    Rows,
)


def ask(**values):
    return RangeRequest.from_query([(name, str(value)) for name, value in values.items()])


def data(**values):
    return DataRequest.from_query([(name, str(value)) for name, value in values.items()])


def refused(make, name, *args, **kwargs):
    with pytest.raises(ServiceError) as caught:
        make(*args, **kwargs)
    assert (caught.value.status, caught.value.message_type) == (400, "wrong_params")
    assert caught.value.details == name
    return caught.value.message


def test_a_request_is_read():
    request = ask(
        start_time="50",
        duration="1e2",
        downsample="020",
        kind="minmax",
        channels="0,3,5-9",
        format="h5",
        overlap="1",
        bins="7",
        dtype="f4",
        scaled="0",
        compress="true",
        compression="blosc",
        times="1",
        strict="1",
        other="left alone",
    )
    assert (request.start_time, request.duration, request.downsample) == (50.0, 100.0, 20)
    assert (request.kind, request.format, request.dtype) == ("minmax", "hdf5", "f4")
    assert request.channels == Channels("channels", "0,3,5-9", ((0, 0), (3, 3), (5, 9)))
    assert (request.overlap, request.scaled, request.compress, request.times) == (
        True,
        False,
        True,
        True,
    )
    assert (request.compression, request.bins, request.strict) == ("blosc", 7, True)
    assert request.normal == (
        "start_time=50.0&duration=100.0&downsample=20&kind=minmax&channels=0,3,5-9&format=hdf5&"
        "dtype=f4&scaled=0&compress=1&compression=blosc&times=1&bins=7&overlap=1&strict=1"
    )


def test_a_query_without_parameters_is_plain():
    request = RangeRequest.from_query([("name__icontains", "x"), ("q", "full")])
    assert (request.is_plain, request.asks, request.has_window, request.normal) == (
        True,
        False,
        False,
        "",
    )
    assert ask(format="json").is_plain is False
    assert ask(format="json").asks is False
    assert (ask(downsample=5).asks, ask(downsample=5).has_window) == (True, False)
    assert [ask(**{name: 1}).asks for name in sorted(RANGE_NAMES)] == [True] * 7


def test_numbers_that_are_accepted():
    for text, value in {
        "5": 5.0,
        "-5": -5.0,
        "+5": 5.0,
        "5.": 5.0,
        ".5": 0.5,
        "1e3": 1000.0,
        "1E-3": 0.001,
        "-0": 0.0,
        "1e-400": 0.0,
    }.items():
        assert ask(start_time=text).start_time == value
    assert ask(end_index="007").end_index == 7
    assert ask(end_index="9" * 400).end_index == 2**62


TIME_PARAMETERS = ("start_time", "end_time", "duration")
INDEX_PARAMETERS = ("start_index", "end_index", "samples_count", "downsample")
NO_NUMBERS = ("", " ", "x", "nan", "NaN", "inf", "-inf", "Infinity", "1e999", "1_0", "0x10", "1,5")
NO_NUMBERS_EITHER = ("1 0", " 1", "1e", "--1", "\u0661", "1j", "None", "true")


@pytest.mark.parametrize("name", TIME_PARAMETERS)
@pytest.mark.parametrize("text", [*NO_NUMBERS, *NO_NUMBERS_EITHER])
def test_times_that_do_not_parse(name, text):
    message = refused(ask, name, **{name: text})
    assert name in message


@pytest.mark.parametrize("name", INDEX_PARAMETERS)
@pytest.mark.parametrize(
    "text", [*NO_NUMBERS, *NO_NUMBERS_EITHER, "10.0", "1e3", "+1", "1.", "9" * 401]
)
def test_indices_that_are_not_plain_integers(name, text):
    refused(ask, name, **{name: text})
    refused(data, name, **{name: text})


@pytest.mark.parametrize("name", [*TIME_PARAMETERS, *INDEX_PARAMETERS, "kind", "format", "strict"])
def test_a_parameter_that_is_repeated(name):
    value = {"kind": "mean", "format": "json"}.get(name, "1")
    message = refused(RangeRequest.from_query, name, [(name, value), ("a", "1"), (name, value)])
    assert "more than once" in message


@pytest.mark.parametrize(
    ("name", "value", "least"),
    [
        ("start_index", -1, "0 or more"),
        ("end_index", -1, "0 or more"),
        ("duration", -0.5, "0 or more"),
        ("samples_count", 0, "1 or more"),
        ("samples_count", -3, "1 or more"),
        ("downsample", 0, "1 or more"),
        ("downsample", -1, "1 or more"),
        ("bins", 0, "1 or more"),
    ],
)
def test_numbers_that_are_too_small_also_when_they_would_be_disregarded(name, value, least):
    assert least in refused(ask, name, **{name: value})
    rest = {"start_time": 1, "end_time": 2, "duration": 5, "samples_count": 5} | {name: value}
    assert least in refused(ask, name, **rest)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "median"),
        ("kind", "Mean"),
        ("format", "xml"),
        ("format", ""),
        ("strict", "yes"),
        ("overlap", "2"),
        ("scaled", "-1"),
        ("compress", "gzip"),
        ("times", "x"),
        ("dtype", "f16"),
        ("dtype", "O"),
        ("compression", "zip"),
        ("channels", ""),
        ("channels", "1,,2"),
        ("channels", ","),
        ("channels", "5-3"),
    ],
)
def test_choices_that_are_unknown(name, value):
    refused(ask, name, **{name: value})
    if name != "overlap":
        refused(data, name, **{name: value})


@pytest.mark.parametrize("name", ["window", "by", "indices"])
def test_parameters_of_datafiles_are_refused_on_objects(name):
    assert "datafiles" in refused(ask, name, **{name: "1"})


def test_every_format_and_kind():
    assert {name: ask(format=name).format for name in FORMATS} == FORMATS
    assert [ask(kind=kind).kind for kind in KINDS] == [*KINDS]


@pytest.mark.parametrize(
    ("prefer", "query", "strict"),
    [
        ("", [], None),
        ("handling=strict", [], True),
        ("respond-async, Handling = Strict", [], True),
        ('handling="strict"; foo=bar', [], True),
        ("handling=lenient", [], None),
        ("nothandling=strict", [], None),
        ("", [("strict", "1")], True),
        ("", [("strict", "0")], False),
        ("handling=strict", [("strict", "0")], False),
        ("handling=strict", [("start_index", "0")], True),
    ],
)
def test_strict_by_parameter_or_header(prefer, query, strict):
    assert RangeRequest.from_query(query, prefer=prefer).strict is strict
    assert DataRequest.from_query(query, prefer=prefer).strict is strict


@pytest.mark.parametrize(
    ("names", "disregarded"),
    [
        ("start_time start_index", ("start_index",)),
        ("end_time end_index", ("end_index",)),
        ("duration samples_count", ("samples_count",)),
        ("start_time end_time duration", ("duration",)),
        ("start_index end_time samples_count", ("samples_count",)),
        ("start_time end_index duration samples_count", ("samples_count", "duration")),
        (
            "start_time start_index end_time end_index duration samples_count",
            ("start_index", "end_index", "samples_count", "duration"),
        ),
        ("start_time end_time", ()),
        ("end_time duration", ()),
    ],
)
def test_what_is_disregarded(names, disregarded):
    assert ask(**dict.fromkeys(names.split(), 1)).disregarded == disregarded


def test_names_of_parameters():
    assert {"start_time", "end_time", "duration", "start_index", "end_index"} < RANGE_NAMES
    assert {"kind", "channels", "format", "strict", "overlap", "bins"} < OBJECT_NAMES
    # the list of section 1.3
    listed = "start_index end_index samples_count downsample kind channels format indices window by"
    assert set(listed.split()) < DATA_TRIGGERS < DATA_NAMES
    assert "overlap" not in DATA_NAMES


# ------------------------------------------------------------------ channels


def test_channels_by_index_range_and_name():
    channels = Channels.parse("channels", "0,3,5-9")
    assert channels.resolve(10).tolist() == [0, 3, 5, 6, 7, 8, 9]
    assert channels.resolve(10).dtype == np.int64
    assert Channels.parse("channels", "7,2").resolve(8).tolist() == [7, 2]
    named = Channels.parse("channels", "A-001,0,B")
    assert named.resolve(4, ["x", "B", "A-001", "y"]).tolist() == [2, 0, 1]
    assert Channels.parse("channels", "A-001,1").resolve(3, ["B", "x", "A-001"]).tolist() == [2, 1]
    assert (channels.is_plain, named.is_plain) == (True, False)


def test_digits_are_indices_and_never_names():
    refused(Channels.parse("channels", "12").resolve, "channels", 2, ["12", "13"])


@pytest.mark.parametrize("text", ["10", "5-10", "0,10", "99999999999999999", "9-999999999999"])
def test_channels_out_of_range(text):
    message = refused(Channels.parse("channels", text).resolve, "channels", 10)
    assert "there are 10" in message


@pytest.mark.parametrize("text", ["1,1", "0-3,2", "0-9,0-9,0-9"])
def test_channels_asked_for_twice(text):
    message = refused(Channels.parse("channels", text).resolve, "channels", 10)
    assert "more than once" in message


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("0-9", slice(0, 10)),
        ("3", slice(3, 4)),
        ("2-4,5,6-8", slice(2, 9)),
        ("2-4,6", None),
        ("5,4", None),
        ("0-3,8-9", None),
    ],
)
def test_channels_that_follow_each_other(text, run):
    assert Channels.parse("channels", text).run(10) == run


def test_a_run_of_many_rows_costs_nothing():
    assert Channels.parse("indices", "0-999999999999").run(10**12) == slice(0, 10**12)
    refused(Channels.parse("indices", "0-999999999999,5").run, "indices", 10**12)
    refused(Channels.parse("indices", "0-10").run, "indices", 10)


def test_channels_with_unknown_names():
    message = refused(Channels.parse("channels", "Cz").resolve, "channels", 2, ["Fz", "Pz"])
    assert "'Cz'" in message


@pytest.mark.parametrize(
    ("positions", "items"),
    [
        ([], []),
        ([4], ["4"]),
        ([0, 3, 5, 6, 7, 8, 9], ["0", "3", "5-9"]),
        ([0, 1], ["0", "1"]),
        ([3, 2, 1], ["3", "2", "1"]),
        ([0, 1, 2, 7, 8], ["0-2", "7", "8"]),
    ],
)
def test_positions_are_written_short(positions, items):
    assert compact(np.array(positions, np.int64)) == items


# ------------------------------------------------------------------ datafiles, section 2.6


@pytest.mark.parametrize("name", TIME_PARAMETERS)
def test_a_datafile_knows_no_time(name):
    assert "no time" in refused(data, name, **{name: 1})


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ({}, Rows(0, 100)),
        ({"start_index": 10}, Rows(10, 100)),
        ({"end_index": 10}, Rows(0, 10)),
        ({"start_index": 10, "end_index": 20}, Rows(10, 20)),
        ({"samples_count": 7}, Rows(0, 7)),
        ({"start_index": 10, "samples_count": 7}, Rows(10, 17)),
        ({"end_index": 10, "samples_count": 7}, Rows(3, 10)),
        ({"end_index": 10, "samples_count": 10}, Rows(0, 10)),
        (
            {"start_index": 1, "end_index": 9, "samples_count": 3},
            Rows(1, 9, disregarded=("samples_count",)),
        ),
        ({"end_index": 101}, Rows(0, 100, cut=True)),
        ({"start_index": 99, "end_index": 10**30}, Rows(99, 100, cut=True)),
        ({"start_index": 90, "samples_count": 11}, Rows(90, 100, cut=True)),
        ({"samples_count": 100}, Rows(0, 100)),
        ({"end_index": 110, "samples_count": 20}, Rows(90, 100, cut=True)),
        ({"downsample": 5}, Rows(0, 100)),
    ],
)
def test_rows_of_a_datafile(query, rows):
    assert data(**query).rows(100) == rows
    if rows.cut:
        refused(
            data(strict=1, **query).rows,
            "end_index" if "end_index" in query else "samples_count",
            100,
        )
    else:
        assert data(strict=1, **query).rows(100) == rows


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"start_index": 100}, "start_index"),
        ({"start_index": 100, "end_index": 200}, "start_index"),
        ({"start_index": 10, "end_index": 10}, "start_index"),
        ({"start_index": 10, "end_index": 9}, "start_index"),
        ({"end_index": 0}, "end_index"),
        ({"end_index": 5, "samples_count": 6}, "samples_count"),
        ({"end_index": 500, "samples_count": 6}, "end_index"),
    ],
)
def test_rows_that_are_no_range(query, name):
    refused(data(**query).rows, name, 100)


def test_an_empty_array_can_be_had_whole_only():
    assert data().rows(0) == Rows(0, 0)
    assert data(downsample=3, format="json").rows(0) == Rows(0, 0)
    refused(data(start_index=0).rows, "start_index", 0)
    refused(data(end_index=1).rows, "end_index", 0)


def test_windows_by_an_array_of_times():
    request = data(window="-1.5:2e3", by="17", downsample=4)
    assert (request.window, request.by, request.downsample) == ((-1.5, 2000.0), "17", 4)
    assert data(window=":5", by="1").window == (None, 5.0)
    assert data(window="5:", by="1").window == (5.0, None)
    assert request.normal == "downsample=4&window=-1.5:2000.0&by=17"


@pytest.mark.parametrize("text", ["5", "a:b", "1:2:3", "nan:1", "2:1", "1: 2", "1:inf"])
def test_windows_that_do_not_parse(text):
    refused(data, "window", window=text, by="1")


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"window": "1:2"}, "by"),
        ({"by": "5"}, "window"),
        ({"indices": "1", "start_index": 0}, "indices"),
        ({"indices": "1", "samples_count": 1}, "indices"),
        ({"indices": "1", "window": "1:2", "by": 5}, "indices"),
        ({"window": "1:2", "by": 5, "end_index": 5}, "window"),
        ({"indices": "a"}, "indices"),
    ],
)
def test_one_way_of_choosing_rows_at_a_time(query, name):
    refused(data, name, **query)


def test_rows_one_by_one():
    assert data(indices="2,7,10-12").indices.resolve(20).tolist() == [2, 7, 10, 11, 12]
    refused(data(indices="20").indices.resolve, "indices", 20)


def test_what_turns_a_request_into_one_for_data():
    values = {
        "kind": "mean",
        "format": "json",
        "window": "1:2",
        "dtype": "f4",
        "compression": "lzf",
    }
    for name in DATA_TRIGGERS:
        query = {name: values.get(name, "1")}
        if name in ("window", "by"):
            query = {"window": "1:2", "by": "1"}
        assert data(**query).asks_data is True
    assert data(strict=1).asks_data is False
    assert data().asks_data is False
    assert data(q="info").normal == ""
