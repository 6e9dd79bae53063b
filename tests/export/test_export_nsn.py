"""Writing Neuroshare native files: what is written is read again, whatever the tree."""

from __future__ import annotations

import importlib
from datetime import datetime

import numpy as np
import pytest
import quantities as pq

from ephyrus import neuroshare
from ephyrus.core import (
    Block,
    Epoch,
    Event,
    ImageSequence,
    IrregularlySampledSignal,
    Segment,
    SpikeTrain,
)
from ephyrus.errors import NeoReadWriteError
from ephyrus.export.nsn import elements, write
from ephyrus.recording import CallbackProgress, NullProgress
from ephyrus.registry import open_recording
from tests.golden import data_path
from tests.synth import nsn
from tests.synth.objects import block_of, signal_of


@pytest.fixture
def written(tmp_path):
    def writing(*blocks, progress=None):
        path = tmp_path / "out.nsn"
        report = write(blocks, path, {}, progress=progress or NullProgress())
        assert report.paths == (path,)
        assert [each.name for each in tmp_path.iterdir() if ".part-" in each.name] == []
        recording = open_recording(path, format="nsn")
        assert recording.problems == ()
        return recording, report.losses

    return writing


def times_of(recording, table):
    stream = recording.table(table)
    ticks = recording.read_table(stream, columns=["tick"])["tick"]
    return ticks / float(stream.clock)


@pytest.mark.parametrize("sample", nsn.samples(), ids=lambda sample: sample.name)
@pytest.mark.parametrize("lazy", [False, True])
def test_what_was_read_is_written(sample, lazy, tmp_path, written):
    """All facts and values of every entity, but the order of the entities and made-up names."""
    path = sample.write(tmp_path)
    with open_recording(path) as recording:
        blocks = recording.tree(lazy=True)
        if not lazy:
            for segment in blocks[0].segments:
                for name in ("analogsignals", "events", "epochs", "spiketrains"):
                    objects = getattr(segment, name)
                    for at, obj in enumerate(list(objects)):
                        keywords = (
                            {"load_waveforms": obj.waveforms is not None}
                            if name == "spiketrains"
                            else {}
                        )
                        objects[at] = obj.load(**keywords)
        again, _ = written(*blocks)
        assert again.segments == recording.segments
        signals = {stream.channels.names: stream for stream in again.signals}
        for stream in recording.signals:
            other = signals[stream.channels.names]
            assert (other.rate, other.channels.units) == (stream.rate, stream.channels.units)
            np.testing.assert_array_equal(other.runs["count"], stream.runs["count"])
            np.testing.assert_array_equal(again.read_signal(other), recording.read_signal(stream))
            for name, column in stream.channels.extra.items():
                np.testing.assert_array_equal(other.channels.extra[name], column)
        check_tables(recording, again)


def check_tables(recording, again):
    for table in recording.tables:
        found = recording.read_table(table, columns=list(table.columns))
        times = times_of(recording, table)
        if table.kind != "spikes":
            if not table.length:
                continue  # the tree has events with items, or an empty one without its type
            other = again.read_table(table.name)
            np.testing.assert_array_equal(times_of(again, table.name), times)
            for name in set(table.columns) - {"tick"}:
                assert other[name].tolist() == found[name].tolist()
            continue
        for unit in table.units:
            chosen = found["unit"] == unit.id
            other = again.table(unit.name)
            np.testing.assert_array_equal(times_of(again, unit.name), times[chosen])
            if table.waveforms is not None:
                waveforms = again.read_table(other, columns=["waveform"])["waveform"]
                expected = found["waveform"][chosen][:, :, : waveforms.shape[2]]
                np.testing.assert_array_equal(waveforms, expected)
                assert [each.id for each in other.units] == [unit.id]
                assert other.annotations["resolution"] == table.annotations["resolution"]
                assert other.waveforms.unit == table.waveforms.unit


def test_objects_in_memory(written):
    block = block_of(
        signal_of([[1.5, -2.0], [0.1, 3.0]], units="uV", name="a", t_start=0.5 * pq.s),
        Event([0.6, 0.2] * pq.s, labels=["später", "b"], name="marks"),
        Epoch([0.25] * pq.s, durations=[0.5] * pq.s, labels=['say "a", b'], name="states"),
        SpikeTrain([0.5, 1.5] * pq.s, t_stop=2.0, name="bare"),
        SpikeTrain(
            [0.5, 1.5] * pq.s,
            t_stop=2.0,
            name="shaped",
            waveforms=np.arange(12.0).reshape(2, 2, 3) * pq.mV,
            sampling_rate=20 * pq.kHz,
            unit_id=3,
        ),
        IrregularlySampledSignal(
            [0.1, 0.7] * pq.s, [[1.0, 2.0], [3.0, 4.0]], units="mV", time_units="s", name="slow"
        ),
    )
    block.rec_datetime = datetime(2024, 2, 29, 12, 30, 15, 250_000)
    block.description = "a test"
    recording, losses = written(block)
    assert losses == ()
    (stream,) = recording.signals
    assert (stream.channels.names, stream.channels.units) == (("a 0", "a 1"), ("uV", "uV"))
    np.testing.assert_array_equal(recording.read_scaled(stream), [[1.5, -2.0], [0.1, 3.0]])
    assert float(stream.t_start()) == 0.5
    assert stream.channels.extra["min_value"].tolist() == [0.1, -2.0]
    assert stream.channels.extra["max_value"].tolist() == [1.5, 3.0]
    assert recording.read_table("marks")["label"].tolist() == ["b", "später"]
    assert times_of(recording, "marks").tolist() == [0.2, 0.6]
    states = recording.read_table("states")
    assert (states["label"].tolist(), states["duration"].tolist()) == (['say "a", b'], [0.5])
    assert times_of(recording, "bare").tolist() == [0.5, 1.5]
    shaped = recording.read_table("shaped", columns=["unit", "waveform"])
    np.testing.assert_array_equal(shaped["waveform"], np.arange(12.0).reshape(2, 2, 3))
    assert shaped["unit"].tolist() == [8, 8]  # bit 3
    assert float(recording.table("shaped").waveforms.rate) == 20_000
    slow = recording.read_table("slow")
    assert slow["value"].tolist() == [[1.0, 2.0], [3.0, 4.0]]
    (info,) = recording.blocks
    assert info.rec_datetime == block.rec_datetime
    assert info.annotations["comment"] == "a test"
    with neuroshare.File(recording.path) as file:
        assert file.entities[0].get_data()[0].tolist() == [1.5, 0.1]


def test_sweeps_follow_each_other(written):
    block = Block()
    for t_start in (0.0, 0.0, 5.0):
        segment = Segment()
        values = np.arange(3.0)[:, np.newaxis] + t_start
        segment.analogsignals.append(signal_of(values, t_start=t_start * pq.s, name="a"))
        segment.events.append(Event([t_start + 0.001] * pq.s, labels=["x"], name="e"))
        block.segments.append(segment)
    recording, losses = written(block)
    (stream,) = recording.signals
    assert stream.runs["count"].tolist() == [3, 3, 3]
    starts = [float(stream.t_start(run)) for run in range(3)]
    np.testing.assert_allclose(starts, [0, 0.003, 5], atol=1e-12)
    np.testing.assert_allclose(times_of(recording, "e"), [0.001, 0.004, 5.001], atol=1e-12)
    assert losses == (
        "1 segment began before the one before it ended: moved behind that one, as the file has "
        "one span of time",
    )


def test_several_runs_of_a_signal_are_one_entity(written):
    one, two = (signal_of([[1.0], [2.0]], t_start=start * pq.s, name="a") for start in (0.0, 1.0))
    other = signal_of([[5.0], [6.0]], t_start=0.001 * pq.s, name="a")
    recording, _ = written(block_of(one, two, other))
    runs = sorted(stream.runs["count"].tolist() for stream in recording.signals)
    assert runs == [[2], [2, 2]]


def test_what_is_lost_is_said(written):
    images = ImageSequence(
        np.zeros((2, 3, 4)), units="dimensionless", sampling_rate=1 * pq.Hz, spatial_scale=1 * pq.um
    )
    event = Event([0.0] * pq.s, labels=["x"], name="n" * 40, colour="red")
    event.array_annotate(size=[3])
    block = block_of(event, imagesequences=[images])
    block.annotate(animal="rat")
    _, losses = written(block)
    assert losses == (
        "left out: 1 image sequence; the format has nothing like them",
        "1 name or text had to be cut",
        "annotations are left out: animal, colour",
        "array annotations are left out: size",
    )


def test_names_are_cut_between_characters(written):
    recording, _ = written(block_of(Event([0.0] * pq.s, labels=["x"], name="ä" * 40)))
    assert recording.tables[0].name == "ä" * 16


def test_an_empty_tree(written):
    recording, losses = written(Block())
    assert (recording.signals, recording.tables, losses) == ((), (), ())


def test_times_that_go_back(written):
    train = SpikeTrain(
        [1.5, 0.5] * pq.s, t_stop=2.0, name="s", waveforms=np.zeros((2, 1, 4)) * pq.mV
    )
    recording, losses = written(block_of(train))
    assert times_of(recording, "s").tolist() == [0.5, 1.5]
    assert losses == ("times go back in s; the format wants them in order",)


def test_an_entity_of_4_gib_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(elements, "MOST_BYTES", 1000)
    path = tmp_path / "out.nsn"
    with pytest.raises(NeoReadWriteError, match="'a' takes 1,116 bytes; an entity of a Neuroshare"):
        write(
            [block_of(signal_of(np.zeros((100, 1)), name="a"))], path, {}, progress=NullProgress()
        )
    assert list(tmp_path.iterdir()) == []


def test_progress(written):
    seen = []
    progress = CallbackProgress(lambda done, total: seen.append((done, total)))
    written(block_of(signal_of(np.zeros((300_000, 2)))), progress=progress)
    assert seen[0] == (0, 4_800_000)
    assert seen[-1] == (4_800_000, 4_800_000)
    assert len(seen) > 2


@pytest.mark.parametrize("name", ["example", "plexon", "brainvision", "neuroexplorer", "spike2"])
def test_any_recording(name, tmp_path, written):
    """Signals in physical units, spike times and event times of other formats."""
    sample = importlib.import_module(f"tests.synth.{name}").samples()[0]
    folder = tmp_path / "source"
    folder.mkdir()
    with open_recording(sample.write(folder), format=name, **sample.options) as recording:
        again, _ = written(*recording.tree(lazy=True))
        total = sum(stream.length * len(stream.channels) for stream in recording.signals)
        assert sum(s.length * len(s.channels) for s in again.signals) == total
        expected = sum(recording.read_scaled(s).astype(float).sum() for s in recording.signals)
        found = sum(again.read_scaled(s).sum() for s in again.signals)
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-6)
        for kind in ("spikes", "events", "epochs", "samples"):
            ours = [t.length for t in again.tables if t.kind == kind]
            assert sum(ours) == sum(t.length for t in recording.tables if t.kind == kind)


@pytest.mark.real
def test_a_real_recording(written):
    path = data_path("plexon/16sp_lfp_with_2coords.plx")
    with open_recording(path) as recording, neuroshare.File(path) as source:
        again, _ = written(*recording.tree(lazy=True))
        with neuroshare.File(again.path) as target:
            ours = {e.label: e for e in target.entities if e.entity_type == 2}
            for entity in source.entities:
                if entity.entity_type != 2:
                    continue
                for mine, other in zip(
                    ours[entity.label].get_data(), entity.get_data(), strict=True
                ):
                    np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-9)
