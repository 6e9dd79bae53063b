"""What happens at times of its own in a block: strobes, scalars, snippets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ephyrus.errors import CorruptError
from ephyrus.formats.tdt.chunks import Samples, samples_of, stream_notes
from ephyrus.formats.tdt.layout import (
    CLOCK,
    SCALAR,
    SNIPPET,
    SORT_MAP_BYTES,
    STROBE_OFF,
    STROBE_ON,
    Store,
    in_file_name,
)
from ephyrus.formats.tdt.tsq import BlockIndex, ticks_of
from ephyrus.recording import Opening, time_ordered

__all__ = ["MarkPart", "SpikePart", "mark_parts", "spike_parts"]


@dataclass(frozen=True, slots=True, eq=False)
class MarkPart:
    """Events or epochs of one store in one block.

    Attributes
    ----------
    name : str
        Of the store.
    columns : mapping
        tick, values and, where there are, duration, channel, note: one value per item, by time.
    annotations : mapping
        Further facts.
    """

    name: str
    columns: Mapping[str, NDArray[Any]]
    annotations: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Epochs have durations."""
        return "epochs" if "duration" in self.columns else "events"


@dataclass(frozen=True, slots=True, eq=False)
class SpikePart:
    """Snippets of one channel of a store in one block.

    Attributes
    ----------
    name : str
        Of the store.
    channel : int
        Number of the channel.
    samples : Samples
        What a snippet is.
    path : str or None
        The file with their waveforms.
    ticks : ndarray of int64
        Times since the start of the block.
    codes : ndarray of uint16
        Sort codes.
    offsets : ndarray of int64
        First byte of each waveform.
    annotations : mapping
        Further facts.
    """

    name: str
    channel: int
    samples: Samples
    path: str | None
    ticks: NDArray[np.int64]
    codes: NDArray[np.uint16]
    offsets: NDArray[np.int64]
    annotations: Mapping[str, Any] = field(default_factory=dict)


def mark_parts(opening: Opening, index: BlockIndex) -> list[MarkPart]:
    """Give events and epochs of a block: strobes with an off store are epochs."""
    found = _all_marks(opening, index)
    return [part for part in found if part.columns["tick"].size]  # salvage may leave none


def _all_marks(opening: Opening, index: BlockIndex) -> Iterator[MarkPart]:
    ends = {store.buddy: store for store in index.stores if store.kind == STROBE_OFF}
    strobes = {store.name for store in index.stores if store.kind == STROBE_ON}
    for store in index.stores:
        if store.kind == SCALAR or (store.kind == STROBE_ON and store.name not in ends):
            yield MarkPart(store.name, _marks(opening, index, store), _annotated(index, store))
        elif store.kind == STROBE_ON:
            yield _epochs(opening, index, store, ends[store.name])
        elif store.kind == STROBE_OFF and store.buddy not in strobes:
            yield _epochs_without_onset(opening, index, store)


def _annotated(index: BlockIndex, store: Store) -> dict[str, Any]:
    found = stream_notes(index, store.name, np.dtype(np.float64))
    found["store_type"] = "scalar" if store.kind == SCALAR else "strobe"
    return found


def _marks(opening: Opening, index: BlockIndex, store: Store) -> dict[str, NDArray[Any]]:
    """Give times, values, channels of scalars, and numbers of notes, in the order of time."""
    rows = store.rows
    ticks, sound = ticks_of(opening, index, rows, store.name)
    if sound is not None:
        rows, ticks = rows[sound], ticks[sound]
    order = time_ordered(ticks)
    if order is not None:
        rows, ticks = rows[order], ticks[order]
    found = {"tick": ticks, "values": index.column("value")[rows]}
    if store.kind == SCALAR:
        found["channel"] = index.column("channel")[rows].astype(np.int64)
    notes = index.column("note")[rows]
    if notes.any():
        found["note"] = notes.astype(np.int64)
    return found


def _epochs(opening: Opening, index: BlockIndex, store: Store, end: Store) -> MarkPart:
    """Pair onsets and offsets; each epoch ends at its offset, or with the next onset."""
    on, off = _marks(opening, index, store), _marks(opening, index, end)
    if off["tick"].size and (not on["tick"].size or off["tick"][0] < on["tick"][0]):
        on = _with_first_onset(on, off)
    begins, ends = on["tick"], off["tick"]
    last = max(round((index.stop - index.start) * float(CLOCK)), int(begins.max(initial=0)))
    limits = np.append(begins[1:], last)
    stops = np.append(ends, last) if ends.size == begins.size - 1 else ends
    if stops.size != begins.size or (stops < begins).any() or (stops[:-1] > begins[1:]).any():
        stops = _stops(opening, index, store, begins, ends, limits)
    columns = {**on, "duration": np.maximum(stops - begins, 0)}
    return MarkPart(store.name, columns, {**_annotated(index, store), "offset_store": end.name})


def _with_first_onset(
    on: Mapping[str, NDArray[Any]], off: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Add an onset at the start of the block for an offset that has none."""
    first = {name: off.get(name, np.zeros(1, column.dtype))[:1] for name, column in on.items()}
    first["tick"] = np.minimum(off["tick"][:1], 0)
    return {name: np.concatenate([first[name], column]) for name, column in on.items()}


def _stops(
    opening: Opening,
    index: BlockIndex,
    store: Store,
    begins: NDArray[np.int64],
    ends: NDArray[np.int64],
    limits: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Pair onsets and offsets of which some are lost: an offset ends the last onset before it."""
    owner = np.searchsorted(begins, ends, "left") - 1
    owners, firsts = np.unique(owner[owner >= 0], return_index=True)
    stops = limits.copy()
    stops[owners] = np.minimum(ends[owner >= 0][firsts], limits[owners])
    opening.note(
        f"strobes of store {store.name!r}: {begins.size - owners.size:,} of {begins.size:,} onsets "
        f"have no offset before the next one and last until then, {ends.size - owners.size:,} "
        "offsets have no onset and are ignored",
        path=index.source.name,
        field=store.name,
    )
    return stops


def _epochs_without_onset(opening: Opening, index: BlockIndex, end: Store) -> MarkPart:
    """Give the epoch that was on when the block began, and never came on again."""
    off = _marks(opening, index, end)
    first = {name: column[:1].copy() for name, column in off.items()}
    ends = first["tick"].copy()
    first["tick"] = np.minimum(ends, 0)
    if off["tick"].size > 1:
        opening.note(
            f"strobe offsets of store {end.name!r} have no onsets; all but the first are ignored",
            path=index.source.name,
            field=end.name,
            lost=off["tick"].size - 1,
        )
    columns = {**first, "duration": ends - first["tick"]}
    return MarkPart(end.buddy, columns, {**_annotated(index, end), "offset_store": end.name})


def spike_parts(opening: Opening, index: BlockIndex) -> Iterator[SpikePart]:
    """Give the snippets of a block, channel by channel."""
    for store in index.stores:
        if store.kind != SNIPPET:
            continue
        samples = samples_of(opening, index, store)
        if samples is not None:
            yield from _snippets(opening, index, store, samples)


def _snippets(
    opening: Opening, index: BlockIndex, store: Store, samples: Samples
) -> Iterator[SpikePart]:
    path = index.block.files.tev
    ticks, sound = ticks_of(opening, index, store.rows, store.name)
    offsets = index.column("offset")[store.rows]
    codes = _codes(opening, index, store)
    good = sound
    if path is None:
        opening.note(
            f"the block has no .tev file: snippets of store {store.name!r} have no waveforms",
            path=index.source.name,
        )
    else:
        inside = _inside(opening, store, samples, offsets, path)
        good = inside if good is None or inside is None else good & inside
    for at, channel in enumerate(store.channels.tolist()):
        part = slice(int(store.bounds[at]), int(store.bounds[at + 1]))
        columns: list[NDArray[Any]] = [ticks[part], codes[part], offsets[part]]
        if good is not None:
            columns = [column[good[part]] for column in columns]
        order = time_ordered(columns[0])
        if order is not None:
            columns = [column[order] for column in columns]
        if columns[0].size:
            notes = stream_notes(index, store.name, samples.dtype)
            times, units, places = columns
            yield SpikePart(store.name, channel, samples, path, times, units, places, notes)


def _inside(
    opening: Opening, store: Store, samples: Samples, offsets: NDArray[np.int64], path: str
) -> NDArray[np.bool_] | None:
    """Tell which snippets lie in the file (None: all); those beyond its end are left out."""
    source = opening.files.source(path)
    last = source.size - samples.nbytes
    if offsets.min() >= 0 and offsets.max() <= last:
        return None
    inside = (offsets >= 0) & (offsets <= last)
    opening.note(
        f"snippets of store {store.name!r} lie beyond the end of the file, which was cut or "
        "is still being copied; they are left out",
        path=source.name,
        offset=int(offsets[~inside][0]),
        field=store.name,
        lost=int((~inside).sum()),
    )
    return inside


def _codes(opening: Opening, index: BlockIndex, store: Store) -> NDArray[np.uint16]:
    """Give the sort codes, as recorded or as an off-line sort has them."""
    codes = np.asarray(index.column("sort")[store.rows], np.uint16)
    path = _sort_path(opening, index, store)
    if path is None:
        return codes
    source = opening.files.source(path)
    needed = SORT_MAP_BYTES + int(store.rows.max()) + 1
    if source.size < needed:
        raise CorruptError(  # salvaged too: other codes would be other units
            source.name,
            f"sort codes of {max(source.size - SORT_MAP_BYTES, 0):,} records, the index has more; "
            'sortname="" reads the codes as recorded',
            field="sort codes",
        )
    is_sorted = source.array(0, "u1", SORT_MAP_BYTES, field="channel map") != 0
    found = source.array(SORT_MAP_BYTES, "u1", needed - SORT_MAP_BYTES, field="sort codes")
    for at, channel in enumerate(store.channels.tolist()):
        part = slice(int(store.bounds[at]), int(store.bounds[at + 1]))
        if 1 <= channel <= SORT_MAP_BYTES and is_sorted[channel - 1]:
            codes[part] = found[store.rows[part]]
    return codes


def _sort_path(opening: Opening, index: BlockIndex, store: Store) -> str | None:
    """Choose the off-line sort: the one asked for, or the only one there is."""
    wanted = opening.options["sortname"]
    sorts = index.block.files.sorts
    form = in_file_name(store.name)
    of_store = {name: found[form] for name, found in sorts.items() if form in found}
    if wanted is None and len(of_store) > 1:
        names = ", ".join(map(repr, sorted(of_store)))
        opening.note(
            f"store {store.name!r} was sorted more than once off-line ({names}); sort codes are "
            "as recorded: sortname=... chooses one",
            path=index.source.name,
        )
        return None
    if wanted is None:
        return next(iter(of_store.values()), None)
    return next((of_store[name] for name in of_store if name.casefold() == wanted.casefold()), None)
