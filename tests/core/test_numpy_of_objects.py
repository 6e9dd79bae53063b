"""What numpy itself makes of data objects: whole views keep everything, the rest is plain."""

import numpy as np
import pytest
import quantities as pq

from ephyrus.core import AnalogSignal, Epoch, ImageSequence, IrregularlySampledSignal, SpikeTrain
from tests.core.fake_sources import FakeSignals

K = {"k": [5, 7]}
SIGNAL = {"units": "mV", "sampling_rate": 4 * pq.Hz, "t_start": 3 * pq.s}


def objects():
    square = np.arange(4.0).reshape(2, 2)
    times = [1.0, 2.0] * pq.s
    yield AnalogSignal(square, **SIGNAL, name="a", array_annotations=K, note=1)
    yield IrregularlySampledSignal(times, square, "mV", name="a", array_annotations=K, note=1)
    yield SpikeTrain(times, 9, t_start=0.5, name="a", array_annotations=K, note=1)
    yield Epoch(times, [3, 4] * pq.ms, ["x", "y"], name="a", array_annotations=K, note=1)


WHOLE = {
    "view": lambda obj: obj.view(),
    "view of the class": lambda obj: obj.view(type(obj)),
    "array": lambda obj: np.array(obj, subok=True),
    "byteswap": lambda obj: obj.byteswap().byteswap(),
}


@pytest.mark.parametrize("operation", WHOLE)
@pytest.mark.parametrize("obj", list(objects()), ids=lambda obj: type(obj).__name__)
def test_whole_views_keep_all_metadata(obj, operation):
    new = WHOLE[operation](obj)
    assert type(new) is type(obj)
    assert (new.magnitude == obj.magnitude).all()
    assert new.array_annotations == {"k": np.array([5, 7])}
    assert (new.name, new.annotations, new.units) == ("a", {"note": 1}, obj.units)
    for attribute in ("t_start", "t_stop", "sampling_rate", "times", "durations", "labels"):
        assert np.array_equal(getattr(new, attribute, None), getattr(obj, attribute, None))
    new.annotate(note=2)
    new.array_annotate(k=[1, 2])
    assert obj.annotations == {"note": 1}
    assert obj.array_annotations == {"k": np.array([5, 7])}


def test_a_view_of_a_lazy_signal_is_lazy():
    data = np.arange(6.0).reshape(3, 2)
    lazy = AnalogSignal._create(
        np.empty((0, 2)),
        "mV",
        sampling_rate=4.0,
        rate_unit=pq.Hz,
        t_start=3.0,
        array_annotations={"k": np.array([5, 7])},
        source=FakeSignals(data, dtype=np.float64),
    )
    view = lazy.view()
    assert view.lazy_shape == (3, 2)
    assert view.t_stop == 3.75 * pq.s
    assert view.load().magnitude.tolist() == data.tolist()
    assert view.load().array_annotations == {"k": np.array([5, 7])}


def test_what_changes_the_axes_is_a_plain_quantity():
    images = ImageSequence(
        np.arange(8.0).reshape(2, 2, 2), "V", spatial_scale=1 * pq.um, sampling_rate=1 * pq.Hz
    )
    for obj in (next(objects()), images):
        weighted = obj.dot(np.array([1.0, 10.0]))
        assert type(weighted) is pq.Quantity
        assert weighted.magnitude.tolist() == (obj.magnitude @ [1.0, 10.0]).tolist()
        assert weighted.units == obj.units
    if hasattr(np.ndarray, "mT"):
        assert type(images.mT) is pq.Quantity
        assert images.mT.magnitude.tolist() == images.magnitude.transpose(0, 2, 1).tolist()
