"""Uploads of whole blocks in few requests, and the methods that they are made of."""

from __future__ import annotations

import io

import anyio
import numpy as np
import pytest
import quantities as pq

from ephyrus.client import AsyncClient, growing, sending, waiting
from ephyrus.client.growing import GrowingArray
from ephyrus.core import AnalogSignal, Block, Epoch, Event, Group, Segment, SpikeTrain
from ephyrus.errors import RemoteError, RemoteForbidden


class Counted:
    """A transport that notes what was asked for."""

    def __init__(self) -> None:
        import httpx2

        self._inner = httpx2.HTTPTransport()
        self.asked: list[str] = []

    def handle_request(self, request):
        self.asked.append(f"{request.method} {request.url.path}")
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


def block_of_trains(segments: int, trains: int) -> Block:
    rng = np.random.default_rng(5)
    block = Block(name="many", lab="here")
    for number in range(segments):
        segment = Segment(name=f"s{number}", trial=number)
        block.segments.append(segment)
        for at in range(trains):
            times = np.sort(rng.uniform(0, 10, at % 50))
            segment.spiketrains.append(
                SpikeTrain(times, units="s", t_stop=10, name=f"{number}/{at}", q=["a", "b"][at % 2])
            )
        labels = [f"{'ü' * (at % 7)}{at}" for at in range(30)]
        segment.events.append(Event(np.arange(30.0) * pq.s, labels=labels, name="ev"))
        segment.epochs.append(
            Epoch(np.arange(3.0) * pq.s, durations=[1, 2, 3] * pq.s, labels=["x", "", "z"])
        )
    for at in range(4):
        members = [segment.spiketrains[at] for segment in block.segments]
        block.groups.append(Group(members, name=f"unit {at}", depth=at))
    return block


def check_trains(got: Block, sent: Block) -> None:
    assert got.annotations == sent.annotations
    for there, here in zip(got.segments, sent.segments, strict=True):
        assert (there.name, there.annotations) == (here.name, here.annotations)
        for mine, yours in zip(there.spiketrains, here.spiketrains, strict=True):
            assert (mine.name, mine.annotations) == (yours.name, yours.annotations)
            np.testing.assert_array_equal(mine.magnitude, yours.magnitude)
        for kind in ("events", "epochs"):
            (mine,), (yours,) = getattr(there, kind), getattr(here, kind)
            np.testing.assert_array_equal(mine.times.magnitude, yours.times.magnitude)
            assert mine.labels.tolist() == yours.labels.tolist()
    for mine, yours in zip(got.groups, sent.groups, strict=True):
        assert (mine.name, mine.annotations) == (yours.name, yours.annotations)
        names = [train.name for train in mine.spiketrains]
        assert names == [train.name for train in yours.spiketrains]


def test_many_objects_go_in_few_requests(running):
    sent, counted = block_of_trains(3, 60), Counted()
    with running.client("ada", transport=counted) as service:
        made = service.upload(sent)
        assert counted.asked == [
            "POST /metadata/section/",
            "POST /datafiles/arrays/",
            "POST /bulk/",
            f"GET {made.permalink}",
        ]
        assert made["name"] == "many"
        check_trains(service.block(made.id, lazy=False), sent)


def test_what_is_sent_is_cut_into_requests_of_bounded_size(running, monkeypatch):
    monkeypatch.setattr(sending, "FILES_AT_ONCE", 20)
    monkeypatch.setattr(waiting, "OBJECTS_AT_ONCE", 7)
    monkeypatch.setattr(waiting, "BYTES_AT_ONCE", 1000)
    monkeypatch.setattr(growing, "SMALL_BYTES", 100)
    sent, counted = block_of_trains(2, 30), Counted()
    with running.client("ada", transport=counted) as service:
        made = service.upload(sent)
        assert counted.asked.count("POST /datafiles/arrays/") == 4
        assert counted.asked.count("POST /bulk/") > 8
        check_trains(service.block(made.id, lazy=False), sent)


def test_what_is_long_goes_through_a_file(running):
    values = np.arange(3_000_000, dtype="<i4").reshape(-1, 2)  # 24 MB
    block = Block(name="long")
    block.segments.append(Segment())
    block.segments[0].analogsignals.append(AnalogSignal(values, "uV", sampling_rate=1 * pq.kHz))
    with running.client("ada") as service:
        lazy = service.block(service.upload(block).id)
        (signal,) = lazy.segments[0].analogsignals
        assert signal.size == 0
        np.testing.assert_array_equal(signal.load().magnitude, values)
        made = service.upload(lazy)
        again = service.block(made.id).segments[0].analogsignals[0]
        np.testing.assert_array_equal(again.load().magnitude, values)


def test_arrays_and_objects_of_ones_own(running):
    arrays = {"times": np.array([0.5, 1.5]), "labels": np.array(["a", "bü"])}
    seen: list[int] = []
    with running.client("ada") as service:
        section = service.create("section", name="mine")
        times, labels = service.upload_arrays(arrays, section=section, progress=seen.append)
        assert service.get("datafile", times.id, q="info")["name"] == "times"
        assert (times.arrays["data"].shape, labels.arrays["data"].dtype) == ((2,), np.dtype("S3"))
        assert sum(seen) == 16 + 6 + 2 * growing.HEAD_BYTES
        fields = {
            "segment": "#s",
            "times": {"data": times, "units": "s"},
            "labels": {"data": labels, "units": None},
        }
        segment, event = service.create_many(
            [
                {"model": "segment", "id": "#s", "fields": {"name": "s"}},
                {"model": "eventarray", "fields": fields},
            ]
        )
        assert service.get("segment", segment.id)["eventarray_set"] == [event.permalink]
        assert service.array(service.get("eventarray", event.id), "times").values.tolist() == [
            0.5,
            1.5,
        ]
        with pytest.raises(RemoteError, match=r"Item 1 \(#x\): ") as caught:
            service.create_many(
                [{"model": "segment", "fields": {"name": "s"}}, {"model": "segment", "id": "#x"}]
            )
        assert caught.value.details["item"] == 1
        with pytest.raises(RemoteError, match="File 1: "):
            service.upload_arrays({"a": np.arange(2), "b": np.arange(2) * 1j})
        with running.client("bob") as other, pytest.raises(RemoteForbidden):
            other.create_many([{"model": "unit", "fields": {"name": "u"}},
                               {"model": "event", "fields": {"label": "l", "segment": segment,
                                "time": 1 * pq.s}}])  # fmt: skip


def test_the_other_client_does_the_same(running):
    async def run() -> None:
        async with AsyncClient(running.address, token=running.token("ada"), cache=None) as service:
            (array,) = await service.upload_arrays({"x": np.arange(4.0)})
            times = {"data": array, "units": "s"}
            made = await service.create_many(
                [
                    {
                        "model": "spiketrain",
                        "fields": {"t_start": 0 * pq.s, "t_stop": 3 * pq.s, "times": times},
                    }
                ]
            )
            train = await service.get("spiketrain", made[0].id)
            found = await service.array(train, "times", start_time=1)
            assert found.values.tolist() == [1, 2, 3]

    anyio.run(run)


def sent_by(array: GrowingArray) -> np.ndarray:
    """Give what is sent of an array."""
    told: list[int] = []
    upload = array.upload(told.append)
    body = b"".join(upload.pieces())
    assert body == b"".join(upload.pieces())  # an attempt more begins anew
    assert upload.size == len(body)
    assert sum(told) == 2 * upload.size
    return np.load(io.BytesIO(body))


@pytest.mark.parametrize("small", [2**20, 1000, 1])
def test_an_array_that_grows(tmp_path, monkeypatch, small):
    monkeypatch.setattr(growing, "SMALL_BYTES", small)
    cases = [
        [np.arange(300, dtype=">i2").reshape(100, 3), np.arange(9, dtype=">i2").reshape(3, 3)],
        [np.empty(0, np.float32)],
        [np.asfortranarray(np.arange(600.0).reshape(20, 30))],
        [np.array([True, False])],
        [np.array(["a", "bü"], object), np.array([""], object), np.array(["x" * 2000], object)],
        [np.array([], object)],
    ]
    for number, pieces in enumerate(cases):
        array = GrowingArray(tmp_path / str(number))
        for piece in pieces:
            array.add(piece)
        got = sent_by(array)
        expected = np.concatenate(pieces)
        if expected.dtype == object:
            assert np.char.decode(got, "utf-8").tolist() == expected.tolist()
        else:
            assert got.dtype.newbyteorder("=") == expected.dtype.newbyteorder("=")
            np.testing.assert_array_equal(got, expected)
        array.remove()
    assert list(tmp_path.iterdir()) == []


def test_labels_that_do_not_fit_beside_one_another(tmp_path, monkeypatch):
    monkeypatch.setattr(growing, "MOST_WIDENED", 1000)
    monkeypatch.setattr(growing, "SMALL_BYTES", 10)
    array = GrowingArray(tmp_path / "labels")
    array.add(np.array(["a"] * 20, object))
    array.add(np.array(["b" * 100], object))
    with pytest.raises(ValueError, match="shorten it"):
        array.upload(None)
    array.remove()
