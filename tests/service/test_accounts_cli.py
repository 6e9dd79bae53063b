"""``ephyrus service user`` and ``ephyrus service token``."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from ephyrus.cli import app
from ephyrus.cli.service import accounts as commands
from ephyrus.service.accounts import sessions, tokens, users
from ephyrus.service.accounts.authentication import Authenticator
from ephyrus.service.accounts.login import Logins
from ephyrus.service.accounts.tables import LOGIN_ATTEMPT, SESSION
from ephyrus.service.errors import ServiceError
from tests.service.accounts_support import HOME, PASSWORD, cheap

ISSUER = "https://login.example.org"


@pytest.fixture
def database(sqlite_database):
    return sqlite_database


@pytest.fixture
def run(database, monkeypatch):
    """Run a command on the database; gives exit code, output and errors."""
    settings = {
        "DATA_FOLDER": str(database.settings.data_folder),
        "DATABASE": database.settings.database,
        "PASSWORD_TIME_COST": "1",
        "PASSWORD_MEMORY_KIB": "8",
        "PASSWORD_PARALLELISM": "1",
        "OIDC_ISSUER": ISSUER,
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"EPHYRUS_SERVICE_{name}", value)

    def invoke(*arguments, stdin=None):
        env = {"COLUMNS": "200"}
        result = CliRunner().invoke(
            app, ["service", *map(str, arguments)], input=stdin, env=env, prog_name="ephyrus"
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return invoke


def user(database, name):
    with database.reading() as conn:
        return users.get(conn, name)


def test_a_user_is_made_with_a_password_from_standard_input(database, run):
    options = ("--full-name", "Ada L.", "--email", "ada@example.org", "--admin", "--stdin")
    code, out, err = run("user", "add", "Ada", *options, stdin=f"{PASSWORD}\r\nnot this\n")
    made = user(database, "ada")
    assert (code, out, err) == (0, f"user ada made (id {made.id}), administrator\n", "")
    assert (made.full_name, made.email, made.is_admin) == ("Ada L.", "ada@example.org", True)
    entered = Logins(database, cheap(database)).by_password("ada", PASSWORD, network=HOME)
    assert entered.username == "ada"


def test_passwords_are_asked_for_twice_at_a_terminal(database, run, monkeypatch):
    asked = []

    def prompt(text, **options):
        asked.append((text, options))
        return PASSWORD

    monkeypatch.setattr(commands.typer, "prompt", prompt)
    monkeypatch.setattr(commands, "_is_terminal", lambda: True)
    assert run("user", "add", "bob")[0] == 0
    assert asked == [("Password", {"hide_input": True, "confirmation_prompt": True, "err": True})]
    assert user(database, "bob").has_password


@pytest.mark.parametrize(
    ("arguments", "stdin", "says"),
    [
        (
            ("add", "bob"),
            None,
            "there is no terminal to ask for the password (use --stdin",
        ),
        (("add", "bob", "--stdin"), "", "there is no password on standard input"),
        (("add", "bob", "--stdin"), "short\n", "The password needs at least 10 characters."),
        (("add", "a/b", "--stdin"), f"{PASSWORD}\n", "may hold letters, digits and . _ - @ +"),
        (("add", "ADA", "--stdin"), f"{PASSWORD}\n", "there is a user 'ada' already"),
        (("password", "zoe", "--stdin"), f"{PASSWORD}\n", "There is no such user."),
        (("deactivate", "ada"), None, "This is the last administrator"),
        (("admin", "ada", "--remove"), None, "This is the last administrator"),
        (("link", "ada", ""), None, "A login is linked by its subject"),
    ],
)
def test_what_is_refused(database, run, arguments, stdin, says):
    with database.writing() as conn:
        users.create(conn, "ada", is_admin=True)
    code, out, err = run("user", *arguments, stdin=stdin)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert says in err
    assert PASSWORD not in err
    with database.reading() as conn:
        assert [each.name for each in users.listing(conn)] == ["ada"]


def test_passwords_are_never_arguments(run):
    code, _, err = run("user", "add", "bob", "--password", PASSWORD)
    assert (code, "no such option" in err.lower()) == (2, True)


def test_lists_of_users(database, run):
    with database.writing() as conn:
        users.create(conn, "ada", is_admin=True, full_name="Ada", password_hash="x")
        bob = users.create(conn, "bob")
        users.change(conn, bob.id, {"is_active": False})
    lines = [line.split() for line in run("user", "list")[1].splitlines()]
    assert lines[2][1:] == ["ada", "Ada", "administrator"]
    assert lines[3][1:] == ["bob", "not", "active,", "no", "password"]
    ada, bob = json.loads(run("user", "list", "--json")[1])
    assert (ada["username"], ada["is_admin"], ada["has_password"]) == ("ada", True, True)
    assert (bob["is_active"], bob["has_password"]) == (False, False)


def test_users_are_changed(database, run):
    with database.writing() as conn:
        bob = users.create(conn, "bob").id
        sessions.begin(conn, bob, database.settings)
    assert run("user", "admin", "bob")[1] == "user bob is active, administrator\n"
    assert user(database, "bob").is_admin
    with database.writing() as conn:
        users.create(conn, "ada", is_admin=True)
    assert run("user", "admin", "bob", "--remove")[1] == "user bob is active\n"
    assert run("user", "deactivate", "bob")[1] == "user bob is not active\n"
    with database.reading() as conn:
        assert conn.execute(SESSION.select()).all() == []
    assert run("user", "activate", "bob")[1] == "user bob is active\n"
    assert run("user", "link", "bob", "248289")[1] == f"user bob logs in as 248289 of {ISSUER}\n"
    code, _, err = run("user", "link", "bob", "248289")
    assert (code, err) == (2, "error: This login is linked to a user already.\n")


def test_a_new_password_and_forgotten_failures(database, run):
    logins = Logins(database, cheap(database, login_attempts=1))
    with database.writing() as conn:
        users.create(conn, "bob", password_hash=logins.passwords.hash(PASSWORD))
    for command in (("unlock", "bob"), ("password", "bob", "--stdin")):
        with pytest.raises(ServiceError):
            logins.by_password("bob", "wrong", network=HOME)
        with database.reading() as conn:
            assert len(conn.execute(LOGIN_ATTEMPT.select()).all()) == 3
        code, out, _ = run("user", *command, stdin="another horse\n")
        assert code == 0
        with database.reading() as conn:
            left = conn.execute(LOGIN_ATTEMPT.select()).all()
        assert [row.kind for row in left] == ["address"]
    assert out == "user bob has a new password; all sessions of the user have ended\n"
    assert logins.by_password("bob", "another horse", network=HOME).username == "bob"


def test_tokens(database, run):
    with database.writing() as conn:
        users.create(conn, "bob")
    code, out, err = run("token", "add", "bob", "nightly run", "--scope", "write", "--days", "1.5")
    with database.reading() as conn:
        (token,) = tokens.listing(conn)
    end = token.expires.strftime("%Y-%m-%d %H:%M")
    assert (code, err) == (
        0,
        f"token: nightly run of user bob: read write, until {end} UTC; shown this once\n",
    )
    assert token.expires - token.created == pytest.approx(
        timedelta(days=1.5), abs=timedelta(seconds=5)
    )
    text = out.strip()  # the token alone, for a pipe
    scope = {"headers": [(b"authorization", b"Bearer " + text.encode())]}
    authenticator = Authenticator(database, database.settings)
    assert authenticator.authenticate(scope).username == "bob"
    run("token", "add", "bob", "other")
    lines = run("token", "list", "bob")[1].splitlines()
    assert lines[2].split()[1:5] == ["bob", "nightly", "run", text[:12]]
    assert lines[3].split()[-3:] == ["never", "no", "end"]
    listed = json.loads(run("token", "list", "--json")[1])
    assert [each["scopes"] for each in listed] == [["read", "write"], ["read"]]
    assert text not in json.dumps(listed)
    assert run("token", "revoke", token.id)[1] == f"token {token.id} is revoked\n"
    with pytest.raises(ServiceError):
        authenticator.authenticate(scope)
    assert run("token", "revoke", token.id)[::2] == (2, "error: There is no such token.\n")
    assert run("token", "add", "bob", "x", "-s", "root")[0] == 2
    assert run("token", "add", "bob", "x", "--days", "1e300")[0] == 2
    assert run("token", "add", "bob", "x", "--days", "0")[0] == 2
