"""Section 3 of the page of the data service, line by line, over HTTP as a client speaks.

Arrays are uploaded as HDF5 files, objects are created with the ids of their datafiles, then read in
the two documented steps: the object, and the link that it shows. Each test bears the line of
section 3 that it proves.
"""

from __future__ import annotations

import io
import itertools
import json
import re
from contextlib import ExitStack
from fractions import Fraction

import h5py
import numpy as np
import pytest

from tests.service.support import Site

N = 10_000
RATE, UNIT_OF_TIME = 20_000, "ms"  # 20 samples in a millisecond
SIGNAL = (np.sin(np.arange(N) / 40) * 3 + np.arange(N) / N).astype(np.float32)
EXAMPLE = {"start_time": 50, "duration": 100, "downsample": 20}


@pytest.fixture(scope="module")
def users(request, tmp_path_factory):
    """Give somebody who has logged in to a service on a kind of database, and what was made."""
    known = {}
    with ExitStack() as stack:

        def user(database):
            if database not in known:
                url = ""
                if database == "postgresql":
                    url = request.getfixturevalue("new_postgresql")()
                site = Site(tmp_path_factory.mktemp("service"), database=url)
                known[database] = stack.enter_context(site).user("ada"), {}
            return known[database]

        yield user


@pytest.fixture(params=["sqlite", "postgresql"])
def ada(request, users):
    """Somebody who has logged in."""
    return users(request.param)[0]


def once(users, ada, name, make):
    """Make something once in each service."""
    made = next(made for user, made in map(users, ("sqlite", "postgresql")) if user is ada)
    if name not in made:
        made[name] = make()
    return made[name]


def upload(user, values):
    """Upload an array as clients do; id of its datafile."""
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        h5["array"] = values
    answer = user.request("POST", "/datafiles/", files={"raw_file": ("array.h5", file.getvalue())})
    assert answer.status_code == 201, answer.text
    return answer.json()["selected"][0]["fields"]["id"]


def signal(
    user, datafile, *, t_start=0, unit=UNIT_OF_TIME, rate=RATE, rate_unit="hz", name="size: 2000"
):
    """Create an analogsignal; its permalink."""
    return user.make(
        "electrophysiology/analogsignal",
        name=name,
        t_start={"data": t_start, "units": unit},
        sampling_rate={"data": rate, "units": rate_unit},
        signal={"data": datafile, "units": "mv"},
    )["permalink"]


@pytest.fixture
def datafile(users, ada):
    """Datafile of an array that is long enough for the window of the example."""
    return once(users, ada, "datafile", lambda: upload(ada, SIGNAL))


@pytest.fixture
def example(users, ada):
    """The signal of the worked example; nothing else has its array."""
    return once(users, ada, "example", lambda: signal(ada, upload(ada, SIGNAL)))


def follow(user, link, **params):
    """GET a link as it is, with further parameters if there are any."""
    answer = user.get(link + "".join(f"&{name}={value}" for name, value in params.items()))
    assert answer.status_code == 200, answer.text
    return answer


def root_of(answer):
    """Name and values of the only entry of an HDF5 body."""
    with h5py.File(io.BytesIO(answer.content), "r") as h5:
        ((name, dataset),) = h5.items()
        return name, dataset[()]


def range_of(link):
    """First and last index of a link; None: it has no range."""
    found = re.search(r"[?]start_index=(\d+)&end_index=(\d+)", link)
    return None if found is None else (int(found[1]), int(found[2]) - 1)


# -------------------- "the example of 1.1 comes back literally (IDs aside)"


def test_the_example_comes_back_literally(ada, example):
    answer = ada.get(example + "/", EXAMPLE)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    body = answer.json()
    assert (body["logged_in_as"], body["message_type"]) == ("ada", "object_selected")
    assert (body["objects_selected"], body["selected_range"]) == (1, [0, 0])
    (item,) = body["selected"]
    fields = item["fields"]
    datafile = re.fullmatch(r"/datafiles/(\d+)\?.*", fields["signal"]["data"])[1]
    assert fields["signal"] == {
        "units": "mv",
        "data": f"/datafiles/{datafile}?start_index=1000&end_index=3001&downsample=20",
    }
    assert fields["t_start"] == {"units": "ms", "data": 50}
    assert fields["sampling_rate"] == {"units": "hz", "data": 20000}
    assert re.fullmatch("[0-9a-f]{40}", fields["guid"])
    assert item["model"] == "neo_api.analogsignal"
    assert item["permalink"] == f"/electrophysiology/analogsignal/{fields['id']}" == example
    # character by character, numbers included
    text = answer.text.replace(" ", "")
    assert '"t_start":{"units":"ms","data":50}' in text
    assert '"sampling_rate":{"units":"hz","data":20000}' in text


def test_the_example_does_not_change_anything_else(ada, example):
    plain, part = ada.one(example), ada.one(example, **EXAMPLE)
    assert plain["fields"]["signal"]["data"] == part["fields"]["signal"]["data"].partition("?")[0]
    changed = {"signal", "t_start"}
    assert {k: v for k, v in plain["fields"].items() if k not in changed} == {
        k: v for k, v in part["fields"].items() if k not in changed
    }
    assert "partial" not in plain


def test_the_example_on_a_signal_of_2000_samples(ada):
    short = signal(ada, upload(ada, SIGNAL[:2000]))
    item = ada.one(short, **EXAMPLE)
    link = item["fields"]["signal"]["data"]
    assert link.endswith("?start_index=1000&end_index=3001&downsample=20")
    assert item["fields"]["t_start"] == {"units": "ms", "data": 50}
    values = follow(ada, link, format="json").json()
    assert values == pytest.approx(
        SIGNAL[1000:2000].astype(float).reshape(20, 50).mean(1), rel=1e-6
    )


# -------------------- "following its link gives 20 values"


def test_following_the_link_gives_20_values(ada, example):
    link = ada.one(example, **EXAMPLE)["fields"]["signal"]["data"]
    _, values = root_of(follow(ada, link))
    edges = np.arange(21) * 2001 // 20
    part = SIGNAL[1000:3001].astype(np.float64)
    expected = [part[a:b].mean() for a, b in itertools.pairwise(edges)]
    assert values.dtype == np.float64
    assert values.shape == (20,)
    np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-12)


# -------------------- "without downsample 2001 values equal to x[1000:3001]"


def test_without_downsample_the_values_are_the_stored_ones(ada, example):
    link = ada.one(example, start_time=50, duration=100)["fields"]["signal"]["data"]
    _, values = root_of(follow(ada, link))
    assert values.dtype == SIGNAL.dtype
    assert np.array_equal(values, SIGNAL[1000:3001])


# -------------------- "with format=json a bare list"


def test_with_format_json_a_bare_list(ada, example):
    asked = {"start_time": 50, "duration": 100, "format": "json"}
    link = ada.one(example, **asked)["fields"]["signal"]["data"]
    assert link.endswith("?start_index=1000&end_index=3001&format=json")
    answer = follow(ada, link)
    assert answer.headers["content-type"].startswith("application/json")
    values = json.loads(answer.content)
    assert isinstance(values, list)
    assert np.array_equal(np.array(values, np.float32), SIGNAL[1000:3001])


# -------------------- "HDF5 has one root entry named by the guid"


@pytest.mark.parametrize("query", [{}, {"start_time": 50, "duration": 100}, EXAMPLE])
def test_hdf5_has_one_root_entry_named_by_the_guid(ada, example, query):
    fields = ada.one(example, **query)["fields"]
    answer = follow(ada, fields["signal"]["data"])
    name, _ = root_of(answer)
    assert name == fields["guid"]
    assert answer.headers["content-type"] == "application/x-hdf"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith(f"attachment; filename={fields['guid']}")


# -------------------- "all 27 rows give the indices of the table"

ROWS = """
- - - 0 9999
- - D 0 2000
- - C 0 2000
- t - 0 3000
- i - 0 3000
- t D 1000 3000
- t C 1000 3000
- i D 1000 3000
- i C 1000 3000
t - - 1000 9999
i - - 1000 9999
t - D 1000 3000
t - C 1000 3000
i - D 1000 3000
i - C 1000 3000
t t - 1000 3000
t i - 1000 3000
i t - 1000 3000
i i - 1000 3000
t t D 1000 3000
t t C 1000 3000
t i D 1000 3000
t i C 1000 3000
i t D 1000 3000
i t C 1000 3000
i i D 1000 3000
i i C 1000 3000
""".strip().splitlines()
PARAMETERS = (
    {"t": ("start_time", 50), "i": ("start_index", 1000)},
    {"t": ("end_time", 150), "i": ("end_index", 3000)},
    {"D": ("duration", 100), "C": ("samples_count", 2001)},
)


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("downsample", [None, 20])
def test_every_row_gives_the_indices_of_the_table(ada, example, row, downsample):
    *forms, first, last = row.split()
    query = dict(names[form] for names, form in zip(PARAMETERS, forms, strict=True) if form != "-")
    if downsample:
        query["downsample"] = downsample
    item = ada.one(example, **query)
    link = item["fields"]["signal"]["data"]
    expected = (int(first), int(last)) if forms != ["-"] * 3 else None
    assert range_of(link) == expected
    assert ("downsample=20" in link) is bool(downsample)
    if not query:
        assert "partial" not in item
        return
    redundant = "-" not in forms
    disregarded = [{"D": "duration", "C": "samples_count"}[forms[2]]] if redundant else []
    assert item["partial"]["disregarded"] == disregarded
    if not downsample:
        _, values = root_of(follow(ada, link))
        assert np.array_equal(values, SIGNAL[int(first) : int(last) + 1])


# -------------------- "each item of 2.2 gives 400 with the JSON envelope"

UNREADABLE = ("", "x", "nan", "inf", "-inf", "1e999", "1_0", "0x1")
REFUSED = [
    *(
        (name, [(name, text)])
        for name in ("start_time", "end_time", "duration")
        for text in UNREADABLE
    ),
    *(
        (name, [(name, text)])
        for name in ("start_index", "end_index", "samples_count", "downsample")
        for text in (*UNREADABLE, "10.0", "1e3", "-1")
    ),
    *((name, [(name, "5"), (name, "5")]) for names in PARAMETERS for name, _ in names.values()),
    ("downsample", [("downsample", "5"), ("downsample", "6")]),
    ("duration", [("duration", "-1")]),
    ("samples_count", [("samples_count", "0")]),
    ("downsample", [("downsample", "0")]),
    # also when they would be disregarded
    ("start_index", [("start_time", "1"), ("start_index", "-1")]),
    ("duration", [("start_time", "1"), ("end_time", "2"), ("duration", "-1")]),
    ("samples_count", [("start_time", "1"), ("end_time", "2"), ("samples_count", "x")]),
    # the end before the start
    ("end_index", [("start_index", "10"), ("end_index", "9")]),
    ("end_time", [("start_time", "10"), ("end_time", "9")]),
    ("end_index", [("start_time", "10"), ("end_index", "199")]),
    ("end_time", [("start_index", "200"), ("end_time", "9")]),
    ("samples_count", [("end_index", "9"), ("samples_count", "11")]),
    ("duration", [("end_index", "9"), ("duration", "0.5")]),
    # no sample
    ("start_index", [("start_index", "10000")]),
    ("start_time", [("start_time", "500")]),
    ("end_time", [("end_time", "-0.1")]),
    # unknown
    ("kind", [("kind", "median"), ("downsample", "5")]),
    ("channels", [("channels", "3-1")]),
    ("format", [("format", "xml")]),
    # strict
    ("end_time", [("end_time", "1000"), ("strict", "1")]),
]


def check_refused(answer, name):
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    body = answer.json()
    assert {"logged_in_as", "message", "message_type", "details"} <= body.keys()
    assert (body["logged_in_as"], body["message_type"]) == ("ada", "wrong_params")
    assert body["details"] == name
    assert name in body["message"] or body["message"]


@pytest.mark.parametrize(("name", "query"), REFUSED)
def test_each_item_of_2_2_is_refused_with_the_envelope(ada, example, name, query):
    check_refused(ada.get(example, query), name)


def test_channels_out_of_range_are_refused(ada):
    datafile = upload(ada, np.zeros((50, 3), np.float32))
    array = ada.make(
        "electrophysiology/analogsignalarray",
        t_start={"data": 0, "units": "ms"},
        sampling_rate={"data": 1, "units": "khz"},
        signal={"data": datafile, "units": "mv"},
    )["permalink"]
    assert ada.one(array, channels="0,2")["fields"]["signal"]["data"].endswith("?channels=0,2")
    check_refused(ada.get(array, {"channels": "3"}), "channels")
    check_refused(ada.get(f"/datafiles/{datafile}", {"channels": "3"}), "channels")


@pytest.mark.parametrize("name", ["start_time", "end_time", "duration"])
def test_times_on_datafiles_are_refused(ada, example, name):
    link = ada.one(example)["fields"]["signal"]["data"]
    for path in (link, f"{link}/", f"{link}/data"):
        check_refused(ada.get(path, {name: "5"}), name)


def test_strict_by_header_is_refused(ada, example):
    answer = ada.get(example, {"end_time": 1000}, headers={"Prefer": "handling=strict"})
    check_refused(answer, "end_time")


# -------------------- "t_start follows the window for t_start != 0 and for every unit pair"

SECONDS = {"s": 1, "ms": Fraction(1, 1000), "us": Fraction(1, 10**6), "mcs": Fraction(1, 10**6)}
HERTZ = {"hz": 1, "khz": 1000, "mhz": 10**6, "Hz": 1, "1/s": 1}


@pytest.mark.parametrize("unit", SECONDS)
@pytest.mark.parametrize("rate_unit", HERTZ)
def test_t_start_follows_the_window(ada, datafile, unit, rate_unit):
    in_unit = Fraction(1, 1000) / SECONDS[unit]  # of a millisecond
    t0 = Fraction(-35, 2) * in_unit  # -17.5 ms
    rate = float(Fraction(RATE) / HERTZ[rate_unit])
    path = signal(ada, datafile, t_start=float(t0), unit=unit, rate=rate, rate_unit=rate_unit)
    for query in (
        {"start_time": float(t0 + 50 * in_unit), "duration": float(100 * in_unit)},
        {"start_index": 1000, "end_time": float(t0 + 150 * in_unit)},
        {"end_index": 3000, "duration": float(100 * in_unit)},
    ):
        fields = ada.one(path, **query)["fields"]
        assert range_of(fields["signal"]["data"]) == (1000, 3000)
        assert fields["t_start"] == {"units": unit, "data": float(t0 + 50 * in_unit)}
        assert fields["sampling_rate"] == {"units": rate_unit, "data": rate}


# -------------------- "a list request with parameters changes every object's links"


def test_a_list_with_parameters_changes_every_link(ada, datafile):
    names = [f"of a list {number}" for number in range(4)]
    offsets = (0, 10, -10, 1000)
    for name, t_start in zip(names, offsets, strict=True):
        signal(ada, datafile, t_start=t_start, name=name)
    answer = ada.get(
        "/electrophysiology/analogsignal/", EXAMPLE | {"name__startswith": "of a list"}
    )
    assert answer.status_code == 200
    items = answer.json()["selected"]
    assert [item["fields"]["name"] for item in items] == names
    links = [item["fields"]["signal"]["data"] for item in items]
    assert links == [
        f"/datafiles/{datafile}?start_index=1000&end_index=3001&downsample=20",
        f"/datafiles/{datafile}?start_index=800&end_index=2801&downsample=20",
        f"/datafiles/{datafile}?start_index=1200&end_index=3201&downsample=20",
        None,  # the window misses it
    ]
    assert items[3]["fields"]["signal"] == {"units": None, "data": None}
    assert [item["partial"]["samples_count"] for item in items] == [2001, 2001, 2001, 0]
    assert [item["fields"]["t_start"]["data"] for item in items] == [50, 50, 50, 1000]
