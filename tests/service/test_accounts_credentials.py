"""Cookies, tokens, names, scopes: what is taken for credentials, and what is not."""

from __future__ import annotations

import string
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.service.accounts.credentials import (
    Presented,
    clearing_cookie,
    digest,
    new_secret,
    new_token,
    presented,
    session_cookie,
    token_prefix,
)
from ephyrus.service.accounts.names import as_id, checked_name, normal_name
from ephyrus.service.accounts.scopes import (
    parse_scopes,
    require,
    require_admin,
    require_user,
    scopes_from_text,
    scopes_to_text,
)
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import ANONYMOUS, Principal

URL_SAFE = string.ascii_letters + string.digits + "-_"
secrets = st.text(URL_SAFE, min_size=43, max_size=43)
quick = settings(deadline=None, max_examples=200)


@quick
@given(secret=secrets, before=st.sampled_from([b"", b"a=1; ", b"xsessionid=q; ", b'b="x";']))
def test_a_session_is_found_among_cookies(secret, before):
    headers = [(b"host", b"x"), (b"cookie", before + b"sessionid=" + secret.encode() + b"; z=2")]
    assert presented(headers) == Presented("session", sha256(secret.encode()).hexdigest())


@quick
@given(value=st.binary(max_size=80))
def test_any_other_cookie_is_refused_or_absent(value):
    found = presented([(b"cookie", b"sessionid=" + value)])
    shown = value.partition(b";")[0].strip(b' \t"')
    if not shown:
        assert found is None
    elif len(shown) == 43 and all(chr(each) in URL_SAFE for each in shown):
        assert found == Presented("session", sha256(shown).hexdigest())
    else:
        assert found == Presented("session", "")


@quick
@given(value=st.binary(max_size=100))
def test_any_other_authorization_is_refused(value):
    found = presented([(b"cookie", b"sessionid=" + b"a" * 43), (b"authorization", value)])
    assert found == Presented("token", "")


@quick
@given(scheme=st.sampled_from([b"Bearer", b"bearer", b"BEARER"]), spaces=st.integers(1, 3))
def test_a_token_wins_over_a_cookie(scheme, spaces):
    token = new_token()
    value = scheme + b" " * spaces + token.encode()
    found = presented([(b"cookie", b"sessionid=" + b"a" * 43), (b"authorization", value)])
    assert found == Presented("token", digest(token))


def test_no_credentials():
    assert presented([]) is None
    assert presented([(b"cookie", b"other=1; mysessionid=2")]) is None
    assert presented([(b"cookie", b"sessionid=")]) is None
    assert presented([(b"cookie", b'sessionid=""')]) is None


def test_a_cookie_in_the_second_cookie_header():
    secret = new_secret()
    headers = [(b"cookie", b"a=1"), (b"cookie", b"sessionid=" + secret.encode())]
    assert presented(headers) == Presented("session", digest(secret))


def test_secrets_have_256_bits_and_differ():
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(each) for each in made} == {43}
    token = new_token()
    assert token.startswith("eph_")
    assert [len(part) for part in token.split("_", 2)] == [3, 8, 43]
    assert token_prefix(token) == token[:12]


def test_the_cookie_as_browsers_get_it():
    assert session_cookie("x" * 43, secure=False, max_age=60) == (
        f"sessionid={'x' * 43}; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"
    )
    assert session_cookie("x" * 43, secure=True, max_age=60).endswith("SameSite=Lax; Secure")
    assert clearing_cookie(secure=False) == (
        "sessionid=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
    )


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Bob", "bob"),
        ("  bob ", "bob"),
        ("ＢＯＢ", "bob"),
        ("Zoë", "zoë"),
        ("Zoe\u0308", "zoë"),
        ("STRASSE", "strasse"),
        ("straße", "strasse"),
        ("ﬁsh", "fish"),
        ("a.b-c_d@e.org+x", "a.b-c_d@e.org+x"),
        ("7of9", "7of9"),
    ],
)
def test_names_have_one_form(typed, stored):
    assert normal_name(typed) == stored
    assert checked_name(typed) == stored


@quick
@given(name=st.text(max_size=30))
def test_the_form_of_a_name_is_its_own_form(name):
    once = normal_name(name)
    assert normal_name(once) == once
    assert "\0" not in once


@pytest.mark.parametrize(
    "name", ["", "   ", "a" * 65, "a b", "a/b", "a\0b", ".a", "-a", "@a", "123", "a:b", "a\u202eb"]
)
def test_names_that_are_refused(name):
    with pytest.raises(ServiceError) as caught:
        checked_name(name)
    assert (caught.value.status, caught.value.message_type) == (400, "bad_parameter")
    assert list(caught.value.details) == ["name"]


def test_ids_and_names_are_told_apart():
    assert (as_id("12"), as_id(12), as_id("bob"), as_id("٣"), as_id("")) == (
        12,
        12,
        None,
        None,
        None,
    )
    assert as_id("9" * 5000) == 2**63 - 1
    assert as_id(-(10**30)) == -1


def test_scopes_include_the_smaller_ones():
    assert parse_scopes(["read"]) == {"read"}
    assert parse_scopes(["write"]) == {"read", "write"}
    assert parse_scopes(["admin", "read"]) == {"read", "write", "admin"}
    assert scopes_to_text(parse_scopes(["admin"])) == "read write admin"
    assert scopes_from_text("write read") == {"read", "write"}
    for wrong in ([], ["root"], [7], [["read"]]):
        with pytest.raises(ServiceError) as caught:
            parse_scopes(wrong)
        assert caught.value.message_type == "bad_parameter"


def test_what_a_request_may_do():
    reader = Principal(3, "ada", scopes=frozenset({"read"}))
    require(reader, "read")
    require(ANONYMOUS, "read")
    with pytest.raises(ServiceError) as caught:
        require(reader, "write")
    assert (caught.value.status, caught.value.details) == (
        403,
        {"scope": "write", "scopes": "read"},
    )
    with pytest.raises(ServiceError) as caught:
        require(ANONYMOUS, "write")
    assert (caught.value.status, caught.value.headers) == (401, {"WWW-Authenticate": "Session"})
    assert require_user(reader) == 3
    with pytest.raises(ServiceError) as caught:
        require_user(ANONYMOUS)
    assert caught.value.status == 401
    with pytest.raises(ServiceError) as caught:
        require_admin(reader)
    assert caught.value.status == 403
    assert require_admin(Principal(3, "ada", is_admin=True)) == 3
