"""The tutorial says what is true: values of what its code makes."""

import re

import numpy as np
import pytest
import quantities as pq

from tests.golden import ROOT


def test_values_of_the_tutorial(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    made = {}
    for block in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(compile(block, "tutorial.md", "exec"), made)  # noqa: S102 - the page's own text
    assert made["block"].describe().split("\n") == [
        "Block 'mouse 7, day 2': 1 Segment, 1 Group",
        "├─ Segment 'session': 1 AnalogSignal, 3 SpikeTrains, 1 Event, 1 Epoch, 0 s to 10 s",
        "│  ├─ AnalogSignal 'LFP': 10,000 samples × 2 channels, uV, float64, 1 kHz, 0 s to 10 s",
        "│  ├─ SpikeTrain 'unit 0': 40 spikes, 0 s to 10 s",
        "│  ├─ SpikeTrain 'unit 1': 90 spikes, 0 s to 10 s",
        "│  ├─ SpikeTrain 'unit 2': 15 spikes, 0 s to 10 s",
        "│  ├─ Event 'light': 4 events, 1.5 s to 7.5 s, labels 'weak', 'strong'",
        "│  └─ Epoch 'trial': 4 epochs, 1.3 s to 8.1 s, labels 'weak', 'strong'",
        "└─ Group 'same electrode': 2 SpikeTrains",
        "   ├─ SpikeTrain 'unit 0': 40 spikes, 0 s to 10 s",
        "   └─ SpikeTrain 'unit 1': 90 spikes, 0 s to 10 s",
    ]
    trials = made["trials"].segments
    assert [trial.annotations["power"].item() for trial in trials] == [1, 5, 1, 5]
    assert trials[0].annotations["power"].units == pq.mW
    assert [trial.analogsignals[0].shape for trial in trials] == [(800, 2)] * 4
    assert [trial.events[0].times.tolist() for trial in trials] == [pytest.approx([0.2])] * 4
    np.testing.assert_allclose(made["stacked"][1], made["samples"][3300:4100])
    assert float(made["peak"].rescale("ms")) == pytest.approx(120, abs=15)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("session.png", "average.png", "session.pdf", "session.pkl"),
    }
    said = capsys.readouterr().out
    assert '"s"' in said  # the refusal names the unit
    assert "<Epoch: weak@1.3 s for 0.8" in said
