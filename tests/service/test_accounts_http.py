"""Accounts over HTTP: login, tokens, users, groups, friends, and who may do what."""

from __future__ import annotations

import json
import re
import sys
from datetime import timedelta
from html import unescape

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from ephyrus.service.accounts import users
from ephyrus.service.accounts.authentication import Authenticator
from ephyrus.service.accounts.oidc.provider import Provider
from ephyrus.service.accounts.passwords import Passwords
from ephyrus.service.accounts.tables import SESSION, utc_now
from ephyrus.service.app import create_app
from ephyrus.service.errors import ServiceError
from ephyrus.service.routes.account.pages import local_path
from tests.service.accounts_support import PASSWORD, cheap
from tests.service.test_accounts_oidc import ISSUER, FakeProvider

NEW = "another horse"


@pytest.fixture
def database(sqlite_database):
    """One kind of database will do: what lies below is tested on both."""
    return sqlite_database


class Lab:
    """A service with the users bob and ada (an administrator), and browsers."""

    def __init__(self, database, **changes):
        self.database = database
        self.settings = cheap(database, worker_threads=0, request_threads=4, **changes)
        self.app = create_app(self.settings, database=database)
        stored = Passwords(self.settings).hash(PASSWORD)
        with database.writing() as conn:
            self.bob = users.create(conn, "bob", password_hash=stored, full_name="Bob B.").id
            self.ada = users.create(conn, "ada", password_hash=stored, is_admin=True).id

    def __enter__(self):
        self.main = TestClient(self.app, base_url="http://localhost")
        self.main.__enter__()
        return self

    def __exit__(self, *error):
        self.main.__exit__(*error)

    def browser(self, *, base_url="http://localhost"):
        """Give a client with cookies of its own."""
        client = TestClient(self.app, base_url=base_url, follow_redirects=False)
        client.portal = self.main.portal  # the one event loop of the service
        return client

    def logged_in(self, name="bob"):
        client = self.browser()
        answer = client.post(
            "/account/authenticate/", data={"username": name, "password": PASSWORD}
        )
        assert answer.status_code == 200, answer.text
        return client

    def token(self, name, *scopes):
        """Give a client that sends a token with these scopes."""
        body = {"name": "t", "scopes": list(scopes)}
        text = self.logged_in(name).post("/account/tokens/", json=body).json()["token"]
        client = self.browser()
        client.headers["Authorization"] = f"Bearer {text}"
        return client


@pytest.fixture
def lab(database):
    with Lab(database) as made:
        yield made


def outcome(answer):
    return answer.status_code, answer.json()["message_type"]


def test_login_by_form_and_by_json(lab):
    for options in (
        {"data": {"username": "Bob", "password": PASSWORD}},
        {"json": {"username": "Bob", "password": PASSWORD}},
        {"files": {"username": (None, "Bob"), "password": (None, PASSWORD)}},
    ):
        answer = lab.browser().post("/account/authenticate", **options)
        assert outcome(answer) == (200, "authenticated")
        assert answer.json()["logged_in_as"] == "bob"
        assert answer.headers["cache-control"] == "no-store"
        pattern = r"sessionid=[\w-]{43}; Path=/; Max-Age=7776000; HttpOnly; SameSite=Lax"
        assert re.fullmatch(pattern, answer.headers["set-cookie"])


def test_the_cookie_is_for_https_alone_under_https(lab):
    answer = lab.browser(base_url="https://localhost").post(
        "/account/authenticate/", data={"username": "bob", "password": PASSWORD}
    )
    assert answer.headers["set-cookie"].endswith("; SameSite=Lax; Secure")


def test_wrong_credentials_give_401_and_no_cookie(lab):
    seen = []
    for name, password in (("bob", "wrong"), ("nobody", "wrong"), ("bob\0", PASSWORD)):
        answer = lab.browser().post(
            "/account/authenticate/", data={"username": name, "password": password}
        )
        assert "set-cookie" not in answer.headers
        assert "www-authenticate" not in answer.headers
        seen.append((outcome(answer), answer.json()["message"], answer.json()["logged_in_as"]))
    assert set(seen) == {((401, "invalid_credentials"), "User name or password is wrong.", "")}


def test_what_is_no_login(lab):
    client = lab.browser()
    address = "/account/authenticate/"
    answer = client.post(address, data={"username": "bob"})
    assert outcome(answer) == (400, "missing_parameter")
    assert answer.json()["missing"] == ["password"]
    assert outcome(client.post(address, json={"username": 1, "password": PASSWORD}))[0] == 400
    assert outcome(client.post(address, json=[1])) == (400, "data_parsing_error")
    assert outcome(client.get(address)) == (405, "invalid_method")
    # never from the address, which is written into logs
    assert outcome(client.post(f"{address}?username=bob&password={PASSWORD}"))[0] == 400


def test_logout_ends_the_session_on_the_server(lab):
    for method in ("GET", "POST"):
        client = lab.logged_in()
        secret = client.cookies["sessionid"]
        assert client.get("/account/").json()["account"]["username"] == "bob"
        answer = client.request(method, "/account/logout/")
        assert outcome(answer) == (200, "processed")
        assert answer.headers["set-cookie"] == (
            "sessionid=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
        )
        old = lab.browser()
        answer = old.get("/account/", headers={"Cookie": f"sessionid={secret}"})
        assert outcome(answer) == (401, "not_authenticated")
        assert answer.headers["www-authenticate"] == "Session"
        # an old cookie hinders neither a logout nor a login
        assert old.get("/account/logout", headers={"Cookie": f"sessionid={secret}"}).is_success
        answer = old.post(
            "/account/authenticate/",
            data={"username": "bob", "password": PASSWORD},
            headers={"Cookie": f"sessionid={secret}"},
        )
        assert answer.status_code == 200
    assert outcome(lab.browser().get("/account/logout/")) == (200, "processed")


def test_a_login_ends_the_former_session_of_the_browser(lab):
    client = lab.logged_in()
    former = client.cookies["sessionid"]
    client.post("/account/authenticate/", data={"username": "bob", "password": PASSWORD})
    assert client.cookies["sessionid"] != former
    assert client.get("/account/").status_code == 200
    answer = lab.browser().get("/account/", headers={"Cookie": f"sessionid={former}"})
    assert answer.status_code == 401


def test_logging_out_everywhere(lab):
    one, two, other = lab.logged_in(), lab.logged_in(), lab.logged_in("ada")
    assert one.post("/account/logout/?all=1").status_code == 200
    assert [each.get("/account/").status_code for each in (two, other)] == [401, 200]
    gone = lab.browser().get("/account/logout/?all=1", headers={"Cookie": "sessionid=" + "x" * 43})
    assert gone.status_code == 200


def test_too_many_attempts(database):
    with Lab(database, login_attempts=2, login_window_seconds=100) as lab:
        form = {"username": "bob", "password": "wrong"}
        for _ in range(2):
            assert lab.browser().post("/account/authenticate/", data=form).status_code == 401
        answer = lab.browser().post("/account/authenticate/", data={**form, "password": PASSWORD})
        assert outcome(answer) == (429, "too_many_requests")
        assert 40 <= int(answer.headers["retry-after"]) <= 50
        # an administrator may forget them
        ada = lab.logged_in("ada")
        answer = ada.post("/account/users/bob", json={"unlock": True})
        assert outcome(answer) == (200, "object_updated")
        lab.logged_in("bob")


def test_the_form_works_without_scripts(lab):
    page = lab.browser().get("/account/login/?next=/electrophysiology/block/%3Fname%3Da")
    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/=]+'; form-action 'self'; "
        r"frame-ancestors 'none'; base-uri 'none'",
        policy,
    )
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["referrer-policy"] == "same-origin"
    assert "<script" not in page.text
    assert "institution" not in page.text
    action = re.search(r'<form method="post" action="([^"]+)"', page.text).group(1)
    hidden = unescape(re.search(r'name="next" value="([^"]*)"', page.text).group(1))
    assert hidden == "/electrophysiology/block/?name=a"
    client = lab.browser()
    form = {"username": "bob", "password": PASSWORD, "next": hidden}
    answer = client.post(action, data=form, headers={"Origin": "http://localhost"})
    assert (answer.status_code, answer.headers["location"]) == (303, hidden)
    assert client.get("/account/").status_code == 200


def test_the_form_shows_what_went_wrong(lab):
    form = {"username": '"><script>', "password": "wrong", "next": "//evil.example.net"}
    answer = lab.browser().post("/account/authenticate/", data=form)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert '<p role="alert">User name or password is wrong.</p>' in answer.text
    assert 'value="&quot;&gt;&lt;script&gt;"' in answer.text
    assert '<input type="hidden" name="next" value="/">' in answer.text


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ("/", "/"),
        ("/a/b?c=d&e=f#g", "/a/b?c=d&e=f#g"),
        ("", "/"),
        ("a", "/"),
        ("//evil.net", "/"),
        ("/\\evil.net", "/"),
        ("/\t/evil.net", "/"),
        ("/a b", "/"),
        ("https://evil.net", "/"),
        ("javascript:alert(1)", "/"),
        ("/\r\nSet-Cookie: a=b", "/"),
        ("/\u2028", "/"),
        ("/" + "a" * 2000, "/"),
    ],
)
def test_where_a_login_may_lead(sent, taken):
    assert local_path(sent) == taken


@settings(deadline=None, max_examples=300)
@given(text=st.text(alphabet="/\\:a.@?#[]%\t \n", max_size=12))
def test_a_login_leads_nowhere_else(text):
    found = httpx2.URL("http://localhost/account/").join(local_path(text))
    assert (found.scheme, found.host) == ("http", "localhost")


FOREIGN = (
    {"Origin": "https://evil.example.net"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "null"},
)


@pytest.mark.parametrize("headers", FOREIGN)
def test_other_sites_cannot_use_a_session(lab, headers):
    client = lab.logged_in()
    answer = client.post("/account/", json={"full_name": "Eve"}, headers=headers)
    assert outcome(answer) == (403, "not_authorized")
    assert client.get("/account/", headers=headers).json()["account"]["full_name"] == "Bob B."
    # nor log somebody in or out
    form = {"username": "bob", "password": PASSWORD}
    answer = lab.browser().post("/account/authenticate/", data=form, headers=headers)
    assert outcome(answer) == (403, "not_authorized")
    assert "set-cookie" not in answer.headers
    for method in ("GET", "POST"):
        assert client.request(method, "/account/logout/", headers=headers).status_code == 403
    assert client.get("/account/").status_code == 200
    # a token is not sent unasked
    program = lab.token("bob", "write")
    answer = program.post("/account/", json={"full_name": "B"}, headers=headers)
    assert answer.status_code == 200


def test_own_pages_can_use_a_session(lab):
    client = lab.logged_in()
    for headers in ({"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}):
        answer = client.post("/account/", json={"full_name": "Robert"}, headers=headers)
        assert outcome(answer) == (200, "object_updated")
        assert answer.json()["account"]["full_name"] == "Robert"


def test_another_name_for_this_machine_is_refused(lab):
    answer = lab.browser(base_url="http://evil.example.net").get("/account/login/")
    assert outcome(answer) == (403, "not_authorized")


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


def test_login_through_a_provider(database):
    fake = FakeProvider()
    changes = {
        "oidc_issuer": ISSUER,
        "oidc_client_id": "ephyrus lab",
        "oidc_client_secret": "s3cr:t",
        "oidc_first_login": "create",
    }
    with Lab(database, **changes) as lab:
        transport = httpx2.ASGITransport(app=fake)
        lab.app.service.part("oidc", lambda service: Provider(service.settings, transport))
        client = lab.browser()
        assert "/account/oidc/login/?next=/docs" in client.get("/account/login/?next=/docs").text
        answer = client.get("/account/oidc/login/?next=/docs")
        assert answer.status_code == 303
        assert re.fullmatch(
            r"oidclogin=[\w-]{43}; Path=/account/oidc/; Max-Age=600; HttpOnly; SameSite=Lax",
            answer.headers["set-cookie"],
        )
        address = answer.headers["location"]
        assert address.startswith(f"{ISSUER}/auth?kc=1&")
        sent = fake.approve(address, preferred_username="Zoe")
        back = "/account/oidc/callback/"
        # in another browser the login of this one is of no use, and is over
        assert lab.browser().get(back, params=sent).status_code == 401
        assert client.get(back, params=sent).status_code == 401
        answer = client.get("/account/oidc/login/")
        sent = fake.approve(answer.headers["location"], preferred_username="Zoe")
        headers = {"Sec-Fetch-Site": "cross-site"}
        answer = client.get(back, params=sent, headers=headers)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert client.get("/account/").json()["account"]["username"] == "zoe"
        assert "oidclogin" not in client.cookies
        for wrong in (
            {"iss": "https://evil.example.net"},
            {"error": "access_denied"},
            {"code": ""},
        ):
            start = client.get("/account/oidc/login/").headers["location"]
            answer = client.get(back, params={**fake.approve(start), **wrong})
            assert answer.status_code == 401
            assert "set-cookie" not in answer.headers
        # the provider signs with a key that nobody knows
        fake.kid = "new"
        start = client.get("/account/oidc/login/").headers["location"]
        answer = client.get(back, params=fake.approve(start))
        assert (answer.status_code, "unknown key" in answer.text) == (401, True)


def test_no_provider(lab):
    assert outcome(lab.browser().get("/account/oidc/login/")) == (404, "not_found")
    assert outcome(lab.browser().get("/account/oidc/callback/")) == (404, "not_found")


def test_sessions_of_the_database_are_digests(lab):
    client = lab.logged_in()
    with lab.database.reading() as conn:
        rows = conn.execute(SESSION.select()).all()
    assert client.cookies["sessionid"] not in repr(rows)


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


def test_a_busy_database_does_not_pretend_that_everybody_was_logged_out(lab, monkeypatch):
    client = lab.logged_in()

    def busy(self, scope, stamp=None):
        raise ServiceError("unavailable", "busy")

    monkeypatch.setattr(Authenticator, "authenticate", busy)
    assert outcome(client.post("/account/logout/?all=1")) == (503, "unavailable")


def test_a_provider_whose_packages_are_missing(database, monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx2", None)
    with Lab(database, oidc_issuer=ISSUER) as lab:
        answer = lab.browser().get("/account/oidc/login/")
        assert outcome(answer) == (503, "unavailable")
        assert "oidc" in answer.json()["message"]


def test_the_address_for_the_way_back_may_be_set(database):
    back = "https://lab.example.org/account/oidc/callback/"
    with Lab(database, oidc_issuer=ISSUER, oidc_redirect_uri=back) as lab:
        transport = httpx2.ASGITransport(app=FakeProvider())
        lab.app.service.part("oidc", lambda service: Provider(service.settings, transport))
        address = httpx2.URL(lab.browser().get("/account/oidc/login/").headers["location"])
        assert address.params["redirect_uri"] == back
