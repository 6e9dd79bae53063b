"""The example recording of MC_Rack, where the vendor's library is there to read it.

``EPHYRUS_TEST_NEUROSHARE_MCD`` names the library (nsMCDLibrary for this system).
"""

from __future__ import annotations

import os
from datetime import datetime

import numpy as np
import pytest

import ephyrus
from ephyrus import neuroshare
from tests.golden import data_path, golden

LIBRARY = os.environ.get("EPHYRUS_TEST_NEUROSHARE_MCD", "")
STARTS = [0, 1.00108, 2.00272, 3.00464, 4.03212, 5.0332, 6.03484, 7.03676, 8.06424]

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not LIBRARY, reason="EPHYRUS_TEST_NEUROSHARE_MCD names no library"),
]


@pytest.fixture(scope="module", params=[False, True], ids=["in process", "isolated"])
def file(request):
    path = data_path("mcd/NeuroshareExample.mcd")
    with neuroshare.File(path, LIBRARY, isolate=request.param) as opened:
        yield opened


def test_the_documented_file(file):
    expected = golden("mcd/NeuroshareExample.mcd")["neuroshare"]["file"]
    assert file.metadata_raw == pytest.approx(expected)
    assert file.ctime == datetime(2009, 7, 7, 8, 42, 16, 231_000)


def test_the_documented_entities(file):
    expected = golden("mcd/NeuroshareExample.mcd")["neuroshare"]["entities"]
    found = [(each.label, each.entity_type, each.item_count) for each in file.entities]
    assert found == [(each["label"], each["type"], each["items"]) for each in expected]


def test_the_documented_examples(file):
    assert file.entities[0].get_data(0) == pytest.approx((0.1, 1))
    assert file.entities[10].get_data(0) == pytest.approx((0.01088, 255))
    assert file.entities[10].get_data(1) == pytest.approx((0.06088, 1))
    data, times, count = file.entities[1].get_data()
    assert (len(data), count) == (45_008, 5001)
    np.testing.assert_allclose(times[:3], [0, 4e-5, 8e-5], atol=1e-12)
    data, _, _ = file.entities[26].get_data(20, 5)
    microvolts = [-161.46, -163.54, -163.85, -162.29, -159.06]
    np.testing.assert_allclose(data * 1e6, microvolts, atol=0.006)
    shape, timestamp, samples, unit = file.entities[7].get_data(0)
    assert shape.shape == (1, 75)
    assert (timestamp, samples, unit) == (pytest.approx(0.003), 75, 0)


def test_signals(file):
    for each in golden("mcd/NeuroshareExample.mcd")["neuroshare"]["entities"]:
        if each["type"] != 2:
            continue
        entity = next(e for e in file.entities if e.label == each["label"])
        data, times, count = entity.get_data()
        assert (entity.sample_rate, entity.units) == (each["rate"], each["units"])
        assert count == each["continuous"]
        starts = times[np.concatenate(([True], np.diff(times) > 1.5 / each["rate"]))]
        np.testing.assert_allclose(starts, each["run_starts"], atol=1e-9)
        assert times[-1] == pytest.approx(each["last_time"])
        np.testing.assert_allclose(data[:5], each["first"], rtol=1e-12)
        assert data.sum() == pytest.approx(each["sum"], abs=1e-9)


def test_events_and_segments(file):
    for number, each in enumerate(golden("mcd/NeuroshareExample.mcd")["neuroshare"]["entities"]):
        entity = file.entities[number]
        if each["type"] == 1 and each["items"]:
            times, values = entity.get_items()
            assert times.sum() == pytest.approx(each["sum_times"])
            assert sum(values) == each["sum_values"]
        if each["type"] == 3:
            items = entity.get_items()
            assert items.times.sum() == pytest.approx(each["sum_times"])
            assert items.sample_counts[: len(each["samples"])].tolist() == each["samples"]
            for at, time in enumerate(items.times[:3]):
                assert entity.get_index_by_time(time) == at


def test_as_a_recording():
    with ephyrus.open(data_path("mcd/NeuroshareExample.mcd"), dllname=LIBRARY) as recording:
        assert [segment.t_start for segment in recording.segments] == pytest.approx(STARTS)
        assert {len(stream.runs) for stream in recording.signals} == {9}
        assert recording.table("spks0001 0019 0000       23").length == 95
