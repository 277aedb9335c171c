"""UIDs re-made by a keyed hash: they still tell what belongs together, but not what it was."""

import hashlib
import hmac
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ctharmony.io.sidecar import as_text

VARIABLE = "CTHARMONY_UID_KEY_FILE"
LEAST_BYTES = 16
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")


def read_key(named: str | None, results: Path) -> bytes | None:
    """The secret of a study, from the file that the config or else the environment names.

    Args:
        named: the config key `ingest.uid_key_file`.
        results: where the study is written to; a key there would travel with what it protects.

    Returns:
        The file's bytes without white space at the ends; None where no file is named.

    Raises:
        ValueError: the file is missing, too short or inside `results`; never tells its content.
    """
    name = named or os.environ.get(VARIABLE)
    if not name:
        return None
    path = Path(name)
    source = "ingest.uid_key_file" if named else VARIABLE
    if path.resolve().is_relative_to(results.resolve()):
        raise ValueError(f"{source} names a file inside the results; keep the key elsewhere")
    try:
        key = path.read_bytes().strip()
    except OSError as error:
        raise ValueError(
            f"{source} names a file that cannot be read ({type(error).__name__}); correct the path"
        ) from None
    if len(key) < LEAST_BYTES:
        raise ValueError(
            f"{source} names a file of {len(key)} bytes where {LEAST_BYTES} are needed; fill it "
            "with random ones, for example by `openssl rand -hex 32`"
        )
    return key


def remade_uids(tags: Mapping[str, Any], key: bytes | None) -> dict[str, str]:
    """The re-made UIDs of study, series and frame of reference that `tags` holds.

    Without a key there are none: an unkeyed hash of a UID can be found by trying.
    """
    if key is None:
        return {}
    found = {name: as_text(tags.get(name)) for name in UIDS}
    return {name: remade_uid(uid, key) for name, uid in found.items() if uid}


def remade_uid(uid: str, key: bytes) -> str:
    """HMAC-SHA-256 of a UID, as a UID."""
    return uid_of(hmac.new(key, uid.encode(), hashlib.sha256).digest())


def uid_of(digest: bytes) -> str:
    """A hash as a UID of the root 2.25 (DICOM PS3.5 B.2): its first 128 bits in decimal."""
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
