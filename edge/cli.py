"""The command line: puts the program together from entry points and turns errors into one line and an exit code."""

from __future__ import annotations

import argparse
import os
import sys
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import TYPE_CHECKING, Protocol

from edge import __version__
from edge.errors import EdgeloupeError

if TYPE_CHECKING:
    from collections.abc import Sequence

GROUP = "edgeloupe.commands"
DONE, NO, BAD_USE = 0, 1, 2
"""Exit codes: done; the answer is no (gate failed, parity lost); bad use or bad input."""


class Command(Protocol):
    """A module behind one verb. Heavy imports wait until `run`, so that help is quick.

    A module may name packages beyond a device's in `NEEDS`; where they are missing its verb is not shown.
    """

    HELP: str  # one line

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare options."""
        ...

    def run(self, args: argparse.Namespace) -> int:
        """Do it; give the exit code. Raises EdgeloupeError for what the user can mend."""
        ...


def commands() -> dict[str, EntryPoint]:
    """List the installed commands by name."""
    return {entry.name: entry for entry in sorted(entry_points(group=GROUP))}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give the exit code."""
    args_given = list(sys.argv[1:] if argv is None else argv)
    known = commands()
    parser = argparse.ArgumentParser(
        prog="edgeloupe", description="An edge-device inspection appliance.", allow_abbrev=False
    )
    parser.add_argument("--version", action="version", version=f"edgeloupe {__version__}")
    verbs = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    asked = next((arg for arg in args_given if not arg.startswith("-")), None)
    for name, entry in known.items():
        command: Command = entry.load()
        absent = [package for package in getattr(command, "NEEDS", ()) if find_spec(package) is None]
        if absent and name == asked:
            print(f"edgeloupe: {name} needs {absent[0]}: pip install 'edgeloupe[workshop]'", file=sys.stderr)
            return BAD_USE
        if absent:
            continue
        verb = verbs.add_parser(name, help=command.HELP, description=command.HELP, allow_abbrev=False)
        if name == asked:
            command.add_arguments(verb)
            verb.set_defaults(run=command.run)
    args = parser.parse_args(args_given)
    try:
        return int(args.run(args))
    except EdgeloupeError as error:
        print(f"edgeloupe: {error}", file=sys.stderr)
        return BAD_USE
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output went away, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE


if __name__ == "__main__":
    sys.exit(main())
