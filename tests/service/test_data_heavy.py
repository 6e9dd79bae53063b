"""Requests that take much computing: few at a time, in bounded memory, and let go of."""

import asyncio
import queue
import threading
import tracemalloc

import numpy as np
import pytest

from ephyrus.service.errors import ServiceError
from ephyrus.service.routes.answers import Answer, StreamAnswer
from ephyrus.service.routes.gate import Gate
from tests.service.support import Site

PATIENCE = 60.0  # seconds after which a test gives up


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with Site(tmp_path_factory.mktemp("site"), heavy_requests=1, heavy_waiting=1) as found:
        yield found


class Service:
    """What the gate needs of a service."""

    def __init__(self, most, waiting):
        self.settings = type("Settings", (), {"heavy_requests": most, "heavy_waiting": waiting})()


class Call:
    """What the gate needs of a call."""

    async def thread(self, function, *args):
        return await asyncio.to_thread(function, *args)


def test_so_many_at_a_time_and_so_many_waiting():
    async def main():
        gate, release, running = Gate(Service(2, 1)), threading.Event(), []

        def work(number):
            running.append(number)
            assert release.wait(PATIENCE)
            return Answer(body=str(number).encode())

        tasks = [asyncio.create_task(gate.through(Call(), work, n)) for n in range(3)]
        while len(running) < 2:
            await asyncio.sleep(0.001)
        with pytest.raises(ServiceError) as caught:
            await gate.through(Call(), work, 3)
        assert (caught.value.status, caught.value.headers) == (429, {"Retry-After": "5"})
        assert len(running) == 2
        release.set()
        answers = await asyncio.gather(*tasks)
        assert [answer.body for answer in answers] == [b"0", b"1", b"2"]
        assert (await gate.through(Call(), work, 4)).body == b"4"

    asyncio.run(main())


def test_a_streamed_answer_keeps_its_place_until_it_is_closed():
    async def main():
        gate = Gate(Service(1, 5))
        answer = await gate.through(Call(), lambda: StreamAnswer(blocks=iter([b"a", b"b"])))
        waiting = asyncio.create_task(gate.through(Call(), Answer))
        assert list(answer.blocks) == [b"a", b"b"]
        await asyncio.sleep(0.01)
        assert not waiting.done()
        await asyncio.to_thread(answer.blocks.close)
        answer.blocks.close()  # again: gives nothing back a second time
        await asyncio.wait_for(waiting, PATIENCE)
        assert gate._free._value == 1

    asyncio.run(main())


def test_a_failure_gives_the_place_back():
    async def main():
        gate = Gate(Service(1, 0))

        def fail():
            raise ServiceError("wrong_params", "no")

        for _ in range(3):
            with pytest.raises(ServiceError):
                await gate.through(Call(), fail)
        await asyncio.sleep(0)
        assert gate._free._value == 1

    asyncio.run(main())


def test_large_arrays_are_reduced_in_bounded_memory(site):
    bob = site.user("bob")
    values = np.random.default_rng(0).normal(0, 500, (2_500_000, 4)).astype("<i2")
    number = bob.array(values)
    for query in ("downsample=500&kind=mean", "downsample=500&kind=minmax"):
        tracemalloc.start()
        try:
            answer = bob.get(f"/datafiles/{number}?format=raw&{query}")
            assert tracemalloc.get_traced_memory()[1] < 16 * 2**20  # the array has 20 MB
        finally:
            tracemalloc.stop()
        dtype = "<f8" if "mean" in query else "<i2"
        found = np.frombuffer(answer.content, dtype).reshape(500, 4)
        if dtype == "<f8":
            expected = values.reshape(500, 5000, 4).mean(axis=1)
        else:
            bins = values.reshape(250, 10_000, 4)
            places = np.sort(np.stack([bins.argmin(axis=1), bins.argmax(axis=1)], 1), axis=1)
            expected = np.take_along_axis(bins, places, 1).reshape(500, 4)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_small_requests_do_not_wait_for_heavy_ones(site, monkeypatch):
    from ephyrus.service.routes import choices

    bob = site.user("bob")
    number = bob.array(np.arange(1_000_000, dtype="<i2"))
    begun, release = threading.Event(), threading.Event()
    inner = choices.choose

    def slow(array, choice, **facts):
        if choice.kind == "lttb":
            begun.set()
            assert release.wait(PATIENCE)
        return inner(array, choice, **facts)

    monkeypatch.setattr(choices, "choose", slow)
    answers = queue.Queue()

    def ask():
        link = f"/datafiles/{number}?format=raw&downsample=10&kind=lttb"
        answers.put(bob.get(link).status_code)

    threads = [threading.Thread(target=ask) for _ in range(3)]
    try:
        for thread in threads:
            thread.start()
        assert begun.wait(PATIENCE)
        refused = answers.get(timeout=PATIENCE)  # one is at work, one waits: there is no more room
        small = bob.get(f"/datafiles/{number}?format=raw&samples_count=3")
        assert answers.empty()
    finally:
        release.set()
        for thread in threads:
            thread.join()
    assert small.content == bytes([0, 0, 1, 0, 2, 0])
    assert [refused, answers.get_nowait(), answers.get_nowait()] == [429, 200, 200]
