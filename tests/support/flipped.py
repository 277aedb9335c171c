"""Damage that is hard to see."""

from pathlib import Path


def flip_digit(path: Path, bit: int = 0) -> None:
    """Change a bit of the last digit: still a table, still a number."""
    content = bytearray(path.read_bytes())
    place = max(k for k, byte in enumerate(content) if chr(byte).isdigit())
    content[place] ^= 1 << bit
    path.write_bytes(content)
