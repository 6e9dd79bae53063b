"""Every real Axon file, whole, as neo and pyABF read it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import ephyrus
from ephyrus.recording import seconds
from tests.golden import DATA, data_path
from tests.peers.facts import Facts, differences, peer, quiet

neo_rawio = peer("neo.rawio")
pyabf = peer("pyabf")

pytestmark = [pytest.mark.peers, pytest.mark.real]

FILES = sorted(path.name for path in (DATA / "abf").glob("*.abf"))

NEO_DIVIDES = "neo divides the raw count by the rate instead of multiplying by the synch unit"
NEO_LABELS = "neo gives the type of the tag where its comment belongs"
NEO_BLOCK = "neo takes the block number of the tags for a byte offset, and so reads empty tags"
IN_A_ROW = "pyABF puts sweeps one behind the other; the synch array says when they began"
# What is known to differ, and why; the bytes that show who is right: formats/DISAGREEMENTS.md.
FAULTS: dict[tuple[str, str], dict[str, str]] = {
    ("neo", "130618-1-12.abf"): dict.fromkeys(
        ("lengths", "starts", "stored", "samples"),
        "fixed-length sweeps without a synch array: neo makes one of the three",
    ),
    ("neo", "180415_aaron_temp.abf"): {"units": "neo drops the blank of 'deg C'"},
    ("neo", "2018_11_16_sh_0006.abf"): {
        "tag times": f"{NEO_DIVIDES}, and has all tags in each segment",
        "tag labels": NEO_LABELS,
    },
    ("neo", "2020_07_29_0062.abf"): {
        "tag times": "neo divides the raw count by the rate, not by rate x channels",
        "tag labels": NEO_LABELS,
    },
    ("neo", "File_axon_2.abf"): {"tag times": NEO_BLOCK, "tag labels": NEO_BLOCK},
    ("neo", "multichannelAbf1WithTags.abf"): {
        "tag times": f"{NEO_BLOCK}, in each segment",
        "tag labels": NEO_BLOCK,
    },
    ("pyabf", "130618-1-12.abf"): {"names": "pyABF gives '?' for a blank name; we give ch0"},
    ("pyabf", "2020_06_16_0001.abf"): {"starts": IN_A_ROW},
    ("pyabf", "File_axon_2.abf"): {"tag labels": "pyABF drops the byte 0xE9 (é in cp1252)"},
    ("pyabf", "File_axon_3.abf"): {"starts": IN_A_ROW},
    ("pyabf", "File_axon_7.abf"): {
        "starts": "pyABF has equal distances of 10 s; the synch array says when sweeps began",
        "rate": "pyABF cuts the rate to an integer",
    },
    ("pyabf", "multichannelAbf1WithTags.abf"): {"starts": IN_A_ROW},
}


@cache
def ours(name: str) -> Facts:
    """What we read."""
    with ephyrus.open(data_path("abf") / name) as recording:
        stream, tags = recording.signals[0], recording.tables[0]
        bounds = [(int(run["first"]), int(run["first"] + run["count"])) for run in stream.runs]
        read = recording.read_table(tags)
        return {
            "lengths": [last - first for first, last in bounds],
            "starts": seconds(stream.runs["tick"], stream.clock).tolist(),
            "rate": float(stream.rate),
            "names": list(stream.channels.names),
            "units": list(stream.channels.units),
            "stored": [recording.read_signal(0, *each) for each in bounds],
            "samples": [recording.read_scaled(0, *each, dtype=np.dtype("f8")) for each in bounds],
            "tag times": seconds(read["tick"], tags.clock).tolist(),
            "tag labels": [str(label) for label in read["label"]],
        }


def by_neo(name: str) -> Facts:
    """What neo reads."""
    reader = neo_rawio.AxonRawIO(filename=str(data_path("abf") / name))
    reader.parse_header()
    channels = reader.header["signal_channels"]
    segments = range(reader.segment_count(0))
    stored = [reader.get_analogsignal_chunk(0, segment) for segment in segments]
    times, labels = [], []
    for segment in segments:
        ticks, _, found = reader.get_event_timestamps(0, segment, 0)
        times += reader.rescale_event_timestamp(ticks, "float64", 0).tolist()
        labels += [str(label) for label in found]
    return {
        "lengths": [len(values) for values in stored],
        "starts": [float(reader.get_signal_t_start(0, segment, 0)) for segment in segments],
        "rate": float(reader.get_signal_sampling_rate(0)),
        "names": [str(text) for text in channels["name"]],
        "units": [str(text) for text in channels["units"]],
        "stored": stored,
        "samples": [reader.rescale_signal_raw_to_float(raw, "float64") for raw in stored],
        "tag times": times,
        "tag labels": labels,
    }


def by_pyabf(name: str) -> Facts:
    """What pyABF reads."""
    abf: Any = pyabf.ABF(str(data_path("abf") / name))
    sweeps = []
    for sweep in range(abf.sweepCount):
        columns = []
        for channel in range(abf.channelCount):
            abf.setSweep(sweep, channel)
            columns.append(np.array(abf.sweepY, np.float64))
        sweeps.append(np.column_stack(columns))
    return {
        "lengths": [len(values) for values in sweeps],
        "starts": [float(start) for start in abf.sweepTimesSec],
        "rate": float(abf.dataRate),
        "names": list(abf.adcNames),
        "units": list(abf.adcUnits),
        "samples": sweeps,
        "tag times": [float(time) for time in abf.tagTimesSec],
        "tag labels": list(abf.tagComments),
    }


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("reader", [by_neo, by_pyabf], ids=["neo", "pyabf"])
def test_whole_recording(reader, name):
    with quiet():
        theirs = reader(name)
    found = differences(ours(name), theirs)
    known = FAULTS.get((reader.__name__.removeprefix("by_"), name), {})
    assert found.keys() == known.keys(), found
