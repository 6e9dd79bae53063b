"""Saved selections through the client, and taking away all that an upload has made."""

from __future__ import annotations

import anyio
import numpy as np
import pytest
import quantities as pq

from ephyrus.client import AsyncClient, SavedSelection
from ephyrus.core import AnalogSignal, Block, Segment, SpikeTrain
from ephyrus.errors import RemoteConflict, RemoteError, RemoteForbidden, RemoteMissing

KINDS = ("block", "segment", "analogsignalarray", "spiketrain", "section", "property", "value",
         "datafile")  # fmt: skip


@pytest.fixture
def ada(running):
    with running.client("ada") as service:
        yield service


@pytest.fixture
def ben(running):
    with running.client("ben") as service:
        yield service


def names(objects):
    return [each["name"] for each in objects]


def test_a_selection_from_saving_to_deleting(ada, ben):
    for number in range(4):
        ada.create("segment", name=f"s{number}", safety_level=1 + number % 2 * 2)
    filters = {"name__in": ["s0", "s1", "s2", "s3"], "order_by": "-name"}
    made = ada.save_selection("segment", "all", filters, description="of the test", safety_level=1)
    assert made == SavedSelection(
        made.id, "segment", "all", "of the test",
        "name__in=s0&name__in=s1&name__in=s2&name__in=s3&order_by=-name", "ada", 1, {}, {},
        f"/account/selections/{made.id}",
    )  # fmt: skip
    assert names(ada.select("segment", selection=made)) == ["s3", "s2", "s1", "s0"]
    assert names(ben.iterate("segment", selection=made, max_results=1)) == ["s2", "s0"]
    assert names(ada.select("segment", selection=made.id, name__gt="s0", order_by="name")) == [
        "s1", "s2", "s3",
    ]  # fmt: skip
    assert ben.selections("segment") == ada.selections() == [made]
    assert ben.selections("block") == []
    changed = ada.change_selection(made, filters={"name": "s1"}, shared_with={"ben": 2})
    assert (changed.query, changed.name) == ("name=s1", "all")
    assert ben.change_selection(made.id, name="one").shared_with == {"ben": 2}
    with pytest.raises(RemoteForbidden):
        ben.delete_selection(made)
    with pytest.raises(RemoteError, match="a segment does not have") as info:
        ada.change_selection(made, filters={"nme": 1})
    assert (info.value.status, info.value.details) == (400, "nme")
    ada.delete_selection(changed)
    with pytest.raises(RemoteMissing):
        ada.change_selection(made, name="gone")
    assert ada.selections() == []


def test_the_same_without_waiting(running):
    async def steps():
        async with AsyncClient(running.address, token=running.token("cleo"), cache=None) as cleo:
            await cleo.create("block", name="hers")
            made = await cleo.save_selection("block", "hers", {"name": "hers"})
            found = names(await cleo.select("block", selection=made))
            made = await cleo.change_selection(made, filters={"name": "other"}, name="none")
            none = names(await cleo.select("block", selection=made))
            kept = await cleo.selections()
            await cleo.delete_selection(made)
            block = await cleo.upload(small_block())
            await cleo.remove_upload(block)
            return found, none, kept == [made], await cleo.selections(), await count(cleo)

    async def count(service):
        return [len(await service.select(kind, owner="cleo")) for kind in KINDS]

    assert anyio.run(steps) == (["hers"], [], True, [], [1, 0, 0, 0, 0, 0, 0, 0])


def small_block():
    """A block with two arrays, a train and annotations."""
    block = Block(name="b", subject="monkey")
    segment = Segment(name="s", trial=3)
    for number in range(2):
        values = np.arange(6.0).reshape(3, 2) + number
        segment.analogsignals.append(AnalogSignal(values, units="mV", sampling_rate=1 * pq.kHz))
    segment.spiketrains.append(SpikeTrain([0.1, 0.2], units="s", t_stop=1.0))
    block.segments.append(segment)
    return block


def present(service):
    return {kind: [each.id for each in service.iterate(kind, owner="ada")] for kind in KINDS}


def made_since(service, before):
    return {kind: len(ids) - len(before[kind]) for kind, ids in present(service).items()}


UPLOADED = dict(zip(KINDS, (1, 1, 2, 1, 1, 2, 2, 3), strict=True))


def test_an_upload_is_taken_away_with_all_that_it_made(ada):
    before = present(ada)
    other = ada.upload(small_block())
    made = ada.upload(small_block())
    assert made_since(ada, before) == {kind: 2 * count for kind, count in UPLOADED.items()}
    ada.remove_upload(made)
    assert made_since(ada, before) == UPLOADED
    assert ada.block(other.id).segments[0].analogsignals[1].load()[2, 1] == 6 * pq.mV
    with pytest.raises(RemoteMissing):
        ada.get("block", made.id)
    ada.remove_upload(made)  # nothing is left of it
    ada.delete(other)  # by the letter: the section and the files stay
    section = other["section"]
    assert made_since(ada, before) == UPLOADED | dict.fromkeys(KINDS[:4], 0)
    assert ada.get("section", section)["block_set"] == []
    ada.remove_upload(other)
    assert made_since(ada, before) == dict.fromkeys(KINDS, 0)


def test_what_no_upload_made_stays(ada, tmp_path):
    before = present(ada)
    made = ada.upload(small_block())
    second = ada.create("block", name="second", section=made["section"])
    bare = ada.create("block", name="bare")
    own = ada.create("section", name="own", odml_type="experiment")
    placed = ada.create("block", name="placed", section=own)
    for owner, why in (
        (made, f"holds others, too: {second.permalink}"),
        (bare, "it has no section"),
        (placed, f"no upload has made its section {own.permalink}"),
        (own, "it is a section"),
    ):
        with pytest.raises(RemoteConflict, match=f"nothing was taken away: .*{why}"):
            ada.remove_upload(owner)
    ada.delete(second)
    inner = ada.create("section", name="inner", parent_section=made["section"])
    with pytest.raises(RemoteConflict, match=inner.permalink):
        ada.remove_upload(made)
    ada.delete(inner)
    (tmp_path / "notes.txt").write_text("what was seen")
    notes = ada.upload_file(tmp_path / "notes.txt", section=ada.get("section", made["section"]))
    with pytest.raises(RemoteConflict, match=f"is no array, {notes.permalink} .notes.txt."):
        ada.remove_upload(made)
    for each in (notes, bare, placed, own):
        ada.delete(each)
    assert made_since(ada, before) == UPLOADED
    ada.remove_upload(made)
    assert made_since(ada, before) == dict.fromkeys(KINDS, 0)


def test_an_upload_that_others_may_write(ada, ben):
    before = present(ada)
    made = ada.upload(small_block())
    ada.share(made, shared_with={"ben": 2}, cascade=True)
    with pytest.raises(RemoteForbidden):
        ben.remove_upload(made)
    with pytest.raises(RemoteConflict, match="force=1"):
        ada.remove_upload(made)
    assert made_since(ada, before) == UPLOADED
    ada.remove_upload(made, force=True)
    assert made_since(ada, before) == dict.fromkeys(KINDS, 0)
