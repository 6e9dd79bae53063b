"""Windows on arrays with times of their own: section 2.8 of the page, every type."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephyrus.service.errors import ServiceError
from ephyrus.service.partial.params import DataRequest, RangeRequest
from ephyrus.service.partial.times import Times
from ephyrus.service.partial.view import ArrayFacts, view
from ephyrus.service.types import TYPES

SPIKES = [5.0, 10.0, 10.0, 20.0, 35.5, 60.0, 90.0]


def ask(**values):
    return RangeRequest.from_query([(name, str(value)) for name, value in values.items()])


def facts(identifier, values, units="ms", *, is_sorted=None, shape=()):
    values = np.asarray(values)
    return ArrayFacts(
        identifier,
        units,
        (len(values), *shape),
        is_sorted,
        lambda start, stop: values[start:stop],
    )


def train(query, spikes=SPIKES, *, t_start=(0, "ms"), t_stop=(100, "ms"), units="ms", listed=False):
    return view(
        TYPES["spiketrain"],
        {"t_start": t_start, "t_stop": t_stop},
        {"times": facts(7, spikes, units), "waveforms": ArrayFacts(8, "mV", (len(spikes), 2, 30))},
        ask(**query),
        listed=listed,
    )


def events(query, times=SPIKES, *, units="ms", listed=False):
    return view(
        TYPES["eventarray"],
        {},
        {"labels": ArrayFacts(3, None, (len(times),)), "times": facts(4, times, units)},
        ask(**query),
        listed=listed,
    )


def epochs(query, times, durations, *, units="ms", duration_units="ms", listed=False):
    return view(
        TYPES["epocharray"],
        {},
        {
            "labels": ArrayFacts(3, None, (len(times),)),
            "times": facts(4, times, units),
            "durations": facts(5, durations, duration_units),
        },
        ask(**query),
        listed=listed,
    )


def irregular(query, times=SPIKES, *, units="ms", t_start=(5, "ms"), listed=False, channels=()):
    return view(
        TYPES["irsaanalogsignal"],
        {"t_start": t_start},
        {
            "signal": ArrayFacts(1, "mV", (len(times), *channels)),
            "times": facts(2, times, units),
        },
        ask(**query),
        listed=listed,
    )


def rows_of(link, times):
    """Rows that a link selects, worked out as a request for the datafile would be."""
    query = [tuple(part.split("=", 1)) for part in link.partition("?")[2].split("&") if part]
    request = DataRequest.from_query(query)
    n = len(times)
    if request.indices is not None:
        return request.indices.resolve(n).tolist()
    if request.window is not None:
        found = Times(n, "ms", lambda start, stop: np.asarray(times)[start:stop]).window(
            *request.window
        )
        return list(range(n))[found] if isinstance(found, slice) else found.tolist()
    rows = request.rows(n)
    return list(range(rows.start, rows.stop))


def refused(name, make, *args, **kwargs):
    with pytest.raises(ServiceError) as caught:
        make(*args, **kwargs)
    assert (caught.value.status, caught.value.message_type) == (400, "wrong_params")
    assert caught.value.details == name


# ------------------------------------------------------------------ spike trains


@pytest.mark.parametrize(
    ("query", "rows", "t_start", "t_stop"),
    [
        ({"start_time": 10, "end_time": 35.5}, [1, 2, 3, 4], 10, 35.5),
        ({"start_time": 10, "duration": 25.5}, [1, 2, 3, 4], 10, 35.5),
        ({"end_time": 35.5, "duration": 25.5}, [1, 2, 3, 4], 10, 35.5),
        ({"start_time": 10.001, "end_time": 35.4}, [3], 10.001, 35.4),
        ({"start_time": 36}, [5, 6], 36, 100),
        ({"end_time": 10}, [0, 1, 2], 0, 10),
        ({"duration": 20}, [0, 1, 2, 3], 0, 20),
        ({"start_time": 10, "samples_count": 2}, [1, 2], 10, 10),
        ({"end_time": 36, "samples_count": 3}, [2, 3, 4], 10, 36),
        ({"start_index": 2, "end_index": 4}, [2, 3, 4], 10, 35.5),
        ({"start_index": 3}, [3, 4, 5, 6], 20, 100),
        ({"end_index": 3}, [0, 1, 2, 3], 0, 20),
        ({"samples_count": 2}, [0, 1], 0, 10),
        ({"start_index": 3, "duration": 40}, [3, 4, 5], 20, 60),
        ({"end_index": 5, "duration": 40}, [3, 4, 5], 20, 60),
        ({"end_index": 5, "samples_count": 2}, [4, 5], 35.5, 60),
        ({"start_index": 3, "end_time": 40}, [3, 4], 20, 40),
        ({"start_time": 30, "end_index": 5}, [4, 5], 30, 60),
        ({"start_index": 0, "end_index": 6}, [0, 1, 2, 3, 4, 5, 6], 0, 100),
        ({"start_time": -10, "end_time": 200}, [0, 1, 2, 3, 4, 5, 6], 0, 100),
        ({"start_time": -10, "duration": 15}, [0], 0, 5),
        ({"end_time": 5, "samples_count": 10}, [0], 0, 5),
    ],
)
def test_windows_on_spike_trains(query, rows, t_start, t_stop):
    shown = train(query)
    assert rows_of(shown.links["times"], SPIKES) == rows
    assert shown.links["times"].startswith("/datafiles/7?start_index=")
    assert shown.links["waveforms"] == shown.links["times"].replace("/7?", "/8?")
    assert shown.quantities == {"t_start": t_start, "t_stop": t_stop}
    part = shown.partial
    assert (part["start_index"], part["end_index"]) == (rows[0], rows[-1] + 1)
    assert (part["samples_count"], part["points"], part["kind"]) == (len(rows), len(rows), None)
    assert part["t_stop"] == {"units": "ms", "data": t_stop}
    assert part["sampling_rate"] == {"units": None, "data": None}


@pytest.mark.parametrize(
    ("query", "link", "t_start", "t_stop"),
    [
        ({"start_time": 21, "end_time": 35}, "window=21:35&by=7", 21, 35),
        ({"start_time": 91}, "window=91:&by=7", 91, 100),
        ({"end_time": 4.5}, "window=:4.5&by=7", 0, 4.5),
        ({"start_time": 91, "samples_count": 3}, "window=91:&by=7", 91, 100),
        ({"end_time": 4, "samples_count": 3}, "window=:4&by=7", 0, 4),
        ({"start_time": 300, "end_time": 400}, "window=300:400&by=7", 300, 100),
    ],
)
def test_a_window_without_spikes_is_an_empty_array(query, link, t_start, t_stop):
    for listed in (False, True):
        shown = train(query, listed=listed)
        assert shown.links["times"] == f"/datafiles/7?{link}"
        assert shown.links["waveforms"] == f"/datafiles/8?{link}"
        assert rows_of(shown.links["times"], SPIKES) == []
        assert shown.quantities == {"t_start": t_start, "t_stop": t_stop}
        assert (shown.partial["samples_count"], shown.partial["points"]) == (0, 0)


def test_a_train_without_spikes():
    shown = train({"start_time": 10, "end_time": 20}, [])
    assert shown.links == {"times": "/datafiles/7", "waveforms": "/datafiles/8"}
    assert shown.quantities == {"t_start": 10, "t_stop": 20}
    assert train({"end_index": 5, "duration": 3}, []).partial["samples_count"] == 0
    refused("start_index", train, {"start_index": 0}, [])
    assert train({"start_index": 0}, [], listed=True).links == {"times": None, "waveforms": None}


def test_units_of_spike_trains_are_aligned():
    seconds = [each / 1000 for each in SPIKES]
    shown = train({"start_time": 10, "end_time": 35.5}, seconds, units="s", t_stop=(0.1, "s"))
    assert shown.links["times"] == "/datafiles/7?start_index=1&end_index=5"
    assert shown.quantities == {"t_start": 10, "t_stop": 0.0355}
    assert shown.partial["t_stop"] == {"units": "ms", "data": 35.5}
    shown = train({"start_time": 21, "end_time": 35}, seconds, units="s")
    assert shown.links["times"] == "/datafiles/7?window=0.021:0.035&by=7"
    # 0.07 s * 1000 is 70.00000000000001 in floating point: the spike at 70 ms belongs to it
    shown = train({"start_time": 0.07}, [69.0, 70.0], t_start=(0, "s"), t_stop=(0.1, "s"))
    assert shown.links["times"] == "/datafiles/7?start_index=1&end_index=2"
    # and 0.7 + 0.1 is 0.7999999999999999
    shown = train({"start_time": 0.7, "duration": 0.1}, [0.75, 0.8, 0.9], units="ms")
    assert shown.links["times"] == "/datafiles/7?start_index=0&end_index=2"
    assert shown.quantities["t_stop"] == 0.8


def test_spikes_as_whole_numbers_and_as_single_floats():
    assert train({"start_time": 10.5}, np.array([10, 11], np.int32)).partial["samples_count"] == 1
    single = np.array([0.1, 0.2], np.float32)  # a little more than 0.1 and 0.2
    shown = train({"start_time": 0.1, "end_time": 0.2}, single)
    assert rows_of(shown.links["times"], single) == [0]


def test_spikes_are_never_downsampled():
    shown = train({"downsample": 3, "kind": "minmax"})
    assert shown.links == {"times": "/datafiles/7", "waveforms": "/datafiles/8"}
    assert shown.quantities == {}
    assert shown.partial["disregarded"] == ["downsample", "kind"]
    assert (shown.partial["samples_count"], shown.partial["points"]) == (7, 7)
    shown = train({"start_time": 10, "downsample": 3, "format": "json", "channels": "0"})
    assert shown.links["times"] == "/datafiles/7?start_index=1&end_index=7&format=json"
    assert shown.partial["disregarded"] == ["downsample", "channels"]


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("end_time", {"start_time": 10, "end_time": 9}),
        ("end_index", {"start_index": 3, "end_index": 2}),
        ("end_index", {"start_time": 21, "end_index": 3}),
        ("end_time", {"start_index": 3, "end_time": 19}),
        ("samples_count", {"end_index": 2, "samples_count": 4}),
        ("start_index", {"start_index": 7}),
        ("end_index", {"end_index": 9, "samples_count": 3}),
        ("end_index", {"end_index": 7, "strict": 1}),
        ("end_time", {"start_time": -1, "end_time": 9, "strict": 1}),
        ("end_time", {"end_time": 101, "strict": 1}),
        ("duration", {"start_time": 90, "duration": 11, "strict": 1}),
    ],
)
def test_windows_on_spike_trains_that_are_refused(name, query):
    refused(name, train, query)


def test_what_is_cut_of_a_spike_train():
    for query, cut in {
        "start_time=-1": True,
        "end_time=101": True,
        "end_index=7": True,
        "samples_count=8": True,
        "end_time=100": False,
        "end_index=6": False,
        "duration=100.5": True,
    }.items():
        name, value = query.split("=")
        assert train({name: value}).partial["cut"] is cut, query
    # the end of a link is not cut
    assert train({"end_index": 20}).links["times"] == "/datafiles/7?start_index=0&end_index=21"


def test_counts_of_spikes_in_bins():
    shown = train({"bins": 10})
    assert shown.links["times"] == "/datafiles/7?window=0:100&by=7&bins=10"
    assert shown.links["waveforms"] == "/datafiles/8"
    assert shown.partial is None
    shown = train({"bins": 4, "start_time": 10, "end_time": 50, "format": "json"})
    assert shown.links["times"] == "/datafiles/7?window=10:50&by=7&bins=4&format=json"
    assert shown.links["waveforms"] == "/datafiles/8?start_index=1&end_index=5&format=json"
    assert (shown.partial["samples_count"], shown.partial["points"]) == (4, 4)
    assert train({"bins": 4, "end_time": 3}).links["times"] == (
        "/datafiles/7?window=0:3&by=7&bins=4"
    )
    assert events({"bins": 4}).links["times"] == "/datafiles/4?bins=4"
    assert train({"bins": 4, "start_index": 7}, listed=True).links["times"] is None


# ------------------------------------------------------------------ events


@pytest.mark.parametrize(
    ("query", "rows", "t_stop"),
    [
        ({"start_time": 10, "end_time": 35.5}, [1, 2, 3, 4], 35.5),
        ({"duration": 15}, [0, 1, 2, 3], 20),  # from the first event on
        ({"start_index": 5}, [5, 6], None),
        ({"end_index": 2}, [0, 1, 2], 10),
        ({"start_time": 21, "end_time": 35}, [], 35),
        ({"start_time": 1000}, [], None),
    ],
)
def test_windows_on_events(query, rows, t_stop):
    shown = events(query)
    assert rows_of(shown.links["times"], SPIKES) == rows
    assert shown.links["labels"] == shown.links["times"].replace("/4?", "/3?")
    assert shown.quantities == {}
    assert shown.partial["samples_count"] == len(rows)
    assert shown.partial["t_stop"]["data"] == t_stop
    assert shown.partial["cut"] is False


def test_times_of_events_are_in_the_unit_of_their_times():
    shown = events({"start_time": 0.01, "end_time": 0.02}, [0.01, 0.02, 0.03], units="s")
    assert shown.links["labels"] == "/datafiles/3?start_index=0&end_index=2"
    assert events({"downsample": 2}).partial["disregarded"] == ["downsample"]


# ------------------------------------------------------------------ times that are not sorted


SHUFFLED = [60.0, 10.0, 90.0, 5.0, 20.0]


def test_windows_on_times_that_are_not_sorted():
    shown = events({"start_time": 10, "end_time": 60}, SHUFFLED)
    assert shown.links == {
        "labels": "/datafiles/3?window=10:60&by=4",
        "times": "/datafiles/4?window=10:60&by=4",
    }
    assert rows_of(shown.links["times"], SHUFFLED) == [0, 1, 4]
    part = shown.partial
    assert (part["start_index"], part["end_index"], part["samples_count"]) == (None, None, 3)


@pytest.mark.parametrize(
    ("query", "link", "rows"),
    [
        ({"start_time": 20}, "window=20:&by=7", [0, 2, 4]),
        ({"end_time": 20}, "window=:20&by=7", [1, 3, 4]),
        ({"duration": 20}, "window=:20&by=7", [1, 3, 4]),
        ({"start_index": 4, "duration": 40}, "window=20:60&by=7", [0, 4]),
        ({"end_index": 4, "duration": 10}, "window=10:20&by=7", [1, 4]),
        ({"start_time": 15, "end_index": 0}, "window=15:60&by=7", [0, 4]),
        ({"start_index": 1, "end_index": 2}, "start_index=1&end_index=3", [1, 2]),
        ({"samples_count": 2}, "start_index=0&end_index=2", [0, 1]),
        ({"start_time": 95}, "window=95:&by=7", []),
    ],
)
def test_rows_of_times_that_are_not_sorted(query, link, rows):
    shown = train(query, SHUFFLED)
    assert shown.links["times"] == f"/datafiles/7?{link}"
    assert rows_of(shown.links["times"], SHUFFLED) == rows
    assert shown.partial["samples_count"] == len(rows)


def test_what_times_that_are_not_sorted_cannot_say():
    refused("samples_count", train, {"start_time": 10, "samples_count": 2}, SHUFFLED)
    refused("end_index", train, {"start_time": 10, "end_index": 3}, SHUFFLED)
    assert train({"start_time": 10, "end_index": 3}, SHUFFLED, listed=True).links["times"] is None


def test_a_missing_time_is_in_no_window():
    times = [1.0, np.nan, 3.0]
    shown = events({"start_time": 0}, times)
    assert shown.links["times"] == "/datafiles/4?window=0:&by=4"
    assert rows_of(shown.links["times"], times) == [0, 2]


# ------------------------------------------------------------------ epochs


ONSETS = [0.0, 10.0, 20.0, 30.0, 40.0]


@pytest.mark.parametrize(
    ("durations", "query", "rows"),
    [
        ([5.0] * 5, {"start_time": 12, "end_time": 30}, [2, 3]),
        ([5.0] * 5, {"start_time": 12, "end_time": 30, "overlap": 1}, [1, 2, 3]),
        ([5.0] * 5, {"start_time": 16, "end_time": 30, "overlap": 1}, [2, 3]),
        ([5.0] * 5, {"start_time": 15, "end_time": 30, "overlap": 1}, [1, 2, 3]),  # touches
        ([100.0, 5, 5, 5, 5], {"start_time": 22, "end_time": 30, "overlap": 1}, [0, 2, 3]),
        ([100.0, 5, 5, 5, 5], {"start_time": 36, "end_time": 39, "overlap": 1}, [0]),
        ([5.0] * 5, {"start_time": 36, "end_time": 39, "overlap": 1}, []),
        ([5.0] * 5, {"start_time": 36, "end_time": 39, "overlap": 0}, []),
        ([15.0] * 5, {"end_time": 45, "duration": 10, "overlap": 1}, [2, 3, 4]),
        ([15.0] * 5, {"start_index": 2, "overlap": 1}, [2, 3, 4]),
        ([15.0] * 5, {"end_time": 15, "overlap": 1}, [0, 1]),
    ],
)
def test_windows_on_epochs(durations, query, rows):
    shown = epochs(query, ONSETS, durations)
    assert rows_of(shown.links["times"], ONSETS) == rows
    assert shown.links["labels"] == shown.links["times"].replace("/4?", "/3?")
    assert shown.links["durations"] == shown.links["times"].replace("/4?", "/5?")
    assert shown.partial["samples_count"] == len(rows)
    assert shown.partial["disregarded"] == []


def test_links_to_epochs_that_reach_into_the_window():
    shown = epochs({"start_time": 22, "end_time": 30, "overlap": 1}, ONSETS, [100.0, 5, 5, 5, 5])
    assert shown.links["times"] == "/datafiles/4?indices=0,2,3"
    assert (shown.partial["start_index"], shown.partial["end_index"]) == (None, None)
    shown = epochs({"start_time": 12, "end_time": 30, "overlap": 1}, ONSETS, [5.0] * 5)
    assert shown.links["times"] == "/datafiles/4?start_index=1&end_index=4"


def test_units_of_onsets_and_durations():
    shown = epochs(
        {"start_time": 0.022, "end_time": 0.03, "overlap": 1},
        [each / 1000 for each in ONSETS],
        [100_000.0, 1, 1, 1, 1],
        units="s",
        duration_units="us",
    )
    assert shown.links["times"] == "/datafiles/4?indices=0,3"


def test_epochs_that_are_not_sorted():
    shown = epochs(
        {"start_time": 22, "end_time": 30, "overlap": 1}, [20.0, 30.0, 0.0, 25.0], [1.0, 1, 50, 1]
    )
    assert shown.links["times"] == "/datafiles/4?start_index=1&end_index=4"
    assert shown.partial["samples_count"] == 3


def test_more_epochs_than_a_link_can_name():
    n = 4000
    onsets, durations = np.arange(n, dtype=float), np.where(np.arange(n) % 2, 0.5, 1e9)
    query = {"start_time": n, "overlap": 1}
    refused("overlap", epochs, query, onsets, durations)
    shown = epochs({"start_time": n - 1, "overlap": 1}, onsets[:1000], durations[:1000])
    assert shown.partial["samples_count"] == 500


def test_overlap_means_nothing_elsewhere():
    assert train({"start_time": 1, "overlap": 1}).partial["disregarded"] == ["overlap"]


# ------------------------------------------------------------------ irregular samples


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ({"start_time": 10, "end_time": 35.5}, [1, 2, 3, 4]),
        ({"start_time": 6, "duration": 14}, [1, 2, 3]),
        ({"start_index": 3, "duration": 15.5}, [3, 4]),
        ({"end_time": 36, "duration": 16}, [3, 4]),
        ({"end_index": 4, "duration": 16}, [3, 4]),
        ({"duration": 15}, [0, 1, 2, 3]),
        ({"samples_count": 3}, [0, 1, 2]),
        ({"start_time": 6, "samples_count": 3}, [1, 2, 3]),
        ({"start_time": -5}, [0, 1, 2, 3, 4, 5, 6]),
    ],
)
def test_windows_on_irregular_samples(query, rows):
    shown = irregular(query)
    assert rows_of(shown.links["times"], SPIKES) == rows
    assert shown.links["signal"] == shown.links["times"].replace("/2?", "/1?")
    assert shown.quantities == {"t_start": SPIKES[rows[0]]}
    assert shown.partial["t_stop"] == {"units": "ms", "data": SPIKES[rows[-1]]}


def test_irregular_samples_in_other_units():
    shown = irregular({"start_time": 0.01}, t_start=(0.005, "s"))
    assert shown.links["times"] == "/datafiles/2?start_index=1&end_index=7"
    assert shown.quantities == {"t_start": 0.01}
    assert shown.partial["t_stop"] == {"units": "s", "data": 0.09}


def test_irregular_samples_are_downsampled_with_their_times():
    shown = irregular({"start_time": 10, "downsample": 2, "kind": "stride"}, channels=(3,))
    query = "?start_index=1&end_index=7&downsample=2&kind=stride"
    assert shown.links == {"signal": f"/datafiles/1{query}", "times": f"/datafiles/2{query}"}
    assert (shown.partial["samples_count"], shown.partial["points"]) == (6, 2)
    assert shown.partial["kind"] == "stride"
    shown = irregular({"downsample": 2, "channels": "0,2"}, channels=(3,))
    assert shown.links == {
        "signal": "/datafiles/1?downsample=2&channels=0,2",
        "times": "/datafiles/2?downsample=2",
    }
    assert shown.quantities == {}
    refused("kind", irregular, {"downsample": 2, "kind": "lttb"})
    refused("channels", irregular, {"channels": "3"}, channels=(3,))


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("start_time", {"start_time": 21, "end_time": 35}),
        ("start_time", {"start_time": 91}),
        ("end_time", {"end_time": 4}),
        ("start_index", {"start_index": 7}),
        ("end_time", {"end_time": 95, "strict": 1}),
        ("end_time", {"start_time": 2, "end_time": 80, "strict": 1}),
    ],
)
def test_irregular_windows_that_are_refused(name, query):
    refused(name, irregular, query)
    if "strict" not in query:
        shown = irregular(query, listed=True)
        assert shown.links == {"signal": None, "times": None}
        assert shown.quantities == {}
        assert shown.partial["samples_count"] == 0


def test_irregular_samples_whose_times_are_not_sorted():
    shown = irregular({"start_time": 10, "end_time": 60}, SHUFFLED)
    assert shown.links["signal"] == "/datafiles/1?window=10:60&by=2"
    assert shown.quantities == {"t_start": 60}  # the first one that is returned
    assert shown.partial["t_stop"] == {"units": "ms", "data": 60}
    assert irregular({"start_time": 95}, SHUFFLED, listed=True).links["signal"] is None


# ------------------------------------------------------------------ types without a range


@pytest.mark.parametrize(
    "name",
    sorted(
        {*TYPES}
        - {"analogsignal", "analogsignalarray", "irsaanalogsignal", "spiketrain"}
        - {"eventarray", "epocharray"}
    ),
)
def test_types_without_a_range_disregard_it(name):
    arrays = {"waveform": ArrayFacts(9, "mV", (4, 30))} if name == "spike" else {}
    request = ask(start_time=5, end_index=9999, downsample=3, strict=1, format="json")
    for listed in (False, True):
        shown = view(TYPES[name], {"time": (5, "ms")}, arrays, request, listed=listed)
        assert shown.links == ({"waveform": "/datafiles/9?format=json"} if arrays else {})
        assert shown.quantities == {}
        assert shown.partial["disregarded"] == ["start_time", "end_index", "downsample"]
        assert (shown.partial["start_index"], shown.partial["cut"]) == (None, False)


def test_channels_of_a_spike():
    def spike(query, shape=(4, 30)):
        facts = None if shape is None else ArrayFacts(9, "mV", shape)
        return view(TYPES["spike"], {"time": (5, "ms")}, {"waveform": facts}, ask(**query))

    assert spike({"channels": "3"}).links == {"waveform": "/datafiles/9?channels=3"}
    assert spike({"channels": "3", "end_index": 0}).partial["disregarded"] == ["end_index"]
    refused("channels", spike, {"channels": "4"})
    assert spike({"start_index": 2}, None).links == {"waveform": None}
    assert spike({}, None).links == {"waveform": None}


def test_times_that_cannot_be_read():
    arrays = {"labels": None, "times": ArrayFacts(4, "ms", (7,))}
    with pytest.raises(ValueError, match="function that reads them"):
        view(TYPES["eventarray"], {}, arrays, ask(start_time=1))
    assert view(TYPES["eventarray"], {}, arrays, ask()).links["times"] == "/datafiles/4"


def test_waveforms_that_are_not_set():
    shown = view(
        TYPES["spiketrain"],
        {"t_start": (0, "ms"), "t_stop": (100, "ms")},
        {"times": facts(7, SPIKES), "waveforms": None},
        ask(start_time=10),
    )
    assert shown.links == {"times": "/datafiles/7?start_index=1&end_index=7", "waveforms": None}


# ------------------------------------------------------------------ searching


@settings(deadline=None, max_examples=60)
@given(
    values=st.lists(st.integers(-50, 50), max_size=60),
    time=st.integers(-60, 60),
    few=st.sampled_from([1, 7, 4096]),
)
def test_binary_search(
    values,
    time,
    few,
):
    from ephyrus.service.partial import times as module

    values = sorted(values)
    array = np.array(values, np.int16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_FEW", few)
        found = Times(len(values), "ms", lambda start, stop: array[start:stop])
        assert found.locate(time, "left") == bisect_left(values, time)
        assert found.locate(time, "right") == bisect_right(values, time)
        assert found.is_sorted is True


def test_few_reads_find_a_time_in_many():
    n = 10_000_000
    reads = []

    def read(start, stop):
        reads.append(stop - start)
        return np.arange(start, stop) * 0.5

    times = Times(n, "ms", read, is_sorted=True)
    assert times.locate(1_234_567.5, "left") == 2_469_135
    assert (len(reads) < 15, sum(reads) < 5000) == (True, True)


def test_whether_times_are_sorted_is_found_out_over_blocks():
    from ephyrus.service.partial import times as module

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_BLOCK", 3)
        for values, is_sorted in (
            ([], True),
            ([1, 1, 1, 1], True),
            ([1, 2, 3, 2.5, 4], False),
            ([1, 2, 3, 4, 3.5], False),
            ([1, 2, 3, np.nan], False),
            ([np.nan], False),
        ):
            array = np.array(values, float)
            times = Times(len(values), "ms", lambda a, b, array=array: array[a:b])
            assert times.is_sorted is is_sorted


# ------------------------------------------------------------------ against a slow oracle


class Refused(Exception):
    pass


def slow_rows(query, times, begin, *, samples):
    """Rows by exact arithmetic over all times, straight from sections 2.1 and 2.8."""

    def exact(name):
        return Fraction(repr(float(query[name]))) if name in query else None

    times = [Fraction(repr(float(each))) for each in times]
    n = len(times)
    low, high, length = exact("start_time"), exact("end_time"), exact("duration")
    first = query.get("start_index") if low is None else None
    last = query.get("end_index") if high is None else None
    count = query.get("samples_count") if length is None else None
    has_start, has_end = (low, first) != (None, None), (high, last) != (None, None)
    if has_start and has_end:
        length = count = None
    if first is not None and (first >= n or (last is not None and first > last)):
        raise Refused
    if None not in (low, high) and low > high:
        raise Refused
    if None not in (count, last) and last - count + 1 < 0:
        raise Refused
    if None not in (count, last) and low is None and 0 < n <= last - count + 1:
        raise Refused
    if None not in (low, last) and sum(each < low for each in times) > last:
        raise Refused
    if None not in (first, high) and times[first] > high:
        raise Refused
    if length is not None:
        if has_end:
            end = high if high is not None else times[min(last, n - 1)] if n else None
            low = None if end is None else end - length
        else:
            start = low if low is not None else times[first] if first is not None else begin
            high = None if start is None else start + length
    rows = [
        row
        for row, time in enumerate(times)
        if (low is None or time >= low)
        and (high is None or time <= high)
        and (first is None or row >= first)
        and (last is None or row <= last)
    ]
    if count is not None:
        rows = rows[-count:] if has_end and last is None else rows[:count]
        if last is not None:
            rows = [row for row in range(last - count + 1, last + 1) if row < n]
    if samples and not rows:
        raise Refused
    return rows


TENTHS = st.integers(-100, 400).map(lambda tenths: tenths / 10)
QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "start_time": TENTHS,
        "start_index": st.integers(0, 12),
        "end_time": TENTHS,
        "end_index": st.integers(0, 12),
        "duration": st.integers(0, 300).map(lambda tenths: tenths / 10),
        "samples_count": st.integers(1, 12),
    },
)
MANY_TIMES = st.lists(st.integers(0, 300).map(lambda tenths: tenths / 10), max_size=10).map(sorted)


@settings(deadline=None, max_examples=400)
@given(query=QUERIES, times=MANY_TIMES, units=st.sampled_from(["ms", "s", "us"]))
def test_spikes_against_exact_arithmetic(query, times, units):
    size = {"ms": Fraction(1), "s": Fraction(1, 1000), "us": Fraction(1000)}[units]
    stored = [float(Fraction(repr(each)) * size) for each in times]
    try:
        expected = slow_rows(query, times, Fraction(0), samples=False)
    except Refused:
        with pytest.raises(ServiceError):
            train(query, stored, units=units)
        return
    shown = train(query, stored, units=units)
    assert rows_of(shown.links["times"], stored) == expected
    if not query:
        return
    assert shown.partial["samples_count"] == len(expected)
    if query.keys() == {"start_time", "end_time"}:
        assert shown.quantities == {
            "t_start": max(0, query["start_time"]),
            "t_stop": min(100, query["end_time"]),
        }


@settings(deadline=None, max_examples=300)
@given(query=QUERIES, times=MANY_TIMES)
def test_irregular_samples_against_exact_arithmetic(query, times):
    begin = Fraction(repr(times[0])) if times else Fraction(5)
    try:
        expected = slow_rows(query, times, begin, samples=bool(query))
    except Refused:
        with pytest.raises(ServiceError):
            irregular(query, times)
        assert listed_outcome(query, times) in ("missed", "end_time", "end_index", "samples_count")
        return
    shown = irregular(query, times)
    assert rows_of(shown.links["signal"], times) == expected
    if query:
        assert shown.quantities == {"t_start": times[expected[0]]}


def listed_outcome(query, times):
    try:
        shown = irregular(query, times, listed=True)
    except ServiceError as error:
        return error.details
    return "missed" if shown.links == {"signal": None, "times": None} else shown.links
