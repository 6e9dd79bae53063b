"""Sequences of images (frames) at a constant rate, as from imaging of dyes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

import numpy as np
import quantities as pq

from ephyrus.core._regular import ZERO_SECONDS, RegularSampling, rate_from, time_from
from ephyrus.core.analogsignal import AnalogSignal
from ephyrus.core.basesignal import BaseSignal, as_quantity, payload
from ephyrus.core.lazy import ScaledSource, SignalSource
from ephyrus.core.units import DIMENSIONLESS, UnitInfo, as_unit, quantity, scalar_in, unit_of

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike, NDArray

    from ephyrus.core.regionofinterest import RegionOfInterest

__all__ = ["ImageSequence"]


class ImageSequence(RegularSampling, BaseSignal):
    """Images of equal size, taken at a constant rate.

    A Quantity of shape (frame, row, column).

    Parameters
    ----------
    image_data : array_like or Quantity, shape (frame, row, column)
        Also a list of two-dimensional arrays.
    units : str or unit, optional
        Default: those of `image_data`, else dimensionless.
    dtype : dtype_like, optional
        By default that of the data.
    copy : bool or None, optional
        True (default) copies; False shares memory and refuses conversions; None shares memory
        where nothing must be converted.
    t_start : Quantity, optional
        Time of the first frame; default 0 s.
    spatial_scale : Quantity
        Size of a pixel.
    frame_duration : Quantity, optional
        Time between frames; this or `sampling_rate` is needed.
    sampling_rate : Quantity, optional
        Frames per time.
    name, description, file_origin : str, optional
        See `BaseNeo`.
    **annotations
        Every other keyword.

    Attributes
    ----------
    sampling_rate, frame_duration, t_start, spatial_scale : Quantity
        Can be set; rate and duration stay consistent.
    t_stop, duration, times : Quantity
        Calculated.

    Raises
    ------
    ValueError
        If the data have not three dimensions, scale or rate are missing, a value has the wrong
        dimension, or rate and frame duration do not agree.
    TypeError
        If a time, rate or scale has no units.
    """

    _necessary_attrs: ClassVar[tuple[tuple[Any, ...], ...]] = (
        ("image_data", pq.Quantity, 3),
        ("sampling_rate", pq.Quantity, 0),
        ("spatial_scale", pq.Quantity, 0),
        ("t_start", pq.Quantity, 0),
    )
    _quantity_attr: ClassVar[str] = "image_data"

    _scale: float = 1.0
    _scale_unit: UnitInfo = DIMENSIONLESS

    def __new__(
        cls,
        image_data: ArrayLike,
        units: Any = None,
        dtype: DTypeLike | None = None,
        copy: bool | None = True,
        t_start: Any = ZERO_SECONDS,
        spatial_scale: Any = None,
        frame_duration: Any = None,
        sampling_rate: Any = None,
        name: str | None = None,
        description: str | None = None,
        file_origin: str | None = None,
        **annotations: Any,
    ) -> Self:
        """Check the arguments and make the sequence; see the class."""
        data, unit = payload(
            image_data, units, dtype, copy=copy, what="image_data", default=pq.dimensionless
        )
        if data.ndim != 3:
            raise ValueError(f"image_data must have shape (frame, row, column), not {data.shape}")
        start, time_unit = time_from(t_start, "t_start")
        rate, rate_unit = rate_from(
            sampling_rate, frame_duration, names=("sampling_rate", "frame_duration")
        )
        new = cls._wrap(data, unit)
        new._set_sampling(rate, rate_unit, start, time_unit)
        new._scale, new._scale_unit = _checked_scale(spatial_scale)
        new._set_checked(name, description, file_origin, annotations, None)
        return new

    @classmethod
    def _create(
        cls,
        data: NDArray[Any],
        unit: Any,
        *,
        sampling_rate: float,
        spatial_scale: pq.Quantity,
        t_start: float = 0.0,
        rate_unit: Any = pq.Hz,
        time_unit: Any = pq.s,
        name: str | None = None,
        description: str | None = None,
        file_origin: str | None = None,
        annotations: dict[str, Any] | None = None,
        array_annotations: dict[str, NDArray[Any]] | None = None,
        source: SignalSource | None = None,
    ) -> Self:
        """Make a sequence without copies or checks; dicts are taken over.

        With a `source` the sequence is lazy, and `data` has no frames, but the right dtype,
        rows and columns.
        """
        new = cls._wrap(data, as_unit(unit))
        new._set_sampling(sampling_rate, as_unit(rate_unit), t_start, as_unit(time_unit))
        new._scale_unit = unit_of(spatial_scale)
        new._scale = float(spatial_scale.magnitude)
        new._set_common(name, description, file_origin, annotations, array_annotations, source)
        if source is not None:
            new.lazy_shape = tuple(source.shape)
        return new

    # --- attributes -----------------------------------------------------------------------

    @property
    def spatial_scale(self) -> pq.Quantity:
        """Size of a pixel.

        Raises
        ------
        ValueError
            When set to None, an array, or a value that is not above 0.
        TypeError
            When set to a number without units.
        """
        return quantity(self._scale, self._scale_unit)

    @spatial_scale.setter
    def spatial_scale(self, scale: Any) -> None:
        self._scale, self._scale_unit = _checked_scale(scale)

    @property
    def frame_duration(self) -> pq.Quantity:
        """Time between two frames; setting it changes the sampling rate too.

        Raises
        ------
        ValueError
            When set to None, to a number without units, or to a value that is not a time.
        """
        return self.sampling_period

    @frame_duration.setter
    def frame_duration(self, duration: Any) -> None:
        self.sampling_period = duration

    def __repr__(self) -> str:
        return "\n".join(self._pretty_lines())

    def _pretty_lines(self) -> list[str]:
        frames, rows, columns = self.true_shape
        return [
            f"{type(self).__name__} {frames} frames with width {columns} px and height {rows} px; "
            f"units {self.dimensionality.string}; datatype {self.dtype} ",
            f"sampling rate: {self.sampling_rate}",
            f"spatial_scale: {self.spatial_scale}",
        ]

    # --- indexing -------------------------------------------------------------------------

    # A reversed slice is a Quantity at run time; editors are better served by the common case.
    @overload
    def __getitem__(self, index: slice) -> Self: ...
    @overload
    def __getitem__(self, index: Any) -> Any: ...
    def __getitem__(self, index: Any) -> Any:
        """Return frames (slices) as a sequence, anything else as a plain Quantity.

        Slices of rows and columns cut the images; with equal steps the scale grows alike.
        """
        keys = index if isinstance(index, tuple) else (index,)
        if not all(isinstance(key, slice) for key in keys) or not 0 < len(keys) <= 3:
            return as_quantity(self.view(np.ndarray)[index], self._unit)
        steps = [1 if key.step is None else key.step for key in keys] + [1] * (3 - len(keys))
        if min(steps) < 1 or steps[1] != steps[2]:
            return as_quantity(self.view(np.ndarray)[index], self._unit)
        new = np.ndarray.__getitem__(self, index)
        state = new.__dict__
        state.update(self.__dict__)
        self._own_annotations(state)
        new._t0 = self._time_of(keys[0].indices(self.shape[0])[0])
        new._rate = self._rate / steps[0]
        new._scale = self._scale * steps[1]
        if self._array_annotations and len(keys) == 3:
            new._array_annotations = self._indexed_arrays(keys[2])
        return new

    def __setitem__(self, index: Any, value: Any) -> None:
        pq.Quantity.__setitem__(self, index, value)

    # --- loading --------------------------------------------------------------------------

    def load(
        self, time_slice: tuple[Any, Any] | None = None, strict_slicing: bool = True
    ) -> ImageSequence:
        """Read a lazy sequence, all of it or a window of time.

        Parameters
        ----------
        time_slice : (t_start, t_stop), optional
            Window as for `time_slice`; either end may be None.
        strict_slicing : bool, optional
            False clips the window to the sequence instead of refusing one that reaches outside.

        Returns
        -------
        ImageSequence
            In memory and without a segment. A sequence that is in memory already is cut alike,
            and returned as it is if nothing is to be cut.

        Raises
        ------
        ValueError
            If the window is outside (with `strict_slicing`).
        """
        if self._source is None and time_slice is None:
            return self
        start, stop = self._window(*(time_slice or (None, None)), strict=strict_slicing)
        if self._source is not None:
            return self._read(start, stop, None)
        part: ImageSequence = self[start:stop]
        return part._independent()

    def _read(self, start: int, stop: int, index: Any) -> Self:
        """Read frames from the source into a sequence of the same metadata."""
        new = self._like(self._source.read(start, stop, None))
        new.segment = None
        new._t0 = self._time_of(start)
        return new

    def _piece(self, start: int, stop: int) -> Self:
        """Return the frames ``[start, stop)``, loaded; a view where they are in memory."""
        if self._source is None:
            return self[start:stop]
        return self._read(start, stop, None)

    def _converted_source(self, source: UnitInfo, target: UnitInfo) -> Any:
        """Return the source of a lazy sequence in another unit."""
        return ScaledSource(self._source, source, target)

    # --- regions --------------------------------------------------------------------------

    def signal_from_region(self, *rois: RegionOfInterest) -> list[AnalogSignal]:
        """Average over regions of the images.

        Parameters
        ----------
        *rois : RegionOfInterest
            A pixel (x, y) of a region is row x and column y of the images. Pixels outside the
            images are left out.

        Returns
        -------
        list of AnalogSignal, shape (frame, 1) each
            Mean over the pixels of each region, with rate and start of the sequence. A lazy
            sequence is read piece by piece.

        Raises
        ------
        ValueError
            If no region is given, or a region has no pixel within the images.
        """
        if not rois:
            raise ValueError("no region is given; pass at least one region of interest")
        pixels = [self._pixels(roi) for roi in rois]
        means = [
            [piece.view(np.ndarray)[:, rows, columns].mean(axis=1) for rows, columns in pixels]
            for piece in self.chunks()
        ]
        return [
            AnalogSignal._create(
                np.concatenate([part[number] for part in means]).reshape(-1, 1),
                self._unit,
                sampling_rate=self._rate,
                t_start=self._t0,
                rate_unit=self._rate_unit,
                time_unit=self._time_unit,
                name=roi.name,
                file_origin=self.file_origin,
            )
            for number, roi in enumerate(rois)
        ]

    def _pixels(self, roi: RegionOfInterest) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return rows and columns of the pixels of a region that are within the images."""
        pairs = np.array(roi.pixels_in_region(), dtype=np.intp).reshape(-1, 2)
        rows, columns = self.shape[1:]
        within = (pairs >= 0).all(axis=1) & (pairs[:, 0] < rows) & (pairs[:, 1] < columns)
        if not within.any():
            raise ValueError(
                f"the region {roi!r} has no pixel within the images of {rows} rows and "
                f"{columns} columns"
            )
        return pairs[within, 0], pairs[within, 1]

    def duplicate_with_new_data(self, signal: ArrayLike, units: Any = None) -> ImageSequence:
        """Return a sequence of the same metadata around other data.

        Parameters
        ----------
        signal : array_like or Quantity, shape (frame, row, column)
        units : str or unit, optional
            Default: those of this sequence.

        Returns
        -------
        ImageSequence
            Annotations are copied; without segment.

        Raises
        ------
        ValueError
            If the data have not three dimensions.
        """
        unit = self._unit if units is None else as_unit(units)
        data, unit = payload(signal, unit, None, copy=True, what="image_data")
        if data.ndim != 3:
            raise ValueError(f"image_data must have shape (frame, row, column), not {data.shape}")
        part: ImageSequence = self[:0]
        new = part._independent()._like(data, unit)
        new._array_annotations = None
        return new


def _checked_scale(scale: Any) -> tuple[float, UnitInfo]:
    """Check the size of a pixel and return it with its unit."""
    if scale is None:
        raise ValueError("spatial_scale is required: the size of a pixel, such as 1 * pq.um")
    if not isinstance(scale, pq.Quantity):
        raise TypeError(f"spatial_scale needs units, such as {scale!r} * pq.um")
    unit = unit_of(scale)
    number = scalar_in(scale, unit, "spatial_scale")
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"spatial_scale must be above 0 and finite, not {number}")
    return number, unit
