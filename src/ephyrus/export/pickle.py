"""Writes blocks as a pickle, piece by piece: lazy objects become full ones on their way.

A pickle holds an array as one run of bytes behind their count. The pickler here writes the count
from the true shape of a lazy signal and then its pieces, so that no signal is held whole.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import numpy as np

from ephyrus.core import AnalogSignal, ImageSequence, SpikeTrain
from ephyrus.core.dataobject import DataObject
from ephyrus.export import WriteReport
from ephyrus.export.files import beside
from ephyrus.recording import under_way

if TYPE_CHECKING:
    from ephyrus.core import Block
    from ephyrus.recording import Progress

__all__ = ["write"]

PIECE_BYTES = 8 * 2**20
_FROM_BUFFER = np.zeros(1).__reduce_ex__(5)[0]  # numpy's own function for arrays of protocol 5


def write(
    blocks: Sequence[Block],
    path: Path,
    options: Mapping[str, Any],
    *,
    progress: Progress,
) -> WriteReport:
    """Write blocks to a pickle.

    Parameters
    ----------
    blocks : sequence of Block
        One block is pickled itself, several as a list.
    path : Path
        The file.
    options : mapping
        ``protocol``: 4 or 5.
    progress : Progress
        Told about the bytes of lazy signals.

    Returns
    -------
    WriteReport
        Nothing is lost.

    Notes
    -----
    Memory: the tree, the spikes, events and epochs, and one piece of a lazy signal.
    """
    total = sum(_bytes(obj) for block in blocks for obj in block.data_children_recur)
    with (
        under_way(progress, total, "B", f"writing {path.name}"),
        beside(path) as (part,),
        part.open("wb") as file,
    ):
        pickler = _LoadingPickler(file, options["protocol"], progress)
        pickler.dump(blocks[0] if len(blocks) == 1 else list(blocks))
    return WriteReport((path,))


def _is_lazy_signal(obj: Any) -> bool:
    return isinstance(obj, AnalogSignal | ImageSequence) and obj.lazy_shape is not None


def _bytes(obj: Any) -> int:
    """Give the bytes of a lazy signal; nothing else takes long to write."""
    if not _is_lazy_signal(obj):
        return 0
    return int(np.prod(obj.lazy_shape, dtype=np.int64)) * int(obj.dtype.itemsize)


@dataclass(frozen=True, slots=True, eq=False)
class _Samples:
    """Stands for the array of a lazy signal within its reduced form."""

    signal: Any


class _LoadingPickler(pickle._Pickler):  # the one in Python; its parts are not in the stubs
    """A pickler that writes lazy objects as full ones."""

    def __init__(self, file: BinaryIO, protocol: int, progress: Progress) -> None:
        super().__init__(file, protocol)
        self._out = file
        self._progress = progress

    def reducer_override(self, obj: Any) -> Any:
        """Give lazy objects the form of full ones; everything else its own."""
        if not isinstance(obj, DataObject) or obj.lazy_shape is None:
            return NotImplemented
        if _is_lazy_signal(obj):
            function, (cls, _, unit), state = obj._piece(0, 0).__reduce__()
            return function, (cls, _Samples(obj), unit), {**state, "segment": obj.segment}
        is_train = isinstance(obj, SpikeTrain)
        loaded = obj.load(load_waveforms=obj.waveforms is not None) if is_train else obj.load()
        loaded.segment = obj.segment
        return loaded.__reduce__()

    def memoize(self, obj: Any) -> None:
        """Remember an object that is written, but for empty bytes.

        These are one and the same object in Python: those of one array without items would be
        taken for those of another, or for a value that is written elsewhere.
        """
        if type(obj) is not bytes or obj:
            super().memoize(obj)  # type: ignore[misc]

    def _save_samples(self, samples: _Samples) -> None:
        """Write an array whose bytes come piece by piece, in the form that numpy reads."""
        signal, save = samples.signal, self.save  # type: ignore[attr-defined]
        write = self.write  # type: ignore[attr-defined]
        save(_FROM_BUFFER)
        write(pickle.MARK)
        count = _bytes(signal)
        self.framer.commit_frame(force=True)  # type: ignore[attr-defined]
        opcode = pickle.BYTEARRAY8 if self.proto >= 5 else pickle.BINBYTES8  # type: ignore[attr-defined]
        self._out.write(opcode + count.to_bytes(8, "little"))
        for piece in signal.chunks(PIECE_BYTES):
            values = np.ascontiguousarray(piece.magnitude, signal.dtype)
            self._out.write(values.data)
            self._progress.advance(values.nbytes)
        save(signal.dtype)
        save(tuple(signal.lazy_shape))
        save("C")
        write(pickle.TUPLE + pickle.REDUCE)
        self.memoize(samples)

    dispatch: ClassVar[dict[type, Any]] = {**pickle._Pickler.dispatch, _Samples: _save_samples}
