"""Finding the class for a file."""

import numpy as np
import pytest
import quantities as pq

import ephyrus
from ephyrus import io
from ephyrus.errors import FormatError, NeoReadWriteError
from ephyrus.io import get_io, list_candidate_ios


@pytest.fixture
def brainvision(tmp_path):
    signal = ephyrus.AnalogSignal(
        np.arange(20, dtype=np.float32).reshape(10, 2), units="uV", sampling_rate=100 * pq.Hz
    )
    block, segment = ephyrus.Block(), ephyrus.Segment()
    block.segments.append(segment)
    segment.analogsignals.append(signal)
    path = tmp_path / "rec.vhdr"
    io.BrainVisionIO(path).write_block(block)
    return path


@pytest.mark.parametrize("suffix", ["vhdr", "eeg", "vmrk"])
def test_any_file_of_a_set_is_recognised(brainvision, suffix):
    path = brainvision.with_suffix(f".{suffix}")
    assert type(get_io(path)) is io.BrainVisionIO
    found = ephyrus.read(path)[0].segments[0].analogsignals[0]
    np.testing.assert_array_equal(found.magnitude, np.arange(20).reshape(10, 2))


def test_content_wins_over_the_name(brainvision, tmp_path):
    disguised = tmp_path / "other.abf"
    disguised.write_bytes(brainvision.read_bytes())
    (tmp_path / "text.dat").write_text("1\t2\n3\t4\n")
    assert list_candidate_ios(disguised)[0] is io.BrainVisionIO
    assert list_candidate_ios(tmp_path / "text.dat")[0] is io.AsciiSignalIO


def test_names_of_files_to_be_written(tmp_path):
    assert list_candidate_ios(tmp_path / "new.VHDR") == [io.BrainVisionIO]
    text = {io.AsciiSignalIO, io.AsciiSpikeTrainIO, io.TdtIO}
    assert set(list_candidate_ios(tmp_path / "new.txt")) == text
    with pytest.raises(ValueError, match="no IO class"):
        list_candidate_ios(tmp_path / "new.nonsense")


def test_folders_and_prefixes_vote(brainvision, tmp_path):
    (tmp_path / "README.md").write_text("hello")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "more.vmrk").write_text("x")
    assert list_candidate_ios(tmp_path)[0] is io.BrainVisionIO
    assert list_candidate_ios(tmp_path / "rec")[0] is io.BrainVisionIO
    with pytest.raises(ValueError, match="no IO class"):
        list_candidate_ios(tmp_path, ignore_patterns=["*"])


def test_extensions():
    by_extension = io.io_by_extension
    assert by_extension["abf"] == [io.AxonIO]
    assert io.RawBinarySignalIO in by_extension["dat"]
    assert all(extension == extension.lower() for extension in by_extension)


def test_nothing_fits(tmp_path):
    path = tmp_path / "noise.xyz"
    path.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(NeoReadWriteError, match="Could not identify IO"):
        get_io(path)
    with pytest.raises(FormatError, match="none of the"):
        ephyrus.open(path)


def test_only_the_name_speaks_for_it(tmp_path):
    path = tmp_path / "numbers.raw"
    np.arange(8, dtype="<i2").tofile(path)
    assert type(get_io(path)) is io.RawBinarySignalIO
    with pytest.raises(FormatError, match="rawbinarysignal"):
        ephyrus.open(path)
    with ephyrus.open(path, format="rawbinarysignal", nb_channel=4) as recording:
        assert recording.signals[0].length == 2


def test_a_recognised_but_damaged_file_raises_its_own_error(brainvision):
    text = brainvision.read_bytes().replace(b"NumberOfChannels=2", b"NumberOfChannels=0")
    brainvision.write_bytes(text)
    with pytest.raises(FormatError, match=r"(?i)channels"):
        get_io(brainvision)


@pytest.mark.parametrize("name", ["nowhere.abf", "nowhere.vhdr", "nowhere.xyz", "nowhere"])
def test_reading_what_is_not_there(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=f"{name}: no such file or folder"):
        ephyrus.read(tmp_path / name)
