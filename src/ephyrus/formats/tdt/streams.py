"""The streams of a block, wherever their samples lie."""

from __future__ import annotations

from collections.abc import Iterator

from ephyrus.formats.tdt.chunks import StreamPart, part_in_tev
from ephyrus.formats.tdt.layout import IN_SEV, PHANTOM, STREAM, in_file_name
from ephyrus.formats.tdt.sev import find_sevs
from ephyrus.formats.tdt.strips import part_in_sev, part_without_records
from ephyrus.formats.tdt.tsq import BlockIndex
from ephyrus.recording import Opening

__all__ = ["stream_parts"]


def stream_parts(opening: Opening, index: BlockIndex) -> Iterator[StreamPart]:
    """Give the streams of a block, in the order in which they begin in its index."""
    block = index.block
    stores = [store for store in index.stores if store.kind == STREAM]
    sevs = find_sevs(opening, block, [*(store.name for store in stores), *block.stores])
    missing = []
    for store in stores:
        form = in_file_name(store.name)
        if store.flags & (IN_SEV | PHANTOM) or (block.files.tev is None and sevs.channels(form)):
            part = part_in_sev(opening, index, store, sevs)
        elif block.files.tev is None:
            missing.append(store)
            continue
        else:
            part = part_in_tev(opening, index, store)
        if part is not None:
            yield part
    if missing:
        names = ", ".join(store.name for store in missing)
        opening.note(
            f"the block has no .tev file: streams {names} cannot be read",
            path=index.source.name,
            lost=sum(store.rows.size for store in missing),
        )
    indexed = {in_file_name(store.name) for store in stores}
    for form in dict.fromkeys(form for form, _ in sevs.paths if form not in indexed):
        part = part_without_records(opening, index, form, sevs)
        if part is not None:
            yield part
