"""Files and entities: the same suite on a vendor's library, on one in a child, on our reader."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from ephyrus import neuroshare
from ephyrus.errors import NeuroshareError
from tests.dll import contents
from tests.neuroshare import vendor

EVENTS = [contents.ENTITIES[number].label for number in contents.EVENT_INFOS]
ANALOG = [contents.ENTITIES[number].label for number in contents.ANALOG_INFOS]
SEGMENTS = [contents.ENTITIES[number].label for number in contents.SEGMENT_INFOS]
KNOWN = [info.label for info in contents.ENTITIES if info.entity_type in (1, 2, 3, 4)]

PLACE_KEYS = {
    "LocationX": 0.001,
    "LocationY": 0.002,
    "LocationZ": 0.003,
    "LocationUser": 0.004,
    "HighFreqCorner": 5000.0,
    "HighFreqOrder": 4,
    "HighFilterType": "Butterworth",
    "LowFreqCorner": 1.0,
    "LowFreqOrder": 2,
    "LowFilterType": "sixteen letters!",
    "ProbeInfo": "probe é",
}


@pytest.fixture
def entity(file):
    """Finds an entity by its label."""
    by_label = {each.label: each for each in file.list_entities()}
    return by_label.__getitem__


def is_own(file):
    return file.library.path is None


def test_file(file):
    own = is_own(file)
    expected = {
        "FileType": "test recording" if not own else "Neuroshare native (nsn)",
        "AppName": "a program" if own else "ephyrus tests",
        "FileComment": "Messung ä" if own else "Messung ä - no UTF-8",
        "EntityCount": 11 if own else 12,
        "TimeStampResolution": 1 / 30000,
        "TimeSpan": 10.001 if own else 12.5,
        "Time_Year": 2019,
        "Time_Month": 2,
        "Time_Day": 28,
        "Time_Hour": 23,
        "Time_Min": 59,
        "Time_Sec": 58,
        "Time_MilliSec": 999 if own else 1000,
    }
    assert file.metadata_raw == expected
    assert file.file_type == expected["FileType"]
    assert file.app_name == expected["AppName"]
    assert file.comment == expected["FileComment"]
    assert file.entity_count == len(file.entities) == expected["EntityCount"]
    assert file.time_stamp_resolution == 1 / 30000
    assert file.time_span == expected["TimeSpan"]
    whole = datetime(2019, 2, 28, 23, 59, 58, 999_000)
    assert file.ctime == (whole if own else datetime(2019, 2, 28, 23, 59, 59))
    assert repr(file) == f"neuroshare.File({file.name!r})"


def test_entities_by_number(file):
    labels = [each.label for each in file.entities]
    expected = [info.label for info in contents.ENTITIES if not is_own(file) or info.label in KNOWN]
    assert labels == expected
    assert [each.id for each in file.entities[2:5]] == [2, 3, 4]
    assert file.entities[-1].label == expected[-1]
    assert [each.label for each in file.entities[::-4]] == expected[::-4]
    assert [each.label for each in file.list_entities(1, 3)] == expected[1:3]
    assert [each.label for each in file.list_entities(8)] == expected[8:]
    with pytest.raises(IndexError, match=f"entity {len(expected)} of {len(expected)}"):
        file.entities[len(expected)]
    with pytest.raises(NeuroshareError) as caught:
        file.get_entity(99)
    assert caught.value.code == -5
    with pytest.raises(TypeError):
        file.get_entity("1")


def test_entities_are_of_the_class_for_their_type(file):
    classes = {
        1: neuroshare.EventEntity,
        2: neuroshare.AnalogEntity,
        3: neuroshare.SegmentEntity,
        4: neuroshare.NeuralEntity,
    }
    for each in file.entities:
        assert type(each) is classes.get(each.entity_type, neuroshare.Entity)
        info = contents.ENTITIES[vendor.NUMBERS[each.label]]
        assert (each.entity_type, each.item_count, len(each)) == (
            info.entity_type,
            info.item_count,
            info.item_count,
        )
        assert each.file is file
        assert repr(each).startswith(f"neuroshare.{type(each).__name__}({each.label!r}, ")


def test_an_entity_of_unknown_type(file, entity):
    if is_own(file):
        pytest.skip("elements of unknown type are left out of native files")
    found = entity("a label of thirty-two characters")
    assert found.metadata_raw == {
        "EntityLabel": "a label of thirty-two characters",
        "EntityType": 7,
        "ItemCount": 0,
    }


@pytest.mark.parametrize("label", EVENTS)
def test_events(entity, label):
    number = vendor.NUMBERS[label]
    found, values = entity(label), vendor.event_values(label)
    times = contents.times(number)
    assert [found.get_data(at) for at in range(len(values))] == list(
        zip(times.tolist(), values, strict=True)
    )
    all_times, all_values = found.get_items()
    np.testing.assert_array_equal(all_times, times)
    assert all_values == values
    if len(values) > 1:
        some_times, some_values = found.get_items(1, 1)
        assert (some_times.tolist(), some_values) == (times[1:2].tolist(), values[1:2])
    with pytest.raises(NeuroshareError) as caught:
        found.get_data(len(values))
    assert caught.value.code == -7


@pytest.mark.parametrize("label", EVENTS)
def test_event_facts(file, entity, label):
    number = vendor.NUMBERS[label]
    found, info = entity(label), contents.EVENT_INFOS[number]
    lengths = [len(item) for item in contents.EVENT_VALUES[number]] if is_own(file) else []
    least = min(lengths, default=info.min_data_length if not is_own(file) else 0)
    most = max(lengths, default=info.max_data_length if not is_own(file) else 0)
    if is_own(file) and label == "table":  # the NUL behind a text is no part of it
        least, most = 5, 5
    if is_own(file) and label == "words":  # texts are given in UTF-8
        most = 7
    assert found.metadata_raw == {
        "EntityLabel": label,
        "EntityType": 1,
        "ItemCount": len(contents.EVENT_VALUES[number]),
        "EventType": info.event_type,
        "CSVDesc": info.csv_desc,
        "MinDataLength": least,
        "MaxDataLength": most,
    }
    assert (found.event_type, found.csv_desc) == (info.event_type, info.csv_desc)
    assert (found.min_data_length, found.max_data_length) == (least, most)
    assert type(found.event_type) is int


def test_words_with_more_than_one_number_are_kept(entity):
    assert entity("word pairs").get_bytes().values == contents.EVENT_VALUES[3]
    assert entity("word pairs").get_data(1) == (3.5, 65534)


@pytest.mark.parametrize("label", ANALOG)
def test_analog(entity, label):
    number = vendor.NUMBERS[label]
    found, count = entity(label), contents.ENTITIES[number].item_count
    data, times, continuous = found.get_data()
    np.testing.assert_array_equal(data, contents.analog_values(0, count))
    np.testing.assert_allclose(times, contents.times(number), rtol=0, atol=1e-12)
    assert (data.dtype, times.dtype, data.shape) == (np.float64, np.float64, (count,))
    assert continuous == contents.continuous(number, 0, count)
    for start, length in [(20, -1), (20, 5), (0, 0), (count, 0), (count - 1, 1), (998 % count, 3)]:
        if start + max(length, 0) > count:
            continue
        data, times, continuous = found.get_data(start, length)
        stop = count if length < 0 else start + length
        np.testing.assert_array_equal(data, contents.analog_values(start, stop))
        np.testing.assert_allclose(times, contents.times(number)[start:stop], rtol=0, atol=1e-12)
        if stop > start:
            assert continuous == contents.continuous(number, start, stop - start)
    wrong = f"has {count:,} items: 2 from {count - 1:,} on"
    with pytest.raises(NeuroshareError, match=wrong) as caught:
        found.get_data(count - 1, 2)
    assert caught.value.code == -7
    with pytest.raises(NeuroshareError):
        found.get_data(-1, 1)
    with pytest.raises(TypeError):
        found.get_data(0.5)


@pytest.mark.parametrize("label", ANALOG)
def test_analog_facts(entity, label):
    number = vendor.NUMBERS[label]
    found, info = entity(label), contents.ANALOG_INFOS[number]
    assert found.metadata_raw == {
        "EntityLabel": label,
        "EntityType": 2,
        "ItemCount": contents.ENTITIES[number].item_count,
        "SampleRate": info.sample_rate,
        "MinVal": -100.0,
        "MaxVal": 1000.0,
        "Units": "uV",
        "Resolution": 0.5,
        **PLACE_KEYS,
    }
    assert (found.sample_rate, found.units, found.resolution) == (info.sample_rate, "uV", 0.5)
    assert (found.min_value, found.max_value) == (-100.0, 1000.0)
    assert (found.location_x, found.location_y, found.location_z) == (0.001, 0.002, 0.003)
    assert (found.location_user, found.probe_info) == (0.004, "probe é")
    assert (found.high_freq_corner, found.high_freq_order) == (5000.0, 4)
    assert (found.low_freq_corner, found.low_freq_order) == (1.0, 2)
    assert found.high_filter_type == "Butterworth"
    assert found.low_filter_type == "sixteen letters!"


@pytest.mark.parametrize("label", SEGMENTS)
def test_segments(entity, label):
    number = vendor.NUMBERS[label]
    found, values = entity(label), contents.segment_values(number)
    counts, units = contents.segment_counts(number), contents.segment_units(number)
    times = contents.times(number)
    items = found.get_items()
    np.testing.assert_array_equal(items.values, values)
    np.testing.assert_array_equal(items.times, times)
    np.testing.assert_array_equal(items.sample_counts, counts)
    np.testing.assert_array_equal(items.unit_ids, units)
    for at in (0, len(values) // 2, len(values) - 1):
        data, timestamp, samples, unit = found.get_data(at)
        np.testing.assert_array_equal(data, values[at])
        assert (timestamp, samples, unit) == (times[at], counts[at], units[at])
        assert (type(timestamp), type(samples), type(unit)) == (float, int, int)
    part = found.get_items(2, 3)
    np.testing.assert_array_equal(part.values, values[2:5])
    np.testing.assert_array_equal(part.times, times[2:5])


@pytest.mark.parametrize("label", SEGMENTS)
def test_segment_facts(entity, label):
    number = vendor.NUMBERS[label]
    found, info = entity(label), contents.SEGMENT_INFOS[number]
    assert found.metadata_raw == {
        "EntityLabel": label,
        "EntityType": 3,
        "ItemCount": contents.ENTITIES[number].item_count,
        "SourceCount": info.source_count,
        "MinSampleCount": info.min_sample_count,
        "MaxSampleCount": info.max_sample_count,
        "SampleRate": 30000.0,
        "Units": "mV",
    }
    assert len(found.sources) == found.source_count == info.source_count
    for source in found.sources:
        assert source.segment is found
        assert source.metadata_raw == {
            "MinVal": -1.0,
            "MaxVal": 1.0,
            "Resolution": 0.001 * (source.id + 1),
            "SubSampleShift": 1e-6 * source.id,
            **PLACE_KEYS,
        }
        assert (source.min_value, source.max_value) == (-1.0, 1.0)
        assert source.sub_sample_shift == 1e-6 * source.id
        assert source.resolution == 0.001 * (source.id + 1)
    assert [source.id for source in found.sources] == list(range(info.source_count))
    assert found.sources[-1].id == info.source_count - 1
    with pytest.raises(IndexError):
        found.sources[info.source_count]


def test_neural(entity):
    found = entity("neural")
    times = contents.times(8)
    np.testing.assert_array_equal(found.get_data(), times)
    np.testing.assert_array_equal(found.get_data(2), times[2:])
    np.testing.assert_array_equal(found.get_data(2, 3), times[2:5])
    with pytest.raises(NeuroshareError):
        found.get_data(5, 3)
    assert found.metadata_raw == {
        "EntityLabel": "neural",
        "EntityType": 4,
        "ItemCount": 7,
        "ProbeInfo": "tetrode",
        "SourceEntityID": 7,
        "SourceUnitID": 2,
    }
    assert (found.probe_info, found.source_entity_id, found.source_unit_id) == ("tetrode", 7, 2)


@pytest.mark.parametrize("label", KNOWN)
def test_times_and_indices(entity, label):
    """The item at, before and after its own time, the times between, and beyond both ends."""
    found, times = entity(label), contents.times(vendor.NUMBERS[label])
    closest = neuroshare.EntityTime.Closest
    before, after = neuroshare.EntityTime.Before, neuroshare.EntityTime.After
    count = len(times)
    chosen = sorted({0, 1, count // 2, count - 2, count - 1} & set(range(count)))
    for at in chosen:
        assert found.get_time_by_index(at) == pytest.approx(times[at], abs=1e-12)
        time = found.get_time_by_index(at)
        assert [found.get_index_by_time(time, how) for how in (closest, before, after)] == [at] * 3
        if at + 1 < len(times):
            early = 0.75 * times[at] + 0.25 * times[at + 1]
            late = 0.25 * times[at] + 0.75 * times[at + 1]
            assert found.get_index_by_time(early) == at
            assert found.get_index_by_time(late) == at + 1
            assert found.get_index_by_time(late, before) == at
            assert found.get_index_by_time(early, after) == at + 1
    if not len(times):
        for how in (closest, before, after):
            with pytest.raises(NeuroshareError):
                found.get_index_by_time(1, how)
        return
    assert found.get_index_by_time(-1) == found.get_index_by_time(-1, after) == 0
    last = len(times) - 1
    assert found.get_index_by_time(1000) == found.get_index_by_time(1000, before) == last
    for time, how in ((-1, before), (1000, after)):
        with pytest.raises(NeuroshareError) as caught:
            found.get_index_by_time(time, how)
        assert caught.value.code == -7
    with pytest.raises(NeuroshareError) as caught:
        found.get_time_by_index(len(times))
    assert caught.value.code == -7
    with pytest.raises(ValueError, match="2"):
        found.get_index_by_time(0, 2)


def test_a_gap_is_searched_rightly(entity):
    gaps = entity("gaps µV")
    assert gaps.get_index_by_time(1.5, neuroshare.EntityTime.Before) == 999
    assert gaps.get_index_by_time(1.5, neuroshare.EntityTime.After) == 1000
    assert gaps.get_index_by_time(1.5) == 999
    assert gaps.get_index_by_time(2.4) == 1000


def test_a_closed_file_says_so(path, library):
    file = neuroshare.File(path, library)
    handle = file.handle
    analog = next(each for each in file.entities if each.entity_type == 2)
    file.close()
    file.close()
    assert isinstance(handle, int)
    assert file.handle is None
    for question in (analog.get_data, lambda: file.get_entity(0), lambda: file.entity_count):
        with pytest.raises(ValueError, match="the file is closed; open it again"):
            question()


def test_two_files_at_once_have_handles_of_their_own(path, library):
    with neuroshare.File(path, library) as one, neuroshare.File(path, library) as other:
        assert one.handle != other.handle
        one.close()
        assert other.entities[0].get_data(0) == (0.25, "start")
