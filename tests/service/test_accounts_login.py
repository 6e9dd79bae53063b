"""Passwords, logins, their limits, and sessions."""

from __future__ import annotations

import threading
from datetime import timedelta

import argon2
import pytest

from ephyrus.service.accounts import limits as limits_module
from ephyrus.service.accounts import sessions, tokens, users
from ephyrus.service.accounts.authentication import Authenticator
from ephyrus.service.accounts.credentials import digest
from ephyrus.service.accounts.passwords import Passwords
from ephyrus.service.accounts.scopes import parse_scopes
from ephyrus.service.accounts.tables import LOGIN_ATTEMPT, SESSION, USER, utc_now
from ephyrus.service.errors import ServiceError
from ephyrus.service.settings import Settings
from tests.service.accounts_support import AWAY, HOME, PASSWORD, Clock, cheap, emptied, entry


@pytest.fixture
def database(module_database):
    return emptied(module_database)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def refusal(call, *args, **kwargs):
    """Call something that must be refused."""
    with pytest.raises(ServiceError) as caught:
        call(*args, **kwargs)
    return caught.value


def test_passwords_are_salted_argon2id(sqlite_database):
    passwords = Passwords(cheap(sqlite_database))
    one, two = passwords.hash(PASSWORD), passwords.hash(PASSWORD)
    assert one != two
    assert one.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    assert passwords.verify(one, PASSWORD)
    assert not passwords.verify(one, PASSWORD + " ")
    assert not passwords.verify(None, PASSWORD)
    assert not passwords.verify("no hash", PASSWORD)
    assert passwords.verify(passwords.hash("Zoë's key"), "Zoe\u0308's key")
    assert passwords.verify(passwords.hash("\udcff" * 8), "\udcff" * 8)


def test_passwords_that_are_refused(sqlite_database):
    passwords = Passwords(cheap(sqlite_database, password_min_length=10))
    for wrong in ("", "ninechars", "x" * 1025):
        assert list(refusal(passwords.hash, wrong).details) == ["password"]
    assert "user's name" in refusal(passwords.hash, "BobbyTables", name="bobbytables").message
    assert not passwords.verify(passwords.hash("x" * 1024), "x" * 1025)


def test_the_cost_is_that_of_the_settings():
    settings = Settings()
    hasher = Passwords(settings)._hasher
    assert (hasher.time_cost, hasher.memory_cost, hasher.parallelism) == (3, 65_536, 4)


def test_runs_of_argon2_are_limited(sqlite_database, monkeypatch):
    """Two run, one waits, the fourth is sent away at once."""
    passwords = Passwords(cheap(sqlite_database, password_concurrency=2, password_waiting=1))
    stored = passwords.hash(PASSWORD)
    running, most, release = [0], [0], threading.Event()
    lock, entered = threading.Lock(), threading.Semaphore(0)
    verify = argon2.PasswordHasher.verify

    def slow(self, hash, password):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        entered.release()
        assert release.wait(60)
        with lock:
            running[0] -= 1
        return verify(self, hash, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", slow)
    results = []
    threads = [
        threading.Thread(target=lambda: results.append(passwords.verify(stored, PASSWORD)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    assert entered.acquire(timeout=60)
    assert entered.acquire(timeout=60)
    while passwords._places._value:  # until the third one waits
        threading.Event().wait(0.001)
    error = refusal(passwords.verify, stored, PASSWORD)
    assert (error.status, error.headers) == (503, {"Retry-After": "5"})
    release.set()
    for thread in threads:
        thread.join()
    assert (results, most) == ([True] * 3, [2])
    assert passwords.verify(stored, PASSWORD)


def test_a_login_begins_a_session(database):
    logins = entry(database)
    entered = logins.by_password(" BOB", PASSWORD, network=HOME)
    assert (entered.username, entered.session.max_age) == ("bob", 90 * 86_400)
    with database.reading() as conn:
        row = conn.execute(SESSION.select()).one()
    assert row.digest == digest(entered.session.secret)
    assert row.scopes == "read write admin"
    assert row.expires - row.created == timedelta(days=14)
    assert row.ends - row.created == timedelta(days=90)
    secret = entered.session.secret
    again = logins.by_password("bob", PASSWORD, network=HOME, former=digest(secret))
    with database.reading() as conn:  # a session of before the login does not outlive it
        assert conn.execute(SESSION.select()).one().digest == digest(again.session.secret)


def test_unknown_users_and_wrong_passwords_cost_and_say_the_same(database, monkeypatch):
    logins = entry(database, login_attempts=100)
    with database.writing() as conn:
        users.create(conn, "nopass")
        gone = users.create(conn, "gone", password_hash=logins.passwords.hash(PASSWORD))
        users.change(conn, gone.id, {"is_active": False})
    work = []
    verify_secret = argon2.low_level.verify_secret

    def counted(hash, secret, type):
        work.append(argon2.extract_parameters(hash.decode()))
        return verify_secret(hash, secret, type)

    monkeypatch.setattr("argon2._password_hasher.verify_secret", counted)
    monkeypatch.setattr(argon2.PasswordHasher, "hash", None)  # nothing else may be hashed
    seen = set()
    for name in ("bob", "nobody", "nopass", "gone", "", "x" * 500, "a\0b"):
        error = refusal(logins.by_password, name, "wrong pass", network=HOME)
        seen.add((error.status, error.message_type, error.message, str(error.headers)))
    wrong_for_all = refusal(logins.by_password, "nopass", PASSWORD, network=HOME)
    seen.add((401, "invalid_credentials", wrong_for_all.message, "{}"))
    assert seen == {(401, "invalid_credentials", "User name or password is wrong.", "{}")}
    assert len(work) == 8
    assert len(set(map(str, work))) == 1
    assert (work[0].time_cost, work[0].memory_cost, work[0].parallelism) == (1, 8, 1)


def test_a_login_renews_a_hash_of_former_cost(database):
    logins = entry(database)
    dearer = entry(database, password_time_cost=2)
    refusal(dearer.by_password, "bob", "wrong pass", network=HOME)
    dearer.by_password("bob", PASSWORD, network=HOME)
    with database.reading() as conn:
        stored = conn.execute(USER.select()).one().password
    assert stored.startswith("$argon2id$v=19$m=8,t=2,p=1$")
    dearer.by_password("bob", PASSWORD, network=HOME)
    with database.reading() as conn:
        assert conn.execute(USER.select()).one().password == stored
    logins.by_password("bob", PASSWORD, network=HOME)


def test_a_password_that_changes_while_it_is_verified_lets_nobody_in(database):
    logins = entry(database)
    verify = logins.passwords.verify

    def and_meanwhile(stored, password):
        with database.writing() as conn:
            users.set_password(conn, users.get(conn, "bob").id, "another hash")
        return verify(stored, password)

    logins.passwords.verify = and_meanwhile
    error = refusal(logins.by_password, "bob", PASSWORD, network=HOME)
    assert error.message_type == "invalid_credentials"
    with database.reading() as conn:
        assert conn.execute(SESSION.select()).all() == []


def test_a_session_of_a_token_ends_with_it(database):
    logins = entry(database)
    with database.writing() as conn:
        bob = users.get(conn, "bob")
        until = utc_now() + timedelta(hours=1)
        text, token = tokens.issue(conn, bob.id, "t", parse_scopes(["write"]), expires=until)
    entered = logins.by_token(f" {text}\n", network=HOME)
    assert entered.username == "bob"
    assert 3590 <= entered.session.max_age <= 3600
    with database.reading() as conn:
        row = conn.execute(SESSION.select()).one()
    assert (row.scopes, row.expires, row.token_id) == ("read write", until, token.id)
    with database.writing() as conn:
        tokens.revoke(conn, token.id)
    with database.reading() as conn:
        assert conn.execute(SESSION.select()).all() == []
    for wrong in (text, "eph_x", "", "Zoë"):
        error = refusal(logins.by_token, wrong, network=HOME)
        assert error.message_type == "invalid_credentials"


def test_sessions_are_bounded(database, monkeypatch):
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 3)
    logins = entry(database)
    secrets = [logins.by_password("bob", PASSWORD, network=HOME).session.secret for _ in range(5)]
    with database.reading() as conn:
        kept = conn.execute(SESSION.select().order_by(SESSION.c.id)).all()
    assert [row.digest for row in kept] == [digest(secret) for secret in secrets[2:]]


def test_guessing_from_one_place_is_stopped(database, clock):
    logins = entry(database, login_attempts=3, login_window_seconds=90)
    for _ in range(3):
        assert refusal(logins.by_password, "Bob", "wrong", network=HOME).status == 401
    error = refusal(logins.by_password, "bob", PASSWORD, network=HOME)
    assert (error.status, error.message_type) == (429, "too_many_requests")
    assert error.headers == {"Retry-After": "30"}
    assert error.details == {"retry_after": 30}
    logins.by_password("bob", PASSWORD, network=AWAY)  # others are not concerned
    clock.wait(28.2)
    assert refusal(logins.by_password, "bob", PASSWORD, network=HOME).headers == {
        "Retry-After": "2"
    }
    clock.wait(1.8)
    assert refusal(logins.by_password, "bob", "wrong", network=HOME).status == 401
    assert refusal(logins.by_password, "bob", "wrong", network=HOME).status == 429
    clock.wait(90)
    for _ in range(2):
        assert refusal(logins.by_password, "bob", "wrong", network=HOME).status == 401
    logins.by_password("bob", PASSWORD, network=HOME)  # success gives all of it back
    for _ in range(3):
        assert refusal(logins.by_password, "bob", "wrong", network=HOME).status == 401
    assert refusal(logins.by_password, "bob", "wrong", network=HOME).status == 429


def test_names_that_nobody_has_are_limited_alike(database, clock):
    logins = entry(database, login_attempts=2)
    found = [refusal(logins.by_password, "nobody", "x", network=HOME).status for _ in range(4)]
    assert found == [401, 401, 429, 429]


def test_one_address_cannot_try_all_names(database, clock):
    logins = entry(database, login_attempts_address=4)
    found = [refusal(logins.by_password, f"user{n}", "x", network=HOME).status for n in range(6)]
    assert found == [401] * 4 + [429] * 2
    assert refusal(logins.by_token, "x", network=HOME).status == 429
    logins.by_password("bob", PASSWORD, network=AWAY)


def test_logins_that_succeed_cost_nothing(database, clock):
    limits = {"login_attempts": 2, "login_attempts_name": 2, "login_attempts_address": 2}
    logins = entry(database, **limits)
    for _ in range(5):
        logins.by_password("bob", PASSWORD, network=HOME)


def test_an_attack_from_many_places_does_not_lock_the_user_out(database, clock):
    logins = entry(database, login_attempts_name=5)
    logins.by_password("bob", PASSWORD, network=HOME)
    found = [refusal(logins.by_password, "bob", "x", network=f"203.0.113.{n}").status
             for n in range(8)]  # fmt: skip
    assert found == [401] * 5 + [429] * 3
    logins.by_password("bob", PASSWORD, network=HOME)  # from where bob is known
    # and this gives the attackers nothing back
    assert refusal(logins.by_password, "bob", "x", network="203.0.113.99").status == 429
    assert refusal(logins.by_password, "bob", PASSWORD, network=AWAY).status == 429
    with database.writing() as conn:
        logins.limits.clear(conn, "bob")
    logins.by_password("bob", PASSWORD, network=AWAY)


def test_a_refused_attempt_takes_nothing(database, clock):
    logins = entry(database, login_attempts=1, login_attempts_name=3)
    refusal(logins.by_password, "bob", "x", network=HOME)
    for _ in range(10):
        assert refusal(logins.by_password, "bob", "x", network=HOME).status == 429
    assert refusal(logins.by_password, "bob", "x", network=AWAY).status == 401


def test_attempts_at_the_same_time_are_counted_one_by_one(database):
    logins = entry(database, login_attempts=5)
    start, found = threading.Barrier(8), []

    def attempt():
        start.wait(60)
        try:
            logins.limits.take("bob", HOME)
            found.append("taken")
        except ServiceError as error:
            found.append(error.message_type)

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == ["taken"] * 5 + ["too_many_requests"] * 3


def test_rows_about_attempts_are_pruned(database, clock):
    logins = entry(database, login_rows=100, login_window_seconds=100,
                   login_attempts_address=1000)  # fmt: skip
    logins.by_password("bob", PASSWORD, network=HOME)
    for number in range(70):
        logins.limits.take(f"user{number}", HOME)

    def rows():
        with database.reading() as conn:
            return conn.execute(LOGIN_ATTEMPT.select()).all()

    assert len(rows()) > 140
    with database.writing(quiet=True) as conn:
        limits_module.prune(conn, most_rows=100)
    assert len(rows()) == 100
    clock.wait(101)
    logins.limits._next_prune = 0.0
    logins.limits.take("new", HOME)
    left = rows()
    assert sorted(row.kind for row in left) == ["address", "known", "name", "pair"]
    assert all(row.until > clock.now for row in left)
    assert all(len(row.key) == 64 for row in left)  # names and addresses are not kept


def test_a_session_slides_and_ends(database, clock):
    logins = entry(database, session_idle_seconds=1000, session_max_seconds=2500,
                   touch_seconds=100)  # fmt: skip
    start = clock.moment()
    authenticator = Authenticator(database, logins._settings)
    secret = logins.by_password("bob", PASSWORD, network=HOME).session.secret
    scope = {"headers": [(b"cookie", b"sessionid=" + secret.encode())]}

    def expires():
        with database.reading() as conn:
            return (conn.execute(SESSION.select()).one().expires - start).total_seconds()

    assert authenticator.authenticate(scope).username == "bob"
    clock.now = 1_700_000_000.0 + 99
    assert authenticator.authenticate(scope).username == "bob"
    assert expires() == 1000  # no write yet
    clock.now = 1_700_000_000.0 + 900
    assert authenticator.authenticate(scope).username == "bob"
    assert expires() == 1900
    clock.now = 1_700_000_000.0 + 1800
    assert authenticator.authenticate(scope).username == "bob"
    assert expires() == 2500  # not beyond the end
    clock.now = 1_700_000_000.0 + 2499
    assert authenticator.authenticate(scope).username == "bob"
    clock.now = 1_700_000_000.0 + 2501
    assert refusal(authenticator.authenticate, scope).status == 401


def test_logs_name_neither_users_nor_passwords(database, clock, caplog):
    caplog.set_level("INFO", logger="ephyrus.service.accounts")
    logins = entry(database, login_attempts=1)
    refusal(logins.by_password, PASSWORD, "bob", network=HOME)  # typed into the wrong fields
    refusal(logins.by_password, PASSWORD, "bob", network=HOME)
    refusal(logins.by_token, "eph_secret", network=HOME)
    logins.by_password("bob", PASSWORD, network=HOME)
    with database.reading() as conn:
        bob = users.get(conn, "bob").id
    assert caplog.messages == [
        f"a login from {HOME} failed",
        f"logins from {HOME} are refused for a while",
        f"a login with a token from {HOME} failed",
        f"user {bob} has logged in",
    ]
