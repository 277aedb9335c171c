"""What the rules template and register read and write."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image as Picture

from ctharmony.io.files import write_text
from ctharmony.io.seals import write_sealed_json
from ctharmony.io.tables import read_table
from ctharmony.io.volumes import Volume, read_volume, write_volume

TEMPLATE, TEMPLATE_MASK = "template.nii.gz", "template_mask.nii.gz"


def read_masked(folder: str | Path, scan: str) -> tuple[Volume, np.ndarray]:
    """An ingested scan and its mask (0 outside, 1 body, 2 lung)."""
    stem = Path(folder) / scan
    return read_volume(f"{stem}.nii.gz"), read_volume(f"{stem}_mask.nii.gz").hu


def read_template(folder: str | Path) -> tuple[Volume, np.ndarray]:
    """The frozen template and its mask."""
    return read_volume(Path(folder) / TEMPLATE), read_volume(Path(folder) / TEMPLATE_MASK).hu


def write_template(folder: Path, frozen: Any, record: dict[str, Any]) -> None:
    """A template (hu, affine, mask) with its record of where it came from."""
    write_volume(folder / TEMPLATE, frozen.hu, frozen.affine)
    write_volume(folder / TEMPLATE_MASK, frozen.mask, frozen.affine, "uint8")
    grid = {"shape": frozen.hu.shape, "affine": frozen.affine}
    write_sealed_json(folder / "template.json", record | grid)


def ingested_scans(folders: list[str]) -> pd.DataFrame:
    """Rows of the folders' scans.tsv, each with its `folder`."""
    return pd.concat(read_table(f"{place}/scans.tsv").assign(folder=place) for place in folders)


def write_picture(path: Path, pixels: np.ndarray) -> None:
    """(height, width, 3) uint8 as PNG; the same pixels give the same bytes."""
    Picture.fromarray(pixels).save(path, optimize=False)


def write_registered(stem: Path, transform: str, moved: np.ndarray, affine: np.ndarray) -> None:
    """The ITK text of a transform, and the volume on the template's grid."""
    write_text(stem.with_name(stem.name + ".tfm"), transform)
    write_volume(stem.with_name(stem.name + ".nii.gz"), moved, affine)
