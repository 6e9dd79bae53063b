"""TDT tanks of ours, whole, as neo reads them; the real block has no .tev, which neo demands."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ephyrus
from ephyrus.recording import seconds
from tests.golden import data_path
from tests.peers.facts import Facts, differences, peer, quiet
from tests.synth.tdt import (
    START,
    Marks,
    Stream,
    pulses,
    spikes,
    stored_numbers,
    write_block,
)

neo_rawio = peer("neo.rawio")

pytestmark = pytest.mark.peers


@pytest.fixture(scope="module", params=["tev", "sev"])
def tank(request: Any, tmp_path_factory: Any) -> Path:
    """Two blocks, with streams of two types, snippets, strobes with and without offsets."""
    folder = tmp_path_factory.mktemp("peers") / "TANK"
    flags = 0x10 if request.param == "sev" else 0
    for at in range(2):
        contents = [
            Stream("Wav1", stored_numbers(640, 3, seed=at), flags=flags),
            Stream("Raw1", stored_numbers(128, 2, "i2"), rate=1017.2526, points=32),
            spikes(40 + at, 3, 30),
            *pulses(),
            Marks("Tick", [0.1, 0.5], [1, 2.5]),
        ]
        made = write_block(folder / f"B-{at}", contents, start=START + 100 * at)
        (made.folder / f"{made.stem}.Tdx").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def reader(tank: Path) -> Any:
    """neo's reader, header read."""
    with quiet():
        found = neo_rawio.TdtRawIO(dirname=str(tank))
        found.parse_header()
    return found


@pytest.fixture(scope="module")
def ours(tank: Path) -> Iterator[ephyrus.Recording]:
    """Our recording."""
    with ephyrus.open(tank) as recording:
        yield recording


def neo_streams(reader: Any) -> Iterator[tuple[str, Facts]]:
    """What neo tells of each stream."""
    channels = reader.header["signal_channels"]
    for number, stream in enumerate(reader.header["signal_streams"]):
        mine = channels[channels["stream_id"] == stream["id"]]
        chunks = [reader.get_analogsignal_chunk(0, at, stream_index=number) for at in range(2)]
        yield (
            stream["name"],
            {
                "names": [str(name) for name in mine["name"]],
                "units": [str(unit) for unit in mine["units"]],
                "rate": float(mine["sampling_rate"][0]),
                "stored": np.concatenate(chunks),
                "starts": [float(reader.get_signal_t_start(0, at, number)) for at in range(2)],
            },
        )


def test_streams(reader: Any, ours: ephyrus.Recording) -> None:
    """All samples, rates, names, units and starts."""
    theirs = dict(neo_streams(reader))
    assert list(theirs) == [stream.name for stream in ours.signals] == ["Wav1", "Raw1"]
    for stream in ours.signals:
        facts = {
            "names": list(stream.channels.names),
            "units": list(stream.channels.units),
            "rate": float(stream.rate),
            "stored": ours.read_signal(stream),
            "starts": seconds(stream.runs["tick"], stream.clock).tolist(),
        }
        assert not differences(facts, theirs[stream.name])


def test_snippets(reader: Any, ours: ephyrus.Recording) -> None:
    """Times, waveforms and rates of every unit in every block."""
    units = [(table, unit) for table in ours.tables for unit in table.units]
    by_name = {unit.name: (table, unit) for table, unit in units}
    theirs = reader.header["spike_channels"]
    assert sorted(by_name) == sorted(str(name) for name in theirs["name"])
    for number, channel in enumerate(theirs):
        table, unit = by_name[str(channel["name"])]
        assert table.waveforms is not None
        assert float(table.waveforms.rate) == channel["wf_sampling_rate"]
        assert table.waveforms.unit == channel["wf_units"]
        for run in table.runs:
            first, last = int(run["first"]), int(run["first"] + run["count"])
            found = ours.read_table(table, first, last, ["tick", "unit", "waveform"])
            mine = found["unit"] == unit.id
            segment = int(run["segment"])
            times = reader.get_spike_timestamps(0, segment, number)
            waves = reader.get_spike_raw_waveforms(0, segment, number)
            np.testing.assert_allclose(seconds(found["tick"][mine], table.clock), times, atol=1e-9)
            np.testing.assert_array_equal(found["waveform"][mine], waves.reshape(-1, 1, 30))


@pytest.mark.parametrize("name", ["PtC/", "Tick"])
def test_strobes(reader: Any, ours: ephyrus.Recording, name: str) -> None:
    """Times; neo prints the bytes of a value as an integer, and has no offsets."""
    names = [str(each) for each in reader.header["event_channels"]["name"]]
    table = ours.table(name)
    found = ours.read_table(table, columns=["tick", "values", "label"])
    times = seconds(found["tick"], table.clock)
    parts = [reader.get_event_timestamps(0, at, names.index(name)) for at in range(2)]
    np.testing.assert_allclose(times, np.concatenate([part[0] for part in parts]), atol=1e-9)
    labels = np.concatenate([part[2] for part in parts]).tolist()
    values = [struct.unpack("<d", struct.pack("<q", int(label)))[0] for label in labels]
    assert values == found["values"].tolist()
    assert found["label"].tolist() == [f"{value:g}" for value in values]
    assert [part[1] for part in parts] == [None, None]


def test_strobe_offsets(ours: ephyrus.Recording) -> None:
    """What neo does not offer."""
    table = ours.table("PtC/")
    durations = ours.read_table(table, columns=["duration"])["duration"]
    np.testing.assert_allclose(seconds(durations, table.clock), 0.1, atol=5e-7)


@pytest.mark.real
def test_the_real_block() -> None:
    """neo demands the .tev; ours reads the events of the index."""
    path = data_path("tdt/Photometry-161823")
    with pytest.raises(IndexError), quiet():
        neo_rawio.TdtRawIO(dirname=str(path)).parse_header()
    with ephyrus.open(path) as recording:
        counts = {table.name: table.length for table in recording.tables}
    assert counts == {"Tick": 661, "Vid1": 9933, "Fi1i": 8, "PAB/": 30}
