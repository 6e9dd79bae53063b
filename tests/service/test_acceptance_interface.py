"""Sections 4 to 6 of the page of the data service, sentence by sentence, over HTTP.

Each test bears the section that it proves; all run on both databases. What section 3 lists is in
`test_acceptance_section3.py`, writing, files, rights, history and additions are in
`test_acceptance_changes.py`.
"""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

from tests.service.support import Site

E = "/electrophysiology/"
M = "/metadata/"
NONE = {"data": None, "units": None}


def q(value, units):
    """Write a quantity or an array."""
    return {"data": value, "units": units}


def links(*items):
    """Permalinks of objects."""
    return [item["permalink"] for item in items]


def make_lab(site):
    """Make a small lab: metadata, two blocks with segments and signals, one that is empty."""
    ada = site.user("ada")
    make = ada.make
    lab = SimpleNamespace(site=site, ada=ada, bob=site.user("bob"))
    lab.numbers = ada.array(np.arange(10.0))
    lab.table = ada.array(np.arange(20.0).reshape(10, 2))
    lab.labels = ada.array(np.array([b"a"] * 10))
    lab.section = make("metadata/section", name="Experiment")
    lab.below = make("metadata/section", name="Subsec", parent_section=lab.section["id"])
    lab.property = make("metadata/property", name="Colour", section=lab.below["permalink"])
    lab.red, lab.green = (
        make("metadata/value", data=data, parent_property=lab.property["permalink"])
        for data in ("Red", "green")
    )
    made = "2012-02-29 10:00:00", "2013-03-03 10:00:00"  # a Wednesday, a Sunday
    lab.blocks = [
        make("electrophysiology/block", name="Alpha Block", index=1, filedatetime=made[0],
             section=lab.section["permalink"]),
        make("electrophysiology/block", name="beta_50%", index=2, filedatetime=made[1]),
        make("electrophysiology/block", name="Gamma"),
    ]  # fmt: skip
    lab.segments = [
        make("electrophysiology/segment", name=f"Trial {k}", index=k, block=block["permalink"])
        for block in lab.blocks[:2]
        for k in range(3)
    ]
    lab.signals = [
        make("electrophysiology/analogsignal", name=f"sig{k}", segment=segment["id"],
             sampling_rate=q(10 + k, "khz"), t_start=q(k * 10.5, "ms"), signal=q(lab.numbers, "mv"))
        for k, segment in enumerate(lab.segments)
    ]  # fmt: skip
    lab.groups = [
        make("electrophysiology/recordingchannelgroup", name=f"g{k}", block=lab.blocks[n]["id"])
        for k, n in enumerate((0, 0, 1))
    ]
    lab.channels = [
        make("electrophysiology/recordingchannel", name=f"c{k}", recordingchannelgroup=groups)
        for k, groups in enumerate(
            (links(*lab.groups[:2]), [int(lab.groups[2]["id"])], [])
        )
    ]  # fmt: skip
    lab.units = [
        make("electrophysiology/unit", name="u0", recordingchannel=links(lab.channels[0])),
        make("electrophysiology/unit", name="u1", recordingchannelgroup=lab.groups[2]["id"]),
    ]
    lab.spikes = [
        make("electrophysiology/spike", time=q(1, "ms"), unit=lab.units[0]["id"]),
        make("electrophysiology/spike", time=q(1, "ms"), waveform=q(lab.table, "µV")),
    ]
    ada.post(lab.segments[0]["permalink"], {"metadata": links(lab.red)})
    ada.post(lab.segments[1]["permalink"] + "?cascade=0", {"metadata": links(lab.red, lab.green)})
    return lab


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lab(request, tmp_path_factory):
    """Give a lab in a service on each kind of database; tests add to it, but change nothing."""
    url = request.getfixturevalue("new_postgresql")() if request.param == "postgresql" else ""
    with Site(tmp_path_factory.mktemp("lab"), database=url) as site:
        yield make_lab(site)


def found(lab, kind, params, user=None):
    """Permalinks of a list."""
    answer = (user or lab.ada).get(kind if kind.startswith("/") else E + kind, params)
    assert answer.status_code == 200, answer.text
    return links(*answer.json()["selected"])


def refused(answer, status, message_type):
    """Check the envelope of a failure."""
    body = answer.json()
    assert (answer.status_code, body["message_type"]) == (status, message_type), body
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert {"logged_in_as", "message", "message_type", "details"} <= set(body)
    return body


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


# --------------------------------------------------------------------------- section 6, reading


def fields_of(lab, item, **params):
    """Names of the fields of a view, those of every object apart."""
    common = {"id", "guid", "current_state", "safety_level", "owner"}
    common |= {"date_created", "last_modified", "shared_with", "metadata"}
    names = set(lab.ada.one(item["permalink"], **params)["fields"])
    return names - common


def test_6_levels_of_detail(lab):
    signal = lab.signals[0]
    assert lab.ada.one(signal["permalink"], q="link")["fields"] == {}
    data = {"sampling_rate", "t_start", "signal"}
    info = data | {"name", "description"}
    beard = info | {"segment", "recordingchannel", "analogsignalarray"}
    assert fields_of(lab, signal, q="data") == data
    assert fields_of(lab, signal, q="info") == info
    for params in ({}, {"q": "beard"}, {"q": "full"}):
        assert fields_of(lab, signal, **params) == beard
    pairs = lab.ada.one(lab.segments[0]["permalink"], q="full")["fields"]["metadata"]
    ((prop, value),) = pairs
    assert (prop["permalink"], value["fields"]["data"]) == (links(lab.property)[0], "Red")
    refused(lab.ada.get(signal["permalink"], {"q": "zzz"}), 400, "wrong_params")


def test_6_arrays_within_the_object(lab):
    path = lab.signals[0]["permalink"]
    values = list(np.arange(10.0))
    for level in ("data", "full"):
        fields = lab.ada.one(path, q=level, format="json")["fields"]
        assert fields["signal"] == q(values, "mv")
    part = lab.ada.one(path, q="data", format="json", start_index=2, end_index=4)
    assert part["fields"]["signal"] == q([2.0, 3.0, 4.0], "mv")
    long = lab.ada.make(
        "electrophysiology/analogsignal", sampling_rate=q(1, "hz"), t_start=q(0, "s"),
        signal=q(lab.ada.array(np.zeros(100_001)), "mv"),
    )["permalink"]  # fmt: skip
    refused(lab.ada.get(long, {"q": "data", "format": "json"}), 413, "too_large")
    lab.ada.delete(long)


def test_6_cascade_kids_and_fields(lab):
    path = lab.blocks[0]["permalink"]
    tree = lab.ada.one(path, cascade=1)["fields"]["segment_set"]
    assert links(*tree) == links(*lab.segments[:3])
    below = [links(*segment["fields"]["analogsignal_set"]) for segment in tree]
    assert below == [links(signal) for signal in lab.signals[:3]]
    fields = lab.ada.one(path, show_kids=0)["fields"]
    assert not [name for name in fields if name.endswith("_set")]
    assert lab.ada.one(path, fields="name,index")["fields"] == {"name": "Alpha Block", "index": 1}


BAD_LISTS = [
    {"max_results": -1}, {"max_results": "a"}, {"offset": -1}, {"offset": "x"}, {"zzz": 1},
    {"name__zzz": 1}, {"index": "abc"}, {"index__gt": "abc"}, {"filedatetime": "abc"},
    {"filedatetime__year": "x"}, {"name__year": 1}, {"section__zzz": 1}, {"section": "abc!"},
    {"order_by": "zzz"}, {"visibility": "x"}, {"safety_level": 7}, {"created_min": "x"},
    {"at_time": "x"}, {"top": "owned"}, {"groups_of": "x"}, {"name__regex": "("},
    {"index__range": "1"}, {"format": "zzz"}, {"fields": "zzz"}, {"start_time": "x"},
]  # fmt: skip


@pytest.mark.parametrize("params", BAD_LISTS, ids=str)
def test_6_parameters_that_are_refused(lab, params):
    refused(lab.ada.get(E + "block", params), 400, "wrong_params")


def test_6_arrays_are_filtered_by_isnull_alone(lab):
    for params in ({"signal": 5}, {"signal__gt": 5}):
        refused(lab.ada.get(E + "analogsignal", params), 400, "wrong_params")
    assert found(lab, "spike", {"waveform__isnull": 1}) == links(lab.spikes[0])
    assert found(lab, "spike", {"waveform__isnull": 0}) == links(lab.spikes[1])


LOOKUPS = [  # of the blocks Alpha Block, beta_50%, Gamma
    ({"name": "Alpha Block"}, "0"), ({"name": "alpha block"}, ""), ({"name__iexact": "gAMMA"}, "2"),
    ({"name__contains": "a B"}, "0"), ({"name__contains": "A b"}, ""),
    ({"name__icontains": "A"}, "012"), ({"name__contains": "%"}, "1"),
    ({"name__contains": "_"}, "1"), ({"name__startswith": "Al"}, "0"),
    ({"name__istartswith": "al"}, "0"), ({"name__endswith": "mma"}, "2"),
    ({"name__iendswith": "MMA"}, "2"), ({"name__regex": "^[AB]"}, "0"),
    ({"name__iregex": "^[AB]"}, "01"), ({"name__in": "[Gamma,beta_50%]"}, "12"),
    ({"name__in": "Gamma,beta_50%"}, "12"), ({"name__in": ["Gamma", "beta_50%"]}, "12"),
    ({"index__gt": 1}, "1"), ({"index__gte": 1}, "01"), ({"index__lt": 2}, "0"),
    ({"index__lte": 2}, "01"), ({"index__le": 2}, "01"), ({"index__ge": 2}, "1"),
    ({"index__range": "[2,9]"}, "1"), ({"index__isnull": 0}, "01"), ({"index__isnull": 1}, "2"),
    ({"index__isnull": "yes"}, "2"), ({"filedatetime__year": 2012}, "0"),
    ({"filedatetime__month": 3}, "1"), ({"filedatetime__day": 29}, "0"),
    ({"filedatetime__week_day": 1}, "1"), ({"filedatetime__week_day": 4}, "0"),
    ({"filedatetime__gt": "2012-06-01"}, "1"), ({"filedatetime": "2012-02-29T10:00:00Z"}, "0"),
    ({"n__name__icontains": "beta"}, "02"), ({"n__index": 1}, "12"), ({"section": 1}, "0"),
    ({"section__name": "Experiment"}, "0"), ({"segment_set__name": "Trial 1"}, "01"),
    ({"segment_set__analogsignal_set__name": "sig5"}, "1"), ({"segment_set__isnull": 1}, "2"),
    ({"owner": "ada"}, "012"), ({"owner": 1}, "012"), ({"owner": "bob"}, ""),
    ({"safety_level": 3}, "012"), ({"safety_level": 1}, ""), ({"created_min": "2000-01-01"}, "012"),
    ({"created_max": "2000-01-01"}, ""), ({"max_results": 2}, "01"), ({"limit": 2}, "01"),
    ({"offset": 1}, "12"), ({"offset": 1, "max_results": 1}, "1"), ({"max_results": 0}, ""),
    ({"offset": 50}, ""), ({"start_index": 1}, "012"), ({"order_by": "name"}, "021"),
    ({"order_by": "-name"}, "120"), ({"search": "alpha"}, "0"), ({"search": "alpha gamma"}, ""),
]  # fmt: skip


def test_6_1_every_lookup(lab):
    blocks = links(*lab.blocks)
    for params, which in LOOKUPS:
        assert found(lab, "block", params) == [blocks[int(n)] for n in which], params


def test_6_1_quantities(lab):
    for params, first, stop in [
        ({"t_start__gt": 15.55}, 2, 6),
        ({"t_start": 10.5}, 1, 2),
        ({"t_start__in": "0,10.5"}, 0, 2),
        ({"sampling_rate__lte": 11}, 0, 2),
        ({"t_start__range": "10,22"}, 1, 3),
    ]:
        assert found(lab, "analogsignal", params) == links(*lab.signals[first:stop]), params


def test_6_1_parents_at_depth(lab):
    one, two = lab.blocks[0], lab.blocks[1]
    for form in (one["id"], one["permalink"], "http://testserver" + one["permalink"] + "/"):
        assert found(lab, "segment", {"block": form}) == links(*lab.segments[:3])
    for params in (
        {"block": two["id"]},
        {"block": two["permalink"]},
        {"segment__block": two["id"]},
        {"segment__block__name__icontains": "BETA"},
        {"n__segment__block": one["id"]},
    ):
        assert found(lab, "analogsignal", params) == links(*lab.signals[3:])
    assert found(lab, "recordingchannel", {"block": one["id"]}) == links(lab.channels[0])
    assert found(lab, "unit", {"block": one["id"]}) == links(lab.units[0])
    assert found(lab, "unit", {"block": two["id"]}) == links(lab.units[1])


def test_6_1_many_to_many_matches_any(lab):
    for params, which in [
        ({"recordingchannelgroup": lab.groups[1]["id"]}, [0]),
        ({"recordingchannelgroup__name__in": "g0,g1,g2"}, [0, 1]),
        ({"recordingchannelgroup__isnull": 1}, [2]),
        ({"n__recordingchannelgroup": lab.groups[0]["id"]}, [1, 2]),
    ]:
        assert found(lab, "recordingchannel", params) == links(*(lab.channels[n] for n in which))


def test_6_1_metadata(lab):
    both = links(*lab.segments[:2])
    red, green = links(lab.red, lab.green)
    assert found(lab, "segment", {"metadata": red}) == both
    assert found(lab, "segment", {"metadata": lab.red["id"]}) == both
    pairs = [("^1metadata", red), ("^2metadata", green)]
    assert found(lab, "segment", pairs) == both[1:]
    assert found(lab, "segment", {"section": "ubse"}) == both
    assert found(lab, "segment", {"property": "Col"}) == both
    assert found(lab, "segment", {"value": "gre"}) == both[1:]
    # the annotation of the first segment went to what is below it, that of the second did not
    assert found(lab, "analogsignal", {"value": "Red"}) == links(lab.signals[0])
    assert found(lab, M + "section", {"property_set__name": "Colour"}) == links(lab.below)
    names = [("^1name__icontains", "tri"), ("^2name__icontains", "2"), ("block", "1")]
    assert found(lab, "segment", names) == links(lab.segments[2])


def test_6_1_groups_of(lab):
    params = {"groups_of": 2, "spacing": 1, "block__in": "1,2"}
    taken = [lab.segments[n] for n in (0, 1, 3, 4)]
    assert found(lab, "segment", params) == links(*taken)


def test_6_1_visibility_and_top(lab):
    bob, made = lab.bob, {}
    for name, rights in {
        "public": {"safety_level": 1}, "friendly": {"safety_level": 2},
        "shared": {"shared_with": {"ada": 1}}, "private": {},
    }.items():  # fmt: skip
        made[name] = bob.make("electrophysiology/unit", name="seen")["permalink"]
        bob.post(made[name] + "/acl", rights)

    def seen(user, visibility):
        return found(lab, "unit", {"name": "seen", "visibility": visibility}, user)

    assert seen(bob, "all") == list(made.values())
    assert seen(lab.ada, "all") == [made["public"], made["shared"]]
    assert seen(lab.ada, "public") == [made["public"]]
    assert seen(lab.ada, "shared") == [made["shared"]]
    assert seen(lab.ada, "private") == []
    top = bob.make("metadata/section", name="bob's")
    sub = bob.make("metadata/section", name="below", parent_section=top["id"])
    bob.post(sub["permalink"] + "/acl", {"shared_with": {"ada": 1}})
    assert found(lab, M + "section", {"top": "shared"}) == links(sub)
    assert found(lab, M + "section", {"top": "owned"}, bob) == links(top)
