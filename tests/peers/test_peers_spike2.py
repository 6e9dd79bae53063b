"""Every real Spike2 file, whole, as neo reads it, and synthetic files read by both."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import ephyrus
from ephyrus.recording import seconds
from tests.golden import DATA, data_path
from tests.peers.facts import Facts, differences, peer, quiet
from tests.synth import spike2 as synth

neo_rawio = peer("neo.rawio")

pytestmark = pytest.mark.peers

FILES = sorted(path.name for path in (DATA / "spike2").glob("*.smr"))
LEFT_SWEEP = "neo gives half of the points; the slot holds the points before the trigger"
STARTS = "neo gives the beginning of the first channel of a group to all"
# What is known to differ, and why; the bytes that show who is right: formats/DISAGREEMENTS.md.
FAULTS: dict[str, dict[str, str]] = {
    "biomech0deg.smr": {"starts": STARTS},
    "motor_units.smr": {"left sweeps": LEFT_SWEEP},
    "physiology.smr": {"starts": STARTS},
    "tremor_kinetic.smr": {"starts": STARTS},
}


def ours(path: Any, **options: Any) -> dict[str, Any]:
    """What we read, by channel and segment."""
    facts: dict[str, Any] = {}
    with ephyrus.open(path, format="spike2", **options) as recording:
        signals = {
            channel: (stream, place)
            for stream in recording.signals
            for place, channel in enumerate(stream.channels.ids)
        }
        _describe(facts, signals)
        for channel, (stream, place) in sorted(signals.items(), key=lambda item: int(item[0])):
            stored = recording.read_signal(stream, channels=[place])[:, 0]
            scaled = recording.read_scaled(stream, channels=[place], dtype=np.dtype("f8"))[:, 0]
            for run in stream.runs:
                part = slice(run["first"], run["first"] + run["count"])
                facts[f"stored {channel} in {run['segment']}"] = stored[part]
                facts[f"samples {channel} in {run['segment']}"] = scaled[part]
        facts["left sweeps"] = []
        for table in recording.tables:
            _table_facts(facts, recording, table)
    return facts


def _describe(facts: dict[str, Any], signals: dict[str, Any]) -> None:
    ordered = sorted(signals.items(), key=lambda item: int(item[0]))
    facts["ids"] = [channel for channel, _ in ordered]
    facts["names"] = [stream.channels.names[place] for _, (stream, place) in ordered]
    facts["units"] = [stream.channels.units[place] for _, (stream, place) in ordered]
    facts["rates"] = [float(stream.rate) for _, (stream, _) in ordered]
    facts["starts"] = [float(stream.t_start()) for _, (stream, _) in ordered]


def _table_facts(facts: dict[str, Any], recording: Any, table: Any) -> None:
    found = recording.read_table(table, columns=list(table.columns))
    for run in table.runs:
        part = slice(run["first"], run["first"] + run["count"])
        times = seconds(found["tick"][part], table.clock)
        if table.kind == "events":
            key = f"{table.id.removeprefix('ch')} in {run['segment']}"
            facts[f"events {key}"] = times.tolist()
            facts[f"labels {key}"] = found["label"][part].tolist()
        for unit in table.units:
            mine = found["unit"][part] == unit.id
            key = f"{unit.label} in {run['segment']}"
            facts[f"spikes {key}"] = times[mine].tolist()
            if table.waveforms is not None:
                facts[f"waveforms {key}"] = found["waveform"][part][mine]
    if table.waveforms is not None:
        points = float(table.waveforms.left_sweep * table.waveforms.rate)
        facts["left sweeps"] += [points] * len(table.units)


def theirs(path: Any, **options: Any) -> dict[str, Any]:
    """What neo reads, by channel and segment."""
    with quiet():
        reader = neo_rawio.Spike2RawIO(filename=str(path), **options)
        reader.parse_header()
    channels = reader.header["signal_channels"]
    order = np.argsort(channels["id"].astype(int))
    streams = [str(each) for each in reader.header["signal_streams"]["id"]]
    places = [streams.index(str(each)) for each in channels["stream_id"]]
    facts: dict[str, Any] = {
        "ids": [str(channels["id"][at]) for at in order],
        "names": [str(channels["name"][at]) for at in order],
        "units": [str(channels["units"][at]).strip() for at in order],
        "rates": [float(channels["sampling_rate"][at]) for at in order],
        "starts": [float(reader.get_signal_t_start(0, 0, places[at])) for at in order],
        "left sweeps": [float(each) for each in reader.header["spike_channels"]["wf_left_sweep"]],
    }
    for segment in range(reader.segment_count(0)):
        for at in order:
            channel, within = str(channels["id"][at]), places[:at].count(places[at])
            raw = reader.get_analogsignal_chunk(
                seg_index=segment, stream_index=places[at], channel_indexes=[within]
            )[:, 0]
            gain, offset = float(channels["gain"][at]), float(channels["offset"][at])
            facts[f"stored {channel} in {segment}"] = raw
            facts[f"samples {channel} in {segment}"] = raw * gain + offset
        _their_points(facts, reader, segment)
    return facts


def _their_points(facts: dict[str, Any], reader: Any, segment: int) -> None:
    for number, channel in enumerate(reader.header["event_channels"]):
        ticks, _, labels = reader.get_event_timestamps(0, segment, number)
        if len(ticks):
            key = f"{channel['id']} in {segment}"
            times = reader.rescale_event_timestamp(ticks, "float64", number)
            facts[f"events {key}"] = times.tolist()
            facts[f"labels {key}"] = [str(label) for label in labels]
    for number, channel in enumerate(reader.header["spike_channels"]):
        ticks = reader.get_spike_timestamps(0, segment, number)
        key = f"{channel['id']} in {segment}"
        facts[f"spikes {key}"] = reader.rescale_spike_timestamp(ticks, "float64").tolist()
        facts[f"waveforms {key}"] = reader.get_spike_raw_waveforms(0, segment, number)


def compared(mine: Facts, other: Facts) -> dict[str, str]:
    """Give what differs, and which facts only neo has."""
    return differences(mine, other) | dict.fromkeys(other.keys() - mine.keys(), "only neo has it")


@pytest.mark.real
@pytest.mark.parametrize("name", FILES)
def test_real_files(name):
    path = data_path("spike2") / name
    found = compared(ours(path), theirs(path))
    assert found.keys() == FAULTS.get(name, {}).keys(), found


@pytest.mark.parametrize("version", range(1, 10))
def test_samples_of_every_version(tmp_path, version):
    path = synth.smr(synth.wave_channels(), version=version).write(tmp_path / "made.smr")
    assert compared(ours(path), theirs(path)) == {}


def test_several_stretches(tmp_path):
    """Neo takes the beginning of each stretch from the first; it agrees on all samples."""
    path = synth.smr(synth.paused()).write(tmp_path / "made.smr")
    assert compared(ours(path), theirs(path)) == {}


@pytest.mark.parametrize("version", [3, 5, 6, 9])
def test_events_of_every_kind(tmp_path, version):
    channels = synth.point_channels()[:4]
    path = synth.smr(channels, version=version).write(tmp_path / "made.smr")
    found = compared(ours(path), theirs(path))
    assert found.keys() == {"labels 12 in 0", "labels 13 in 0"}, "neo has no up and down"


def keyboard(**extra: Any) -> Any:
    channel = synth.point_channels()[4]
    channel.codes = channel.codes * np.array([1, *[extra.get("others", 0)] * 3], "u1")
    return channel


def test_markers(tmp_path):
    path = synth.smr([keyboard()]).write(tmp_path / "made.smr")
    mine, other = ours(path), theirs(path)
    wide = [label for label in other["labels 14 in 0"] if int(label) > 255]
    assert compared(mine, other) == {}
    assert not wide


def test_neo_takes_all_four_codes_for_one_number(tmp_path):
    path = synth.smr([keyboard(others=1)]).write(tmp_path / "made.smr")
    mine, other = ours(path), theirs(path)
    assert compared(mine, other).keys() == {"labels 14 in 0"}
    codes = keyboard(others=1).codes
    assert other["labels 14 in 0"] == [str(number) for number in codes.view("<i4")[:, 0]]
    assert mine["labels 14 in 0"] == [str(code) for code in codes[:, 0]]


@pytest.mark.parametrize("options", [{}, {"ced_units": False}])
def test_wave_marks(tmp_path, options):
    unit = synth.point_channels()[5]
    path = synth.smr([unit]).write(tmp_path / "made.smr")
    mine, other = ours(path, **options), theirs(path, **options)
    assert compared(mine, other).keys() == {"left sweeps"}
    assert set(mine["left sweeps"]) == {5.0}
    assert set(other["left sweeps"]) == {6.0}, LEFT_SWEEP


def test_neo_takes_several_traces_for_one(tmp_path):
    tetrode = synth.point_channels()[6]
    path = synth.smr([tetrode]).write(tmp_path / "made.smr")
    mine, other = ours(path), theirs(path)
    for code in range(2):
        name = f"waveforms ch16#{code} in 0"
        assert mine[name].shape[1:] == (4, 8)
        assert other[name].shape[1:] == (1, 32)
        points = mine[name].transpose(0, 2, 1).reshape(len(mine[name]), 1, 32)
        np.testing.assert_array_equal(points, other[name])
        assert mine[f"spikes ch16#{code} in 0"] == pytest.approx(other[f"spikes ch16#{code} in 0"])


def test_neo_gives_real_marks_as_waveforms_without_a_rate(tmp_path):
    real = synth.point_channels()[7]
    path = synth.smr([real]).write(tmp_path / "made.smr")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = theirs(path)
    with ephyrus.open(path) as recording:
        found = recording.read_table(0)
    values = np.stack([found[f"value_{number}"] for number in (1, 2, 3)], axis=1)
    for code in range(2):
        rows = values[found["unit"] == code]
        np.testing.assert_array_equal(rows, other[f"waveforms ch17#{code} in 0"][:, 0])


def test_neo_gives_texts_with_the_rubbish_behind_them(tmp_path):
    path = synth.smr([synth.point_channels()[8]]).write(tmp_path / "made.smr")
    mine, other = ours(path), theirs(path)
    assert mine["events 18 in 0"] == pytest.approx(other["events 18 in 0"])
    assert mine["labels 18 in 0"][0] == "drug on"
    assert other["labels 18 in 0"][0] == "drug on\0~~~~~~~~"


def test_neo_drops_events_in_pauses(tmp_path):
    events = synth.Events(12, "e", times=[10, 4000, 5001])
    path = synth.smr([*synth.paused(), events]).write(tmp_path / "made.smr")
    mine, other = ours(path), theirs(path)
    assert mine["events 12 in 0"] == [0.0001, 0.04]
    assert other["events 12 in 0"] == pytest.approx([0.0001])


def test_neo_mixes_up_channels_that_pause_at_other_times(tmp_path):
    waves = synth.triggered()
    path = synth.smr(waves).write(tmp_path / "made.smr")
    other = theirs(path)
    with ephyrus.open(path) as recording:
        found = recording.read_signal("ch1")[:, 0]
    np.testing.assert_array_equal(found, waves[1].data)
    theirs_all = np.concatenate([other[f"stored 1 in {segment}"] for segment in range(2)])
    assert len(theirs_all) != len(waves[1].data) or not np.array_equal(theirs_all, waves[1].data)


def test_neo_does_not_read_big_endian_files(tmp_path):
    waves = synth.wave_channels()
    path = synth.smr(waves, order=">").write(tmp_path / "made.smr")
    with pytest.raises(IndexError), quiet():
        theirs(path)
    np.testing.assert_array_equal(ours(path)["stored 0 in 0"], waves[0].data)
