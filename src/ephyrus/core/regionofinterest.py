"""Regions of interest: parts of an image sequence that are averaged to a signal.

A pixel is a pair (x, y). It indexes an image as ``image[x][y]``: x is the *row*, y the column.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from ephyrus.core.baseneo import BaseNeo
from ephyrus.core.imagesequence import ImageSequence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ephyrus.core.analogsignal import AnalogSignal

__all__ = [
    "CircularRegionOfInterest",
    "PolygonRegionOfInterest",
    "RectangularRegionOfInterest",
    "RegionOfInterest",
]


# What may follow the numbers of a region without a keyword.
_TEXTS = ("name", "description", "file_origin")


class RegionOfInterest(BaseNeo):
    """Base of the regions of interest.

    Parameters
    ----------
    image_sequence : ImageSequence or None
        What the region is a part of (may be lazy).
    name, description, file_origin : str, optional
        See `BaseNeo`.
    **annotations
        Every other keyword.

    Attributes
    ----------
    image_sequence, obj : ImageSequence or None
        Two names of the same; can be set.

    Raises
    ------
    ValueError
        If `image_sequence` is something else.
    """

    is_view: ClassVar[bool] = True
    _parent_objects: ClassVar[tuple[str, ...]] = ("Group",)
    _parent_attrs: ClassVar[tuple[str, ...]] = ("group",)
    _necessary_attrs: ClassVar[tuple[tuple[Any, ...], ...]] = (
        ("image_sequence", ("ImageSequence",), 1),
    )

    def __init__(
        self,
        image_sequence: ImageSequence | None = None,
        name: str | None = None,
        description: str | None = None,
        file_origin: str | None = None,
        **annotations: Any,
    ) -> None:
        super().__init__(name=name, description=description, file_origin=file_origin, **annotations)
        if not (image_sequence is None or isinstance(image_sequence, ImageSequence)):
            raise ValueError(
                f"image_sequence must be an ImageSequence, not {type(image_sequence).__name__}"
            )
        self._image_sequence = image_sequence

    @property
    def image_sequence(self) -> ImageSequence | None:
        """The sequence that the region is a part of.

        Raises
        ------
        TypeError
            When set to something else.
        """
        return self._image_sequence

    @image_sequence.setter
    def image_sequence(self, image_sequence: ImageSequence | None) -> None:
        if not (image_sequence is None or isinstance(image_sequence, ImageSequence)):
            raise TypeError(
                f"image_sequence must be an ImageSequence, not {type(image_sequence).__name__}"
            )
        self._image_sequence = image_sequence

    @property
    def obj(self) -> ImageSequence | None:
        """The sequence that the region is a part of (the same as `image_sequence`)."""
        return self._image_sequence

    @obj.setter
    def obj(self, image_sequence: ImageSequence | None) -> None:
        self.image_sequence = image_sequence

    def _limits(self) -> tuple[float, float, float, float]:
        """Return the smallest rectangle around the region: x from, x to, y from, y to."""
        raise NotImplementedError

    def _inside(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell for arrays of points which are inside."""
        raise NotImplementedError

    def is_inside(self, x: float, y: float) -> bool:
        """Tell whether a point is inside the region.

        Parameters
        ----------
        x, y : float
            In pixels.

        Returns
        -------
        bool
        """
        return bool(self._inside(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)))

    def _pixel_pairs(self) -> NDArray[np.intp]:
        """Return the pixels whose centres are inside, shape (pixel, 2), row after row in y."""
        x_from, x_to, y_from, y_to = self._limits()
        xs = np.arange(math.floor(x_from), math.ceil(x_to), dtype=np.intp)
        ys = np.arange(math.floor(y_from), math.ceil(y_to), dtype=np.intp)
        y, x = np.meshgrid(ys, xs, indexing="ij")
        inside = self._inside(x.astype(np.float64), y.astype(np.float64))
        return np.stack([x[inside], y[inside]], axis=1)

    def pixels_in_region(self) -> list[Any]:
        """Return the pixels whose centres are inside the region.

        Returns
        -------
        list of [x, y]
            Whole numbers; x counts rows of the image and y its columns. The upper end of the
            ranges is left out.
        """
        pairs: list[Any] = self._pixel_pairs().tolist()
        return pairs

    def resolve(self) -> list[AnalogSignal]:
        """Average the image sequence over the region.

        Returns
        -------
        list of one AnalogSignal
            See `ImageSequence.signal_from_region`.

        Raises
        ------
        ValueError
            If the region has no image sequence, or no pixel within its images.
        """
        if self._image_sequence is None:
            raise ValueError(
                "this region belongs to no image sequence; set image_sequence, or call "
                "sequence.signal_from_region(region)"
            )
        return self._image_sequence.signal_from_region(self)

    def _described(self, **values: Any) -> str:
        """Return the text of repr."""
        inner = ", ".join(f"{key}={value!r}" for key, value in values.items())
        return f"<{type(self).__name__}({inner})>"


def _split(
    args: tuple[Any, ...], image_sequence: ImageSequence | None
) -> tuple[ImageSequence | None, tuple[Any, ...]]:
    """Separate a leading image sequence from the numbers that follow it.

    Raises
    ------
    ValueError
        If the first argument stands where the sequence should but is something else.
    TypeError
        If the sequence is given twice.
    """
    if args and (args[0] is None or isinstance(args[0], ImageSequence)):
        if image_sequence is not None:
            raise TypeError("image_sequence is given twice")
        return args[0], args[1:]
    if args and not isinstance(args[0], Real | Sequence | np.ndarray):
        raise ValueError(f"image_sequence must be an ImageSequence, not {type(args[0]).__name__}")
    return image_sequence, args


def _named(
    class_name: str, args: tuple[Any, ...], count: int, keywords: dict[str, Any]
) -> tuple[Any, ...]:
    """Move the texts that follow `count` numbers into the keywords, and return the numbers.

    Raises
    ------
    TypeError
        If there are too many numbers or texts, or a text is given twice.
    ValueError
        If something else stands in front, where the image sequence should.
    """
    texts = args[count:]
    if texts and not isinstance(args[0], Real):
        raise ValueError(f"image_sequence must be an ImageSequence, not {type(args[0]).__name__}")
    if len(texts) > len(_TEXTS) or any(isinstance(text, Real) for text in texts):
        raise TypeError(
            f"{class_name} takes {count} numbers, not {len(args)}; what may follow them is "
            f"{', '.join(_TEXTS)}"
        )
    for key, text in zip(_TEXTS, texts, strict=False):
        if key in keywords:
            raise TypeError(f"{class_name}: {key} is given twice")
        keywords[key] = text
    return args[:count]


def _fill(class_name: str, args: tuple[Any, ...], named: dict[str, Any]) -> list[Any]:
    """Fill the numbers of a region from positional and keyword arguments.

    Raises
    ------
    TypeError
        If one is missing, given twice, or not a number.
    """
    values = dict(named)
    for key, value in zip(named, args, strict=False):
        if values[key] is not None:
            raise TypeError(f"{class_name}: {key} is given twice")
        values[key] = value
    for key, value in values.items():
        if not isinstance(value, Real):
            raise TypeError(f"{class_name}: {key} must be a number, not {value!r}")
    return list(values.values())


class CircularRegionOfInterest(RegionOfInterest):
    """The pixels whose centres are within a circle.

    Parameters
    ----------
    image_sequence : ImageSequence, optional
        First positional argument or keyword; may be left out.
    x, y : float
        Centre in pixels; x is the row.
    radius : float
        In pixels.
    name, description, file_origin : str, optional
        See `BaseNeo`.
    **annotations
        Every other keyword.

    Raises
    ------
    ValueError
        If the first argument stands for the image sequence and is something else.
    TypeError
        If a number is missing.
    """

    _necessary_attrs: ClassVar[tuple[tuple[Any, ...], ...]] = (
        ("image_sequence", ("ImageSequence",), 1),
        ("x", int),
        ("y", int),
        ("radius", int),
    )

    def __init__(
        self,
        *args: Any,
        x: float | None = None,
        y: float | None = None,
        radius: float | None = None,
        image_sequence: ImageSequence | None = None,
        **kwargs: Any,
    ) -> None:
        sequence, args = _split(args, image_sequence)
        numbers = _named(type(self).__name__, args, 3, kwargs)
        super().__init__(sequence, **kwargs)
        named = {"x": x, "y": y, "radius": radius}
        self.x, self.y, self.radius = _fill(type(self).__name__, numbers, named)

    def __repr__(self) -> str:
        return self._described(x=self.x, y=self.y, radius=self.radius)

    @property
    def centre(self) -> tuple[float, float]:
        """The centre (x, y)."""
        return self.x, self.y

    @property
    def center(self) -> tuple[float, float]:
        """The centre (x, y)."""
        return self.centre

    def _limits(self) -> tuple[float, float, float, float]:
        radius = self.radius
        return self.x - radius, self.x + radius, self.y - radius, self.y + radius

    def _inside(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = (x - self.x) ** 2 + (y - self.y) ** 2 <= self.radius**2
        return inside


class RectangularRegionOfInterest(RegionOfInterest):
    """The pixels whose centres are within a rectangle.

    Parameters
    ----------
    image_sequence : ImageSequence, optional
        First positional argument or keyword; may be left out.
    x, y : float
        Centre in pixels; x is the row.
    width, height : float
        Extent along x and along y in pixels; the upper edges are outside.
    name, description, file_origin : str, optional
        See `BaseNeo`.
    **annotations
        Every other keyword.

    Raises
    ------
    ValueError
        If the first argument stands for the image sequence and is something else.
    TypeError
        If a number is missing.
    """

    _necessary_attrs: ClassVar[tuple[tuple[Any, ...], ...]] = (
        ("image_sequence", ("ImageSequence",), 1),
        ("x", int),
        ("y", int),
        ("width", int),
        ("height", int),
    )

    def __init__(
        self,
        *args: Any,
        x: float | None = None,
        y: float | None = None,
        width: float | None = None,
        height: float | None = None,
        image_sequence: ImageSequence | None = None,
        **kwargs: Any,
    ) -> None:
        sequence, args = _split(args, image_sequence)
        numbers = _named(type(self).__name__, args, 4, kwargs)
        super().__init__(sequence, **kwargs)
        named = {"x": x, "y": y, "width": width, "height": height}
        self.x, self.y, self.width, self.height = _fill(type(self).__name__, numbers, named)

    def __repr__(self) -> str:
        return self._described(x=self.x, y=self.y, width=self.width, height=self.height)

    def _limits(self) -> tuple[float, float, float, float]:
        half_width, half_height = self.width / 2, self.height / 2
        return (
            self.x - half_width,
            self.x + half_width,
            self.y - half_height,
            self.y + half_height,
        )

    def _inside(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
        x_from, x_to, y_from, y_to = self._limits()
        inside: NDArray[np.bool_] = (x >= x_from) & (x < x_to) & (y >= y_from) & (y < y_to)
        return inside


class PolygonRegionOfInterest(RegionOfInterest):
    """The pixels whose centres are within a polygon (even-odd rule).

    Parameters
    ----------
    image_sequence : ImageSequence, optional
        First positional argument or keyword; may be left out.
    *vertices : (x, y)
        At least three corners in pixels; x is the row.
    name, description, file_origin : str, optional
        See `BaseNeo`.
    **annotations
        Every other keyword.

    Attributes
    ----------
    vertices : list of (x, y)

    Raises
    ------
    ValueError
        If the first argument stands for the image sequence and is something else, a vertex is
        not a pair of numbers, or there are fewer than three.
    """

    _necessary_attrs: ClassVar[tuple[tuple[Any, ...], ...]] = (
        ("image_sequence", ("ImageSequence",), 1),
        ("vertices", list),
    )

    def __init__(
        self,
        *args: Any,
        vertices: Sequence[tuple[float, float]] | None = None,
        image_sequence: ImageSequence | None = None,
        **kwargs: Any,
    ) -> None:
        sequence, corners = _split(args, image_sequence)
        super().__init__(sequence, **kwargs)
        if vertices is not None and corners:
            raise TypeError("vertices are given twice")
        self.vertices = [_corner(corner) for corner in (corners or vertices or ())]
        if len(self.vertices) < 3:
            raise ValueError(f"a polygon needs at least 3 vertices, not {len(self.vertices)}")

    def __repr__(self) -> str:
        return self._described(vertices=self.vertices)

    def _limits(self) -> tuple[float, float, float, float]:
        xs, ys = zip(*self.vertices, strict=True)
        return min(xs), max(xs), min(ys), max(ys)

    def _inside(self, x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.bool_]:
        inside = np.zeros(np.shape(x), dtype=np.bool_)
        previous = [self.vertices[-1], *self.vertices[:-1]]
        for (x_a, y_a), (x_b, y_b) in zip(self.vertices, previous, strict=True):
            if y_a == y_b:
                continue  # an edge along the ray is never crossed
            crosses = (y_a > y) != (y_b > y)
            inside ^= crosses & (x < (x_b - x_a) * (y - y_a) / (y_b - y_a) + x_a)
        return inside

    def pixels_in_region(self) -> list[Any]:
        """Return the pixels whose centres are inside the region.

        Returns
        -------
        list of (x, y)
            See `RegionOfInterest.pixels_in_region`; here the pairs are tuples.
        """
        return [tuple(pair) for pair in self._pixel_pairs().tolist()]


def _corner(corner: Any) -> tuple[float, float]:
    """Check one vertex."""
    if isinstance(corner, Sequence | np.ndarray) and len(corner) == 2:
        x, y = corner
        if isinstance(x, Real) and isinstance(y, Real):
            return x, y  # type: ignore[return-value] # Real includes float and the ints
    raise ValueError(f"a vertex must be a pair of numbers (x, y), not {corner!r}")
