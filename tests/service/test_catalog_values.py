"""Ids, permalinks, times, guids and patterns: what needs no database (but for one style of ids)."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.service.catalog import permalinks, reading, writing
from ephyrus.service.catalog.guid import guid_of
from ephyrus.service.catalog.ids import format_id, parse_id
from ephyrus.service.catalog.permalinks import Reference
from ephyrus.service.catalog.query import ListQuery
from ephyrus.service.catalog.values import parse_moment
from ephyrus.service.db.engine import Database
from ephyrus.service.db.patterns import PatternError, parse
from ephyrus.service.errors import ServiceError
from ephyrus.service.settings import Settings
from ephyrus.service.types import TYPES
from tests.service.catalog_lab import BOB, add_users


def test_ids_of_both_styles() -> None:
    assert format_id(11) == 11
    assert parse_id("11") == parse_id(11) == 11
    assert format_id(1, "base32") == "1000000001"
    assert format_id(2**40, "base32") == "1100000000"
    assert parse_id("100000000V", "base32") == parse_id("100000000v", "base32") == 31
    for text in ("0", "-1", "1.0", "", "x", "²", "9" * 19, "9" * 40, " 1"):
        with pytest.raises(ServiceError, match="no object with the id") as error:
            parse_id(text)
        assert error.value.status == 404
    for text in ("11", "0000000001", "1000000000", "100000000W", "10000000011"):
        with pytest.raises(ServiceError, match="no object with the id"):
            parse_id(text, "base32")


@given(st.integers(1, 2**49), st.sampled_from(["int", "base32"]))
def test_an_id_that_is_printed_is_read(number: int, style: str) -> None:
    assert parse_id(format_id(number, style), style) == number


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("/electrophysiology/block/7", Reference("block", 7)),
        ("electrophysiology/block/7/", Reference("block", 7)),
        ("http://host:80/electrophysiology/irregularlysampledsignal/7/?q=1",
         Reference("irsaanalogsignal", 7)),
        ("/metadata/sections/3", Reference("section", 3)),
        ("/datafiles/2177", Reference("datafile", 2177)),
        ("/datafiles/datafile/2177/data/", Reference("datafile", 2177)),
        ("/datafiles/2177?start_index=3&end_index=9", Reference("datafile", 2177)),
        ("7", Reference(None, 7)),
        (7, Reference(None, 7)),
    ],
)  # fmt: skip
def test_permalinks_that_are_accepted(text: str | int, reference: Reference) -> None:
    assert permalinks.parse(text) == reference
    if reference.type:
        assert permalinks.parse(text, kind=reference.type) == reference
        other = "unit"
        with pytest.raises(ServiceError, match="is not a unit"):
            permalinks.parse(text, kind=other)


@pytest.mark.parametrize(
    "value", ["", "x", "/", "0", "-1", None, True, 1.5, [1], "/electrophysiology/cell/1",
              "/metadata/block/1", "/datafiles/", "http://host", "http://7", "//[", "7" * 30]
)  # fmt: skip
def test_what_is_no_permalink(value: object) -> None:
    with pytest.raises(ServiceError) as error:
        permalinks.parse(value)
    assert error.value.message_type == "wrong_reference"


def test_permalinks_as_printed() -> None:
    assert permalinks.permalink("block", 7) == "/electrophysiology/block/7"
    assert permalinks.permalink("datafile", 7) == "/datafiles/7"
    assert permalinks.permalink("value", 7, "base32") == "/metadata/value/1000000007"
    assert permalinks.profile(3) == "/profiles/profile/3"
    for kind in TYPES:
        assert permalinks.parse(permalinks.permalink(kind, 5)) == Reference(kind, 5)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-21 18:00:01", datetime(2026, 11, 21, 18, 0, 1)),
        ("2026-11-21T18:00:01.25Z", datetime(2026, 11, 21, 18, 0, 1, 250_000)),
        ("2026-11-21 18:00:01+02:00", datetime(2026, 11, 21, 16, 0, 1)),
        (" 2026-11-21 ", datetime(2026, 11, 21)),
    ],
)
def test_times(text: str, moment: datetime) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize(
    "text", ["", "x", "18:00", "2026-13-01", "20261121", "2026-W01-1x", "0001-01-01T00:00:00+05:00"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no time|isoformat|range|month"):
        parse_moment(text)


def test_guids_are_digests_of_all_that_belongs_to_a_version() -> None:
    kind = TYPES["analogsignal"]
    names = ("name", "description", "sampling_rate", "sampling_rate__units", "t_start",
             "t_start__units", "signal_id", "signal__units", "segment_id", "recordingchannel_id",
             "analogsignalarray_id")  # fmt: skip
    row = {"id": 5, **dict.fromkeys(names)}
    seen = {guid_of(kind, row)}
    assert re.fullmatch("[0-9a-f]{40}", *seen)
    assert guid_of(kind, {**row, "guid": "x", "safety_level": 1, "last_modified": 3}) in seen
    for name in ("id", *names):
        seen.add(guid_of(kind, {**row, name: 7}, datafiles={7: "a" * 40}))
    seen.add(guid_of(kind, {**row, "signal_id": 7}, datafiles={7: "b" * 40}))
    seen.add(guid_of(kind, row, metadata=[1, 2]))
    assert len(seen) == len(names) + 4
    assert guid_of(kind, row, metadata=[2, 1]) in seen


TOKENS = ["a", "b", ".", "|", "(", ")", "*", "+", "?", "^", "$", "[ab]", "[^a]", "{1,2}", "{0}",
          r"\d", r"\.", "(?:", "b{2}"]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=7), st.text("ab1.\n", max_size=7))
def test_patterns_mean_what_they_mean_to_python(tokens: list[str], text: str) -> None:
    pattern = "".join(tokens)
    try:
        mine = parse(pattern)
    except PatternError:
        return
    theirs = re.compile("".join(r"\Z" if each == "$" else each for each in tokens), re.ASCII)
    assert mine.found_in(text) == bool(theirs.search(text))


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*)*(.*)*(.*)*$", "(a?){25}a{25}$", ".*.*.*.*.*=.*"],
)
def test_no_pattern_takes_long(pattern: str) -> None:
    mine = parse(pattern.replace("$", "b$"))
    assert not mine.found_in("a" * 20_000)
    assert len(mine._steps) < 100  # each was worked out once; then a character is one look-up


def test_a_pattern_forgets_what_it_has_seen_before_it_grows_without_end() -> None:
    mine = parse("[^a]b")
    text = "".join(chr(code) for code in range(0x4E00, 0x4E00 + 20_900))
    assert not mine.found_in(text)
    assert mine.found_in(text + "b")
    assert len(mine._steps) <= 20_000


def test_a_database_with_ids_of_the_other_style(tmp_path: Path) -> None:
    settings = Settings(data_folder=tmp_path, id_style="base32")
    database = Database(settings)
    database.upgrade()
    with database.writing() as conn:
        add_users(conn)
        block = writing.create(conn, BOB, "block", {"name": "b"})
        link = permalinks.permalink("block", block.id, "base32")
        segment = writing.create(conn, BOB, "segment", {"name": "s", "block": link})
        assert segment.parents == {"block": block.id}
        query = ListQuery(filters=(("block", "1000000001"), ("id__in", "1000000001,1000000002")))
        assert reading.select_ids(conn, BOB, "segment", query) == [segment.id]
        with pytest.raises(ServiceError, match="cannot be read"):
            reading.select_ids(conn, BOB, "segment", ListQuery(filters=(("block", "1"),)))
    database.close()
