"""Regions of interest: their pixels, both forms of the constructors."""

import pickle

import numpy as np
import pytest
import quantities as pq

from ephyrus.core.imagesequence import ImageSequence
from ephyrus.core.regionofinterest import (
    CircularRegionOfInterest,
    PolygonRegionOfInterest,
    RectangularRegionOfInterest,
    RegionOfInterest,
)

IMAGES = ImageSequence(
    np.arange(500.0).reshape(5, 10, 10), "V", sampling_rate=1 * pq.Hz, spatial_scale=1 * pq.um
)


def test_circle():
    roi = CircularRegionOfInterest(IMAGES, 1, 1, 1, name="n", key=2)
    assert (roi.x, roi.y, roi.radius) == (1, 1, 1)
    assert roi.centre == roi.center == (1, 1)
    assert roi.image_sequence is roi.obj is IMAGES
    assert (roi.name, roi.annotations) == ("n", {"key": 2})
    assert roi.pixels_in_region() == [[1, 0], [0, 1], [1, 1]]
    assert roi.is_inside(1, 2) is True
    assert roi.is_inside(1, 2.01) is False
    assert repr(roi) == "<CircularRegionOfInterest(x=1, y=1, radius=1)>"


def test_rectangle():
    roi = RectangularRegionOfInterest(IMAGES, 5, 5, 2, 4)
    assert (roi.x, roi.y, roi.width, roi.height) == (5, 5, 2, 4)
    assert roi.is_inside(4, 3)
    assert not roi.is_inside(6, 5)
    assert not roi.is_inside(5, 7)
    assert roi.pixels_in_region() == [[x, y] for y in (3, 4, 5, 6) for x in (4, 5)]
    assert repr(roi) == "<RectangularRegionOfInterest(x=5, y=5, width=2, height=4)>"


def test_polygon():
    roi = PolygonRegionOfInterest(IMAGES, (1, 1), (4, 1), (4, 3), (1, 3))
    assert roi.vertices == [(1, 1), (4, 1), (4, 3), (1, 3)]
    assert roi.pixels_in_region() == [(x, y) for y in (1, 2) for x in (1, 2, 3)]
    triangle = PolygonRegionOfInterest((0, 0), (0, 4), (4, 0))
    assert triangle.is_inside(1, 1)
    assert not triangle.is_inside(3, 3)
    assert triangle.pixels_in_region() == [(x, y) for y in range(4) for x in range(4) if x + y < 4]
    assert repr(triangle) == "<PolygonRegionOfInterest(vertices=[(0, 0), (0, 4), (4, 0)])>"
    star = PolygonRegionOfInterest(
        (0, 0), (10, 0), (10, 10), (0, 10), (0, 2), (5, 2), (5, 5), (0, 5)
    )
    assert not star.is_inside(2, 3)
    assert star.is_inside(2, 7)


MADE = [
    (CircularRegionOfInterest, (3, 4, 2), ("x", "y", "radius")),
    (RectangularRegionOfInterest, (3, 4, 2, 6), ("x", "y", "width", "height")),
]


@pytest.mark.parametrize(("cls", "numbers", "names"), MADE)
def test_both_forms_of_the_constructors(cls, numbers, names):
    named = dict(zip(names, numbers, strict=True))
    forms = [
        (cls(IMAGES, *numbers), IMAGES),
        (cls(*numbers), None),
        (cls(*numbers, image_sequence=IMAGES), IMAGES),
        (cls(IMAGES, **named), IMAGES),
        (cls(image_sequence=IMAGES, **named), IMAGES),
        (cls(**named), None),
        (cls(None, *numbers), None),
        (cls(*numbers[:2], **dict(list(named.items())[2:])), None),
    ]
    for roi, sequence in forms:
        assert tuple(getattr(roi, name) for name in names) == numbers
        assert roi.obj is sequence
        assert roi.pixels_in_region() == forms[0][0].pixels_in_region()
    with pytest.raises(ValueError, match="image_sequence must be an ImageSequence, not str"):
        cls("images", *numbers)
    with pytest.raises(ValueError, match="image_sequence must be an ImageSequence, not ndarray"):
        cls(np.zeros((2, 2, 2)), *numbers)
    with pytest.raises(ValueError, match="image_sequence must be an ImageSequence, not object"):
        cls(object())
    with pytest.raises(ValueError, match="image_sequence must be an ImageSequence, not int"):
        cls(image_sequence=3, **named)
    with pytest.raises(TypeError, match=f"{names[-1]} must be a number, not None"):
        cls(*numbers[:-1])
    with pytest.raises(TypeError, match="x is given twice"):
        cls(*numbers, x=1)
    with pytest.raises(TypeError, match="x must be a number, not 'a'"):
        cls(**(named | {"x": "a"}))
    with pytest.raises(TypeError, match="image_sequence is given twice"):
        cls(IMAGES, *numbers, image_sequence=IMAGES)
    with pytest.raises(TypeError, match="numbers, not"):
        cls(IMAGES, *numbers, 3)
    texts = "roi", "a cell", "cells.tif"
    for roi in (cls(IMAGES, *numbers, *texts), cls(*numbers, "roi", description="a cell")):
        assert tuple(getattr(roi, name) for name in names) == numbers
        assert (roi.name, roi.description) == texts[:2]
    assert cls(IMAGES, *numbers, *texts).file_origin == "cells.tif"
    with pytest.raises(TypeError, match="name is given twice"):
        cls(*numbers, "roi", name="another")
    with pytest.raises(TypeError, match="what may follow them is name, description, file_origin"):
        cls(*numbers, *texts, "more")


def test_forms_of_the_polygon():
    vertices = [(0, 0), (0, 4), (4, 0)]
    for roi, sequence in [
        (PolygonRegionOfInterest(IMAGES, *vertices), IMAGES),
        (PolygonRegionOfInterest(*vertices), None),
        (PolygonRegionOfInterest(vertices=vertices, image_sequence=IMAGES), IMAGES),
        (PolygonRegionOfInterest(*[np.array(vertex) for vertex in vertices]), None),
    ]:
        assert [tuple(vertex) for vertex in roi.vertices] == vertices
        assert roi.obj is sequence
    for wrong in [
        (IMAGES, (0, 0), (1, 1)),
        ((0, 0), (1, 1), (1, 2, 3)),
        ((0, 0), (1, 1), ("a", "b")),
        ((0, 0), (1, 1), 3),
        (object(), (0, 0), (1, 1), (2, 0)),
    ]:
        with pytest.raises(ValueError, match=r"vert|image_sequence"):
            PolygonRegionOfInterest(*wrong)
    with pytest.raises(TypeError, match="given twice"):
        PolygonRegionOfInterest(*vertices, vertices=vertices)


@pytest.mark.parametrize(
    "roi",
    [
        CircularRegionOfInterest(2, 3, 1.5),
        RectangularRegionOfInterest(4, 5, 3, 2),
        PolygonRegionOfInterest((1, 1), (5, 2), (3, 6)),
    ],
    ids=["circle", "rectangle", "polygon"],
)
def test_resolving(roi):
    with pytest.raises(ValueError, match="belongs to no image sequence"):
        roi.resolve()
    (expected,) = IMAGES.signal_from_region(roi)
    roi.image_sequence = IMAGES
    (signal,) = roi.resolve()
    assert (signal == expected).all()
    pixels = np.array(roi.pixels_in_region())
    values = IMAGES.magnitude[:, pixels[:, 0], pixels[:, 1]].mean(axis=1)
    np.testing.assert_allclose(signal.magnitude[:, 0], values, rtol=1e-14)
    again = pickle.loads(pickle.dumps(roi))
    assert again.pixels_in_region() == roi.pixels_in_region()
    roi.obj = None
    assert roi.image_sequence is None
    with pytest.raises(TypeError, match="image_sequence must be an ImageSequence, not int"):
        roi.obj = 3


def test_pixels_agree_with_is_inside():
    for roi in (
        CircularRegionOfInterest(5.3, 4.1, 3.2),
        RectangularRegionOfInterest(5.5, 4.2, 3.3, 2.7),
        PolygonRegionOfInterest((1.5, 1.2), (8.1, 2), (3, 7.7)),
    ):
        expected = [(x, y) for y in range(-5, 15) for x in range(-5, 15) if roi.is_inside(x, y)]
        assert [tuple(pixel) for pixel in roi.pixels_in_region()] == expected


def test_class_attributes():
    names = {
        CircularRegionOfInterest: ["image_sequence", "x", "y", "radius"],
        RectangularRegionOfInterest: ["image_sequence", "x", "y", "width", "height"],
        PolygonRegionOfInterest: ["image_sequence", "vertices"],
    }
    for cls, expected in names.items():
        assert [attribute[0] for attribute in cls._necessary_attrs] == expected
        assert cls._parent_objects == ("Group",)
        assert cls._parent_attrs == ("group",)
        assert cls.is_view
        assert issubclass(cls, RegionOfInterest)
    roi = CircularRegionOfInterest(1, 1, 1)
    assert roi.group is None


def test_the_base_has_no_shape():
    roi = RegionOfInterest(IMAGES)
    with pytest.raises(NotImplementedError):
        roi.pixels_in_region()
    with pytest.raises(NotImplementedError):
        roi.is_inside(1, 1)
