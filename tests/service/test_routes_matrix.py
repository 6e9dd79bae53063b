"""Every route of the table, asked by everybody: who gets what.

The expected answers are written down here and not computed from the table, so that a route that
asks for less than it should is found. A route without an entry fails.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from ephyrus.service.routes import route_table
from tests.service.support import Site

ROLES = ("anonymous", "stranger", "reader", "writer", "owner", "administrator")

GOOD = 200
OPEN = (200, 200, 200, 200, 200, 200)
USERS = (401, 200, 200, 200, 200, 200)
MAKERS = (401, 201, 201, 201, 201, 201)
ADMINS = (401, 403, 403, 403, 403, 200)
VIEW = (401, 403, 200, 200, 200, 200)
EDIT = (401, 403, 403, 200, 200, 200)
OWN = (401, 403, 403, 403, 200, 200)
SHARED = {"reader": 1, "writer": 2}


def _instead(statuses: tuple[int, ...], status: int) -> tuple[int, ...]:
    """The same rights, where those who have them get another answer."""
    return tuple(status if each == GOOD else each for each in statuses)


@dataclass(frozen=True)
class Entry:
    """What is asked of a route, and what each role gets.

    ``{id}`` in the path is a private object that the owner shares with reader and writer; a fresh
    one for each role where `uses_up` is set.
    """

    statuses: tuple[int, ...]
    document: Any = None
    params: dict[str, Any] = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    uses_up: bool = False
    category: str = ""


def _objects(prefix: str, new: dict[str, Any]) -> dict[str, Entry]:
    """Entries of the routes that all kinds of objects have."""
    change = Entry(EDIT, {"description": "changed"} if new else {"caption": "changed"})
    rights = Entry(OWN, {"shared_with": SHARED})
    made = {
        f"{prefix}.list": Entry(OPEN),
        # who cannot see the object selects nothing
        f"{prefix}.delete_list": Entry(
            (401, 200, 403, 200, 200, 200), params={"id": "{id}", "force": 1}, uses_up=True
        ),
        f"{prefix}.update": change,
        f"{prefix}.put": change,
        f"{prefix}.patch": change,
        f"{prefix}.delete": Entry(EDIT, params={"force": 1}, uses_up=True),
        f"{prefix}.acl": Entry(VIEW),
        f"{prefix}.set_acl": rights,
        f"{prefix}.put_acl": rights,
        f"{prefix}.metadata": Entry(VIEW),
        f"{prefix}.history": Entry(VIEW),
    }
    if new:
        made[f"{prefix}.create"] = Entry(MAKERS, new)
        made[f"{prefix}.get"] = Entry(VIEW)
    return made


def npy_file(values: np.ndarray) -> bytes:
    body = io.BytesIO()
    np.save(body, values)
    return body.getvalue()


UPLOAD = Entry(MAKERS, options={"files": {"raw_file": ("notes.txt", b"some text")}})

ENTRIES: dict[str, Entry] = {
    **_objects("electrophysiology", {"name": "new"}),
    **_objects("metadata", {"name": "new"}),
    **_objects("datafile", {}),
    "datafile.info": Entry(VIEW),
    "datafile.get": Entry(VIEW),
    "datafile.data": Entry(VIEW),
    "datafile.query": Entry(VIEW, [{"datafile": "{id}", "samples_count": 2}]),
    "datafile.zarr": Entry(VIEW, path={"rest": "zarr.json"}),
    "datafile.download": Entry(VIEW),
    "datafile.upload": UPLOAD,
    "datafile.arrays": Entry(
        MAKERS, options={"files": {"raw_file": ("a.npy", npy_file(np.arange(2)))}}
    ),
    "bulk.create": Entry(
        _instead(EDIT, 201),
        [{"model": "neo_api.segment", "fields": {"name": "new", "block": "{id}"}}],
        category="electrophysiology",
    ),
    "datafile.append": Entry(EDIT, [1.0, 2.0], {"format": "json"}),
    "datafile.convert": Entry(_instead(EDIT, 400)),  # an array is nothing to convert
    "datafile.convert_by_get": Entry(_instead(EDIT, 400)),
    "datafile.extract": Entry(_instead(EDIT, 400)),
    "datafile.extract_by_get": Entry(_instead(EDIT, 400)),
    "task.get": Entry(_instead(USERS, 404), path={"id": "999"}),
    "account.authenticate": Entry(
        _instead(OPEN, 401), options={"data": {"username": "owner", "password": "wrong"}}
    ),
    "account.login": Entry(OPEN),
    "account.oidc.login": Entry(_instead(OPEN, 404)),  # not set up
    "account.oidc.callback": Entry(_instead(OPEN, 404)),
    "account.logout.get": Entry(OPEN, uses_up=True),
    "account.logout.post": Entry(OPEN, uses_up=True),
    "account.show": Entry(USERS),
    "account.change": Entry(USERS, {"full_name": "Somebody"}),
    "account.password": Entry(_instead(USERS, 400), {}),
    "account.tokens": Entry(USERS),
    "account.tokens.issue": Entry(MAKERS, {"name": "t", "scopes": ["read"]}),
    "account.tokens.revoke": Entry(_instead(USERS, 404), path={"id": "9999"}),
    "account.friends": Entry(USERS),
    "account.friends.add": Entry(USERS, {"user": "pal"}),
    "account.friends.remove": Entry(_instead(USERS, 404), path={"user": "hermit"}),
    "account.links": Entry(USERS),
    "account.links.make": Entry(
        _instead(OWN, 201),
        {"object": "/electrophysiology/block/{id}"},
        category="electrophysiology",
    ),
    "account.links.revoke": Entry(_instead(USERS, 404), path={"id": "9999"}),
    "selections": Entry(OPEN),
    "selections.save": Entry(MAKERS, {"type": "block", "name": "mine", "query": "name=b"}),
    "selections.show": Entry(VIEW, category="selection"),
    "selections.objects": Entry(VIEW, category="selection"),
    "selections.change": Entry(EDIT, {"description": "changed"}, category="selection"),
    "selections.delete": Entry(OWN, category="selection", uses_up=True),
    "share": Entry(_instead(OPEN, 404), path={"secret": "no-such-secret"}),
    "profile": Entry(USERS, path={"id": "1"}),
    "account.users": Entry(USERS),
    "account.users.show": Entry(USERS, path={"user": "pal"}),
    "account.users.create": Entry(_instead(ADMINS, 201), {"username": "somebody-new"}),
    "account.users.change": Entry(ADMINS, {"full_name": "Pal"}, path={"user": "pal"}),
    "account.groups": Entry(USERS),
    "account.groups.show": Entry(USERS, path={"group": "lab"}),
    "account.groups.create": Entry(_instead(ADMINS, 201), {"name": "new-group"}),
    "account.groups.change": Entry(ADMINS, {"description": "x"}, path={"group": "lab"}),
    "account.groups.remove": Entry(_instead(ADMINS, 404), path={"group": "no-such-group"}),
    "service.describe": Entry(OPEN),
    "events": Entry(OPEN),
    "service.root": Entry(OPEN),
    "service.openapi": Entry(OPEN),
    "service.docs": Entry(OPEN),
    "service.health": Entry(OPEN),
    "service.metrics": Entry(ADMINS),
}

TABLE = route_table().routes


def _entry(route) -> Entry:
    return ENTRIES[route.name.removesuffix(".alias")]


def test_every_route_has_an_entry_and_every_entry_a_route():
    assert {route.name.removesuffix(".alias") for route in TABLE} == set(ENTRIES)


class World:
    """A service with somebody in each role."""

    def __init__(self, folder) -> None:
        self.site = Site(folder)
        self.kept: dict[str, int] = {}
        self.saved = 0

    def __enter__(self) -> World:
        self.site.__enter__()
        self.people = {"anonymous": self.site.anonymous}
        for role in ROLES[1:]:
            self.people[role] = self.site.user(role, is_admin=role == "administrator")
        self.site.user("pal")
        self.site.user("hermit")
        self.people["administrator"].post("/account/groups", {"name": "lab"})
        return self

    def __exit__(self, *error) -> None:
        self.site.__exit__(*error)

    def make(self, category: str) -> int:
        """Make a private object that reader and writer share."""
        owner = self.people["owner"]
        if category == "selection":
            self.saved += 1
            sent = {"type": "block", "name": f"number {self.saved}", "query": "name=private"}
            answer = owner.post("/account/selections", {**sent, "shared_with": SHARED})
            assert answer.status_code == 201, answer.text
            return answer.json()["selections"][0]["id"]
        kind = {"electrophysiology": "block", "metadata": "section"}.get(category)
        if kind is None:
            number = owner.array(np.arange(5.0))
            path = f"/datafiles/{number}/acl"
        else:
            item = owner.make(f"{category}/{kind}", name="private")
            number, path = item["fields"]["id"], f"{item['permalink']}/acl"
        answer = owner.post(path, {"shared_with": SHARED})
        assert answer.status_code == 200, answer.text
        return number

    def object(self, category: str, *, fresh: bool) -> int:
        """Give the object of a category that is shared by all cells, or one of its own."""
        if fresh:
            return self.make(category)
        if category not in self.kept:
            self.kept[category] = self.make(category)
        return self.kept[category]

    def ask(self, route, entry: Entry, person) -> Any:
        """Ask a route."""
        category = entry.category or route.path.split("/")[1]
        parts = {"type": {"metadata": "section"}.get(category, "block"), **entry.path}
        number = ""
        text = f"{route.path} {entry.params} {entry.document}"
        if "id" not in parts and "{id}" in text:
            number = str(self.object(category, fresh=entry.uses_up))
            parts["id"] = number
        path = route.path.replace(":path}", "}").format(**parts)
        params = {name: str(value).format(id=number) for name, value in entry.params.items()}
        options = dict(entry.options)
        if entry.document is not None:
            options["content"] = json.dumps(entry.document).replace("{id}", number)
        return person.request(route.method, path, params=params, **options)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with World(tmp_path_factory.mktemp("service")) as made:
        yield made


@pytest.mark.parametrize("route", TABLE, ids=[route.name for route in TABLE])
def test_everybody(world, route):
    entry = _entry(route)
    got = []
    for role in ROLES:
        person = world.people[role]
        if route.name.startswith("account.logout"):
            person = world.site.user(role) if role != "anonymous" else person
        answer = world.ask(route, entry, person)
        got.append(answer.status_code)
        world.site.http.cookies.clear()
    assert dict(zip(ROLES, got, strict=True)) == dict(zip(ROLES, entry.statuses, strict=True))


CHANGING = [route for route in TABLE if route.scope != "read" and route.access != "open"]


@pytest.mark.parametrize("route", CHANGING, ids=[route.name for route in CHANGING])
def test_a_token_without_the_scope_changes_nothing(world, route):
    scopes = {"write": frozenset({"read"}), "admin": frozenset({"read", "write"})}[route.scope]
    name = {"write": "owner", "admin": "administrator"}[route.scope]
    answer = world.ask(route, _entry(route), world.site.user(name, scopes=scopes))
    assert (answer.status_code, answer.json()["message_type"]) == (403, "not_authorized")
    assert "scope" in str(answer.json()["details"])


def test_routes_that_change_something_ask_for_the_scope():
    asking = {"datafile.query", "datafile.query.alias"}  # a question that is too long for GET
    for route in TABLE:
        if route.method != "GET" and route.access != "open" and route.name not in asking:
            assert route.scope != "read", route.name


@pytest.mark.parametrize("route", CHANGING, ids=[route.name for route in CHANGING])
def test_the_page_of_another_site_changes_nothing(world, route, owner_session):
    path = route.path.replace(":path}", "}").format_map(_Anything())
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        answer = world.site.http.request(
            route.method, path, headers={**owner_session, **headers}, follow_redirects=False
        )
        assert (answer.status_code, answer.json()["message_type"]) == (403, "not_authorized")


class _Anything(dict):
    def __missing__(self, key):
        return "1"


@pytest.fixture(scope="module")
def owner_session(world):
    from ephyrus.service.accounts import users
    from ephyrus.service.accounts.passwords import Passwords

    hashed = Passwords(world.site.settings).hash("pass word", name="boss")
    with world.site.database.writing() as conn:
        users.create(conn, "boss", password_hash=hashed, is_admin=True)
    answer = world.site.http.post(
        "/account/authenticate/", data={"username": "boss", "password": "pass word"}
    )
    assert answer.status_code == 200
    cookie = "; ".join(f"{name}={value}" for name, value in world.site.http.cookies.items())
    world.site.http.cookies.clear()
    return {"Cookie": cookie}


PUBLIC = [
    route
    for route in TABLE
    if route.name in ENTRIES and ENTRIES[route.name].statuses == VIEW and route.method == "GET"
]


@pytest.mark.parametrize("route", PUBLIC, ids=[route.name for route in PUBLIC])
def test_public_objects_are_shown_to_everybody(world, route):
    category = _entry(route).category or route.path.split("/")[1]
    key = f"public {category}"
    if key not in world.kept:
        number = world.kept[key] = world.make(category)
        path = {
            "electrophysiology": f"/electrophysiology/block/{number}/acl",
            "metadata": f"/metadata/section/{number}/acl",
            "selection": f"/account/selections/{number}",
        }.get(category, f"/{category}/{number}/acl")
        assert world.people["owner"].post(path, {"safety_level": 1}).status_code == 200
    entry = _entry(route)
    shown = Entry(OPEN, path={**entry.path, "id": str(world.kept[key])})
    for role in ("anonymous", "stranger", "reader"):
        assert world.ask(route, shown, world.people[role]).status_code == 200


def test_nothing_is_shown_to_strangers_where_nobody_may_read(tmp_path):
    with Site(tmp_path, anonymous_read=False) as site:
        block = site.user("owner").make("electrophysiology/block", name="b", safety_level=1)
        assert site.anonymous.get(block["permalink"]).status_code == 401
        assert site.anonymous.get("/electrophysiology/block/").status_code == 401
        assert site.user("other").get(block["permalink"]).status_code == 200
        assert site.anonymous.get("/health").status_code == 200


RIGHTS = {"view": VIEW, "edit": EDIT, "own": OWN}


@pytest.mark.parametrize("route", TABLE, ids=[route.name for route in TABLE])
def test_what_the_documentation_says_of_rights_is_true(route):
    refused = tuple(status in (401, 403) for status in _entry(route).statuses)
    if route.needs:
        assert refused == tuple(status in (401, 403) for status in RIGHTS[route.needs])
    elif route.access == "admin":
        assert refused == tuple(status in (401, 403) for status in ADMINS)


def test_properties_and_values_follow_their_section(world):
    owner = world.people["owner"]
    section = world.make("metadata")
    prop = owner.make("metadata/property", name="p", section=section)
    value = owner.make("metadata/value", data="1", parent_property=prop["fields"]["id"])
    for item, change in ((prop, {"definition": "x"}), (value, {"reference": "x"})):
        seen = [world.people[role].get(item["permalink"]).status_code for role in ROLES]
        assert seen == list(VIEW)
        changed = [world.people[role].post(item["permalink"], change).status_code for role in ROLES]
        assert changed == list(EDIT)
