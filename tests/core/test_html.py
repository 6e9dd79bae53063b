"""HTML for notebooks: what it says, that it is well formed, and that everything is escaped."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
import quantities as pq

from ephyrus.core import AnalogSignal, Block, ChannelView, Epoch, Event, Group, Segment, SpikeTrain
from tests.core.fake_sources import FakeSignals

EVIL = "<script>alert('x')</script>&"


class Page(HTMLParser):
    """Checks that tags are closed in order, and collects text and tags."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.texts, self.opened = [], [], [], 0
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.append(tag)
        self.opened += tag == "details" and ("open", None) in attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data.strip())


def signal(**more):
    facts = {"units": "uV", "sampling_rate": 1 * pq.kHz, "name": "LFP"}
    return AnalogSignal(np.zeros((1000, 2)), **(facts | more))


def test_tree_of_a_block():
    block = Block(name="session", description="two trials", subject="m07")
    for number in range(2):
        segment = Segment(name=f"trial {number}")
        segment.analogsignals.append(signal())
        block.segments.append(segment)
    page = Page(block._repr_html_())
    line = "1,000 samples × 2 channels, uV, float64, 1 kHz, 0 s to 1 s"
    assert [text for text in page.texts if text] == [
        "Block 'session'",
        *("Holds", "2 Segments", "Description", "two trials"),
        *("Segment 'trial 0'", "1 AnalogSignal, 0 s to 1 s", "AnalogSignal 'LFP'", line),
        *("Segment 'trial 1'", "1 AnalogSignal, 0 s to 1 s", "AnalogSignal 'LFP'", line),
        *("Annotations (1)", "Name", "Value", "subject", "'m07'"),
    ]
    assert page.opened == 3  # both segments and the annotations
    assert block._repr_html_().startswith('<div class="ephyrus-object" style="')


def test_facts_of_a_signal():
    found = signal(
        file_origin="a.abf",
        array_annotations={"channel_names": ["a", "b"], "gain": [1.0, 2.0] * pq.mV},
    )._repr_html_()
    assert [text for text in Page(found).texts if text] == [
        "AnalogSignal 'LFP'",
        *("Size", "1,000 samples × 2 channels", "Unit", "uV", "Type", "float64"),
        *("Rate", "1 kHz", "Time", "0 s to 1 s", "Origin", "a.abf"),
        *("Array annotations (2)", "Name", "Value"),
        *("channel_names", "['a' 'b']", "gain", "[1. 2.] mV"),
    ]


@pytest.mark.parametrize(
    "obj",
    [
        Block(name=EVIL, description=EVIL, file_origin=EVIL, **{EVIL: EVIL}),
        Event([1] * pq.s, labels=[EVIL], name=EVIL, array_annotations={EVIL: [EVIL]}),
        Epoch([1] * pq.s, durations=1, labels=[EVIL], key=EVIL),
        SpikeTrain([1] * pq.s, t_stop=2, description=EVIL),
        ChannelView(signal(name=EVIL), [0], name=EVIL),
    ],
    ids=lambda obj: type(obj).__name__,
)
def test_everything_is_escaped(obj):
    group = Group(name=EVIL)
    if not isinstance(obj, Block):
        group.add(obj)
    for found in (obj._repr_html_(), group._repr_html_()):
        assert "<script" not in found
        assert not re.search(r"&(?!amp;|lt;|gt;|#x27;|quot;)", found)
        assert set(Page(found).tags) <= {
            *("div", "span", "table", "thead", "tbody", "tr", "th", "td", "details", "summary"),
        }


def test_large_trees_are_bounded():
    block = Block()
    for _ in range(500):
        segment = Segment()
        segment.events = [Event([1] * pq.s) for _ in range(50)]
        block.segments.append(segment)
    found = block._repr_html_()
    assert len(found) < 60_000
    assert "and 480 more Segments" not in found  # cut before: 300 lines in all
    assert found.count("and more: raise max_lines") == 1
    assert Page(found).texts.count("Event") <= 300


def test_lazy_data_stay_unread():
    source = FakeSignals(np.zeros((500, 2), np.int16))
    lazy = AnalogSignal._create(
        np.empty((0, 2), np.float32), "mV", sampling_rate=100.0, source=source
    )
    assert "not loaded" in lazy._repr_html_()
    assert "500 samples × 2 channels" in lazy._repr_html_()
    assert source.reads == []
