"""What a folder of any layout offers: one row per DICOM series or NIfTI file, with its faults."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ctharmony.io.archives import is_archive, unpacked
from ctharmony.io.bids import Participants, is_derived, label_of
from ctharmony.io.dicom_headers import Header, acquisition_tags, read_headers
from ctharmony.io.dicom_series import SeriesRule, grouped, left_out, rank, stacked
from ctharmony.io.nifti import read_geometry
from ctharmony.io.scan import InputLimits, SetAside, check_slices, check_voxels
from ctharmony.io.sidecar import ACQUISITION, Vocabulary, deidentified
from ctharmony.io.straighten import gaps

PERSON_TAGS = ("PatientID", "PatientAge", "PatientSex", "AcquisitionTime")


@dataclass(frozen=True)
class Taken:
    """What ingest takes: which series, within which limits, and which words of a header pass."""

    rule: SeriesRule
    limits: InputLimits
    words: Vocabulary

    @classmethod
    def from_config(cls, block: dict[str, Any]) -> "Taken":
        """Build from the config's block `ingest`."""
        return cls(
            SeriesRule(**block["selection"]),
            InputLimits(**block["input"]),
            Vocabulary(**block["vocabulary"]),
        )


def candidates(folder: Path, taken: Taken) -> Iterator[dict[str, Any]]:
    """Rows of everything below a folder; links are not followed, other files passed over.

    Beside the manifest's columns a row has `person`, `study` and `acquisition` (what tells them
    apart, never written), `rank` (least is taken first) and `left_out` (a reason, or empty).
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    nifti = [path for path in files if path.name.lower().endswith((".nii", ".nii.gz"))]
    packed = [path for path in files if path not in set(nifti) and is_archive(path)]
    people = Participants()
    headers = read_headers(sorted(set(files) - set(nifti) - set(packed)), PERSON_TAGS)
    for group in grouped(headers).values():
        place = os.path.commonpath([header.path.parent for header in group])
        yield _series_row(group, taken) | {"path": place}
    for path in packed:
        yield from _archive_rows(path, taken)
    for path in nifti:
        yield _nifti_row(path, taken, people)


def _archive_rows(path: Path, taken: Taken) -> list[dict[str, Any]]:
    try:
        with unpacked(path, taken.limits) as folder:
            headers = read_headers(sorted(folder.iterdir()), PERSON_TAGS)
            rows = [_series_row(group, taken) for group in grouped(headers).values()]
            # the archive is what tells nameless patients apart: the folder vanishes
            rows = [row | {k: str(path) for k in row if row[k] == str(folder)} for row in rows]
    except SetAside as error:
        blank = {"series": "", "person": str(path), "study": str(path), "acquisition": None}
        return [blank | {"path": str(path), "rank": (), "left_out": str(error)}]
    return [row | {"path": str(path)} for row in rows]


def _series_row(group: list[Header], taken: Taken) -> dict[str, Any]:
    first = group[0]
    reason = left_out(group, taken.rule, taken.limits)
    steps, fault = _steps(group, taken.limits)
    age = re.fullmatch(r"0*(\d{1,3})Y", first.text("PatientAge"))
    pixel = first.numbers("PixelSpacing", 2)
    known = [
        *([] if steps is None else [float(np.median(steps))]),
        *([] if pixel is None else pixel),
    ]
    study = first.text("StudyInstanceUID") or str(first.path.parent)
    return {
        "series": first.text("SeriesInstanceUID"),
        "age": age[1] if age else None,
        "sex": first.text("PatientSex") if first.text("PatientSex") in ("F", "M") else None,
        "spacing_mm": " x ".join(f"{mm:.4g}" for mm in known) or None,
        "slices": first.frames() if len(group) == 1 else len(group),
        **_acquisition(acquisition_tags(first), taken.words),
        "left_out": reason or fault,
        "person": first.text("PatientID") or study,
        "study": study,
        "acquisition": _same_raw_data(group),
        "rank": rank(group, taken.rule),
    }


def _same_raw_data(group: list[Header]) -> tuple | None:
    """What reconstructions of the same raw data on one grid share; None if headers do not tell."""
    ends = [
        (header.text("AcquisitionTime"), header.numbers("ImagePositionPatient", 3))
        for header in group
    ]
    if any(not time or place is None for time, place in ends):
        return None
    slices = sorted((time, *place) for time, place in ends)
    first = group[0]
    names = ("StudyInstanceUID", "PatientID", "Rows", "Columns", "PixelSpacing")
    return (*map(first.text, names), len(slices), *slices[0], *slices[-1])


def _acquisition(tags: dict[str, Any], words: Vocabulary) -> dict[str, Any]:
    kept = deidentified(tags, words)
    return {column: kept.get(name) for column, name in ACQUISITION.items()}


def _steps(group: list[Header], limits: InputLimits) -> tuple[np.ndarray | None, str]:
    """Slice gaps (mm), and why ingest would set the series aside as far as its headers tell."""
    first = group[0]
    count = first.frames() if len(group) == 1 else len(group)
    try:
        check_voxels((first.integer("Columns", 0), first.integer("Rows", 0), count), limits)
        check_slices(count, limits)
        stack = stacked(group)
        check_slices(len(stack.headers), limits)
    except SetAside as error:
        return None, str(error)
    steps = gaps(stack)
    if not all(header.whole for header in group):
        return steps, "files are truncated; copy them again"
    if np.abs(steps / np.median(steps) - 1).max() > limits.resample_tolerance:
        return steps, f"its slice gaps run from {steps.min():.2f} to {steps.max():.2f} mm"
    return steps, ""


def _nifti_row(path: Path, taken: Taken, people: Participants) -> dict[str, Any]:
    label = label_of(path)
    row = {
        "path": str(path),
        "series": "",
        "left_out": is_derived(path),
        "person": label or str(path),
        # every file stands for itself: nothing tells two reconstructions from two studies
        "study": str(path),
        "acquisition": None,
        "rank": (),
        **people.of(path),
    }
    try:
        shape, spacing, tags = read_geometry(path, taken.limits)
    except SetAside as error:
        return row | {"left_out": row["left_out"] or str(error)}
    return row | {
        "spacing_mm": " x ".join(f"{mm:.4g}" for mm in spacing),
        "slices": shape[0],
        **_acquisition(tags, taken.words),
    }
