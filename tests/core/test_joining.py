"""Joining data objects: where a splice may lie, and what a merge refuses."""

import numpy as np
import pytest
import quantities as pq

from ephyrus.core import AnalogSignal, IrregularlySampledSignal, SpikeTrain
from ephyrus.errors import MergeError


def regular(samples=10, *, t_start=0.0 * pq.s, value=0.0, **kwargs):
    data = np.full((samples, 1), value)
    return AnalogSignal(data, units="mV", sampling_rate=2 * pq.Hz, t_start=t_start, **kwargs)


@pytest.mark.parametrize("t_start", [-0.1, 4.6])
def test_a_splice_that_reaches_out_by_less_than_half_a_sample_is_refused(t_start):
    with pytest.raises(ValueError, match="cannot splice a signal from"):
        regular().splice(regular(1, t_start=t_start * pq.s, value=1.0))


@pytest.mark.parametrize(("t_start", "sample"), [(0.0, 0), (4.5, 9), (1.1, 2), (1.4, 3)])
def test_a_splice_takes_the_nearest_samples(t_start, sample):
    new = regular().splice(regular(1, t_start=t_start * pq.s, value=1.0), copy=True)
    assert np.flatnonzero(new.magnitude).tolist() == [sample]


def test_a_splice_fits_within_rounding_however_late_the_signals_are():
    whole = regular(100, t_start=1e9 / 3 * pq.s)
    last = regular(1, t_start=(1e9 / 3 + 49.5) * 1e3 * pq.ms, value=1.0)
    assert np.flatnonzero(whole.splice(last, copy=True).magnitude).tolist() == [99]
    first = regular(1, t_start=np.nextafter(1e9 / 3, 0) * pq.s, value=1.0)
    assert np.flatnonzero(whole.splice(first, copy=True).magnitude).tolist() == [0]


@pytest.mark.parametrize(
    "make",
    [
        lambda arrays: regular(2, array_annotations=arrays),
        lambda arrays: IrregularlySampledSignal(
            [1.0, 2.0] * pq.s, [1.0, 2.0], units="mV", array_annotations=arrays
        ),
    ],
)
def test_merge_refuses_array_annotations_of_different_dimensions(make):
    with pytest.raises(ValueError, match="units"):
        make({"gain": [1.0] * pq.mV}).merge(make({"gain": [1.0] * pq.s}))


def test_merge_refuses_waveforms_of_different_shapes():
    first, second = (
        SpikeTrain([1.0] * pq.s, 2.0, waveforms=np.zeros((1, channels, 3)) * pq.mV)
        for channels in (1, 2)
    )
    with pytest.raises(MergeError, match=r"waveform shape .*: \(1, 3\), \(2, 3\)"):
        first.merge(second)
