"""Uncompressed copies of volumes, so that patches are read without the whole scan."""

import hashlib
from pathlib import Path

import numpy as np

from ctharmony.io.files import replaced


def mapped_copy(source: str | Path, array: np.ndarray | None, folder: Path) -> np.ndarray | None:
    """A read-only view of the copy of `source` in `folder`.

    Args:
        source: the file that the copy is of; a changed file has another copy.
        array: what to copy where there is no copy yet; None asks only whether there is one.
        folder: where copies lie; made if missing. A copy is written whole or not at all, so
            several processes may ask at once.
    """
    state = Path(source).stat()
    key = f"{Path(source).resolve()} {state.st_size} {state.st_mtime_ns}"
    path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy"
    if not path.exists():
        if array is None:
            return None
        with replaced(path) as temporary, open(temporary, "wb") as stream:
            np.save(stream, array)
    return np.load(path, mmap_mode="r")
