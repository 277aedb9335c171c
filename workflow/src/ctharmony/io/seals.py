"""A checksum beside each table and profile: one flipped digit would pass for a measurement.

The seal of `scans.tsv` is the hidden `.scans.tsv.sha256` beside it, which `sha256sum -c` reads.
Volumes have the checksum of their .gz and weights one in their model card.
"""

import hashlib
from pathlib import Path
from typing import Any

from ctharmony.io.files import parse_json, write_json, write_text


def seal(path: str | Path) -> None:
    """Leave the checksum of a file's bytes beside it."""
    path = Path(path)
    write_text(_seal_of(path), f"{_digest(path.read_bytes())}  {path.name}\n")


def read_sealed(path: str | Path) -> bytes:
    """A file's bytes, as they were sealed; a file without a seal is taken as it is.

    Raises:
        ValueError: the bytes are not those that were sealed; the message names the file.
        FileNotFoundError: there is no such file.
    """
    path = Path(path)
    content, beside = path.read_bytes(), _seal_of(path)
    if beside.is_file() and beside.read_text(encoding="utf-8").split()[:1] != [_digest(content)]:
        raise ValueError(
            f"{path} is damaged or was changed by hand: its bytes are not those that were "
            f"written; remove the folder {path.parent} and run the same command again"
        )
    return content


def write_sealed_json(path: str | Path, content: Any) -> None:
    """Write JSON as `write_json` does, and its seal."""
    write_json(path, content)
    seal(path)


def read_sealed_json(path: str | Path) -> Any:
    """Read JSON.

    Raises:
        ValueError: the file is not what was sealed, or not JSON; the message names it.
    """
    return parse_json(read_sealed(path), path)


def copy_sealed(source: str | Path, destination: str | Path) -> None:
    """Copy a whole file and seal the copy.

    Raises:
        ValueError: the source is damaged.
    """
    content = read_sealed(source)
    Path(destination).write_bytes(content)
    seal(destination)


def _seal_of(path: Path) -> Path:
    return path.with_name(f".{path.name}.sha256")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
