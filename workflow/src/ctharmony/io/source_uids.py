"""The UIDs that a derived series refers to: its source's, re-made with the study's key.

Without a key an unkeyed hash could be traced back by trying, so they are then made up from the
hash of the ingested volume: still the same for the same scan, but nobody's.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ctharmony.io.dicom_headers import Header, read_headers
from ctharmony.io.dicom_series import SeriesRule, Stack, choose, stacked
from ctharmony.io.pseudonyms import remade_uid, uid_of
from ctharmony.io.scan import InputLimits, SetAside

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def source_uids(
    row: Mapping[str, Any],
    grid: tuple[np.ndarray, int],
    sha256: str,
    taken: tuple[SeriesRule, InputLimits],
    key: bytes | None,
) -> dict[str, Any]:
    """UIDs of the source's study, frame of reference and of the slice nearest to each slice.

    A source that is no DICOM folder or file (NIfTI, an archive), or is gone, gets made-up ones.

    Args:
        row: manifest row with path and perhaps series.
        grid: affine (4, 4) voxel to RAS mm, and number of slices, of the ingested volume.
        sha256: of the ingested volume.
        taken: which series ingest takes, and within which limits.
        key: the study's secret (`pseudonyms.read_key`), or None.
    """
    made_up = {
        "study": hashed_uid("study", sha256),
        "frame": hashed_uid("frame", sha256),
        "slices": [hashed_uid("slice", sha256, index) for index in range(grid[1])],
    }
    stack = _source_stack(row, taken) if key else None
    if stack is None or key is None:
        return made_up
    first = stack.headers[0]
    depths = (LPS_FROM_RAS @ _centres(*grid))[:3].T @ stack.normal
    nearest = np.abs(depths[:, None] - stack.depths[None]).argmin(axis=1)
    study, frame = first.text("StudyInstanceUID"), first.text("FrameOfReferenceUID")
    slices = [stack.headers[index].text("SOPInstanceUID") for index in nearest]
    return {
        "study": remade_uid(study, key) if study else made_up["study"],
        "frame": remade_uid(frame, key) if frame else made_up["frame"],
        "slices": [remade_uid(uid, key) for uid in slices] if all(slices) else made_up["slices"],
    }


def hashed_uid(*parts: Any) -> str:
    """A UID from a hash; the same parts give the same UID."""
    return uid_of(hashlib.sha256("\n".join(map(str, parts)).encode()).digest())


def _source_stack(row: Mapping[str, Any], taken: tuple[SeriesRule, InputLimits]) -> Stack | None:
    headers = _headers(Path(str(row["path"])))
    if not headers:
        return None
    try:
        return stacked(choose(headers, str(row.get("series") or ""), *taken))
    except SetAside:
        return None


def _headers(path: Path) -> list[Header]:
    if path.is_file():
        return read_headers([path])
    return read_headers(sorted(item for item in path.rglob("*") if item.is_file()))


def _centres(affine: np.ndarray, slices: int) -> np.ndarray:
    """(4, n) RAS position of the first voxel of each slice, mm."""
    corners = np.zeros((4, slices))
    corners[2], corners[3] = np.arange(slices), 1.0
    return affine @ corners
