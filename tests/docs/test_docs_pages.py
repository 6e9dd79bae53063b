"""Every Python block of the documentation runs; the commands that it shows are accepted."""

import re
import shlex

import pytest

from ephyrus.registry import format_names
from tests.golden import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("how-to/*.md")])
BY_NAME = [page.relative_to(DOCS).as_posix() for page in PAGES]


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.mark.parametrize("name", BY_NAME)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for block in blocks((DOCS / name).read_text(encoding="utf-8"), "python"):
        exec(compile(block, name, "exec"), namespace)  # noqa: S102 - the page's own text


@pytest.mark.parametrize("name", [*BY_NAME, "../README.md"])
def test_commands_that_are_shown_exist(name):
    """Commands, options and formats on a page are those of the command line."""
    import typer.main

    from ephyrus.cli import app

    commands = typer.main.get_command(app).commands
    text = (DOCS / name).read_text(encoding="utf-8")
    shown = [line for block in blocks(text, "console") for line in block.splitlines()]
    shown += re.findall(r"`(ephyrus [a-z]+[^`]*)`", text)
    for line in shown:
        words = shlex.split(line, comments=True)
        if words[:1] != ["ephyrus"] or words[1].startswith("--"):
            continue
        command, *rest = words[1:]
        found = commands[command]
        while rest and rest[0] in getattr(found, "commands", ()):
            found = found.commands[rest.pop(0)]
        options = {o for parameter in found.params for o in parameter.opts}
        assert {word for word in rest if word.startswith("-")} <= options, line
        if words[1] == "formats" and len(words) > 2:
            assert words[2] in [*format_names(), "NAME"], line
