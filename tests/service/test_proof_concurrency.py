"""Two server processes on one database and one store: writers and readers at the same time.

Every answer is compared with a model. Who has an acknowledgement knows that whoever asks from then
on, any process, sees at least that state.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest

from tests.service.processes import PATIENCE
from tests.service.servers import Place, Process, array_file, servers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc")

ROUNDS = 2  # of each actor in the mixed load, at least
SEGMENTS = "/electrophysiology/segment/"
SIGNALS = "/electrophysiology/analogsignal/"


class Cluster:
    """Two servers and two users."""

    def __init__(self, place: Place, processes: list[Process]) -> None:
        self.processes = processes
        self.ada = place.user("ada")[1]
        self.bob = place.user("bob")[1]

    def client(self, number: int, token: str | None = None) -> httpx2.Client:
        """Give a client of one of the servers."""
        return self.processes[number].client(self.ada if token is None else token)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    folder: Path = request.getfixturevalue("new_sqlite")()
    url = "" if request.param == "sqlite" else request.getfixturevalue("new_postgresql")()
    with Place(folder, url) as place, servers(place) as processes:
        yield Cluster(place, processes)
        assert [each.log for each in processes if '"level":"error"' in each.log] == []


@pytest.fixture
def pair(cluster: Cluster) -> Iterator[tuple[httpx2.Client, httpx2.Client]]:
    """Ada's clients of both servers."""
    with cluster.client(0) as here, cluster.client(1) as there:
        yield here, there


def make(client: httpx2.Client, path: str, **fields: Any) -> dict[str, Any]:
    answer = client.post(path, json=fields)
    assert answer.status_code == 201, answer.text
    return one(answer)


def one(answer: httpx2.Response) -> dict[str, Any]:
    """Give the only object of an answer."""
    assert answer.status_code in (200, 201), answer.text
    (item,) = answer.json()["selected"]
    return item


def together(*actions: Callable[[], Any]) -> list[Any]:
    """Run actions at the same time and give what they gave."""
    results: list[Any] = [None] * len(actions)
    failures: list[BaseException] = []
    start = threading.Barrier(len(actions))

    def run(number: int) -> None:
        try:
            start.wait(PATIENCE)
            results[number] = actions[number]()
        except BaseException as error:
            failures.append(error)
            start.abort()

    threads = [threading.Thread(target=run, args=(each,)) for each in range(len(actions))]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    if failures:
        raise failures[0]
    return results


def test_of_two_racing_updates_exactly_one_wins(
    pair: tuple[httpx2.Client, httpx2.Client],
) -> None:
    segment = make(pair[0], SEGMENTS, name="start")
    path = segment["permalink"]
    guid = segment["fields"]["guid"]
    for number in range(8):
        names = [f"{number} of {who}" for who in ("here", "there")]

        headers = {"If-Match": guid}
        answers = together(
            *(
                partial(client.post, path, json={"name": name}, headers=headers)
                for client, name in zip(pair, names, strict=True)
            )
        )
        assert sorted(each.status_code for each in answers) == [200, 412]
        won = [each.status_code for each in answers].index(200)
        lost = answers[1 - won].json()
        assert lost["message_type"] == "precondition_failed"
        for client in pair:
            seen = one(client.get(path))
            assert seen["fields"]["name"] == names[won]
            assert seen["fields"]["guid"] == one(answers[won])["fields"]["guid"]
        guid = seen["fields"]["guid"]


def test_of_racing_deletions_exactly_one_wins(pair: tuple[httpx2.Client, httpx2.Client]) -> None:
    for number in range(5):
        path = make(pair[0], SEGMENTS, name=f"to be deleted {number}")["permalink"]
        assert pair[1].get(path).status_code == 200
        answers = together(*(partial(each.delete, path) for each in pair))
        assert sorted(each.status_code for each in answers) == [200, 404]
        assert [each.get(path).status_code for each in pair] == [404, 404]


def test_a_revoked_token_is_dead_in_the_other_process(
    cluster: Cluster, pair: tuple[httpx2.Client, httpx2.Client]
) -> None:
    here, there = pair
    for number in range(4):
        made = here.post("/account/tokens", json={"name": f"t{number}", "scopes": ["read"]}).json()
        headers = {"Authorization": f"Bearer {made['token']}"}
        for each in (there, here, there):
            assert each.get("/account", headers=headers).json()["logged_in_as"] == "ada"
        assert here.delete(f"/account/tokens/{made['tokens'][0]['id']}").status_code == 200
        assert [each.get("/account", headers=headers).status_code for each in pair] == [401, 401]


def test_a_session_that_has_ended_is_dead_in_the_other_process(
    cluster: Cluster, pair: tuple[httpx2.Client, httpx2.Client]
) -> None:
    login = cluster.processes[0].client("")
    with login, cluster.processes[1].client("") as other:
        answer = login.post("/account/authenticate/", data={"token": cluster.ada})
        assert answer.status_code == 200, answer.text
        header = {"Cookie": "; ".join(f"{key}={value}" for key, value in login.cookies.items())}
        assert other.get("/account", headers=header).json()["logged_in_as"] == "ada"
        assert login.post("/account/logout/").status_code == 200
        assert other.get("/account", headers=header).status_code == 401


def test_rights_and_deletion_hold_at_once_in_the_other_process(
    cluster: Cluster, pair: tuple[httpx2.Client, httpx2.Client]
) -> None:
    here, _ = pair
    path = make(here, SEGMENTS, name="shared")["permalink"]
    with cluster.client(1, cluster.bob) as bob:
        for number in range(4):
            assert bob.get(path).status_code == 403
            shared = {"shared_with": {"bob": 1}}
            assert here.post(f"{path}/acl/", json=shared).status_code == 200
            assert one(bob.get(path))["fields"]["name"] == "shared"
            assert bob.post(path, json={"name": "x"}).status_code == 403
            assert [each["permalink"] for each in bob.get(SEGMENTS).json()["selected"]] == [path]
            assert here.post(f"{path}/acl/", json={"shared_with": {}}).status_code == 200
            assert bob.get(path).status_code == 403, number
            assert bob.get(SEGMENTS).json()["selected"] == []
        assert here.post(f"{path}/acl/", json={"safety_level": 1}).status_code == 200
        assert bob.get(path).status_code == 200
        assert here.delete(path).status_code == 200
        assert bob.get(path).status_code == 404


class Model:
    """What has been acknowledged, and what clients then check.

    Attributes
    ----------
    floor : Counter
        Number of the last acknowledged state of each object: nobody may see less from then on.
    counts : Counter
        Requests by kind.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.floor: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self.failures: list[BaseException] = []
        self._rounds: list[int] = []

    def play(self, *actors: Callable[[Model, random.Random], None]) -> None:
        """Let each actor act again and again until all have done so often, or one of them fails."""
        self._rounds = [0] * len(actors)
        threads = [
            threading.Thread(target=self._repeat, args=(actor, number))
            for number, actor in enumerate(actors)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        if self.failures:
            raise self.failures[0]

    def _repeat(self, actor: Callable[[Model, random.Random], None], number: int) -> None:
        dice = random.Random(number)
        try:
            while min(self._rounds) < ROUNDS and not self.failures:
                actor(self, dice)
                self._rounds[number] += 1
                self.counts[actor.__qualname__.rpartition(".")[2]] += 1
        except BaseException as error:
            self.failures.append(error)


def state(number: int) -> dict[str, Any]:
    """Give the fields of a state: each of them tells which one it is."""
    return {"name": f"mixed {number}", "description": "d" * (number % 50), "index": number}


def number_of(fields: dict[str, Any]) -> int:
    """Tell which state an object is in, and that it is whole."""
    number: int = fields["index"]
    expected = state(number)
    assert {name: fields[name] for name in expected} == expected
    return number


class Actors:
    """Writers and readers of a few segments of one block; each has clients of both servers."""

    def __init__(self, cluster: Cluster) -> None:
        self.local = threading.local()
        self.opened = ExitStack()
        self.cluster = cluster
        with cluster.client(0) as client:
            self.block = make(client, "/electrophysiology/block/", name="mixed")["permalink"]
            self.bulk = make(client, "/electrophysiology/block/", name="bulk")["permalink"]
            segments = [make(client, SEGMENTS, block=self.block, **state(0)) for _ in range(4)]
            for _ in range(10):
                make(client, SEGMENTS, block=self.bulk, name="b", index=0)
        self.paths = [each["permalink"] for each in segments]
        self.locks = {path: threading.Lock() for path in self.paths}
        self.bulk_lock = threading.Lock()
        self.signal, self.signal_lock = "", threading.Lock()

    def any(self, dice: random.Random) -> httpx2.Client:
        """Give this thread's client of one of the servers."""
        if not hasattr(self.local, "clients"):
            clients = [self.cluster.client(each) for each in (0, 1)]
            self.local.clients = [self.opened.enter_context(each) for each in clients]
        client: httpx2.Client = dice.choice(self.local.clients)
        return client

    def write(self, model: Model, dice: random.Random) -> None:
        """Update a segment, as its only writer for this moment."""
        path = dice.choice(self.paths)
        with self.locks[path]:
            number = model.floor[path] + 1
            answer = self.any(dice).post(path, json=state(number))
            assert number_of(one(answer)["fields"]) == number
            model.floor[path] = number

    def read(self, model: Model, dice: random.Random) -> None:
        """Read a segment."""
        path = dice.choice(self.paths)
        least = model.floor[path]
        answer = self.any(dice).get(path)
        assert number_of(one(answer)["fields"]) >= least
        assert answer.headers["etag"].strip('"') == one(answer)["fields"]["guid"]

    def read_again(self, model: Model, dice: random.Random) -> None:
        """Read a segment twice, the second time only if it has changed."""
        path = dice.choice(self.paths)
        first = self.any(dice).get(path)
        seen, least = number_of(one(first)["fields"]), model.floor[path]
        again = self.any(dice).get(path, headers={"If-None-Match": first.headers["etag"]})
        if again.status_code == 304:
            assert seen >= least
        else:
            assert number_of(one(again)["fields"]) > seen

    def select(self, model: Model, dice: random.Random) -> None:
        """Read all segments at once."""
        least = dict(model.floor)
        answer = self.any(dice).get(SEGMENTS, params={"block": self.block, "name__contains": "mix"})
        items = {each["permalink"]: each for each in answer.json()["selected"]}
        assert set(items) >= set(self.paths)
        for path in self.paths:
            assert number_of(items[path]["fields"]) >= least.get(path, 0)

    def write_all(self, model: Model, dice: random.Random) -> None:
        """Update all segments of the other block in one request."""
        with self.bulk_lock:
            number = model.floor["bulk"] + 1
            query = {"block": self.bulk, "bulk_update": "1"}
            answer = self.any(dice).post(SEGMENTS, params=query, json={"index": number})
            found = [each["fields"]["index"] for each in answer.json()["selected"]]
            assert found == [number] * 10
            model.floor["bulk"] = number

    def select_all(self, model: Model, dice: random.Random) -> None:
        """Read all of them: they have all been updated, or none."""
        least = model.floor["bulk"]
        answer = self.any(dice).get(SEGMENTS, params={"block": self.bulk})
        found = {each["fields"]["index"] for each in answer.json()["selected"]}
        assert len(answer.json()["selected"]) == 10
        assert len(found) == 1
        assert found.pop() >= least

    def come_and_go(self, model: Model, dice: random.Random) -> None:
        """Create a segment, see it everywhere, delete it, see it nowhere."""
        name = f"passing {dice.random()}"
        path = make(self.any(dice), SEGMENTS, block=self.block, name=name)["permalink"]
        assert one(self.any(dice).get(path))["fields"]["name"] == name
        found = self.any(dice).get(SEGMENTS, params={"name": name}).json()["selected"]
        assert [each["permalink"] for each in found] == [path]
        assert self.any(dice).delete(path).status_code == 200
        assert self.any(dice).get(path).status_code == 404
        assert self.any(dice).get(SEGMENTS, params={"name": name}).json()["selected"] == []

    def upload(self, model: Model, dice: random.Random) -> None:
        """Upload an array and make the signal point to it."""
        with self.signal_lock:
            number = model.floor["signal"] + 1
            values = np.arange(2000, dtype="<i4") + number
            files = {"raw_file": (f"{number}.h5", array_file(values))}
            answer = self.any(dice).post("/datafiles/", files=files)
            array = one(answer)["permalink"]
            fields: dict[str, Any] = {"signal": {"data": array, "units": "mV"}}
            fields["name"] = f"signal {number}"
            if self.signal:
                done = self.any(dice).post(self.signal, json=fields)
                assert one(done)["fields"]["name"] == fields["name"]
            else:
                fields["sampling_rate"] = {"data": 1000, "units": "Hz"}
                fields["t_start"] = {"data": 0, "units": "ms"}
                self.signal = make(self.any(dice), SIGNALS, **fields)["permalink"]
            model.floor["signal"] = number

    def read_part(self, model: Model, dice: random.Random) -> None:
        """Read a window of the signal in two steps, each from any server."""
        if not self.signal:
            time.sleep(0.01)
            return
        least, start = model.floor["signal"], dice.randrange(1900)
        window = {"start_time": start, "samples_count": 50, "format": "json"}
        fields = one(self.any(dice).get(self.signal, params=window))["fields"]
        number = int(fields["name"].split()[1])
        assert number >= least
        assert fields["t_start"] == {"data": start, "units": "ms"}
        values = self.any(dice).get(fields["signal"]["data"])
        assert values.status_code == 200, values.text
        assert values.json() == list(range(number + start, number + start + 50))


def test_readers_and_writers_at_the_same_time(cluster: Cluster) -> None:
    actors = Actors(cluster)
    model = Model(cluster)
    with actors.opened:
        model.play(
            actors.write,
            actors.write,
            actors.read,
            actors.read_again,
            actors.select,
            actors.write_all,
            actors.select_all,
            actors.come_and_go,
            actors.upload,
            actors.read_part,
        )
    kinds = set(model.counts)
    assert kinds == {
        "write", "read", "read_again", "select", "write_all", "select_all", "come_and_go",
        "upload", "read_part",
    }  # fmt: skip
    assert model.floor["signal"] >= 1
    with cluster.client(0) as here, cluster.client(1) as there:
        for path in actors.paths:
            expected = model.floor[path]
            assert number_of(one(here.get(path))["fields"]) == expected
            assert number_of(one(there.get(path))["fields"]) == expected
            versions = here.get(f"{path}/history/").json()
            assert len(
                versions["selected"] if "selected" in versions else versions["versions"]
            ) == (expected + 1)
