"""Proposes a site's manifest from a folder of any layout: DICOM exports, NIfTI files, BIDS.

Run as `python -m ctharmony.io.discover FOLDER --site NAME --config CONFIG --output MANIFEST`.
"""

import argparse
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import yaml

from ctharmony.io.dicom_headers import Header, acquisition_tags, read_headers
from ctharmony.io.dicom_series import SeriesRule, grouped, left_out, stacked
from ctharmony.io.files import read_json
from ctharmony.io.quiet import quiet
from ctharmony.io.scan import InputLimits, SetAside, check_slices, check_voxels
from ctharmony.io.sidecar import ACQUISITION, Vocabulary, deidentified
from ctharmony.io.straighten import gaps
from ctharmony.io.tables import write_table

PERSON_TAGS = ("PatientID", "PatientAge", "PatientSex", "StudyInstanceUID")
NOT_SCANS = re.compile(r"(_|-)(mask|seg|dseg|label|probseg)\b", re.IGNORECASE)
COLUMNS = (
    "scan",
    "subject",
    "path",
    "series",
    "age",
    "sex",
    "kernel",
    "kvp",
    "slice_thickness_mm",
    "spacing_mm",
    "slices",
    "manufacturer",
    "model_name",
    "left_out",
)


@dataclass(frozen=True)
class Taken:
    """What ingest takes: which series, within which limits, and which words of a header pass."""

    rule: SeriesRule
    limits: InputLimits
    words: Vocabulary


@quiet()
def discover(folder: Path, site: str, taken: Taken) -> pd.DataFrame:
    """One row per series or NIfTI file found below a folder, in the order of their paths.

    Scans and subjects are numbered (`site-s001`, `site-p001`): no name or number of a patient
    becomes an id. A DICOM PatientID, a BIDS `sub-` label or else the file tells subjects apart.

    Args:
        folder: searched with all its subfolders; links are not followed.
        site: prefix of the ids.
        taken: what ingest would take, and which words of a header may stand in the manifest.

    Returns:
        COLUMNS; `left_out` holds the reason, empty for what ingest would take.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    nifti = [path for path in files if path.name.lower().endswith((".nii", ".nii.gz"))]
    headers = read_headers(sorted(set(files) - set(nifti)), PERSON_TAGS)
    found = [_series_row(group, taken) for group in grouped(headers).values()]
    found += [_nifti_row(path, taken) for path in nifti]
    found.sort(key=lambda row: (row["path"], row["series"]))
    people = {person: k + 1 for k, person in enumerate(dict.fromkeys(_people(found)))}
    for number, row in enumerate(found, start=1):
        row["scan"] = f"{site}-s{number:03d}"
        row["subject"] = f"{site}-p{people[row.pop('person')]:03d}"
    return pd.DataFrame(found, columns=list(COLUMNS))


def _people(rows: Iterable[dict[str, Any]]) -> list[str]:
    return [row["person"] for row in rows]


def _series_row(group: list[Header], taken: Taken) -> dict[str, Any]:
    first = group[0]
    reason = left_out(group, taken.rule, taken.limits) or _fault(group, taken.limits)
    age = re.fullmatch(r"0*(\d{1,3})Y", first.text("PatientAge"))
    spacing = first.numbers("PixelSpacing", 2)
    return {
        "path": os.path.commonpath([header.path.parent for header in group]),
        "series": first.text("SeriesInstanceUID"),
        "age": age[1] if age else None,
        "sex": first.text("PatientSex") if first.text("PatientSex") in ("F", "M") else None,
        "spacing_mm": None if spacing is None else " x ".join(f"{mm:g}" for mm in spacing),
        "slices": first.frames() if len(group) == 1 else len(group),
        **_acquisition(acquisition_tags(first), taken.words),
        "left_out": reason,
        "person": first.text("PatientID") or first.text("StudyInstanceUID") or str(first.path),
    }


def _acquisition(tags: dict[str, Any], words: Vocabulary) -> dict[str, Any]:
    kept = deidentified(tags, words)
    return {column: kept.get(name) for column, name in ACQUISITION.items()}


def _fault(group: list[Header], limits: InputLimits) -> str:
    """Why ingest would set a series aside, as far as its headers tell; empty if it would not."""
    first = group[0]
    count = first.frames() if len(group) == 1 else len(group)
    try:
        check_voxels((first.integer("Columns", 0), first.integer("Rows", 0), count), limits)
        check_slices(count, limits)
        steps = gaps(stacked(group))
    except SetAside as error:
        return str(error)
    if not all(header.whole for header in group):
        return "files are truncated; copy them again"
    if np.abs(steps / np.median(steps) - 1).max() > limits.resample_tolerance:
        return f"its slice gaps run from {steps.min():.2f} to {steps.max():.2f} mm"
    return ""


def _nifti_row(path: Path, taken: Taken) -> dict[str, Any]:
    sidecar = path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json")
    label = re.search(r"\bsub-([A-Za-z0-9]+)", str(path))
    row = dict.fromkeys(COLUMNS) | {
        "path": str(path),
        "series": "",
        "left_out": "",
        "person": label[1] if label else str(path),
    }
    try:
        tags = read_json(sidecar) if sidecar.is_file() else {}
        shape = nib.load(path).shape
        row |= _acquisition(tags, taken.words)
        row["slices"] = shape[2] if len(shape) > 2 else 1
        check_voxels(shape, taken.limits)
        check_slices(row["slices"], taken.limits)
    except SetAside as error:
        row["left_out"] = str(error)
    except (nib.filebasedimages.ImageFileError, OSError, EOFError, ValueError, AttributeError):
        row["left_out"] = "it cannot be read as NIfTI"
    if NOT_SCANS.search(path.name):
        row["left_out"] = "its name is that of a mask"
    return row


def main(arguments: list[str] | None = None) -> None:
    """Write the manifest of what would be taken, and beside it the table of what would not."""
    parser = argparse.ArgumentParser(description="Propose the manifest of a site's scans.")
    parser.add_argument("folder", type=Path, help="folder to search")
    parser.add_argument("--site", required=True, help="the site's id")
    parser.add_argument("--config", type=Path, required=True, help="the study's config.yaml")
    parser.add_argument("--output", type=Path, required=True, help="manifest to write (.tsv)")
    given = parser.parse_args(arguments)
    block = yaml.safe_load(given.config.read_text(encoding="utf-8"))["ingest"]
    takes = Taken(
        SeriesRule(**block["selection"]),
        InputLimits(**block["input"]),
        Vocabulary(**block["vocabulary"]),
    )
    table = discover(given.folder, given.site, takes)
    taken = table["left_out"] == ""
    rest = given.output.with_name(f"{given.output.stem}_left_out.tsv")
    write_table(given.output, table[taken].drop(columns="left_out"))
    write_table(rest, table[~taken])
    print(f"{taken.sum()} scans in {given.output}, {(~taken).sum()} left out in {rest}")


if __name__ == "__main__":
    main()
