"""ImageSequence: construction, times, cutting, regions."""

import copy
import pickle

import numpy as np
import pytest
import quantities as pq
from numpy.testing import assert_array_equal

from ephyrus.core.analogsignal import AnalogSignal
from ephyrus.core.imagesequence import ImageSequence
from ephyrus.core.regionofinterest import CircularRegionOfInterest, RectangularRegionOfInterest

VALUES = np.arange(120.0).reshape(5, 4, 6)


def make(values=VALUES, units="mV", **kwargs):
    arguments = {"sampling_rate": 10 * pq.Hz, "spatial_scale": 2 * pq.um} | kwargs
    return ImageSequence(values, units, **arguments)


def test_construction():
    images = make(t_start=1 * pq.s, name="n", description="d", file_origin="f", key=1)
    assert_array_equal(images.magnitude, VALUES)
    assert images.shape == (5, 4, 6)
    assert images.units == pq.mV
    assert images.spatial_scale == 2 * pq.um
    assert images.sampling_rate == 10 * pq.Hz
    assert images.frame_duration == 0.1 * pq.s
    assert images.t_start == 1 * pq.s
    assert images.t_stop == 1.5 * pq.s
    assert images.duration == 0.5 * pq.s
    assert_array_equal(images.times.magnitude, 1 + np.arange(5) / 10)
    assert (images.name, images.description, images.file_origin) == ("n", "d", "f")
    assert images.annotations == {"key": 1}
    assert images.segment is None
    frames = make([[[1, 2], [3, 4]], [[5, 6], [7, 8]]])
    assert_array_equal(frames.magnitude, [[[1, 2], [3, 4]], [[5, 6], [7, 8]]])
    assert make([np.ones((2, 3)), np.zeros((2, 3))], dtype=np.int16).dtype == np.int16


def test_units_may_be_left_out():
    assert make(units=None).units == pq.dimensionless
    assert make(VALUES * pq.V, units=None).units == pq.V
    assert_array_equal(make(VALUES * pq.V).magnitude, VALUES * 1000)


def test_rate_and_duration_of_frames():
    images = make(sampling_rate=None, frame_duration=50 * pq.ms)
    assert images.sampling_rate == 20 * pq.Hz
    images.frame_duration = 0.5 * pq.s
    assert images.sampling_rate == 2 * pq.Hz
    images.sampling_rate = 4 * pq.Hz
    assert images.frame_duration == 250 * pq.ms
    images.spatial_scale = 3 * pq.mm
    assert images.spatial_scale == 3 * pq.mm
    scale = images.spatial_scale
    scale += 1 * pq.mm
    assert images.spatial_scale == 3 * pq.mm
    assert make(frame_duration=0.1 * pq.s).sampling_rate == 10 * pq.Hz


@pytest.mark.parametrize(
    ("error", "message", "kwargs"),
    [
        (ValueError, r"shape \(frame, row, column\), not \(4, 6\)", {"values": VALUES[0]}),
        (ValueError, "spatial_scale is required", {"spatial_scale": None}),
        (TypeError, "spatial_scale needs units", {"spatial_scale": 1.0}),
        (ValueError, "spatial_scale must be above 0", {"spatial_scale": 0 * pq.um}),
        (ValueError, "spatial_scale must be a single", {"spatial_scale": [1, 2] * pq.um}),
        (ValueError, "either the sampling_rate or frame_duration", {"sampling_rate": None}),
        (ValueError, "has to be 1/frame_duration", {"frame_duration": 1 * pq.s}),
        (ValueError, "t_start cannot be None", {"t_start": None}),
        (ValueError, "image_data cannot be shared", {"dtype": np.int8, "copy": False}),
    ],
)
def test_wrong_arguments(error, message, kwargs):
    with pytest.raises(error, match=message):
        make(**kwargs)


def test_representation():
    text = (
        "ImageSequence 5 frames with width 6 px and height 4 px; units mV; datatype float64 \n"
        "sampling rate: 10.0 Hz\nspatial_scale: 2.0 um"
    )
    assert repr(make()) == text
    assert ImageSequence._quantity_attr == "image_data"
    assert [attribute[0] for attribute in ImageSequence._necessary_attrs] == [
        *("image_data", "sampling_rate", "spatial_scale", "t_start")
    ]


def test_surprise_8_cutting_and_rescaling_keep_everything():
    images = make(t_start=1 * pq.s, name="n", key=1)
    part = images[2:4]
    assert type(part) is ImageSequence
    assert_array_equal(part.magnitude, VALUES[2:4])
    assert part.t_start == 1.2 * pq.s
    assert part.spatial_scale == 2 * pq.um
    assert (part.name, part.annotations) == ("n", {"key": 1})
    assert images[-2:].t_start == 1.3 * pq.s
    assert images[::2].sampling_rate == 5 * pq.Hz
    crop = images[1:, 1:3, 2:]
    assert_array_equal(crop.magnitude, VALUES[1:, 1:3, 2:])
    assert crop.t_start == 1.1 * pq.s
    coarse = images[:, ::2, ::2]
    assert_array_equal(coarse.magnitude, VALUES[:, ::2, ::2])
    assert coarse.spatial_scale == 4 * pq.um
    for other in (images.rescale("uV"), images * 1000):
        assert_array_equal(other.magnitude, VALUES * 1000)
        assert other.t_start == 1 * pq.s
        assert other.spatial_scale == 2 * pq.um
        assert other.sampling_rate == 10 * pq.Hz
    for other in (copy.deepcopy(images), pickle.loads(pickle.dumps(images)), images.copy()):
        assert type(other) is ImageSequence
        assert_array_equal(other.magnitude, VALUES)
        assert other.spatial_scale == 2 * pq.um
        assert other.annotations == {"key": 1}


@pytest.mark.parametrize(
    "index",
    [
        2,
        (2, 1),
        (2, 1, 3),
        (slice(None), 1, 2),
        (slice(1, 3), slice(None), [0, 2]),
        slice(None, None, -1),
        (slice(None), slice(None, None, 2)),
        VALUES > 50,
        ...,
    ],
    ids=repr,
)
def test_other_parts_are_quantities(index):
    part = make()[index]
    assert type(part) is pq.Quantity
    assert part.units == pq.mV
    assert_array_equal(part.magnitude, VALUES[index])


def test_annotations_of_columns_are_cut():
    images = make()
    images.array_annotate(column=np.arange(6))
    assert images[:, :, 2:4].array_annotations == {"column": [2, 3]}
    assert images[1:].array_annotations == {"column": np.arange(6)}


def test_assignment():
    images = make()
    images[0] = 5 * pq.mV
    assert (images.magnitude[0] == 5).all()


def test_time_slice_and_shift():
    images = make(t_start=1 * pq.s)
    images.segment = "segment"
    part = images.time_slice(1.1 * pq.s, 1.3 * pq.s)
    assert_array_equal(part.magnitude, VALUES[1:3])
    assert part.t_start == 1.1 * pq.s
    assert part.segment is None
    assert not np.shares_memory(part, images)
    assert images.time_shift(1).t_start == 2 * pq.s
    assert images.load() is images
    assert_array_equal(images.load((1.3, None)).magnitude, VALUES[3:])
    with pytest.raises(ValueError, match="is not within the data"):
        images.time_slice(0, 1.2)


def test_arithmetic_needs_the_same_frames():
    images = make()
    assert_array_equal((images + images).magnitude, VALUES * 2)
    with pytest.raises(ValueError, match="Inconsistent values of sampling_rate"):
        images + make(sampling_rate=5 * pq.Hz)
    assert type(images.T) is pq.Quantity
    assert_array_equal(images == 3 * pq.mV, VALUES == 3)
    assert_array_equal(images.mean(axis=0).magnitude, VALUES.mean(axis=0))


def test_signal_from_region():
    images = make(t_start=1 * pq.s, file_origin="f")
    circle = CircularRegionOfInterest(x=1, y=1, radius=1, name="c")
    rectangle = RectangularRegionOfInterest(x=2, y=3, width=2, height=4)
    signals = images.signal_from_region(circle, rectangle)
    assert [type(signal) for signal in signals] == [AnalogSignal, AnalogSignal]
    # x is the row: pixels (1, 0), (0, 1), (1, 1)
    expected = (VALUES[:, 1, 0] + VALUES[:, 0, 1] + VALUES[:, 1, 1]) / 3
    np.testing.assert_allclose(signals[0].magnitude[:, 0], expected, rtol=1e-14)
    expected = VALUES[:, 1:3, 1:5].mean(axis=(1, 2))
    np.testing.assert_allclose(signals[1].magnitude[:, 0], expected, rtol=1e-14)
    for signal in signals:
        assert signal.shape == (5, 1)
        assert signal.units == pq.mV
        assert signal.t_start == 1 * pq.s
        assert signal.sampling_rate == 10 * pq.Hz
        assert signal.file_origin == "f"
    assert signals[0].name == "c"


def test_regions_at_the_edge_and_outside():
    images = make()
    (corner,) = images.signal_from_region(CircularRegionOfInterest(0, 0, 1.5))
    np.testing.assert_allclose(corner.magnitude[:, 0], VALUES[:, :2, :2].mean(axis=(1, 2)))
    with pytest.raises(ValueError, match="no pixel within the images of 4 rows and 6 columns"):
        images.signal_from_region(CircularRegionOfInterest(100, 100, 5))
    with pytest.raises(ValueError, match="no pixel"):
        images.signal_from_region(RectangularRegionOfInterest(1.5, 1.5, 0, 0))
    with pytest.raises(ValueError, match="no region is given"):
        images.signal_from_region()


def test_duplicate_with_new_data():
    images = make(t_start=1 * pq.s, name="n", key=1)
    other = images.duplicate_with_new_data(np.ones((2, 3, 3)))
    assert_array_equal(other.magnitude, np.ones((2, 3, 3)))
    assert other.t_start == 1 * pq.s
    assert (other.name, other.annotations, other.units) == ("n", {"key": 1}, pq.mV)
    assert images.duplicate_with_new_data(np.ones((2, 3, 3)), "A").units == pq.A
    with pytest.raises(ValueError, match="shape"):
        images.duplicate_with_new_data(np.ones((2, 3)))


def test_chunks():
    pieces = list(make().chunks(2 * 24 * 8))
    assert [piece.shape for piece in pieces] == [(2, 4, 6), (2, 4, 6), (1, 4, 6)]
    assert_array_equal(np.concatenate([piece.magnitude for piece in pieces]), VALUES)
