"""The command line: `python -m ctharmony init | add | withdraw | check | status | picture`.

Each command is a module with `fill(parser)` and `run(arguments) -> exit code`; it is imported only
when it is asked for, so that `--help` answers at once.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from ctharmony.cohort import StudyError

COMMANDS = {
    "init": "write the config and sheets of a new study from folders of scans",
    "add": "add sites to a study; what is done stays as it is",
    "withdraw": "take a site out of a study; its outputs are kept aside",
    "check": "validate a study in seconds and print its plan",
    "picture": "write one scan before and after as a picture",
    "status": "show what is done, set aside, running and still to do",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when all is well, 1 when the study has a fault, 2 for wrong usage."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="python -m ctharmony",
        description="Makes CT scans of many sites comparable. Run it in the folder of the clone.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, meaning in COMMANDS.items():
        command = commands.add_parser(name, help=meaning, description=f"{meaning.capitalize()}.")
        if name in given[:1]:
            import_module(f"ctharmony.commands.{name}").fill(command)
    chosen = parser.parse_args(given)
    try:
        return import_module(f"ctharmony.commands.{chosen.command}").run(chosen)
    except StudyError as error:
        print(f"{error}", file=sys.stderr)
        return 1
