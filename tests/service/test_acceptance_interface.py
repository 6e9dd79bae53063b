"""Sections 4 and 5 of the page of the data service, sentence by sentence, over HTTP.

Each test bears the section that it proves; all run on both databases. What section 3 lists is in
`test_acceptance_section3.py`, section 6 in `test_acceptance_lists.py`; writing, files, rights and
history are in `test_acceptance_changes.py`.
"""

from __future__ import annotations

import re

import pytest

from tests.service.acceptance import NONE, E, M, found, links, make_lab, q, refused
from tests.service.support import Site, site_on


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lab(request, tmp_path_factory):
    """Give a lab in a service on each kind of database; tests add to it, but change nothing."""
    with site_on(request, tmp_path_factory) as site:
        yield make_lab(site)


# -------------------------------------------------------------------- section 4, object types

MANDATORY = {
    "block": "name",
    "segment": "name",
    "analogsignal": "sampling_rate signal t_start",
    "irsaanalogsignal": "signal t_start times",
    "irregularlysampledsignal": "signal t_start times",
    "analogsignalarray": "sampling_rate signal t_start",
    "spike": "time",
    "event": "label time",
    "eventarray": "labels times",
    "epoch": "duration label time",
    "epocharray": "durations labels times",
    "recordingchannelgroup": "name",
    "recordingchannel": "name",
    "unit": "name",
    "section": "name",
    "property": "name section",
    "value": "data parent_property",
}


@pytest.mark.parametrize("kind", MANDATORY)
def test_4_mandatory_fields(lab, kind):
    category = M if kind in {"section", "property", "value"} else E
    body = refused(lab.ada.post(category + kind, {}), 400, "missing_parameter")
    assert sorted(body["missing"]) == MANDATORY[kind].split()


CHILDREN = {
    "block": "segment recordingchannelgroup",
    "segment": "analogsignal irsaanalogsignal analogsignalarray spiketrain spike event eventarray "
    "epoch epocharray",
    "recordingchannelgroup": "recordingchannel analogsignalarray unit",
    "recordingchannel": "unit analogsignal irsaanalogsignal",
    "unit": "spiketrain spike",
}


def test_4_children(lab):
    firsts = lab.blocks[0], lab.segments[0], lab.groups[0], lab.channels[0], lab.units[0]
    for item, children in zip(firsts, CHILDREN.values(), strict=True):
        fields = lab.ada.one(item["permalink"])["fields"]
        sets = {name for name in fields if name.endswith("_set")}
        assert sets == {f"{child}_set" for child in children.split()}
    section = lab.ada.one(lab.section["permalink"])["fields"]
    assert section["section_set"] == links(lab.below)
    assert (section["property_set"], section["datafile_set"]) == ([], [])
    assert section["block_set"] == links(lab.blocks[0])
    channel = lab.ada.one(lab.channels[0]["permalink"])["fields"]
    assert channel["recordingchannelgroup"] == links(*lab.groups[:2])
    assert channel["unit_set"] == links(lab.units[0])


def test_4_both_spellings_of_irregular_signals(lab):
    body = {"t_start": q(0, "ms"), "signal": q(lab.numbers, "mV"), "times": q(lab.numbers, "ms")}
    made = [lab.ada.make(f"electrophysiology/{kind}", **body)
            for kind in ("irsaanalogsignal", "irregularlysampledsignal")]  # fmt: skip
    assert {item["model"] for item in made} == {"neo_api.irsaanalogsignal"}
    assert found(lab, "irregularlysampledsignal", {}) == found(lab, "irsaanalogsignal", {})
    assert set(links(*made)) <= set(found(lab, "irsaanalogsignal", {}))


def test_4_metadata_values(lab):
    values = [lab.ada.make("metadata/value", data=data, parent_property=lab.property["id"])
              for data in (5, 5.5)]  # fmt: skip
    assert [value["fields"]["data"] for value in values] == ["5", "5.5"]
    sections = [lab.ada.make("metadata/section", name="x", odml_type=kind)["fields"]["odml_type"]
                for kind in (7, "experiment")]  # fmt: skip
    assert sections == [7, "experiment"]
    assert lab.ada.one(M + f"sections/{lab.section['id']}")["permalink"] == M + "section/1"
    assert found(lab, M + "properties/", {"name": "Colour"}) == links(lab.property)
    assert found(lab, M + "values", {"data": "Red"}) == links(lab.red)


def test_4_1_what_every_object_shows(lab):
    item = lab.ada.one(lab.spikes[0]["permalink"])
    fields = item["fields"]
    assert (fields["current_state"], fields["safety_level"]) == (10, 3)
    assert fields["owner"] == f"/profiles/profile/{lab.site.ids['ada']}"
    assert re.fullmatch("[0-9a-f]{40}", fields["guid"])
    for name in ("date_created", "last_modified"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", fields[name])
    assert (fields["shared_with"], fields["metadata"]) == (None, [])
    assert (item["id"], item["location"]) == (str(fields["id"]), item["permalink"])
    assert item["model"] == "neo_api.spike"
    # the null rule
    assert [fields[name] for name in ("left_sweep", "sampling_rate", "waveform")] == [NONE] * 3
    assert fields["segment"] is None


def test_4_1_times_with_fraction_and_zone(lab):
    made = lab.ada.make(
        "electrophysiology/segment", name="t", filedatetime="2011-10-05T12:00:01.5+02:00"
    )
    assert made["fields"]["filedatetime"] == "2011-10-05 10:00:01"


def test_4_2_permalinks_in_all_forms(lab):
    path = lab.blocks[2]["permalink"]
    number = lab.blocks[2]["fields"]["id"]
    for form in (path, path + "/", path[1:], "http://testserver" + path, number, str(number)):
        made = lab.ada.make("electrophysiology/segment", name="any form", block=form)
        assert made["fields"]["block"] == path
        assert lab.ada.delete(made["permalink"]).status_code == 200


def test_4_2_guid_changes_with_the_object_alone(lab):
    made = lab.ada.make("electrophysiology/segment", name="first")
    path = made["permalink"]

    def guid(body, suffix=""):
        answer = lab.ada.post(path + suffix, body)
        assert answer.status_code == 200, answer.text
        return lab.ada.one(path)["fields"]["guid"]

    first = made["fields"]["guid"]
    assert guid({"name": "second"}) != first
    assert guid({"name": "first"}) == first  # identical content under the same id
    lab.ada.make("electrophysiology/event", label="x", time=q(1, "s"), segment=path)
    assert guid({"safety_level": 1}, "/acl") == first
    assert guid({"metadata": links(lab.red)}) != first
    assert guid({"metadata": []}, "?m2m_append=0") == first


def test_4_2_ids_of_base_32(tmp_path):
    with Site(tmp_path, id_style="base32") as site:
        ada = site.user("ada")
        block = ada.make("electrophysiology/block", name="b")
        assert re.fullmatch("[1-9A-V][0-9A-V]{9}", block["fields"]["id"])
        segment = ada.make("electrophysiology/segment", name="s", block=block["id"])
        assert segment["fields"]["block"] == block["permalink"]
        listed = ada.get(E + "segment", {"block": block["id"]}).json()["selected"]
        assert links(*listed) == links(segment)


@pytest.mark.parametrize(
    ("field", "value", "message_type"),
    [
        ("time", {"data": 1}, "units_missing"),
        ("time", q(1, None), "units_missing"),
        ("time", q(1, "mV"), "bad_parameter"),
        ("sampling_rate", q(1, "ms"), "bad_parameter"),
        ("time", {"units": "ms"}, "data_missing"),
        ("time", 5, "dict_required"),
        ("time", q("abc", "ms"), "bad_float_data"),
        ("metadata", 5, "not_iterable"),
        ("segment", 99_999, "wrong_reference"),
        ("segment", "/electrophysiology/block/1", "wrong_reference"),
        ("zzz", 1, "post_data_invalid"),
    ],
)
def test_4_3_and_5_values_that_are_refused(lab, field, value, message_type):
    body = {"time": q(1, "ms"), field: value}
    refused(lab.ada.post(E + "spike", body), 400, message_type)


def test_4_3_units_are_kept_as_sent(lab):
    for units in ("V", "mV", "uV", "mcv", "µV", "nA", "pA", "A", "dimensionless", "mcV"):
        made = lab.ada.make(
            "electrophysiology/spike", time=q(1, "MCS"), waveform=q(lab.table, units)
        )
        assert made["fields"]["waveform"]["units"] == units
        assert made["fields"]["time"] == q(1, "MCS")
        lab.ada.delete(made["permalink"])


# ------------------------------------------------------------- section 5, envelope and statuses


def test_5_envelope_of_lists(lab):
    body = lab.ada.get(E + "block", {"max_results": 2, "offset": 1}).json()
    assert (body["objects_selected"], body["selected_range"]) == (2, [1, 2])
    assert (body["logged_in_as"], body["message_type"]) == ("ada", "object_selected")
    assert body["message"] == "Here is the list of requested objects."
    body = lab.ada.get(E + "block", {"name": "none"}).json()
    assert (body["objects_selected"], body["selected"], body["selected_range"]) == (0, [], None)
    assert body["message_type"] == "no_objects_found"


def test_5_message_types_of_failures(lab):
    ada, block = lab.ada, lab.blocks[0]["permalink"]
    refused(ada.get(E + "block", {"zzz": 1}), 400, "wrong_params")
    refused(ada.request("POST", E + "block", content="{"), 400, "data_parsing_error")
    refused(ada.post(E + "block", [1]), 400, "data_parsing_error")
    refused(ada.post(E + "block", {"name": "x", "index": "abc"}), 400, "bad_parameter")
    wide = {"sampling_rate": q(1, "hz"), "t_start": q(0, "s"), "signal": q(lab.table, "mv")}
    refused(ada.post(E + "analogsignal", wide), 400, "data_inconsistency")
    refused(lab.site.anonymous.get(block), 401, "not_authenticated")
    answer = lab.site.anonymous.post(E + "block", {"name": "x"})
    assert answer.headers["www-authenticate"] == "Session"
    refused(answer, 401, "not_authenticated")
    refused(lab.bob.get(block), 403, "not_authorized")
    for number in ("0", "-1", "abc", "1.5", "9" * 30, "99999"):
        refused(ada.get(E + "block/" + number), 404, "does_not_exist")
    refused(ada.get(E + "zzz/"), 404, "not_found")
    answer = ada.request("PUT", E + "block")
    assert answer.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, POST"
    refused(answer, 405, "invalid_method")
    long = '{"name": "' + "a" * 5_000_000 + '"}'
    refused(ada.request("POST", E + "block", content=long), 413, "too_large")


def test_5_head_options_and_slashes(lab):
    for path in (E + "block", lab.blocks[0]["permalink"], f"/datafiles/{lab.numbers}", "/api"):
        for url in (path, path + "/"):
            get, head = lab.ada.get(url), lab.ada.request("HEAD", url)
            assert (get.status_code, head.status_code, head.content) == (200, 200, b"")
            assert head.headers["content-length"] == get.headers["content-length"]
            assert head.headers["content-type"] == get.headers["content-type"]
            allow = lab.ada.request("OPTIONS", url).headers["allow"]
            assert {"GET", "HEAD", "OPTIONS"} <= set(allow.split(", "))


def test_5_put_and_patch_are_post(lab):
    path = lab.ada.make("electrophysiology/segment", name="x")["permalink"]
    for method in ("PUT", "PATCH"):
        answer = lab.ada.request(method, path, content=f'{{"name": "{method}"}}')
        assert (answer.status_code, answer.json()["message_type"]) == (200, "object_updated")
        assert lab.ada.one(path)["fields"]["name"] == method


def test_5_1_forms_of_tags(lab):
    path = lab.segments[0]["permalink"]
    answer = lab.ada.get(path)
    guid = answer.json()["selected"][0]["fields"]["guid"]
    assert answer.headers["etag"] == f'"{guid}"'
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["vary"] == "Cookie, Authorization, Accept"
    for tag in (guid, f'"{guid}"', f'W/"{guid}"', "*", f'"x", "{guid}"'):
        again = lab.ada.get(path, headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
    modified = {"If-Modified-Since": answer.headers["last-modified"]}
    assert lab.ada.get(path, headers=modified).status_code == 304
    assert lab.ada.get(path, headers={**modified, "If-None-Match": '"x"'}).status_code == 200
    assert lab.bob.get(path, headers={"If-None-Match": guid}).status_code == 403


def test_5_1_tags_of_other_views(lab):
    path, tags = lab.signals[0]["permalink"], set()
    for params in ({"q": "full"}, {"q": "info"}, {"start_time": 0.1}, {"cascade": 1}):
        tag = lab.ada.get(path, params).headers["etag"]
        assert re.fullmatch('"[0-9a-f]{40}-[0-9a-f]{8}"', tag)
        assert lab.ada.get(path, params, headers={"If-None-Match": tag}).status_code == 304
        tags.add(tag)
    assert len(tags) == 4
    window = [("start_index", "1"), ("end_index", "3")]
    ordered = [lab.ada.get(path, params).headers["etag"] for params in (window, window[::-1])]
    assert ordered[0] == ordered[1]
    links_of_data = {
        lab.ada.get(f"/datafiles/{lab.numbers}?start_index=1{rest}").headers["etag"]
        for rest in ("", "&end_index=4", "&format=json", "&downsample=2")
    }
    assert len(links_of_data) == 4


def test_5_1_tags_tell_of_what_is_shown_within(lab):
    block = lab.ada.make("electrophysiology/block", name="outer")
    inner = lab.ada.make("electrophysiology/segment", name="inner", block=block["id"])
    value = lab.ada.make("metadata/value", data="1", parent_property=lab.property["id"])
    lab.ada.post(block["permalink"] + "?cascade=0", {"metadata": links(value)})
    for params, changing, body in [
        ({"cascade": 1}, inner, {"name": "new"}),
        ({"q": "full"}, value, {"data": "2"}),
    ]:
        for path, more in ((block["permalink"], {}), (E + "block", {"id": block["id"]})):
            if more and "cascade" in params:
                continue  # of single objects only
            tag = lab.ada.get(path, {**params, **more}).headers["etag"]
            lab.ada.post(changing["permalink"], body)
            headers = {"If-None-Match": tag}
            assert lab.ada.get(path, {**params, **more}, headers=headers).status_code == 200
            body = {name: text + "!" for name, text in body.items()}
    for item in (block, value):
        assert lab.ada.delete(item["permalink"]).status_code == 200


def test_5_1_if_match(lab):
    made = lab.ada.make("electrophysiology/segment", name="one")
    path, guid = made["permalink"], made["fields"]["guid"]
    assert lab.ada.post(path, {"name": "two"}, headers={"If-Match": guid}).status_code == 200
    for tag in (guid, f'"{guid}"'):
        stale = {"If-Match": tag}
        refused(lab.ada.post(path, {"name": "x"}, headers=stale), 412, "precondition_failed")
        refused(lab.ada.delete(path, headers=stale), 412, "precondition_failed")
    assert lab.ada.one(path)["fields"]["name"] == "two"
