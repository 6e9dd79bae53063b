"""Very many new objects, stored without keeping those who write waiting all the while."""

from __future__ import annotations

from datetime import datetime

import pytest
from sqlalchemy import select

from ephyrus.service.accounts import users
from ephyrus.service.catalog import arriving
from ephyrus.service.catalog.bulk import NewObject, insert_tree
from ephyrus.service.db.engine import Database, has_turn, moment, take_turn
from ephyrus.service.db.schema import LINKS, TABLES, TAGGINGS, VERSIONS

OBJECTS = [
    NewObject("section", "s", attributes={"name": "s"}),
    NewObject("property", "p", attributes={"name": "p"}, parents={"section": "s"}),
    NewObject("value", "v", attributes={"data": "1"}, parents={"parent_property": "p"}),
    NewObject("block", "b", attributes={"name": "b"}, tags=("v",)),
    NewObject("recordingchannelgroup", "g", attributes={"name": "g"}, parents={"block": "b"}),
    NewObject(
        "recordingchannel", "c", attributes={"name": "c"}, parents={"recordingchannelgroup": ["g"]}
    ),
]
TIMES = "date_created", "last_modified", "starts_at"


@pytest.fixture
def owner(database: Database) -> int:
    with database.writing() as connection:
        return users.create(connection, "ada").id


def times(database: Database) -> set[datetime]:
    """All times that are written down about the objects."""
    tables = [TABLES[each.type] for each in OBJECTS] + [VERSIONS[each.type] for each in OBJECTS]
    tables += [LINKS["recordingchannel", "recordingchannelgroup"], TAGGINGS]
    found: set[datetime] = set()
    with database.reading() as connection:
        for table in tables:
            columns = [table.c[name] for name in TIMES if name in table.c]
            (row,) = connection.execute(select(*columns)).all()
            found |= set(row)
    return found


def test_objects_have_the_time_of_the_turn(
    database: Database, owner: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile = []

    def turn(connection):
        if not database.is_sqlite:  # others write until the turn is taken
            with database.writing() as other:
                meanwhile.append(moment(other))
        return take_turn(connection)

    monkeypatch.setattr(arriving, "take_turn", turn)
    before = database.changes()
    with database.writing(late=True) as connection:
        assert has_turn(connection) == database.is_sqlite
        ids = arriving.insert_arriving(connection, owner, OBJECTS, user_id=owner)
        assert has_turn(connection)
        now = moment(connection)
    assert set(ids) == {each.key for each in OBJECTS}
    assert times(database) == {now}
    assert [each < now for each in meanwhile] == [True] * len(meanwhile)
    assert database.changes() == before + 1 + len(meanwhile)


def test_what_is_stored_is_the_same(database: Database, owner: int) -> None:
    def rows(ids):
        with database.reading() as connection:
            for each in OBJECTS:
                table = TABLES[each.type]
                query = select(table).where(table.c.id == ids[each.key])
                row = dict(connection.execute(query).mappings().one())
                unlike = {"id", "guid", *TIMES, *(name for name in row if name.endswith("_id"))}
                yield {name: value for name, value in row.items() if name not in unlike}

    with database.writing() as connection:
        first = insert_tree(connection, owner, OBJECTS, user_id=owner)
    with database.writing(late=True) as connection:
        second = arriving.insert_arriving(connection, owner, OBJECTS, user_id=owner)
    assert list(rows(second)) == list(rows(first))


def test_a_late_transaction_counts_though_it_takes_no_turn(database: Database) -> None:
    before = database.changes()
    with database.writing(late=True):
        pass
    assert database.changes() == before + 1
    with database.writing() as connection:  # perhaps on the same connection
        assert has_turn(connection)
        assert take_turn(connection) is None
