"""Many objects and many arrays in one request: all of them or none, on both databases."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import h5py
import httpx2
import hypothesis
import numpy as np
import obstore.store
import pytest
from hypothesis import strategies as st
from sqlalchemy import func, select

from ephyrus.service.arrays.opening import ArrayOpener
from ephyrus.service.catalog.creating import MOST_NEW
from ephyrus.service.catalog.ids import parse_id
from ephyrus.service.catalog.reading import array_of
from ephyrus.service.catalog.records import ArrayRow
from ephyrus.service.db.engine import Database
from ephyrus.service.db.schema import METADATA, TABLES
from ephyrus.service.errors import ServiceError
from ephyrus.service.files import intake
from ephyrus.service.files.npyhead import read_head
from ephyrus.service.files.objectstore import ObjectStore
from ephyrus.service.files.packed import array_file
from ephyrus.service.files.records import stored_keys
from ephyrus.service.files.store import FolderStore
from ephyrus.service.files.worker import sweep
from ephyrus.service.files.workshop import open_workshop
from ephyrus.service.upkeep.backup import write_backup
from ephyrus.service.upkeep.check import check_service
from ephyrus.service.upkeep.restore import read_backup
from tests.service.processes import eventually
from tests.service.servers import Place, Process, raw_request, server
from tests.service.support import Site, User, cheap_settings

S = {"data": 1.0, "units": "s"}


@pytest.fixture(scope="module", params=["sqlite-base32", "postgresql"])
def site(request, tmp_path_factory):
    settings: dict[str, Any] = {"upload_files": 100, "max_array_bytes": 8 * 2**20}
    if request.param == "postgresql":
        settings["database"] = request.getfixturevalue("new_postgresql")()
    else:
        settings["id_style"] = "base32"
    with Site(tmp_path_factory.mktemp("service"), **settings) as made:
        for name in ("ada", "bob", "eve"):
            made.user(name)
        yield made


@pytest.fixture(scope="module")
def lone(tmp_path_factory):
    """A service for what does not depend on the database."""
    with Site(tmp_path_factory.mktemp("lone"), max_array_bytes=8 * 2**20) as made:
        yield made


@pytest.fixture(scope="module")
def eve(lone) -> User:
    return lone.user("eve")


@pytest.fixture(scope="module")
def people(site) -> dict[str, User]:
    return {name: site.user(name) for name in ("ada", "bob", "eve")}


@pytest.fixture
def ada(people) -> User:
    return people["ada"]


def npy(values: np.ndarray) -> bytes:
    body = io.BytesIO()
    np.save(body, values)
    return body.getvalue()


def files(*bodies: bytes) -> dict[str, Any]:
    return {"files": [("raw_file", (f"{at}.npy", body)) for at, body in enumerate(bodies)]}


def sent(user: User, *arrays: np.ndarray, **params: Any) -> list[dict[str, Any]]:
    answer = user.request(
        "POST", "/datafiles/arrays", params=params, **files(*(npy(each) for each in arrays))
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["selected"]


def made(user: User, *items: dict[str, Any]) -> list[dict[str, Any]]:
    answer = user.post("/bulk/", list(items))
    assert answer.status_code == 201, answer.text
    return answer.json()["selected"]


def fetched(user: User, link: str) -> np.ndarray:
    return np.load(io.BytesIO(user.get(f"{link}/data", {"format": "npy"}).content))


def counts(site: Site) -> dict[str, int]:
    """Rows of all tables, and files of the store, finished and not."""
    with site.database.reading() as connection:
        found = {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in METADATA.sorted_tables
            if table.name in TABLES or table.name in ("array", "tagging", "share", "job")
        }
    store = site.app.service.store
    found["files"] = len(list(store.keys()))
    found["unfinished"] = len(list(store.unfinished.iterdir()))
    return found


def item(model: str, called: str | None = None, /, **fields: Any) -> dict[str, Any]:
    return {"model": model, "fields": fields} | ({} if called is None else {"id": called})


TREE = [
    item("neo_api.unit", "#u", name="u", recordingchannel=["#c1", "#c2"],
         recordingchannelgroup="#g"),
    item("spiketrain", "#t", name="t", segment="#s", unit="#u", t_start=S, t_stop=S,
         metadata=["#v"]),
    item("segment", "#s", name="s", block="#b", index=3),
    item("recordingchannel", "#c1", name="c1", recordingchannelgroup=["#g"]),
    item("recordingchannel", "#c2", name="c2", recordingchannelgroup=["#g"]),
    item("recordingchannelgroup", "#g", name="g", block="#b"),
    {"model": "neo_api.block", "id": "#b", "name": "at the top", "section": "#below",
     "metadata": ["#v", "#w"], "filedatetime": "2024-05-06 07:08:09"},
    item("metadata.section", "#below", name="below", parent_section="#above", type="x"),
    item("section", "#above", name="above"),
    item("value", "#w", data="2", parent_property="#p"),
    item("value", "#v", data="1", parent_property="#p"),
    item("property", "#p", name="p", section="#below"),
]  # fmt: skip


def test_a_tree_whose_parts_name_one_another(ada):
    """It is what objects become that are created one after the other."""
    (array, other) = sent(ada, np.array([0.5, 1.0]), np.array([0.5, 2.0]))
    items = json.loads(json.dumps(TREE))
    items[1]["fields"]["times"] = {"data": array["permalink"], "units": "s"}
    answer = ada.post("/bulk", items)
    told = answer.json()
    assert (answer.status_code, told["message_type"], told["total"]) == (201, "object_created", 12)
    assert told["selected_range"] == [0, 11]
    found = {each["id"]: shown for each, shown in zip(items, told["selected"], strict=True)}
    assert [each["model"].rpartition(".")[2] for each in told["selected"]] == [
        each["model"].rpartition(".")[2] for each in items
    ]
    alone: dict[str, dict[str, Any]] = {}
    order = ["#above", "#below", "#p", "#w", "#v", "#b", "#g", "#c1", "#c2", "#u", "#s", "#t"]
    for name in order:
        (one,) = (each for each in items if each["id"] == name)
        text = json.dumps({**one, **one.pop("fields", {})}).replace(
            array["permalink"], other["permalink"]
        )
        for known, shown in alone.items():
            text = text.replace(f'"{known}"', f'"{shown["permalink"]}"')
        document = json.loads(text)
        category, kind = found[name]["permalink"].split("/")[1:3]
        alone[name] = ada.make(f"{category}/{kind}", **{**document, "id": None, "model": None})
    links = {one["permalink"]: found[name]["permalink"] for name, one in alone.items()}
    links[other["permalink"]] = array["permalink"]
    for name, one in alone.items():
        many = ada.one(found[name]["permalink"])
        expected = ada.one(one["permalink"])["fields"]
        text = json.dumps(expected)
        for before, after in links.items():
            text = text.replace(f'"{before}"', f'"{after}"')
        expected = json.loads(text)
        ignored = ("id", "guid", "date_created", "last_modified")
        for key in ignored:
            expected[key] = many["fields"][key]
        assert many["fields"] == expected, name
        assert many["fields"]["guid"] == found[name]["fields"]["guid"]
        history = ada.get(f"{found[name]['permalink']}/history").json()["selected"]
        assert [each["changed"] for each in history] == [["created"]]
    train = ada.one(found["#t"]["permalink"])
    assert fetched(ada, train["fields"]["times"]["data"]).tolist() == [0.5, 1.0]
    # the guid is that of the content: what changes nothing leaves it
    again = ada.post(
        found["#t"]["permalink"], {"name": "t", "metadata": [found["#v"]["permalink"]]}
    )
    assert again.json()["selected"][0]["fields"]["guid"] == train["fields"]["guid"]


WRONG = {
    "no list": ({"model": "segment"}, "not_iterable", None),
    "nothing": ([], "not_iterable", None),
    "no object": ([item("segment", name="a"), 7], "dict_required", 1),
    "no model": ([{"name": "a"}], "bad_parameter", 0),
    "a file": ([item("datafiles.datafile", name="a")], "bad_parameter", 0),
    "an id": ([{**item("segment", name="a"), "id": 7}], "bad_parameter", 0),
    "a plain name": ([item("segment", "s", name="a")], "bad_parameter", 0),
    "a name twice": ([item("segment", "#s", name="a")] * 2, "bad_parameter", 1),
    "unknown name": ([item("segment", name="a", block="#b")], "wrong_reference", 0),
    "another type": (
        [item("block", "#b", name="b"), item("unit", name="u", recordingchannelgroup="#b")],
        "wrong_reference", 1,
    ),
    "itself": ([item("section", "#s", name="a", parent_section="#s")], "data_inconsistency", 0),
    "a circle": (
        [item("section", f"#{at}", name="a", parent_section=f"#{(at + 1) % 5}") for at in range(5)],
        "data_inconsistency", 0,
    ),
    "no such object": ([item("segment", name="a", block=999_999)], "wrong_reference", 0),
    "unknown field": (
        [item("segment", name="a"), item("block", name="a", x=1)], "post_data_invalid", 1,
    ),
    "nothing given": ([item("segment", name="a"), item("segment")], "missing_parameter", 1),
    "no such array": (
        [item("spiketrain", t_start=S, t_stop=S, times={"data": 999_999, "units": "s"})],
        "wrong_reference", 0,
    ),
    "tagged metadata": ([item("section", name="a", metadata=[1])], "post_data_invalid", 0),
    "no such value": ([item("segment", name="a", metadata=["999999"])], "wrong_reference", 0),
    "a copy": ([item("section", name="a", source_template=1)], "post_data_invalid", 0),
    "wrong rights": (
        [item("block", name="a"), item("block", name="b", shared_with={"nobody at all": 1})],
        "wrong_reference", 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_leaves_nothing(site, ada, case):
    document, message_type, place = WRONG[case]
    if site.settings.id_style == "base32":
        document = json.loads(
            json.dumps(document)
            .replace("999999", '"1000000ZZZ"')
            .replace("ZZZ", "VVV")
            .replace('""', '"')
        )
    before = counts(site)
    answer = ada.post("/bulk", document)
    told = answer.json()
    assert (answer.status_code, told["message_type"]) == (400, message_type), told
    if place is not None:
        assert told["details"]["item"] == place
        assert told["message"].startswith(f"Item {place}")
    assert counts(site) == before


def test_ids_that_are_guessed(lone, eve):
    """Who names the id that a new object will have names that object; nothing breaks."""
    (last,) = made(eve, item("section", name="last"))
    number = int(last["id"])
    before = counts(lone)
    circle = [item("section", name="a", parent_section=number + at) for at in (2, 1)]
    refused = eve.post("/bulk", circle)
    assert (refused.status_code, refused.json()["message_type"]) == (400, "data_inconsistency")
    assert counts(lone) == before
    below, above = made(eve, item("section", name="a", parent_section=number + 2),
                        item("section", name="b"))  # fmt: skip
    assert eve.one(below["permalink"])["fields"]["parent_section"] == above["permalink"]


def test_limits_of_a_request(site, ada):
    before = counts(site)
    many = ada.post("/bulk", [{"model": "segment"}] * (MOST_NEW + 1))
    assert (many.status_code, many.json()["details"]) == (413, {"limit": MOST_NEW})
    long = ada.post("/bulk", [item("segment", name="a", description="x" * 5_000_000)])
    assert long.status_code == 413
    rights = [item("block", name="a", shared_with={"bob": 1, f"{at}": 1}) for at in range(101)]
    assert ada.post("/bulk", rights).status_code == 413
    deep = [item("section", f"#{at}", name="a", parent_section=f"#{at + 1}") for at in range(101)]
    refused = ada.post("/bulk", [*deep, item("section", "#101", name="a")])
    assert (refused.status_code, refused.json()["details"]) == (413, {"limit": 100})
    bodies = [npy(np.arange(3))] * 101
    assert ada.request("POST", "/datafiles/arrays", **files(*bodies)).status_code == 413
    assert counts(site) == before


def test_rights_are_those_of_single_creation(site, people):
    ada, bob, eve = people.values()
    assert site.anonymous.post("/bulk", TREE[-1:]).status_code == 401
    reads = site.user("ada", scopes=frozenset({"read"}))
    assert reads.post("/bulk", TREE[-4:-3]).status_code == 403
    assert reads.request("POST", "/datafiles/arrays", **files(npy(np.arange(2)))).status_code == 403
    block, section = made(ada, item("block", name="b"), item("section", name="s"))
    shared = {"safety_level": 2, "shared_with": {"bob": 2, "eve": 1}}
    assert ada.post(f"{block['permalink']}/acl", shared).status_code == 200
    below = [item("block", name="mine"), item("segment", "#s", name="s", block=block["permalink"])]
    before = counts(site)
    refused = eve.post("/bulk", below)
    assert (refused.status_code, refused.json()["details"]["item"]) == (403, 1)
    place = {"params": {"section_id": section["id"]}}
    refused = eve.request("POST", "/datafiles/arrays", **place, **files(npy(np.arange(2))))
    assert refused.status_code == 403
    (array,) = sent(ada, np.arange(2.0), section_id=section["id"])
    after = counts(site)
    train = item(
        "spiketrain", t_start=S, t_stop=S, times={"data": array["permalink"], "units": "s"}
    )
    assert bob.post("/bulk", [train]).status_code == 403
    assert counts(site) == after != before
    train["fields"]["segment"] = "#s"
    own = item(
        "segment", "#own", name="own", block=block["permalink"], shared_with={}, safety_level=3
    )
    last = item("event", label="l", time=S, segment="#own")
    new = made(bob, *below, last, own)
    levels = []
    for each in (new[1], new[3], new[2]):
        acl = bob.get(f"{each['permalink']}/acl").json()
        levels.append((acl["safety_level"], acl["shared_with"]))
    assert levels == [(2, {"bob": 2, "eve": 1}), (3, {}), (3, {})]
    assert bob.one(new[0]["permalink"])["fields"]["safety_level"] == 3
    assert bob.one(block["permalink"])["fields"]["segment_set"] == [
        new[1]["permalink"], new[3]["permalink"],
    ]  # fmt: skip
    acl = ada.get(f"{array['permalink']}/acl").json()
    assert (acl["safety_level"], acl["shared_with"]) == (3, {})


ARRAYS = [
    *(
        np.array([3, 1, 2], dtype)
        for dtype in ("i1", "<i2", ">i4", "<i8", "u1", ">u2", "<u4", "u8")
    ),
    *(np.array([[0.5, np.nan, np.inf]], dtype) for dtype in ("<f2", ">f4", "<f8")),
    np.array([True, False, True]),
    np.array(["", "a", "bü", "日本"]),
    np.array([b"x", b"", b"yz"]),
    np.empty((0, 4), "<f4"),
    np.arange(24.0).reshape(2, 3, 4),
    np.arange(5.0)[:, None].T.copy(order="F"),  # one row: both orders
    np.sort(np.random.default_rng(3).normal(size=200_000)),  # large: a file of its own
    np.arange(600_000, dtype=">i4").reshape(100_000, 6),
]


def plain(values: np.ndarray) -> Any:
    return np.char.decode(values, "utf-8").tolist() if values.dtype.kind == "S" else values


def test_arrays_come_back_as_they_were_sent(site, ada, tmp_path):
    before = counts(site)
    (section,) = made(ada, item("section", name="here"))
    found = sent(ada, *ARRAYS, section_id=section["id"])
    after = counts(site)
    assert after["files"] - before["files"] == 3  # two large ones, and all others
    assert after["unfinished"] == 0
    for shown, values in zip(found, ARRAYS, strict=True):
        got = fetched(ada, shown["permalink"])
        assert shown["arrays"]["data"] == {"dtype": got.dtype.str, "shape": list(values.shape)}
        assert got.dtype.byteorder in "<|="
        np.testing.assert_array_equal(plain(got), plain(values))
        about = ada.one(f"{shown['permalink']}/info")["fields"]
        assert (about["file_type"], about["section"]) == (5, section["permalink"])
        assert about["guid"] == shown["fields"]["guid"]
        if values.size == 3 and values.ndim == 1 and values.dtype.kind in "iu":
            continue  # they are alike
        body = ada.get(f"{shown['permalink']}/download").content
        assert len(body) == about["size"]
        with h5py.File(io.BytesIO(body)) as file:
            (name,) = file
            np.testing.assert_array_equal(plain(np.asarray(file[name][...])), plain(got))
    link = found[3]["permalink"]
    whole = ada.get(f"{link}/download").content
    part = ada.get(f"{link}/download", headers={"Range": f"bytes=100-{len(whole) - 2}"})
    assert (part.status_code, part.content) == (206, whole[100:-1])
    assert ada.one(f"{link}/info")["fields"]["size"] == len(whole)
    listed = ada.get("/datafiles/", {"section": section["id"], "max_results": 3}).json()["selected"]
    assert [each["fields"]["name"] for each in listed] == ["0.npy", "1.npy", "2.npy"]
    store = site.app.service.store
    assert check_service(site.database, store, digests=True).findings == []
    _check_a_backup(site, ada, found, tmp_path)
    with site.database.reading() as connection:
        row = array_of(connection, parse_id(found[0]["id"], site.settings.id_style))
    damaged = store.local_path(row.location["key"])
    damaged.chmod(0o600)
    kept = damaged.read_bytes()
    try:
        damaged.write_bytes(b"\xff" * 8 + kept[8:-1])
        kinds = {each.kind for each in check_service(site.database, store, digests=True).findings}
        assert kinds == {"changed", "short"}
    finally:
        damaged.write_bytes(kept)


def _check_a_backup(site: Site, ada: User, found: list[dict[str, Any]], folder) -> None:
    """Write a backup, and read it into another service."""
    target = io.BytesIO()
    assert write_backup(site.database, site.app.service.store, target).missing == []
    target.seek(0)
    settings = cheap_settings(folder / "copy", id_style=site.settings.id_style)
    database, store = Database(settings), FolderStore(folder / "copy" / "arrays")
    try:
        database.upgrade()
        read_backup(database, store, target)
        assert check_service(database, store, digests=True).findings == []
    finally:
        database.close()


def test_trains_with_many_arrays(site, ada):
    """What the client does: arrays, then objects, in two requests."""
    rng = np.random.default_rng(11)
    times = [np.sort(rng.uniform(0, 1, size)) for size in range(20)]
    links = [each["permalink"] for each in sent(ada, *times)]
    trains = [
        item("spiketrain", name=f"t{at}", segment="#s", t_start={"data": 0, "units": "s"}, t_stop=S,
             times={"data": link, "units": "s"})
        for at, link in enumerate(links)
    ]  # fmt: skip
    segment = made(ada, *trains, item("segment", "#s", name="s"))[-1]
    shown = ada.get("/electrophysiology/spiketrain", {"segment": segment["id"], "start_time": 0.5})
    for each, values in zip(shown.json()["selected"], times, strict=True):
        link = each["fields"]["times"]["data"]
        got = ada.get(f"{link}{'&' if '?' in link else '?'}format=json")
        assert got.json() == values[values >= 0.5].tolist(), each["fields"]["name"]
    before = counts(site)
    uneven = item(
        "eventarray",
        times={"data": links[3], "units": "s"},
        labels={"data": links[4], "units": None},
    )
    refused = ada.post(
        "/bulk", [trains[0] | {"fields": {**trains[0]["fields"], "segment": None}}, uneven]
    )
    assert (refused.status_code, refused.json()["details"]["item"]) == (400, 1)
    assert refused.json()["message_type"] == "data_inconsistency"
    assert counts(site) == before


def _head(text: str, version: bytes = b"\1\0", claimed: int | None = None) -> bytes:
    body = text.encode("latin-1")
    length = len(body) if claimed is None else claimed
    return b"\x93NUMPY" + version + length.to_bytes(2 if version == b"\1\0" else 4, "little") + body


def _plain_head(descr: str = "<f8", shape: str = "(3,)", order: str = "False") -> bytes:
    return _head(f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n")


VALUES = np.arange(3.0).tobytes()
HOSTILE = {
    "text": b"hello, this is no array",
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(200),
    "nothing": b"",
    "a head alone": _plain_head(),
    "half a head": _plain_head()[:30],
    "ends early": _plain_head() + VALUES[:-1],
    "goes on": _plain_head() + VALUES + b"x",
    "objects": npy(np.array([{}, None], object)),
    "records": npy(np.zeros(2, [("a", "<f8")])),
    "times": npy(np.zeros(2, "M8[s]")),
    "complex": npy(np.zeros(2, "c16")),
    "long double": npy(np.zeros(2, np.longdouble)),
    "no dimension": npy(np.array(1.0)),
    "four dimensions": npy(np.zeros((1, 1, 1, 1))),
    "Fortran order": npy(np.asfortranarray(np.zeros((3, 4)))),
    "version 9": _head("{}", b"\x09\0"),
    "a huge head": _head(" ", b"\2\0", 2**31),
    "a wide nothing": _plain_head(shape="(0, 2305843009213693952)"),
    "a long nothing": _plain_head(shape="(2305843009213693952, 0)"),
    "a wide row": _plain_head(shape="(1, 100000000)"),
    "negative": _plain_head(shape="(-3,)") + VALUES,
    "an expression": _plain_head(shape="(3**9,)") + VALUES,
    "code": _head("{'descr': __import__('os').getpid(), 'fortran_order': False, 'shape': (3,), }"),
    "a key twice": _head("{'descr': '<f8', 'descr': '<f8', 'shape': (3,), }") + VALUES,
    "no width": _plain_head("<S0") + VALUES,
    "text too wide": _plain_head("<S70000", "(0,)"),
    "no characters": _plain_head("<U1", "(1,)") + (0x110000).to_bytes(4, "little"),
    "a surrogate": _plain_head("<U1", "(1,)") + (0xD800).to_bytes(4, "little"),
    "no UTF-8": _plain_head("|S1", "(1,)") + b"\xff",
    "large text": _plain_head("<U1000", "(500,)") + bytes(2_000_000),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_what_is_no_array_is_refused(lone, eve, case):
    before = counts(lone)
    good = npy(np.arange(200_000.0))
    answer = eve.request(
        "POST", "/datafiles/arrays", **files(npy(np.arange(3)), good, HOSTILE[case])
    )
    told = answer.json()
    assert (answer.status_code, told["message_type"]) == (400, "bad_parameter"), told
    assert told["details"]["item"] == 2
    assert told["message"].startswith("File 2: ")
    assert counts(lone) == before


def test_forms_that_are_none(lone, eve):
    before = counts(lone)
    form = b'--b\r\nContent-Disposition: form-data; name="raw_file"; filename="a"\r\n\r\n'
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    for body, status in (
        (form + npy(np.arange(3)), 400),  # cut
        (form + npy(np.arange(3)) + b"\r\n--b\r\nContent", 400),
        (b"--b--\r\n", 400),  # empty
        (b"no form", 400),
    ):
        answer = eve.request("POST", "/datafiles/arrays", content=body, headers=kind)
        assert answer.status_code == status, answer.text
    assert eve.request("POST", "/datafiles/arrays", content=b"{}").status_code == 400
    good = files(npy(np.arange(3)))
    assert eve.request("POST", "/datafiles/arrays", **good, data={"x": "1"}).status_code == 400
    assert eve.request("POST", "/datafiles/arrays", **good, params={"x": "1"}).status_code == 400
    large = _plain_head(shape="(2000000, 1000000)")
    answer = eve.request("POST", "/datafiles/arrays", **files(large))
    assert (answer.status_code, answer.json()["message_type"]) == (413, "too_large")
    assert counts(lone) == before


def test_a_catalog_that_refuses_leaves_no_file(lone, eve, monkeypatch):
    before = counts(lone)

    def refuses(*arguments: Any) -> None:
        raise ServiceError("not_authorized", "not you")

    monkeypatch.setattr("ephyrus.service.files.arrayuploads.create_many", refuses)
    answer = eve.request("POST", "/datafiles/arrays", **files(npy(np.arange(3.0))))
    assert answer.status_code == 403
    assert counts(lone) == before


def test_small_arrays_go_into_files_of_bounded_size(lone, eve, monkeypatch):
    monkeypatch.setattr(intake, "PACK_BYTES", 1000)
    before = counts(lone)["files"]
    arrays = [np.full(50, at, "<f8") for at in range(6)]  # 400 bytes each: two in one file
    for shown, values in zip(sent(eve, *arrays), arrays, strict=True):
        np.testing.assert_array_equal(fetched(eve, shown["permalink"]), values)
    assert counts(lone)["files"] - before == 3


@pytest.mark.parametrize("is_kept", [True, False])
def test_arrays_in_an_object_store(is_kept):
    """As many objects as there are files, and none if the request is given up."""
    store = ObjectStore(obstore.store.MemoryStore())
    arrays = [np.arange(5.0), np.arange(200_000.0), np.arange(7, dtype=">i2")]
    place = intake.Intake(store, 2**30)
    keys = []
    for values in arrays:
        new = place.create()
        for byte in (npy(values)[:1], npy(values)[1:77], npy(values)[77:]):
            new.write(memoryview(byte))
        keys.append(new.commit(settled=False))
    if not is_kept:
        place.discard()
        place.settle(keys)  # which may come too late
        assert list(store.keys()) == []
        return
    place.settle(keys)
    assert len(list(store.keys())) == 2
    for taken, values in zip(place.arrays, arrays, strict=True):
        row = ArrayRow(1, taken.row["dtype"], values.shape, None, taken.row["location"], None)
        opened = ArrayOpener(store).open(row)
        np.testing.assert_array_equal(opened.read(0, len(values), None), values)
        source = array_file(store, row)
        with h5py.File(io.BytesIO(source.read_at(0, source.size))) as file:
            np.testing.assert_array_equal(file["data"][...], values)
        assert taken.info.sorted is True
    place.discard()
    assert list(store.keys()) == []


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_heads_of_all_versions(version):
    body = io.BytesIO()
    np.lib.format.write_array(body, np.arange(6, dtype=">u2").reshape(2, 3), version=version)
    data = body.getvalue()
    head = read_head(data)
    assert (head.dtype, head.shape, head.nbytes) == (np.dtype(">u2"), (2, 3), 12)
    assert head.length == len(data) - 12
    assert all(read_head(data[:end]) is None for end in range(head.length))


def test_heads_as_others_write_them():
    for text in (
        "{'shape': (3,), 'fortran_order': True, 'descr': '<f8'}",
        '{"descr": "<f8", "fortran_order": False, "shape": (3L,)}          \n',
        "{'descr':'<f8','fortran_order':False,'shape':(3,)}",
        "{ 'descr' : '=f8' , 'fortran_order' : False , 'shape' : (3, ) , }",
    ):
        head = read_head(_head(text))
        assert (head.dtype, head.shape) == (np.dtype("<f8"), (3,)), text


@hypothesis.given(st.binary(max_size=60), st.integers(0, 120), st.binary(max_size=3))
@hypothesis.settings(max_examples=50, deadline=None)
def test_any_bytes_are_a_head_or_refused(data, at, change):
    good = npy(np.arange(3.0))
    for body in (data, b"\x93NUMPY" + data, good[:at] + change + good[at + len(change) :]):
        with suppress(ServiceError):
            head = read_head(body)
            assert head is None or head.dtype.kind in "biufSU"


@pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")
def test_a_server_that_is_killed_in_the_middle(new_sqlite):
    """Arrays and objects of a request are all there or not at all; what is left over is swept."""
    with Place(new_sqlite()) as place:
        token = place.user("ada")[1]
        acknowledged: list[list[str]] = []
        with server(place) as process, _half_of_arrays(place, process, token):
            threads = [
                threading.Thread(target=_keep_sending, args=(process, token, acknowledged))
                for _ in range(2)
            ]
            for each in threads:
                each.start()
            eventually(lambda: len(acknowledged) >= 4, what="some are acknowledged")
            os.kill(process.pid, signal.SIGKILL)
            for each in threads:
                each.join()
        assert list(place.store.unfinished.iterdir())  # at least the half
        with place.client(token) as client:
            params = {"max_results": 1000}
            trains = client.get("/electrophysiology/spiketrain", params=params).json()["selected"]
            segments = client.get("/electrophysiology/segment", params=params).json()["selected"]
            datafiles = client.get("/datafiles/", params=params).json()["selected"]
            links = {each["permalink"] for each in trains}
            assert links >= {link for some in acknowledged for link in some}
            assert len(trains) == TOGETHER * len(segments) <= len(datafiles)
            assert len(datafiles) % TOGETHER == 0
            for each in trains[:: TOGETHER - 1]:
                answer = client.get(f"{each['fields']['times']['data']}/data?format=raw")
                assert answer.content == _times(int(each["fields"]["name"])).tobytes()
        past = time.time() - 3 * 86_400
        for path in place.store.root.rglob("*"):
            os.utime(path, (past, past))
        sweep(open_workshop(place.catalog.settings, database=place.catalog, store=place.store))
        assert check_service(place.catalog, place.store, digests=True).findings == []
        with place.catalog.reading() as connection:
            assert set(place.store.keys()) == stored_keys(connection)
        assert list(place.store.unfinished.iterdir()) == []


TOGETHER = 20


def _times(number: int) -> np.ndarray:
    return np.arange(number, number + 100, dtype="<f8")


def _keep_sending(process: Process, token: str, acknowledged: list[list[str]]) -> None:
    """Send arrays and trains, again and again until the server is gone."""
    with suppress(httpx2.TransportError), process.client(token) as client:
        while True:
            arrays = files(*(npy(_times(at)) for at in range(TOGETHER)))
            answer = client.post("/datafiles/arrays", **arrays)
            assert answer.status_code == 201, answer.text
            links = [each["permalink"] for each in answer.json()["selected"]]
            trains = [
                item("spiketrain", name=str(at), segment="#s", t_start=S, t_stop=S,
                     times={"data": link, "units": "s"})
                for at, link in enumerate(links)
            ]  # fmt: skip
            answer = client.post("/bulk", json=[item("segment", "#s", name="s"), *trains])
            assert answer.status_code == 201, answer.text
            made_links = [each["permalink"] for each in answer.json()["selected"]]
            acknowledged.append(made_links[1:])


@contextmanager
def _half_of_arrays(place: Place, process: Process, token: str) -> Iterator[None]:
    """Keep a part of a request with arrays sent during the block: it ends within the second."""
    part = b'--b\r\ncontent-disposition: form-data; name="raw_file"; filename="a"\r\n\r\n'
    body = b"".join(part + npy(np.arange(count)) + b"\r\n" for count in (5, 1_000_000))
    head = (
        "POST /datafiles/arrays HTTP/1.1\nhost: {host}\n"
        f"authorization: Bearer {token}\n"
        f"content-type: multipart/form-data; boundary=b\ncontent-length: {len(body)}\n\n"
    )
    with raw_request(process, head, body[: 3 * 2**20]):
        eventually(lambda: _unfinished(place) > 2**20, what="some is written")
        yield


def _unfinished(place: Place) -> int:
    return sum(path.stat().st_size for path in place.store.unfinished.iterdir())
