"""The calls of the published tutorials, with the names of their time, and the values they give."""

from __future__ import annotations

import numpy as np
import pytest

from ephyrus import nix


@pytest.fixture
def file(path):
    file = nix.File.open(str(path), nix.FileMode.Overwrite)
    yield file
    file.close()


@pytest.fixture
def block(file):
    return file.create_block("block name", "nix.session")


def old(name):
    """Expect the warning that `name` has a successor."""
    return pytest.warns(DeprecationWarning, match=f"^{name} is the older name of")


# --- files ---


def test_opening(path):
    file = nix.File.open(str(path), nix.FileMode.Overwrite)
    assert (file.format, file.version) == ("nix", (1, 2, 1))
    assert isinstance(file.created_at, int)
    file.create_block("b", "nix.session").create_data_array("a", "t", data=[1.0])
    file.close()
    file = nix.File.open(str(path), nix.FileMode.ReadOnly)
    assert [block.name for block in file.blocks] == ["b"]
    assert file.mode == nix.FileMode.ReadOnly == "r"
    with pytest.raises(nix.exceptions.ReadOnlyFileError):
        file.create_block("c", "nix.session")
    file.close()
    with pytest.warns(DeprecationWarning, match="backend"):
        file = nix.File.open(str(path), nix.FileMode.ReadWrite, backend="h5py")
    assert (file.mode, nix.FileMode.ReadWrite) == ("a", "a")
    assert file.blocks["b"].data_arrays["a"].data[:].tolist() == [1.0]
    file.close()


# --- data and dimensions ---


def test_regular_sampling(block):
    times = np.arange(0, 1, 0.001)
    voltage = np.sin(2 * np.pi * 5 * times)
    data = block.create_data_array("sinewave", "nix.regular_sampled", data=voltage)
    data.label, data.unit = "voltage", "mV"
    dim = data.append_sampled_dimension(0.001)
    dim.label, dim.unit, dim.offset = "time", "s", 0.0
    assert (data.label, data.unit) == ("voltage", "mV")
    dim = data.dimensions[0]
    assert isinstance(dim, nix.SampleDimension)
    assert nix.SampleDimension is nix.SampledDimension
    assert dim.dimension_type == nix.DimensionType.Sample
    assert (dim.sampling_interval, dim.label, dim.unit, dim.offset) == (0.001, "time", "s", 0.0)
    np.testing.assert_array_equal(data.data[:], voltage)
    np.testing.assert_allclose(dim.axis(data.data.shape[0]), times, atol=1e-12)
    assert dim.position_at(500) == 0.5
    assert dim.index_of(0.5) == 500


def test_array_of_a_type_and_shape_filled_later(block):
    data = block.create_data_array("later", "nix.sampled", nix.DataType.Float, (0, 2))
    assert (data.shape, data.dtype) == ((0, 2), np.float32)
    data.data.append([[1.0, 2.0]])
    data.data_extent = (3, 2)
    data[2] = [5.0, 6.0]
    assert data.data[:].tolist() == [[1.0, 2.0], [0.0, 0.0], [5.0, 6.0]]
    assert data.data_extent == (3, 2)


def test_irregular_sampling(block):
    ticks = [0.0, 0.1, 0.4, 1.0, 2.5]
    data = block.create_data_array("readings", "nix.irregular_sampled", data=np.arange(5.0))
    dim = data.append_range_dimension(ticks)
    dim.unit, dim.label = "s", "time"
    dim = data.dimensions[0]
    assert dim.dimension_type == nix.DimensionType.Range
    assert (dim.ticks, dim.unit, dim.label) == (tuple(ticks), "s", "time")
    assert not dim.is_alias
    assert (dim.tick_at(2), dim.index_of(0.5)) == (0.4, 2)
    assert dim.axis(2, 3) == (1.0, 2.5)


def test_events(block):
    times = [0.5, 1.25, 3.0]
    events = block.create_data_array("events", "nix.events.position", data=times)
    events.label, events.unit = "time", "ms"
    dim = events.append_alias_range_dimension()
    assert dim.is_alias
    assert (dim.ticks, dim.label, dim.unit) == (tuple(times), "time", "ms")
    dim.unit = "s"
    assert events.unit == "s"
    assert len(events.dimensions) == 1


def test_series_of_signals(block):
    signals = np.arange(12.0).reshape(3, 4)
    data = block.create_data_array("signals", "nix.regular_sampled.multiple_series", data=signals)
    channels = data.append_set_dimension()
    channels.labels = ["a", "b", "c"]
    data.append_sampled_dimension(0.5).unit = "ms"
    assert data.dimensions[0].dimension_type == nix.DimensionType.Set
    assert data.dimensions[0].labels == ("a", "b", "c")
    for number, signal in enumerate(data):
        assert signal.tolist() == signals[number].tolist()
    assert [number for number, _ in data.iter_dimensions()] == [1, 2]


def test_dimension_of_a_data_frame(block):
    frame = block.create_data_frame(
        "channels", "nix.channels", col_dict={"name": str, "depth": float}, data=[("a", 1.5)]
    )
    data = block.create_data_array("signals", "t", data=np.zeros((1, 3)))
    dim = data.append_data_frame_dimension(frame)
    assert (dim.labels, dim.label) == (("a",), "name")
    assert dim.dimension_link.index == 0
    other = data.append_data_frame_dimension(frame, 1)
    assert (other.labels, other.label) == (("1.5",), "depth")


# --- regions ---


@pytest.fixture
def image(block):
    pixels = np.arange(10 * 8 * 3).reshape(10, 8, 3)
    data = block.create_data_array("image", "nix.image.rgb", data=pixels)
    for label in ("height", "width"):
        data.append_sampled_dimension(1.0).label = label
    data.append_set_dimension().labels = ["R", "G", "B"]
    return data


def test_single_region(block, image):
    tag = block.create_tag("region", "nix.roi", [2, 3, 0])
    tag.extent = [4, 2, 3]
    tag.references.append(image)
    assert (tag.position, tag.extent) == ((2.0, 3.0, 0.0), (4.0, 2.0, 3.0))
    with old("retrieve_data"):
        view = tag.retrieve_data(0)
    np.testing.assert_array_equal(view[:], image[2:6, 3:5, 0:3])
    with old("retrieve_data"):
        np.testing.assert_array_equal(tag.retrieve_data("image")[:], view[:])


def test_multiple_regions(block, image):
    positions = block.create_data_array("roi starts", "nix.positions", data=[[1, 1, 0], [5, 4, 0]])
    positions.append_set_dimension()
    positions.append_set_dimension()
    extents = block.create_data_array("roi extents", "nix.extents", data=[[2, 3, 3], [5, 4, 1]])
    extents.append_set_dimension()
    extents.append_set_dimension()
    tags = block.create_multi_tag("regions", "nix.roi", positions)
    tags.extents = extents
    tags.references.append(image)
    assert tags.positions.data[:].tolist() == [[1, 1, 0], [5, 4, 0]]
    with old("retrieve_data"):
        np.testing.assert_array_equal(tags.retrieve_data(0, 0)[:], image[1:3, 1:4, 0:3])
    with old("retrieve_data"):
        np.testing.assert_array_equal(tags.retrieve_data(1, "image")[:], image[5:10, 4:8, 0:1])


@pytest.fixture
def voltage(block):
    data = block.create_data_array("membrane voltage", "nix.regular_sampled", data=np.arange(500.0))
    data.label, data.unit = "membrane voltage", "mV"
    dim = data.append_sampled_dimension(0.01)
    dim.label, dim.unit = "time", "s"
    return data


def test_spikes_in_a_membrane_potential(block, voltage):
    times = block.create_data_array("spike times", "nix.events.spike_times", data=[0.5, 1.2, 3.07])
    times.append_range_dimension(times.data[:])
    times.append_alias_range_dimension()
    tags = block.create_multi_tag("spikes", "nix.events.spike_times", times)
    tags.references.append(voltage)
    values = []
    for number in range(tags.positions.shape[0]):
        with old("retrieve_data"):
            values += tags.retrieve_data(number, 0)[:].tolist()
    assert values == [50.0, 120.0, 307.0]


def test_stimulus_tag_with_units(block, voltage):
    tag = block.create_tag("stimulus", "nix.stimulus_segment", [1500.0])
    tag.extent, tag.units = [250.0], ["ms"]
    tag.references.append(voltage)
    with old("retrieve_data"):
        view = tag.retrieve_data(0)
    assert view[:].tolist() == np.arange(150.0, 175.0).tolist()
    voltage.dimensions[0].unit = "us"  # 250 ms are longer than these data
    with old("retrieve_data"), pytest.raises(nix.exceptions.OutOfBounds):
        tag.retrieve_data(0)
    voltage.dimensions[0].unit = "mV"
    with old("retrieve_data"), pytest.raises(nix.exceptions.IncompatibleDimensions):
        tag.retrieve_data(0)


# --- features ---


def test_features_of_a_tag(block, voltage):
    stimulus = block.create_data_array("stimulus", "nix.sampled", data=np.arange(50.0))
    stimulus.append_sampled_dimension(0.1).unit = "s"
    tag = block.create_tag("segment", "nix.segment", [1.0])
    tag.extent, tag.units = [0.5], ["s"]
    tag.references.append(voltage)
    made = tag.create_feature(stimulus, nix.LinkType.Untagged)
    assert made.link_type == nix.LinkType.Untagged
    tag.create_feature(stimulus, nix.LinkType.Tagged)
    tag.create_feature(stimulus.id, "Indexed")
    assert [feature.link_type.value for feature in tag.features] == [
        *("untagged", "tagged", "indexed"),
    ]
    assert tag.features[0].data.name == "stimulus"
    found = []
    for number in range(3):
        with old("retrieve_feature_data"):
            found.append(tag.retrieve_feature_data(number)[:].tolist())
    whole = np.arange(50.0).tolist()
    assert found == [whole, whole[10:15], whole]


def test_features_of_a_multi_tag(block, voltage):
    tags = block.create_multi_tag("spikes", "nix.events", [0.5, 1.2, 3.0], [0.02, 0.02, 0.03])
    tags.references.append(voltage)
    shapes = block.create_data_array(
        "waveforms", "nix.snippets", data=np.arange(12.0).reshape(3, 4)
    )
    tags.create_feature(shapes, nix.LinkType.Indexed)
    tags.create_feature(voltage, "tagged")
    tags.create_feature(voltage, "UNTAGGED")
    for number in range(3):
        with old("retrieve_feature_data"):
            view = tags.retrieve_feature_data(number, 0)
        assert view[:].tolist() == [[4.0 * number + item for item in range(4)]]
    with old("retrieve_feature_data"):
        assert tags.retrieve_feature_data(2, 1)[:].tolist() == [300.0, 301.0, 302.0]
    with old("retrieve_feature_data"):
        assert tags.retrieve_feature_data(0, 2).shape == (500,)
    with pytest.raises(ValueError, match="LinkType"):
        tags.create_feature(voltage, "sometimes")


# --- sources and metadata ---


def test_sources(block, voltage):
    subject = block.create_source("subject", "nix.source.subject")
    cell = subject.create_source("cell", "nix.source.cell")
    voltage.sources.append(cell)
    assert [source.name for source in voltage.sources] == ["cell"]
    found = block.find_sources(lambda source: source.type == "nix.source.cell")
    assert found == [cell]
    assert cell.referring_data_arrays == [voltage]


def test_metadata(file, block, voltage):
    section = file.create_section("recording", "odml.recording")
    section.create_property("experimenter", nix.Value("J. Doe"))
    section.create_property("gains", [nix.Value(1), nix.Value(2)])
    section["rate"] = nix.Value(20.0)
    rate = section.get_property_by_name("rate")
    rate.unit = "kHz"
    assert section.has_property_by_name("gains")
    assert not section.has_property_by_name("gain")
    assert section.get_property_by_name("gain") is None
    assert section.props["experimenter"].values == ("J. Doe",)
    assert section.props["gains"].values == (1, 2)
    assert (rate.values, rate.unit) == ((20.0,), "kHz")
    rate.values = [nix.Value(30.0), nix.Value(31.0)]
    assert rate.values == (30.0, 31.0)
    rate.extend_values(nix.Value(32.0))
    assert section["rate"] == [30.0, 31.0, 32.0]
    child = section.create_section("amplifier", "odml.hardware")
    voltage.metadata = child
    block.metadata = section
    assert voltage.metadata == child
    assert voltage.metadata.parent == section
    assert [each.name for each in file.find_sections(lambda each: "gains" in each)] == ["recording"]
    assert [each.name for each in child.referring_data_arrays] == ["membrane voltage"]


def test_a_value_keeps_what_it_is_given():
    value = nix.Value(1.5)
    value.uncertainty, value.reference = 0.1, "table 2"
    assert (value.value, value.uncertainty, value.reference) == (1.5, 0.1, "table 2")
    assert value == nix.Value(1.5) == 1.5
