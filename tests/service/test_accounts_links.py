"""Share links: what they open, for whom, and until when."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from ephyrus.service.accounts import groups, links, users
from ephyrus.service.accounts.authentication import Authenticator
from ephyrus.service.accounts.credentials import Presented, digest, new_secret, presented
from ephyrus.service.accounts.scopes import ALL_SCOPES
from ephyrus.service.accounts.tables import GROUP, SHARE_LINK, utc_now
from ephyrus.service.catalog import bulk, reading, rights, writing
from ephyrus.service.catalog.query import ListQuery
from ephyrus.service.db.schema import SHARES
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import ANONYMOUS, Principal
from tests.service.accounts_support import Clock, Lab, emptied_of_all, outcome

UNTIL = (utc_now() + timedelta(days=2)).strftime("%Y-%m-%d %H:%M:%S")


def principal_of(lab, name="bob"):
    return Principal(getattr(lab, name), name, scopes=ALL_SCOPES)


def make(lab, kind, owner="bob", **document):
    """Make an object in the catalog."""
    with lab.database.writing() as conn:
        return writing.create(conn, principal_of(lab, owner), kind, document).id


@pytest.fixture
def database(module_database):
    return emptied_of_all(module_database)


@pytest.fixture
def lab(database):
    """Bob has two blocks with a segment each, the first with a signal."""
    with Lab(database, anonymous_read=False) as made:
        made.block = make(made, "block", name="shown")
        made.other = make(made, "block", name="hidden")
        with database.writing() as conn:
            array = {"dtype": "<f8", "shape": [3], "sorted": None, "location": {"kind": "none"}}
            objects = [
                bulk.NewObject(type="segment", key="s", attributes={"name": "s"},
                               parents={"block": bulk.Existing(made.block)}),
                bulk.NewObject(type="datafile", key="d", attributes={"name": "d"}, array=array),
                bulk.NewObject(type="analogsignal", key="a", attributes={"name": "a"},
                               quantities={"sampling_rate": (1.0, "hz"), "t_start": (0.0, "s")},
                               arrays={"signal": ("d", "mV")}, parents={"segment": "s"}),
            ]  # fmt: skip
            ids = bulk.insert_tree(conn, made.bob, objects)
        made.segment, made.array, made.signal = ids["s"], ids["d"], ids["a"]
        yield made


def linked(lab, number=None, **body):
    """Make a share link; gives its secret and what is shown of it."""
    address = f"/electrophysiology/block/{number or lab.block}"
    answer = lab.logged_in().post("/account/links/", json={"object": address, **body})
    assert outcome(answer) == (201, "object_created"), answer.text
    shown = answer.json()
    assert shown["address"] == f"/share/{shown['secret']}"
    return shown["secret"], shown["links"][0]


def visitor(lab, secret):
    """Give a principal of somebody who has nothing but the link."""
    scope = {"headers": [(b"x-share-link", secret.encode())]}
    return Authenticator(lab.database, lab.settings).authenticate(scope)


def readable(lab, principal):
    """Tell which objects a principal may read, one by one and in lists."""
    wanted = [("block", lab.block), ("block", lab.other), ("segment", lab.segment),
              ("analogsignal", lab.signal)]  # fmt: skip
    with lab.database.reading() as conn:
        single = {
            (kind, number)
            for kind, number in wanted
            if rights.level(conn, principal, kind, number) == rights.READ
        }
        listed = {
            (kind, record.id)
            for kind in ("block", "segment", "analogsignal")
            for record in reading.select(conn, principal, kind, ListQuery()).records
        }
    assert single == listed
    return single


def test_a_link_opens_an_object_and_what_lies_below_it(lab):
    secret, shown = linked(lab, name="for the referee", expires=UNTIL)
    assert (shown["name"], shown["expires"]) == ("for the referee", UNTIL)
    assert shown["object"] == f"/electrophysiology/block/{lab.block}"
    anybody = visitor(lab, secret)
    assert (anybody.user_id, anybody.scopes, len(anybody.groups)) == (None, {"read"}, 1)
    opened = {("block", lab.block), ("segment", lab.segment), ("analogsignal", lab.signal)}
    assert readable(lab, anybody) == opened
    assert readable(lab, ANONYMOUS) == set()
    with lab.database.reading() as conn:
        rights.require_data(conn, anybody, lab.array)
        with pytest.raises(ServiceError) as caught:
            rights.require_data(conn, ANONYMOUS, lab.array)
        assert caught.value.status == 401
        with pytest.raises(ServiceError) as caught:
            rights.require(conn, anybody, "block", lab.block, rights.WRITE)
        assert caught.value.status == 401


def test_new_objects_below_are_opened_too(lab):
    secret, _ = linked(lab)
    segment = make(lab, "segment", name="new", block=lab.block)
    with lab.database.reading() as conn:
        assert rights.level(conn, visitor(lab, secret), "segment", segment) == rights.READ


def test_a_link_over_http_by_header_and_by_browser(lab):
    secret, _ = linked(lab)
    address = f"/electrophysiology/block/{lab.block}"
    program = lab.browser()
    assert program.get(address).status_code == 401  # anonymous reading is off
    answer = program.get(address, headers={"X-Share-Link": secret})
    assert answer.json()["selected"][0]["fields"]["name"] == "shown"
    assert answer.json()["logged_in_as"] == ""
    for other in (f"/electrophysiology/block/{lab.other}", "/account/users/", "/account/"):
        assert program.get(other, headers={"X-Share-Link": secret}).status_code == 401
    answer = program.post(address, json={"name": "x"}, headers={"X-Share-Link": secret})
    assert answer.status_code == 401
    browser = lab.browser()
    answer = browser.get(f"/share/{secret}/")
    assert (answer.status_code, answer.headers["location"]) == (303, address)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"sharelink={secret}; Path=/; Max-Age=")
    assert cookie.endswith("; HttpOnly; SameSite=Lax")
    assert browser.get(address).status_code == 200


def test_a_user_with_a_link_stays_the_user(lab):
    secret, _ = linked(lab)
    ada = lab.logged_in("ada")
    answer = ada.get("/account/", headers={"X-Share-Link": secret})
    assert answer.json()["account"]["username"] == "ada"
    eve = Principal(10**6, "eve", scopes=ALL_SCOPES)
    assert readable(lab, eve) == set()
    with_link = Principal(10**6, "eve", scopes=ALL_SCOPES, groups=visitor(lab, secret).groups)
    assert ("block", lab.block) in readable(lab, with_link)


def test_links_that_do_not_hold(lab, monkeypatch):
    secret, _ = linked(lab, expires=UNTIL)
    authenticator = Authenticator(lab.database, lab.settings)
    scope = {"headers": [(b"x-share-link", secret.encode())]}
    assert authenticator.authenticate(scope).groups
    stamp = lab.database.changes()
    clock = Clock(monkeypatch)
    monkeypatch.setattr("ephyrus.service.accounts.links.utc_now", clock.moment)
    clock.now = (utc_now() - clock.moment()).total_seconds() + clock.now
    assert authenticator.cached(scope, stamp).groups
    clock.wait(3 * 86_400)
    assert authenticator.cached(scope, stamp) is None
    with pytest.raises(ServiceError) as caught:
        authenticator.authenticate(scope)
    assert (caught.value.status, "share link" in caught.value.message) == (401, True)
    # an old cookie is passed over: browsers would send it for ever
    cookie = {"headers": [(b"cookie", b"sharelink=" + secret.encode())]}
    assert authenticator.authenticate(cookie) == ANONYMOUS
    assert lab.browser().get(f"/share/{secret}").status_code == 404
    linked(lab)  # forgets the expired one
    with lab.database.reading() as conn:
        assert conn.execute(SHARE_LINK.select()).one().expires > clock.moment()
        assert len(conn.execute(select(GROUP.c.id)).all()) == 1


def test_a_link_is_withdrawn_by_who_made_it(lab):
    secret, shown = linked(lab)
    assert lab.logged_in("ada").delete(f"/account/links/{shown['id']}").status_code == 404
    bob = lab.logged_in()
    assert bob.get("/account/links/").json()["links"] == [shown]
    assert outcome(bob.delete(f"/account/links/{shown['id']}/")) == (200, "deleted")
    assert bob.get("/account/links/").json()["links"] == []
    answer = lab.browser().get("/account/", headers={"X-Share-Link": secret})
    assert answer.status_code == 401
    with lab.database.reading() as conn:
        assert conn.execute(SHARES.select()).all() == []
        assert conn.execute(GROUP.select()).all() == []


def test_links_of_users_who_are_not_active_do_not_hold(lab):
    secret, _ = linked(lab)
    with lab.database.writing() as conn:
        users.change(conn, lab.bob, {"is_active": False})
    with pytest.raises(ServiceError):
        visitor(lab, secret)


def test_links_that_are_not_made(lab):
    cases = [
        ({"object": "/electrophysiology/block/999999"}, (404, "does_not_exist")),
        ({"object": "7"}, (400, "wrong_reference")),
        ({"object": "/metadata/value/1"}, (400, "wrong_reference")),
        ({"object": "/account/1"}, (400, "wrong_reference")),
        ({"expires": "2001-01-01"}, (400, "bad_parameter")),
        ({"expires": "9999-01-01"}, (400, "bad_parameter")),
        ({"name": "x" * 101}, (400, "bad_parameter")),
        ({"level": 2}, (400, "post_data_invalid")),
    ]
    bob = lab.logged_in()
    for change, expected in cases:
        body = {"object": f"/electrophysiology/block/{lab.block}", **change}
        assert outcome(bob.post("/account/links/", json=body)) == expected
    with lab.database.reading() as conn:
        assert conn.execute(GROUP.select()).all() == []


def test_only_owners_make_links(lab):
    block = make(lab, "block", owner="ada", name="ada's")
    body = {"object": f"/electrophysiology/block/{block}"}
    assert outcome(lab.logged_in().post("/account/links/", json=body)) == (403, "not_authorized")
    reader = lab.token("bob", "read")
    body = {"object": f"/electrophysiology/block/{lab.block}"}
    assert outcome(reader.post("/account/links/", json=body)) == (403, "not_authorized")


def test_lists_of_shares_do_not_show_or_end_links(lab):
    secret, _ = linked(lab)
    bob = principal_of(lab)
    with lab.database.writing() as conn:
        groups.create(conn, "lab")
        document = {"shared_with": {"ada": 1}, "shared_with_groups": {"lab": 1}}
        acl = rights.set_acl(conn, bob, "block", lab.block, document, cascade=True)
        assert (acl.shared_with, acl.groups) == ({"ada": 1}, {"lab": 1})
        empty = {"shared_with": {}, "shared_with_groups": {}}
        acl = rights.set_acl(conn, bob, "block", lab.block, empty, cascade=True)
        assert (acl.shared_with, acl.groups) == ({}, {})
        names = [group.name for group in groups.listing(conn)]
        hidden = conn.execute(select(GROUP.c.name).where(GROUP.c.is_link)).scalar_one()
        assert names == ["lab"]
        assert groups.find(conn, hidden) is None
    anybody = visitor(lab, secret)
    assert ("analogsignal", lab.signal) in readable(lab, anybody)
    with lab.database.reading() as conn:
        assert rights.acl(conn, anybody, "block", lab.block).shared_with == {}


def test_what_was_shared_with_a_removed_group_is_not_shared_with_the_next(lab):
    bob = principal_of(lab)
    with lab.database.writing() as conn:
        first = groups.create(conn, "first").id
        rights.set_acl(conn, bob, "block", lab.block, {"shared_with_groups": {"first": 2}})
        groups.remove(conn, first)
        second = groups.create(conn, "second").id  # on SQLite with the same id
        stranger = Principal(10**6, "eve", scopes=ALL_SCOPES, groups=frozenset({second, first}))
        assert rights.level(conn, stranger, "block", lab.block) == rights.NONE


def test_the_secret_of_a_link_is_not_that_of_a_session():
    secret = new_secret().encode()
    link = (b"x-share-link", secret)
    assert presented([link]) == Presented("link", "", digest(secret.decode()), True)
    cookies = (b"cookie", b"a=b; sharelink=" + secret + b"; sessionid=" + secret)
    both = digest(secret.decode())
    assert presented([cookies]) == Presented("session", both, both)
    assert presented([(b"x-share-link", b"short")]) == Presented("link", "", "", True)
    assert presented([(b"cookie", b"sharelink=short")]) is None


def test_links_are_bounded(lab, monkeypatch):
    monkeypatch.setattr(links, "MOST_LINKS", 1)
    linked(lab)
    body = {"object": f"/electrophysiology/block/{lab.block}"}
    answer = lab.logged_in().post("/account/links/", json=body)
    assert outcome(answer) == (400, "bad_parameter")
    assert list(answer.json()["details"]) == ["links"]


def test_a_link_to_a_section_leaves_properties_to_it(lab):
    section = make(lab, "section", name="rig")
    make(lab, "property", name="gain", section=section)
    body = {"object": f"/metadata/section/{section}"}
    secret = lab.logged_in().post("/account/links/", json=body).json()["secret"]
    headers = {"X-Share-Link": secret}
    answer = lab.browser().get("/metadata/property/", headers=headers)
    assert [each["fields"]["name"] for each in answer.json()["selected"]] == ["gain"]
    assert (
        lab.browser().get(f"/electrophysiology/block/{lab.block}", headers=headers).status_code
        == 401
    )
