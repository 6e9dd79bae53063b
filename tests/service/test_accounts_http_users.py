"""Accounts over HTTP: passwords, tokens, users, groups, friends, and who may do what."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from ephyrus.service.accounts.tables import utc_now
from tests.service.accounts_support import PASSWORD, Lab, outcome

NEW = "another horse"


@pytest.fixture
def database(sqlite_database):
    """One kind of database will do: what lies below is tested on both."""
    return sqlite_database


@pytest.fixture
def lab(database):
    with Lab(database) as made:
        yield made


def test_my_account(lab):
    shown = lab.logged_in("ada").get("/account/").json()["account"]
    assert shown == {
        "id": lab.ada,
        "username": "ada",
        "full_name": "",
        "email": "",
        "is_admin": True,
        "permalink": f"/profiles/profile/{lab.ada}",
        "groups": [],
        "scopes": ["read", "write", "admin"],
    }
    client = lab.logged_in()
    answer = client.post("/account/", json={"is_admin": True})
    assert outcome(answer) == (400, "post_data_invalid")
    assert outcome(client.post("/account/", json={"email": 3})) == (400, "bad_parameter")
    assert outcome(client.post("/account/", json=[])) == (400, "dict_required")
    assert outcome(lab.browser().get("/account/")) == (401, "not_authenticated")


def test_profiles(lab):
    client = lab.logged_in()
    for address in (f"/profiles/profile/{lab.bob}", f"/profiles/profile/{lab.bob}/"):
        (shown,) = client.get(address).json()["selected"]
        assert shown["fields"] == {"id": lab.bob, "username": "bob", "full_name": "Bob B."}
        assert shown["permalink"] == f"/profiles/profile/{lab.bob}"
    assert outcome(client.get("/profiles/profile/999999")) == (404, "does_not_exist")
    assert outcome(client.get("/profiles/profile/" + "9" * 5000)) == (404, "does_not_exist")
    assert outcome(client.get("/profiles/profile/%00")) == (404, "does_not_exist")
    assert lab.browser().get(f"/profiles/profile/{lab.bob}").status_code == 401


def test_a_new_password(lab):
    client, other = lab.logged_in(), lab.logged_in()
    before = client.cookies["sessionid"]
    answer = client.post("/account/password", json={"old": "wrong", "new": NEW})
    assert outcome(answer) == (401, "invalid_credentials")
    answer = client.post("/account/password", json={"old": PASSWORD, "new": "x"})
    assert outcome(answer) == (400, "bad_parameter")
    answer = client.post("/account/password", json={"old": PASSWORD, "new": NEW})
    assert outcome(answer) == (200, "object_updated")
    assert client.cookies["sessionid"] != before
    assert client.get("/account/").status_code == 200
    assert other.get("/account/").status_code == 401
    form = {"username": "bob", "password": PASSWORD}
    assert lab.browser().post("/account/authenticate/", data=form).status_code == 401
    form["password"] = NEW
    assert lab.browser().post("/account/authenticate/", data=form).status_code == 200


def test_tokens(lab):
    client = lab.logged_in()
    until = (utc_now() + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    body = {"name": "script", "scopes": ["write"], "expires": until}
    answer = client.post("/account/tokens/", json=body)
    assert outcome(answer) == (201, "object_created")
    assert answer.headers["cache-control"] == "no-store"
    text, (token,) = answer.json()["token"], answer.json()["tokens"]
    assert token["expires"] == until.replace("T", " ").removesuffix("Z")
    assert (token["name"], token["scopes"]) == ("script", ["read", "write"])
    assert (token["prefix"], token["last_used"]) == (text[:12], None)
    (listed,) = client.get("/account/tokens/").json()["tokens"]
    assert listed == token  # and the text is not in it
    program = lab.browser()
    program.headers["Authorization"] = f"Bearer {text}"
    assert program.get("/account").json()["account"]["scopes"] == ["read", "write"]
    assert client.get("/account/tokens/").json()["tokens"][0]["last_used"] is not None
    assert outcome(lab.logged_in("ada").delete(f"/account/tokens/{token['id']}"))[0] == 404
    assert outcome(client.delete(f"/account/tokens/{token['id']}")) == (200, "deleted")
    assert outcome(program.get("/account/")) == (401, "not_authenticated")
    assert outcome(client.delete(f"/account/tokens/{token['id']}")) == (404, "does_not_exist")


def test_tokens_that_are_not_made(lab):
    cases = [
        ({"name": ""}, "bad_parameter"),
        ({"name": None}, "bad_parameter"),
        ({"scopes": []}, "bad_parameter"),
        ({"scopes": ["root"]}, "bad_parameter"),
        ({"scopes": "read"}, "bad_parameter"),
        ({"scopes": [True]}, "bad_parameter"),
        ({"expires": "yesterday"}, "bad_parameter"),
        ({"expires": "0001-01-01T00:00:00+23:59"}, "bad_parameter"),
        ({"expires": "2001-01-01"}, "bad_parameter"),
        ({"expires": 5}, "bad_parameter"),
        ({"user": "ada"}, "post_data_invalid"),
    ]
    bob = lab.logged_in()
    for change, message_type in cases:
        body = {"name": "script", "scopes": ["read"], **change}
        answer = bob.post("/account/tokens/", json=body)
        assert outcome(answer) == (400, message_type)
        assert list(answer.json()["details"]) == list(change)


def test_scopes_are_enforced(lab):
    reader = lab.token("ada", "read")
    assert reader.get("/account/").status_code == 200
    for answer in (
        reader.post("/account/", json={"full_name": "A"}),
        reader.post("/account/tokens/", json={"name": "t", "scopes": ["read"]}),
        reader.delete("/account/tokens/1"),
        reader.post("/account/users/", json={"username": "eve"}),
    ):
        assert outcome(answer) == (403, "not_authorized")
    writer = lab.token("ada", "write")
    assert writer.post("/account/", json={"full_name": "A"}).status_code == 200
    assert outcome(writer.post("/account/users/", json={"username": "eve"}))[0] == 403
    # a token cannot make one that may do more
    answer = writer.post("/account/tokens/", json={"name": "t", "scopes": ["admin"]})
    assert outcome(answer) == (403, "not_authorized")
    assert writer.post("/account/tokens/", json={"name": "t", "scopes": ["write"]}).is_success
    admin = lab.token("ada", "admin")
    assert admin.post("/account/users/", json={"username": "eve"}).status_code == 201
    # the scope makes nobody an administrator
    answer = lab.token("bob", "admin").post("/account/users/", json={"username": "zoe"})
    assert outcome(answer) == (403, "not_authorized")


def test_a_browser_logs_in_with_a_token(lab):
    made = lab.logged_in().post("/account/tokens/", json={"name": "t", "scopes": ["read"]}).json()
    client = lab.browser()
    answer = client.post("/account/authenticate/", data={"token": made["token"], "next": "/docs"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/docs")
    assert client.get("/account/").json()["account"]["scopes"] == ["read"]
    assert client.post("/account/", json={"full_name": "x"}).status_code == 403
    lab.logged_in().delete(f"/account/tokens/{made['tokens'][0]['id']}")
    assert client.get("/account/").status_code == 401
    answer = lab.browser().post("/account/authenticate/", json={"token": made["token"]})
    assert outcome(answer) == (401, "invalid_credentials")


def test_administrators_make_and_change_users(lab, caplog):
    caplog.set_level("INFO", logger="ephyrus.service.routes")
    ada = lab.logged_in("ada")
    body = {"username": "Eve", "password": PASSWORD, "full_name": "Eve E.", "email": "e@x.org"}
    answer = ada.post("/account/users/", json=body)
    assert outcome(answer) == (201, "object_created")
    (eve,) = answer.json()["users"]
    assert (eve["username"], eve["email"], eve["is_admin"]) == ("eve", "e@x.org", False)
    assert PASSWORD not in answer.text
    assert outcome(ada.post("/account/users/", json={"username": "EVE"})) == (400, "bad_parameter")
    assert outcome(ada.post("/account/users/", json={})) == (400, "missing_parameter")
    client = lab.logged_in("eve")
    answer = ada.post("/account/users/eve/", json={"password": NEW, "is_admin": True})
    assert answer.json()["users"][0]["is_admin"] is True
    assert client.get("/account/").status_code == 401
    form = {"username": "eve", "password": NEW}
    assert client.post("/account/authenticate/", data=form).status_code == 200
    answer = ada.post(f"/account/users/{eve['id']}", json={"is_active": False})
    assert answer.json()["users"][0]["is_active"] is False
    assert client.get("/account/").status_code == 401
    assert client.post("/account/authenticate/", data=form).status_code == 401
    assert caplog.messages == [
        f"user {lab.ada} has made user {eve['id']}",
        f"user {lab.ada} has changed of user {eve['id']}: is_admin, password",
        f"user {lab.ada} has changed of user {eve['id']}: is_active",
        "a login from unknown failed",
    ]
    assert outcome(ada.post("/account/users/eve/")) == (200, "object_updated")  # no body at all
    answer = ada.post("/account/users/ada", json={"is_admin": False})
    assert outcome(answer) == (400, "bad_parameter")
    assert outcome(ada.post("/account/users/ada", json={"subject": "x"}))[0] == 400
    assert outcome(ada.post("/account/users/zoe", json={})) == (404, "does_not_exist")


def test_users_see_names_of_each_other_and_no_more(lab):
    listed = lab.logged_in().get("/account/users/?search=A").json()
    assert listed["users"] == [
        {
            "id": lab.ada,
            "username": "ada",
            "full_name": "",
            "permalink": f"/profiles/profile/{lab.ada}",
        }
    ]
    assert listed["total"] == 2
    (shown,) = lab.logged_in("ada").get("/account/users/bob").json()["users"]
    assert (shown["email"], shown["has_password"], shown["is_active"]) == ("", True, True)
    page = lab.logged_in("ada").get("/account/users/?offset=1&max_results=1").json()["users"]
    assert [each["username"] for each in page] == ["bob"]
    assert lab.browser().get("/account/users/").status_code == 401


def test_groups(lab):
    ada, bob = lab.logged_in("ada"), lab.logged_in()
    body = {"name": "Lab", "description": "us", "members": ["bob"]}
    assert outcome(bob.post("/account/groups/", json=body)) == (403, "not_authorized")
    answer = ada.post("/account/groups/", json=body)
    assert outcome(answer) == (201, "object_created")
    (group,) = answer.json()["groups"]
    expected = {"id": group["id"], "name": "lab", "description": "us", "members": ["bob"]}
    assert group == expected
    assert bob.get("/account/groups/").json()["groups"] == [expected]
    assert bob.get("/account/").json()["account"]["groups"] == ["lab"]
    assert ada.post("/account/groups/lab", json={"add": ["ada"], "remove": [lab.bob]}).is_success
    (shown,) = bob.get("/account/groups/lab/").json()["groups"]
    assert "members" not in shown
    both = {"members": [], "add": ["bob"]}
    assert outcome(ada.post("/account/groups/lab", json=both)) == (400, "bad_parameter")
    answer = ada.post("/account/groups/lab", json={"members": ["zoe"], "name": "other"})
    assert outcome(answer) == (400, "wrong_reference")
    assert ada.get("/account/groups/lab").is_success  # nothing of it was done
    assert outcome(ada.delete("/account/groups/lab")) == (200, "deleted")
    assert outcome(ada.get("/account/groups/lab")) == (404, "does_not_exist")


def test_friends(lab):
    ada, bob = lab.logged_in("ada"), lab.logged_in()
    answer = bob.post("/account/friends/", json={"user": "Ada"})
    assert answer.json()["asked"] == ["ada"]
    assert ada.get("/account/friends/").json()["asking"] == ["bob"]
    assert ada.post("/account/friends/", json={"user": "bob"}).json()["friends"] == ["bob"]
    assert bob.get("/account/friends").json()["friends"] == ["ada"]
    assert outcome(bob.delete("/account/friends/ada/")) == (200, "deleted")
    assert outcome(bob.delete("/account/friends/ada/")) == (404, "does_not_exist")
    assert outcome(bob.post("/account/friends/", json={"user": "zoe"})) == (400, "wrong_reference")


def test_values_of_wrong_kinds(lab):
    ada = lab.logged_in("ada")
    for address, body in (
        ("/account/users/", {"username": "zoe", "is_admin": 1}),
        ("/account/users/", {"username": "zoe\0"}),
        ("/account/groups/", {"name": "g", "members": ["a\0"]}),
        ("/account/groups/", {"name": "g", "members": "bob"}),
        ("/account/groups/", {"name": "g", "members": [None]}),
    ):
        answer = ada.post(address, content=json.dumps(body))
        assert answer.status_code == 400, body
    for address in ("/account/tokens/x", "/account/links/x", "/account/tokens/-1"):
        assert outcome(ada.delete(address)) == (404, "does_not_exist")


def test_a_new_password_by_a_program(lab):
    program = lab.token("bob", "write")
    answer = program.post("/account/password", json={"old": PASSWORD, "new": NEW})
    assert outcome(answer) == (200, "object_updated")
    assert "set-cookie" not in answer.headers
    assert program.get("/account/").status_code == 200
