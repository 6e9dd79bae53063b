"""AxonIO: sweeps as segments, tags as events, the protocol's command signals."""

import numpy as np
import pytest

from ephyrus.io import AxonIO, ExampleIO
from tests.golden import data_path

pytestmark = pytest.mark.real


def test_protocol_of_a_voltage_clamp_family():
    reader = AxonIO(data_path("abf/171116sh_0014.abf"))
    segments, recorded = reader.read_protocol(), reader.read_block().segments
    assert len(segments) == len(recorded) == 50
    assert [segment.index for segment in segments] == list(range(50))
    for segment, measured in zip(segments, recorded, strict=True):
        command, signal = segment.analogsignals[0], measured.analogsignals[0]
        assert command.name == "Cmd 0"
        assert command.shape == signal.shape
        assert command.sampling_rate == signal.sampling_rate
        assert command.t_start == signal.t_start
        assert str(command.dimensionality) == "mV"
        assert np.isfinite(command.magnitude).all()
    names = [signal.name for signal in segments[0].analogsignals]
    assert len(names) == len(reader.recording.stimuli)


def test_command_follows_the_recorded_one():
    """The amplifier's output of this file is the recorded command itself."""
    reader = AxonIO(data_path("abf/user-list-durations.abf"))
    for sweep, segment in enumerate(reader.read_protocol()):
        command = segment.analogsignals[0].rescale("mV").magnitude[:, 0]
        recorded = reader.recording.segments[sweep]
        stream = reader.recording.signals[0]
        run = int(reader.recording.segment_runs(stream, sweep)[0])
        first, count = int(stream.runs["first"][run]), int(stream.runs["count"][run])
        column = stream.channels.units.index("mV")
        measured = reader.recording.read_scaled(stream, first, first + count, [column])[:, 0]
        assert recorded.annotations["sweep_index"] == sweep
        np.testing.assert_allclose(measured, command, atol=0.05)


def test_tags_are_events_of_their_sweep():
    block = AxonIO(data_path("abf/multichannelAbf1WithTags.abf")).read_block()
    tagged = {
        segment.index: segment.events[0] for segment in block.segments if len(segment.events[0])
    }
    assert {index: list(event.labels) for index, event in tagged.items()} == {
        86: ["+TGOT"],
        147: ["-TGOT"],
    }
    times = [float(event.times[0].rescale("s")) for event in tagged.values()]
    np.testing.assert_allclose(times, [173.9776, 294.8608], atol=1e-9)
    with pytest.warns(DeprecationWarning, match="events"):
        assert block.segments[86].eventarrays[0] is block.segments[86].events[0]


def test_formats_without_a_protocol_have_no_such_method():
    assert not hasattr(ExampleIO, "read_protocol")
