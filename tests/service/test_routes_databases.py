"""The same requests give the same answers on both databases, and in both styles of ids."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from ephyrus.service.routes.metrics import prepare_workers
from tests.service.support import Site


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "base32"])
def site(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    settings = {}
    if request.param == "postgresql":
        settings["database"] = request.getfixturevalue("new_postgresql")()
    if request.param == "base32":
        settings["id_style"] = "base32"
    with Site(folder, **settings) as made:
        made.user("bob")
        made.user("eve")
        yield made


def test_a_signal_from_birth_to_death(site):
    bob, eve = site.user("bob"), site.user("eve")
    values = np.arange(10_000, dtype="<i2")
    segment = bob.make("electrophysiology/segment", name="trial")
    number = bob.array(values)
    if site.settings.id_style == "base32":
        from ephyrus.service.catalog.ids import format_id

        number = format_id(number, "base32")
        assert re.fullmatch("[1-9A-V][0-9A-V]{9}", segment["fields"]["id"])
    signal = bob.make(
        "electrophysiology/analogsignal",
        name="V",
        segment=segment["fields"]["id"],
        sampling_rate={"data": 20, "units": "kHz"},
        t_start={"data": 0, "units": "ms"},
        signal={"data": number, "units": "mV"},
    )
    path = signal["permalink"]
    assert path == f"/electrophysiology/analogsignal/{signal['fields']['id']}"
    shown = bob.one(path, start_time=50, duration=100)["fields"]
    assert shown["signal"]["data"] == f"/datafiles/{number}?start_index=1000&end_index=3001"
    assert shown["t_start"] == {"units": "ms", "data": 50}
    data = bob.get(f"{shown['signal']['data']}&format=json").json()
    assert data == values[1000:3001].tolist()

    assert bob.one(segment["permalink"])["fields"]["analogsignal_set"] == [path]
    assert eve.get(path).status_code == 403
    assert bob.post(f"{path}/acl", {"shared_with": {"eve": 1}}).status_code == 200
    assert eve.one(path)["fields"]["name"] == "V"
    assert eve.get(f"/datafiles/{number}?format=json&samples_count=2").json() == [0, 1]
    found = eve.get("/electrophysiology/analogsignal/?t_start__gte=0&name__icontains=v").json()
    assert [item["permalink"] for item in found["selected"]] == [path]
    assert (found["total"], found["selected_range"]) == (1, [0, 0])

    guid = signal["fields"]["guid"]
    changed = bob.post(path, {"name": "W"}, headers={"If-Match": guid})
    assert changed.json()["selected"][0]["fields"]["name"] == "W"
    assert bob.post(path, {"name": "X"}, headers={"If-Match": guid}).status_code == 412
    assert bob.get(path, headers={"If-None-Match": guid}).status_code == 200
    versions = bob.get(f"{path}/history").json()["selected"]
    assert {version["guid"] for version in versions} == {guid, bob.one(path)["fields"]["guid"]}

    assert bob.delete(f"{path}?force=1").json()["deleted"] == {"analogsignal": 1}
    assert bob.get(path).status_code == 404
    assert bob.one(segment["permalink"])["fields"]["analogsignal_set"] == []


def test_refusals_are_the_same(site):
    bob = site.user("bob")
    for document, kind in (
        ({}, "missing_parameter"),
        ({"name": "x", "block": "/electrophysiology/segment/1"}, "wrong_reference"),
        ({"name": "x", "index": 2**63}, "bad_parameter"),
    ):
        answer = bob.post("/electrophysiology/segment/", document)
        assert (answer.status_code, answer.json()["message_type"]) == (400, kind)
    for query in ("id__in=x", "name__regex=(", "date_created__gt=x"):
        answer = bob.get(f"/electrophysiology/segment/?{query}")
        assert (answer.status_code, answer.json()["message_type"]) == (400, "wrong_params"), query


def test_health_and_metrics(site):
    assert site.anonymous.get("/health").json()["checks"]["database"]["ok"] is True


def test_numbers_of_several_workers_are_added(tmp_path, monkeypatch):
    """Two processes count; whichever is asked answers for both."""
    code = """
from ephyrus.service.routes.metrics import Metrics
metrics = Metrics()
metrics.observe("/a", "GET", 200, 0.001, 10)
import sys
sys.stdout.buffer.write(metrics.text()[0])
"""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "numbers"))
    folder = prepare_workers()
    (folder / "counter_1.db").touch()
    assert prepare_workers() == folder == tmp_path / "numbers"
    assert list(folder.iterdir()) == []  # what an earlier run has left is gone
    for total in ("1.0", "2.0"):
        done = subprocess.run(
            [sys.executable, "-c", code], env=os.environ, capture_output=True, check=True
        )
        line = f'ephyrus_request_seconds_count{{method="GET",route="/a",status="200"}} {total}'
        assert line in done.stdout.decode()
