"""The pages on NIX print what they say, and draw the figures that they show."""

import re

import pytest

from tests.golden import ROOT

PAGES = sorted(
    page for page in (ROOT / "docs" / "nix").glob("*.md") if "```python" in page.read_text("utf-8")
)
TUTORIALS = {
    *("regular", "irregular", "events", "series", "images", "region", "regions", "spikes"),
    *("retrieving", "units", "feature-untagged", "feature-tagged", "feature-indexed"),
    *("sources", "metadata"),
}
BLOCK = re.compile(r"```python\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", flags=re.DOTALL)


def test_every_tutorial_has_a_page():
    assert {page.stem for page in PAGES} >= TUTORIALS | {"beyond", "safety", "names", "index"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_prints(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    text = page.read_text("utf-8")
    names = {}
    for code, shown in BLOCK.findall(text):
        exec(compile(code, page.name, "exec"), names)  # noqa: S102 - the page's own text
        assert capsys.readouterr().out == shown, code
    drawn = {path.name for path in tmp_path.glob("*.png")}
    assert drawn == set(re.findall(r"```\{image\} generated/(\S+)", text))


def test_every_page_is_in_the_list():
    listed = (ROOT / "docs" / "nix" / "index.md").read_text("utf-8").splitlines()
    pages = {page.stem for page in (ROOT / "docs" / "nix").glob("*.md")} - {"index"}
    assert pages <= set(listed)
