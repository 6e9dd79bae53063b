"""Views: some channels of a signal, without copying it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ephyrus.core._arraydict import ArrayDict, index_arrays, normalize_array_annotations
from ephyrus.core._channelsignal import ChannelSignal
from ephyrus.core.baseneo import BaseNeo

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["ChannelView"]


class ChannelView(BaseNeo):
    """Some channels of a signal, such as those of one tetrode.

    Parameters
    ----------
    obj : AnalogSignal or IrregularlySampledSignal
        May be lazy.
    index : array_like of int or bool, shape (n,)
        Channels by number, or a mask with one entry per channel.
    name, description, file_origin : str, optional
        See `BaseNeo`.
    array_annotations : dict, optional
        Arrays with one value per channel of the view.
    **annotations
        Every other keyword.

    Attributes
    ----------
    obj : as given
    index : ndarray of int
    array_annotations : ArrayDict

    Raises
    ------
    ValueError
        If `obj` is no signal, or `index` has more than one dimension, another dtype, a mask of
        another length, or numbers of channels that do not exist.
    """

    is_view: ClassVar[bool] = True
    _parent_objects: ClassVar[tuple[str, ...]] = ("Group",)
    _parent_attrs: ClassVar[tuple[str, ...]] = ("group",)
    _necessary_attrs: ClassVar[tuple[tuple[Any, ...], ...]] = (
        ("obj", ("AnalogSignal", "IrregularlySampledSignal"), 1),
        ("index", np.ndarray, 1, np.dtype("i")),
    )

    def __init__(
        self,
        obj: Any,
        index: ArrayLike,
        name: str | None = None,
        description: str | None = None,
        file_origin: str | None = None,
        array_annotations: dict[str, Any] | None = None,
        **annotations: Any,
    ) -> None:
        super().__init__(name=name, description=description, file_origin=file_origin, **annotations)
        if not isinstance(obj, ChannelSignal):
            raise ValueError(  # noqa: TRY004 - as Neo
                "a ChannelView needs an AnalogSignal or an IrregularlySampledSignal, not "
                f"{type(obj).__name__}"
            )
        self.obj = obj
        self.index = _checked_index(index, obj.shape[1])
        self._array_annotations = ArrayDict(len(self.index))
        self.array_annotate(**(array_annotations or {}))

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} of {type(self.obj).__name__}, channels {self.index.tolist()}>"
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Samples and channels of the view (true ones, also where the signal is lazy)."""
        return self.obj._item_count(), len(self.index)

    @property
    def array_annotations(self) -> ArrayDict:
        """Annotations with one value per channel of the view."""
        return self._array_annotations

    @array_annotations.setter
    def array_annotations(self, arrays: dict[str, Any]) -> None:
        length = len(self.index)
        checked = normalize_array_annotations(dict(arrays), length)
        self._array_annotations = ArrayDict.trusted(length, checked)

    def array_annotate(self, **array_annotations: Any) -> None:
        """Add array annotations; those of the same name are replaced.

        Parameters
        ----------
        **array_annotations : array_like
            One value per channel of the view.

        Raises
        ------
        ValueError
            If the length or the kind of values is wrong; nothing is changed then.
        """
        self._array_annotations.update(array_annotations)

    def array_annotations_at_index(self, index: Any) -> dict[str, Any]:
        """Return the array annotations of one or some channels of the view.

        Parameters
        ----------
        index : int, slice, list of int or mask

        Returns
        -------
        dict
            Single values for an int, else arrays.

        Raises
        ------
        IndexError
            If the index is out of range.
        """
        return index_arrays(self._array_annotations, index)

    def resolve(self) -> Any:
        """Return the channels as a signal: ``obj[:, index]``.

        Returns
        -------
        AnalogSignal or IrregularlySampledSignal
            Lazy where the signal is lazy.
        """
        return self.obj[:, self.index]


def _checked_index(index: ArrayLike, channels: int) -> NDArray[np.intp]:
    """Check the channels of a view and return their numbers."""
    numbers = np.asarray(index)
    if numbers.ndim != 1:
        raise ValueError(f"index must have one dimension, not shape {numbers.shape}")
    if numbers.dtype.kind == "b":
        if len(numbers) != channels:
            raise ValueError(f"a mask needs one entry per channel: {channels}, not {len(numbers)}")
        return np.flatnonzero(numbers)
    if len(numbers) == 0:
        return np.empty(0, dtype=np.intp)
    if numbers.dtype.kind not in "iu":
        raise ValueError(f"index must be of ints or bools, not of dtype {numbers.dtype}")
    if numbers.min() < -channels or numbers.max() >= channels:
        raise ValueError(f"index {numbers.tolist()} is out of range: there are {channels} channels")
    return numbers.astype(np.intp)
