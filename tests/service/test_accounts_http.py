"""Accounts over HTTP: login and logout, the form, other sites, and a provider."""

from __future__ import annotations

import re
import sys
from html import unescape

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.service.accounts.authentication import Authenticator
from ephyrus.service.accounts.oidc.provider import Provider
from ephyrus.service.accounts.tables import SESSION
from ephyrus.service.errors import ServiceError
from ephyrus.service.routes.account.pages import local_path
from tests.service.accounts_support import PASSWORD, Lab, outcome
from tests.service.test_accounts_oidc import ISSUER, FakeProvider

NEW = "another horse"


@pytest.fixture
def database(sqlite_database):
    """One kind of database will do: what lies below is tested on both."""
    return sqlite_database


@pytest.fixture
def lab(database):
    with Lab(database) as made:
        yield made


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
