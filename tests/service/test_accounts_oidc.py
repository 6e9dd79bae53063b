"""Login through a provider: one of the test's own, in this process."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx2
import pytest
from joserfc import jwk, jwt

from ephyrus.service.accounts import users
from ephyrus.service.accounts.oidc import flow
from ephyrus.service.accounts.oidc.idtoken import Keys, UnknownKeyError, validated_claims
from ephyrus.service.accounts.oidc.provider import Provider
from ephyrus.service.accounts.tables import IDENTITY, OIDC_LOGIN
from ephyrus.service.errors import ServiceError
from tests.service.accounts_support import cheap, emptied

ISSUER = "https://login.example.org/realm"
CLIENT = "ephyrus lab"
BACK = "https://lab.example.org/account/oidc/callback/"
KEYS = {
    "rsa": jwk.RSAKey.generate_key(2048, {"kid": "rsa"}),
    "ec": jwk.ECKey.generate_key("P-256", {"kid": "ec"}),
    "new": jwk.ECKey.generate_key("P-256", {"kid": "new"}),
}


def oidc(database, **changes):
    """Settings of a service that knows the provider."""
    values = {"oidc_issuer": ISSUER, "oidc_client_id": CLIENT, "oidc_client_secret": "s3cr:t"}
    return cheap(database, **{**values, **changes})


class FakeProvider:
    """A provider: discovery, keys, and a token endpoint that checks what it is sent."""

    def __init__(self):
        self.discovery = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/auth?kc=1",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
        }
        self.published = ["rsa", "ec"]
        self.kid, self.alg = "ec", "ES256"
        self.claims = {}
        self.codes = {}
        self.asked = []
        self.answer = None
        self.told = None

    def approve(self, address, **claims):
        """Log in at the provider; gives the query that the browser is sent back with."""
        query = dict(parse_qsl(urlsplit(address).query))
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        self.claims = {"sub": "248289", "nonce": query["nonce"], **claims}
        return {"code": code, "state": query["state"], "iss": ISSUER}

    def token(self, **changes):
        """Make an ID token."""
        now = int(time.time())
        claims = {"iss": ISSUER, "aud": CLIENT, "iat": now, "exp": now + 300, **self.claims}
        claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        header = {"alg": self.alg, "kid": self.kid}
        return jwt.encode(header, claims, KEYS[self.kid], algorithms=[self.alg])

    def exchange(self, headers, form):
        """Answer at the token endpoint."""
        if "client_id" in form:
            assert "authorization" not in headers
            self.told = (form["client_id"], form.get("client_secret"))
        else:
            name, _, text = b64decode(headers["authorization"].split()[1]).decode().partition(":")
            self.told = (name, text)
        asked = self.codes.pop(form["code"], None)
        challenge = urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        assert form["grant_type"] == "authorization_code"
        if asked is None or asked["code_challenge"] != challenge.decode():
            return 400, {"error": "invalid_grant"}
        assert asked["code_challenge_method"] == "S256"
        assert form["redirect_uri"] == asked["redirect_uri"]
        return 200, {"id_token": self.token(), "access_token": "x", "token_type": "Bearer"}

    async def __call__(self, scope, receive, send):
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.asked.append(scope["path"])
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        if self.answer is not None:
            status, document = self.answer
        elif scope["path"].endswith("/.well-known/openid-configuration"):
            status, document = 200, self.discovery
        elif scope["path"].endswith("/keys"):
            listed = [KEYS[name].as_dict(private=False, use="sig") for name in self.published]
            status, document = 200, {"keys": [*listed, {"kty": "oct", "k": "AAAA"}, {"kty": "PQ"}]}
        else:
            status, document = self.exchange(headers, dict(parse_qsl(body.decode())))
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": content})


@pytest.fixture
def fake():
    return FakeProvider()


@pytest.fixture
def database(module_database):
    return emptied(module_database)


def refusal(call, *args, **kwargs):
    with pytest.raises(ServiceError) as caught:
        call(*args, **kwargs)
    return caught.value


def run(settings, fake, work):
    """Run a coroutine function with a provider."""

    async def main():
        provider = Provider(settings, httpx2.ASGITransport(app=fake))
        try:
            return await work(provider)
        finally:
            await provider.close()

    return asyncio.run(main())


def keys(*names):
    return Keys.parse({"keys": [KEYS[name].as_dict(private=False) for name in names]})


def test_the_address_that_the_browser_is_sent_to(database):
    settings = oidc(database)
    begun = flow.begin(database, redirect_uri=BACK, next_path="/x")
    address = flow.authorization_url(f"{ISSUER}/auth?kc=1", begun, settings, redirect_uri=BACK)
    query = parse_qs(urlsplit(address).query)
    challenge = urlsafe_b64encode(sha256(begun.verifier.encode()).digest()).rstrip(b"=").decode()
    assert query == {
        "kc": ["1"],
        "response_type": ["code"],
        "client_id": [CLIENT],
        "redirect_uri": [BACK],
        "scope": ["openid profile email"],
        "state": [begun.state],
        "nonce": [begun.nonce],
        "code_challenge": [challenge],
        "code_challenge_method": ["S256"],
    }


def test_a_login_can_be_ended_once_and_in_the_same_browser(database, monkeypatch):
    begun = flow.begin(database, redirect_uri=BACK, next_path="/x")
    taken = flow.take(database, state=begun.state, browser=begun.browser)
    assert taken == flow.Pending(begun.nonce, begun.verifier, BACK, "/x")
    for state, browser in ((begun.state, begun.browser), ("other", begun.browser), ("", "")):
        error = refusal(flow.take, database, state=state, browser=browser)
        assert error.message_type == "invalid_credentials"
    for browser in ("", begun.browser):
        other = flow.begin(database, redirect_uri=BACK, next_path="/")
        assert refusal(flow.take, database, state=other.state, browser=browser).status == 401
    monkeypatch.setattr(flow, "LOGIN_SECONDS", -1)
    late = flow.begin(database, redirect_uri=BACK, next_path="/")
    assert refusal(flow.take, database, state=late.state, browser=late.browser).status == 401


def test_logins_under_way_are_bounded_and_pruned(database, monkeypatch):
    monkeypatch.setattr(flow, "_MOST_LOGINS", 2)
    monkeypatch.setattr(flow, "LOGIN_SECONDS", -1)
    for _ in range(4):
        flow.begin(database, redirect_uri=BACK, next_path="/")
    monkeypatch.setattr(flow, "LOGIN_SECONDS", 600)
    for _ in range(2):
        flow.begin(database, redirect_uri=BACK, next_path="/")
    error = refusal(flow.begin, database, redirect_uri=BACK, next_path="/")
    assert (error.status, error.headers) == (503, {"Retry-After": "600"})
    with database.reading() as conn:
        assert len(conn.execute(OIDC_LOGIN.select()).all()) == 2


def test_from_the_first_click_to_the_claims(database, fake):
    settings = oidc(database)

    async def work(provider):
        addresses = await provider.addresses()
        begun = flow.begin(database, redirect_uri=BACK, next_path="/")
        address = flow.authorization_url(
            addresses.authorization, begun, settings, redirect_uri=BACK
        )
        sent = fake.approve(address, preferred_username="Ada")
        pending = flow.take(database, state=sent["state"], browser=begun.browser)
        options = {"verifier": pending.verifier, "redirect_uri": pending.redirect_uri}
        text = await provider.id_token(sent["code"], **options)
        claims = validated_claims(text, await provider.keys(), settings, nonce=pending.nonce)
        with pytest.raises(ServiceError) as caught:  # a code is good for once
            await provider.id_token(sent["code"], **options)
        assert caught.value.message_type == "invalid_credentials"
        return claims

    claims = run(settings, fake, work)
    assert fake.told == ("ephyrus+lab", "s3cr%3At")  # form-encoded, as RFC 6749 has it
    assert (claims["sub"], claims["preferred_username"]) == ("248289", "Ada")
    assert fake.asked == [
        "/realm/.well-known/openid-configuration",
        "/realm/token",
        "/realm/keys",
        "/realm/token",
    ]


@pytest.mark.parametrize(
    ("secret", "methods", "told"),
    [
        ("s3cr:t", ["client_secret_post"], (CLIENT, "s3cr:t")),
        ("", ["none"], (CLIENT, None)),
        ("", None, (CLIENT, None)),
    ],
)
def test_other_ways_to_tell_who_asks(sqlite_database, fake, secret, methods, told):
    settings = oidc(sqlite_database, oidc_client_secret=secret)
    fake.discovery["token_endpoint_auth_methods_supported"] = methods

    async def work(provider):
        begun = flow.begin(sqlite_database, redirect_uri=BACK, next_path="/")
        address = flow.authorization_url(f"{ISSUER}/auth", begun, settings, redirect_uri=BACK)
        sent = fake.approve(address)
        text = await provider.id_token(sent["code"], verifier=begun.verifier, redirect_uri=BACK)
        return validated_claims(text, await provider.keys(), settings, nonce=begun.nonce)["sub"]

    assert run(settings, fake, work) == "248289"
    assert fake.told == told


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((500, {}), "unavailable"),
        ((302, {}), "unavailable"),
        ((200, {}), "invalid_credentials"),
        ((200, {"id_token": 7}), "invalid_credentials"),
        ((400, b"<html>"), "invalid_credentials"),
    ],
)
def test_codes_that_are_not_exchanged(sqlite_database, fake, answer, expected):
    async def work(provider):
        await provider.addresses()
        fake.answer = answer
        await provider.id_token("code", verifier="v", redirect_uri=BACK)

    assert refusal(run, oidc(sqlite_database), fake, work).message_type == expected


def test_a_stolen_code_is_of_no_use_without_the_verifier(database, fake):
    settings = oidc(database)

    async def work(provider):
        begun = flow.begin(database, redirect_uri=BACK, next_path="/")
        address = flow.authorization_url(f"{ISSUER}/auth", begun, settings, redirect_uri=BACK)
        sent = fake.approve(address)
        await provider.id_token(sent["code"], verifier="another", redirect_uri=BACK)

    assert refusal(run, settings, fake, work).message_type == "invalid_credentials"


def test_new_keys_are_fetched_but_not_again_and_again(database, fake):
    settings = oidc(database)

    async def work(provider):
        first = await provider.keys()
        fake.published = ["new"]
        provider._keys_at -= 61
        second = await provider.keys(fresh=True)
        assert (await provider.keys(fresh=True)) is second
        assert (await provider.keys()) is second
        return [[key.kid for key in each.key_set] for each in (first, second)]

    assert run(settings, fake, work) == [["rsa", "ec"], ["new"]]
    assert fake.asked.count("/realm/keys") == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"issuer": f"{ISSUER}/"}, "calls itself by another name"),
        ({"token_endpoint": None}, "has no token_endpoint"),
        ({"jwks_uri": "http://login.example.org/keys"}, "must begin with https://"),
        ({"authorization_endpoint": "javascript:alert(1)"}, "must begin with https://"),
        ({"authorization_endpoint": "https://["}, "one of its addresses is none"),
    ],
)
def test_providers_that_are_not_used(database, fake, change, reason):
    fake.discovery |= change
    error = refusal(run, oidc(database), fake, lambda provider: provider.keys())
    assert (error.status, error.message_type) == (503, "unavailable")
    assert reason in error.message


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((500, {}), "status 500"),
        ((302, {}), "status 302"),
        ((200, b"<html>"), "no JSON object"),
        ((200, b"[]"), "no JSON object"),
        ((200, b" " * (1 << 20) + b"{}"), "too long"),
    ],
)
def test_answers_that_cannot_be_used(database, fake, answer, reason):
    fake.answer = answer
    error = refusal(run, oidc(database), fake, lambda provider: provider.addresses())
    assert error.status == 503
    assert reason in error.message


def test_a_provider_that_cannot_be_reached(database):
    asked = []

    def broken(request):
        asked.append(request)
        raise httpx2.ConnectError("no")

    async def main():
        provider = Provider(oidc(database), httpx2.MockTransport(broken))
        try:
            waiting = (provider.addresses() for _ in range(3))
            return await asyncio.gather(*waiting, return_exceptions=True)
        finally:
            await provider.close()

    for error in asyncio.run(main()):
        assert (error.status, error.headers) == (503, {"Retry-After": "30"})
        assert "cannot be reached" in error.message
    assert len(asked) == 1  # those behind do not wait for the same again


NOW = int(time.time())


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example.net"},
        {"iss": None},
        {"aud": "another client"},
        {"aud": []},
        {"aud": None},
        {"aud": [CLIENT, "another client"]},  # without azp
        {"aud": [CLIENT, "another client"], "azp": "another client"},
        {"azp": "another client"},
        {"exp": NOW - 120},
        {"exp": None},
        {"exp": "soon"},
        {"iat": NOW + 3600},
        {"iat": None},
        {"nbf": NOW + 3600},
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": ["n0nce"]},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 256},
        {"sub": "a\0b"},
        {"sub": 7},
    ],
)
def test_id_tokens_that_are_refused(sqlite_database, fake, change):
    settings = oidc(sqlite_database)
    fake.claims = {"sub": "1", "nonce": "n0nce"}
    good = validated_claims(fake.token(), keys("ec"), settings, nonce="n0nce")
    assert good["sub"] == "1"
    error = refusal(validated_claims, fake.token(**change), keys("ec"), settings, nonce="n0nce")
    assert (error.status, error.message_type) == (401, "invalid_credentials")


def test_an_audience_of_several_with_the_party_named(sqlite_database, fake):
    fake.claims = {"sub": "1", "nonce": "n", "aud": ["other", CLIENT], "azp": CLIENT}
    found = validated_claims(fake.token(), keys("ec"), oidc(sqlite_database), nonce="n")
    assert found["aud"] == ["other", CLIENT]


def encoded(document):
    return urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def test_signatures_that_are_refused(sqlite_database, fake):
    settings = oidc(sqlite_database)
    fake.claims = {"sub": "1", "nonce": "n"}
    good = fake.token()
    head, body, signature = good.split(".")
    forged = encoded({"alg": "none", "kid": "ec"})
    claims = json.loads(urlsafe_b64decode(body + "=="))
    # the public key, which everybody knows, as if it were a shared secret
    signed = f"{encoded({'alg': 'HS256', 'kid': 'rsa'})}.{body}"
    mac = hmac.new(KEYS["rsa"].as_pem(private=False), signed.encode(), "sha256").digest()
    confused = f"{signed}.{urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    tampered = encoded({**claims, "sub": "2"})
    for text in (
        f"{forged}.{body}.",
        f"{head}.{tampered}.{signature}",
        f"{head}.{body}.{signature[:-4]}AAAA",
        confused,
        "",
        "a.b.c",
        "x" * 70_000,
    ):
        error = refusal(validated_claims, text, keys("ec", "rsa"), settings, nonce="n")
        assert error.message_type == "invalid_credentials"
    with pytest.raises(UnknownKeyError):
        validated_claims(good, keys("rsa", "new"), settings, nonce="n")


def test_keys_without_names_may_be_old_ones(sqlite_database, fake):
    """Providers with one key need not name it: after a change its signature just does not fit."""
    settings = oidc(sqlite_database)
    fake.claims = {"sub": "1", "nonce": "n"}
    claims = jwt.decode(fake.token(), KEYS["ec"]).claims
    text = jwt.encode({"alg": "ES256"}, claims, KEYS["ec"])
    for name in ("new", "rsa"):
        document = KEYS[name].as_dict(private=False)
        document.pop("kid")
        with pytest.raises(UnknownKeyError):
            validated_claims(text, Keys.parse({"keys": [document]}), settings, nonce="n")


def test_algorithms_are_those_of_the_settings(sqlite_database, fake):
    fake.claims, fake.kid, fake.alg = {"sub": "1", "nonce": "n"}, "rsa", "RS256"
    text = fake.token()
    validated_claims(text, keys("rsa"), oidc(sqlite_database), nonce="n")
    only = oidc(sqlite_database, oidc_algorithms=("ES256",))
    refusal(validated_claims, text, keys("rsa"), only, nonce="n")
    # secret keys never sign: whoever knows the client's secret could log in as anybody
    symmetric = oidc(sqlite_database, oidc_algorithms=("HS256", "none"))
    error = refusal(validated_claims, text, keys("rsa"), symmetric, nonce="n")
    assert error.message_type == "unavailable"


def test_providers_without_usable_keys():
    for document in ({}, {"keys": []}, {"keys": [{"kty": "oct", "k": "AAAA"}]}, {"keys": 3},
                     {"keys": [{"kty": "RSA"}]}):  # fmt: skip
        assert refusal(Keys.parse, document).message_type == "unavailable"


def test_users_are_found_by_issuer_and_subject_alone(database):
    settings = oidc(database, oidc_first_login="create")
    claims = {"sub": "1", "preferred_username": "Ada", "name": "Ada L.", "email": "ada@x.org"}
    with database.writing() as conn:
        ada, name = flow.user_of(conn, claims, settings)
        user = users.get(conn, ada)
        assert (name, user.name, user.full_name, user.email) == ("ada", "ada", "Ada L.", "")
        assert user.has_password is False
        again = flow.user_of(conn, {"sub": "1", "preferred_username": "other"}, settings)
        assert again == (ada, "ada")
        # somebody else who calls himself ada does not become ada
        error = refusal(flow.user_of, conn, {**claims, "sub": "2"}, settings)
        assert (error.status, error.details) == (
            403, {"claim": "preferred_username", "subject": "2"}
        )  # fmt: skip
        refusal(flow.user_of, conn, {"sub": "3"}, settings)
        error = refusal(flow.user_of, conn, {"sub": "4", "preferred_username": "a/b"}, settings)
        assert error.message_type == "bad_parameter"
        verified = {"sub": "5", "preferred_username": "eve", "email": "eve@x.org"}
        eve, _ = flow.user_of(conn, {**verified, "email_verified": True}, settings)
        assert users.get(conn, eve).email == "eve@x.org"
        users.change(conn, eve, {"is_active": False})
        assert refusal(flow.user_of, conn, verified, settings).status == 403


def test_strangers_are_refused_until_they_are_linked(database):
    settings = oidc(database)
    with database.writing() as conn:
        bob = users.create(conn, "bob").id
        error = refusal(flow.user_of, conn, {"sub": "b"}, settings)
        assert (error.status, error.details) == (403, {"issuer": ISSUER, "subject": "b"})
        flow.link(conn, bob, issuer=ISSUER, subject="b")
        assert flow.user_of(conn, {"sub": "b"}, settings) == (bob, "bob")
        for subject, issuer in (("b", ISSUER), ("", ISSUER), ("x" * 256, ISSUER), ("c", "")):
            error = refusal(flow.link, conn, bob, issuer=issuer, subject=subject)
            assert error.message_type == "bad_parameter"
        assert len(conn.execute(IDENTITY.select()).all()) == 1
