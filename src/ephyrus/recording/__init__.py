"""Bytes, streams and everything that is derived from them once, for every format.

Knows no format, no HDF5 and no HTTP. A format module imports what it needs from here; users meet
`Recording` (made by :func:`ephyrus.open`) and its value classes.
"""

from ephyrus.recording.clock import as_fraction, exact_clock, seconds
from ephyrus.recording.declaration import Format, FormatModule, Opening, Option, Reading
from ephyrus.recording.files import Access, ByteSource, FileSet
from ephyrus.recording.grouping import (
    Groups,
    grouped,
    joint_stretches,
    segment_at,
    stretch_starts,
    table_runs,
    time_ordered,
    unit_counts,
)
from ephyrus.recording.layout import (
    checked_count,
    corrupt,
    decode,
    fixed_text,
    positive,
    read_entries,
    read_struct,
    read_text,
)
from ephyrus.recording.limits import (
    HEADER_BYTES,
    PIECE_BYTES,
    SNIFF_BYTES,
    CallbackProgress,
    Limits,
    NullProgress,
    Progress,
    pieces,
    under_way,
)
from ephyrus.recording.packets import (
    PacketedSignal,
    channel_rows,
    heads,
    padded_rows,
    read_channels,
    rows,
)
from ephyrus.recording.recording import Recording
from ephyrus.recording.scale import scaled
from ephyrus.recording.streams import (
    RUN_DTYPE,
    BlockInfo,
    Channels,
    Problem,
    RecordingInfo,
    SegmentInfo,
    SignalStream,
    TableStream,
    Unit,
    Waveforms,
    columns,
    run_table,
)
from ephyrus.recording.walk import PacketLayout, Walked, walk

__all__ = [
    "HEADER_BYTES",
    "PIECE_BYTES",
    "RUN_DTYPE",
    "SNIFF_BYTES",
    "Access",
    "BlockInfo",
    "ByteSource",
    "CallbackProgress",
    "Channels",
    "FileSet",
    "Format",
    "FormatModule",
    "Groups",
    "Limits",
    "NullProgress",
    "Opening",
    "Option",
    "PacketLayout",
    "PacketedSignal",
    "Problem",
    "Progress",
    "Reading",
    "Recording",
    "RecordingInfo",
    "SegmentInfo",
    "SignalStream",
    "TableStream",
    "Unit",
    "Walked",
    "Waveforms",
    "as_fraction",
    "channel_rows",
    "checked_count",
    "columns",
    "corrupt",
    "decode",
    "exact_clock",
    "fixed_text",
    "grouped",
    "heads",
    "joint_stretches",
    "padded_rows",
    "pieces",
    "positive",
    "read_channels",
    "read_entries",
    "read_struct",
    "read_text",
    "rows",
    "run_table",
    "scaled",
    "seconds",
    "segment_at",
    "stretch_starts",
    "table_runs",
    "time_ordered",
    "under_way",
    "unit_counts",
    "walk",
]
