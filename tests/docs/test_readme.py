"""Every Python block of the README runs, in order, in one namespace."""

import re

import pytest

from tests.golden import ROOT


def python_blocks(text):
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def test_readme_examples_run(tmp_path, monkeypatch, capsys):
    blocks = python_blocks((ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(blocks) >= 4
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)  # noqa: S102 - the README's own text
    assert (tmp_path / "made.vhdr").exists()
    assert namespace["second"].shape == (10_000, 2)
    assert namespace["part"].shape == (10_000, 6 + 2)
    assert "10000.0 Hz" in capsys.readouterr().out


def test_readme_commands_exist():
    from ephyrus.cli import main

    assert callable(main)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make (\w+)", text):
        if target in ("run", "test", "docs"):
            assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_no_machine_paths(name):
    assert not re.search(r"/(work|root|home)/", (ROOT / name).read_text(encoding="utf-8"))
