"""Ids of the other style in what an append is told to send."""

from __future__ import annotations

import numpy as np

from ephyrus.service.catalog.ids import format_id
from tests.service.appends import NPY, npy, refused
from tests.service.support import Site


def test_a_refusal_names_ids_that_can_be_sent(tmp_path):
    with Site(tmp_path, id_style="base32") as site:
        ada = site.user("ada")
        times, values = (format_id(ada.array(np.arange(3.0)), "base32") for _ in range(2))
        ada.make(
            "electrophysiology/irregularlysampledsignal",
            segment=ada.make("electrophysiology/segment", name="s")["fields"]["id"],
            t_start={"data": 0, "units": "s"},
            times={"data": times, "units": "s"},
            signal={"data": values, "units": "mv"},
        )
        path, row = f"/datafiles/{times}/append", np.ones(1)
        answer = ada.request("POST", path, content=npy(row), headers=NPY)
        message, details = refused(answer, 400, "data_inconsistency")
        assert f"(with={values})" in message
        assert details["with"] == {"signal": values}
        told = {"with": details["with"]["signal"]}
        answer = ada.request("POST", path, content=npy(row, row), headers=NPY, params=told)
        assert [each["id"] for each in answer.json()["appended"]] == [times, values]
