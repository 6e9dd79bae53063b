"""What the acceptance tests of the data service share: objects, and how to speak of them."""

from __future__ import annotations

import io
from types import SimpleNamespace

import h5py
import numpy as np

E = "/electrophysiology/"
M = "/metadata/"
NONE = {"data": None, "units": None}
Y = np.cumsum(np.random.default_rng(1).normal(size=20_000)).astype("<f4")
TABLE = np.arange(400, dtype="<i2").reshape(100, 4)


def q(value, units):
    """Write a quantity or an array."""
    return {"data": value, "units": units}


def links(*items):
    """Permalinks of objects."""
    return [item["permalink"] for item in items]


def found(lab, kind, params, user=None):
    """Permalinks of a list."""
    answer = (user or lab.ada).get(kind if kind.startswith("/") else E + kind, params)
    assert answer.status_code == 200, answer.text
    return links(*answer.json()["selected"])


def refused(answer, status, message_type):
    """Check the envelope of a failure."""
    body = answer.json()
    assert (answer.status_code, body["message_type"]) == (status, message_type), body
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert {"logged_in_as", "message", "message_type", "details"} <= set(body)
    return body


def fields(user, item, **params):
    """Fields of an object as they are now."""
    return user.one(item["permalink"], **params)["fields"]


def with_arrays(site):
    """Make a user with a long signal and a table; the user and the addresses of both."""
    user = site.user("ada")
    return user, f"/datafiles/{user.array(Y)}", f"/datafiles/{user.array(TABLE)}"


def hdf5(**arrays):
    """Write an HDF5 file."""
    file = io.BytesIO()
    with h5py.File(file, "w") as h5:
        for name, values in arrays.items():
            h5[name] = values
    return file.getvalue()


def make_lab(site):
    """Make a small lab: metadata, two blocks with segments and signals, one that is empty."""
    ada = site.user("ada")
    make = ada.make
    lab = SimpleNamespace(site=site, ada=ada, bob=site.user("bob"))
    lab.numbers = ada.array(np.arange(10.0))
    lab.table = ada.array(np.arange(20.0).reshape(10, 2))
    lab.labels = ada.array(np.array([b"a"] * 10))
    lab.section = make("metadata/section", name="Experiment")
    lab.below = make("metadata/section", name="Subsec", parent_section=lab.section["id"])
    lab.property = make("metadata/property", name="Colour", section=lab.below["permalink"])
    lab.red, lab.green = (
        make("metadata/value", data=data, parent_property=lab.property["permalink"])
        for data in ("Red", "green")
    )
    made = "2012-02-29 10:00:00", "2013-03-03 10:00:00"  # a Wednesday, a Sunday
    lab.blocks = [
        make("electrophysiology/block", name="Alpha Block", index=1, filedatetime=made[0],
             section=lab.section["permalink"]),
        make("electrophysiology/block", name="beta_50%", index=2, filedatetime=made[1]),
        make("electrophysiology/block", name="Gamma"),
    ]  # fmt: skip
    lab.segments = [
        make("electrophysiology/segment", name=f"Trial {k}", index=k, block=block["permalink"])
        for block in lab.blocks[:2]
        for k in range(3)
    ]
    lab.signals = [
        make("electrophysiology/analogsignal", name=f"sig{k}", segment=segment["id"],
             sampling_rate=q(10 + k, "khz"), t_start=q(k * 10.5, "ms"), signal=q(lab.numbers, "mv"))
        for k, segment in enumerate(lab.segments)
    ]  # fmt: skip
    lab.groups = [
        make("electrophysiology/recordingchannelgroup", name=f"g{k}", block=lab.blocks[n]["id"])
        for k, n in enumerate((0, 0, 1))
    ]
    lab.channels = [
        make("electrophysiology/recordingchannel", name=f"c{k}", recordingchannelgroup=groups)
        for k, groups in enumerate(
            (links(*lab.groups[:2]), [int(lab.groups[2]["id"])], [])
        )
    ]  # fmt: skip
    lab.units = [
        make("electrophysiology/unit", name="u0", recordingchannel=links(lab.channels[0])),
        make("electrophysiology/unit", name="u1", recordingchannelgroup=lab.groups[2]["id"]),
    ]
    lab.spikes = [
        make("electrophysiology/spike", time=q(1, "ms"), unit=lab.units[0]["id"]),
        make("electrophysiology/spike", time=q(1, "ms"), waveform=q(lab.table, "µV")),
    ]
    ada.post(lab.segments[0]["permalink"], {"metadata": links(lab.red)})
    ada.post(lab.segments[1]["permalink"] + "?cascade=0", {"metadata": links(lab.red, lab.green)})
    return lab
