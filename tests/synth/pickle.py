"""Pickles for the contract suite: made by the standard pickler, of objects built here."""

import pickle
from pathlib import Path

import numpy as np
import quantities as pq

from ephyrus.core import (
    AnalogSignal,
    Block,
    Epoch,
    Event,
    Group,
    IrregularlySampledSignal,
    Segment,
    SpikeTrain,
)
from ephyrus.testing.sample import Sample


def example_block(segments=2):
    """A block with every kind of data object, values that tell where they belong."""
    rng = np.random.default_rng(5)
    block = Block(name="pickled", experimenter_count=2)
    group = Group(name="unit a")
    block.groups.append(group)
    for number in range(segments):
        segment = Segment(name=f"trial {number}", index=number)
        block.segments.append(segment)
        start = 10.0 * number
        segment.analogsignals.append(
            AnalogSignal(
                rng.normal(size=(50 + number, 2)),
                units="uV",
                sampling_rate=100 * pq.Hz,
                t_start=start * pq.s,
                name="lfp",
                array_annotations={"channel_names": ["a", "b"], "depth": [1.0, 2.0]},
                gain=3.5,
            )
        )
        segment.irregularlysampledsignals.append(
            IrregularlySampledSignal(
                start + np.array([0.0, 0.1, 0.4]),
                rng.normal(size=(3, 1)),
                units="pA",
                time_units="s",
                name="drug",
            )
        )
        train = SpikeTrain(
            (start + np.array([0.01, 0.2, 0.3])) * pq.s,
            t_start=start * pq.s,
            t_stop=(start + 1) * pq.s,
            waveforms=rng.normal(size=(3, 1, 4)) * pq.mV,
            left_sweep=1 * pq.ms,
            sampling_rate=1 * pq.kHz,
            name="unit a",
            array_annotations={"amplitude": [1.0, 2.0, 3.0]},
        )
        segment.spiketrains.append(train)
        group.spiketrains.append(train)
        segment.events.append(
            Event((start + np.array([0.1, 0.2])) * pq.s, labels=["go", "stop"], name="cues")
        )
        segment.epochs.append(
            Epoch([start + 0.5] * pq.s, [0.25] * pq.s, labels=["rest"], name="states")
        )
    return block


def _dump(obj, name, protocol=5):
    def write(folder: Path) -> Path:
        path = folder / name
        path.write_bytes(pickle.dumps(obj, protocol))
        return path

    return write


def samples():
    """Pickles of a Block, a list of Blocks, a Segment and a signal."""
    block = example_block()
    segment = example_block(1).segments[0]
    segment.block = None
    signal = example_block(1).segments[0].analogsignals[0].detached()
    return [
        Sample("pickle", "block", _dump(block, "block.pkl")),
        Sample("pickle", "block-protocol-2", _dump(block, "block2.pkl", 2)),
        Sample("pickle", "two-blocks", _dump([block, example_block(1)], "blocks.pickle", 4)),
        Sample("pickle", "segment", _dump(segment, "segment.pkl")),
        Sample("pickle", "signal", _dump(signal, "signal.pkl")),
    ]
