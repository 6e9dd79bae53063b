"""Users, groups and friends in both databases."""

from __future__ import annotations

import pytest

from ephyrus.service.accounts import friends, groups, sessions, tokens, users
from ephyrus.service.accounts.scopes import ALL_SCOPES
from ephyrus.service.accounts.tables import SESSION, TOKEN
from ephyrus.service.errors import ServiceError
from tests.service.accounts_support import emptied


@pytest.fixture
def database(module_database):
    return emptied(module_database)


@pytest.fixture
def people(database):
    """Ada is an administrator; Bob and Eve are not."""
    with database.writing() as conn:
        ada = users.create(conn, "Ada", is_admin=True, full_name="Ada L.", email="ada@example.org")
        return database, ada.id, users.create(conn, "bob").id, users.create(conn, "EVE").id


def refused(message_type, call, *args, **kwargs):
    """Call something that must be refused; gives the details."""
    with pytest.raises(ServiceError) as caught:
        call(*args, **kwargs)
    assert caught.value.message_type == message_type
    return caught.value.details


def test_users_are_found_by_id_and_by_name_in_any_spelling(people):
    database, ada, bob, _ = people
    with database.reading() as conn:
        user = users.get(conn, "ＡDA")
        assert (user.id, user.name, user.full_name) == (ada, "ada", "Ada L.")
        assert (user.email, user.is_admin, user.is_active) == ("ada@example.org", True, True)
        assert user.has_password is False
        assert users.get(conn, ada) == users.get(conn, str(ada)) == user
        assert users.find(conn, "nobody") is None
        assert users.find(conn, 10**30) is None
        assert users.find(conn, "a\0b") is None
        assert users.resolve(conn, ["Bob", ada]) == {"Bob": bob, ada: ada}
        assert users.names(conn, [ada, bob, 999]) == {ada: "ada", bob: "bob"}
        assert refused("wrong_reference", users.resolve, conn, ["bob", "zoe"]) == {"user": "zoe"}
        assert refused("does_not_exist", users.get, conn, "zoe") == {"user": "zoe"}


def test_lists_of_users(people):
    database, *_ = people
    with database.reading() as conn:
        assert [each.name for each in users.listing(conn)] == ["ada", "bob", "eve"]
        assert [each.name for each in users.listing(conn, offset=1, limit=1)] == ["bob"]
        assert [each.name for each in users.listing(conn, containing="a L")] == ["ada"]
        assert [each.name for each in users.listing(conn, containing="E")] == ["eve"]
        assert users.listing(conn, containing="%") == []
        assert users.count(conn) == 3


def test_a_name_is_given_once_and_the_transaction_goes_on(people):
    database, *_ = people
    with database.writing() as conn:
        assert refused("bad_parameter", users.create, conn, "BOB") == {"name": "taken"}
        users.create(conn, "zoe")
    with database.reading() as conn:
        assert users.count(conn) == 4


@pytest.mark.parametrize(
    "wrong",
    [{"full_name": "x" * 201}, {"email": "a" * 260}, {"email": "nobody"}, {"email": "a @b"}],
)
def test_what_does_not_fit_is_refused(people, wrong):
    database, _, bob, _ = people
    with database.writing() as conn:
        assert list(refused("bad_parameter", users.create, conn, "zoe", **wrong)) == list(wrong)
        assert list(refused("bad_parameter", users.change, conn, bob, wrong)) == list(wrong)


def test_who_is_deactivated_loses_sessions_and_tokens(people):
    database, _, bob, eve = people
    with database.writing() as conn:
        for user_id in (bob, eve):
            sessions.begin(conn, user_id, database.settings)
            tokens.issue(conn, user_id, "script", ALL_SCOPES)
        user = users.change(conn, bob, {"is_active": False, "full_name": " Bob B. "})
        assert (user.is_active, user.full_name) == (False, "Bob B.")
        for table in (SESSION, TOKEN):
            assert conn.execute(table.select()).one().user_id == eve
        assert users.stored_password(conn, "bob") is None


def test_the_last_administrator_stays(people):
    database, ada, bob, _ = people
    with database.writing() as conn:
        for change in ({"is_admin": False}, {"is_active": False}):
            assert refused("bad_parameter", users.change, conn, ada, change) == {
                "user": "last administrator"
            }
        users.change(conn, bob, {"is_admin": True})
        assert users.change(conn, ada, {"is_admin": False}).is_admin is False
        refused("bad_parameter", users.change, conn, bob, {"is_active": False})


def test_a_new_password_ends_all_sessions(people):
    database, _, bob, _ = people
    with database.writing() as conn:
        sessions.begin(conn, bob, database.settings)
        users.set_password(conn, bob, "hash")
        assert conn.execute(SESSION.select()).all() == []
        assert users.stored_password(conn, "Bob") == (bob, "hash")
        users.set_password(conn, bob, None)
        assert users.stored_password(conn, "bob") == (bob, None)
        refused("does_not_exist", users.set_password, conn, 999, "hash")


def test_groups_and_their_members(people):
    database, ada, bob, eve = people
    with database.writing() as conn:
        lab = groups.create(conn, "Lab", description="All of us")
        other = groups.create(conn, "other")
        assert (lab.name, lab.description) == ("lab", "All of us")
        assert groups.listing(conn) == [lab, other]
        assert refused("bad_parameter", groups.create, conn, "LAB") == {"name": "taken"}
        groups.set_members(conn, lab.id, [ada, bob])
        groups.set_members(conn, lab.id, [bob, eve])
        groups.add_members(conn, lab.id, [bob])
        groups.add_members(conn, other.id, [bob])
        assert groups.members(conn, lab.id) == {bob: "bob", eve: "eve"}
        assert groups.of_user(conn, bob) == {lab.id, other.id}
        assert groups.of_user(conn, ada) == frozenset()
        groups.remove_member(conn, lab.id, eve)
        groups.remove_member(conn, lab.id, ada)
        assert groups.members(conn, lab.id) == {bob: "bob"}
        assert groups.resolve(conn, ["LAB", other.id]) == {"LAB": lab.id, other.id: other.id}
        assert refused("wrong_reference", groups.resolve, conn, ["no"]) == {"group": "no"}
        changed = groups.change(conn, other.id, name="guests", description="d")
        assert (changed.name, changed.description) == ("guests", "d")
        assert groups.change(conn, other.id) == changed
        assert refused("bad_parameter", groups.change, conn, other.id, name="lab") == {
            "name": "taken"
        }
        refused("bad_parameter", groups.create, conn, "x", description="y" * 1001)
        groups.remove(conn, lab.id)
        assert groups.of_user(conn, bob) == {other.id}
        assert refused("does_not_exist", groups.get, conn, "lab") == {"group": "lab"}
        refused("does_not_exist", groups.remove, conn, lab.id)


def test_friends_need_both(people):
    database, ada, bob, eve = people
    with database.writing() as conn:
        assert friends.befriend(conn, ada, bob) is False
        assert friends.befriend(conn, ada, bob) is False  # asking twice is not an answer
        assert friends.of_user(conn, bob) == frozenset()
        assert friends.listing(conn, ada) == friends.Friends({}, {bob: "bob"}, {})
        assert friends.listing(conn, bob) == friends.Friends({}, {}, {ada: "ada"})
        assert friends.befriend(conn, bob, ada) is True
        assert friends.befriend(conn, ada, bob) is True
        assert (friends.of_user(conn, ada), friends.of_user(conn, bob)) == ({bob}, {ada})
        assert friends.listing(conn, ada) == friends.Friends({bob: "bob"}, {}, {})
        assert friends.befriend(conn, eve, ada, accepted=True) is True
        assert friends.of_user(conn, ada) == {bob, eve}
        friends.part(conn, bob, ada)
        assert (friends.of_user(conn, ada), friends.of_user(conn, bob)) == ({eve}, frozenset())
        refused("does_not_exist", friends.part, conn, bob, ada)
        assert refused("bad_parameter", friends.befriend, conn, ada, ada) == {"user": "yourself"}
