"""What version 0.3.2 of the original client needs, step by step as it sends it.

The steps are those of the table of needs: addresses without a slash at the end, a session by
cookie, bare guids in conditional requests, bare ids as references, no Content-Type on JSON.
"""

from __future__ import annotations

import io
import json
from urllib.parse import urlsplit

import h5py
import httpx2
import numpy as np
import pytest

from ephyrus.service.accounts import users
from ephyrus.service.accounts.passwords import Passwords
from tests.service.support import Site

VALUES = np.linspace(0, 1, 50)


class Client:
    """Sends what the client sends."""

    def __init__(self, site: Site) -> None:
        self.http = site.http
        self.http.cookies.clear()

    def ask(self, method: str, path: str, **options) -> httpx2.Response:
        return self.http.request(method, f"/{path}", follow_redirects=False, **options)

    def login(self, name: str, password: str) -> httpx2.Response:
        return self.ask(
            "POST", "account/authenticate/", data={"username": name, "password": password}
        )

    def create(self, path: str, document: dict) -> dict:
        answer = self.ask("POST", path, content=json.dumps(document).encode())
        assert answer.status_code == 201, answer.text
        return answer.json()["selected"][0]

    def upload(self, values: np.ndarray) -> str:
        """Upload an array; its location."""
        body = io.BytesIO()
        with h5py.File(body, "w") as file:
            file.create_dataset("array", data=values)
        answer = self.ask(
            "POST", "datafiles/datafile/", files={"raw_file": ("a.h5", body.getvalue())}
        )
        assert 200 <= answer.status_code < 300, answer.text
        selected = answer.json()["selected"]
        first = selected if isinstance(selected, dict) else selected[0]
        return first["location"]


def _triple(item: dict) -> list[str]:
    """A location is taken apart into exactly category, type and id."""
    parts = item["location"].strip("/").split("/")
    assert len(parts) == 3
    assert parts[2] == item["id"]
    return parts


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("service")) as made:
        hashed = Passwords(made.settings).hash("pass word", name="bob")
        with made.database.writing() as conn:
            users.create(conn, "bob", password_hash=hashed)
            users.create(conn, "eve")
        yield made


@pytest.fixture
def client(site):
    made = Client(site)
    assert made.login("bob", "pass word").status_code == 200
    yield made
    made.ask("GET", "account/logout/")
    site.http.cookies.clear()


def test_login_gives_a_cookie_and_a_wrong_password_does_not(site):
    client = Client(site)
    assert 400 <= client.login("bob", "wrong").status_code < 500
    assert not client.http.cookies
    assert client.login("bob", "pass word").status_code == 200
    assert client.http.cookies
    assert client.ask("GET", "account/logout/").status_code == 200


def test_objects(client):
    block = client.create("electrophysiology/block", {"name": "day"})
    assert _triple(block)[:2] == ["electrophysiology", "block"]
    assert block["model"] == "neo_api.block"
    segment = client.create(
        "electrophysiology/segment", {"name": "trial", "block": int(block["id"])}
    )
    location = client.upload(VALUES)
    signal = client.create(
        "electrophysiology/analogsignal",
        {
            "name": "V",
            "segment": int(segment["id"]),
            "sampling_rate": {"data": 10.0, "units": "kHz"},
            "t_start": {"data": 0.0, "units": "ms"},
            "signal": {"units": "mV", "data": int(location.strip("/").split("/")[2])},
        },
    )
    assert (
        client.ask("GET", signal["location"].strip("/")).json()["selected"][0]["id"]
        == (signal["id"])
    )

    # the array: the id is cut out of the path of the link, which may carry a query
    link = signal["fields"]["signal"]["data"]
    number = urlsplit(link).path.strip("/").split("/")[-1]
    body = client.ask("GET", f"datafiles/datafile/{number}/data/").content
    with h5py.File(io.BytesIO(body), "r") as file:
        (name,) = file
        assert name == signal["fields"]["guid"]
        assert np.array_equal(file[name][:], VALUES)

    # lists, as they are filtered
    ids = f"{signal['id']},99999"
    for query in (
        "name__icontains=v",
        f"id__in={ids}",
        "max_results=5&offset=0",
    ):
        found = client.ask("GET", f"electrophysiology/analogsignal?{query}").json()["selected"]
        assert [each["id"] for each in found] == [signal["id"]]


def test_null_arrays_and_quantities_can_be_indexed(client):
    fields = client.create("electrophysiology/spike", {"time": {"data": 1, "units": "s"}})["fields"]
    for name in ("waveform", "sampling_rate", "left_sweep"):
        assert fields[name] == {"data": None, "units": None}


def test_labels_without_a_unit(client):
    labels = client.upload(np.array([b"a", b"bc"]))
    times = client.upload(np.array([0.1, 0.2]))
    made = client.create(
        "electrophysiology/eventarray",
        {
            "labels": {"units": None, "data": int(labels.strip("/").split("/")[2])},
            "times": {"units": "s", "data": int(times.strip("/").split("/")[2])},
        },
    )
    assert made["fields"]["labels"]["units"] is None


def test_a_guid_asks_whether_an_object_is_the_same(client):
    block = client.create("electrophysiology/block", {"name": "same"})
    path, guid = block["location"].strip("/"), block["fields"]["guid"]
    answer = client.ask("GET", path, headers={"If-none-match": guid})
    assert (answer.status_code, answer.content) == (304, b"")


def test_updates(client):
    block = client.create("electrophysiology/block", {"name": "a"})
    path, guid = block["location"].strip("/"), block["fields"]["guid"]
    answer = client.ask("POST", path, content=b'{"name": "b"}', headers={"If-match": guid})
    assert answer.json()["selected"][0]["fields"]["name"] == "b"
    refused = client.ask("POST", path, content=b'{"name": "c"}', headers={"If-match": guid})
    assert refused.status_code == 412


def test_several_parents(client):
    groups = [
        client.create("electrophysiology/recordingchannelgroup", {"name": name})
        for name in ("g1", "g2")
    ]
    channel = client.create(
        "electrophysiology/recordingchannel",
        {"name": "c", "recordingchannelgroup": [int(each["id"]) for each in groups]},
    )
    assert channel["fields"]["recordingchannelgroup"] == [each["permalink"] for each in groups]


def test_metadata(client):
    section = client.create("metadata/section", {"name": "s"})
    below = client.create("metadata/section", {"name": "t", "parent_section": int(section["id"])})
    assert below["fields"]["parent_section"] == section["permalink"]
    prop = client.create("metadata/property", {"name": "p", "section": int(section["id"])})
    value = client.create("metadata/value", {"data": "1", "parent_property": int(prop["id"])})
    block = client.create(
        "electrophysiology/block", {"name": "tagged", "section": int(section["id"])}
    )
    assert block["fields"]["section"] == section["permalink"]
    path = block["location"].strip("/")
    answer = client.ask(
        "POST", path, content=json.dumps({"metadata": [value["permalink"]]}).encode()
    )
    assert answer.json()["selected"][0]["fields"]["metadata"] == [value["permalink"]]


def test_rights_come_back_as_they_were_sent(client):
    block = client.create("electrophysiology/block", {"name": "shared"})
    path = f"{block['location'].strip('/')}/acl/"
    sent = {"safety_level": 1, "shared_with": {"eve": 1}}
    answer = client.ask("POST", path, content=json.dumps(sent).encode()).json()
    assert {name: answer[name] for name in sent} == sent
    again = client.ask("GET", path).json()
    assert {name: again[name] for name in sent} == sent


def test_what_was_deleted_is_missing(client):
    block = client.create("electrophysiology/block", {"name": "gone"})
    path = block["location"].strip("/")
    assert client.ask("DELETE", path).status_code == 200
    assert client.ask("GET", path).status_code == 404
