"""What lazy objects of a service fetch, from where, and who may use them."""

from __future__ import annotations

import multiprocessing
import pickle
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx2
import numpy as np
import pytest
import quantities as pq
from typer.testing import CliRunner

import ephyrus
from ephyrus.cli import app
from ephyrus.core import AnalogSignal, Block, Event, Segment, SpikeTrain
from ephyrus.errors import RemoteError
from ephyrus.io import ServiceIO

SAMPLES = np.random.default_rng(3).normal(size=(20_000, 4))
TIMES = np.sort(np.random.default_rng(4).uniform(0, 100, 500))
WAVES = np.random.default_rng(5).normal(size=(500, 2, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def uploaded(running):
    block, segment = Block(name="lazy"), Segment(name="only")
    block.segments.append(segment)
    segment.analogsignals.append(
        AnalogSignal(SAMPLES, "mV", sampling_rate=1 * pq.kHz, t_start=2 * pq.s, name="lfp")
    )
    segment.spiketrains.append(
        SpikeTrain(
            TIMES,
            units="s",
            t_stop=100,
            waveforms=WAVES * pq.uV,
            name="unit",
            sampling_rate=30 * pq.kHz,
        )
    )
    segment.events.append(Event(TIMES[:9] * pq.s, labels=[f"é{at}" for at in range(9)], name="ev"))
    with running.client("ada") as service:
        return service.upload(block)


class Counted(httpx2.HTTPTransport):
    """A transport that counts the bytes of bodies."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def handle_request(self, request):
        response = super().handle_request(request)
        response.read()
        self.sizes.append(len(response.content))
        return response


@pytest.fixture
def counted(running, uploaded):
    transport = Counted()
    with running.client("ada", transport=transport) as service:
        segment = service.block(uploaded.id).segments[0]
        transport.sizes.clear()
        yield transport.sizes, segment


def test_windows_of_signals(counted):
    sizes, segment = counted
    (signal,) = segment.analogsignals
    part = signal.load(time_slice=(2 * pq.s, 2.05 * pq.s), channel_indexes=[3, 1])
    np.testing.assert_array_equal(part.magnitude, SAMPLES[:50, [3, 1]])
    assert len(sizes) == 1
    assert sizes[0] < 51 * 2 * 8 + 200
    last = signal.load(time_slice=(21.99 * pq.s, None))
    np.testing.assert_array_equal(last.magnitude, SAMPLES[-10:])
    with pytest.raises(ValueError, match="is not within the data"):
        signal.load(time_slice=(0 * pq.s, 3 * pq.s))
    cut = signal.load(time_slice=(0 * pq.s, 2.003 * pq.s), strict_slicing=False)
    np.testing.assert_array_equal(cut.magnitude, SAMPLES[:3])
    with pytest.raises(ValueError, match='magnitude_mode="rescaled"'):
        signal.load(magnitude_mode="raw")
    none = signal.load(channel_indexes=[])
    assert none.shape == (20_000, 0)
    assert len(sizes) == 3


def test_pieces_of_signals(counted):
    sizes, segment = counted
    (signal,) = segment.analogsignals
    pieces = list(signal.chunks(max_bytes=200_000))
    np.testing.assert_array_equal(np.concatenate([each.magnitude for each in pieces]), SAMPLES)
    assert len(sizes) == len(pieces) == 4
    assert max(sizes) < 200_200


def test_windows_of_trains(counted):
    sizes, segment = counted
    (train,), (event,) = segment.spiketrains, segment.events
    part = train.load(time_slice=(TIMES[100] * pq.s, TIMES[110] * pq.s))
    np.testing.assert_array_equal(part.magnitude, TIMES[100:111])
    assert len(sizes) == 2
    assert sizes[1] <= 13 * 8 + 128
    part = train.load(time_slice=(50 * pq.s, None), load_waveforms=True)
    np.testing.assert_array_equal(part.magnitude, TIMES[TIMES >= 50])
    np.testing.assert_array_equal(part.waveforms.magnitude, WAVES[TIMES >= 50])
    assert train.load().waveforms is None
    np.testing.assert_array_equal(event.load().labels, [f"é{at}" for at in range(9)])
    beside = train.load(time_slice=(TIMES[-1] * pq.s + 1e-6 * pq.s, 100 * pq.s))
    assert beside.magnitude.tolist() == []


def test_all_of_a_block_has_its_waveforms(running, uploaded):
    with running.client("ada") as service:
        (train,) = service.block(uploaded.id, lazy=False).segments[0].spiketrains
    np.testing.assert_array_equal(train.waveforms.magnitude, WAVES)


def test_several_threads_use_one_client(running, uploaded):
    with running.client("ada", connections=2) as service:
        (signal,) = service.block(uploaded.id).segments[0].analogsignals
        start = threading.Barrier(6)

        def work(number: int) -> bool:
            start.wait(60)
            for at in range(number, 60, 6):
                window = (2 + at * 0.1) * pq.s, (2.05 + at * 0.1) * pq.s
                part = signal.load(time_slice=window).magnitude
                np.testing.assert_array_equal(part, SAMPLES[at * 100 : at * 100 + 50])
                service.get("block", uploaded.id)
            return True

        with ThreadPoolExecutor(6) as pool:
            assert all(pool.map(work, range(6)))


def _sum(lazy: AnalogSignal) -> float:
    return float(lazy.load().magnitude.sum())


def test_other_processes_load_what_was_pickled(running, uploaded):
    with running.client("ada") as service:
        (signal,) = service.block(uploaded.id).segments[0].analogsignals
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            assert pool.apply(_sum, (signal,)) == float(SAMPLES.sum())


def test_a_pickled_recording_reads_on(running, uploaded):
    address = f"{running.address}{uploaded.permalink}"
    recording = pickle.loads(pickle.dumps(ephyrus.open(address, token=running.token("ada"))))
    found = recording.read_signal(recording.signal("lfp"), 5, 9, channels=[2])
    np.testing.assert_array_equal(found, SAMPLES[5:9, [2]])
    token = running.token("ada")
    assert token not in repr(ephyrus.open(address, token=token))


def test_a_lazy_object_of_a_closed_client_says_so(running, uploaded):
    with running.client("ada") as service:
        (signal,) = service.block(uploaded.id).segments[0].analogsignals
    with pytest.raises(RemoteError, match="is closed"):
        signal.load()


def test_commands_tell_what_is_wrong(running, uploaded):
    block = f"{running.address}{uploaded.permalink}"
    token = running.token("ada")

    def says(*arguments: object, token: str = token) -> tuple[int, str]:
        done = CliRunner().invoke(
            app, [str(each) for each in arguments], env={"EPHYRUS_TOKEN": token}
        )
        return done.exit_code, done.output

    assert "service" in says("identify", block)[1].lower()
    assert says("info", block)[0] == says("head", block)[0] == says("check", block)[0] == 0
    assert "ServiceIO" in says("formats", "service")[1]
    for command in ("info", "head", "check"):
        code, output = says(command, block, token="wrong")
        assert code != 0
        assert "EPHYRUS_TOKEN" in output.replace("\n", "")
        assert "Traceback" not in output
    code, output = says("info", f"{running.address}/electrophysiology/block/999999")
    assert code != 0
    assert "999999" in output
    code, output = says("info", "http://127.0.0.1:9/electrophysiology/block/1")
    assert code != 0
    assert "does not answer" in output.replace("\n", " ")


def test_the_extra_is_named_where_it_is_missing(running, uploaded):
    program = (
        "import sys; sys.modules['httpx2'] = None\n"
        "import ephyrus\n"
        "try: ephyrus.open(sys.argv[1])\n"
        "except ephyrus.errors.MissingExtraError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program, f"{running.address}/"],
                          capture_output=True, text=True, timeout=60, check=True)  # fmt: skip
    assert "pip install 'ephyrus[client]'" in done.stdout


def test_the_io_class(running, uploaded):
    address, token = f"{running.address}{uploaded.permalink}", running.token("ada")
    io = ServiceIO(address, token=token)
    assert ServiceIO.mode == "database"
    (block,) = io.read_all_blocks()
    np.testing.assert_array_equal(block.segments[0].analogsignals[0].magnitude, SAMPLES)
    lazy = ServiceIO(address, token=token).read_block(lazy=True)
    np.testing.assert_array_equal(lazy.segments[0].spiketrains[0].load().magnitude, TIMES)
