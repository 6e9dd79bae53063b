"""Pages of a list that begin where earlier pages ended: the same objects as without that."""

from __future__ import annotations

import random
from urllib.parse import urlencode

import pytest

from ephyrus.service.catalog.bulk import NewObject, insert_tree
from ephyrus.service.routes import ends
from tests.service.support import Site

COUNT = 400
LIST = "/electrophysiology/segment/"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("service")) as made:
        yield made


@pytest.fixture(scope="module")
def ada(site):
    user = site.user("ada")
    chance = random.Random(1)
    segments = [
        NewObject(
            type="segment",
            key=str(number),
            attributes={"name": f"s{chance.randrange(20)}", "safety_level": 3},
        )
        for number in range(COUNT)
    ]
    with site.database.writing() as connection:
        insert_tree(connection, site.ids["ada"], segments)
    return user


def page(user, **parameters) -> tuple[list[str], dict]:
    answer = user.get(f"{LIST}?{urlencode(parameters)}")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    return [item["permalink"] for item in body["selected"]], body


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"order_by": "-id"},
        {"order_by": "name"},
        {"order_by": "-name", "name__gt": "s15"},
        {"q": "link", "count": 1},
    ],
)
def test_pages_are_parts_of_the_list(ada, asked):
    whole, _ = page(ada, **asked, max_results=COUNT)
    assert len(whole) > 50
    chance = random.Random(str(asked))
    for _ in range(30):
        offset, size = chance.randrange(len(whole) + 20), chance.choice([1, 7, 50])
        found, body = page(ada, **asked, offset=offset, max_results=size)
        assert found == whole[offset : offset + size]
        assert body["total"] == len(whole)
        last = offset + len(found) - 1
        assert body["selected_range"] == ([offset, last] if found else None)
        assert (body["next"] is None) == (last >= len(whole) - 1 or not found)
        if offset:
            assert f"offset={offset - size}" in body["previous"] or offset <= size


def test_what_others_see_and_what_has_changed_is_looked_up_anew(site, ada):
    eve = site.user("eve")
    doomed = ada.make("electrophysiology/segment", name="a")["permalink"]
    mine = eve.make("electrophysiology/segment", name="eve's")["permalink"]
    assert page(eve, offset=0, max_results=1)[0] == [mine]
    assert page(eve, offset=1)[0] == []
    asked = {"order_by": "-id", "max_results": 10}  # the new one is the first
    whole, _ = page(ada, order_by="-id", max_results=COUNT + 1)
    for offset in (100, 200):
        assert page(ada, **asked, offset=offset)[0] == whole[offset : offset + 10]
    assert ada.delete(doomed).status_code == 200
    whole.remove(doomed)
    assert page(ada, **asked, offset=220)[0] == whole[220:230]


def test_the_nearest_end_is_used_and_few_are_kept(ada, monkeypatch):
    monkeypatch.setattr(ends, "_MOST_ENDS", 8)
    begun, real = [], ends.from_nearest_end

    def noted(loader, key, stamp, query):
        found = real(loader, key, stamp, query)
        begun.append(query.offset - found.offset)
        kept = loader.known(key, stamp) or []
        assert len(kept) <= 8
        assert kept == sorted(kept)
        return found

    monkeypatch.setattr("ephyrus.service.routes.objects.from_nearest_end", noted)
    asked = {"q": "info", "safety_level": 3}  # a list of this test alone
    whole, _ = page(ada, **asked, max_results=COUNT)
    begun.clear()
    for offset in range(0, 200, 10):
        assert page(ada, **asked, offset=offset, max_results=10)[0] == whole[offset : offset + 10]
    assert begun == list(range(0, 200, 10))
    assert page(ada, **asked, offset=195, max_results=10)[0] == whole[195:205]
    assert begun[-1] in range(170, 196)
