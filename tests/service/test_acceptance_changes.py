"""Sections 7 to 10 of the page of the data service, over HTTP.

Writing, annotation, files, rights, history: each test bears the section that it proves. Reading is
in `test_acceptance_lists.py`, additions are in `test_acceptance_additions.py`; what needs a
database runs on both kinds.
"""

from __future__ import annotations

import io
import tarfile
import time
import zipfile
from datetime import UTC, datetime

import numpy as np
import pytest
from starlette.testclient import TestClient

from ephyrus.service.accounts import users
from ephyrus.service.accounts.passwords import Passwords
from tests.neuroshare.vendor import as_nsn
from tests.service.acceptance import TABLE, E, fields, hdf5, links, q, refused, with_arrays
from tests.service.support import Site, site_on
from tests.synth import axon


def now():
    """Time as `at_time` takes it, later than all that has been answered."""
    time.sleep(0.002)
    moment = datetime.now(UTC).isoformat().removesuffix("+00:00")
    time.sleep(0.002)
    return moment


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def site(request, tmp_path_factory):
    """Give a service on each kind of database."""
    with site_on(request, tmp_path_factory) as site:
        yield site


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    """Give a service with a long signal and a table."""
    with Site(tmp_path_factory.mktemp("arrays")) as site:
        yield with_arrays(site)


@pytest.fixture
def ada(site):
    """Give somebody who has logged in."""
    return site.user("ada")


@pytest.fixture
def bob(site):
    """Give somebody else."""
    return site.user("bob")


def changed(user, item, body, suffix=""):
    """Change an object; its fields."""
    answer = user.post(item["permalink"] + suffix, body)
    assert (answer.status_code, answer.json()["message_type"]) == (200, "object_updated")
    return fields(user, item)


def make_tree(user, name="tree"):
    """Make a block with a segment, a signal, a group and a unit."""
    block = user.make("electrophysiology/block", name=name)
    segment = user.make("electrophysiology/segment", name=name, block=block["id"])
    signal = user.make(
        "electrophysiology/analogsignal", name=name, segment=segment["id"],
        sampling_rate=q(1, "khz"), t_start=q(0, "ms"), signal=q(user.array(np.arange(6.0)), "mv"),
    )  # fmt: skip
    group = user.make("electrophysiology/recordingchannelgroup", name=name, block=block["id"])
    unit = user.make("electrophysiology/unit", name=name, recordingchannelgroup=group["id"])
    return block, segment, signal, group, unit


def make_values(user, *data):
    """Make values of a property."""
    section = user.make("metadata/section", name="sec")
    prop = user.make("metadata/property", name="prop", section=section["id"])
    return [user.make("metadata/value", data=text, parent_property=prop["id"]) for text in data]


# --------------------------------------------------------------------------- section 7, writing


def test_7_create(ada):
    body = {"fields": {"label": "inside", "time": q(1, "s")}, "event_set": [], "id": 5, "guid": "x"}
    answer = ada.post(E + "event/", {**body, "model": "m", "location": "l", "owner": "me"})
    assert (answer.status_code, answer.json()["message_type"]) == (201, "object_created")
    (item,) = answer.json()["selected"]
    assert answer.headers["location"] == item["permalink"]
    assert answer.json()["message"] == "Object created successfully."
    assert (item["fields"]["label"], item["fields"]["time"]) == ("inside", q(1, "s"))


def test_7_an_object_may_be_sent_back_as_it_came(ada):
    signal = make_tree(ada)[2]
    for level in ("info", "beard", "full"):
        item = ada.one(signal["permalink"], q=level)
        assert changed(ada, signal, item)["guid"] == signal["fields"]["guid"]
    item = ada.one(signal["permalink"], start_index=0)
    assert {"partial", "arrays"} <= set(item)
    assert changed(ada, signal, item)["guid"] == signal["fields"]["guid"]


def test_7_only_what_is_sent_changes(ada):
    signal = make_tree(ada)[2]
    before = fields(ada, signal)
    after = changed(ada, signal, {"description": "new", "t_start": q(5, "s"), "segment": None})
    differing = {name for name in after if after[name] != before[name]} - {"last_modified"}
    assert differing == {"description", "t_start", "segment", "guid"}
    assert (after["description"], after["t_start"], after["segment"]) == ("new", q(5, "s"), None)
    for name in ("signal", "t_start"):
        refused(ada.post(signal["permalink"], {name: None}), 400, "missing_parameter")


def test_7_arrays_in_all_forms(ada):
    number = ada.array(np.arange(3.0))
    path = f"/datafiles/{number}"
    for form in (number, str(number), path, path + "/", "http://testserver" + path, path[1:]):
        body = {"sampling_rate": q(1, "hz"), "t_start": q(0, "s"), "signal": q(form, "mv")}
        made = ada.make("electrophysiology/analogsignal", **body)
        assert made["fields"]["signal"] == q(path, "mv")


def test_7_what_may_not_be_edited_is_no_parent(ada, bob):
    theirs = bob.make("electrophysiology/block", name="b")
    body = {"name": "x", "block": theirs["id"]}
    refused(ada.post(E + "segment", body), 403, "not_authorized")
    bob.post(theirs["permalink"] + "/acl", {"shared_with": {"ada": 1}})
    refused(ada.post(E + "segment", body), 403, "not_authorized")
    bob.post(theirs["permalink"] + "/acl", {"shared_with": {"ada": 2}})
    assert ada.post(E + "segment", body).status_code == 201


def test_7_bulk_update(ada, bob):
    block = ada.make("electrophysiology/block", name="bulk")
    mine = [ada.make("electrophysiology/segment", name="bulk", block=block["id"]) for _ in "123"]
    theirs = bob.make("electrophysiology/segment", name="bulk")
    url = "/?name=bulk&bulk_update=1"
    answer = ada.post(mine[0]["permalink"] + url, {"description": "all"})  # the id is ignored
    assert links(*answer.json()["selected"]) == links(*mine)
    assert [fields(ada, item)["description"] for item in mine] == ["all"] * 3
    bob.post(theirs["permalink"] + "/acl", {"shared_with": {"ada": 1}})
    refused(ada.post(E + "segment" + url, {"description": "x"}), 403, "not_authorized")
    assert [fields(ada, item)["description"] for item in mine] == ["all"] * 3
    answer = ada.post(E + "segment" + url + "&mode=ignore", {"description": "some"})
    assert links(*answer.json()["selected"]) == links(*mine)
    assert fields(bob, theirs)["description"] is None


def test_7_delete(ada):
    tree, other = make_tree(ada), make_tree(ada, "other")
    then = now()
    answer = ada.delete(tree[0]["permalink"])
    assert (answer.status_code, answer.json()["message_type"]) == (200, "deleted")
    assert answer.json()["message"] == "Object was deleted."
    for item in tree:
        refused(ada.get(item["permalink"]), 404, "does_not_exist")
        assert fields(ada, item, at_time=then)["name"] == "tree"
    assert [fields(ada, item)["name"] for item in other] == ["other"] * 5
    for suffix in ("", "?max_results=1"):
        refused(ada.delete(E + "block/" + suffix), 400, "wrong_params")
    ada.delete(E + "block?name__in=other,tree")
    refused(ada.get(other[0]["permalink"]), 404, "does_not_exist")


def test_7_delete_with_collaborators(ada, bob):
    block, segment, *_ = make_tree(ada)
    ada.post(segment["permalink"] + "/acl", {"shared_with": {bob.name: 2}})
    refused(ada.delete(block["permalink"]), 409, "has_collaborators")
    assert ada.delete(block["permalink"] + "?force=1").status_code == 200


def test_7_section_copy(ada):
    top = ada.make("metadata/section", name="template", description="D")
    prop = ada.make("metadata/property", name="p", section=top["id"], unit="mV")
    ada.make("metadata/value", data="7", parent_property=prop["id"])
    ada.make("metadata/section", name="sub", parent_section=top["id"])

    def copied(**options):
        made = ada.make("metadata/section", source_template=top["permalink"], **options)["fields"]
        assert made["description"] == "D"
        return made

    assert (copied()["property_set"], copied()["section_set"]) == ([], [])
    made = copied(with_properties=1, recursive=1, name="copy")
    assert made["name"] == "copy"
    (below,), (new,) = made["section_set"], made["property_set"]
    assert ada.one(below)["fields"]["name"] == "sub"
    value = ada.one(new)["fields"]["value_set"][0]
    assert (ada.one(new)["fields"]["unit"], ada.one(value)["fields"]["data"]) == ("mV", "7")


def test_7_1_annotation(ada):
    tree = make_tree(ada)
    one, two, three = links(*make_values(ada, "1", "2", "3"))

    def tags():
        return [fields(ada, item)["metadata"] for item in tree]

    changed(ada, tree[0], {"metadata": [one]})
    assert tags() == [[one]] * 5
    changed(ada, tree[1], {"metadata": [two]}, "?cascade=0")
    assert tags() == [[one], [one, two], [one], [one], [one]]
    changed(ada, tree[0], {"metadata": [three]}, "?m2m_append=0&cascade=0")
    assert tags()[:2] == [[three], [one, two]]
    pairs = ada.get(tree[1]["permalink"] + "/metadata/").json()["metadata"]
    assert [(prop["fields"]["name"], value["fields"]["data"]) for prop, value in pairs] == [
        ("prop", "1"),
        ("prop", "2"),
    ]
    changed(ada, tree[0], {"metadata": []}, "?m2m_append=0")
    assert tags() == [[]] * 5
    answer = ada.post(E + f"segment?id={tree[1]['id']}&bulk_update=1", {"metadata": [two]})
    assert answer.status_code == 200
    assert tags() == [[], [two], [two], [], []]


# ------------------------------------------------------------------------- section 8, datafiles


def archive(name):
    """Write an archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr(name, "hello")
    return file.getvalue()


def tape(name, packing):
    """Write a TAR archive."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=f"w:{packing}") as tar:
        tar.addfile(tarfile.TarInfo(name))
    return file.getvalue()


def raw_of_recording():
    """Write a small recording of a vendor."""
    return axon.abf2(np.zeros((10, 1), "<i2")).tobytes()


def upload(user, content, name="file", **params):
    """Upload a file."""
    answer = user.request("POST", "/datafiles/", files={"raw_file": (name, content)}, params=params)
    assert answer.status_code == 201, answer.text
    return answer.json()["selected"][0]


def test_8_kinds_of_files(arrays):
    user, *_ = arrays  # the database plays no part in this
    kinds = {
        0: [b"nothing", hdf5(), hdf5(a=[1], b=[2]), hdf5(a=1.0), hdf5(a=np.ones((1, 1, 1, 1)))],
        1: [as_nsn().packed()],
        2: [raw_of_recording()],
        3: [b"1,2,3\n4,5,6\n"],
        4: [b'<?xml version="1.0"?><odML version="1.1"><section><name>n</name></section></odML>'],
        5: [hdf5(a=np.ones(3)), hdf5(b=np.ones((3, 2, 4), "i2")), hdf5(c=np.array([b"x"]))],
        6: [archive("a.txt")],
        7: [tape("a.txt", ""), tape("a.txt", "gz")],
    }
    assert list(kinds) == list(range(8))
    for kind, contents in kinds.items():
        for content in contents:
            made = upload(user, content, "it.csv" if kind == 3 else "it", convert=0)
            assert made["fields"]["file_type"] == made["fields"]["conversion_type"] == kind
            assert made["fields"]["size"] == len(content)
            answer = user.get(made["permalink"] + "/download/")
            assert answer.content == content
            assert answer.headers["content-disposition"].startswith("attachment")


def test_8_an_upload_can_be_used_at_once(ada):
    made = upload(ada, hdf5(values=TABLE))
    assert ada.get(made["permalink"] + "/data?format=json").json() == TABLE.tolist()
    assert made["fields"]["safety_level"] == 3
    text = upload(ada, b"text")
    refused(ada.get(text["permalink"] + "/data"), 400, "no_hdf5_array")
    refused(ada.get(text["permalink"] + "/convert/"), 400, "non_convertible")
    refused(ada.post(text["permalink"] + "/extract/"), 400, "not_an_archive")


def test_8_section_of_an_upload(ada):
    section = ada.make("metadata/section", name="sec")
    ada.post(section["permalink"] + "/acl", {"safety_level": 1})
    made = upload(ada, b"text", section_id=section["id"], convert=0)
    assert made["fields"]["section"] == section["permalink"]
    assert made["fields"]["safety_level"] == 1
    after = changed(ada, made, {"caption": "cap", "tags": "a", "title": "new", "section": None})
    assert [after[name] for name in ("caption", "tags", "name", "section")] == [
        "cap", "a", "new", None,
    ]  # fmt: skip


def test_8_a_file_in_use_is_kept(ada):
    signal = make_tree(ada)[2]
    path, then = signal["fields"]["signal"]["data"], now()
    for suffix in ("", "?force=1"):
        refused(ada.delete(path + suffix), 409, "in_use")
    ada.delete(signal["permalink"])
    assert ada.delete(path).status_code == 200
    refused(ada.get(path + "/data"), 404, "does_not_exist")
    link = fields(ada, signal, at_time=then, start_index=1)["signal"]["data"]
    assert ada.get(link, headers={"Accept": "application/json"}).status_code == 200
    assert ada.get(link + "&format=json").json() == [1.0, 2.0, 3.0, 4.0, 5.0]


# --------------------------------------------------------------- section 9, accounts and rights


def test_9_session(site):
    with site.database.writing() as conn:
        hashed = Passwords(site.settings).hash("secret-pass-1", name="pw")
        users.create(conn, "pw", password_hash=hashed)
    login = {"username": "pw", "password": "secret-pass-1"}
    browser = TestClient(site.app, base_url="http://testserver")
    wrong = browser.post("/account/authenticate/", data={**login, "password": "x"})
    refused(wrong, 401, "invalid_credentials")
    assert "set-cookie" not in wrong.headers
    answer = browser.post("/account/authenticate/", data=login)
    assert (answer.status_code, answer.json()["message_type"]) == (200, "authenticated")
    attributes = set(answer.headers["set-cookie"].split("; ")[1:])
    assert {"HttpOnly", "SameSite=Lax"} <= attributes
    assert "Secure" not in attributes
    secure = TestClient(site.app, base_url="https://testserver")
    answer = secure.post("/account/authenticate/", json=login)
    assert "Secure" in answer.headers["set-cookie"].split("; ")
    body = '{"name": "by cookie"}'
    for headers, status in [
        ({"Sec-Fetch-Site": "cross-site"}, 403), ({"Origin": "http://elsewhere"}, 403),
        ({"Origin": "http://testserver"}, 201), ({}, 201),
    ]:  # fmt: skip
        assert browser.post(E + "block/", content=body, headers=headers).status_code == status
    cookie = {"Cookie": f"sessionid={browser.cookies['sessionid']}"}
    assert browser.get("/account/logout/").status_code == 200
    old = TestClient(site.app, base_url="http://testserver").get(E + "block", headers=cookie)
    refused(old, 401, "not_authenticated")


def statuses(item, *who, suffix=""):
    """Statuses of reading an object."""
    return [user.get(item["permalink"] + suffix).status_code for user in who]


def test_9_safety_levels_and_shares(site, ada, bob):
    item = ada.make("electrophysiology/block", name="b")
    root, nobody = site.user("root", is_admin=True), site.anonymous
    everybody = ada, bob, root, nobody

    def shared(**rights):
        answer = ada.post(item["permalink"] + "/acl/", rights)
        assert answer.status_code == 200
        now_ = ada.get(item["permalink"] + "/acl/").json()
        assert all(now_[name] == value for name, value in rights.items())

    assert statuses(item, *everybody) == [200, 403, 200, 401]
    shared(safety_level=1)
    assert statuses(item, *everybody) == [200] * 4
    shared(safety_level=2)
    assert statuses(item, *everybody) == [200, 403, 200, 401]
    ada.post("/account/friends/", {"user": "bob"})
    bob.post("/account/friends/", {"user": "ada"})
    assert statuses(item, *everybody) == [200, 200, 200, 401]
    ada.delete("/account/friends/bob")
    shared(safety_level=3, shared_with={"bob": 1})
    assert statuses(item, *everybody) == [200, 200, 200, 401]
    refused(bob.post(item["permalink"], {"name": "x"}), 403, "not_authorized")
    shared(shared_with={"bob": 2})
    assert bob.post(item["permalink"], {"name": "bob's"}).status_code == 200
    refused(bob.post(item["permalink"] + "/acl", {"safety_level": 1}), 403, "not_authorized")
    shared(shared_with={})
    assert statuses(item, *everybody) == [200, 403, 200, 401]


def test_9_cascade_and_inheritance(ada, bob):
    tree = make_tree(ada)
    acl = {"safety_level": 2, "shared_with": {"bob": "reader"}}
    ada.post(tree[0]["permalink"] + "/acl/", acl)
    assert [statuses(item, bob) for item in tree] == [[200], [403], [403], [403], [403]]
    assert fields(bob, tree[0])["segment_set"] == []  # what bob may not see is not named
    made = ada.make("electrophysiology/segment", name="new", block=tree[0]["id"])["fields"]
    assert (made["safety_level"], made["shared_with"]) == (2, {"bob": 1})
    data = tree[2]["fields"]["signal"]["data"] + "/data"
    assert bob.get(data).status_code == 403
    ada.post(tree[0]["permalink"] + "/acl/?cascade=1&notify=1", acl)
    assert [statuses(item, bob) for item in tree] == [[200]] * 5
    assert bob.get(data).status_code == 200  # who may read the signal may read its numbers


def test_9_properties_and_values_follow_their_section(ada, bob):
    (value,) = make_values(ada, "1")
    prop = ada.one(value["fields"]["parent_property"])
    section = ada.one(prop["fields"]["section"])
    assert [statuses(item, bob) for item in (section, prop, value)] == [[403]] * 3
    ada.post(section["permalink"] + "/acl", {"shared_with": {"bob": 2}})
    assert [statuses(item, bob) for item in (section, prop, value)] == [[200]] * 3
    assert changed(bob, value, {"data": "2"})["data"] == "2"


# -------------------------------------------------------------------------- section 10, history


def test_10_everything_as_it_was(ada):
    (value,) = make_values(ada, "old")
    block, segment, *_ = make_tree(ada, "then")
    other = ada.make("electrophysiology/block", name="other")
    groups = [ada.make("electrophysiology/recordingchannelgroup", name="g") for _ in "12"]
    channel = ada.make(
        "electrophysiology/recordingchannel", name="c", recordingchannelgroup=[groups[0]["id"]]
    )
    changed(ada, segment, {"metadata": links(value)})
    then = now()
    changed(ada, value, {"data": "new"})
    changed(ada, segment, {"metadata": []}, "?m2m_append=0")
    changed(ada, segment, {"block": other["id"], "name": "now"})
    changed(ada, channel, {"recordingchannelgroup": [groups[1]["id"]]})

    past = {"at_time": then}
    assert fields(ada, segment, **past)["block"] == block["permalink"]
    assert fields(ada, block, **past)["segment_set"] == links(segment)
    assert (fields(ada, block)["segment_set"], fields(ada, other)["segment_set"]) == (
        [],
        links(segment),
    )
    ((_, tag),) = fields(ada, segment, q="full", **past)["metadata"]
    assert tag["fields"]["data"] == "old"
    assert fields(ada, groups[0], **past)["recordingchannel_set"] == links(channel)
    assert fields(ada, groups[0])["recordingchannel_set"] == []
    tree = fields(ada, block, cascade=1, **past)["segment_set"][0]["fields"]
    assert tree["name"] == "then"
    for params in ({"block": block["id"]}, {"metadata": value["id"], "name": "then"}):
        listed = ada.get(E + "segment", {**params, **past}).json()["selected"]
        assert links(*listed) == links(segment)
        assert ada.get(E + "segment", params).json()["selected"] == []


def test_10_before_and_with_writing(ada):
    block = ada.make("electrophysiology/block", name="b")
    long_ago = "at_time=2001-01-01 00:00:00"
    refused(ada.get(block["permalink"] + "?" + long_ago), 404, "does_not_exist")
    assert ada.get(E + "block?" + long_ago).json()["selected"] == []
    refused(ada.post(block["permalink"] + "?" + long_ago, {"name": "x"}), 400, "wrong_params")
    refused(ada.delete(block["permalink"] + "?" + long_ago), 400, "wrong_params")
    refused(ada.post(E + "block?" + long_ago, {"name": "x"}), 400, "wrong_params")


def test_10_versions(ada, bob):
    block = ada.make("electrophysiology/block", name="one")
    ada.post(block["permalink"] + "/acl", {"shared_with": {"bob": 2}})
    guid = changed(bob, block, {"name": "two", "index": 3})["guid"]
    first, second = ada.get(block["permalink"] + "/history/").json()["selected"]
    assert (first["guid"], second["guid"]) == (block["fields"]["guid"], guid)
    assert (first["user"], second["user"]) == ("ada", "bob")
    assert (sorted(second["changed"]), second["ends_at"]) == (["index", "name"], None)
    assert first["ends_at"] == second["starts_at"]
    later = ada.get(block["permalink"] + "/history/", {"start_date": "2100-01-01"}).json()
    assert later["selected"] == []
