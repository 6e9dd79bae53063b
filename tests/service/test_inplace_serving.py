"""Folders over HTTP: objects, values, and what happens when files change, come and go."""

from __future__ import annotations

import contextlib
import io
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from sqlalchemy import select

import ephyrus
from ephyrus.errors import EphyrusError
from ephyrus.service.accounts import tokens, users
from ephyrus.service.db.engine import Database
from ephyrus.service.db.schema import ARRAYS
from ephyrus.service.errors import ServiceError
from ephyrus.service.inplace.catalog import add_entry, summary
from ephyrus.service.inplace.discover import Scanner
from ephyrus.service.inplace.local import InUseError, LocalService, folder_of
from ephyrus.service.inplace.overviews import build_missing
from ephyrus.service.inplace.register import Event
from ephyrus.service.settings import Settings
from tests.golden import data_path
from tests.service.processes import PATIENCE
from tests.synth import brainvision


class Client:
    """Asks a service that runs in this process."""

    def __init__(self, service: LocalService) -> None:
        self.service = service
        self._http = httpx2.Client(base_url=service.address, timeout=PATIENCE, trust_env=False)

    def raw(self, path: str, method: str = "GET", body: Any = None, token: str | None = None):
        headers = {"Authorization": f"Bearer {token or self.service.token}"}
        answer = self._http.request(method, path, json=body, headers=headers)
        return answer.status_code, answer.content, answer.headers

    def close(self) -> None:
        self._http.close()

    def get(self, path: str) -> Any:
        status, body, _ = self.raw(path)
        assert status == 200, body
        return json.loads(body)

    def list(self, name: str, query: str = "") -> list[Any]:
        return self.get(f"/electrophysiology/{name}/?max_results=1000{query}")["selected"]

    def array(self, link: str) -> Any:
        joint = "&" if "?" in link else "?"
        status, body, _ = self.raw(f"{link}{joint}format=npy")
        assert status == 200, body
        return np.load(io.BytesIO(body))


@contextmanager
def serving(paths: Any, folder: Path, **options: Any) -> Iterator[Client]:
    """Serve in a thread."""
    names = [str(paths)] if isinstance(paths, Path) else [str(path) for path in paths]
    keywords = {name: options.pop(name) for name in ("format", "options") if name in options}
    service = LocalService(
        Scanner(names, **keywords), folder, port=0, **{"interval": 0.05, **options}
    )
    with service:
        service.watch()
        thread = threading.Thread(target=service.run, daemon=True)
        thread.start()
        assert service.watcher.wait_until_listed(PATIENCE)
        client = Client(service)
        try:
            yield client
        finally:
            client.close()
            service.stop()
            thread.join(PATIENCE)
            assert not thread.is_alive()


@pytest.fixture(autouse=True)
def quick_to_settle(monkeypatch):
    monkeypatch.setattr("ephyrus.service.inplace.register.SETTLED_NS", 0)


def brain(folder: Path, base: str = "rec", seed: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    numbers = brainvision.stored_numbers(500) + seed
    return brainvision.write(folder, brainvision.Recipe(), numbers, base=base)


@pytest.fixture
def archive(tmp_path) -> Path:
    folder = tmp_path / "archive"
    brain(folder / "a")
    brain(folder / "b", seed=1)
    return folder


def until(condition: Any) -> Any:
    last = time.monotonic() + PATIENCE
    while True:
        found = condition()
        if found or time.monotonic() > last:
            return found
        time.sleep(0.02)


def test_objects_and_values(archive, tmp_path):
    with serving(archive, tmp_path / "served") as client:
        blocks = client.list("block")
        assert [block["fields"]["name"] for block in blocks] == ["a/rec.vhdr", "b/rec.vhdr"]
        for name, signal in zip("ab", client.list("analogsignalarray"), strict=True):
            with ephyrus.open(archive / name / "rec.vhdr") as recording:
                expected = recording.read_scaled(0, channels=[0, 2])  # those in the same unit
            link = signal["fields"]["signal"]["data"]
            np.testing.assert_array_equal(client.array(link), expected)
            ranged = client.get(f"{signal['permalink']}?start_index=10&end_index=19")
            part = client.array(ranged["selected"][0]["fields"]["signal"]["data"])
            np.testing.assert_array_equal(part, expected[10:20])


def test_nobody_else_is_let_in(archive, tmp_path):
    with serving(archive, tmp_path / "served") as client:
        assert httpx2.get(f"{client.service.address}/electrophysiology/block/").status_code == 401
        assert client.raw("/electrophysiology/block/", token="wrong" * 8)[0] == 401
        assert client.service.address.startswith("http://127.0.0.1:")
        old = client.service.token
    with serving(archive, tmp_path / "served") as client:
        assert client.service.token != old
        assert client.raw("/electrophysiology/block/", token=old)[0] == 401


def test_served_objects_are_not_changed(archive, tmp_path):
    with serving(archive, tmp_path / "served") as client:
        signal = client.list("analogsignalarray")[0]
        for path in (signal["permalink"], signal["fields"]["signal"]["data"]):
            for method, body in (("POST", {"name": "mine"}), ("DELETE", None)):
                status, answer, _ = client.raw(path, method, body)
                assert (status, json.loads(answer)["message_type"]) == (403, "not_authorized")


def test_served_objects_are_tagged(archive, tmp_path):
    with serving(archive, tmp_path / "served") as client:

        def make(kind: str, **fields: Any) -> str:
            status, answer, _ = client.raw(f"/metadata/{kind}/", "POST", fields)
            assert status == 201, answer
            return json.loads(answer)["selected"][0]["permalink"]

        section = make("section", name="my notes")
        above = make("property", name="quality", section=section)
        value = make("value", data="good", parent_property=above)
        signal = client.list("analogsignalarray")[0]
        status, _, _ = client.raw(signal["permalink"], "POST", {"metadata": [value]})
        assert status == 200
        (found,) = client.list("analogsignalarray", f"&metadata={value}")
        assert found["permalink"] == signal["permalink"]
        assert {value, *signal["fields"]["metadata"]} == set(found["fields"]["metadata"])


def test_ids_stay_from_one_start_to_the_next(archive, tmp_path):
    with serving(archive, tmp_path / "served") as client:
        before = [(each["permalink"], each["fields"]["guid"]) for each in client.list("block")]
    brain(archive / "c")
    events: list[Event] = []
    with serving(archive, tmp_path / "served", tell=events.append) as client:
        after = [(each["permalink"], each["fields"]["guid"]) for each in client.list("block")]
    assert after[:2] == before
    assert len(after) == 3
    assert [event.name for event in events if event.kind == "ready"] == ["c/rec.vhdr"]


def test_files_that_come_change_and_go(archive, tmp_path):
    events: list[Event] = []
    with serving(archive, tmp_path / "served", tell=events.append) as client:
        brain(archive / "c", seed=5)
        assert until(lambda: len(client.list("block")) == 3)
        first = client.list("analogsignalarray")[0]
        old, new = archive / "a" / "rec.eeg", brain(tmp_path / "new", seed=9).with_suffix(".eeg")
        os.utime(new, ns=(0, old.stat().st_mtime_ns + 5_000_000))
        new.replace(old)  # at once: nobody sees half of it
        status, body, _ = client.raw(f"{first['fields']['signal']['data']}?format=npy")
        assert status in (404, 503), body
        assert until(lambda: any(event.again for event in events))
        with ephyrus.open(archive / "a" / "rec.vhdr") as recording:
            expected = recording.read_scaled(0, channels=[0, 2])
        (block,) = [each for each in client.list("block") if each["fields"]["name"][0] == "a"]
        (signal,) = client.list("analogsignalarray", f"&segment__block={block['fields']['id']}")
        np.testing.assert_array_equal(client.array(signal["fields"]["signal"]["data"]), expected)
        for path in (archive / "b").iterdir():
            path.unlink()
        assert until(lambda: len(client.list("block")) == 2)
        gone = ("gone", "b/rec.vhdr")  # which is told afterwards
        assert until(lambda: gone in [(event.kind, event.name) for event in events])


def test_a_recording_that_cannot_be_read_is_told(archive, tmp_path):
    header = archive / "a" / "rec.vhdr"
    header.write_text(header.read_text("utf-8").replace("NumberOfChannels=3", "NumberOfChannels=x"))
    events: list[Event] = []
    with serving(archive, tmp_path / "served", tell=events.append) as client:
        assert len(client.list("block")) == 1
        (failed,) = [event for event in events if event.kind == "failed"]
        assert failed.name == "a/rec.vhdr"
        assert "NumberOfChannels" in failed.message
        with client.service.database.reading() as connection:
            found = summary(connection)
        assert (found["ready"], found["failed"]) == (1, 1)
        assert found["failures"][0][0] == str(header)
        brain(archive / "a")
        assert until(lambda: len(client.list("block")) == 2)


def test_a_link_out_of_the_folder_is_not_followed(archive, tmp_path):
    secret = tmp_path / "secret.eeg"
    secret.write_bytes((archive / "a" / "rec.eeg").read_bytes())
    data = archive / "a" / "rec.eeg"
    data.unlink()
    data.symlink_to(secret)
    events: list[Event] = []
    with serving(archive, tmp_path / "served", tell=events.append) as client:
        assert [block["fields"]["name"] for block in client.list("block")] == ["b/rec.vhdr"]
    assert "rec.eeg is a link out of the folder" in [event.message for event in events]


def test_one_process_serves_a_folder(archive, tmp_path):
    with serving(archive, tmp_path / "served") as client:
        other = LocalService(Scanner([str(archive)]), tmp_path / "served", port=0)
        with pytest.raises(InUseError, match=client.service.address), other:
            pass
    with serving(archive, tmp_path / "served"):
        pass


def test_what_is_not_served_any_more_goes(archive, tmp_path):
    with serving(archive, tmp_path / "served") as client:
        assert len(client.list("block")) == 2
    with serving(archive / "b" / "rec.vhdr", tmp_path / "served") as client:
        (block,) = client.list("block")
        assert block["fields"]["name"] == "b/rec.vhdr"


def test_after_a_process_that_was_killed(archive, tmp_path):
    folder = tmp_path / "served"
    with serving(archive, folder) as client:
        database = client.service.database
        other = tokens.issue_start_token(database, database.settings)  # left by one that was killed
        assert client.raw("/electrophysiology/block/", token=other)[0] == 200
        with database.writing() as connection:  # it was about to open another recording
            add_entry(connection, str(brain(archive / "c")), str(archive))
    (folder / "levels-half").mkdir()
    with serving(archive, folder) as client:
        assert client.raw("/electrophysiology/block/", token=other)[0] == 401
        assert len(client.list("block")) == 3
    assert list(folder.glob("levels-*")) == []


def test_a_faulty_reader_does_not_hide_the_others(archive, tmp_path, monkeypatch):
    import ephyrus.service.inplace.register as module

    def fail(recording: Any, **keywords: Any) -> Any:
        if "a" in Path(recording.path).parts[-2]:
            raise ZeroDivisionError("a fault")
        return rows_of(recording, **keywords)

    rows_of = module.rows_of
    monkeypatch.setattr(module, "rows_of", fail)
    events: list[Event] = []
    with serving(archive, tmp_path / "served", tell=events.append) as client:
        assert [block["fields"]["name"] for block in client.list("block")] == ["b/rec.vhdr"]
    assert ("failed", "a/rec.vhdr", "a fault") in [(e.kind, e.name, e.message) for e in events]


def test_names_that_are_no_text(archive, tmp_path):
    folder = Path(os.fsdecode(os.fsencode(archive) + b"/caf\xe9"))
    brain(folder)
    events: list[Event] = []
    with serving(archive, tmp_path / "served", tell=events.append) as client:
        assert len(client.list("block")) == 2
    (failed,) = [event for event in events if event.kind == "failed"]
    assert failed.name == str(folder / "rec.vhdr")
    assert "not text in UTF-8" in failed.message


def test_a_drive_that_is_away_for_a_while(archive, tmp_path):
    events: list[Event] = []
    with serving(archive, tmp_path / "served", tell=events.append) as client:
        before = client.list("analogsignalarray")
        link = before[0]["fields"]["signal"]["data"]
        archive.rename(tmp_path / "away")
        assert until(lambda: any(event.kind == "failed" for event in events))
        assert client.raw(f"{link}?format=npy")[0] == 503
        (tmp_path / "away").rename(archive)
        assert until(lambda: client.raw(f"{link}?format=npy")[0] == 200)
        assert client.list("analogsignalarray") == before
    assert "gone" not in {event.kind for event in events}


def test_a_database_that_does_not_answer_for_a_while(archive, tmp_path, monkeypatch):
    import ephyrus.service.inplace.register as module

    real, failures = module.insert_tree, [1, 2]

    def fail(*arguments: Any, **keywords: Any) -> Any:
        if failures:
            failures.pop()
            raise ServiceError("unavailable", "the database does not answer")
        return real(*arguments, **keywords)

    monkeypatch.setattr(module, "insert_tree", fail)
    with serving(archive, tmp_path / "served") as client:
        assert len(client.list("block")) == 2
    assert failures == []


def test_on_postgresql(archive, tmp_path, postgresql_url):
    with serving(archive, tmp_path / "served", database=postgresql_url) as client:
        (one, other) = client.list("analogsignalarray")
        with ephyrus.open(archive / "b" / "rec.vhdr") as recording:
            expected = recording.read_scaled(0, channels=[0, 2])
        np.testing.assert_array_equal(client.array(other["fields"]["signal"]["data"]), expected)
        for path in (archive / "a").iterdir():
            path.unlink()
        assert until(lambda: len(client.list("block")) == 1)
        assert client.raw(one["permalink"])[0] == 404


def test_a_database_with_users_is_left_alone(archive, tmp_path, postgresql_url):
    database = Database(Settings(database=postgresql_url))
    with database.writing() as connection:
        users.create(connection, "ada")
    database.close()
    service = LocalService(
        Scanner([str(archive)]), tmp_path / "served", port=0, database=postgresql_url
    )
    with pytest.raises(InUseError, match="with 1 users"), service:
        pass


def test_each_set_of_paths_has_a_folder_of_its_own(tmp_path):
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    assert folder_of([one, two]) == folder_of([two, one]) != folder_of([one])


def test_options_of_a_format(tmp_path):
    stored = np.arange(4000, dtype="<i2").reshape(-1, 4)
    stored.tofile(tmp_path / "cells.raw")
    options = {"nb_channel": 4, "sampling_rate": 1000.0, "dtype": "int16", "signal_gain": 0.5}
    with serving(
        tmp_path / "cells.raw", tmp_path / "served", format="rawbinarysignal", options=options
    ) as client:
        (signal,) = client.list("analogsignalarray")
        found = client.array(signal["fields"]["signal"]["data"])
    np.testing.assert_array_equal(found, stored * np.float32(0.5))


LONG = {"nb_channel": 2, "sampling_rate": 1000.0, "dtype": "int16", "signal_gain": 1.0}


def long_recording(folder: Path, seed: int = 1) -> np.ndarray:
    stored = np.random.default_rng(seed).integers(-1000, 1000, (400_000, 2)).astype("<i2")
    stored.tofile(folder / "long.raw")
    return stored


def levels_key(client: Client, other_than: str | None = None) -> Any:
    def key() -> Any:
        with client.service.database.reading() as connection:
            found = connection.execute(select(ARRAYS.c.levels_key)).scalar()
        return found if found != other_than else None

    return until(key)


def overview(client: Client) -> np.ndarray:
    (signal,) = client.list("analogsignalarray")
    link = signal["fields"]["signal"]["data"]
    return client.array(f"{link}?downsample=100&kind=minmax&start_index=0&end_index=400000")


def check_overview(found: np.ndarray, stored: np.ndarray) -> None:
    bins = stored.reshape(50, 8000, 2)
    np.testing.assert_array_equal(found.reshape(50, 2, 2).max(axis=1), bins.max(axis=1))
    np.testing.assert_array_equal(found.reshape(50, 2, 2).min(axis=1), bins.min(axis=1))


def serving_long(folder: Path, **options: Any):
    path = folder / "long.raw"
    return serving(path, folder / "served", format="rawbinarysignal", options=LONG, **options)


def test_levels_are_built(tmp_path):
    stored = long_recording(tmp_path)
    with serving_long(tmp_path) as client:
        assert levels_key(client)
        check_overview(overview(client), stored)
        (tmp_path / "long.raw").unlink()
        store = client.service.watcher._store
        assert until(lambda: not list(store.keys()))


def test_levels_are_kept_while_they_are_those_of_the_file(tmp_path):
    stored = long_recording(tmp_path)
    with serving_long(tmp_path) as client:
        key = levels_key(client)
    with serving_long(tmp_path) as client:
        assert levels_key(client) == key
        check_overview(overview(client), stored)
        file = client.service.watcher._store.local_path(key)
    file.write_bytes(file.read_bytes()[:-1])
    with serving_long(tmp_path) as client:  # what is not whole is made again
        again = levels_key(client, other_than=key)
        assert again
        check_overview(overview(client), stored)
        assert not file.exists()
    stored = long_recording(tmp_path, seed=2)
    with serving_long(tmp_path) as client:  # as is what another file was made of
        assert levels_key(client, other_than=again)
        check_overview(overview(client), stored)


def test_overviews_are_right_before_there_are_levels(tmp_path, monkeypatch):
    monkeypatch.setattr("ephyrus.service.inplace.serving.build_missing", lambda *_, **__: 0)
    stored = long_recording(tmp_path)
    with serving_long(tmp_path) as client:
        check_overview(overview(client), stored)
        with client.service.database.reading() as connection:
            assert connection.execute(select(ARRAYS.c.levels_key)).scalar() is None


def test_levels_of_what_is_looked_at_are_built_first(tmp_path, monkeypatch):
    monkeypatch.setattr("ephyrus.service.inplace.serving.build_missing", lambda *_, **__: 0)
    paths = [tmp_path / f"{number}.raw" for number in range(3)]
    for path in paths:
        np.zeros((20_000, 2), "<i2").tofile(path)
    with serving(paths, tmp_path / "served", format="rawbinarysignal", options=LONG) as client:
        service = client.service
        signals = client.list("analogsignalarray")
        client.array(signals[1]["fields"]["signal"]["data"])
        with service.database.reading() as connection:
            known = select(ARRAYS.c.datafile_id).order_by(ARRAYS.c.recording_id)
            files = connection.execute(known).scalars().all()
        order = []
        for _ in files:
            enough = iter([False, True])
            built = build_missing(
                service.database,
                service.watcher._store,
                service.watcher._pool,
                tmp_path / "served",
                threading.Event(),
                skipped=set(),
                is_needed=lambda enough=enough: next(enough),
            )
            assert built == 1
            with service.database.reading() as connection:
                having = select(ARRAYS.c.datafile_id).where(ARRAYS.c.levels_key.is_not(None))
                order += set(connection.execute(having).scalars()) - set(order)
    assert order == [files[1], files[0], files[2]]


LISTS = {
    "analogsignals": ("analogsignal", "analogsignalarray"),
    "irregularlysampledsignals": ("irsaanalogsignal",),
    "spiketrains": ("spiketrain",),
    "events": ("eventarray",),
    "epochs": ("epocharray",),
}
WINDOW = 7


def shown(path: str) -> dict[str, Any]:
    """How many objects of each kind a recording has, and the first values of one of each."""
    facts: dict[str, Any] = {}
    with ephyrus.open(path, access="pread") as recording:
        segments = [segment for block in recording.tree(lazy=True) for segment in block.segments]
        for name in LISTS:
            objects = [obj for segment in segments for obj in getattr(segment, name)]
            first = next((obj for obj in objects if obj.true_shape[0]), None)
            if first is not None:
                facts[name] = len(objects), first.name or "", values_of(first.load())
    return facts


def values_of(obj: Any) -> np.ndarray:
    """The last values of an object that has times, or the samples."""
    if type(obj).__name__ == "AnalogSignal":
        return obj.magnitude[-WINDOW:]
    return obj.times.rescale("s").magnitude[-WINDOW:]


def readable(folder: str) -> dict[str, dict[str, Any]]:
    """Every recording of a folder that the package can read."""
    found = {}
    for each in Scanner([folder]).scan().found.values():
        with contextlib.suppress(EphyrusError, OSError):
            found[each.name] = shown(each.path)
    return found


@pytest.mark.real
def test_every_recording_of_the_collection_is_served(tmp_path):
    folder = data_path("")
    expected = readable(folder)
    assert len(expected) >= 40
    with serving(folder, tmp_path / "served", interval=5.0) as client:
        sections = client.get("/metadata/section/?odml_type=recording&max_results=1000")["selected"]
        assert {each["fields"]["name"] for each in sections} == set(expected)
        for section in sections:
            facts = expected[section["fields"]["name"]]
            number = section["fields"]["id"]
            for name, (count, title, values) in facts.items():
                objects = [
                    each
                    for kind in LISTS[name]
                    for each in client.list(kind, f"&segment__block__section={number}")
                ]
                assert len(objects) >= count  # images are signals too
                alike = (each for each in objects if title == (each["fields"]["name"] or ""))
                assert any(last_values(client, each, values) for each in alike), (section, name)


def last_values(client: Client, found: Any, values: np.ndarray) -> bool:
    """Compare the last values of an object with those that are expected."""
    fields = found["fields"]
    link = (fields.get("signal") if "times" not in fields else fields["times"])["data"]
    info = client.get(f"{link}?q=info")["selected"][0]["fields"]["extracted_info"]
    length = info["shape"][0]
    if length < len(values) or not length:
        return length == len(values)
    got = client.array(f"{link}?start_index={length - len(values)}&end_index={length}")
    return np.array_equal(got.reshape(len(values), -1), values.reshape(len(values), -1))
