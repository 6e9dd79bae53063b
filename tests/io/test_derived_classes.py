"""IO classes derived from formats: signatures, options, paths, errors, pickling."""

import inspect
import pickle

import numpy as np
import pytest
import quantities as pq

import ephyrus
from ephyrus import io
from ephyrus.core import Block, Segment
from ephyrus.errors import FormatError, NeoReadWriteError
from ephyrus.registry import all_formats


@pytest.fixture
def raw_file(tmp_path):
    path = tmp_path / "numbers.raw"
    np.arange(12, dtype="<i2").tofile(path)
    return path


def test_every_format_has_a_class():
    for declared in all_formats():
        cls = getattr(io, declared.io_class)
        assert issubclass(cls, io.BaseFromRaw)
        assert cls.__name__ == declared.io_class
        assert cls.__module__ == "ephyrus.io"
        assert getattr(ephyrus, declared.io_class) is cls
        assert cls.__doc__
        assert cls.is_writable == bool(declared.writes)
    assert {cls.__name__ for cls in io.iolist} == {each.io_class for each in all_formats()}


def test_public_names():
    names = io.__all__
    assert names == sorted(names)
    assert {"AxonIO", "BrainVisionIO", "get_io", "iolist"} <= set(names)
    assert all(getattr(io, name) is not None for name in names)
    with pytest.raises(AttributeError, match="NothingIO"):
        _ = io.NothingIO
    with pytest.raises(AttributeError, match="axonIO"):
        _ = io.axonIO


def test_signature_shows_the_options():
    parameters = inspect.signature(io.RawBinarySignalIO).parameters
    assert list(parameters)[:4] == ["filename", "dtype", "sampling_rate", "nb_channel"]
    assert parameters["sampling_rate"].default == 10000.0


def test_options_by_name_and_by_position(raw_file):
    by_name = io.RawBinarySignalIO(raw_file, nb_channel=3, sampling_rate=2 * pq.kHz)
    by_position = io.RawBinarySignalIO(raw_file, "int16", 2000.0, 3)
    for reader in (by_name, by_position):
        signal = reader.read_segment().analogsignals[0]
        np.testing.assert_array_equal(signal.magnitude, np.arange(12).reshape(4, 3))
        assert float(signal.sampling_rate.rescale("Hz")) == 2000.0


def test_wrong_options(raw_file):
    with pytest.raises(TypeError, match="no option 'channels'; its options are: dtype"):
        io.RawBinarySignalIO(raw_file, channels=3)
    with pytest.raises(TypeError, match="dtype twice"):
        io.RawBinarySignalIO(raw_file, "int16", dtype="int16")
    with pytest.raises(ValueError, match="nb_channel='x': expected int"):
        io.RawBinarySignalIO(raw_file, nb_channel="x")
    with pytest.raises(ValueError, match="errors must be"):
        io.RawBinarySignalIO(raw_file, errors="ignore")


def test_paths(raw_file, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for given in (str(raw_file), raw_file, "~/numbers.raw"):
        reader = io.RawBinarySignalIO(filename=given)
        assert isinstance(reader.filename, str)
        assert reader.read_segment().analogsignals[0].shape == (6, 2)
    assert io.RawBinarySignalIO(dirname=raw_file).read_segment().analogsignals[0].shape == (6, 2)
    with pytest.raises(TypeError, match="not both"):
        io.RawBinarySignalIO(raw_file, dirname=raw_file)
    with pytest.raises(TypeError, match="needs a filename"):
        io.RawBinarySignalIO()
    with pytest.raises(TypeError, match="is a folder"):
        io.AxonIO(tmp_path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.abf"):
        io.AxonIO(tmp_path / "missing.abf")
    to_be_written = io.RawBinarySignalIO(tmp_path / "missing.raw")
    with pytest.raises(FileNotFoundError, match=r"missing\.raw"):
        to_be_written.read_segment()


def test_a_file_of_another_format(raw_file):
    with pytest.raises(FormatError) as caught:
        io.AxonIO(raw_file)
    assert isinstance(caught.value, NeoReadWriteError)
    assert isinstance(caught.value, OSError)
    assert "numbers.raw" in str(caught.value)


def test_close_and_read_again(raw_file):
    reader = io.RawBinarySignalIO(raw_file)
    first = reader.read_block()
    assert reader.isopen
    reader.close()
    assert not reader.isopen
    again = reader.read_block()
    np.testing.assert_array_equal(
        first.segments[0].analogsignals[0].magnitude, again.segments[0].analogsignals[0].magnitude
    )


def test_write_and_read_back(tmp_path, raw_file):
    block = io.RawBinarySignalIO(raw_file).read_block()
    target = tmp_path / "copy.raw"
    writer = io.RawBinarySignalIO(target)
    writer.write(block)
    assert target.read_bytes() == raw_file.read_bytes()
    found = writer.read()[0].segments[0].analogsignals[0]
    np.testing.assert_array_equal(found.magnitude, np.arange(12).reshape(6, 2))
    assert block.segments[0].block is block


def test_formats_that_are_not_written():
    with pytest.raises(NeoReadWriteError, match="not written"):
        io.ExampleIO("x.fake").write_block(Block())
    segment = Segment()
    with pytest.raises(NeoReadWriteError, match="not written"):
        io.ExampleIO("x.fake").write_segment(segment)
    assert segment.block is None


def test_all_blocks():
    reader = io.ExampleIO()
    assert [block.name for block in reader.read_all_blocks()] == ["Block #0", "Block #1"]
    assert [block.name for block in reader.read(cascade=False)] == ["Block #0", "Block #1"]
    assert reader.read_block(1).name == "Block #1"
    assert reader.read_block(block_index=1, cascade="lazy").segments[2].name == "Seg #2 Block #1"


def test_load_lazy_cascade():
    reader = io.ExampleIO()
    from ephyrus.recording.tree import segment_addresses

    addresses = segment_addresses(reader.recording, 0, "")
    signal = reader.load_lazy_cascade(addresses["analogsignals"][0], lazy=True)
    assert signal.lazy_shape == (100_000, 8)


def test_classes_pickle_by_name():
    assert pickle.loads(pickle.dumps(io.AxonIO)) is io.AxonIO
