"""Raw binary files of ours, read by neo, and any such files read by both."""

from __future__ import annotations

import numpy as np
import pytest
import quantities as pq

import ephyrus
from ephyrus import io
from tests.peers.facts import peer, quiet
from tests.synth import rawbinarysignal as synth

neo_rawio = peer("neo.rawio")

pytestmark = pytest.mark.peers


def by_neo(path, **options):
    """Stored numbers and values as neo reads them."""
    reader = neo_rawio.RawBinarySignalRawIO(filename=str(path), **options)
    reader.parse_header()
    raw = reader.get_analogsignal_chunk()
    return raw, reader.rescale_signal_raw_to_float(raw, "float64")


@pytest.mark.parametrize("dtype", synth.DTYPES)
def test_any_type(tmp_path, dtype):
    stored = synth.counts(dtype, 211, 3)
    path = synth.write_values(tmp_path, synth.interleaved(stored, header=b"x" * 12))
    options = {"dtype": dtype, "nb_channel": 3, "sampling_rate": 1000.0, "bytesoffset": 12}
    options |= {"signal_gain": 0.25, "signal_offset": -3.0}
    with quiet():
        raw, values = by_neo(path, **options)
    with ephyrus.open(path, format="rawbinarysignal", **options) as recording:
        np.testing.assert_array_equal(recording.read_signal(0), raw)
        mine = recording.read_scaled(0, dtype=np.dtype("f8"))
    np.testing.assert_allclose(mine, values, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["int16", "int32", "float32", "float64"])
def test_files_of_ours(tmp_path, dtype):
    rng = np.random.default_rng(3)
    values = rng.integers(-30_000, 30_000, (503, 4)) * 0.5
    segment = ephyrus.Segment()
    segment.analogsignals.append(
        ephyrus.AnalogSignal(values, units="mV", sampling_rate=2000.0 * pq.Hz)
    )
    block = ephyrus.Block()
    block.segments.append(segment)
    path = tmp_path / "made.raw"
    integers = np.dtype(dtype).kind == "i"
    gain = {"signal_gain": 0.5} if integers else {}
    io.RawBinarySignalIO(path).write_block(block, dtype=dtype, **gain)
    options = {"signal_gain": 0.5 if integers else 1.0, "signal_offset": 0.0}
    with quiet():
        _, found = by_neo(path, dtype=dtype, nb_channel=4, sampling_rate=2000.0, **options)
    np.testing.assert_array_equal(found, values)
