"""The description of the interface as a page: plain HTML without any script."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha256
from html import escape
from typing import Any

__all__ = ["page", "policy"]

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1f24; background: #fff }
h1, h2 { line-height: 1.2 } h2 { border-bottom: 1px solid #d0d7de; margin-top: 2.5rem }
details { border: 1px solid #d0d7de; border-radius: 6px; margin: .4rem 0 }
summary { padding: .35rem .7rem; cursor: pointer } details > div { padding: 0 .9rem .6rem }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere }
b { display: inline-block; min-width: 4.5rem; font: 700 .8em ui-monospace, monospace }
td { padding: .1rem .8rem .1rem 0; vertical-align: top } p { margin: .4rem 0 }
@media (prefers-color-scheme: dark) { body { color: #e6edf3; background: #0d1117 }
  h2, details { border-color: #30363d } a { color: #6cb6ff } }
"""


def policy() -> str:
    """Give the policy for contents of the page: its own style and nothing else."""
    digest = b64encode(sha256(_STYLE.encode("utf-8")).digest()).decode("ascii")
    return f"default-src 'none'; style-src 'sha256-{digest}'; frame-ancestors 'none'"


def page(document: Mapping[str, Any]) -> str:
    """Write the page.

    Parameters
    ----------
    document : mapping
        An OpenAPI document.

    Returns
    -------
    str
        HTML.
    """
    title = escape(document["info"]["title"])
    groups: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            groups.setdefault(operation["tags"][0], []).append(
                "".join(_operation(path, method, operation))
            )
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width'>",
        f"<title>{title}</title><style>{_STYLE}</style>",
        f"<h1>{title}</h1><p>{escape(document['info']['description'])}</p>",
        "<p><a href=/openapi.json>OpenAPI document</a></p>",
        "<h2>Parameters</h2><p>Each operation names those that it has.</p><table>",
        *_parameters(document["components"]["parameters"]),
        "</table><h2>Failures</h2><table>",
        *(
            f"<tr><td>{name.rpartition('_')[2]}<td>{escape(each['description'])}"
            for name, each in sorted(document["components"]["responses"].items())
        ),
        "</table>",
    ]
    for name, operations in groups.items():
        parts += [f"<h2>{escape(name)}</h2>", *operations]
    return "".join(parts)


def _parameters(parameters: Mapping[str, Any]) -> Iterator[str]:
    """Write the table of all parameters."""
    for name in sorted(parameters):
        each = parameters[name]
        choices = each["schema"].get("enum")
        more = f" One of {', '.join(map(str, choices))}." if choices else ""
        yield (
            f"<tr><td><code>{escape(name)}</code><td>{escape(each['description'])}{escape(more)}"
        )


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    """Write one operation."""
    yield (
        f"<details><summary><b>{method.upper()}</b><code>{escape(path)}</code> "
        f"{escape(operation['summary'])}</summary><div>"
    )
    if "description" in operation:
        yield f"<p>{escape(operation['description'])}</p>"
    wanted = [
        f"{what}: <code>{escape(operation[key])}</code>"
        for key, what in (("x-scope", "Scope of a token"), ("x-right", "Right on the object"))
        if key in operation
    ]
    if wanted:
        yield f"<p>{'; '.join(wanted)}</p>"
    names = [each["$ref"].rpartition("/")[2] for each in operation["parameters"] if "$ref" in each]
    if names:
        yield "<p>Parameters: " + " ".join(f"<code>{escape(name)}</code>" for name in names)
    yield "<table>"
    for status, answer in operation["responses"].items():
        if "description" in answer:  # the others are the failures that all operations share
            yield f"<tr><td>{status}<td>{escape(answer['description'])}"
    yield "</table></div></details>"
