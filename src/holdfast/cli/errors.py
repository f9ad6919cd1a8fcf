"""From whatever stopped a command to one sentence and an exit status."""

from __future__ import annotations

import signal
import traceback

import click

from holdfast.cli.frame import Frame
from holdfast.cli.output import Printer
from holdfast.cli.streams import StandardStreams
from holdfast.cli.text import _, translate_error
from holdfast.errors import CommandLineRefused, ExitCode, HoldfastError, InternalError, Interrupted, OutputFailed
from holdfast.runtime.unforeseen import named

_BROKEN_PIPE = 128 + signal.SIGPIPE


def report(error: BaseException, frame: Frame, streams: StandardStreams) -> int:
    """Says what went wrong, on standard error, and returns the exit status that goes with it."""
    found = _named(error)
    if streams.failure is not None and streams.is_cause(error):
        if isinstance(streams.failure, BrokenPipeError):
            return _BROKEN_PIPE  # whoever read our output has what they wanted, and gone
        found = OutputFailed(reason=streams.failure.strerror or str(streams.failure))
    if isinstance(found, InternalError) or frame.debug:
        _trace(error, frame)
    status = _interrupted_status(frame) if isinstance(found, Interrupted) else found.exit_code
    print_error(found, status, frame.printer)
    return status


def print_error(error: HoldfastError, status: int, printer: Printer) -> None:
    """One sentence with object, cause and next step; a document with --json."""
    message, hint = translate_error(error)
    if printer.json_output:
        printer.message("exit_error", stream=printer.err, code=error.code, message=message, hint=hint, exit_code=status)
        return
    sentence = message if message.endswith((".", "!", "?")) else f"{message}."
    printer.err.write(f"{printer.paint(_('Error:'), 'red', printer.err)} {sentence} {hint}".rstrip() + "\n")


def _named(error: BaseException) -> HoldfastError:
    """The error as one of ours."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return Interrupted()
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        command = context.command_path if isinstance(context, click.Context) else "holdfast"
        return CommandLineRefused(detail=" ".join(error.format_message().split()), command=command)
    return named(error)


def _interrupted_status(frame: Frame) -> int:
    number = frame.cancel.signal_number
    return 128 + number if number else ExitCode.INTERRUPTED


def _trace(error: BaseException, frame: Frame) -> None:
    """The traceback, for --debug alone."""
    if frame.debug:
        traceback.print_exception(error, file=frame.printer.err)
