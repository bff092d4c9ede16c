"""The group of all commands: whatever goes wrong in one of them ends in one line on stderr, and an exit code."""

import os
import sys
from typing import Any

import click

from pipeline.cli.interrupts import EXIT_CODE, INTERRUPTED
from pipeline.engine.cycles import seldom
from pipeline.errors import PrepError, without_passwords


class Stop(click.ClickException):
    """An error as one line on stderr, and an exit code."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code  # type: ignore[misc]  # click declares it for the class


class Prep(click.Group):
    """The commands in the order of the flow; whatever goes wrong ends in one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """Return the commands in the order they were written."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List each command with the whole first sentence of its help."""
        rows = [(name, self.commands[name].get_short_help_str(limit=200)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  click's signature
        """Run a command; turn an error into one line."""
        seldom()
        try:
            return super().invoke(ctx)
        except PrepError as error:
            raise Stop(str(error), error.exit_code) from error
        except KeyboardInterrupt as error:
            raise Stop(INTERRUPTED, EXIT_CODE) from error
        except BrokenPipeError:
            sys.stderr.close()
            raise SystemExit(0) from None
        except OSError as error:
            raise Stop(f"{error.filename or 'the system'}: {error.strerror or error}") from error
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if os.environ.get("PREP_DEBUG"):
                raise
            message = without_passwords(f"{type(error).__name__}: {' '.join(str(error).split())}")
            raise Stop(f"a defect of prep: {message}. Please report it; PREP_DEBUG=1 shows where.") from error
