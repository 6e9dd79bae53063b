"""Events: who hears of which change, and going on where one stopped."""

from __future__ import annotations

import json

import pytest

from ephyrus.service.routes import events
from tests.service.support import Site


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request, tmp_path):
    settings = {}
    if request.param == "postgresql":
        settings["database"] = request.getfixturevalue("new_postgresql")()
    with Site(tmp_path, **settings) as made:
        yield made


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("service")) as made:
        yield made


def _hear(user, **params):
    """Read a stream to its end: (id, name, facts) of each event."""
    answer = user.get("/events/", params)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    first, *rest = answer.text.strip().split("\n\n")
    assert first == "retry: 1000"
    heard = []
    for text in rest:
        lines = dict(line.split(": ", 1) for line in text.split("\n"))
        heard.append((lines["id"], lines["event"], json.loads(lines["data"])))
    return heard


LONG_AGO = "2020-01-01T00:00:00"


def test_changes_are_told_to_those_who_may_see_them(site):
    bob, eve = site.user("bob"), site.user("eve")
    mine = bob.make("electrophysiology/block", name="mine")
    ((begin, name, facts),) = _hear(bob, since=_before(bob))
    assert (name, facts) == (
        "created",
        {
            "type": "block",
            "id": mine["fields"]["id"],
            "permalink": mine["permalink"],
            "guid": mine["fields"]["guid"],
        },
    )
    public = bob.make("electrophysiology/segment", name="public", safety_level=1)
    changed = bob.post(mine["permalink"], {"name": "other"}).json()["selected"][0]
    bob.delete(public["permalink"])
    heard = _hear(bob, since=begin)
    assert [(event, each["permalink"]) for _, event, each in heard] == [
        ("changed", mine["permalink"]),
        ("deleted", public["permalink"]),
    ]
    assert heard[0][2]["guid"] == changed["fields"]["guid"]
    for other in (eve, site.anonymous):
        assert [each["permalink"] for _, _, each in _hear(other, since=begin)] == [
            public["permalink"]
        ]
    assert _hear(bob, since=begin, type="block") == heard[:1]
    assert _hear(bob, since=heard[-1][0]) == []
    assert _hear(bob) == []  # from now on
    headers = {"Last-Event-ID": heard[0][0]}
    answer = bob.get("/events", {"since": begin}, headers=headers)
    assert answer.text.count("event: ") == 1


def _before(bob) -> str:
    """The time before anything was made: that of the block, a microsecond earlier."""
    created = bob.get("/electrophysiology/block/").json()["selected"][0]["fields"]["date_created"]
    return f"{created[:10]}T{created[11:]}"


def test_who_was_away_for_long_reads_the_lists_again(plain):
    bob = plain.user("bob")
    bob.make("electrophysiology/block", name="b")
    ((newest, name, facts),) = _hear(bob, since=LONG_AGO)
    assert (name, facts) == ("many", {"since": LONG_AGO})
    assert _hear(bob, since=newest) == []


def test_so_do_those_who_missed_too_much(plain, monkeypatch):
    monkeypatch.setattr(events, "_MOST", 2)
    bob = plain.user("bob")
    for number in range(3):
        bob.make("electrophysiology/block", name=str(number))
    ((newest, name, _),) = _hear(bob, since=_before(bob))
    assert name == "many"
    assert _hear(bob, since=newest) == []


@pytest.mark.parametrize(
    "params", [{"since": "yesterday"}, {"since": "2020-01-01T00:00:00Z"}, {"type": "x"},
               {"type": ""}, {"typ": "block"}]
)  # fmt: skip
def test_wrong_parameters(plain, params):
    answer = plain.anonymous.get("/events/", params)
    assert (answer.status_code, answer.json()["message_type"]) == (400, "wrong_params")


def test_there_is_a_limit(plain, monkeypatch):
    monkeypatch.setattr(events, "_MOST_STREAMS", 0)
    answer = plain.anonymous.get("/events/")
    assert (answer.status_code, answer.json()["message_type"]) == (503, "unavailable")
    assert answer.headers["retry-after"] == "30"
