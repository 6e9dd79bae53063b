"""NIX as a format: files made with plain h5py, by value; conversion in bounded memory; damage."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import quantities as pq

import ephyrus
from ephyrus.core import AnalogSignal, Block, Segment
from ephyrus.errors import FormatError, WrongFormatError
from ephyrus.export import writer
from ephyrus.io import NixIO
from ephyrus.recording import FileSet, NullProgress
from ephyrus.registry import identify
from tests.golden import data_path, golden
from tests.nix.same import assert_same_blocks, loaded
from tests.synth import nix as synth

OPTIONS = {"use_obj_names": False, "compression": False}


@pytest.fixture
def objects(tmp_path):
    return synth.objects(tmp_path)


@pytest.mark.parametrize("lazy", [False, True])
def test_every_kind_of_object(objects, lazy):
    with ephyrus.open(objects) as recording:
        (block,) = recording.tree(lazy=lazy)
        assert (block.name, block.annotations["rig"], block.annotations["rates"]) == (
            "session",
            "left",
            [1, 2, 3],
        )
        (segment,) = block.segments
        signal = loaded(segment.analogsignals[0])
        np.testing.assert_array_equal(signal.magnitude, synth.SIGNAL)
        assert (signal.units, signal.sampling_rate, signal.t_start) == (
            pq.mV,
            2 * pq.kHz,
            1 * pq.s,
        )
        assert signal.annotations["gain"] == 2.5 * pq.mV
        assert list(signal.array_annotations["channel_names"]) == ["left", "right"]
        np.testing.assert_array_equal(signal.array_annotations["depth"], [10.0, 20.0] * pq.um)
        drug = loaded(segment.irregularlysampledsignals[0])
        np.testing.assert_array_equal(drug.magnitude[:, 0], synth.IRREGULAR)
        np.testing.assert_array_equal(drug.times, synth.IRREGULAR_TIMES * pq.ms)
        assert drug.description == "in the bath"
        cues = loaded(segment.events[0])
        np.testing.assert_array_equal(cues.times, synth.EVENT_TIMES * pq.s)
        assert list(cues.labels) == ["go", "stop"]
        assert list(cues.array_annotations["button"]) == [1, 2]
        states = loaded(segment.epochs[0])
        np.testing.assert_array_equal(states.times, synth.EPOCH_TIMES * pq.ms)
        np.testing.assert_array_equal(states.durations, synth.EPOCH_DURATIONS * pq.s)
        assert list(states.labels) == ["rest", "wörk"]
        train = loaded(segment.spiketrains[0])
        np.testing.assert_array_equal(train.times, synth.SPIKES * pq.ms)
        np.testing.assert_array_equal(train.waveforms, synth.WAVEFORMS * pq.uV)
        assert (train.t_start, train.t_stop) == (1000 * pq.ms, 2000 * pq.ms)
        assert (train.sampling_rate, train.left_sweep) == (20 * pq.kHz, 0.2 * pq.ms)
        movie = loaded(segment.imagesequences[0])
        np.testing.assert_array_equal(movie.magnitude, synth.FRAMES)
        assert (movie.spatial_scale, movie.t_start) == (1.5 * pq.um, 3 * pq.s)
        (group,) = block.groups
        assert group.spiketrains[0] is segment.spiketrains[0]
        assert group.channelviews[0].obj is segment.analogsignals[0]
        assert list(group.channelviews[0].index) == [1]
        assert group.groups[0].name == "inner"
        assert group.groups[0].analogsignals[0] is segment.analogsignals[0]


def test_streams_of_the_recording(objects):
    with ephyrus.open(objects) as recording:
        np.testing.assert_array_equal(
            recording.read_signal("voltage", 1, 3, ["right"]), synth.SIGNAL[1:3, 1:]
        )
        spikes = recording.read_table("unit 1")
        np.testing.assert_allclose(spikes["tick"], synth.SPIKES / 1000)
        assert list(recording.read_table("states")["label"]) == ["rest", "wörk"]


def test_data_arrays_without_objects(tmp_path):
    with ephyrus.open(synth.plain(tmp_path)) as recording:
        (segment,) = recording.tree()[0].segments
        voltage, lfp = segment.analogsignals
        np.testing.assert_array_equal(voltage.magnitude[:, 0], np.arange(6.0))
        assert (voltage.t_start, voltage.sampling_rate) == (0.5 * pq.s, 100 * pq.Hz)
        assert voltage.annotations["amplifier"] == "A-1"
        np.testing.assert_array_equal(lfp.magnitude, 1 + np.arange(12).reshape(3, 4).T * 0.5)
        assert list(lfp.array_annotations["channel_names"]) == ["a", "b", "c"]
        (drug,) = segment.irregularlysampledsignals
        np.testing.assert_array_equal(drug.times, [0.0, 1.0, 4.0] * pq.s)
        assert [problem.reason for problem in recording.problems] == [
            "data array 'image' has no axis of time: left out"
        ]


def test_early_layout(tmp_path):
    with ephyrus.open(synth.old(tmp_path)) as recording:
        (segment,) = recording.tree()[0].segments
        (signal,) = segment.analogsignals
        np.testing.assert_array_equal(signal.magnitude[:, 0], np.arange(5.0))
        assert signal.sampling_period.rescale("ms") == 2 * pq.ms
        assert signal.t_start.rescale("ms") == 500 * pq.ms
        assert signal.annotations["depth"] == 3


@pytest.mark.real
def test_a_real_file_of_version_1_0_0():
    name = "nix/spike_features.h5"
    expected = {each["name"]: each for each in golden(name)["blocks"][0]["data_arrays"]}
    with ephyrus.open(data_path(name)) as recording:
        assert [stream.name for stream in recording.signals] == ["membrane voltage", "stimulus"]
        for stream in recording.signals:
            wanted = expected[stream.name]
            values = recording.read_signal(stream)[:, 0]
            assert (len(values), str(values.dtype)) == (wanted["n"], wanted["dtype"])
            assert stream.rate == 10_000
            assert stream.channels.units == (wanted["unit"] or "",)
            np.testing.assert_array_equal(values[:5], wanted["first5"])
            np.testing.assert_array_equal(values[-5:], wanted["last5"])
            assert (values.min(), values.max()) == (wanted["min"], wanted["max"])
            np.testing.assert_allclose(values.sum(), wanted["sum"], rtol=1e-12)


def test_files_without_recordings_are_refused_with_a_reason(tmp_path):
    path = tmp_path / "image.nix"
    with synth.Writer(path) as made:
        block = made.entity(made.data, "", "session", "nix.session")
        made.array(block, "image", "nix.image", np.zeros((2, 2)))
    with pytest.raises(WrongFormatError, match=r"'image' has no axis of time.*ephyrus.nix.File"):
        ephyrus.open(path)


def test_other_hdf5_is_not_nix(tmp_path):
    path = tmp_path / "other.h5"
    with h5py.File(path, "w") as file:
        file["values"] = np.arange(3)
    files = FileSet(path)
    assert "nix" not in [match.format.name for match in identify(files)]
    files.close()


def test_lazy_objects_outlive_their_reader(objects):
    with ephyrus.open(objects) as recording:
        (block,) = recording.tree(lazy=True)
    again = pickle.loads(pickle.dumps(block))
    for each in (block, again):
        signal = each.segments[0].analogsignals[0]
        assert (signal.size, signal.lazy_shape) == (0, (4, 2))
        np.testing.assert_array_equal(signal.load().magnitude, synth.SIGNAL)


# NixIO


def test_blocks_by_index_name_and_one_after_another(tmp_path):
    path = tmp_path / "two.nix"
    first, second = Block(name="first"), Block(name="second")
    with NixIO(path, mode="ow") as file:
        file.write_all_blocks([first, second])
        assert [block.name for block in file.iter_blocks()] == ["first", "second"]
        assert file.read_block(1).name == "second"
        assert file.read_block(-1).name == "second"
        name = first.annotations["nix_name"]
        assert file.read_block(nixname=name, neoname="second").name == "first"
        assert file.read_block(1, nixname=name).name == "second"
        assert file.read_block(neoname="second").name == "second"
        assert [file.read_block().name for _ in range(2)] == ["first", "second"]
        assert file.read_block() is None
        with pytest.raises(KeyError, match="third"):
            file.read_block(neoname="third")
        with pytest.raises(IndexError, match="2 blocks"):
            file.read_block(2)


def test_modes(tmp_path):
    path = tmp_path / "modes.nix"
    with pytest.raises(ValueError, match='"ro", "rw" or "ow"'):
        NixIO(path, mode="r")
    with pytest.raises(FileNotFoundError):
        NixIO(path, mode="ro")
    with NixIO(path) as file:
        with pytest.raises(FileNotFoundError):
            file.read_block()
        file.write_block(Block(name="kept"))
    with NixIO(path, mode="ro") as file:
        assert file.nix_file.mode == "r"
        with pytest.raises(OSError, match="rw"):
            file.write_block(Block())
    with NixIO(path) as file:
        file.write_block(Block(name="more"))
        assert [block.name for block in file.read()] == ["kept", "more"]
    with NixIO(path, mode="ow") as file:
        assert file.read() == []
        assert not file.nix_file.blocks


def test_writing_again_replaces_also_what_is_read_lazily_from_there(tmp_path, objects):
    with NixIO(objects) as file:
        block = file.read_block(0, lazy=True)
        block.annotate(edited=True)
        file.write_block(block)
        assert len(file.nix_file.blocks) == 1
        assert len(file.nix_file.sections) == 2
        found = file.read_block(0)
        assert found.annotations["edited"] is True
        np.testing.assert_array_equal(found.segments[0].analogsignals[0].magnitude, synth.SIGNAL)
        np.testing.assert_array_equal(
            block.segments[0].analogsignals[0].load().magnitude, synth.SIGNAL
        )


def test_a_failed_write_leaves_the_old_block(tmp_path, objects, monkeypatch):
    with NixIO(objects) as file:
        block = file.read_block(0)
        broken = AnalogSignal(np.zeros((3, 1), complex), units="mV", sampling_rate=1 * pq.Hz)
        block.segments[0].analogsignals.append(broken)
        monkeypatch.setattr(
            "ephyrus.nix.objects.writing._write_group", lambda *given: 1 / 0, raising=True
        )
        with pytest.raises(ZeroDivisionError):
            file.write_block(block)
        assert len(file.nix_file.blocks) == 1
        assert len(file.read_block(0).segments[0].analogsignals) == 1


def test_cascade(objects):
    with NixIO(objects, mode="ro") as file:
        bare = file.read_block(0, cascade=False)
        assert (bare.name, len(bare.segments), len(bare.groups)) == ("session", 0, 0)
        touched = file.read_block(0, cascade="lazy", lazy=True)
        assert (len(touched.segments), len(touched.groups)) == (1, 1)
        assert touched.groups[0].spiketrains[0] is touched.segments[0].spiketrains[0]
        assert touched.segments[0].block is touched
        assert (touched.segments[0].index, file.read_block(0).segments[0].index) == (0, 0)
        again = pickle.loads(pickle.dumps(file.read_block(0, cascade="lazy")))
        assert again.groups[0].spiketrains[0] is again.segments[0].spiketrains[0]
        assert again.segments[0].index == 0
        assert file.load_lazy_object(touched.segments[0].events[0]).size == 2
        part = file.read_segment(0, 0, time_slice=(1.0, 1.001))
        np.testing.assert_array_equal(part.analogsignals[0].magnitude, synth.SIGNAL[:2])


def test_names_of_objects(tmp_path):
    block = Block(name="session")
    block.segments.append(Segment(name="trial"))
    with NixIO(tmp_path / "x.nix", mode="ow") as file:
        file.write_block(block, use_obj_names=True)
        assert [each.name for each in file.nix_file.blocks] == ["session"]
        block.segments.append(Segment(name="trial"))
        with pytest.raises(ValueError, match="share a name"):
            file.write_block(block, use_obj_names=True)
        block.segments[1].name = None
        with pytest.raises(ValueError, match="have a name"):
            file.write_block(block, use_obj_names=True)


# Writing


def test_lazy_trees_are_written_as_full_ones(tmp_path, objects):
    with ephyrus.open(objects) as recording:
        report = writer("nix")(
            recording.tree(lazy=True), tmp_path / "b.nix", OPTIONS, progress=NullProgress()
        )
        assert report.losses == ()
        with ephyrus.open(tmp_path / "b.nix") as found:
            assert_same_blocks(found.tree()[0], recording.tree()[0])


@pytest.mark.parametrize("compression", ["", "gzip"])
def test_a_large_signal_is_written_in_pieces_and_bounded_memory(tmp_path, compression):
    script = """
import resource, sys
import numpy as np, ephyrus, quantities as pq
from ephyrus.core import AnalogSignal, Block, Segment
from ephyrus.io import NixIO
from ephyrus.export import writer
from ephyrus.recording import NullProgress

class Ramp:
    shape, dtype = (1_000_000, 32), np.dtype("f4")
    def read(self, start, stop, channels):
        values = np.arange(start, stop, dtype="f4")[:, None] + np.arange(32, dtype="f4")
        values *= not sys.argv[2]  # zeros are quick to compress
        return values if channels is None else values[:, channels]

block = Block(); block.segments.append(Segment())
signal = AnalogSignal._create(np.empty((0, 32), "f4"), pq.mV, sampling_rate=1e3, source=Ramp())
block.segments[0].analogsignals.append(signal)
from pathlib import Path
small = AnalogSignal(np.zeros((10, 2)), units="mV", sampling_rate=1 * pq.Hz)
warm = Block(); warm.segments.append(Segment()); warm.segments[0].analogsignals.append(small)
options = {"use_obj_names": False, "compression": bool(sys.argv[2])}
writer("nix")([warm], Path(sys.argv[1]), options, progress=NullProgress())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
class Bar(NullProgress):
    done = total = 0
    def start(self, total, unit, label): self.total = total
    def advance(self, n): self.done += n
bar = Bar()
writer("nix")([block], Path(sys.argv[1]), options, progress=bar)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, bar.done, bar.total)
"""
    path = tmp_path / "large.nix"
    result = subprocess.run(
        [sys.executable, "-c", script, str(path), compression],
        capture_output=True,
        text=True,
        check=True,
    )
    grown, done, total = map(float, result.stdout.split())
    assert done == total == 128_000_000
    assert grown < 64 + 16, f"{grown} MiB"
    with ephyrus.open(path) as recording:
        values = recording.read_signal(0, 999_998, None)
        expected = np.arange(999_998, 1_000_000, dtype="f4")[:, None] + np.arange(32)
        np.testing.assert_array_equal(values, 0 * expected if compression else expected)


def test_compression(tmp_path):
    block = Block()
    block.segments.append(Segment())
    signal = AnalogSignal(np.zeros((100_000, 2)), units="mV", sampling_rate=1 * pq.Hz)
    block.segments[0].analogsignals.append(signal)
    path = tmp_path / "small.nix"
    writer("nix")([block], path, OPTIONS | {"compression": True}, progress=NullProgress())
    assert path.stat().st_size < 200_000
    with ephyrus.open(path) as recording:
        np.testing.assert_array_equal(recording.read_signal(0), np.zeros((100_000, 2)))


def test_a_failed_conversion_leaves_the_old_file(tmp_path):
    path = tmp_path / "kept.nix"
    path.write_bytes(b"old")
    block = Block()
    block.segments.append(Segment())
    signal = AnalogSignal(np.zeros((3, 1), complex), units="mV", sampling_rate=1 * pq.Hz)
    block.segments[0].analogsignals.append(signal)

    class Stopped(NullProgress):
        def advance(self, count: int) -> None:
            assert path.read_bytes() == b"old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        writer("nix")([block], path, OPTIONS, progress=Stopped())
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["kept.nix"]


# Damage: HDF5 itself may crash or hang on damaged files, so they are read in a child process.

# Those of the library beneath are a thousand more, in tests/nix; so are those of the contract.
MUTATIONS = 1000 if os.environ.get("EPHYRUS_CONTRACT") == "full" else 300
CHILD = """
import faulthandler, sys, warnings, logging
from pathlib import Path
import ephyrus
from ephyrus.errors import FormatError
from ephyrus.recording import FileSet, Recording
from ephyrus.registry import format_module
from ephyrus.testing.mutate import mutation
import resource

logging.disable(50)
module, data, name = format_module("nix"), Path(sys.argv[1]).read_bytes(), sys.argv[2]
resource.setrlimit(resource.RLIMIT_AS, (4 * 2**30, 4 * 2**30))
for number in range(int(sys.argv[3]), int(sys.argv[4])):
    faulthandler.dump_traceback_later(60, exit=True)
    print(number, flush=True)
    case = mutation(data, name, number)
    try:
        with Recording(module, FileSet("x.nix", memory={"x.nix": case.data})) as recording:
            for stream in recording.signals:
                values = recording.read_signal(stream)
                assert values.shape == (stream.length, *stream.item_shape)
            for table in recording.tables:
                recording.read_table(table)
    except FormatError:
        pass
print("done", flush=True)
"""


@pytest.mark.timeout(300)
def test_damaged_files_give_errors_or_sound_data_in_a_child_process(objects):
    """Seeded mutations; where HDF5 itself ends or hangs, the next child goes on."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    begin, ended = 0, []
    while begin < MUTATIONS:
        result = subprocess.run(
            [sys.executable, "-c", CHILD, str(objects), "objects", str(begin), str(MUTATIONS)],
            capture_output=True,
            text=True,
            env=environment,
            timeout=280,
            check=False,
        )
        last = result.stdout.split()[-1]
        if last == "done":
            break
        assert "AssertionError" not in result.stderr
        assert "Error" not in result.stderr, result.stderr
        ended.append(int(last))
        begin = int(last) + 1
    assert len(ended) <= 3, ended


def test_what_is_no_hdf5_is_refused(tmp_path):
    path = tmp_path / "x.nix"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(FormatError):
        NixIO(path, mode="ro")
    with pytest.raises(FormatError):
        ephyrus.open(path, format="nix")
