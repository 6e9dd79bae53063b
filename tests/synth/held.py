"""A small recording from objects in memory, with what few formats have."""

from __future__ import annotations

import numpy as np
import quantities as pq

from ephyrus import (
    AnalogSignal,
    Block,
    Epoch,
    Event,
    ImageSequence,
    IrregularlySampledSignal,
    Segment,
    SpikeTrain,
)
from ephyrus.recording import Recording
from ephyrus.recording.blocks import from_blocks


def held_recording() -> Recording:
    """Make signals of one and three channels, images, irregular signals, trains and events."""
    rng = np.random.default_rng(3)
    block, segment = Block(name="held", description="from memory"), Segment(name="only")
    block.segments.append(segment)
    segment.analogsignals += [
        AnalogSignal(rng.normal(size=(50, 3)), units="mV", sampling_rate=2 * pq.kHz, name="three"),
        AnalogSignal(
            rng.normal(size=50), units="pA", sampling_rate=1 * pq.kHz, t_start=5 * pq.ms, name="one"
        ),
    ]
    segment.imagesequences.append(
        ImageSequence(
            rng.normal(size=(7, 2, 4)),
            units="V",
            sampling_rate=30 * pq.Hz,
            spatial_scale=1 * pq.um,
            name="film",
        )
    )
    segment.irregularlysampledsignals += [
        IrregularlySampledSignal(
            [1.5, 2.0, 7.25] * pq.s, rng.normal(size=(3, 2)), units="mV", name="two columns"
        ),
        IrregularlySampledSignal([10.0, 20.0] * pq.ms, [1.0, 2.0], units="degC", name="warmth"),
    ]
    segment.spiketrains += [
        SpikeTrain(
            [3.0, 1.0, 2.0] * pq.ms, t_start=0.5 * pq.ms, t_stop=9 * pq.ms, name="not in order"
        ),
        SpikeTrain([] * pq.s, t_stop=2 * pq.s, name="silent"),
    ]
    segment.events.append(Event([1, 2] * pq.s, labels=["ß", "日本語"], name="words"))
    segment.epochs.append(Epoch([1] * pq.s, [0.5] * pq.s, labels=["rest"], name="phases"))
    return from_blocks(block)
