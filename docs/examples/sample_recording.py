"""Write a small sample recording as BrainVision files: two trials of four EEG-like channels.

Usage: python docs/examples/sample_recording.py TARGET.vhdr
"""

import sys

import numpy as np
import quantities as pq

from ephyrus import AnalogSignal, Block, Epoch, Event, Segment
from ephyrus.io import BrainVisionIO

RATE = 1000 * pq.Hz
DURATION = 20.0
CHANNELS = ("Fz", "Cz", "Pz", "Oz")


def sample_block() -> Block:
    """Build a block with one segment: a 10 Hz rhythm that stops while the eyes are open."""
    rng = np.random.default_rng(7)
    times = np.arange(0, DURATION, 1 / float(RATE))
    closed = (times % 10) < 5
    rhythm = 20 * np.sin(2 * np.pi * 10 * times) * closed
    weights = np.array([0.2, 0.5, 1.0, 1.6])
    noise = rng.normal(scale=4, size=(times.size, len(CHANNELS)))
    signal = AnalogSignal(
        (rhythm[:, np.newaxis] * weights + noise).astype(np.float32),
        units="uV",
        sampling_rate=RATE,
        name="EEG",
        array_annotations={"channel_names": list(CHANNELS)},
    )
    blinks = Event([5.2, 6.9, 8.1, 15.4, 17.8] * pq.s, labels=["blink"] * 5, name="Comment")
    eyes = Epoch([0, 10] * pq.s, [5, 5] * pq.s, labels=["eyes closed"] * 2, name="Stimulus")
    block, segment = Block(name="sample"), Segment(name="eyes open and closed")
    block.segments.append(segment)
    segment.analogsignals.append(signal)
    segment.events.append(blinks)
    segment.epochs.append(eyes)
    return block


if __name__ == "__main__":
    BrainVisionIO(sys.argv[1]).write_block(sample_block())
