"""Filters, order and pages, each compared with the same selection made in plain Python."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ephyrus.service.catalog import driving, reading
from ephyrus.service.catalog.query import ListQuery
from ephyrus.service.catalog.records import BRIEF, Record
from ephyrus.service.db.engine import Database
from ephyrus.service.db.schema import SHARES
from ephyrus.service.errors import ServiceError
from ephyrus.service.principals import ANONYMOUS, Principal
from ephyrus.service.types import TYPES
from tests.service.catalog_lab import ADMIN, BOB, EVE, EVERYBODY, FRIEND, NAMES, STRANGER, fill


class World:
    """All objects as an administrator sees them, and what Python makes of a filter."""

    def __init__(self, database: Database) -> None:
        self.database = database
        with database.reading() as connection:
            self.objects = {
                kind: {
                    record.id: record
                    for record in reading.select(
                        connection, ADMIN, kind, ListQuery(max_results=1000)
                    ).records
                }
                for kind in TYPES
            }
            self.shares = [dict(row) for row in connection.execute(SHARES.select()).mappings()]

    def select(self, who: Principal, kind: str, *pairs: tuple[str, str]) -> list[int]:
        """Ask the catalog."""
        query = ListQuery.parse([*pairs, ("max_results", "1000")])
        with self.database.reading() as connection:
            page = reading.select(connection, who, kind, query, detail=BRIEF)
        found = [record.id for record in page.records]
        assert page.total == len(found)
        return found

    def expect(self, who: Principal, kind: str, holds: Callable[[Record], bool]) -> list[int]:
        """Ask Python."""
        return [
            number
            for number, record in sorted(self.objects[kind].items())
            if self.sees(who, record) and holds(record)
        ]

    def holder(self, record: Record) -> Record:
        """Give the object whose rights hold for a record."""
        while record.kind.rights_from:
            name = record.kind.rights_from
            above = next(parent for parent in record.kind.parents if parent.name == name)
            record = self.objects[above.type][record.parents[name]]
        return record

    def sees(self, who: Principal, record: Record) -> bool:
        """Tell whether somebody may read an object."""
        record = self.holder(record)
        if who.is_admin or record.safety_level == 1:
            return True
        if who.is_anonymous:
            return False
        if record.owner_id == who.user_id:
            return True
        if record.safety_level == 2 and record.owner_id in who.friends:
            return True
        return any(
            share["type"] == record.type
            and share["object_id"] == record.id
            and (share["user_id"] == who.user_id or share["group_id"] in who.groups)
            for share in self.shares
        )

    def above(self, who: Principal, record: Record, name: str) -> list[Record]:
        """Give the parents of a relation that somebody sees."""
        kind = next(parent.type for parent in record.kind.parents if parent.name == name)
        found = record.parents[name]
        ids = found if isinstance(found, tuple) else [found] if found else []
        return [each for each in (self.objects[kind][n] for n in ids) if self.sees(who, each)]

    def below(self, who: Principal, record: Record, kind: str) -> list[Record]:
        """Give the children of a type that somebody sees."""
        numbers = (record.children or {})[kind]
        return [each for each in (self.objects[kind][n] for n in numbers) if self.sees(who, each)]

    def tags(self, who: Principal, record: Record) -> list[Record]:
        """Give the values of an object that somebody sees."""
        values = (self.objects["value"][number] for number in record.metadata or ())
        return [value for value in values if self.sees(who, value)]


@pytest.fixture(scope="module")
def world(module_database: Database) -> Iterator[World]:
    with module_database.writing() as connection:
        fill(connection)
    return World(module_database)


def fold(text: str) -> str:
    return text.casefold()


TEXT: dict[str, Callable[[str, str], bool]] = {
    "exact": operator.eq,
    "iexact": lambda a, b: fold(a) == fold(b),
    "contains": lambda a, b: b in a,
    "icontains": lambda a, b: fold(b) in fold(a),
    "startswith": str.startswith,
    "istartswith": lambda a, b: fold(a).startswith(fold(b)),
    "endswith": str.endswith,
    "iendswith": lambda a, b: fold(a).endswith(fold(b)),
    "gt": operator.gt,
    "gte": operator.ge,
    "ge": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "le": operator.le,
}
TEXTS = ("", "a", "Ä", "ä", "ß", "SS", "%", "_", "\\", "e 1", "zelle", "ELLE", "ärger", "ΕΛΛΆΔΑ",
         "Ελ", "\U0010ffff", "\ud7ff", "a%b")  # fmt: skip


@pytest.mark.parametrize("lookup", TEXT)
def test_lookups_of_text(world: World, lookup: str) -> None:
    for text in TEXTS:
        wanted = world.expect(
            EVE, "analogsignal",
            lambda r, text=text: (n := r.attributes["name"]) is not None and TEXT[lookup](n, text),
        )  # fmt: skip
        assert world.select(EVE, "analogsignal", (f"name__{lookup}", text)) == wanted, text
        if text in TEXTS[1::4]:
            everything = world.expect(EVE, "analogsignal", lambda _: True)
            rest = [number for number in everything if number not in wanted]
            assert world.select(EVE, "analogsignal", (f"n__name__{lookup}", text)) == rest, text


def test_a_filter_without_a_lookup_is_exact(world: World) -> None:
    wanted = world.expect(BOB, "analogsignal", lambda r: r.attributes["name"] == "ärger")
    assert len(wanted) > 3
    assert world.select(BOB, "analogsignal", ("name", "ärger")) == wanted


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_texts_as_they_come(world: World, data: st.DataObject) -> None:
    letters = "".join(name or "" for name in NAMES)
    text = data.draw(st.text(st.sampled_from(letters + "Xß'\"%_"), max_size=4))
    lookup = data.draw(st.sampled_from(sorted(TEXT)))
    wanted = world.expect(
        ADMIN, "analogsignal",
        lambda r: (n := r.attributes["name"]) is not None and TEXT[lookup](n, text),
    )  # fmt: skip
    assert world.select(ADMIN, "analogsignal", (f"name__{lookup}", text)) == wanted


@pytest.mark.parametrize(
    ("pattern", "python"),
    [
        ("^[a-zä]", "^[a-zä]"),
        (r"\d$", r"\d\Z"),
        ("e( |r)", "e( |r)"),
        ("^$", r"^\Z"),
        ("[^a-z]{4}", "[^a-z]{4}"),
        (r"\\|%", r"\\|%"),
        ("l+e?.*[12]", "l+e?.*[12]"),
        (r"\W", "[^a-zA-Z0-9_]"),
        ("(?:a|b)_?b", "(?:a|b)_?b"),
    ],
)
def test_patterns(world: World, pattern: str, python: str) -> None:
    for lookup, flags in (("regex", 0), ("iregex", re.IGNORECASE)):
        wanted = world.expect(
            ADMIN, "analogsignal",
            lambda r, flags=flags: (n := r.attributes["name"]) is not None
            and bool(re.search(python, fold(n) if flags else n, flags)),
        )  # fmt: skip
        assert world.select(ADMIN, "analogsignal", (f"name__{lookup}", pattern)) == wanted


def test_patterns_of_folded_text(world: World) -> None:
    wanted = world.expect(
        ADMIN, "analogsignal", lambda r: "strasse" in fold(r.attributes["name"] or "")
    )
    assert len(wanted) == 24
    assert world.select(ADMIN, "analogsignal", ("name__iregex", "^STRA(ß|x)E")) == wanted
    upper = world.expect(
        ADMIN, "analogsignal", lambda r: fold(r.attributes["name"] or "") == "ärger"
    )
    assert world.select(ADMIN, "analogsignal", ("name__iregex", "^[À-Ü]rger$")) == upper


@pytest.mark.parametrize(
    "pattern", ["(", ")", "a**", "[a", r"\b", "(?=a)", "a{300}", "*a", "(a{99}){99}", "x" * 201]
)
def test_patterns_that_are_refused(world: World, pattern: str) -> None:
    with pytest.raises(ServiceError, match="pattern that is refused") as error:
        world.select(BOB, "analogsignal", ("name__regex", pattern))
    assert (error.value.message_type, error.value.details) == ("wrong_params", "name__regex")


NUMBER = {"gt": operator.gt, "gte": operator.ge, "ge": operator.ge, "lt": operator.lt,
          "lte": operator.le, "le": operator.le, "exact": operator.eq}  # fmt: skip


@pytest.mark.parametrize("lookup", NUMBER)
@pytest.mark.parametrize("text", ["0", "3", "-4.5", "1e2", "99999999999999999999"])
def test_lookups_of_quantities(world: World, lookup: str, text: str) -> None:
    def holds(record: Record) -> bool:
        number = record.quantities["t_start"][0]
        return number is not None and NUMBER[lookup](number, float(text))

    wanted = world.expect(FRIEND, "analogsignal", holds)
    assert world.select(FRIEND, "analogsignal", (f"t_start__{lookup}", text)) == wanted


def test_lookups_of_whole_numbers_take_fractions(world: World) -> None:
    wanted = world.expect(ADMIN, "recordingchannel", lambda r: r.attributes["index"] > 0.5)
    assert len(wanted) == 12
    assert world.select(ADMIN, "recordingchannel", ("index__gt", "0.5")) == wanted
    assert world.select(ADMIN, "recordingchannel", ("index", "0.5")) == []
    assert world.select(ADMIN, "datafile", ("file_type", "5")) == [1, 2, 3]
    assert world.select(ADMIN, "datafile", ("conversion_type__gt", "70000")) == []
    assert world.select(ADMIN, "datafile", ("size__gte", "2")) == [2, 3]
    assert world.select(ADMIN, "datafile", ("mime__startswith", "application/")) == [1, 2, 3]


@pytest.mark.parametrize("text", ["[1,3]", "1, 3", "1,3", "[]", "", "3"])
def test_in_of_numbers(world: World, text: str) -> None:
    chosen = {float(part) for part in text.strip("[]").split(",") if part.strip()}
    wanted = world.expect(BOB, "analogsignal", lambda r: r.quantities["t_start"][0] in chosen)
    assert world.select(BOB, "analogsignal", ("t_start__in", text)) == wanted


def test_in_of_texts_ids_and_repeated_keys(world: World) -> None:
    wanted = world.expect(BOB, "analogsignal", lambda r: r.attributes["name"] in {"a%b", "ÄRGER"})
    assert world.select(BOB, "analogsignal", ("name__in", "[a%b, ÄRGER]")) == wanted
    both = (("name__in", "a%b"), ("name__in", "[ÄRGER]"))
    assert world.select(BOB, "analogsignal", *both) == wanted
    ids = ("id__in", "1,2,/electrophysiology/analogsignal/4/,999999")
    assert world.select(BOB, "analogsignal", ids) == [1, 2, 4]
    assert world.select(ADMIN, "analogsignal", ("id__gt", "150")) == [151, 152, 153, 154, 155, 156]
    assert world.select(ADMIN, "analogsignal", ("pk", "7")) == [7]
    assert world.select(ADMIN, "analogsignal", ("id", "-1")) == []


def test_range(world: World) -> None:
    wanted = world.expect(
        BOB, "analogsignal", lambda r: -1 <= (r.quantities["t_start"][0] or 9) <= 2.5
    )
    zero = world.expect(BOB, "analogsignal", lambda r: r.quantities["t_start"][0] == 0)
    assert world.select(BOB, "analogsignal", ("t_start__range", "-1,2.5")) == sorted(
        {*wanted, *zero}
    )


@pytest.mark.parametrize("text", ["0", "1", "false", ""])
@pytest.mark.parametrize("key", ["name", "signal", "t_start", "recordingchannel", "metadata"])
def test_isnull(world: World, key: str, text: str) -> None:
    def unset(record: Record) -> bool:
        return {
            "name": lambda: record.attributes["name"] is None,
            "signal": lambda: record.arrays["signal"] is None,
            "t_start": lambda: record.quantities["t_start"] == (None, None),
            "recordingchannel": lambda: record.parents["recordingchannel"] is None,
            "metadata": lambda: not world.tags(EVE, record),
        }[key]()

    wanted = world.expect(EVE, "analogsignal", lambda r: unset(r) == (text != "0"))
    assert wanted
    assert world.select(EVE, "analogsignal", (f"{key}__isnull", text)) == wanted


def when(record: Record) -> datetime | None:
    found: datetime | None = record.attributes["filedatetime"]
    return found


@pytest.mark.parametrize(
    ("lookup", "text", "holds"),
    [
        ("year", "2021", lambda t: t.year == 2021),
        ("month", "4", lambda t: t.month == 4),
        ("day", "3", lambda t: t.day == 3),
        ("week_day", "3", lambda t: t.isoweekday() % 7 + 1 == 3),
        ("week_day", "6", lambda t: t.isoweekday() % 7 + 1 == 6),
        ("gt", "2020-03-03 12:30:15", lambda t: t > datetime(2020, 3, 3, 12, 30, 15)),
        ("gte", "2020-03-03T12:30:15Z", lambda t: t >= datetime(2020, 3, 3, 12, 30, 15)),
        ("lt", "2021-03-04", lambda t: t < datetime(2021, 3, 4)),
        ("lte", "2020-03-03 14:30:15+02:00", lambda t: t <= datetime(2020, 3, 3, 12, 30, 15)),
        ("exact", "2020-03-03 12:30:15", lambda t: t == datetime(2020, 3, 3, 12, 30, 15)),
        ("exact", "2020-03-03 12:30:15.5", lambda _: False),
        ("in", "2020-03-03 12:30:15,2021-04-04 12:30:15", lambda t: t.month != 4 or t.year == 2021),
        ("range", "2020-04-01,2021-04-01", lambda t: (2020, 4) <= (t.year, t.month) < (2021, 4)),
    ],
)
def test_lookups_of_times(world: World, lookup: str, text: str, holds: Any) -> None:
    wanted = world.expect(ADMIN, "block", lambda r: when(r) is not None and holds(when(r)))
    if lookup == "in":
        chosen = {datetime(2020, 3, 3, 12, 30, 15), datetime(2021, 4, 4, 12, 30, 15)}
        wanted = world.expect(ADMIN, "block", lambda r: when(r) in chosen)
    assert world.select(ADMIN, "block", (f"filedatetime__{lookup}", text)) == wanted


@pytest.mark.parametrize("who", EVERYBODY, ids=lambda who: who.username or "anonymous")
@pytest.mark.parametrize(
    "kind", ["analogsignal", "segment", "block", "section", "property", "value"]
)
def test_lists_hold_what_may_be_seen(world: World, kind: str, who: Principal) -> None:
    assert world.select(who, kind) == world.expect(who, kind, lambda _: True)


@pytest.mark.parametrize("who", EVERYBODY, ids=lambda who: who.username or "anonymous")
def test_filters_through_parents_do_not_tell_of_what_cannot_be_seen(
    world: World, who: Principal
) -> None:
    def inside(record: Record) -> bool:
        return any(
            "block 1" in block.attributes["name"].lower()
            for segment in world.above(who, record, "segment")
            for block in world.above(who, segment, "block")
        )

    wanted = world.expect(who, "analogsignal", inside)
    key = "segment__block__name__icontains"
    assert world.select(who, "analogsignal", (key, "bLOCK 1")) == wanted
    assert world.select(who, "analogsignal", ("block__name__icontains", "block 1")) == wanted
    rest = world.expect(who, "analogsignal", lambda r: not inside(r))
    assert world.select(who, "analogsignal", (f"n__{key}", "block 1")) == rest


def test_ids_of_parents(world: World) -> None:
    in_one = world.expect(ADMIN, "analogsignal", lambda r: r.parents["segment"] == 1)
    for text in ("1", "/electrophysiology/segment/1", "http://host/electrophysiology/segment/1/"):
        assert world.select(ADMIN, "analogsignal", ("segment", text)) == in_one
    several = world.expect(ADMIN, "analogsignal", lambda r: r.parents["segment"] in {1, 5})
    assert world.select(ADMIN, "analogsignal", ("segment__in", "1,5")) == several
    segments = {n for n, record in world.objects["segment"].items() if record.parents["block"] == 2}
    block = world.expect(ADMIN, "analogsignal", lambda r: r.parents["segment"] in segments)
    assert world.select(ADMIN, "analogsignal", ("segment__block", "2")) == block
    assert world.select(ADMIN, "analogsignal", ("block", "/electrophysiology/block/2")) == block
    assert world.select(ADMIN, "analogsignal", ("block", "77")) == []


def test_parents_of_which_there_are_several(world: World) -> None:
    def groups(record: Record) -> list[Record]:
        return world.above(EVE, record, "recordingchannelgroup")

    wanted = world.expect(
        EVE, "recordingchannel", lambda r: any(g.attributes["name"] == "Group 1" for g in groups(r))
    )
    key = "recordingchannelgroup"
    assert wanted
    assert world.select(EVE, "recordingchannel", (f"{key}__name", "Group 1")) == wanted
    unset = world.expect(EVE, "recordingchannel", lambda r: not r.parents[key])
    assert world.select(EVE, "recordingchannel", (f"{key}__isnull", "1")) == unset
    some = world.expect(EVE, "recordingchannel", lambda r: r.parents[key])
    assert world.select(EVE, "recordingchannel", (f"{key}__isnull", "0")) == some
    one = world.expect(EVE, "recordingchannel", lambda r: 2 in r.parents[key])
    assert world.select(EVE, "recordingchannel", (key, "2")) == one
    two = world.expect(EVE, "recordingchannel", lambda r: {2, 3} & {*r.parents[key]})
    assert world.select(EVE, "recordingchannel", (f"{key}__in", "2,3")) == two
    far = world.expect(
        EVE, "analogsignal",
        lambda r: any(g.attributes["name"] == "Group 1" for c in
                      world.above(EVE, r, "recordingchannel") for g in groups(c)),
    )  # fmt: skip
    assert (
        world.select(
            EVE, "analogsignal", ("recordingchannel__recordingchannelgroup__name", "Group 1")
        )
        == far
    )
    assert world.select(EVE, "analogsignal", ("recordingchannelgroup__name", "Group 1")) == far


def test_filters_through_children(world: World) -> None:
    def has(record: Record, name: str) -> bool:
        signals = world.below(EVE, record, "analogsignal")
        return any(each.attributes["name"] == name for each in signals)

    wanted = world.expect(EVE, "segment", lambda r: has(r, "a%b"))
    assert wanted
    assert world.select(EVE, "segment", ("analogsignal_set__name", "a%b")) == wanted
    rest = world.expect(EVE, "segment", lambda r: not has(r, "a%b"))
    assert world.select(EVE, "segment", ("n__analogsignal_set__name", "a%b")) == rest
    empty = world.expect(EVE, "segment", lambda r: not world.below(EVE, r, "analogsignal"))
    assert world.select(EVE, "segment", ("analogsignal_set__isnull", "1")) == empty
    assert world.select(ADMIN, "segment", ("analogsignal_set", "14")) == [2]
    assert world.select(ADMIN, "segment", ("analogsignal_set__in", "1,14")) == [1, 2]
    assert world.select(ADMIN, "segment", ("irregularlysampledsignal_set__isnull", "0")) == []
    groups = world.expect(
        EVE, "recordingchannelgroup",
        lambda r: any(c.attributes["index"] == 2 for c in world.below(EVE, r, "recordingchannel")),
    )  # fmt: skip
    assert (
        world.select(EVE, "recordingchannelgroup", ("recordingchannel_set__index", "2")) == groups
    )
    blocks = world.expect(
        ADMIN, "block",
        lambda r: any(has_start(s) for seg in world.below(ADMIN, r, "segment")
                      for s in world.below(ADMIN, seg, "analogsignal")),
    )  # fmt: skip
    key = "segment_set__analogsignal_set__t_start__lt"
    assert world.select(ADMIN, "block", (key, "-4")) == blocks


def has_start(record: Record) -> bool:
    start = record.quantities["t_start"][0]
    return start is not None and start < -4


@pytest.mark.parametrize("who", EVERYBODY, ids=lambda who: who.username or "anonymous")
def test_metadata(world: World, who: Principal) -> None:
    green = world.expect(who, "analogsignal", lambda r: 1 in [v.id for v in world.tags(who, r)])
    assert world.select(who, "analogsignal", ("metadata", "/metadata/value/1")) == green
    both = world.expect(who, "analogsignal", lambda r: {1, 2} <= {v.id for v in world.tags(who, r)})
    pair = (("^1metadata", "/metadata/value/1"), ("^2metadata", "2"))
    assert world.select(who, "analogsignal", *pair) == both
    one = world.expect(who, "analogsignal", lambda r: {1, 2} & {v.id for v in world.tags(who, r)})
    assert world.select(who, "analogsignal", ("metadata__in", "1,2")) == one

    def tagged_green(record: Record) -> bool:
        return any("gre" in value.attributes["data"].lower() for value in world.tags(who, record))

    values = world.expect(who, "analogsignal", tagged_green)
    assert world.select(who, "analogsignal", ("value", "GRE")) == values

    def names(record: Record) -> list[str]:
        return [
            p.attributes["name"]
            for v in world.tags(who, record)
            for p in world.above(who, v, "parent_property")
        ]

    colours = world.expect(who, "analogsignal", lambda r: "Colour" in names(r))
    assert world.select(who, "analogsignal", ("property", "olou")) == colours
    assert world.select(who, "analogsignal", ("property__exact", "Colour")) == colours


def test_sections_of_values_at_any_depth(world: World) -> None:
    by_property = {"s1": {"Colour", "Contrast"}, "s2": {"Contrast"}}

    def below(section: str) -> list[int]:
        return world.expect(
            ADMIN, "analogsignal",
            lambda r: any(world.above(ADMIN, v, "parent_property")[0].attributes["name"]
                          in by_property[section] for v in world.tags(ADMIN, r)),
        )  # fmt: skip

    assert world.select(ADMIN, "analogsignal", ("section", "stim")) == below("s1")
    assert world.select(ADMIN, "analogsignal", ("section", "experiment")) == below("s1")
    assert world.select(ADMIN, "analogsignal", ("section", "DEEP")) == below("s2")
    assert world.select(ADMIN, "block", ("section", "2")) == world.expect(
        ADMIN, "block", lambda r: r.parents["section"] == 2
    )
    assert world.select(ADMIN, "value", ("section__name", "Deep one")) == [2, 4, 6]


def test_text_or_number_is_compared_as_text_and_given_back_as_it_was(world: World) -> None:
    assert world.select(ADMIN, "section", ("odml_type", "5")) == [1, 2, 4, 5, 7, 8]
    types = [world.objects["section"][number].attributes["odml_type"] for number in (1, 2, 3)]
    assert types == [5, "5", None]


@pytest.mark.parametrize("who", EVERYBODY, ids=lambda who: who.username or "anonymous")
@pytest.mark.parametrize("kind", ["analogsignal", "value"])
def test_owner_and_levels(world: World, kind: str, who: Principal) -> None:
    def owner(record: Record) -> int:
        return world.holder(record).owner_id

    eves = world.expect(who, kind, lambda r: owner(r) == 2)
    for text in ("eve", "EVE", "2", "/profiles/profile/2", "/profiles/profile/2/"):
        assert world.select(who, kind, ("owner", text)) == eves
    two = world.expect(who, kind, lambda r: owner(r) in {1, 3})
    assert world.select(who, kind, ("owner__in", "bob,3")) == two
    assert world.select(who, kind, ("owner", "nobody")) == []
    rest = world.expect(who, kind, lambda r: owner(r) != 2)
    assert world.select(who, kind, ("n__owner", "eve")) == rest
    for level in (1, 2, 3):
        wanted = world.expect(
            who, kind, lambda r, level=level: world.holder(r).safety_level == level
        )
        assert world.select(who, kind, ("safety_level", str(level))) == wanted


@pytest.mark.parametrize("who", [BOB, EVE, STRANGER, ANONYMOUS])
def test_visibility(world: World, who: Principal) -> None:
    def shared(record: Record) -> bool:
        return any(
            s["type"] == record.type and s["object_id"] == record.id
            and ((s["user_id"] == who.user_id and who.user_id is not None)
                 or s["group_id"] in who.groups)
            for s in world.shares
        )  # fmt: skip

    cases: dict[str, Callable[[Record], bool]] = {
        "all": lambda _: True,
        "public": lambda r: r.safety_level == 1,
        "private": lambda r: r.safety_level == 3 and r.owner_id == who.user_id,
        "shared": shared,
    }
    for text, holds in cases.items():
        wanted = world.expect(who, "analogsignal", holds)
        assert world.select(who, "analogsignal", ("visibility", text)) == wanted


def test_top_sections(world: World) -> None:
    def top(record: Record) -> bool:
        return not world.above(EVE, record, "parent_section")

    mine = world.expect(EVE, "section", lambda r: top(r) and r.owner_id == 2)
    assert world.select(EVE, "section", ("top", "owned")) == mine == [4]
    others = world.expect(EVE, "section", lambda r: top(r) and r.owner_id != 2)
    assert world.select(EVE, "section", ("top", "shared")) == others
    assert others


def test_created(world: World) -> None:
    first = world.objects["block"][1].created
    printed = f"{first:%Y-%m-%d %H:%M:%S}"
    assert 1 in world.select(ADMIN, "block", ("created_min", printed))
    assert 1 in world.select(ADMIN, "block", ("created_max", printed))
    assert 1 in world.select(ADMIN, "block", ("date_created", printed))
    assert world.select(ADMIN, "block", ("created_max", "2001-01-01")) == []
    assert world.select(ADMIN, "block", ("created_min", first.isoformat())) == [1, 2, 3, 4, 5, 6]


def test_several_filters_must_all_hold(world: World) -> None:
    wanted = world.expect(
        ADMIN, "analogsignal",
        lambda r: "ä" in fold(r.attributes["name"] or "")
        and r.quantities["sampling_rate"][0] == 1000,
    )  # fmt: skip
    pairs = (("name__icontains", "Ä"), ("sampling_rate", "1000"))
    assert world.select(ADMIN, "analogsignal", *pairs) == wanted
    twice = (("name__icontains", "Ä"), ("name__icontains", "R"))
    upper = world.expect(
        ADMIN, "analogsignal", lambda r: {"ä", "r"} <= {*fold(r.attributes["name"] or "")}
    )
    assert world.select(ADMIN, "analogsignal", *twice) == upper


def test_search_finds_words_in_names_and_annotations(world: World) -> None:
    def holds(record: Record, words: list[str]) -> bool:
        texts = [fold(str(value)) for value in record.attributes.values() if value is not None]
        texts += [fold(v.attributes["data"]) for v in world.tags(EVE, record)]
        texts += [
            fold(p.attributes["name"])
            for v in world.tags(EVE, record)
            for p in world.above(EVE, v, "parent_property")
        ]
        return all(any(word in text for text in texts) for word in words)

    for words in ("Zelle", "GREEN", "contrast number", "strasse 12", "nothing"):
        wanted = world.expect(EVE, "analogsignal", lambda r, w=words: holds(r, fold(w).split()))
        assert world.select(EVE, "analogsignal", ("search", words)) == wanted, words


@pytest.mark.parametrize(
    ("key", "text", "named"),
    [
        ("colour", "x", "colour"),
        ("name__upper", "x", "name__upper"),
        ("name__icontains__x", "x", "name__icontains__x"),
        ("segment__colour", "x", "segment__colour"),
        ("segment__gt", "3", "segment__gt"),
        ("segment", "abc", "segment"),
        ("segment", "/electrophysiology/block/1", "segment"),
        ("t_start__gt", "abc", "t_start__gt"),
        ("t_start__gt", "nan", "t_start__gt"),
        ("t_start__contains", "1", "t_start__contains"),
        ("t_start__range", "1", "t_start__range"),
        ("signal", "1", "signal"),
        ("date_created__year", "x", "date_created__year"),
        ("date_created", "yesterday", "date_created"),
        ("safety_level", "4", "safety_level"),
        ("visibility", "some", "visibility"),
        ("top", "owned", "top"),
        ("owner__gt", "1", "owner__gt"),
        ("metadata", "x", "metadata"),
        ("metadata__gt", "1", "metadata__gt"),
        ("created_min", "x", "created_min"),
        ("name__", "x", "name__"),
        ("__name", "x", "__name"),
        ("name", "\0", "name"),
        ("max_results", "-1", "max_results"),
        ("limit", "x", "limit"),
        ("offset", "1.5", "offset"),
        ("offset", "-2", "offset"),
        ("order_by", "colour", "order_by"),
        ("order_by", "signal", "order_by"),
        ("cursor", "xyz", "cursor"),
        ("at_time", "x", "at_time"),
        ("groups_of", "0", "groups_of"),
        ("n__n__name", "x", "n__n__name"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(
    world: World, key: str, text: str, named: str
) -> None:
    with pytest.raises(ServiceError) as error:
        world.select(
            BOB, "analogsignal", *[(key, text)] if key != "max_results" else [("limit", text)]
        )
    assert (error.value.status, error.value.message_type) == (400, "wrong_params")
    assert error.value.details == ("limit" if key == "max_results" else named)


def test_parameters_of_others_are_passed_over(world: World) -> None:
    pairs = [("q", "info"), ("start_time", "3"), ("format", "json"), ("show_kids", "0")]
    assert ListQuery.parse(pairs) == ListQuery()


KEYS: dict[str, Callable[[World, Record], Any]] = {
    "id": lambda _, r: r.id,
    "name": lambda _, r: r.attributes["name"],
    "t_start": lambda _, r: r.quantities["t_start"][0],
    "sampling_rate": lambda _, r: r.quantities["sampling_rate"][0],
    "recordingchannel": lambda _, r: r.parents["recordingchannel"],
    "owner": lambda _, r: r.owner_id,
    "segment__name": lambda w, r: w.objects["segment"][r.parents["segment"]].attributes["name"],
    "segment__block__name": lambda w, r: w.above(ADMIN, w.above(ADMIN, r, "segment")[0], "block")[0]
    .attributes["name"],
}  # fmt: skip
ORDERS = ("id", "-id", "name", "-name", "t_start", "-t_start,name", "sampling_rate,-name",
          "recordingchannel", "-recordingchannel", "owner,-t_start", "segment__name,name",
          "-segment__block__name,-t_start")  # fmt: skip


def sorted_ids(world: World, order: str) -> list[int]:
    """Sort in Python: nulls last, descending first; ties by id in the last direction."""
    records = list(world.objects["analogsignal"].values())
    names = order.split(",")
    if names[-1].lstrip("-") != "id":
        names.append("-id" if names[-1].startswith("-") else "id")
    for name in reversed(names):
        key = KEYS[name.lstrip("-")]
        records.sort(
            key=lambda r, key=key: ((v := key(world, r)) is None, v if v is not None else 0),
            reverse=name.startswith("-"),
        )
    return [record.id for record in records]


@pytest.mark.parametrize("order", ORDERS)
def test_order_offsets_and_cursors(world: World, order: str) -> None:
    wanted = sorted_ids(world, order)
    assert world.select(ADMIN, "analogsignal", ("order_by", order)) == wanted
    found: list[int] = []
    cursor: str | None = None
    with world.database.reading() as connection:
        for offset in (0, 17, 150, 156, 400):
            query = ListQuery.parse([("order_by", order), ("offset", str(offset)), ("limit", "9")])
            page = reading.select(connection, ADMIN, "analogsignal", query, detail=BRIEF)
            assert [record.id for record in page.records] == wanted[offset : offset + 9]
            assert page.has_more == (offset + 9 < len(wanted))
        while True:
            pairs = [("order_by", order), ("max_results", "37")]
            query = ListQuery.parse(pairs + ([("cursor", cursor)] if cursor else []))
            page = reading.select(connection, ADMIN, "analogsignal", query, detail=BRIEF)
            found += [record.id for record in page.records]
            cursor = page.next_cursor
            if cursor is None:
                break
    assert found == wanted


@pytest.mark.parametrize("limits", [(1000, 20_000), (0, 0), (1000, 0)])
@pytest.mark.parametrize("order", ["id", "-name", "segment__name,-t_start", "-recordingchannel"])
def test_the_way_to_the_objects_does_not_change_what_is_found(
    world: World, order: str, limits: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driving, "_MOST_PARENTS", limits[0])
    monkeypatch.setattr(driving, "_MOST_CHILDREN", limits[1])
    filters = (("block__name__endswith", "-1"), ("segment__block__name__contains", "Block"))
    inside = {
        number
        for number, record in world.objects["analogsignal"].items()
        if world.above(ADMIN, world.above(ADMIN, record, "segment")[0], "block")[0]
        .attributes["name"]
        .endswith("-1")
    }
    wanted = [number for number in sorted_ids(world, order) if number in inside]
    assert world.select(ADMIN, "analogsignal", *filters, ("order_by", order)) == wanted
    found: list[int] = []
    cursor: str | None = None
    for _ in range(4):
        query = ListQuery(filters, tuple(order.split(",")), max_results=23, cursor=cursor)
        with world.database.reading() as connection:
            page = reading.select(connection, ADMIN, "analogsignal", query, detail=BRIEF)
        found += [record.id for record in page.records]
        cursor = page.next_cursor
    assert cursor is None
    assert found == wanted
    assert len(wanted) == 78


def test_a_cursor_of_another_order_is_refused(world: World) -> None:
    with world.database.reading() as connection:
        query = ListQuery(order_by=("name",), max_results=3)
        page = reading.select(connection, ADMIN, "analogsignal", query)
        other = ListQuery(order_by=("-name",), cursor=page.next_cursor)
        with pytest.raises(ServiceError, match="does not belong to this list"):
            reading.select(connection, ADMIN, "analogsignal", other)


def test_all_ids_of_a_selection(world: World) -> None:
    query = ListQuery(filters=(("block__name", "Block 1-1"),), max_results=5, order_by=("-name",))
    wanted = world.select(BOB, "analogsignal", ("block__name", "Block 1-1"))
    with world.database.reading() as connection:
        assert reading.select_ids(connection, BOB, "analogsignal", query) == wanted
    assert len(wanted) == 26


def test_totals(world: World) -> None:
    def page(**options: Any) -> Any:
        with world.database.reading() as connection:
            return reading.select(
                connection, ADMIN, "analogsignal", ListQuery(**options), detail=BRIEF
            )

    assert page(max_results=10).total is None
    assert page(max_results=10, count=True).total == 156
    assert page(max_results=10, offset=150).total == 156
    assert page(max_results=10, offset=500).total is None
    assert page(max_results=10, offset=500, count=True).total == 156
    assert page(max_results=0).total is None
    assert page(max_results=0, count=True).total == 156
    assert page(max_results=0).has_more
    assert page(filters=(("name", "none"),)).total == 0


@pytest.mark.parametrize(("groups_of", "spacing"), [(1, 0), (2, 3), (5, 1), (100, 100)])
def test_groups_and_spacing(world: World, groups_of: int, spacing: int) -> None:
    everything = sorted_ids(world, "-name")
    wanted = [
        number
        for place, number in enumerate(everything)
        if place % (groups_of + spacing) < groups_of
    ]
    query = ListQuery(
        order_by=("-name",), groups_of=groups_of, spacing=spacing, offset=3, max_results=50,
        count=True,
    )  # fmt: skip
    with world.database.reading() as connection:
        page = reading.select(connection, ADMIN, "analogsignal", query, detail=BRIEF)
    assert [record.id for record in page.records] == wanted[3:53]
    assert page.total == len(wanted)


@pytest.mark.parametrize(
    "pairs",
    [
        [("offset", str(2**62))],
        [("groups_of", str(10**9)), ("spacing", str(10**9))],
        [("id", str(2**63 - 1))],
        [("id__gt", "9" * 300)],
        [("safety_level__gt", "99999999")],
        [("file_type", "99999999")],
        [("size__in", "1,2.5,99999999999999999999")],
        [("name", "x" * 100_000)],
        [("name__startswith", "\U0010ffff")],
        [("created_min", "9999-12-31")],
        [("created_max", "0001-01-01")],
        [("date_created__year", "1")],
        [("date_created__day", "9000")],
    ],
)
def test_extreme_values_are_answered(world: World, pairs: list[tuple[str, str]]) -> None:
    found = world.select(ADMIN, "datafile", *pairs) if pairs[0][0] != "offset" else []
    assert found in ([], [1], [1, 2, 3])
    with world.database.reading() as connection:
        reading.select(connection, ADMIN, "datafile", ListQuery.parse(pairs))


@pytest.mark.parametrize("text", ["9999-12-31 23:59:59", "0001-01-01", "x\ud800"])
def test_extreme_times_and_texts(world: World, text: str) -> None:
    for key in ("date_created", "date_created__gt", "date_created__lte", "name"):
        found: object
        try:
            found = world.select(ADMIN, "datafile", (key, text))
        except ServiceError as error:
            found = (error.message_type, error.details)
        assert found in ([], [1, 2, 3], ("wrong_params", key))
