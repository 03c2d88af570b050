"""The command line's edge: every error of ours becomes one line on stderr and an exit code."""

import sys
from enum import IntEnum
from typing import Any

import typer
from typer.core import TyperGroup

from callscribe import errors
from callscribe.cli.output import NotWritten, drop_unwritten, notice


class ExitCode(IntEnum):
    """What a script can tell from the exit code."""

    OK = 0
    JOB_FAILED = 1
    FOUND_MISSING = 1
    USAGE = 2
    NOT_AUTHORISED = 3
    UNREACHABLE = 4
    TIMED_OUT = 5
    REFUSED = 6
    NOT_WRITTEN = 7


EXIT_CODES_HELP = (
    "**Exit codes**: 0 done · 1 a recording could not be transcribed, or a receiver did not accept, "
    "or `doctor` found something missing · "
    "2 the command is not right, or a file is no recording or cannot be read · 3 not authorised · "
    "4 service unreachable · 5 timed out waiting (the job goes on: `callscribe result`) · "
    "6 refused by the service, or not found · 7 a result could not be written (it is kept: `callscribe result`). "
    "With several files the first failure counts."
)


class UsageError(errors.CallscribeError):
    """The command cannot be carried out as it was given; the message says what to give instead."""


class Refused(errors.CallscribeError):
    """The service does not do this as things stand; the message says why and what helps."""


class CommandEdge(TyperGroup):
    """Runs the commands; what they raise of ours ends here."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for. Raises typer.Exit with the code of an error."""
        try:
            return super().invoke(ctx)
        except errors.CallscribeError as error:
            notice(f"Error: {error}")
            raise typer.Exit(exit_code(error)) from error
        except BrokenPipeError as error:  # whoever read stdout has had enough, and knows it
            raise typer.Exit(ExitCode.NOT_WRITTEN) from error
        finally:
            drop_unwritten()


def exit_code(error: errors.CallscribeError) -> ExitCode:
    """The code of the nearest class in the table."""
    codes: dict[type[BaseException], ExitCode] = {
        UsageError: ExitCode.USAGE,
        NotWritten: ExitCode.NOT_WRITTEN,
        errors.Invalid: ExitCode.USAGE,
        errors.Unauthenticated: ExitCode.NOT_AUTHORISED,
        errors.Forbidden: ExitCode.NOT_AUTHORISED,
        errors.Unavailable: ExitCode.UNREACHABLE,
        errors.OutboundFailed: ExitCode.UNREACHABLE,
        errors.CallscribeError: ExitCode.REFUSED,
    }
    if "callscribe.client" in sys.modules:  # who has not loaded it has none of its errors, nor perhaps its packages
        from callscribe import client

        codes |= {
            client.NotAuthorised: ExitCode.NOT_AUTHORISED,
            client.ServiceUnavailable: ExitCode.UNREACHABLE,
            client.WaitedTooLong: ExitCode.TIMED_OUT,
        }
    return next(codes[kind] for kind in type(error).__mro__ if kind in codes)
