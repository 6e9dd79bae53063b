"""What a type checker, and so an editor, knows of the objects."""

import re
import subprocess
import sys

import pytest

from tests.golden import ROOT

SNIPPET = """
from ephyrus.core import AnalogSignal, Block, Group, Segment

segment = Segment()
reveal_type(segment.analogsignals[0])
reveal_type(segment.analogsignals[1:])
reveal_type(segment.irregularlysampledsignals[0])
reveal_type(segment.spiketrains)
reveal_type(segment.spiketrains[0])
reveal_type(segment.events[0])
reveal_type(segment.epochs[0].time_slice(0, 1))
reveal_type(segment.imagesequences[0])
reveal_type(segment.channelviews[0])
reveal_type(Block().segments[0])
reveal_type(Block().groups[0].groups[0])
reveal_type(Group().regionsofinterest[0])
reveal_type(segment.analogsignals[0].rescale("mV"))
reveal_type(AnalogSignal.from_pandas(None))
reveal_type(segment.describe())
for signal in segment.analogsignals:
    reveal_type(signal)
"""

REVEALED = [
    "AnalogSignal",
    "list[AnalogSignal]",
    "IrregularlySampledSignal",
    "SpikeTrainList",
    "SpikeTrain",
    "Event",
    "Epoch",
    "ImageSequence",
    "ChannelView",
    "Segment",
    "Group",
    "RegionOfInterest",
    "AnalogSignal",
    "AnalogSignal",
    "str",
    "AnalogSignal",
]


def test_what_a_type_checker_reveals(tmp_path):
    pytest.importorskip("mypy")
    page = tmp_path / "snippet.py"
    page.write_text(SNIPPET, encoding="utf-8")
    cache = ["--cache-dir", str(tmp_path / "cache")]  # another mypy may be running
    config = ["--config-file", str(ROOT / "pyproject.toml")]
    command = [sys.executable, "-m", "mypy", *cache, *config, str(page)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    revealed = re.findall(r'Revealed type is "(.*)"', done.stdout)
    plain = [re.sub(r"\b(?:ephyrus|builtins)(?:\.\w+)*\.", "", each) for each in revealed]
    assert plain == REVEALED
