"""Pickle: round trips by value, and refusal of everything that could run code."""

import os
import pickle
import subprocess

import numpy as np
import pytest
import quantities as pq

import ephyrus
from ephyrus.core import AnalogSignal, Block, Segment
from ephyrus.errors import CorruptError, FormatError
from ephyrus.io import PickleIO, RawBinarySignalIO
from tests.synth.pickle import example_block

LISTS = ("analogsignals", "irregularlysampledsignals", "spiketrains", "events", "epochs")


def assert_same(found, expected):
    assert found.name == expected.name
    for segment, other in zip(found.segments, expected.segments, strict=True):
        assert segment.block is found
        for name in LISTS:
            pairs = zip(getattr(segment, name), getattr(other, name), strict=True)
            for mine, theirs in pairs:
                assert mine.segment is segment
                assert (mine.name, mine.annotations) == (theirs.name, theirs.annotations)
                np.testing.assert_array_equal(mine.magnitude, theirs.magnitude)
                assert mine.units == theirs.units
                np.testing.assert_array_equal(mine.times.magnitude, theirs.times.magnitude)
                assert {k: list(v) for k, v in mine.array_annotations.items()} == {
                    k: list(v) for k, v in theirs.array_annotations.items()
                }
        for mine, theirs in zip(segment.spiketrains, other.spiketrains, strict=True):
            np.testing.assert_array_equal(mine.waveforms.magnitude, theirs.waveforms.magnitude)
            assert mine.left_sweep == theirs.left_sweep
        assert [list(e.labels) for e in segment.events] == [list(e.labels) for e in other.events]


@pytest.mark.parametrize("protocol", [4, 5])
def test_round_trip(tmp_path, protocol):
    block, path = example_block(), tmp_path / "b.pkl"
    PickleIO(path).write_block(block, protocol=protocol)
    found = PickleIO(path).read_block()
    assert_same(found, block)
    assert found.groups[0].spiketrains[1] is found.segments[1].spiketrains[0]
    assert path.read_bytes()[1] == protocol


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_the_standard_pickler_writes_is_read(tmp_path, protocol):
    block, path = example_block(), tmp_path / "b.pickle"
    block.annotate(
        when=np.datetime64("2020-01-02"), rate=3 * pq.kHz, unit=pq.mV, values=[1.5, None]
    )
    path.write_bytes(pickle.dumps(block, protocol))
    found = ephyrus.read(path)[0]
    assert_same(found, block)
    assert found.annotations["rate"] == 3 * pq.kHz
    assert found.annotations["values"] == [1.5, None]
    assert found.annotations["unit"].dimensionality == pq.mV.dimensionality


def test_streams_of_the_recording(tmp_path):
    block, path = example_block(), tmp_path / "b.pkl"
    PickleIO(path).write_block(block)
    with ephyrus.open(path) as recording:
        stream = recording.signal("lfp")
        assert list(stream.runs["count"]) == [50, 51]
        assert [float(stream.t_start(run)) for run in (0, 1)] == [0.0, 10.0]
        assert stream.channels.names == ("a", "b")
        expected = np.concatenate([seg.analogsignals[0].magnitude for seg in block.segments])
        np.testing.assert_array_equal(recording.read_signal(stream), expected)
        np.testing.assert_array_equal(
            recording.read_signal(stream, 45, 60, ["b"]), expected[45:60, 1:]
        )
        spikes = recording.read_table("unit a", 2, 5)
        np.testing.assert_allclose(spikes["tick"], [0.3, 10.01, 10.2])
        np.testing.assert_array_equal(spikes["amplitude"], [3.0, 1.0, 2.0])
        assert list(recording.read_table("cues")["label"]) == ["go", "stop"] * 2


def test_lazy_objects(tmp_path):
    block, path = example_block(), tmp_path / "b.pkl"
    PickleIO(path).write_block(block)
    lazy = PickleIO(path).read_block(lazy=True)
    assert lazy.groups[0].spiketrains[0] is lazy.segments[0].spiketrains[0]
    for segment, other in zip(lazy.segments, block.segments, strict=True):
        for name in LISTS:
            for mine, theirs in zip(getattr(segment, name), getattr(other, name), strict=True):
                assert (mine.size, mine.lazy_shape) == (0, theirs.shape)
                np.testing.assert_array_equal(mine.load().magnitude, theirs.magnitude)
                assert mine.load().units == theirs.units


def test_lazy_objects_are_loaded_before_they_are_written(tmp_path):
    block, path = example_block(), tmp_path / "b.pkl"
    PickleIO(path).write_block(block)
    lazy = PickleIO(path).read_block(lazy=True)
    PickleIO(tmp_path / "c.pkl").write_block(lazy)
    assert_same(PickleIO(tmp_path / "c.pkl").read_block(), block)


def test_other_tops_are_wrapped(tmp_path):
    segment = Segment(name="alone")
    signal = AnalogSignal([[1.0], [2.0]], units="mV", sampling_rate=1 * pq.Hz)
    for obj, name in ((segment, "alone"), (signal, None)):
        path = tmp_path / "x.pkl"
        path.write_bytes(pickle.dumps(obj))
        with PickleIO(path) as reader:
            assert reader.read_segment().name == name
            assert isinstance(reader.read_block(), Block)
    np.testing.assert_array_equal(
        PickleIO(path).read_segment().analogsignals[0].magnitude, [[1], [2]]
    )
    path.write_bytes(pickle.dumps([example_block(1), example_block(2)]))
    assert [len(block.segments) for block in PickleIO(path).read()] == [1, 2]


class RunsCode:
    """Runs a command when it is unpickled."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


class Opens:
    def __reduce__(self):
        return open, ("canary.txt", "w")


class Spawns:
    def __reduce__(self):
        return subprocess.Popen, (["true"],)


class Evaluates:
    def __reduce__(self):
        return eval, ("1 + 1",)


def test_code_is_refused_and_named(tmp_path):
    marker = tmp_path / "ran"
    for obj, name in (
        (RunsCode(marker), r"(posix|nt)\.system"),
        (Opens(), r"(_?io)\.open"),
        (Spawns(), r"subprocess\.Popen"),
        (Evaluates(), r"builtins\.eval"),
        (np.random.default_rng(1), r"numpy\.random"),
    ):
        path = tmp_path / "evil.pkl"
        path.write_bytes(pickle.dumps([example_block(1), obj]))
        with pytest.raises(FormatError, match=rf"it names {name}"):
            PickleIO(path)
    assert not marker.exists()


def refused(tmp_path, data, match):
    path = tmp_path / "evil.pkl"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=match):
        PickleIO(path)


def test_admitted_names_cannot_be_misused(tmp_path):
    call = b"\x80\x02c%b\n%b\n%b\x86R."
    refused(
        tmp_path,
        b"\x80\x02cephyrus.core.units\nas_unit\nX\x0d\x00\x00\x009**9**9**9**9\x85R.",
        "damaged",
    )
    refused(tmp_path, call % (b"numpy.core.multiarray", b"_reconstruct", b"K\x01K\x02"), "damaged")
    refused(tmp_path, b"\x80\x02cnumpy\nndarray\nJ\x00\x00\x00\x7f\x85\x85R.", "damaged")
    refused(tmp_path, b"\x80\x02cnumpy\ndtype\nX\x01\x00\x00\x00O\x85R.", "damaged|holds")
    refused(
        tmp_path, b"\x80\x02cephyrus.core.unpickling\nloads\n.", "names ephyrus.core.unpickling"
    )
    refused(tmp_path, b"\x80\x02cephyrus.core.container\ncopy\n.", "names ephyrus.core.container")


def test_the_package_itself_cannot_be_changed(tmp_path):
    before = ephyrus.ChannelView.resolve
    state = b"}X\x07\x00\x00\x00resolveNs"
    for name in (b"view\nChannelView", b"analogsignal\nAnalogSignal"):
        data = b"\x80\x02cephyrus.core." + name + b"\nN" + state + b"\x86b."
        refused(tmp_path, data, "class or function")
    assert ephyrus.ChannelView.resolve is before


def test_units_are_not_redefined(tmp_path):
    class Fake:
        def __reduce__(self):
            return pq.UnitTime, ("second", 5 * pq.m, "s")

    data = pickle.dumps({"x": Fake()})
    refused(tmp_path, data, "holds a dict")
    assert (1 * pq.s).simplified == 1 * pq.s
    assert pq.unit_registry["s"] is pq.s


def test_lying_lengths_do_not_allocate(tmp_path):
    refused(tmp_path, b"\x80\x05\x96" + (2**40).to_bytes(8, "little") + b"x.", "damaged")
    refused(tmp_path, b"\x80\x02Nr\xff\xff\xff\xff.", "holds a NoneType")


def test_foreign_and_cut_streams(tmp_path):
    refused(tmp_path, b"not a pickle", "expected a pickle of protocol")
    refused(tmp_path, pickle.dumps(example_block())[:-20], "cut or damaged")
    refused(tmp_path, pickle.dumps({"a": 1}), "holds a dict; expected a Block")
    refused(tmp_path, b"", "byte 0")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "b.pkl"
    PickleIO(path).write_block(example_block(1))
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr("ephyrus.export.pickle._LoadingPickler.dump", fail)
    with pytest.raises(OSError, match="disk full"):
        PickleIO(path).write_block(example_block(2))
    assert path.read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["b.pkl"]


def test_parts_of_the_stored_tree(tmp_path):
    block, path = example_block(), tmp_path / "b.pkl"
    PickleIO(path).write_block(block)
    reader = PickleIO(path)
    assert reader.read_block(cascade=False).annotations == block.annotations
    assert len(reader.read_block(cascade=False).segments) == 0
    bare = reader.read_segment(seg_index=1, cascade=False)
    assert (bare.name, bare.children, bare.block) == ("trial 1", (), None)
    cut = reader.read_segment(seg_index=1, time_slice=(10.1, 10.3))
    np.testing.assert_allclose(cut.spiketrains[0].magnitude, [10.2, 10.3])
    assert cut.analogsignals[0].shape == (20, 2)
    assert reader.read_block(cascade="lazy").segments[0].spiketrains[0].name == "unit a"
    with pytest.raises(NotImplementedError, match="as-stored"):
        reader.read_block(signal_group_mode="split-all")
    with pytest.raises(ValueError, match="outside segment 1"):
        reader.read_segment(seg_index=1, time_slice=(0, 1))


@pytest.mark.parametrize("protocol", [4, 5])
def test_lazy_signals_are_written_piece_by_piece(tmp_path, monkeypatch, protocol):
    """The file is the same tree, and reading it with the standard unpickler gives the values."""
    raw = tmp_path / "numbers.raw"
    values = np.arange(60_000, dtype="<i2").reshape(-1, 3)
    values.tofile(raw)
    lazy = RawBinarySignalIO(raw, nb_channel=3, signal_gain=0.5).read_block(lazy=True)
    pieces = []
    original = AnalogSignal._piece
    monkeypatch.setattr(
        AnalogSignal, "_piece", lambda self, a, b: pieces.append(b - a) or original(self, a, b)
    )
    monkeypatch.setattr("ephyrus.export.pickle.PIECE_BYTES", 50_000)
    PickleIO(tmp_path / "out.pkl").write_block(lazy, protocol=protocol)
    assert max(pieces) <= 50_000 // 12
    assert sum(pieces) == 20_000
    for found in (
        PickleIO(tmp_path / "out.pkl").read_block(),
        pickle.loads((tmp_path / "out.pkl").read_bytes()),
    ):
        signal = found.segments[0].analogsignals[0]
        assert signal.segment is found.segments[0]
        np.testing.assert_array_equal(signal.magnitude, values * np.float32(0.5))
        assert signal.lazy_shape is None
        assert float(signal.sampling_rate) == 10_000.0
        assert list(signal.array_annotations["channel_names"]) == ["ch0", "ch1", "ch2"]


def test_a_segment_that_lost_its_attributes_is_damage(tmp_path):
    segment = Segment(name="kept")
    del segment.__dict__["block"]
    path = tmp_path / "lost.pkl"
    path.write_bytes(pickle.dumps(segment))
    with pytest.raises(CorruptError, match="contradict themselves: AttributeError"):
        ephyrus.open(path)
