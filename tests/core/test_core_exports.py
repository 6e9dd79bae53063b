"""What ephyrus.core exports, and at which paths the names of Neo are found."""

import importlib
import subprocess
import sys

import pytest

import ephyrus.core
from ephyrus.core import class_by_name, objectlist, objectnames

NAMES = [
    "Block", "Segment", "Group", "AnalogSignal", "IrregularlySampledSignal", "ChannelView",
    "Event", "Epoch", "SpikeTrain", "ImageSequence", "RectangularRegionOfInterest",
    "CircularRegionOfInterest", "PolygonRegionOfInterest",
]  # fmt: skip


def test_lists_of_classes():
    assert objectnames == NAMES
    assert [cls.__name__ for cls in objectlist] == NAMES
    assert [class_by_name[name] for name in NAMES] == objectlist
    assert type(objectlist) is list


def test_the_list_wins_over_the_module():
    code = (
        "import ephyrus.core.objectlist; from ephyrus.core.objectlist import ObjectList; "
        "from ephyrus.core import objectlist; import ephyrus.core; "
        "assert type(objectlist) is type(ephyrus.core.objectlist) is list, objectlist"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_everything_named_is_there():
    assert sorted(ephyrus.core.__all__) == ephyrus.core.__all__
    for name in ephyrus.core.__all__:
        assert getattr(ephyrus.core, name) is not None
    assert issubclass(ephyrus.core.NeoReadWriteError, OSError)


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("baseneo", "BaseNeo MergeError NeoReadWriteError merge_annotation merge_annotations "
                    "intersect_annotations"),
        ("dataobject", "DataObject ArrayDict"),
        ("basesignal", "BaseSignal"),
        ("container", "Container unique_objs"),
        ("objectlist", "ObjectList"),
        ("spiketrainlist", "SpikeTrainList"),
        ("spiketrain", "SpikeTrain check_has_dimensions_time normalize_times_array"),
        ("regionofinterest", "RegionOfInterest RectangularRegionOfInterest "
                             "CircularRegionOfInterest PolygonRegionOfInterest"),
        ("block", "Block"), ("segment", "Segment"), ("group", "Group"),
        ("analogsignal", "AnalogSignal"),
        ("irregularlysampledsignal", "IrregularlySampledSignal"),
        ("event", "Event"), ("epoch", "Epoch"), ("imagesequence", "ImageSequence"),
        ("view", "ChannelView"),
    ],
)  # fmt: skip
def test_paths_of_names(module, names):
    found = importlib.import_module(f"ephyrus.core.{module}")
    for name in names.split():
        assert hasattr(found, name)


@pytest.mark.parametrize("module", ["block", "epoch", "group", "spiketrainlist", "view"])
def test_every_module_can_be_imported_first(module):
    code = f"import ephyrus.core.{module}"
    subprocess.run([sys.executable, "-c", code], check=True)
