"""Writing raw binary: rounding, clipping, ranges, several signals, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import quantities as pq

from ephyrus.core import Event, Group, Segment, SpikeTrain
from ephyrus.errors import Cancelled, NeoReadWriteError
from ephyrus.export.rawbinarysignal import write
from ephyrus.formats.rawbinarysignal import FORMAT
from ephyrus.recording import CallbackProgress, NullProgress
from ephyrus.registry import open_recording
from tests.synth.objects import block_of, signal_of


@pytest.fixture
def written(tmp_path):
    def writing(block, **options):
        path = tmp_path / "out.raw"
        options = FORMAT.option_values(options, writing=True)
        report = write([block], path, options, progress=NullProgress())
        assert report.paths == (path,)
        assert [each.name for each in tmp_path.iterdir()] == ["out.raw"]
        return path, report.losses

    return writing


def test_values_are_rounded_and_clipped(written):
    """Neo truncates toward zero and wraps around."""
    values = [[0.4, -0.4], [0.6, -0.6], [1.5, 2.5], [1e6, -1e6], [32767.4, -32768.4]]
    path, losses = written(block_of(signal_of(values)))
    expected = [[0, 0], [1, -1], [2, 2], [32767, -32768], [32767, -32768]]
    np.testing.assert_array_equal(np.fromfile(path, "<i2").reshape(-1, 2), expected)
    assert "clipped to the range of int16 with a gain of 1: 2 values" in losses


@pytest.mark.parametrize("dtype", ["<i2", ">i2", "<u2", "<i4", ">i4", "<i1", "<i8", "<u8"])
def test_largest_numbers_of_a_type(written, dtype):
    limits = np.iinfo(dtype)
    path, losses = written(block_of(signal_of([-1e30, 1e30, 0])), dtype=dtype)
    assert np.fromfile(path, dtype).tolist() == [limits.min, limits.max, 0]
    assert losses[0].startswith("clipped to the range of ")


def test_gain_and_offset(written):
    values = np.linspace(-3, 3, 601)
    options = {"signal_gain": 1e-3, "signal_offset": 0.5}
    path, losses = written(block_of(signal_of(values)), **options)
    np.testing.assert_array_equal(np.fromfile(path, "<i2"), np.rint((values - 0.5) / 1e-3))
    assert len(losses) == 1


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("<i2", lambda v: np.rint((v - 2.5) / 15 * 2**16)),
        ("<u2", lambda v: np.rint((v + 5) / 15 * 2**16)),
        ("<f4", lambda v: v.astype("f4")),
    ],
)
def test_range_of_the_old_style(written, dtype, expected):
    values = np.linspace(-5, 9.99, 1000)
    path, _ = written(block_of(signal_of(values)), dtype=dtype, rangemin=-5, rangemax=10)
    np.testing.assert_array_equal(np.fromfile(path, dtype), expected(values))


@pytest.mark.parametrize("dtype", ["<f4", ">f8"])
def test_floats_are_not_rounded(written, dtype):
    values = np.random.default_rng(0).normal(size=(100, 2))
    path, losses = written(block_of(signal_of(values)), dtype=dtype)
    np.testing.assert_array_equal(np.fromfile(path, dtype).reshape(-1, 2), values.astype(dtype))
    assert len(losses) == 1


def test_signals_stand_side_by_side(written):
    first, second = np.arange(6.0).reshape(3, 2), np.array([10.0, 11, 12])
    path, _ = written(block_of(signal_of(first), signal_of(second)))
    np.testing.assert_array_equal(
        np.fromfile(path, "<i2").reshape(3, 3), [[0, 1, 10], [2, 3, 11], [4, 5, 12]]
    )


def test_units(written):
    path, losses = written(
        block_of(signal_of([1.0, 2], "mV"), signal_of([1.0, 2], "V")), units="uV"
    )
    np.testing.assert_array_equal(
        np.fromfile(path, "<i2").reshape(-1, 2), [[1000, 32767], [2000, 32767]]
    )
    assert "units='uV'" in losses[-1]


def test_what_the_report_says_reads_the_file(written):
    values = np.random.default_rng(1).normal(size=(500, 3))
    signal = signal_of(values, sampling_rate=30 * pq.kHz, t_start=1.5 * pq.s)
    path, losses = written(block_of(signal), dtype=">i2", signal_gain=0.0005)
    told = losses[-1].partition("say ")[2]
    options = dict(each.split("=") for each in told.split(", "))
    options = {name: text.strip("'") for name, text in options.items()}
    rec = open_recording(path, format="rawbinarysignal", **options)
    np.testing.assert_allclose(rec.read_scaled(0), values, rtol=0, atol=0.00026)
    stream = rec.signals[0]
    assert (stream.rate, stream.t_start(), stream.channels.units[0]) == (30_000, 1.5, "mV")


def test_the_signal_is_not_changed(written):
    values = np.linspace(-1, 1, 50).reshape(25, 2)
    signal = signal_of(values.copy())
    written(block_of(signal), signal_gain=0.01, signal_offset=1)
    np.testing.assert_array_equal(signal.magnitude, values)


def test_coarse_rounding_and_missing_values_are_told(written):
    _, losses = written(block_of(signal_of([0.001, 0.002, np.nan])))
    assert losses[0] == "written as 0: 1 missing value (NaN)"
    assert losses[1] == (
        "values were rounded to whole steps of 1, of which they span 0; a smaller signal_gain or "
        "dtype='float32' keeps more"
    )


def test_rounding_is_told_only_where_it_costs(written):
    """Numbers that were whole come out of scaling in float32 a little off."""
    stored = np.array([-32768, 32767, 17, 400, -9001])
    values = (stored * 0.1).astype("f4")
    path, losses = written(block_of(signal_of(values)), signal_gain=0.1)
    assert np.fromfile(path, "<i2").tolist() == stored.tolist()
    assert len(losses) == 1
    _, losses = written(block_of(signal_of([0, 500.5, 1000])))
    assert losses[0] == (
        "values were rounded to whole steps of 1; a smaller signal_gain or dtype='float32' "
        "keeps more"
    )


def test_signals_without_channels_are_refused(written):
    with pytest.raises(NeoReadWriteError, match="holds analog signals, the segment has none"):
        written(block_of(signal_of(np.empty((5, 0)))))


def test_annotations_and_groups_that_are_lost_are_told(written):
    signal = signal_of([1, 2], array_annotations={"channel_names": ["a"], "impedance": [3]})
    block = block_of(signal, events=[Event([] * pq.s, labels=[])])
    block.annotate(mouse="M1")
    signal.annotate(stream_id="0", gain_mode="low")
    block.groups.append(Group(name="mine"))
    block.groups.append(Group(name="of a stream", stream_id="0"))
    _, losses = written(block)
    assert losses[:-1] == (
        "annotations are left out: gain_mode, mouse",
        "array annotations are left out: impedance",
        "1 group is left out",
    )


def test_other_objects_are_named(written):
    _, losses = written(
        block_of(
            signal_of(np.arange(1000.0)),
            spiketrains=[SpikeTrain([1.0] * pq.s, t_stop=2 * pq.s)] * 1,
            events=[Event([1.0] * pq.s, labels=["a"]), Event([1.0] * pq.s, labels=["b"])],
        )
    )
    assert losses[:2] == (
        "1 spike train is left out: raw binary holds analog signals only",
        "2 event arrays are left out: raw binary holds analog signals only",
    )


@pytest.mark.parametrize(
    "other",
    [
        {"sampling_rate": 2000 * pq.Hz},
        {"t_start": 1 * pq.s},
        {"values": [1.0, 2.0]},
    ],
)
def test_unequal_signals_are_refused(written, tmp_path, other):
    values = other.pop("values", [1.0, 2.0, 3.0])
    block = block_of(signal_of([1.0, 2, 3], name="A"), signal_of(values, name="B", **other))
    with pytest.raises(ValueError, match=r"'A' \(1000 Hz, from 0 s, 3 samples\) and 'B'"):
        written(block)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bytesoffset": 10}, "bytesoffset=10"),
        ({"dtype": "c8"}, "complex64"),
        ({"units": "pA"}, "Unable to convert"),
        ({"rangemin": 1}, "both must be given"),
    ],
)
def test_bad_options(written, options, message):
    with pytest.raises(ValueError, match=message):
        written(block_of(signal_of([1.0])), **options)


def test_one_segment_with_a_signal_is_needed(written):
    with pytest.raises(NeoReadWriteError, match="the segment has none"):
        written(block_of())
    block = block_of(signal_of([1.0]))
    block.segments.append(Segment())
    with pytest.raises(NeoReadWriteError, match="there are 2: write each segment"):
        written(block)


def test_an_empty_signal(written):
    path, _ = written(block_of(signal_of(np.empty((0, 2)))))
    assert path.read_bytes() == b""


def test_lazy_signals_are_written_in_pieces(tmp_path, written):
    values = np.random.default_rng(2).integers(-30000, 30000, (400_000, 4), np.int16)
    source = tmp_path.parent / f"{tmp_path.name}-source.raw"
    source.write_bytes(values.tobytes())
    rec = open_recording(source, format="rawbinarysignal", nb_channel=4, signal_gain=0.5)
    path, _ = written(rec.tree(lazy=True)[0], signal_gain=0.5)
    assert path.read_bytes() == source.read_bytes()


def test_a_cancelled_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "out.raw"
    path.write_bytes(b"old")
    progress = CallbackProgress(lambda done, total: progress.cancel())
    options = FORMAT.option_values({}, writing=True)
    with pytest.raises(Cancelled):
        write([block_of(signal_of([1.0, 2]))], path, options, progress=progress)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == ["out.raw"]
