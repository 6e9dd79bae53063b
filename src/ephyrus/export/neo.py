"""Objects of the package neo: whole trees there and back, for libraries that insist on its classes.

What does not survive a round trip, because neo has no place for it:

- lazy objects are loaded, and spike trains that are held multiplexed become single trains;
- spike times of whole numbers become float64, and the limits of a train of float32 times are
  rounded to float32;
- objects of subclasses become objects of the class of the model;
- neo's segments refuse the channel views that their list is meant for: groups keep theirs, and
  views that only segments list are left out with a warning;
- a region of interest without an image sequence is refused;
- epochs that have no durations in neo have durations of 0 here.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import quantities as pq
from numpy.typing import NDArray

from ephyrus._shared.extras import optional_module
from ephyrus.core import class_by_name
from ephyrus.core.baseneo import copy_annotations

__all__ = ["from_neo", "to_neo"]

# Child lists by class; the first list is filled first, and what others share is found again.
_LISTS = {
    "Block": ("segments", "groups"),
    "Segment": (
        "analogsignals",
        "irregularlysampledsignals",
        "spiketrains",
        "events",
        "epochs",
        "imagesequences",
        "channelviews",
    ),
    "Group": (
        "segments",
        "analogsignals",
        "irregularlysampledsignals",
        "spiketrains",
        "events",
        "epochs",
        "channelviews",
        "imagesequences",
        "regionsofinterest",
        "groups",
    ),
}
_DATES = ("file_datetime", "rec_datetime", "index")
_REGIONS = {
    "RectangularRegionOfInterest": ("x", "y", "width", "height"),
    "CircularRegionOfInterest": ("x", "y", "radius"),
}


def to_neo(obj: Any, *, copy: bool = True) -> Any:
    """Make the object of the package neo that corresponds to one of this package.

    Parameters
    ----------
    obj : Block, Segment, Group or any other object of the model
        Everything below it is converted too, and what a view or a region refers to. An object
        that is listed in several places is one object in the result as well. Lazy objects are
        loaded.
    copy : bool, default True
        False shares data, times and waveforms with `obj` where both packages hold them alike.

    Returns
    -------
    object of neo
        With values, units, attributes, annotations and array annotations of `obj`, and without
        the containers above it. The docstring of this module says what neo cannot hold.

    Raises
    ------
    MissingExtraError
        If neo is not installed: ``pip install 'ephyrus[neo]'``.
    TypeError
        If `obj` is not an object of the model.
    ValueError
        If a region of interest has no image sequence.

    Warns
    -----
    UserWarning
        If only segments list a channel view, which neo cannot keep there.
    """
    neo = optional_module("neo", "neo", "to_neo")
    classes = {name: getattr(neo, name) for name in class_by_name}
    lists = _LISTS | {"Segment": _LISTS["Segment"][:-1]}
    conversion = _Conversion("ephyrus", classes, lists, copy=copy)
    new = conversion(obj)
    lost = conversion.lost_views()
    if lost:
        warnings.warn(
            f"{lost} channel views are listed by segments only, which neo refuses: they are left "
            "out; put them into groups to keep them",
            stacklevel=2,
        )
    return new


def from_neo(obj: Any, *, copy: bool = True) -> Any:
    """Make the object of this package that corresponds to one of the package neo.

    Parameters
    ----------
    obj : object of neo
        Everything below it is converted too, and what a view or a region refers to. An object
        that is listed in several places is one object in the result as well. Neo's proxies are
        loaded.
    copy : bool, default True
        False shares data, times and waveforms with `obj` where both packages hold them alike.

    Returns
    -------
    Block, Segment, Group or any other object of the model
        With values, units, attributes, annotations and array annotations of `obj`, and without
        the containers above it.

    Raises
    ------
    TypeError
        If `obj` is not an object of neo.
    ValueError
        If neo let an object have values that are refused here, such as a negative rate.
    """
    return _Conversion("neo", class_by_name, _LISTS, copy=copy)(obj)


class _Conversion:
    """Conversion of one tree; both packages have the same names and the same parameters.

    Parameters
    ----------
    package : str
        The package whose objects are converted.
    classes : mapping of str to type
        The classes to make, by name.
    lists : mapping of str to tuple of str
        The child lists to fill, by class.
    copy : bool
        Whether arrays are copied.
    """

    def __init__(
        self,
        package: str,
        classes: Mapping[str, Any],
        lists: Mapping[str, tuple[str, ...]],
        *,
        copy: bool,
    ) -> None:
        self._package = package
        self._classes = classes
        self._lists = lists
        self._copy = copy
        # By identity; the originals are kept, so that no identity is used again.
        self._done: dict[int, tuple[Any, Any]] = {}

    def __call__(self, obj: Any) -> Any:
        """Return the counterpart of `obj`, the same one each time."""
        if id(obj) not in self._done:
            kind = self._kind(getattr(obj, "proxy_for", None) or type(obj))
            source, fresh = _loaded(obj)
            arrays = _Arrays(copy=self._copy and not fresh)
            new = _MAKERS[kind](self, self._classes[kind], source, arrays)
            self._done[id(obj)] = obj, new
            _describe(source, new)
            for name in self._lists.get(kind, ()):
                getattr(new, name).extend([self(child) for child in getattr(source, name, ())])
        return self._done[id(obj)][1]

    def lost_views(self) -> int:
        """Return how many views are listed by segments and by nothing that was converted."""
        segments = [source for source, _ in self._done.values() if hasattr(source, "channelviews")]
        views = {id(view) for segment in segments for view in segment.channelviews}
        return len(views - self._done.keys())

    def _kind(self, cls: type[Any]) -> str:
        """Return the name of the class of the model that `cls` is or derives from."""
        for base in cls.__mro__:
            if base.__name__ in _MAKERS and base.__module__.partition(".")[0] == self._package:
                return base.__name__
        raise TypeError(
            f"an object of the model of {self._package} is needed, such as {self._package}.Block, "
            f"not {cls.__module__}.{cls.__qualname__}"
        )

    def allowed(self, types: Any) -> tuple[Any, ...] | None:
        """Return the counterparts of the classes that a group is limited to."""
        return None if types is None else tuple(self._classes[self._kind(cls)] for cls in types)


class _Arrays:
    """How arrays are taken over.

    Parameters
    ----------
    copy : bool
        Whether they are copied.
    """

    def __init__(self, *, copy: bool) -> None:
        self._copy = copy

    def __call__(self, values: Any) -> Any:
        """Return an array or a Quantity, copied if that is wanted; None stays None."""
        return values.copy() if self._copy and values is not None else values


_Maker: TypeAlias = Callable[[_Conversion, Any, Any, _Arrays], Any]


def _loaded(obj: Any) -> tuple[Any, bool]:
    """Return an object with its data, and whether they have just been read."""
    if not hasattr(obj, "proxy_for"):  # which only lazy objects have, in both packages
        return obj, False
    if obj.proxy_for.__name__ != "SpikeTrain":
        return obj.load(), True
    # a lazy train here tells its waveforms, one of neo the rate of its waveforms
    has_waveforms = getattr(obj, "waveforms", getattr(obj, "sampling_rate", None)) is not None
    return obj.load(load_waveforms=has_waveforms), True


def _describe(source: Any, new: Any) -> None:
    """Copy what all objects have, in a way that no name of an annotation can disturb."""
    for name in ("name", "description", "file_origin"):
        setattr(new, name, getattr(source, name))
    new.annotations.update(copy_annotations(source.annotations))
    arrays = getattr(source, "array_annotations", None)
    if arrays:
        new.array_annotations.update({key: value.copy() for key, value in arrays.items()})


def _texts(labels: Any) -> NDArray[np.str_]:
    """Return labels as a plain array of str."""
    return np.array([] if labels is None else np.asarray(labels), dtype="U")


def _block_or_segment(_: _Conversion, make: Any, source: Any, arrays: _Arrays) -> Any:
    return make(**{name: getattr(source, name) for name in _DATES})


def _group(convert: _Conversion, make: Any, source: Any, arrays: _Arrays) -> Any:
    return make(allowed_types=convert.allowed(source.allowed_types))


def _analog_signal(_: _Conversion, make: Any, source: Any, arrays: _Arrays) -> Any:
    return make(
        arrays(source.as_quantity()),
        copy=None,
        t_start=source.t_start,
        sampling_rate=source.sampling_rate,
    )


def _irregular_signal(_: _Conversion, make: Any, source: Any, arrays: _Arrays) -> Any:
    return make(arrays(source.times), arrays(source.as_quantity()), copy=None)


def _spike_train(_: _Conversion, make: Any, source: Any, arrays: _Arrays) -> Any:
    times = arrays(source.as_quantity())
    if times.dtype.kind != "f":
        times = times.astype(np.float64)
    # neo rounds the limits to the precision of the times, and then refuses what is outside
    first, last = (
        limit.rescale(times.units).magnitude.astype(times.dtype)
        for limit in (source.t_start, source.t_stop)
    )
    numbers = times.magnitude
    if ((numbers < first) | (numbers > last)).any():
        times = pq.Quantity(np.clip(numbers, first, last), times.units)
    return make(
        times,
        t_start=source.t_start,
        t_stop=source.t_stop,
        copy=None,
        sampling_rate=source.sampling_rate,
        left_sweep=source.left_sweep,
        waveforms=arrays(source.waveforms),
    )


def _event(_: _Conversion, make: Any, source: Any, arrays: _Arrays) -> Any:
    return make(arrays(source.as_quantity()), labels=_texts(source.labels))


def _epoch(_: _Conversion, make: Any, source: Any, arrays: _Arrays) -> Any:
    durations = source.durations
    if durations is not None and len(durations) == 0:
        durations = None
    times = arrays(source.as_quantity())
    return make(times, durations=arrays(durations), labels=_texts(source.labels))


def _image_sequence(_: _Conversion, make: Any, source: Any, arrays: _Arrays) -> Any:
    return make(
        arrays(source.as_quantity()).magnitude,  # neo takes units only beside the numbers
        units=source.units,
        copy=None,
        t_start=source.t_start,
        spatial_scale=source.spatial_scale,
        sampling_rate=source.sampling_rate,
    )


def _channel_view(convert: _Conversion, make: Any, source: Any, arrays: _Arrays) -> Any:
    return make(convert(source.obj), np.array(source.index))


def _region(convert: _Conversion, make: Any, source: Any, arrays: _Arrays) -> Any:
    if source.image_sequence is None:
        raise ValueError(f"{source!r} has no image sequence; neo needs one: set image_sequence")
    images = convert(source.image_sequence)
    if hasattr(source, "vertices"):
        return make(images, *source.vertices)
    return make(images, **{name: getattr(source, name) for name in _REGIONS[make.__name__]})


_MAKERS: dict[str, _Maker] = {
    "Block": _block_or_segment,
    "Segment": _block_or_segment,
    "Group": _group,
    "AnalogSignal": _analog_signal,
    "IrregularlySampledSignal": _irregular_signal,
    "SpikeTrain": _spike_train,
    "Event": _event,
    "Epoch": _epoch,
    "ImageSequence": _image_sequence,
    "ChannelView": _channel_view,
    "RectangularRegionOfInterest": _region,
    "CircularRegionOfInterest": _region,
    "PolygonRegionOfInterest": _region,
}
