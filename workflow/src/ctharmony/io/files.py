"""Whole files or none: everything is written beside its place and renamed."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def replaced(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path (same folder, same endings) that replaces `path` on success."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix="~" + path.name)
    os.close(handle)
    temporary = Path(name)
    temporary.chmod(0o666 & ~_umask())
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with replaced(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` as indented JSON with sorted keys; not-a-number becomes null."""
    write_text(path, json.dumps(_plain(content), indent=2, sort_keys=True, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read JSON.

    Raises:
        ValueError: the file is not JSON; the message names it.
    """
    return parse_json(Path(path).read_bytes(), path)


def parse_json(content: bytes, path: str | Path) -> Any:
    """What a JSON file holds.

    Raises:
        ValueError: `content` is not JSON; the message names `path`.
    """
    try:
        return json.loads(content)
    except ValueError as error:
        raise ValueError(f"{path} is not readable JSON ({error}); remove it and rerun") from error


def _plain(content: Any) -> Any:
    if isinstance(content, dict):
        return {str(key): _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    to_python: Callable[[], Any] | None = getattr(content, "tolist", None)
    if to_python is not None:
        return _plain(to_python())
    if isinstance(content, float) and content != content:
        return None
    return str(content) if isinstance(content, Path) else content


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
