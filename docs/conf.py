"""Sphinx configuration; builds offline, and a warning is an error."""

import contextlib
import inspect
import io
import re
import shutil
import tempfile
from pathlib import Path

import typer
from typer.testing import CliRunner

import ephyrus
from ephyrus.cli import app as command_line
from ephyrus.registry import all_formats, format_module

project = "Ephyrus"
author = "the Ephyrus developers"
copyright = "2026, the Ephyrus developers"
release = version = ephyrus.__version__

extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
html_theme = "pydata_sphinx_theme"
html_theme_options = {"show_nav_level": 2, "navigation_with_keys": False}
exclude_patterns = ["_build", "examples", "reference/generated"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_enable_extensions = ["colon_fence", "deflist"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

HERE = Path(__file__).parent
FORMATS = HERE / "formats" / "generated"
FIGURES = HERE / "nix" / "generated"
COMMANDS = HERE / "reference" / "generated" / "commands.md"
PLAIN = {"COLUMNS": "96", "TERMINAL_WIDTH": "96", "NO_COLOR": "1", "TERM": "dumb"}


def options_table(title, options):
    """Give a list-table of options in reStructuredText."""
    if not options:
        return []
    lines = [f".. list-table:: {title}", "   :header-rows: 1", ""]
    rows = [("Option", "Kind", "Default", "Meaning")]
    rows += [(f"``{o.name}``", o.kind, f"``{o.default!r}``", o.doc) for o in options]
    for row in rows:
        lines += [f"   * - {row[0]}", *(f"     - {cell}" for cell in row[1:])]
    return [*lines, ""]


def format_page(declared):
    """Write the page of one format from its declaration and its docstring."""
    title = declared.label
    reads = ", ".join(f"``{name}``" for name in declared.holds)
    writes = ", ".join(f"``{name}``" for name in declared.writes) or "not written"
    lines = [
        title,
        "=" * len(title),
        "",
        f":Class: ``ephyrus.io.{declared.io_class}``",
        f":Name: ``{declared.name}``",
        f":Extensions: {', '.join(declared.extensions) or 'none'}",
        f":Holds: {reads}",
        f":Writes: {writes}",
        "",
        inspect.getdoc(format_module(declared.name)) or "",
        "",
        *options_table("Options of opening", declared.options),
        *options_table("Options of writing", declared.write_options),
    ]
    return "\n".join(lines) + "\n"


def write_format_pages(app):
    """Generate the pages of all formats and the table of what they support."""
    FORMATS.mkdir(parents=True, exist_ok=True)
    for old in FORMATS.glob("*.rst"):
        old.unlink()
    for declared in all_formats():
        (FORMATS / f"{declared.name}.rst").write_text(format_page(declared), encoding="utf-8")


def command_words(program):
    """Give the words of every command, and of the commands below it."""
    for name, command in program.commands.items():
        yield [name]
        for below in getattr(command, "commands", {}):
            yield [name, below]


def write_command_page(app):
    """Generate the help of every command, as the command line shows it."""
    program = typer.main.get_command(command_line)
    parts = []
    for words in command_words(program):
        shown = CliRunner().invoke(command_line, [*words, "--help"], env=PLAIN, terminal_width=96)
        text = "\n".join(line.rstrip() for line in shown.output.strip().splitlines())
        title = " ".join(["ephyrus", *words])
        parts += [f"{'#' * (len(words) + 1)} {title}", "", "```text", text, "```", ""]
    COMMANDS.parent.mkdir(parents=True, exist_ok=True)
    COMMANDS.write_text("\n".join(parts), encoding="utf-8")


def draw_figures(app):
    """Run the pages on NIX and keep the figures that they draw."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    for page in sorted((HERE / "nix").glob("*.md")):
        blocks = re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), flags=re.DOTALL)
        with (
            tempfile.TemporaryDirectory() as folder,
            contextlib.chdir(folder),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            names = {}
            for block in blocks:
                exec(compile(block, str(page), "exec"), names)  # noqa: S102 - the page's own text
            for figure in Path(folder).glob("*.png"):
                shutil.copy(figure, FIGURES)


def setup(app):
    """Connect the generation of pages and figures."""
    app.connect("builder-inited", draw_figures)
    app.connect("builder-inited", write_format_pages)
    app.connect("builder-inited", write_command_page)
