"""Derives an IO class from the declaration of a format.

Those that do more than the others (``NixIO`` edits files) have a base class of their own.
"""

from __future__ import annotations

import importlib
import inspect
from functools import cache
from typing import Any

from ephyrus import core
from ephyrus.core import Block, Segment
from ephyrus.io.basefromrawio import BaseFromRaw, protocol_reader, signature
from ephyrus.recording import Format, Option
from ephyrus.registry import format_module

__all__ = ["io_class"]

_BASES = {"nix": "ephyrus.io.nixio"}  # module of the base class, which has the name of the IO class


@cache
def io_class(format_name: str) -> type[BaseFromRaw]:
    """Make the IO class of a format (imports this one format)."""
    module = format_module(format_name)
    declared = module.FORMAT
    body: dict[str, Any] = {
        "__module__": "ephyrus.io",
        "__qualname__": declared.io_class,
        "__doc__": _documentation(declared, inspect.getdoc(module) or declared.label),
        "__signature__": signature(declared),
        "format": declared,
        "is_readable": True,
        "is_writable": bool(declared.writes),
        "supported_objects": [core.class_by_name[name] for name in declared.holds],
        "readable_objects": [Block, Segment],
        "writeable_objects": [core.class_by_name[name] for name in declared.writes],
        "has_header": bool(declared.mode != "fake"),
        "read_params": {Block: _parameters(declared.options)},
        "write_params": {Block: _parameters(declared.write_options)} if declared.writes else {},
        "name": declared.label,
        "description": (inspect.getdoc(module) or declared.label).split("\n\n")[0],
        "extensions": list(declared.extensions),
        "mode": declared.mode,
    }
    if declared.has_protocol:
        body["read_protocol"] = protocol_reader
    base: type[BaseFromRaw] = BaseFromRaw
    if format_name in _BASES:
        base = getattr(importlib.import_module(_BASES[format_name]), declared.io_class)
        body["__doc__"] = inspect.getdoc(base)
        del body["__signature__"]
    return type(declared.io_class, (base,), body)


def _parameters(options: tuple[Option, ...]) -> list[tuple[str, dict[str, Any]]]:
    """Give options in the form that graphical interfaces for Neo read."""
    return [
        (
            option.name,
            {
                "value": option.default,
                "label": option.doc,
                "type": type(option.default),
                "possible": list(option.choices) or None,
            },
        )
        for option in options
    ]


def _documentation(declared: Format, text: str) -> str:
    """Compose the class docstring from the module's text and the options."""
    lines = [text, "", "Parameters", "----------", "filename : path-like", "    The recording."]
    for option in declared.options:
        lines += [f"{option.name} : {option.kind}, default {option.default!r}", f"    {option.doc}"]
    return "\n".join(lines)
