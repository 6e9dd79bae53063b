"""Every real BrainVision file, whole, as neo and MNE read it, and files of ours read by both."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import quantities as pq

import ephyrus
from ephyrus import io
from ephyrus.recording import seconds
from tests.golden import DATA, data_path
from tests.peers.facts import Facts, differences, peer, quiet

neo_rawio = peer("neo.rawio")
mne = peer("mne")

pytestmark = [pytest.mark.peers, pytest.mark.real]

FILES = sorted(path.name for path in (DATA / "brainvision").glob("*.vhdr"))
TO_SI = {"V": 1.0, "mV": 1e-3, "µV": 1e-6, "uV": 1e-6, "nV": 1e-9, "µS": 1e-6, "uS": 1e-6}
LATIN1 = "test_old_layout_latin1_software_filter.vhdr"
BEGINNING = "New Segment/"  # its marker is MNE's measurement date where it stands at sample 1
NO_UNIT = "no unit means microvolt; neo gives an empty one, or half of a micro sign"
# What is known to differ, and why; the bytes that show who is right: formats/DISAGREEMENTS.md.
FAULTS: dict[tuple[str, str], dict[str, str]] = {
    ("neo", "test.vhdr"): {"units": NO_UNIT},
    ("neo", "testbva.vhdr"): {"units": NO_UNIT},
    ("mne", "testv2.vhdr"): dict.fromkeys(
        ("marker times", "marker labels"), "MNE drops the three markers beyond the data"
    ),
}


def facts_of(path: Any) -> dict[str, Any]:
    """What we read, in the units of the file and in SI units."""
    with ephyrus.open(path, format="brainvision") as recording:
        stream = recording.signals[0]
        samples = recording.read_scaled(0, dtype=np.dtype("f8"))
        factors = np.array([TO_SI.get(unit, 1.0) for unit in stream.channels.units])
        markers = []
        for table in recording.tables:
            found = recording.read_table(table, columns=["tick", "label"])
            times = seconds(found["tick"], table.clock).tolist()
            labels = [f"{table.name}/{label}" for label in found["label"]]
            markers += zip(times, labels, strict=True)
        markers.sort()
        return {
            "rate": float(stream.rate),
            "names": list(stream.channels.names),
            "units": [unit.replace("µ", "u") for unit in stream.channels.units],
            "stored": recording.read_signal(0),
            "samples": samples,
            "si": samples * factors,
            "marker times": [time for time, _ in markers],
            "marker labels": [label for _, label in markers],
        }


@cache
def ours(name: str) -> Facts:
    """What we read of a real file."""
    return facts_of(data_path("brainvision") / name)


def by_neo(path: Any) -> Facts:
    """What neo reads; its markers, one sample late everywhere, are put right."""
    reader = neo_rawio.BrainVisionRawIO(filename=str(path))
    reader.parse_header()
    channels = reader.header["signal_channels"]
    order, stored, samples = [], [], []
    for index, stream in enumerate(reader.header["signal_streams"]):
        mine = np.flatnonzero(channels["stream_id"] == stream["id"])
        raw = reader.get_analogsignal_chunk(stream_index=index)
        order += mine.tolist()
        stored.append(raw)
        samples.append(reader.rescale_signal_raw_to_float(raw, "float64", stream_index=index))
    back = np.argsort(order)
    markers = []
    for number, channel in enumerate(reader.header["event_channels"]):
        ticks, _, labels = reader.get_event_timestamps(0, 0, number)
        times = reader.rescale_event_timestamp(ticks, "float64", number).tolist()
        markers += [
            (time, f"{channel['name']}/{label}") for time, label in zip(times, labels, strict=True)
        ]
    markers.sort()
    rate = float(reader.get_signal_sampling_rate(0))
    return {
        "rate": rate,
        "names": [str(text) for text in channels["name"]],
        "units": [str(text) for text in channels["units"]],
        "stored": np.hstack(stored)[:, back],
        "samples": np.hstack(samples)[:, back],
        "marker times": [time - 1 / rate for time, _ in markers],
        "marker labels": [label for _, label in markers],
    }


def by_mne(path: Any) -> Facts:
    """What MNE reads; it converts to SI units."""
    raw = mne.io.read_raw_brainvision(path, preload=True, verbose="error", scale=1.0)
    notes = sorted(zip(raw.annotations.onset.tolist(), raw.annotations.description, strict=True))
    return {
        "rate": float(raw.info["sfreq"]),
        "names": list(raw.ch_names),
        "si": raw.get_data().T,
        "marker times": [time for time, _ in notes],
        "marker labels": [str(label) for _, label in notes],
    }


def without_beginning(facts: Facts) -> Facts:
    """Leave out the marker of the beginning, which MNE takes as the measurement date."""
    pairs = list(zip(facts["marker times"], facts["marker labels"], strict=True))
    if (0.0, BEGINNING) in pairs:
        pairs.remove((0.0, BEGINNING))
    return {
        **facts,
        "marker times": [time for time, _ in pairs],
        "marker labels": [label for _, label in pairs],
    }


@pytest.mark.parametrize("name", [name for name in FILES if name != LATIN1])
def test_whole_recording_by_neo(name):
    with quiet():
        theirs = by_neo(data_path("brainvision") / name)
    found = differences(ours(name), theirs)
    assert found.keys() == FAULTS.get(("neo", name), {}).keys(), found


def test_neo_cannot_open_latin1():
    with pytest.raises(UnicodeDecodeError), quiet():
        by_neo(data_path("brainvision") / LATIN1)


@pytest.mark.parametrize("name", FILES)
def test_whole_recording_by_mne(name):
    with quiet():
        theirs = by_mne(data_path("brainvision") / name)
    found = differences(without_beginning(ours(name)), theirs)
    assert found.keys() == FAULTS.get(("mne", name), {}).keys(), found


# Files of ours


def signals(seed: int, *, units: str = "uV") -> list[ephyrus.AnalogSignal]:
    """Two signals of different size, as a lab may have them together."""
    rng = np.random.default_rng(seed)
    return [
        ephyrus.AnalogSignal(
            (rng.normal(0, size, (997, 3))).astype("f4"),
            units=units,
            sampling_rate=500.0 * pq.Hz,
            array_annotations={"channel_names": [f"{word} {i}" for i in range(3)]},
        )
        for size, word in ((50.0, "EEG"), (3000.0, "EMG"))
    ]


def block() -> ephyrus.Block:
    """A recording with markers; a comma and letters beyond ASCII stand in their texts."""
    segment = ephyrus.Segment()
    segment.analogsignals.extend(signals(1))
    segment.events.append(
        ephyrus.Event(
            [0.0, 0.1, 1.99] * pq.s, labels=["S  1", "left, then right", "ö"], name="Stimulus"
        )
    )
    made = ephyrus.Block()
    made.segments.append(segment)
    return made


@pytest.mark.parametrize("number_format", ["INT_16", "INT_32", "IEEE_FLOAT_32"])
@pytest.mark.parametrize("orientation", ["multiplexed", "vectorized"])
def test_files_of_ours(tmp_path, orientation, number_format):
    path = tmp_path / "made.vhdr"
    io.BrainVisionIO(path).write_block(
        block(), orientation=orientation, number_format=number_format
    )
    written = np.hstack([signal.magnitude for signal in signals(1)])
    mine = facts_of(path)
    with quiet():
        neos, mnes = by_neo(path), by_mne(path)
    assert differences(mine, {**neos, "marker labels": unescaped(neos["marker labels"])}) == {}
    assert differences(without_beginning(mine), mnes) == {}
    assert mine["marker labels"][-2:] == ["Stimulus/left, then right", "Stimulus/ö"]
    step = np.abs(written).max(axis=0) / 32767 if number_format == "INT_16" else 1e-3
    for found in (neos["samples"], mnes["si"] * 1e6):
        assert found.shape == written.shape
        assert np.all(np.abs(found - written) <= step)
    if number_format == "IEEE_FLOAT_32":
        np.testing.assert_array_equal(neos["stored"], written)


def unescaped(labels: list[str]) -> list[str]:
    """Put right what neo leaves as it stands in the file: a comma is written as \\1."""
    return [label.replace("\\1", ",") for label in labels]


def test_text_of_ours(tmp_path):
    path = tmp_path / "made.vhdr"
    io.BrainVisionIO(path).write_block(block(), format="ascii")
    with quiet():
        theirs = by_mne(path)
    assert differences(without_beginning(facts_of(path)), theirs) == {}
    written = np.hstack([signal.magnitude for signal in signals(1)])
    np.testing.assert_allclose(theirs["si"] * 1e6, written, rtol=1e-6, atol=1e-6)
