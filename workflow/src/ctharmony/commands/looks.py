"""How the commands print."""

import sys

from rich.console import Console

WIDTH = 110  # characters, where no terminal says its width


def make_console() -> Console:
    """A console on standard output; plain text of a fixed width where that is no terminal."""
    return Console(width=None if sys.stdout.isatty() else WIDTH)
