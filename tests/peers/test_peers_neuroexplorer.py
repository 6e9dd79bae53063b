"""The real NeuroExplorer file and files of ours, whole, as neo and the vendor's package read them.

neo 0.14.6 reads .nex only. nex5file 0.1.3 is the vendor's own package for both kinds.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

import ephyrus
from ephyrus.recording import seconds
from tests.golden import data_path
from tests.peers.facts import Facts, differences, peer, quiet
from tests.synth import neuroexplorer as synth
from tests.synth.neuroexplorer import nex, nex5

neo_rawio = peer("neo.rawio")

pytestmark = pytest.mark.peers

REAL = "neuroexplorer/test.nex"
JOINED = "neo takes all fragments of a variable for one stretch that begins with the first"
# What is known to differ for neo, and why; for the real file see formats/DISAGREEMENTS.md.
FAULTS: dict[str, dict[str, str]] = {
    "stretches": dict.fromkeys(("run starts", "run lengths"), JOINED),
    "unrelated": dict.fromkeys(("run starts", "run lengths"), JOINED),
    "unsorted": dict.fromkeys(
        ("spikes", "waveforms", "events", "epochs", "durations", "labels"),
        "neo leaves items whose times go back as they stand",
    ),
}


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    monkeypatch.setenv("EPHYRUS_CACHE", "off")


def facts_of(path: Any) -> dict[str, Any]:
    """What we read, by variable."""
    facts: dict[str, Any] = {"signals": {}, "run starts": {}, "run lengths": {}, "rates": {}}
    facts |= {name: {} for name in ("spikes", "waveforms", "sweeps", "events", "epochs")}
    facts |= {"durations": {}, "labels": {}}
    with quiet(), ephyrus.open(path, format="neuroexplorer") as recording:
        for stream in recording.signals:
            values = recording.read_scaled(stream, dtype=np.dtype("f8"))
            for at, name in enumerate(stream.channels.names):
                facts["signals"][name] = values[:, at]
                facts["run starts"][name] = seconds(stream.runs["tick"], stream.clock).tolist()
                facts["run lengths"][name] = stream.runs["count"].tolist()
                facts["rates"][name] = float(stream.rate)
        for table in recording.tables:
            _add_table(facts, recording, table)
    return facts


def _add_table(facts: dict[str, Any], recording: Any, table: Any) -> None:
    found = recording.read_table(table, columns=[*table.columns])
    times = seconds(found["tick"], table.clock).tolist()
    facts[table.kind][table.name] = times
    if table.waveforms is not None:
        layout = table.waveforms
        values = found["waveform"][:, 0] * np.float64(layout.gain) + layout.offset
        facts["waveforms"][table.name] = values
        facts["sweeps"][table.name] = float(layout.left_sweep)
    if "duration" in found:
        facts["durations"][table.name] = seconds(found["duration"], table.clock).tolist()
    if "label" in found:
        facts["labels"][table.name] = found["label"].tolist()


def flat(facts: Facts) -> Facts:
    """Give the facts of each kind as the lists that are compared."""
    return {name: [part[key] for key in sorted(part)] for name, part in facts.items()}


def by_neo(path: Any) -> Facts:
    """What neo reads."""
    reader = neo_rawio.NeuroExplorerRawIO(filename=str(path))
    reader.parse_header()
    facts: dict[str, Any] = {"signals": {}, "run starts": {}, "run lengths": {}, "rates": {}}
    facts |= {name: {} for name in ("spikes", "waveforms", "sweeps", "events", "epochs")}
    facts |= {"durations": {}, "labels": {}}
    for index, channel in enumerate(reader.header["signal_channels"]):
        name = str(channel["name"])
        raw = reader.get_analogsignal_chunk(stream_index=index)
        if not len(raw):
            continue  # a variable without samples is no signal of ours
        values = reader.rescale_signal_raw_to_float(raw, "float64", stream_index=index)
        facts["signals"][name] = values[:, 0]
        facts["run starts"][name] = [float(reader.get_signal_t_start(0, 0, index))]
        facts["run lengths"][name] = [len(raw)]
        facts["rates"][name] = float(channel["sampling_rate"])
    for index, channel in enumerate(reader.header["spike_channels"]):
        name = str(channel["name"])
        ticks = reader.get_spike_timestamps(spike_channel_index=index)
        facts["spikes"][name] = reader.rescale_spike_timestamp(ticks, "float64").tolist()
        raw = reader.get_spike_raw_waveforms(spike_channel_index=index)
        if raw is not None:
            values = reader.rescale_waveforms_to_float(raw, "float64", index)
            facts["waveforms"][name] = values[:, 0]
            rate = float(channel["wf_sampling_rate"])
            facts["sweeps"][name] = float(channel["wf_left_sweep"]) / rate
    for index, channel in enumerate(reader.header["event_channels"]):
        name, kind = str(channel["name"]), channel["type"].decode() + "s"
        ticks, durations, labels = reader.get_event_timestamps(0, 0, index)
        facts[kind][name] = reader.rescale_event_timestamp(ticks, "float64", index).tolist()
        facts["labels"][name] = [str(label) for label in labels]
        if durations is not None:
            lengths = reader.rescale_epoch_duration(durations, "float64", index)
            facts["durations"][name] = lengths.tolist()
    return facts


def by_vendor(path: Any) -> Facts:
    """What the vendor's package reads."""
    data = vendor("reader").Reader().ReadNexFile(str(path))
    facts: dict[str, Any] = {"signals": {}, "run starts": {}, "run lengths": {}, "rates": {}}
    facts |= {name: {} for name in ("spikes", "waveforms", "sweeps", "events", "epochs")}
    facts |= {"durations": {}, "labels": {}}
    for name in data.ContinuousNames():
        found = data[name]
        if not len(found.continuous_values):
            continue  # a variable without samples is no signal of ours
        facts["signals"][name] = np.asarray(found.continuous_values, np.float64)
        facts["rates"][name] = float(found.header.SamplingRate)
        starts, counts = joined(found, facts["rates"][name])
        facts["run starts"][name], facts["run lengths"][name] = starts, counts
    for name in [*data.NeuronNames(), *data.WaveNames()]:
        facts["spikes"][name] = times_of(data[name].timestamps)
    for name in data.WaveNames():
        facts["waveforms"][name] = np.asarray(data[name].waveform_values, np.float64)
        facts["sweeps"][name] = float(data[name].header.PreThrTime)
    for name in [*data.EventNames(), *data.MarkerNames()]:
        facts["events"][name] = times_of(data[name].timestamps)
        facts["labels"][name] = [""] * len(facts["events"][name])
    for name in data.MarkerNames():
        facts["labels"][name] = [str(value) for value in data[name].marker_fields[0]]
    for name in data.IntervalNames():
        starts, ends = data[name].interval_starts, data[name].interval_ends
        facts["epochs"][name] = times_of(starts)
        facts["durations"][name] = times_of(np.subtract(ends, starts))
        facts["labels"][name] = [""] * len(starts)
    return facts


def times_of(values: Any) -> list[float]:
    return np.asarray(values, np.float64).tolist()


def joined(found: Any, rate: float) -> tuple[list[float], list[int]]:
    """Join fragments that follow each other, which the vendor's package gives one by one."""
    starts: list[float] = []
    counts: list[int] = []
    for start, count in zip(found.fragment_timestamps, found.fragment_counts, strict=True):
        if starts and abs(start - starts[-1] - counts[-1] / rate) < 0.5 / rate:
            counts[-1] += int(count)
        else:
            starts.append(float(start))
            counts.append(int(count))
    return starts, counts


def vendor(module: str) -> Any:
    """Import a module of the vendor's package, or skip the test."""
    pytest.importorskip("nex5file")
    return importlib.import_module(f"nex5file.{module}")


VARIANTS = {
    "everything": lambda: nex(synth.everything(), extent=(0, 8001)),
    "stretches": lambda: nex(synth.stretches()),
    "unrelated": lambda: nex(synth.unrelated()),
    "unsorted": lambda: nex(synth.unsorted()),
    "many": lambda: nex(synth.many()),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_files_of_ours_by_neo(tmp_path, name):
    path = VARIANTS[name]().write(tmp_path / "made.nex")
    with quiet():
        theirs = by_neo(path)
    found = differences(flat(facts_of(path)), flat(theirs))
    assert found.keys() == FAULTS.get(name, {}).keys(), found


@pytest.mark.real
def test_real_file_by_neo():
    """neo cannot decode the marker: bytes 0xCC follow the end of each of its texts."""
    path = data_path(REAL)
    reader = neo_rawio.NeuroExplorerRawIO(filename=str(path))
    reader.parse_header()
    with pytest.raises(UnicodeDecodeError):
        reader.get_event_timestamps(0, 0, 1)
    reader.header["event_channels"] = reader.header["event_channels"][:1]
    ours = facts_of(path)
    reader_facts = _neo_without_markers(path)
    mine = {**ours, "events": {}, "labels": {"interval1": ours["labels"]["interval1"]}}
    found = differences(flat(mine), flat(reader_facts))
    assert found.keys() == {"run starts", "run lengths"}, found  # JOINED
    assert ours["run starts"] == {"continuous1": [1.0, 7.0]}


def _neo_without_markers(path: Any) -> Facts:
    """Read the real file with neo, but for the marker that it cannot decode."""
    original = neo_rawio.NeuroExplorerRawIO.get_event_timestamps

    def get_event_timestamps(self: Any, *place: Any) -> Any:
        try:
            return original(self, *place)
        except UnicodeDecodeError:
            return np.empty(0), None, []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neo_rawio.NeuroExplorerRawIO, "get_event_timestamps", get_event_timestamps)
        facts = dict(by_neo(path))
    facts["events"] = {}
    facts["labels"] = {"interval1": facts["labels"]["interval1"]}
    return facts


NEW = {
    "64-bit": lambda: nex5(
        synth.everything(is_long=True), extent=(0, 8001), metadata=synth.METADATA
    ),
    "float": lambda: nex5(synth.everything(is_float=True), version=501, extent=(0, 8001)),
    "stretches": lambda: nex5(synth.stretches(is_long=True)),
    "numbers": lambda: nex5(synth.numbered()),
    "unrelated": lambda: nex5(synth.unrelated()),
}


@pytest.mark.parametrize(
    "name", [*sorted(VARIANTS.keys() - {"unsorted"}), *(f"new {key}" for key in NEW)]
)
def test_files_of_ours_by_the_vendor(tmp_path, name):
    is_new = name.startswith("new ")
    made = NEW[name.removeprefix("new ")] if is_new else VARIANTS[name]
    path = made().write(tmp_path / ("made.nex5" if is_new else "made.nex"))
    with quiet():
        theirs = by_vendor(path)
    assert differences(flat(facts_of(path)), flat(theirs)) == {}


@pytest.mark.real
def test_real_file_by_the_vendor():
    path = data_path(REAL)
    with quiet():
        theirs = by_vendor(path)
    assert differences(flat(facts_of(path)), flat(theirs)) == {}


def test_the_vendor_ignores_the_type_of_fragment_indexes(tmp_path):
    """Sample numbers of 8 bytes are read as if they had 4, and so counts become nonsense."""
    made = nex5(synth.stretches(has_long_indexes=True))
    path = made.write(tmp_path / "made.nex5")
    with quiet():
        data = vendor("reader").Reader().ReadNexFile(str(path))
        assert data["FP01"].fragment_indexes.tolist() == [0, 0, 50, 0]
    assert facts_of(path)["run lengths"]["FP01"] == [100, 80, 40]


def made_by_vendor() -> Any:
    """Data as the vendor's package holds them, with all kinds of variables that it can make."""
    data = vendor("filedata").FileData(30_000.0, "from the vendor, ä")
    data.AddNeuron("n1", [0.1, 0.2, 5.0], 3, 2, 10.0, 20.0)
    data.AddEvent("e1", [1.0, 2.0])
    data.AddIntervalAsPairsStartEnd("i1", [[1.0, 2.0], [3.0, 4.5]])
    data.AddMarker("m1", [1.0, 2.0, 3.0], ["a", "b"], [["x", "yy", "zzz"], ["1", "2", "3"]])
    data.AddWaveVarWithFloats("w1", 30_000.0, [1.0, 2.0], [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]])
    data.AddContVarWithFloatsSingleFragment("c1", 1000.0, 0.5, [0.1, 0.2, 0.3])
    times = [0.5, 0.501, 0.502, 1.0, 1.001]
    data.AddContVarWithFloatsAllTimestamps("c2", 1000.0, times, [0.1, 0.2, 0.3, 0.4, 0.5])
    data.AddContSingleFragmentValuesInt16("c3", 1000.0, 0.5, [1, 2, 3], 0.25, 1.0)
    # the last one: their writer gives wrong offsets to what follows number markers
    data.AddMarker("m2", [1.0, 2.0, 3.0], ["a", "b"], [[1, 2, 3], [4, 5, 6]])
    return data


@pytest.mark.parametrize("suffix", ["nex", "nex5"])
def test_files_of_the_vendor(tmp_path, suffix):
    path, data = tmp_path / f"vendor.{suffix}", made_by_vendor()
    with quiet():
        writer = vendor("writer").Writer()
        (writer.WriteNex5File if suffix == "nex5" else writer.WriteNexFile)(data, str(path))
        theirs = by_vendor(path)
    ours = facts_of(path)
    if suffix == "nex":  # their reader makes numbers of texts that look like numbers
        assert ours["labels"]["m2"] == ["00001", "00002", "00003"]
        ours["labels"]["m2"] = [str(int(label)) for label in ours["labels"]["m2"]]
    assert differences(flat(ours), flat(theirs)) == {}
    assert ours["spikes"]["n1"] == [0.1, 0.2, 5.0]
    assert ours["run lengths"]["c2"] == [3, 2]
    np.testing.assert_allclose(ours["signals"]["c2"], [0.1, 0.2, 0.3, 0.4, 0.5], atol=2e-5)
    with ephyrus.open(path) as recording:
        assert not recording.problems
        assert recording.blocks[0].annotations["comment"] == "from the vendor, ä"
        facts = {"wire": 3, "unit": 2, "x": 10.0, "y": 20.0}
        assert recording.table("n1").units[0].annotations == facts
        assert recording.read_table("m1")["b"].tolist() == ["1", "2", "3"]
        if suffix == "nex5":
            numbers = recording.read_table("m2")
            assert numbers["label"].tolist() == ["1", "2", "3"]
            assert numbers["b"].tolist() == [4, 5, 6]
            assert recording.info.software.startswith("nex5file ")


def test_the_vendor_cannot_read_what_it_writes_behind_number_markers(tmp_path):
    """Their offsets count values of 6 bytes, their data have 4: the page's layout is that read."""
    path = tmp_path / "vendor.nex5"
    data = vendor("filedata").FileData(30_000.0, "")
    data.AddMarker("m", [1.0, 2.0, 3.0], ["a"], [[1, 2, 3]])
    data.AddNeuron("n", [0.1, 0.2])
    with quiet():
        vendor("writer").Writer().WriteNex5File(data, str(path))
        theirs = by_vendor(path)
    assert theirs["spikes"]["n"] != [0.1, 0.2]
