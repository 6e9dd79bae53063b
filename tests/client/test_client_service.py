"""Whole blocks, windows and the format ``service``, against a running service."""

from __future__ import annotations

import pickle
from collections import Counter
from datetime import datetime

import anyio
import numpy as np
import pytest
import quantities as pq
from typer.testing import CliRunner

import ephyrus
from ephyrus.cli import app
from ephyrus.client import AsyncClient
from ephyrus.client.flows import Flows
from ephyrus.core import (
    AnalogSignal,
    Block,
    Epoch,
    Event,
    Group,
    IrregularlySampledSignal,
    Segment,
    SpikeTrain,
)
from ephyrus.errors import (
    RemoteConflict,
    RemoteError,
    RemoteForbidden,
    RemoteMissing,
    WrongFormatError,
)
from ephyrus.io import ServiceIO
from ephyrus.recording import CallbackProgress

LFP = np.random.default_rng(7).normal(size=(5000, 3)).astype(np.float32)


def made_block(name: str = "session") -> Block:
    block = Block(
        name=name,
        description="of the tests",
        rec_datetime=datetime(2024, 5, 6, 7, 8, 9),
        index=4,
        lab="here",
        trials=3,
        rate=0.25,
        is_pilot=True,
        tags=["a", "b", "a"],
        animal={"id": "m7", "age": 12},
    )
    first, second = Segment(name="first", index=0, good=True), Segment(name="second", index=1)
    block.segments.extend([first, second])
    names = {"channel_names": np.array(["A1", "B2", "ü3"])}
    signal = AnalogSignal(
        LFP, "uV", sampling_rate=1 * pq.kHz, t_start=5 * pq.ms, name="lfp", array_annotations=names
    )
    single = AnalogSignal(np.arange(10)[:, None], "nA", sampling_rate=10 * pq.Hz, name="single")
    first.analogsignals.extend([signal, single])
    train = SpikeTrain(
        [1.0, 2.0, 30.0],
        units="ms",
        t_stop=100,
        name="u1",
        description="sorted",
        waveforms=np.arange(24.0).reshape(3, 2, 4) * pq.mV,
        sampling_rate=30 * pq.kHz,
        left_sweep=1 * pq.ms,
        quality="good",
    )
    silent = SpikeTrain([], units="s", t_start=1, t_stop=2, name="silent")
    first.spiketrains.extend([train, silent])
    first.events.append(Event([0.1, 0.2] * pq.s, labels=["x", "ü"], name="ev"))
    first.epochs.append(
        Epoch([0.1, 0.2] * pq.s, durations=[1, 2] * pq.ms, labels=["x", "yy"], name="ep")
    )
    second.irregularlysampledsignals.append(
        IrregularlySampledSignal([0.1, 0.5, 0.6] * pq.s, [[1, 2], [3, 4], [5, 6]], "nA", name="ir")
    )
    block.groups.append(Group([train], name="unit 1", color="red"))
    pair = Group([single], name="pair", description="signal and unit")
    pair.groups.append(Group([silent], name="quiet"))
    block.groups.append(pair)
    block.check_relationships()
    return block


def small_block(name: str) -> Block:
    """Make a block with one event, and one signal."""
    block, segment = Block(name=name), Segment(name="only")
    block.segments.append(segment)
    segment.analogsignals.append(AnalogSignal(LFP, "uV", sampling_rate=1 * pq.kHz, name="lfp"))
    segment.events.append(Event([0.1] * pq.s, labels=["x"], name="ev"))
    return block


@pytest.fixture(scope="module")
def uploaded(running):
    with running.client("ada") as service:
        return service.upload(made_block())


def without(notes: dict, *names: str) -> dict:
    return {name: value for name, value in notes.items() if name not in names}


@pytest.mark.parametrize("lazy", [True, False])
def test_a_block_comes_back_as_it_was_sent(running, uploaded, lazy):
    sent = made_block()
    with running.client("ada") as service:
        got = service.block(uploaded.id, lazy=lazy)
        assert got.file_origin == f"{running.address}{uploaded.permalink}"
        for name in ("name", "description", "rec_datetime", "index", "annotations"):
            assert getattr(got, name) == getattr(sent, name), name
        for there, here in zip(got.segments, sent.segments, strict=True):
            assert (there.name, there.index) == (here.name, here.index)
            assert there.annotations == here.annotations
            for kind in ("analogsignals", "irregularlysampledsignals", "spiketrains", "events",
                         "epochs"):  # fmt: skip
                pairs = zip(getattr(there, kind), getattr(here, kind), strict=True)
                for mine, yours in pairs:
                    check_same(mine, yours, lazy=lazy)
        units, pair = got.groups
        assert (units.name, units.annotations) == ("unit 1", {"color": "red"})
        assert [train.name for train in units.spiketrains] == ["u1"]
        assert (pair.name, pair.description) == ("pair", "signal and unit")
        assert [signal.name for signal in pair.analogsignals] == ["single"]
        assert [train.name for train in pair.groups[0].spiketrains] == ["silent"]


def check_same(mine, yours, *, lazy):
    """Compare an object of a service with the one that was sent."""
    if lazy:
        assert mine.size == 0
        mine = mine.load(load_waveforms=True) if mine.name == "u1" else mine.load()
    elif mine.name == "u1":
        assert mine.waveforms is None or len(mine.waveforms) in (0, 3)
    assert type(mine) is type(yours)
    assert (mine.name, mine.description) == (yours.name, yours.description)
    assert mine.annotations == yours.annotations
    assert mine.dimensionality == yours.dimensionality
    np.testing.assert_array_equal(mine.magnitude, yours.magnitude)
    for name in ("t_start", "t_stop", "sampling_rate", "times", "durations", "labels"):
        if hasattr(yours, name) and not (name == "sampling_rate" and isinstance(yours, SpikeTrain)):
            np.testing.assert_array_equal(getattr(mine, name), getattr(yours, name), name)
    if isinstance(yours, AnalogSignal):
        assert mine.dtype == yours.dtype
        for name, values in yours.array_annotations.items():
            np.testing.assert_array_equal(mine.array_annotations[name], values)
    if lazy and getattr(yours, "waveforms", None) is not None:
        np.testing.assert_array_equal(mine.waveforms, yours.waveforms)
        assert mine.waveforms.dimensionality == yours.waveforms.dimensionality
        assert mine.sampling_rate == yours.sampling_rate
        assert mine.left_sweep == yours.left_sweep


class Counted:
    """A transport that notes what was asked for and how much came."""

    def __init__(self) -> None:
        import httpx2

        self._inner = httpx2.HTTPTransport()
        self.paths: list[str] = []
        self.bytes = 0

    def handle_request(self, request):
        response = self._inner.handle_request(request)
        response.read()
        self.paths.append(request.url.raw_path.decode())
        self.bytes += len(response.content)
        return response

    def close(self) -> None:
        self._inner.close()


def test_a_window_fetches_just_that_window(running, uploaded):
    counted = Counted()
    with running.client("ada", transport=counted) as service:
        signal = service.block(uploaded.id).segments[0].analogsignals[0]
        counted.paths.clear()
        counted.bytes = 0
        part = signal.load(time_slice=(1005 * pq.ms, 1105 * pq.ms))
        assert counted.bytes < 101 * 3 * 4 + 512
        assert len(counted.paths) == 1
        np.testing.assert_array_equal(part.magnitude, LFP[1000:1100])
        assert part.t_start == 1005 * pq.ms
        columns = signal.load(channel_indexes=[2, 0])
        np.testing.assert_array_equal(columns.magnitude, LFP[:, [2, 0]])
        assert "channels=0%2C2" in counted.paths[-1] or "channels=0,2" in counted.paths[-1]


def test_windows_of_trains_events_and_epochs(running, uploaded):
    with running.client("ada") as service:
        segment = service.block(uploaded.id).segments[0]
        train = segment.spiketrains[0]
        window = (1.5 * pq.ms, 50 * pq.ms)
        np.testing.assert_array_equal(train.load(time_slice=window).magnitude, [2, 30])
        empty = train.load(time_slice=(40 * pq.ms, 50 * pq.ms))
        assert empty.magnitude.tolist() == []
        event = segment.events[0].load(time_slice=(0.15 * pq.s, 1 * pq.s))
        assert (event.times.magnitude.tolist(), event.labels.tolist()) == ([0.2], ["ü"])


def test_lazy_objects_travel_as_a_recipe(running, uploaded):
    with running.client("ada") as service:
        signal = service.block(uploaded.id).segments[0].analogsignals[0]
        again = pickle.loads(pickle.dumps(signal))
    np.testing.assert_array_equal(again.load().magnitude, LFP)


def test_progress_is_told_about_bytes(running):
    seen = []
    progress = CallbackProgress(lambda done, *more: seen.append(done))
    with running.client("ada") as service:
        service.upload(small_block("with progress"), progress=progress)
    assert seen[-1] >= LFP.nbytes


def test_an_upload_that_fails_leaves_nothing(running, monkeypatch):
    with running.client("eve") as service:
        before = Counter(each.type for kind in ("block", "section", "datafile", "property")
                         for each in service.iterate(kind))  # fmt: skip
        made = Flows.create_many

        def fails(self, items):  # when they were made, which the client does not know
            yield from made(self, items)
            raise RemoteError("here", "the line broke")

        monkeypatch.setattr(Flows, "create_many", fails)
        with pytest.raises(RemoteError, match="the line broke"):
            service.upload(small_block("broken"))
        after = Counter(each.type for kind in ("block", "section", "datafile", "property")
                        for each in service.iterate(kind))  # fmt: skip
    assert before == after


def test_an_upload_that_fails_takes_few_requests_back(running, monkeypatch):
    """What lies below the block and its section goes with them."""
    counted = Counted()
    block = small_block("broken")
    block.segments[0].annotations.update({f"note {at}": at for at in range(20)})
    with running.client("eve", transport=counted) as service:

        def fails(*arguments):
            counted.paths.clear()
            raise RemoteError("here", "the line broke")

        monkeypatch.setattr("ephyrus.client.sending.Arrays.send", fails)
        with pytest.raises(RemoteError, match="the line broke"):
            service.upload(block)
        assert len(counted.paths) == 3
        assert len(service.select("value", property__name="note 3")) == 0


def test_what_has_no_place_is_named(running, caplog):
    block = small_block("more")
    block.segments[0].events[0].array_annotate(code=[1])
    with running.client("ada") as service:
        service.upload(block)
    assert "no place for 1 array annotations" in caplog.text


def test_rights_are_those_of_the_user(running, uploaded):
    with running.client("bob") as service:
        with pytest.raises(RemoteForbidden):
            service.get("block", uploaded.id)
        with running.client("ada") as owner:
            owner.share(uploaded, shared_with={"bob": 1}, cascade=True)
            assert owner.acl(uploaded)["shared_with"] == {"bob": 1}
        found = service.get("block", uploaded.id)
        assert found["name"] == "session"
        assert service.block(uploaded.id).segments[0].analogsignals[0].load().shape == LFP.shape
        with pytest.raises(RemoteForbidden):
            service.update(found, name="mine")
        with pytest.raises(RemoteMissing):
            service.get("block", 999_999)


def test_two_who_change_the_same_object(running):
    with running.client("ada") as service:
        made = service.create("section", name="one")
        changed = service.update(made, name="two")
        assert changed["name"] == "two"
        assert changed.guid != made.guid
        with pytest.raises(RemoteConflict):
            service.update(made, name="three")
        assert service.update(made, force=True, name="three")["name"] == "three"
        service.delete(made)
        with pytest.raises(RemoteMissing):
            service.get("section", made.id)


def test_an_array_in_points(running, uploaded):
    with running.client("ada") as service:
        (signal,) = service.select("analogsignalarray", name="lfp", segment__block=uploaded.id)
        found = service.array(signal, "signal", start_time=5, duration=99, downsample=10)
        bins = LFP[:100].reshape(10, 10, 3).astype(np.float64).mean(axis=1)
        np.testing.assert_allclose(found.values, bins, rtol=1e-12)
        assert (found.units, found.t_start) == ("uV", (5, "ms"))
        assert found.sampling_rate == (0.1, "kHz")
        low_high = service.array(signal, "signal", downsample=4, kind="minmax", channels="1")
        assert set(np.ravel(low_high.values)) >= {LFP[:, 1].min(), LFP[:, 1].max()}


def test_annotating_an_object(running):
    with running.client("ada") as service:
        made = service.upload(small_block("annotated"))
        section = service.create("section", name="notes")
        about = service.create("property", name="drug", section=section.id)
        value = service.create("value", data="saline", parent_property=about.id)
        (segment,) = service.select("segment", block=made.id)
        service.annotate(segment, [value])
        read = service.block(made.id).segments[0]
        assert read.annotations["drug"] == "saline"
        assert read.events[0].annotations["drug"] == "saline"


def test_the_other_client_knows_the_same(running, uploaded):
    async def run() -> None:
        async with AsyncClient(running.address, token=running.token("ada"), cache=None) as service:
            (signal,) = await service.select(
                "analogsignalarray", name="lfp", segment__block=uploaded.id
            )
            found = await service.array(signal, "signal", start_index=10, end_index=19)
            np.testing.assert_array_equal(found.values, LFP[10:20])
            block = await service.block(uploaded.id)
            assert block.segments[0].analogsignals[0].lazy_shape == LFP.shape
            again = await service.upload(small_block("async"))
            assert (await service.get("block", again.id))["name"] == "async"

    anyio.run(run)


def test_a_service_is_one_more_format(running, uploaded, tmp_path):
    address = f"{running.address}{uploaded.permalink}"
    recording = ephyrus.open(address, token=running.token("ada"))
    assert recording.format.name == "service"
    stream = recording.signal("lfp")
    np.testing.assert_array_equal(recording.read_signal(stream, 100, 200), LFP[100:200])
    block = ServiceIO(address, token=running.token("ada")).read_block()
    np.testing.assert_array_equal(block.segments[0].analogsignals[0].magnitude, LFP)
    assert ServiceIO.mode == "database"
    target = tmp_path / "copy.nix"
    with ephyrus.io.NixIO(target, mode="ow") as file:
        file.write_block(ServiceIO(address, token=running.token("ada")).read_block(lazy=True))
    copy = ephyrus.read(target)
    copy = copy[0] if isinstance(copy, list) else copy
    np.testing.assert_array_equal(copy.segments[0].analogsignals[0].magnitude, LFP)


def test_the_address_of_a_service_is_all_its_blocks(running, uploaded, monkeypatch):
    monkeypatch.setenv("EPHYRUS_TOKEN", running.token("ada"))
    names = [block.name for block in ephyrus.open(running.address).blocks]
    assert "session" in names
    monkeypatch.setenv("EPHYRUS_TOKEN", running.token("nobody"))
    with pytest.raises(WrongFormatError, match="token"):
        ephyrus.open(running.address)
    with pytest.raises(RemoteForbidden):
        ephyrus.open(f"{running.address}{uploaded.permalink}", token="wrong")


def test_commands_take_an_address(running, uploaded, tmp_path):
    address = f"{running.address}{uploaded.permalink}"
    environment = {"EPHYRUS_TOKEN": running.token("ada")}

    def ephyrus_says(*arguments: object) -> str:
        done = CliRunner().invoke(app, [str(each) for each in arguments], env=environment)
        assert done.exit_code == 0, done.output
        return done.output

    assert "lfp" in ephyrus_says("info", address)
    ephyrus_says("convert", "-q", address, tmp_path / "out.nix")
    ephyrus_says("plot", "-q", address, "-o", tmp_path / "out.png")
    assert (tmp_path / "out.png").stat().st_size > 1000
