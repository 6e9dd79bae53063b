"""Objects over HTTP: the envelope, levels of detail, parts, caching, writing, rights, history."""

from __future__ import annotations

import json
import re
import time

import numpy as np
import pytest

from tests.service.support import Site

SIGNAL = np.linspace(-1, 1, 10_000).astype("<f4")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("service")) as made:
        yield made


@pytest.fixture(scope="module")
def bob(site):
    return site.user("bob")


@pytest.fixture(scope="module")
def eve(site):
    return site.user("eve")


@pytest.fixture(scope="module")
def tree(bob):
    """A block with a segment and a signal of 0.5 s at 20 kHz."""
    block = bob.make("electrophysiology/block", name="day 1")
    segment = bob.make("electrophysiology/segment", name="trial", block=block["permalink"])
    signal = bob.make(
        "electrophysiology/analogsignal",
        name="V",
        segment=segment["permalink"],
        sampling_rate={"data": 20000, "units": "hz"},
        t_start={"data": 0, "units": "ms"},
        signal={"data": bob.array(SIGNAL), "units": "mv"},
    )
    return {"block": block, "segment": segment, "signal": signal}


def _id(item) -> int:
    return item["fields"]["id"]


# the envelope ------------------------------------------------------------------------------------


def test_a_new_object_comes_in_its_envelope(bob):
    answer = bob.post(
        "/electrophysiology/block/",
        {"name": "new", "fields": {"filedatetime": "2026-01-31T12:00:00.5Z"}},
    )
    document = answer.json()
    (item,) = document["selected"]
    number = _id(item)
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["location"] == f"/electrophysiology/block/{number}"
    assert {name: value for name, value in document.items() if name != "selected"} == {
        "logged_in_as": "bob",
        "message": "Object created successfully.",
        "message_type": "object_created",
        "objects_selected": 1,
        "selected_range": [0, 0],
    }
    fields = item.pop("fields")
    assert item == {
        "id": str(number),
        "model": "neo_api.block",
        "permalink": f"/electrophysiology/block/{number}",
        "location": f"/electrophysiology/block/{number}",
    }
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(moment, fields.pop("date_created"))
    assert re.fullmatch(moment, fields.pop("last_modified"))
    assert re.fullmatch("[0-9a-f]{40}", fields.pop("guid"))
    assert fields == {
        "id": number,
        "current_state": 10,
        "safety_level": 3,
        "owner": f"/profiles/profile/{bob.site.ids['bob']}",
        "shared_with": None,
        "metadata": [],
        "name": "new",
        "description": None,
        "filedatetime": "2026-01-31 12:00:00",
        "index": None,
        "section": None,
        "segment_set": [],
        "recordingchannelgroup_set": [],
    }


def test_one_object_comes_in_the_same_envelope(bob, tree):
    document = bob.get(tree["block"]["permalink"]).json()
    assert document["message"] == "Here is the list of requested objects."
    assert document["message_type"] == "object_selected"
    assert (document["objects_selected"], document["selected_range"]) == (1, [0, 0])
    (item,) = document["selected"]
    assert item["fields"]["segment_set"] == [tree["segment"]["permalink"]]


def test_an_empty_list_is_no_failure(bob):
    document = bob.get("/electrophysiology/epoch/").json()
    assert document.pop("message")
    assert document == {
        "logged_in_as": "bob",
        "message_type": "no_objects_found",
        "objects_selected": 0,
        "selected": [],
        "selected_range": None,
        "total": 0,
        "first": "/electrophysiology/epoch/",
        "previous": None,
        "next": None,
        "next_cursor": None,
    }


def test_what_is_not_set_is_never_null(bob):
    item = bob.make("electrophysiology/spike", time={"data": 1.5, "units": "s"})
    fields = item["fields"]
    assert fields["time"] == {"units": "s", "data": 1.5}
    unset = {"units": None, "data": None}
    assert (fields["sampling_rate"], fields["left_sweep"], fields["waveform"]) == (
        unset, unset, unset,
    )  # fmt: skip


# addresses ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("alias", ["irsaanalogsignal", "irregularlysampledsignal"])
def test_types_have_aliases(bob, alias):
    assert bob.get(f"/electrophysiology/{alias}").json()["message_type"] == "no_objects_found"


def test_unknown_types_and_objects(bob):
    assert bob.get("/electrophysiology/section/").json()["message_type"] == "not_found"
    for number in ("999999", "abc", "0", "-1", "1.5"):
        answer = bob.get(f"/electrophysiology/block/{number}")
        assert (answer.status_code, answer.json()["message_type"]) == (404, "does_not_exist")


def test_put_and_patch_change_like_post(bob):
    item = bob.make("electrophysiology/block", name="a")
    for method, name in (("POST", "b"), ("PUT", "c"), ("PATCH", "d")):
        answer = bob.request(method, item["permalink"], content=json.dumps({"description": name}))
        assert answer.json()["message_type"] == "object_updated"
        assert answer.json()["selected"][0]["fields"]["description"] == name
        assert answer.json()["selected"][0]["fields"]["name"] == "a"


def test_datafiles_have_two_addresses(bob):
    number = bob.array(SIGNAL, name="x.h5")
    for address in (f"/datafiles/{number}/info", f"/datafiles/datafile/{number}/info/"):
        item = bob.one(address)
        assert item["permalink"] == f"/datafiles/{number}"
        assert item["location"] == f"/datafiles/datafile/{number}"
        assert item["model"] == "datafiles.datafile"
        assert item["arrays"] == {"data": {"dtype": "<f4", "shape": [10_000]}}
        assert (item["fields"]["name"], item["fields"]["title"]) == ("x.h5", "x.h5")
        assert (item["fields"]["file_type"], item["fields"]["conversion_type"]) == (5, 5)


# what is shown -----------------------------------------------------------------------------------

COMMON = {
    "id", "guid", "current_state", "safety_level", "owner", "date_created", "last_modified",
    "shared_with", "metadata",
}  # fmt: skip
OWN = {"name", "description"}
DATA = {"sampling_rate", "t_start", "signal"}
PARENTS = {"segment", "recordingchannel", "analogsignalarray"}


@pytest.mark.parametrize(
    ("level", "names"),
    [
        ("link", set()),
        ("info", COMMON | OWN | DATA),
        ("beard", COMMON | OWN | DATA | PARENTS),
        ("data", COMMON | DATA),
        ("full", COMMON | OWN | DATA | PARENTS),
    ],
)
def test_levels_of_detail(bob, tree, level, names):
    item = bob.one(tree["signal"]["permalink"], q=level)
    assert set(item["fields"]) == names
    assert item["permalink"] == tree["signal"]["permalink"]
    listed = bob.get("/electrophysiology/analogsignal/", {"q": level}).json()["selected"][0]
    assert set(listed["fields"]) == names


def test_dtype_and_shape_stand_beside_the_fields(bob, tree):
    assert bob.one(tree["signal"]["permalink"])["arrays"] == {
        "signal": {"dtype": "<f4", "shape": [10_000]}
    }


def test_children_can_be_left_out(bob, tree):
    assert "segment_set" not in bob.one(tree["block"]["permalink"], show_kids=0)["fields"]


def test_some_fields_only(bob, tree):
    item = bob.one(tree["signal"]["permalink"], fields="name,t_start")
    assert item["fields"] == {"name": "V", "t_start": {"units": "ms", "data": 0}}


@pytest.mark.parametrize(
    ("params", "details"),
    [
        ({"q": "everything"}, "q"),
        ({"q": ""}, "q"),
        ({"fields": "name,namex"}, "fields"),
        ({"show_kids": "maybe"}, "show_kids"),
        ({"start_tiem": "1"}, "start_tiem"),
        ({"q": ["info", "data"]}, "q"),
        ({"at_time": "yesterday"}, "at_time"),
        ({"start_index": "-1"}, "start_index"),
    ],
)
def test_wrong_parameters(bob, tree, params, details):
    answer = bob.get(tree["signal"]["permalink"], params)
    assert (answer.status_code, answer.json()["message_type"]) == (400, "wrong_params")
    assert answer.json()["details"] == details


def test_a_similar_name_is_offered(bob, tree):
    answer = bob.get(tree["signal"]["permalink"], {"start_tiem": 1})
    assert answer.json()["message"].endswith("Did you mean start_time?")


def test_nested_children(bob, tree):
    item = bob.one(tree["block"]["permalink"], cascade=1)
    (segment,) = item["fields"]["segment_set"]
    (signal,) = segment["fields"]["analogsignal_set"]
    assert segment["model"] == "neo_api.segment"
    assert signal["fields"]["name"] == "V"
    assert signal["arrays"] == {"signal": {"dtype": "<f4", "shape": [10_000]}}


def test_nested_children_show_the_part_that_is_asked_for(bob, tree):
    item = bob.one(tree["block"]["permalink"], cascade=1, start_index=10)
    signal = item["fields"]["segment_set"][0]["fields"]["analogsignal_set"][0]
    assert signal["fields"]["signal"]["data"].endswith("?start_index=10&end_index=10000")


def test_nesting_has_a_limit(tmp_path):
    with Site(tmp_path, cascade_objects=2) as site:
        ann = site.user("ann")
        block = ann.make("electrophysiology/block", name="b")
        for number in range(3):
            ann.make("electrophysiology/segment", name=str(number), block=_id(block))
        answer = ann.get(block["permalink"], {"cascade": 1})
        assert (answer.status_code, answer.json()["details"]) == (413, {"limit": 2})
        assert len(ann.one(block["permalink"])["fields"]["segment_set"]) == 3


def test_lists_are_not_nested(bob):
    answer = bob.get("/electrophysiology/block/", {"cascade": 1})
    assert (answer.status_code, answer.json()["details"]) == (400, "cascade")


# parts -------------------------------------------------------------------------------------------


def test_the_worked_example(bob, tree):
    item = bob.one(
        f"/electrophysiology/analogsignal/{_id(tree['signal'])}/",
        start_time=50,
        duration=100,
        downsample=20,
    )
    data = tree["signal"]["fields"]["signal"]["data"]
    fields = item["fields"]
    assert fields["signal"] == {
        "units": "mv",
        "data": f"{data}?start_index=1000&end_index=3001&downsample=20",
    }
    assert fields["t_start"] == {"units": "ms", "data": 50}
    assert fields["sampling_rate"] == {"units": "hz", "data": 20000}
    assert fields["guid"] == tree["signal"]["fields"]["guid"]
    assert item["partial"]["samples_count"] == 2001
    assert item["partial"]["points"] == 20
    assert item["permalink"] == f"/electrophysiology/analogsignal/{_id(tree['signal'])}"


def test_a_list_changes_the_links_of_every_object(bob, tree):
    items = bob.get(
        "/electrophysiology/analogsignal/", {"start_index": 5, "samples_count": 10}
    ).json()["selected"]
    for item in items:
        assert item["fields"]["signal"]["data"].endswith("?start_index=5&end_index=15")
        assert item["fields"]["t_start"] == {"units": "ms", "data": 0.25}


def test_a_window_that_misses(bob, tree):
    path, window = tree["signal"]["permalink"], {"start_index": 10_000}
    answer = bob.get(path, window)
    assert (answer.status_code, answer.json()["message_type"]) == (400, "wrong_params")
    listed = bob.get("/electrophysiology/analogsignal/", window)
    assert listed.status_code == 200
    item = listed.json()["selected"][0]
    assert item["fields"]["signal"] == {"data": None, "units": None}
    assert item["partial"]["samples_count"] == 0


def _train(bob, times):
    return bob.make(
        "electrophysiology/spiketrain",
        t_start={"data": 0, "units": "s"},
        t_stop={"data": 2, "units": "s"},
        times={"data": bob.array(np.array(times)), "units": "s"},
    )


@pytest.mark.parametrize(
    ("times", "query", "values"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "start_index=2&end_index=5", [0.3, 0.4, 0.5]),
        ([0.6, 0.3, 0.1, 0.5, 0.9], "window=0.25:0.55&by={id}", [0.3, 0.5]),
        ([0.1, 0.9], "window=0.25:0.55&by={id}", []),
    ],
    ids=["in order", "without order", "none in it"],
)
def test_windows_of_spikes(bob, times, query, values):
    item = _train(bob, times)
    number = item["fields"]["times"]["data"].rpartition("/")[2]
    shown = bob.one(item["permalink"], start_time=0.25, end_time=0.55)
    fields = shown["fields"]
    link = fields["times"]["data"]
    assert link == f"/datafiles/{number}?{query.format(id=number)}"
    assert (fields["t_start"]["data"], fields["t_stop"]["data"]) == (0.25, 0.55)
    assert shown["partial"]["samples_count"] == len(values)
    assert bob.get(f"{link}&format=json").json() == values
    inline = bob.one(item["permalink"], start_time=0.25, end_time=0.55, format="json", q="data")
    assert inline["fields"]["times"]["data"] == values


def test_range_parameters_of_objects_without_arrays_are_disregarded(bob, tree):
    item = bob.one(tree["block"]["permalink"], start_time=5, downsample=3)
    assert item["partial"]["disregarded"] == ["start_time", "downsample"]
    assert item["fields"] == bob.one(tree["block"]["permalink"])["fields"]


def test_values_in_place_of_links(bob, tree):
    params = {"format": "json", "q": "data", "start_index": 10, "end_index": 13}
    item = bob.one(tree["signal"]["permalink"], **params)
    values = item["fields"]["signal"]["data"]
    assert np.array_equal(np.array(values, "<f4"), SIGNAL[10:14])
    assert item["fields"]["signal"]["units"] == "mv"
    whole = bob.one(tree["signal"]["permalink"], format="json", q="full")
    assert np.array_equal(np.array(whole["fields"]["signal"]["data"], "<f4"), SIGNAL)


def test_values_in_place_of_links_have_a_limit(tmp_path):
    with Site(tmp_path, inline_points=100) as site:
        ann = site.user("ann")
        item = ann.make(
            "electrophysiology/analogsignal",
            sampling_rate={"data": 1, "units": "hz"},
            t_start={"data": 0, "units": "s"},
            signal={"data": ann.array(SIGNAL[:101]), "units": "mv"},
        )
        answer = ann.get(item["permalink"], {"format": "json", "q": "data"})
        assert (answer.status_code, answer.json()["details"]) == (413, {"limit": 100})
        shown = ann.one(item["permalink"], format="json", q="data", samples_count=100)
        assert len(shown["fields"]["signal"]["data"]) == 100


# lists -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def numbered(bob):
    return [bob.make("electrophysiology/unit", name=f"unit {number}") for number in range(7)]


def _names(document) -> list[str]:
    return [item["fields"]["name"] for item in document["selected"]]


def test_pages(bob, numbered):
    first = bob.get("/electrophysiology/unit/?max_results=3&name__startswith=unit")
    document = first.json()
    assert _names(document) == ["unit 0", "unit 1", "unit 2"]
    assert (document["selected_range"], document["total"]) == ([0, 2], 7)
    assert document["previous"] is None
    assert first.headers["link"] == (
        '</electrophysiology/unit/?max_results=3&name__startswith=unit>; rel="first", '
        '</electrophysiology/unit/?max_results=3&name__startswith=unit&offset=3>; rel="next"'
    )
    second = bob.get(document["next"]).json()
    assert (_names(second), second["selected_range"]) == (["unit 3", "unit 4", "unit 5"], [3, 5])
    assert second["previous"] == "/electrophysiology/unit/?max_results=3&name__startswith=unit"
    third = bob.get(second["next"]).json()
    assert (_names(third), third["selected_range"], third["next"]) == (["unit 6"], [6, 6], None)
    by_cursor = bob.get(
        "/electrophysiology/unit/",
        {"max_results": 3, "name__startswith": "unit", "cursor": document["next_cursor"]},
    ).json()
    assert _names(by_cursor) == ["unit 3", "unit 4", "unit 5"]
    assert by_cursor["selected_range"] is None  # behind a cursor no positions are known
    assert "cursor=" in by_cursor["next"]


def test_limit_is_a_synonym_and_zero_is_allowed(bob, numbered):
    assert _names(bob.get("/electrophysiology/unit/?limit=2").json()) == ["unit 0", "unit 1"]
    document = bob.get("/electrophysiology/unit/?max_results=0").json()
    assert (document["selected"], document["selected_range"]) == ([], None)
    assert document["total"] == 7


@pytest.mark.parametrize(
    "query", ["max_results=-1", "offset=x", "namex=x", "name__like=x", "t_start__gt=1", "q=x"]
)
def test_wrong_lists(bob, query):
    answer = bob.get(f"/electrophysiology/unit/?{query}")
    assert (answer.status_code, answer.json()["message_type"]) == (400, "wrong_params")


def test_filters_order_and_search(bob, numbered):
    assert _names(bob.get("/electrophysiology/unit/?order_by=-name&limit=2").json()) == [
        "unit 6",
        "unit 5",
    ]
    ids = ",".join(str(_id(numbered[index])) for index in (4, 1))
    assert _names(bob.get(f"/electrophysiology/unit/?id__in={ids}").json()) == ["unit 1", "unit 4"]
    assert _names(bob.get("/electrophysiology/unit/?search=unit 5").json()) == ["unit 5"]


# caching -----------------------------------------------------------------------------------------


def test_tags_of_one_object(bob, tree):
    path, guid = tree["signal"]["permalink"], tree["signal"]["fields"]["guid"]
    answer = bob.get(path)
    assert answer.headers["etag"] == f'"{guid}"'
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["vary"] == "Cookie, Authorization, Accept"
    for sent in (guid, f'"{guid}"', f'W/"{guid}"'):
        again = bob.get(path, headers={"If-None-Match": sent})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == f'"{guid}"'
    dated = bob.get(path, headers={"If-Modified-Since": answer.headers["last-modified"]})
    assert dated.status_code == 304
    part = bob.get(path, {"start_index": 5})
    assert re.fullmatch(f'"{guid}-[0-9a-f]{{8}}"', part.headers["etag"])
    other = bob.get(path, {"start_index": 6})
    assert other.headers["etag"] != part.headers["etag"]
    same = bob.get(path, {"start_index": 5}, headers={"If-None-Match": part.headers["etag"]})
    assert same.status_code == 304


def test_a_view_that_is_asked_for_is_never_taken_for_an_old_one(bob, site):
    """The plain tag names the version, which children and rights are no part of; others do more."""
    block = bob.make("electrophysiology/block", name="tagged")
    path, guid, listed = block["permalink"], block["fields"]["guid"], "/electrophysiology/block/"
    site.user("eve")
    views = [(path, {"q": "beard"}), (path, {"fields": "segment_set,shared_with,safety_level"}),
             (listed, {"name": "tagged"})]  # fmt: skip
    sections = bob.make("metadata/section", name="tags")
    about = bob.make("metadata/property", name="p", section=sections["fields"]["id"])
    value = bob.make("metadata/value", data="1", parent_property=about["fields"]["id"])
    changes = [
        lambda: bob.make("electrophysiology/segment", name="child", block=_id(block)),
        lambda: bob.post(f"{path}/acl", {"shared_with": {"eve": 1}}),
        lambda: bob.post(f"{path}/acl", {"safety_level": 2}),
        lambda: bob.delete("/electrophysiology/segment/?name=child"),
    ]
    for change in changes:
        tags = [bob.get(*view).headers["etag"] for view in views]
        assert [tag.partition("-")[0].strip('"') for tag in tags[:2]] == [guid] * 2
        same = bob.get(*views[-1], headers={"If-None-Match": tags[-1]})
        assert same.status_code == 304
        change()
        for view, tag in zip(views, tags, strict=True):
            assert bob.get(*view, headers={"If-None-Match": tag}).status_code == 200, view
        assert bob.get(path).headers["etag"] == f'"{guid}"'
        assert bob.get(path, {"q": "beard"}, headers={"If-None-Match": guid}).status_code == 304
    tag = bob.get(path, {"q": "link"}).headers["etag"]
    bob.make("electrophysiology/segment", name="child", block=_id(block))
    assert bob.get(path, {"q": "link"}, headers={"If-None-Match": tag}).status_code == 304
    bob.post(f"{path}?cascade=0", {"metadata": [value["permalink"]]})
    tag = bob.get(path).headers["etag"]
    bob.post(value["permalink"], {"data": "2"})
    assert bob.get(path).headers["etag"] == tag
    bob.delete(sections["permalink"])
    assert bob.get(path).headers["etag"] != tag


def test_tags_of_lists(bob, numbered):
    answer = bob.get("/electrophysiology/unit/")
    tag = {"If-None-Match": answer.headers["etag"]}
    assert bob.get("/electrophysiology/unit/", headers=tag).status_code == 304
    assert bob.get("/electrophysiology/unit/?limit=2", headers=tag).status_code == 200
    bob.post(numbered[0]["permalink"], {"description": "changed"})
    assert bob.get("/electrophysiology/unit/", headers=tag).status_code == 200


def test_only_the_version_that_was_seen_is_changed(bob):
    item = bob.make("electrophysiology/block", name="a")
    path, guid = item["permalink"], item["fields"]["guid"]
    answer = bob.post(path, {"name": "b"}, headers={"If-Match": guid})
    assert answer.status_code == 200
    for method in ("POST", "PUT", "DELETE"):
        refused = bob.request(
            method, path, content=b'{"name": "c"}', headers={"If-Match": f'"{guid}"'}
        )
        assert (refused.status_code, refused.json()["message_type"]) == (412, "precondition_failed")
    assert bob.one(path)["fields"]["name"] == "b"
    current = answer.headers["etag"]
    assert bob.delete(path, headers={"If-Match": current}).status_code == 200


def test_public_objects_may_be_kept_by_all(bob, site):
    item = bob.make("electrophysiology/block", name="a", safety_level=1)
    answer = site.anonymous.get(item["permalink"])
    assert answer.headers["cache-control"] == "public, no-cache"
    assert answer.json()["logged_in_as"] == ""


def test_a_change_is_seen_at_once(bob, eve):
    item = bob.make("electrophysiology/block", name="a")
    for number in range(5):
        bob.post(item["permalink"], {"index": number})
        assert bob.one(item["permalink"])["fields"]["index"] == number
    assert eve.get(item["permalink"]).status_code == 403
    bob.post(f"{item['permalink']}/acl/", {"shared_with": {"eve": 1}})
    assert eve.one(item["permalink"])["fields"]["index"] == 4
    bob.post(f"{item['permalink']}/acl/", {"shared_with": {}})
    assert eve.get(item["permalink"]).status_code == 403


# writing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "data_parsing_error"),
        (b"[]", "data_parsing_error"),
        (b"name=x", "data_parsing_error"),
        (b'{"name": "x", "namex": 1}', "post_data_invalid"),
        (b"{}", "missing_parameter"),
        (b'{"name": "x", "section": 99999}', "wrong_reference"),
        (b'{"name": "x", "index": "three"}', "bad_parameter"),
    ],
)
def test_bodies_that_are_refused(bob, body, kind):
    answer = bob.request("POST", "/electrophysiology/block/", content=body)
    assert (answer.status_code, answer.json()["message_type"]) == (400, kind)


def test_the_past_cannot_be_changed(bob, tree):
    for method in ("POST", "DELETE"):
        answer = bob.request(
            method, f"{tree['block']['permalink']}?at_time=2020-01-01 00:00:00", content=b"{}"
        )
        assert (answer.status_code, answer.json()["details"]) == (400, "at_time")


def test_bulk_update(bob):
    for name in ("bulk 1", "bulk 2", "other"):
        bob.make("electrophysiology/segment", name=name)
    answer = bob.post(
        "/electrophysiology/segment/?name__startswith=bulk&bulk_update=1", {"index": 7}
    )
    document = answer.json()
    assert (answer.status_code, document["message_type"]) == (200, "object_updated")
    assert _names(document) == ["bulk 1", "bulk 2"]
    assert [item["fields"]["index"] for item in document["selected"]] == [7, 7]
    assert document["total"] == 2
    found = bob.get("/electrophysiology/segment/?index=7").json()
    assert _names(found) == ["bulk 1", "bulk 2"]


def test_bulk_update_on_the_address_of_an_object_disregards_its_id(bob, tree):
    one = bob.make("electrophysiology/unit", name="only this one")
    answer = bob.post(
        f"{tree['segment']['permalink']}?name=none at all&bulk_update=1", {"index": 9}
    )
    assert answer.json()["objects_selected"] == 0
    assert bob.one(tree["segment"]["permalink"])["fields"]["index"] is None
    bob.delete(one["permalink"])


def test_deleting(bob, site):
    block = bob.make("electrophysiology/block", name="gone")
    segment = bob.make("electrophysiology/segment", name="gone too", block=_id(block))
    before = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    time.sleep(1.01 - time.time() % 1)  # the next second: times are given in seconds
    answer = bob.delete(f"{block['permalink']}/")
    document = answer.json()
    assert (answer.status_code, document["message_type"]) == (200, "deleted")
    assert document["message"] == "Object was deleted."
    assert document["deleted"] == {"block": 1, "segment": 1}
    for item in (block, segment):
        assert bob.get(item["permalink"]).status_code == 404
    then = bob.one(block["permalink"], at_time=before)
    assert then["fields"]["segment_set"] == [segment["permalink"]]


def test_deleting_a_list_wants_a_filter(bob):
    for name in ("del 1", "del 2"):
        bob.make("electrophysiology/segment", name=name)
    assert bob.delete("/electrophysiology/segment/").status_code == 400
    answer = bob.delete("/electrophysiology/segment/?name__startswith=del")
    assert answer.json()["deleted"] == {"segment": 2}


# rights, metadata, history ------------------------------------------------------------------------


def test_rights(bob, eve, site):
    item = bob.make("electrophysiology/block", name="shared")
    path = f"{item['permalink']}/acl/"
    sent = {"safety_level": 2, "shared_with": {"eve": 2}}
    document = bob.post(path, sent).json()
    assert {name: document[name] for name in sent} == sent
    assert bob.get(path).json()["shared_with"] == {"eve": 2}
    assert eve.post(item["permalink"], {"name": "by eve"}).status_code == 200
    refused = eve.post(path, {"safety_level": 1})
    assert (refused.status_code, refused.json()["message_type"]) == (403, "not_authorized")
    assert site.anonymous.post(path, sent).status_code == 401


@pytest.fixture(scope="module")
def value(bob):
    section = bob.make("metadata/section", name="animal")
    prop = bob.make("metadata/property", name="species", section=_id(section))
    return bob.make("metadata/value", data="mouse", parent_property=_id(prop))


def test_annotation(bob, value, tree):
    path = tree["segment"]["permalink"]
    answer = bob.post(path, {"metadata": [value["permalink"]]})
    assert answer.json()["selected"][0]["fields"]["metadata"] == [value["permalink"]]
    document = bob.get(f"{tree['signal']['permalink']}/metadata/").json()
    assert document["message_type"] == "metadata_found"
    ((prop, found),) = document["metadata"]
    assert (prop["fields"]["name"], found["fields"]["data"]) == ("species", "mouse")
    full = bob.one(path, q="full")["fields"]["metadata"]
    assert [[item["model"] for item in pair] for pair in full] == [
        ["metadata.property", "metadata.value"]
    ]
    bob.post(f"{path}?m2m_append=0", {"metadata": []})
    assert bob.get(f"{path}/metadata").json()["message_type"] == "no_metadata_found"


def test_history(bob):
    item = bob.make("electrophysiology/block", name="a")
    bob.post(item["permalink"], {"name": "b"})
    document = bob.get(f"{item['permalink']}/history/").json()
    versions = document["selected"]
    assert len(versions) == 2
    assert item["fields"]["guid"] in [version["guid"] for version in versions]
    assert versions[-1]["ends_at"] is None or versions[0]["ends_at"] is None
    assert ["name"] in [version["changed"] for version in versions]
