"""Overviews of arrays as they were before they grew."""

from __future__ import annotations

import logging

import numpy as np

from ephyrus.service.routes.events import _last_moment
from tests.service.appends import grown, look_after, npy, read, row_of
from tests.service.support import Site


def test_levels_of_later_rows_are_left_alone(tmp_path, caplog):
    values = np.arange(30_000, dtype="<i4") % 1000
    with Site(tmp_path, merge_seconds=3600.0) as site:
        ada = site.user("ada")
        number = ada.array(values[:20_000])
        with site.database.reading() as conn:
            before = _last_moment(conn).isoformat()
        grown(ada, number, values[20_000:])
        look_after(site)
        row = row_of(site, number)
        assert row.levels_key is not None
        assert row.location["covered"] == 30_000
        shown = {"downsample": 20, "kind": "minmax"}
        with caplog.at_level(logging.WARNING, logger="ephyrus.service"):
            for _ in range(2):  # now and then
                now = read(ada, number, **shown)
                then = read(ada, number, **shown, at_time=before)
        assert caplog.messages == []
        for got, whole in ((now, values), (then, values[:20_000])):
            bins = whole.reshape(10, -1)
            expected = [bins.min(axis=1), bins.max(axis=1)]
            np.testing.assert_array_equal(np.sort(got.reshape(10, 2)), np.transpose(expected))


def test_a_description_of_then_has_the_size_of_then(tmp_path):
    with Site(tmp_path) as site:
        ada = site.user("ada")
        files = {"raw_file": ("a.npy", npy(np.arange(6, dtype="<i4").reshape(2, 3)))}
        answer = ada.request("POST", "/datafiles/arrays", files=files)
        assert answer.status_code == 201, answer.text
        address = answer.json()["selected"][0]["permalink"]
        states = []
        for _ in range(3):
            item = ada.one(f"{address}/info")
            with site.database.reading() as conn:
                states.append((_last_moment(conn).isoformat(), item))
            grown(ada, int(item["id"]), np.zeros((4, 3), "<i4"))
        shapes = [item["fields"]["extracted_info"]["shape"] for _, item in states]
        assert shapes == [[2, 3], [6, 3], [10, 3]]
        sizes = [item["fields"]["size"] for _, item in states]
        assert np.diff(sizes).tolist() == [48, 48]
        look_after(site)  # whether its pieces are one file now does not matter
        for at_time, item in states:
            then = ada.one(f"{address}/info", at_time=at_time)
            assert then["fields"] == item["fields"]
            assert (
                len(ada.get(f"{address}/download", {"at_time": at_time}).content)
                == (then["fields"]["size"])
            )
