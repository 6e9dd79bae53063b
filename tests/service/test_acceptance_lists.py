"""Section 6 of the page of the data service, sentence by sentence, over HTTP: reading and lists.

Each test bears the section that it proves; all run on both databases.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.service.acceptance import E, M, found, links, make_lab, q, refused
from tests.service.support import site_on


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lab(request, tmp_path_factory):
    """Give a lab in a service on each kind of database; tests add to it, but change nothing."""
    with site_on(request, tmp_path_factory) as site:
        yield make_lab(site)


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
