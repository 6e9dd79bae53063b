"""Every kind of object of a service as the object model, and back: units, orders, odd values."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime

import httpx2
import numpy as np
import pytest
import quantities as pq

from ephyrus.client import flows
from ephyrus.client.annotations import annotations_of, notes_of
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


class Made:
    """A block of one user on the service, made object by object."""

    def __init__(self, running, name: str) -> None:
        self.user = running.site.user("ada")
        self.service = running.client("ada")
        self.block = self.service.create("block", name=name)
        self.segment = self.service.create("segment", name="one", block=self.block)

    def array(self, values, units):
        return {"data": self.user.array(np.asarray(values)), "units": units}

    def make(self, type_name, **values):
        return self.service.create(type_name, segment=self.segment, **values)

    def read(self, **options):
        return self.service.block(self.block.id, **options).segments[0]


@pytest.fixture
def made(running, request):
    found = Made(running, request.node.name)
    yield found
    found.service.close()


class Counting(httpx2.HTTPTransport):
    """A transport that counts requests by method and first two parts of the path."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[str] = Counter()

    def handle_request(self, request):
        self.seen[f"{request.method} {'/'.join(request.url.path.split('/')[:3])}"] += 1
        return super().handle_request(request)


@pytest.mark.parametrize(
    ("units", "meant"),
    [("mv", "mV"), ("uv", "uV"), ("mcv", "uV"), ("\xb5V", "uV"), ("V", "V"), ("nA", "nA")],
)
def test_units_of_signals(made, units, meant):
    made.make("analogsignal", signal=made.array([1.5, 2.5], units),
              sampling_rate={"data": 2, "units": "mhz"},
              t_start={"data": 3, "units": "mcs"})  # fmt: skip
    (signal,) = made.read(lazy=False).analogsignals
    assert signal.dimensionality.string == meant
    assert signal.magnitude.tolist() == [[1.5], [2.5]]
    assert signal.sampling_rate == 2 * pq.MHz
    assert signal.t_start == 3 * pq.us


def test_a_unit_that_nobody_knows_is_kept_as_text(made):
    made.make("analogsignal", signal=made.array([1.0], "furlong per __import__('os')"),
              sampling_rate={"data": 1, "units": "1/s"},
              t_start={"data": 0, "units": "s"})  # fmt: skip
    (signal,) = made.read().analogsignals
    assert signal.dimensionality.string == "dimensionless"
    assert signal.annotations == {"units_string": "furlong per __import__('os')"}
    assert signal.sampling_rate == 1 / pq.s


def test_times_in_no_order(made):
    made.make("spiketrain", times=made.array([0.3, 0.1, 0.2], "s"),
              t_start={"data": 0, "units": "ms"}, t_stop={"data": 400, "units": "ms"})  # fmt: skip
    made.make("eventarray", times=made.array([30.0, 10.0, 20.0], "ms"),
              labels=made.array(np.array(["ü".encode(), b"b", "日本".encode()]), None))  # fmt: skip
    segment = made.read()
    (train,), (event,) = segment.spiketrains, segment.events
    assert train.load().magnitude.tolist() == [0.3, 0.1, 0.2]
    assert (train.t_start, train.t_stop) == (0 * pq.s, 0.4 * pq.s)
    assert train.load(time_slice=(0.15 * pq.s, None)).magnitude.tolist() == [0.3, 0.2]
    part = event.load(time_slice=(15 * pq.ms, None))
    assert (part.magnitude.tolist(), part.labels.tolist()) == ([30, 20], ["ü", "日本"])
    eager = made.read(lazy=False)
    assert eager.spiketrains[0].magnitude.tolist() == [0.3, 0.1, 0.2]
    assert eager.events[0].labels.tolist() == ["ü", "b", "日本"]


def test_empty_arrays(made):
    nothing = {"data": 0, "units": "s"}
    made.make("spiketrain", times=made.array(np.empty(0), "s"), t_start=nothing, t_stop=nothing)
    made.make("analogsignalarray", signal=made.array(np.empty((0, 2), "f4"), "mV"), t_start=nothing,
              sampling_rate={"data": 1, "units": "Hz"})  # fmt: skip
    made.make("irsaanalogsignal", signal=made.array(np.empty(0), "mV"), t_start=nothing,
              times=made.array(np.empty(0), "ms"))  # fmt: skip
    made.make("eventarray", times=made.array(np.empty(0), "ms"),
              labels=made.array(np.empty(0, "S1"), None))  # fmt: skip
    for segment in (made.read(), made.read(lazy=False)):
        for kind in ("spiketrains", "analogsignals", "irregularlysampledsignals", "events"):
            (each,) = getattr(segment, kind)
            loaded = each.load()
            assert loaded.size == 0
            assert each.name is None
        assert segment.analogsignals[0].load().shape == (0, 2)
        assert segment.analogsignals[0].dtype == np.float32
        assert segment.events[0].load().labels.tolist() == []


def test_a_channel_of_a_signal_is_no_signal_of_its_own(made):
    start, rate = {"data": 0, "units": "s"}, {"data": 1, "units": "Hz"}
    whole = made.make("analogsignalarray", signal=made.array([[1, 2], [3, 4]], "mV"), name="all",
                      t_start=start, sampling_rate=rate)  # fmt: skip
    made.make("analogsignal", signal=made.array([1, 3], "mV"), t_start=start, sampling_rate=rate,
              analogsignalarray=whole)  # fmt: skip
    (signal,) = made.read(lazy=False).analogsignals
    assert signal.name == "all"
    assert signal.magnitude.tolist() == [[1, 2], [3, 4]]
    assert signal.dtype == np.int64


def test_single_spikes_events_and_epochs(made):
    group = made.service.create("recordingchannelgroup", name="g", block=made.block)
    unit = made.service.create("unit", name="u", recordingchannelgroup=group)
    for time, wave in ((20.0, [[3, 4]]), (10.0, [[1, 2]])):
        made.make("spike", time={"data": time, "units": "ms"}, unit=unit,
                  waveform=made.array(wave, "uV"), sampling_rate={"data": 30, "units": "khz"},
                  left_sweep={"data": 1, "units": "ms"})  # fmt: skip
    made.make("spike", time={"data": 1.5, "units": "s"})
    made.make("event", label="ä", time={"data": 5, "units": "ms"})
    made.make("epoch", label="on", time={"data": 1, "units": "s"},
              duration={"data": 20, "units": "ms"})  # fmt: skip
    for lazy in (True, False):
        block = made.service.block(made.block.id, lazy=lazy)
        (segment,) = block.segments
        sorted_, other = segment.spiketrains
        assert sorted_.times.magnitude.tolist() == [0.01, 0.02]
        assert sorted_.waveforms.magnitude.tolist() == [[[1, 2]], [[3, 4]]]
        assert (sorted_.sampling_rate, sorted_.left_sweep) == (30 * pq.kHz, 1 * pq.ms)
        assert other.times.magnitude.tolist() == [1.5]
        assert [each.name for each in block.groups] == ["u"]
        assert block.groups[0].spiketrains[0] is sorted_
        assert segment.events[0].times.magnitude.tolist() == [0.005]
        assert segment.events[0].labels.tolist() == ["ä"]
        assert segment.epochs[0].durations.magnitude.tolist() == [0.02]


def test_the_ends_of_irregular_signals_are_exact(made):
    times = np.array([1 / 3, 2 / 3, 10 / 3])
    made.make("irsaanalogsignal", signal=made.array([1.0, 2.0, 3.0], "mV"),
              times=made.array(times, "ms"), t_start={"data": 0, "units": "s"})  # fmt: skip
    (signal,) = made.read().irregularlysampledsignals
    assert (float(signal.t_start.magnitude), float(signal.t_stop.magnitude)) == (1 / 3, 10 / 3)
    np.testing.assert_array_equal(signal.load().times.magnitude, times)


def test_durations_are_never_evaluated(made, monkeypatch):
    """The text of a unit is looked up; quantities would evaluate it."""
    made.make("epocharray", times=made.array([1.0], "s"), durations=made.array([2.0], "ms"),
              labels=made.array(np.array([b"x"]), None))  # fmt: skip
    hostile = "[m for m in ().__class__.__base__.__subclasses__()] and ms"

    class Hostile(httpx2.HTTPTransport):
        def handle_request(self, request):
            response = super().handle_request(request)
            response.read()
            text = response.text.replace('"units":"ms"', f'"units":"{hostile}"')
            text = text.replace('"units": "ms"', f'"units": "{hostile}"')
            return httpx2.Response(response.status_code, text=text)

    evaluated = []
    monkeypatch.setattr(type(pq.unit_registry), "__getitem__",
                        lambda self, text: evaluated.append(text))  # fmt: skip
    from ephyrus.client import Client

    with (
        Client(made.service.address, token=made.user.token, cache=None,
               transport=Hostile()) as service,
        pytest.raises(ValueError, match="is not known"),
    ):  # fmt: skip
        service.block(made.block.id)
    assert evaluated == []


def test_many_objects_cost_few_requests(made, running, monkeypatch):
    monkeypatch.setattr(flows, "PAGE_OBJECTS", 60)
    times, start = made.array([1.0, 2.0], "s"), {"data": 0, "units": "s"}
    signal = made.array([5.0, 6.0], "mV")

    def requests_of(lazy: bool) -> Counter:
        counting = Counting()
        with running.client("ada", transport=counting) as service:
            segment = service.block(made.block.id, lazy=lazy).segments[0]
        if not lazy:
            assert all(each.magnitude.tolist() == [1, 2] for each in segment.spiketrains)
            for each in (*segment.irregularlysampledsignals, *segment.analogsignals):
                assert each.magnitude.tolist() == [[5], [6]]
        return counting.seen

    counts = []
    for number in (10, 40):
        for _ in range(number):
            made.make("spiketrain", times=times, t_start=start, t_stop={"data": 9, "units": "s"})
            made.make("irsaanalogsignal", times=times, signal=signal, t_start=start)
            made.make("analogsignal", signal=signal, t_start=start,
                      sampling_rate={"data": 1, "units": "Hz"})  # fmt: skip
        counts.append((requests_of(True), requests_of(False)))
    assert counts[0] == counts[1]
    assert sum(counts[1][0].values()) <= 15
    assert sum(counts[1][1].values()) <= 18


def test_ids_in_letters(tmp_path):
    """A service whose ids are ten letters, over a transport that needs no socket."""
    from starlette.testclient import TestClient

    from ephyrus.client import Client
    from tests.service.support import Site

    class Bridge(httpx2.BaseTransport):
        def __init__(self, http: TestClient) -> None:
            self.http = http

        def handle_request(self, request):
            answer = self.http.request(
                request.method, str(request.url), content=request.read(), headers=request.headers
            )
            kept = ("content-type", "content-range")
            head = {name: answer.headers[name] for name in kept if name in answer.headers}
            return httpx2.Response(answer.status_code, content=answer.content, headers=head)

    with Site(tmp_path, id_style="base32") as site:
        token, bridge = site.user("ada").token, Bridge(site.http)
        with Client("http://testserver", token=token, cache=None, transport=bridge) as service:
            sent = Block(name="b", kind="x")
            sent.segments.append(Segment(name="s"))
            sent.segments[0].analogsignals.append(
                AnalogSignal([[1.0, 2.0]], "mV", sampling_rate=1 * pq.Hz,
                             array_annotations={"channel_names": ["l", "r"]}))  # fmt: skip
            train = SpikeTrain([0.5], units="s", t_stop=1)
            sent.segments[0].spiketrains.append(train)
            sent.groups.append(Group([train], name="u"))
            found = service.upload(sent)
            assert len(found.id) == 10
            block = service.block(found.id, lazy=False)
    assert block.annotations == {"kind": "x"}
    assert block.segments[0].analogsignals[0].magnitude.tolist() == [[1, 2]]
    assert block.segments[0].analogsignals[0].array_annotations["channel_names"].tolist() == [
        "l",
        "r",
    ]
    assert block.groups[0].spiketrains[0].magnitude.tolist() == [0.5]


NOTES = {
    "flag": True, "no": False, "count": 3, "big": 2**70, "rate": 0.1, "inf": float("inf"),
    "text": "ü", "empty text": "", "when": datetime(2024, 1, 2, 3, 4, 5, 678),
    "day": date(2024, 1, 2), "list": [3, 1, 2, 1], "mixed": [1, 2.5], "flags": [True, False],
    "words": ["b", "a", "b"],
    "deep": {"a": {"b": [1, 2]}, "c": "x"}, "number-like": "007", "yes": "true",
}  # fmt: skip


def test_annotations_of_all_types(running):
    odd = {
        "scalar": np.float32(0.5), "array": np.array([1, 2]),
        "np list": [np.float64(0.1), np.int64(2)], "np flag": np.bool_(True),
        "volts": 2.5 * pq.mV, "many volts": [1, 2] * pq.mV,
        "none": None, "nothing": [], "deep": {"none": {}, "volts": 1 * pq.V},
    }  # fmt: skip
    sent = Block(name="notes", **NOTES)
    sent.segments += [Segment(name="1", **odd), Segment(name="2", count=3, list=[3, 1, 2, 1])]
    with running.client("ada") as service:
        got = service.block(service.upload(sent).id)
        values = service.select("value", property__name="list", data="3", max_results=1000)
    assert got.annotations == NOTES
    assert {name: type(value) for name, value in got.annotations.items()} == {
        name: type(value) for name, value in NOTES.items()
    }
    notes = got.segments[0].annotations
    assert set(notes) == set(odd) - {"none", "nothing"}
    assert (notes["scalar"], notes["array"], notes["np list"]) == (0.5, [1, 2], [0.1, 2.0])
    assert notes["np flag"] is True
    assert notes["volts"] == 2.5 * pq.mV
    assert notes["volts"].dimensionality == pq.mV.dimensionality
    assert (notes["many volts"] == [1, 2] * pq.mV).all()
    assert notes["deep"] == {"volts": 1 * pq.V}
    assert got.segments[1].annotations == {"count": 3, "list": [3, 1, 2, 1]}
    assert len(values) <= 2, "objects with the same annotation share its values"


def test_what_is_no_value_is_counted():
    notes, left_out = notes_of({"a": None, "b": [], "c": {}, "d": {"e": 1}})
    assert [(note.name, note.dtype, note.texts) for note in notes] == [("d.e", "int", ("1",))]
    assert left_out == 3


def test_values_that_do_not_fit_their_type_stay_text():
    pairs = [({"name": "a", "dtype": "int"}, {"data": "x"}),
             ({"name": "a.b", "dtype": "float"}, {"data": "1"}),
             ({"name": "c", "dtype": "string", "unit": "mV"}, {"data": "text"}),
             ({"name": "d", "dtype": "float", "unit": "no unit"}, {"data": "1"})]  # fmt: skip
    assert annotations_of(pairs) == {"a": "x", "a.b": 1.0, "c": "text", "d": 1.0}


def test_units_that_a_service_has_not_go_in_seconds(running):
    sent = Block(name="units")
    segment = Segment(name="s")
    sent.segments.append(segment)
    segment.spiketrains.append(SpikeTrain([1.0, 2.0], units="min", t_stop=3))
    segment.events.append(Event([500.0] * pq.ns, labels=["x"]))
    segment.epochs.append(Epoch([1.0] * pq.h, durations=[1.0] * pq.min, labels=["x"]))
    segment.analogsignals.append(AnalogSignal(
        np.array([[True], [False]]).astype("u1"), "pA", t_start=1 * pq.min,
        sampling_rate=2 / pq.ms))  # fmt: skip
    segment.irregularlysampledsignals.append(
        IrregularlySampledSignal([1.0, 2.0] * pq.min, [1.0, 2.0], "mV"))  # fmt: skip
    with running.client("ada") as service:
        got = service.block(service.upload(sent).id, lazy=False).segments[0]
    assert got.spiketrains[0].times.magnitude.tolist() == [60, 120]
    assert got.spiketrains[0].t_stop == 180 * pq.s
    np.testing.assert_allclose(got.events[0].times.rescale("s").magnitude, [5e-7], rtol=1e-15)
    assert got.epochs[0].times.magnitude.tolist() == [3600]
    assert got.epochs[0].durations.rescale("s").magnitude.tolist() == [60]
    signal = got.analogsignals[0]
    assert (signal.t_start, signal.sampling_rate, signal.dtype) == (
        60 * pq.s,
        2000 * pq.Hz,
        np.uint8,
    )
    assert got.irregularlysampledsignals[0].times.magnitude.tolist() == [60, 120]


def test_objects_without_names_and_groups_within_groups(running, caplog):
    sent = Block()
    sent.segments.append(Segment())
    trains = [SpikeTrain([float(at)], units="s", t_stop=9) for at in range(3)]
    sent.segments[0].spiketrains.extend(trains)
    inner = Group([trains[0]], name="inner")
    inner.groups.append(Group([trains[1]], name="innermost"))
    outer = Group([trains[2]], name="outer")
    outer.groups.append(inner)
    sent.groups.append(outer)
    with running.client("ada") as service:
        got = service.block(service.upload(sent).id, lazy=False)
    assert [each.name for each in got.segments[0].spiketrains] == [None] * 3
    assert [each.magnitude.tolist() for each in got.segments[0].spiketrains] == [[0], [1], [2]]
    assert "1 groups in groups in groups, 1 members of groups" in caplog.text


def test_a_hidden_segment_hides_what_is_in_it(made, running):
    made.make("spiketrain", times=made.array([1.0], "s"), t_start={"data": 0, "units": "s"},
              t_stop={"data": 2, "units": "s"})  # fmt: skip
    other = made.service.create("segment", name="two", block=made.block)
    running.site.user("bob")
    made.service.share(made.block, shared_with={"bob": 1})
    made.service.share(other, shared_with={"bob": 1})
    (train,) = made.service.select("spiketrain", segment=made.segment.id)
    made.service.share(train, shared_with={"bob": 1})
    with running.client("bob") as service:
        assert [each.name for each in service.block(made.block.id).segments] == ["two"]


def test_what_others_add_is_seen_at_once(made):
    before = made.service.get("block", made.block.id)
    made.service.create("segment", name="two", block=made.block)
    after = made.service.get("block", made.block.id)
    assert (len(before.children("segment")), len(after.children("segment"))) == (1, 2)
    made.service.share(made.block, safety_level=1)
    assert made.service.get("block", made.block.id)["safety_level"] == 1
