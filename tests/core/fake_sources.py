"""Sources in memory, for tests of lazy objects; they count what is read from them."""

from __future__ import annotations

import numpy as np

from ephyrus.core.lazy import Points


class FakeSignals:
    """A SignalSource of an integer array with one gain per channel."""

    def __init__(self, raw, gains=1.0, offset=0.0, dtype=np.float32):
        self.raw = np.asarray(raw)
        self.gains = np.broadcast_to(np.asarray(gains, dtype=np.float64), self.raw.shape[1:])
        self.offset = offset
        self.dtype = np.dtype(dtype)
        self.shape = self.raw.shape
        self.reads = []

    def read(self, start, stop, channels):
        self.reads.append((start, stop, None if channels is None else list(channels)))
        raw, gains = self.raw[start:stop], self.gains
        if channels is not None:
            raw, gains = raw[:, channels], gains[channels]
        return (raw * gains + self.offset).astype(self.dtype)

    def read_raw(self, start, stop, channels):
        raw, gains = self.raw[start:stop], self.gains
        if channels is not None:
            raw, gains = raw[:, channels], gains[channels]
        if self.offset or len(set(gains.tolist())) != 1:
            raise ValueError("gains differ or an offset is not 0")
        return raw.copy(), float(gains[0])


class FakePoints:
    """A PointSource of samples; its windows are wider than asked for by one item each side."""

    def __init__(self, times, values, array_annotations=None):
        self.times = np.asarray(times, dtype=np.float64)
        self.values = np.asarray(values)
        self.arrays = array_annotations or {}
        self.length = len(self.times)
        self.reads = []

    def window(self, t_start, t_stop):
        first = 0 if t_start is None else int(np.searchsorted(self.times, t_start)) - 1
        last = self.length if t_stop is None else int(np.searchsorted(self.times, t_stop)) + 2
        return first, last

    def read(self, start, stop, *, waveforms=False):
        self.reads.append((start, stop))
        return Points(
            times=self.times[start:stop].copy(),
            values=self.values[start:stop].copy(),
            array_annotations=dict(self.arrays),
        )
