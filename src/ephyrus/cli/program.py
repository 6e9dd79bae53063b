"""The program: one run of the command line, with every ending in order."""

from __future__ import annotations

import logging
import os
import signal
import sys
import warnings
from types import FrameType, TracebackType
from typing import Any, TextIO

import typer
from typer.core import TyperGroup

from ephyrus.cli.console import note, prepare_streams
from ephyrus.cli.failures import FINE, INTERRUPTED, PIPE_CLOSED, UNREADABLE, Failure, explained
from ephyrus.errors import EphyrusError

__all__ = ["Commands", "main"]

log = logging.getLogger(__name__)


class Commands(TyperGroup):
    """The group of commands: errors are one line on standard error, and an exit code."""

    def main(
        self,
        args: Any = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line and give (or exit with) its exit code."""
        ending = Ending()
        with ending:
            result = super().main(
                args, prog_name, complete_var, False, windows_expand_args, **extra
            )
            ending.code = result if isinstance(result, int) else FINE
        if standalone_mode:
            sys.exit(ending.code)
        return ending.code

    def invoke(self, ctx: Any) -> Any:
        """Run the command before the framework gives interruptions meanings of its own."""
        ending = Ending()
        with ending:
            return super().invoke(ctx)
        raise typer.Exit(ending.code)


class Ending:
    """Turns whatever ends a command into an exit code and one line.

    This is the last resort of the program: a fault of ours is said to be one, and the traceback is
    for those who ask for it.

    Attributes
    ----------
    code : int
        The exit code.
    """

    def __init__(self) -> None:
        self.code = UNREADABLE

    def __enter__(self) -> Ending:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if isinstance(error, KeyboardInterrupt | typer.Abort):
            self.code = INTERRUPTED
            note("error", "stopped by Ctrl-C; nothing was left half-written")
            return True
        if isinstance(error, BrokenPipeError):
            self.code = PIPE_CLOSED
            return True
        if not isinstance(error, Exception) or isinstance(error, typer.Exit):
            return False
        log.debug("the command failed", exc_info=error)
        self.code = getattr(error, "exit_code", UNREADABLE)
        note("error", _line(error))
        return True


def _line(error: Exception) -> str:
    """Say in one line what ended the command."""
    if hasattr(error, "format_message"):  # wrong usage, told by the framework
        command = getattr(getattr(error, "ctx", None), "command_path", "ephyrus")
        message = str(error.format_message()).rstrip(".")
        return f"{message[:1].lower()}{message[1:]} ('{command} --help' shows how it is used)"
    if isinstance(error, Failure | EphyrusError | OSError | MemoryError):
        return explained(error)
    return (
        f"a fault of ephyrus itself: {type(error).__name__}: {error} "
        "('ephyrus --debug ...' shows where; please report it with the file's format)"
    )


def main() -> int:
    """Run ``ephyrus`` with the arguments of the process; the entry point of the script.

    Returns
    -------
    int
        The exit code.
    """
    from ephyrus.cli.app import app

    prepare_streams()
    warnings.showwarning = _show_warning
    signal.signal(signal.SIGTERM, _terminate)
    code: int = typer.main.get_command(app).main(prog_name="ephyrus", standalone_mode=False)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:  # the interpreter would complain when it flushes at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
            code = PIPE_CLOSED
    return code


def _terminate(number: int, frame: FrameType | None) -> None:
    """End by way of every ``finally``, so that unfinished files are removed."""
    sys.exit(128 + number)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a Python warning as one line (takes the place of ``warnings.showwarning``)."""
    note("warning", str(message))
