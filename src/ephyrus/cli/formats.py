"""``ephyrus formats``: what is read and written, and one page for each format."""

from __future__ import annotations

import inspect
from typing import Any

from rich.console import Group
from rich.padding import Padding
from rich.text import Text

from ephyrus.cli import console
from ephyrus.cli.inputs import named_format
from ephyrus.recording import Format, Option
from ephyrus.registry import all_formats, format_module

__all__ = ["run"]

HELD = {
    "AnalogSignal": "signals",
    "IrregularlySampledSignal": "irregular signals",
    "SpikeTrain": "spikes",
    "Event": "events",
    "Epoch": "epochs",
    "ImageSequence": "images",
}


def run(name: str | None, *, as_json: bool) -> int:
    """List formats, or explain one; gives the exit code."""
    chosen = all_formats() if name is None else [named_format(name)]
    if as_json:
        console.write_json([_entry(declared) for declared in chosen])
    elif name is None:
        console.out().print(_overview(chosen))
        console.say("'ephyrus formats NAME' explains one of them and its options.")
    else:
        console.out().print(_page(chosen[0]))
    return 0


def _entry(declared: Format) -> dict[str, Any]:
    return {
        "name": declared.name,
        "label": declared.label,
        "io_class": declared.io_class,
        "extensions": list(declared.extensions),
        "companions": list(declared.companions),
        "is_folder": declared.mode == "dir",
        "reads": True,
        "writes": bool(declared.writes),
        "holds": list(declared.holds),
        "has_protocol": declared.has_protocol,
        "signal_group_modes": list(declared.signal_group_modes),
        "extras": [extra for _, extra in declared.extras],
        "options": [_option_entry(option) for option in declared.options],
        "write_options": [_option_entry(option) for option in declared.write_options],
        "description": inspect.getdoc(format_module(declared.name)) or "",
    }


def _option_entry(option: Option) -> dict[str, Any]:
    return {
        "name": option.name,
        "kind": option.kind,
        "default": option.default,
        "choices": list(option.choices),
        "aliases": list(option.aliases),
        "doc": option.doc,
    }


def _overview(formats: list[Format]) -> Any:
    table = console.table("name", "format", "endings", "reads", "writes", "holds")
    for declared in formats:
        table.add_row(
            declared.name,
            declared.label,
            _endings(declared),
            "yes",
            "yes" if declared.writes else "",
            _held(declared),
        )
    return table


def _endings(declared: Format) -> str:
    folder = ["folder"] if declared.mode == "dir" else []
    return " ".join(folder + [f".{ending}" for ending in declared.extensions])


def _held(declared: Format) -> str:
    held = [HELD[name] for name in declared.holds if name in HELD]
    return ", ".join(held + (["stimuli"] if declared.has_protocol else []))


def _page(declared: Format) -> Group:
    """Compose the page of a format."""
    facts = console.facts()
    facts.add_row("name", declared.name)
    facts.add_row("class in Python", f"ephyrus.io.{declared.io_class}")
    facts.add_row("name endings", _endings(declared))
    facts.add_row("reads", "yes")
    facts.add_row("writes", "yes" if declared.writes else "no")
    facts.add_row("holds", _held(declared))
    if declared.extras:
        needs = ", ".join(f"{package} (ephyrus[{extra}])" for package, extra in declared.extras)
        facts.add_row("needs", needs)
    parts: list[Any] = [Text(declared.label, style="bold"), facts, Text()]
    for title, options in (
        ("Options of reading (--option NAME=VALUE)", declared.options),
        ("Options of writing (--write-option NAME=VALUE)", declared.write_options),
    ):
        if options:
            parts.append(console.section(title, _option_table(options)))
    text = inspect.getdoc(format_module(declared.name)) or ""
    return Group(*parts, Padding(Text(text.replace("``", "")), (0, 0, 0, 1)))


def _option_table(options: tuple[Option, ...]) -> Any:
    table = console.table("name", "kind", "default", "meaning")
    for option in options:
        choices = f" (one of {', '.join(map(str, option.choices))})" if option.choices else ""
        older = f" (older name: {', '.join(option.aliases)})" if option.aliases else ""
        table.add_row(
            option.name, _kind(option), _shown(option.default), option.doc + choices + older
        )
    return table


def _kind(option: Option) -> str:
    """Say what is to be typed."""
    kinds = {
        "frequency": "frequency (30000 or 30kHz)",
        "time": "time (0.5 or 500ms)",
        "list": "list, with commas",
        "bool": "yes or no",
        "int": "whole number",
        "float": "number",
        "dtype": "numpy type (int16, >f4)",
        "unit": "unit (mV)",
        "any": "text",
    }
    return kinds.get(option.kind, option.kind)


def _shown(default: Any) -> str:
    if default is None or default == "":
        return ""
    if isinstance(default, bool):
        return "yes" if default else "no"
    return str(default)
