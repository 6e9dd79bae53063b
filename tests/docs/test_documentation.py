"""Every Python block of the documentation runs; pages that need a service have a test of theirs."""

import re

import pytest

from tests.golden import ROOT

PAGES = sorted(
    page
    for page in (ROOT / "docs").rglob("*.md")
    if "```python" in page.read_text("utf-8") and page.parent.name != "service"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for block in re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL):
        exec(compile(block, page.name, "exec"), namespace)  # noqa: S102 - the documentation's text


def test_there_are_pages():
    assert {"start", "large", "damaged", "convert", "plot"} <= {page.stem for page in PAGES}


def test_links_between_files_exist():
    for page in (*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"):
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page}: {target}"
