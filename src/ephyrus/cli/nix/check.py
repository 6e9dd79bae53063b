"""``ephyrus nix validate`` and ``ephyrus nix upgrade``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ephyrus.cli import console
from ephyrus.cli.failures import FINE, PROBLEMS, UNREADABLE, Failure, explained
from ephyrus.cli.nix.facts import opened
from ephyrus.nix.file import HDF_FF_VERSION
from ephyrus.nix.upgrade import upgrade as upgrade_file

__all__ = ["upgrade", "validate"]


def validate(files: Sequence[str], *, errors_only: bool, strict: bool, as_json: bool) -> int:
    """Check files against the rules of NIX; gives the exit code."""
    reports: list[dict[str, Any]] = []
    for path in files:
        report = _report(path)
        if errors_only:
            report["warnings"] = []
        reports.append(report)
        if not as_json:
            _show(report)
    if as_json:
        console.write_json(reports)
    if all("failure" in report for report in reports):
        return UNREADABLE
    is_bad = any(
        "failure" in report or report["errors"] or (strict and report["warnings"])
        for report in reports
    )
    return PROBLEMS if is_bad else FINE


def _report(path: str) -> dict[str, Any]:
    """Give what the validator says of a file."""
    try:
        with opened(path) as file:
            found = file.validate()
            messages = {
                kind: [
                    {"entity": _title(entity), "message": text}
                    for entity, texts in found[kind].items()
                    for text in texts
                ]
                for kind in ("errors", "warnings")
            }
    except (Failure, OSError, RuntimeError) as error:
        return {"path": path, "failure": explained(error), "errors": [], "warnings": []}
    return {"path": path, **messages}


def _title(entity: Any) -> str:
    words = getattr(entity, "_words", "entity")
    return f"{words} {entity.name}" if hasattr(entity, "name") else str(entity)


def _show(report: dict[str, Any]) -> None:
    path = console.plain(report["path"])
    if "failure" in report:
        console.note("error", report["failure"])
        return
    for kind in ("errors", "warnings"):
        for each in report[kind]:
            text = console.plain(f"{each['entity']}: {each['message']}")
            console.say(f"{path}: {kind[:-1]}: {text}")
    counts = [f"{len(report[kind])} {kind}" for kind in ("errors", "warnings")]
    console.say(f"{path}: {', '.join(counts)}")


def upgrade(files: Sequence[str]) -> int:
    """Bring files to the version that is written today; gives the exit code."""
    failed = 0
    now = ".".join(map(str, HDF_FF_VERSION))
    for path in files:
        try:
            was = ".".join(map(str, upgrade_file(Path(path).expanduser())))
        except (Failure, OSError, RuntimeError) as error:
            console.note("error", explained(error))
            failed += 1
            continue
        console.say(console.plain(f"{path}: {was} -> {now}" if was != now else f"{path}: is {now}"))
    if not failed:
        return FINE
    return UNREADABLE if failed == len(files) else PROBLEMS
