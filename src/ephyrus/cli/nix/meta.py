"""``ephyrus nix metadata``: sections and properties as text, JSON or YAML."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from ephyrus.cli import console
from ephyrus.cli.failures import Failure
from ephyrus.cli.nix.facts import opened, properties_of

__all__ = ["run"]


def run(path: str, *, section: str | None, as_json: bool, as_yaml: bool) -> int:
    """Print the metadata of a file; gives the exit code."""
    if as_json and as_yaml:
        raise Failure("--json and --yaml: choose one of them")
    with opened(path) as file:
        roots: list[Any] = list(file.sections)
        if section is not None:
            roots = file.find_sections(lambda each: section in (each.name, each.type))
            if not roots:
                raise Failure(f"{path}: no section with the name or type {section!r}")
        found = [_entry(each) for each in roots]
        if as_json:
            console.write_json(found)
        elif as_yaml:
            for line in _yaml(found, 0):
                console.say(line)
        else:
            for each in found:
                _show(each, 0)
    return 0


def _entry(section: Any) -> dict[str, Any]:
    link = section.link
    entry: dict[str, Any] = {"name": section.name, "type": section.type}
    for name in ("definition", "repository", "reference"):
        if getattr(section, name):
            entry[name] = getattr(section, name)
    if link is not None:
        entry["link"] = link.name
    entry["properties"] = properties_of(section)
    entry["sections"] = [_entry(each) for each in section.sections]
    return entry


def _show(entry: dict[str, Any], level: int) -> None:
    blanks = "  " * level
    console.say(blanks + console.plain(f"{entry['name']}  [{entry['type']}]"))
    for name, each in entry["properties"].items():
        values = ", ".join(map(str, each["values"]))
        unit = f" {each['unit']}" if "unit" in each else ""
        console.say(blanks + console.plain(f"  {name} = {values}{unit}"))
    for inner in entry["sections"]:
        _show(inner, level + 1)


def _yaml(value: Any, level: int) -> Iterator[str]:
    """Give lists and mappings as YAML, block style; texts and numbers as JSON has them."""
    blanks = "  " * level
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _yaml_entry(f"{blanks}{json.dumps(str(name))}:", each, level)
    else:
        for each in value:
            yield from _yaml_entry(f"{blanks}-", each, level)


def _yaml_entry(head: str, value: Any, level: int) -> Iterator[str]:
    if isinstance(value, dict | list) and value:
        yield head
        yield from _yaml(value, level + 1)
    else:
        yield f"{head} {_scalar(value)}"


def _scalar(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else (".inf" if value > 0 else "-.inf")
    return json.dumps(value)
