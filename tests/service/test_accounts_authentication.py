"""From cookies and tokens to principals, quickly, and never longer than they are valid."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ephyrus.service.accounts import authentication, friends, groups, tokens, users
from ephyrus.service.accounts.authentication import Authenticator
from ephyrus.service.accounts.credentials import digest, new_secret, new_token
from ephyrus.service.accounts.scopes import ALL_SCOPES, parse_scopes
from ephyrus.service.accounts.tables import SESSION, TOKEN, USER, utc_now
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import ANONYMOUS, Principal
from tests.service.accounts_support import HOME, PASSWORD, Clock, cheap, emptied, entry


@pytest.fixture
def database(module_database):
    return emptied(module_database)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def by_cookie(secret):
    return {"headers": [(b"host", b"x"), (b"cookie", b"sessionid=" + secret.encode())]}


def by_token(text):
    return {"headers": [(b"authorization", b"Bearer " + text.encode())]}


def logged_in(database, **changes):
    """Log bob in; gives the way in, an authenticator, and the scope of a request."""
    logins = entry(database, **changes)
    secret = logins.by_password("bob", PASSWORD, network=HOME).session.secret
    return logins, Authenticator(database, logins._settings), by_cookie(secret)


def user_id(database, name="bob"):
    with database.reading() as conn:
        return users.get(conn, name).id


def issued(database, *scopes, **options):
    with database.writing() as conn:
        return tokens.issue(
            conn, users.get(conn, "bob").id, "script", parse_scopes(scopes), **options
        )


def refused(authenticator, scope):
    with pytest.raises(ServiceError) as caught:
        authenticator.authenticate(scope)
    error = caught.value
    assert (error.status, error.message_type) == (401, "not_authenticated")
    assert error.headers == {"WWW-Authenticate": "Session"}
    return error.message


def test_nobody_is_anonymous_without_a_look_into_the_database():
    authenticator = Authenticator(None, None)
    assert authenticator.authenticate({"headers": []}) is ANONYMOUS
    assert authenticator.cached({"headers": [(b"cookie", b"a=b")]}, 1) is ANONYMOUS


def test_a_session_gives_the_user_with_groups_and_friends(database):
    _logins, authenticator, scope = logged_in(database)
    bob = user_id(database)
    with database.writing() as conn:
        ada = users.create(conn, "ada").id
        lab = groups.create(conn, "lab").id
        groups.add_members(conn, lab, [bob])
        friends.befriend(conn, bob, ada, accepted=True)
    assert authenticator.authenticate(scope) == Principal(
        bob,
        "bob",
        is_admin=False,
        groups=frozenset({lab}),
        friends=frozenset({ada}),
        scopes=ALL_SCOPES,
        by_cookie=True,
    )


def test_what_is_no_credential_of_ours_is_refused(database):
    _logins, authenticator, _ = logged_in(database)
    gone = "The session has ended; log in again."
    assert refused(authenticator, by_cookie(new_secret())) == gone
    assert refused(authenticator, by_cookie("short")) == gone
    wrong = "The token is not valid: it has expired, was revoked, or is not of this service."
    assert refused(authenticator, by_token(new_token())) == wrong
    assert refused(authenticator, by_token("")) == wrong
    assert refused(authenticator, {"headers": [(b"authorization", b"Basic Ym9iOmJvYg==")]}) == wrong


def test_the_known_are_not_looked_up_again_until_the_database_changes(database, monkeypatch):
    _logins, authenticator, scope = logged_in(database)
    stamp = database.changes()
    assert authenticator.cached(scope, stamp) is None
    first = authenticator.authenticate(scope, stamp)
    assert authenticator.cached(scope, stamp) is first
    with monkeypatch.context() as patch:
        patch.setattr(type(database), "reading", None)
        assert authenticator.authenticate(scope) is first
    with database.writing() as conn:
        users.change(conn, user_id(database), {"is_admin": True})
    assert authenticator.cached(scope, database.changes()) is None
    assert authenticator.authenticate(scope).is_admin is True


def test_a_logout_counts_at_once_in_all_workers(database):
    logins, authenticator, scope = logged_in(database)
    other = Authenticator(database, logins._settings)
    assert authenticator.authenticate(scope) == other.authenticate(scope)
    logins.end(digest(scope["headers"][1][1].decode().removeprefix("sessionid=")))
    refused(authenticator, scope)
    refused(other, scope)
    assert authenticator._entries == {}


def test_an_end_is_observed_though_nothing_changes(database, clock):
    _logins, authenticator, _scope = logged_in(database)
    text, _ = issued(database, "read", expires=clock.moment() + timedelta(seconds=60))
    assert authenticator.authenticate(by_token(text)).username == "bob"
    stamp = database.changes()
    clock.wait(59.9)
    assert authenticator.cached(by_token(text), stamp).username == "bob"
    clock.wait(0.2)
    assert authenticator.cached(by_token(text), stamp) is None
    refused(authenticator, by_token(text))


def test_the_last_use_is_written_seldom(database, clock, monkeypatch):
    _logins, authenticator, _ = logged_in(database, touch_seconds=100)
    text, token = issued(database, "read")
    assert token.last_used is None
    writes = []
    writing = type(database).writing
    monkeypatch.setattr(
        type(database),
        "writing",
        lambda self, *, quiet=False: writes.append(quiet) or writing(self, quiet=quiet),
    )

    def last_used():
        with database.reading() as conn:
            return conn.execute(TOKEN.select()).one().last_used

    start, stamp = clock.moment(), database.changes()
    for seconds in range(0, 250, 10):
        clock.now = 1_700_000_000.0 + seconds
        authenticator.authenticate(by_token(text))
    assert writes == [True, True, True]  # at 0, 100 and 200 s, and quietly
    assert last_used() == start + timedelta(seconds=200)
    assert database.changes() == stamp


def test_who_cannot_be_written_down_is_let_in_all_the_same(database, clock, monkeypatch, caplog):
    _logins, authenticator, scope = logged_in(database, touch_seconds=10)
    clock.wait(11)

    def busy(self, **options):
        raise ServiceError("unavailable", "busy")

    with monkeypatch.context() as patch:
        patch.setattr(type(database), "writing", busy)
        assert authenticator.authenticate(scope).username == "bob"
    assert caplog.messages == ["the last use of a session could not be written: busy"]


def test_a_session_that_ends_while_its_use_is_written_down(database, clock, monkeypatch):
    _, authenticator, scope = logged_in(database, touch_seconds=10)
    clock.wait(11)
    touch = Authenticator._touch

    def and_meanwhile(self, shown, expires):
        with database.writing() as conn:
            conn.execute(SESSION.delete())
        return touch(self, shown, expires)

    monkeypatch.setattr(Authenticator, "_touch", and_meanwhile)
    assert authenticator.authenticate(scope).username == "bob"
    refused(authenticator, scope)


def test_tokens_have_their_scopes_and_no_more(database):
    _logins, authenticator, _ = logged_in(database)
    with database.writing() as conn:
        users.change(conn, users.get(conn, "bob").id, {"is_admin": True})
    for scope, is_admin in (("read", False), ("write", False), ("admin", True)):
        text, token = issued(database, scope)
        found = authenticator.authenticate(by_token(text))
        assert (found.scopes, found.is_admin) == (parse_scopes([scope]), is_admin)
        assert found.by_cookie is False
    with database.writing() as conn:
        tokens.revoke(conn, token.id)
    refused(authenticator, by_token(text))


def test_who_is_not_active_is_not_let_in(database):
    _logins, authenticator, scope = logged_in(database)
    text, _ = issued(database, "read")
    with database.writing() as conn:  # as a restored backup might have it
        conn.execute(USER.update().values(is_active=False))
    refused(authenticator, scope)
    refused(authenticator, by_token(text))


def test_secrets_are_nowhere(database):
    _logins, authenticator, scope = logged_in(database)
    text, token = issued(database, "read")
    authenticator.authenticate(scope)
    authenticator.authenticate(by_token(text))
    with database.reading() as conn:
        rows = repr([conn.execute(table.select()).all() for table in (SESSION, TOKEN, USER)])
    secret = scope["headers"][1][1].decode().removeprefix("sessionid=")
    for hidden in (secret, text, text[13:], PASSWORD):
        assert hidden not in rows
        assert hidden not in repr(authenticator._entries)
    assert text.startswith(token.prefix)
    assert len(token.prefix) == 12


def test_what_is_kept_in_the_process_is_bounded(database, monkeypatch):
    monkeypatch.setattr(authentication, "_MOST_ENTRIES", 2)
    _logins, authenticator, _scope = logged_in(database)
    texts = [issued(database, "read")[0] for _ in range(5)]
    for text in texts:
        assert authenticator.authenticate(by_token(text)).username == "bob"
        assert len(authenticator._entries) <= 2


def test_tokens_are_listed_and_revoked_by_their_owner(database):
    entry(database)
    _, one = issued(database, "read")
    _, two = issued(database, "admin", expires=utc_now() + timedelta(days=1))
    bob = user_id(database)
    with database.writing() as conn:
        ada = users.create(conn, "ada").id
        assert tokens.listing(conn, bob) == tokens.listing(conn) == [one, two]
        assert tokens.listing(conn, ada) == []
        with pytest.raises(ServiceError) as caught:
            tokens.revoke(conn, one.id, user_id=ada)
        assert caught.value.message_type == "does_not_exist"
        tokens.revoke(conn, one.id, user_id=bob)
        assert tokens.listing(conn, bob) == [two]


def test_tokens_that_are_not_made(database, monkeypatch):
    entry(database)
    soon = utc_now() + timedelta(seconds=3600)
    for options, field in (
        ({"expires": utc_now() - timedelta(seconds=1)}, "expires"),
        ({"expires": soon, "settings": cheap(database, token_max_seconds=60)}, "expires"),
    ):
        with pytest.raises(ServiceError) as caught:
            issued(database, "read", **options)
        assert (caught.value.message_type, list(caught.value.details)) == ("bad_parameter", [field])
    _, token = issued(database, "read", settings=cheap(database, token_max_seconds=60))
    assert token.expires - token.created == timedelta(seconds=60)
    for name in ("", " ", "x" * 101):
        with pytest.raises(ServiceError) as caught, database.writing() as conn:
            tokens.issue(conn, token.user_id, name, ALL_SCOPES)
        assert list(caught.value.details) == ["name"]
    monkeypatch.setattr(tokens, "MOST_TOKENS", 1)
    with pytest.raises(ServiceError) as caught:
        issued(database, "read")
    assert list(caught.value.details) == ["tokens"]


def test_the_token_of_a_service_for_one_user(database, clock):
    settings = cheap(database)
    authenticator = Authenticator(database, settings)
    first = tokens.issue_start_token(database, settings)
    second = tokens.issue_start_token(database, settings)
    for text in (first, second):  # two folders may be served at a time
        found = authenticator.authenticate(by_token(text))
        assert (found.username, found.is_admin, found.scopes) == ("local", True, ALL_SCOPES)
    tokens.revoke_start_token(database, first)
    refused(authenticator, by_token(first))
    clock.wait(29 * 86_400)
    authenticator.authenticate(by_token(second))
    clock.wait(29 * 86_400)
    tokens.issue_start_token(database, settings)
    authenticator.authenticate(by_token(second))
    clock.wait(31 * 86_400)
    tokens.issue_start_token(database, settings)
    refused(authenticator, by_token(second))
