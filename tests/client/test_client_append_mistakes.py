"""Mistakes in appending that would lose rows, or keep what was not meant."""

from __future__ import annotations

import numpy as np
import pytest

from tests.client.test_client_append import stored


def test_rows_of_one_array_are_given_once(running):
    running.site.user("ada")
    number = running.site.put_array("ada", np.array([1.0]))
    with (
        running.client("ada") as client,
        pytest.raises(ValueError, match=f"beside names /datafiles/{number}, for which"),
    ):
        client.append(number, [5.0], beside={f"/datafiles/{number}/": [7.0]})
    assert stored(running.site, number).tolist() == [1]


def test_what_is_no_text_does_not_become_one(running):
    running.site.user("ada")
    number = running.site.put_array("ada", np.array([b"a"], "S8"))
    with running.client("ada") as client:
        with pytest.raises(ValueError, match=f"/datafiles/{number}: None is neither"):
            client.append(number, ["b", None])
        assert client.append(number, np.array(["b"], object)).length == 2
    assert stored(running.site, number).tolist() == [b"a", b"b"]


def test_arrays_are_sent_as_they_are_meant_or_not_at_all(running):
    running.site.user("ada")
    number = running.site.put_array("ada", np.array([1.0]))
    masked = np.ma.array([1.0, 2.0], mask=[False, True])
    with running.client("ada") as client:
        with pytest.raises(ValueError, match="x: None is neither a number nor a text"):
            client.upload_arrays({"x": np.array(["a", None], object)})
        with pytest.raises(ValueError, match="x: values are masked"):
            client.upload_arrays({"x": masked})
        with pytest.raises(ValueError, match=f"/datafiles/{number}: values are masked"):
            client.append(number, masked)
        assert client.append(number, masked.filled(5.0)).length == 3
    assert stored(running.site, number).tolist() == [1, 1, 5]
