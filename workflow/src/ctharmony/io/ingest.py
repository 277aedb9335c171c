"""A batch of manifest rows becomes volumes, masks, sidecars and tables; bad scans are set aside."""

import hashlib
import logging
import math
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ctharmony.io.archives import is_archive, unpacked
from ctharmony.io.columns import CURVES, GEOMETRY, OWN, WITHHELD
from ctharmony.io.dicom import convert_series
from ctharmony.io.dicom_series import SeriesRule
from ctharmony.io.files import write_json
from ctharmony.io.nifti import read_scan
from ctharmony.io.pseudonyms import remade_uids
from ctharmony.io.quiet import quiet
from ctharmony.io.scan import InputLimits, Scan, SetAside, check_hounsfield
from ctharmony.io.sidecar import (
    ACQUISITION,
    Vocabulary,
    as_number,
    deidentified,
    maker,
    withheld,
)
from ctharmony.io.tables import write_table
from ctharmony.io.volumes import write_volume

Analysis = Callable[
    [np.ndarray, tuple[float, float, float]], tuple[np.ndarray, dict[str, float], pd.DataFrame]
]


@dataclass(frozen=True)
class Intake:
    """What a batch's scans have in common.

    Attributes:
        site, batch, role: their names.
        folder: where the outputs go.
        limits, rule, words: what may come in, which series, which words pass.
        truncated_fraction: a body on more than this share of the image border is warned of.
        analyse: (hu, spacing) -> labels, row of measures, curves.
        logger: for one line per scan.
        uid_key: secret of the keyed hash that re-makes UIDs; None keeps none.
    """

    site: str
    batch: str
    role: str
    folder: Path
    limits: InputLimits
    rule: SeriesRule
    words: Vocabulary
    truncated_fraction: float
    analyse: Analysis
    logger: logging.Logger
    uid_key: bytes | None = None


def ingest_batch(rows: list[dict[str, Any]], intake: Intake) -> None:
    """Ingest every row on its own and write scans.tsv and curves.tsv, whatever happens.

    Args:
        rows: manifest rows: scan, subject, path, optional series, split, kernel, kvp ...
        intake: the batch.

    Raises:
        ValueError: a scan id is not a plain name, or two rows would write the same files.
    """
    _check_ids([str(row["scan"]) for row in rows])
    intake.folder.mkdir(parents=True, exist_ok=True)
    results = [_ingest_or_set_aside(row, intake) for row in rows]
    covariates = [name for row in rows for name in row if name not in OWN]
    columns = [*OWN, *dict.fromkeys(covariates)]
    table = pd.DataFrame([record for record, _ in results], columns=columns)
    write_table(intake.folder / "scans.tsv", table.drop(columns=list(WITHHELD)))
    curves = [curve for _, curve in results if curve is not None]
    frame = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=CURVES)
    write_table(intake.folder / "curves.tsv", frame[list(CURVES)])


@quiet()
def read_source(path: Path, series: str, rule: SeriesRule, limits: InputLimits) -> Scan:
    """Read whatever a manifest row names: a DICOM folder, file or archive, or NIfTI.

    Raises:
        SetAside: it is not there, of another kind, or not usable.
    """
    if not path.is_file() and not path.is_dir():  # a pipe or a device would be waited for
        raise SetAside("what its manifest row names is not there; correct the row's `path`")
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        return read_scan(path, limits)
    if name.endswith((".mha", ".mhd", ".nrrd", ".nhdr", ".hdr", ".img", ".mgz")):
        raise SetAside(
            f"{name.rsplit('.', 1)[1].upper()} files are not read; convert it to NIfTI in HU or "
            "give the DICOM series"
        )
    if path.is_file() and is_archive(path):
        with unpacked(path, limits) as folder:
            return convert_series(folder, series, rule, limits)
    return convert_series(path, series, rule, limits)


def _check_ids(scans: list[str]) -> None:
    for scan in scans:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", scan):
            raise ValueError(
                f"the scan id {scan!r} must be 1 to 64 letters, digits, '-' or '_', the first a "
                "letter or digit; rename it in the manifest"
            )
        if scan.endswith("_mask"):
            raise ValueError(
                f"the scan id {scan!r} ends in _mask, which names the files of masks; rename it in "
                "the manifest"
            )
    if len(set(scans)) < len(scans):
        raise ValueError("two scan ids of a batch are equal; rename one in the manifest")


def _ingest_or_set_aside(
    row: dict[str, Any], intake: Intake
) -> tuple[dict[str, Any], pd.DataFrame | None]:
    where = f"site {intake.site}, scan {row['scan']}"
    given = {name: value for name, value in row.items() if not _missing(value)}
    record = {
        **given,
        "site": intake.site,
        "batch": intake.batch,
        "role": intake.role,
    }
    try:
        found, curves = _ingest(given, intake)
    except SetAside as error:
        found, curves = {"status": "set_aside", "reason": f"{where}: {error}"}, None
    except Exception as error:
        # the message of a foreign error may quote a path or a header: its place must do
        place = traceback.extract_tb(error.__traceback__)[-1]
        intake.logger.error(
            "%s: %s in %s:%d", where, type(error).__name__, Path(place.filename).name, place.lineno
        )
        reason = f"{where}: reading failed ({type(error).__name__}); export it again"
        found, curves = {"status": "set_aside", "reason": reason}, None
    if found["status"] == "set_aside":
        found["reason"] += " (see the manifest row of this scan)"
        _remove_outputs(intake.folder, str(row["scan"]))
    intake.logger.info("%s: %s", where, found["reason"].removeprefix(f"{where}: ") or "ok")
    return record | found, curves


def _ingest(given: dict[str, Any], intake: Intake) -> tuple[dict[str, Any], pd.DataFrame]:
    if "path" not in given:
        raise SetAside("its manifest row names no file; fill the column `path`")
    series = str(given.get("series", ""))
    scan = read_source(Path(str(given["path"])), series, intake.rule, intake.limits)
    check_hounsfield(scan.hu, intake.limits)
    labels, measures, curves = intake.analyse(scan.hu, scan.spacing)
    if not labels.any():
        raise SetAside("no body was found in it; check that the series shows the patient")
    tags = deidentified(scan.tags, intake.words)
    notes = [*scan.notes, *_warnings(scan, tags, labels, measures, intake)]
    sidecar = tags | remade_uids(scan.tags, intake.uid_key) | {"Notes": notes}
    sha256 = _write(scan, labels, sidecar, intake.folder / str(given["scan"]))
    where = f"site {intake.site}, scan {given['scan']}: "
    record = {
        "status": "warned" if notes else "ok",
        "reason": where + "; ".join(notes) if notes else "",
        "sha256": sha256,
        **dict(zip(GEOMETRY, (*scan.hu.shape, *scan.spacing), strict=True)),
        **_acquisition(given, tags),
        **measures,
    }
    return record, curves.assign(scan=str(given["scan"]))


def _warnings(
    scan: Scan, tags: dict[str, Any], labels: np.ndarray, measures: dict, intake: Intake
) -> list[str]:
    notes = []
    unknown = withheld(scan.tags, tags)
    if unknown:
        notes.append(
            f"{', '.join(unknown)} not in the vocabulary and left out (give it in the manifest or "
            "add it to ingest.vocabulary)"
        )
    if not (labels == 2).any():
        notes.append("no lung was found")
    if measures["truncated_fraction"] > intake.truncated_fraction:
        share = 100 * measures["truncated_fraction"]
        notes.append(f"the body leaves the image on {share:.0f}% of its border")
    return notes


def _acquisition(given: dict[str, Any], tags: dict[str, Any]) -> dict[str, Any]:
    """Manifest columns win over the header."""
    found = {column: given.get(column, tags.get(name)) for column, name in ACQUISITION.items()}
    if "manufacturer" in given:
        found["manufacturer"] = maker(str(given["manufacturer"]))
    return found | {name: as_number(found[name]) for name in ("kvp", "slice_thickness_mm")}


def _write(scan: Scan, labels: np.ndarray, sidecar: dict[str, Any], stem: Path) -> str:
    """Write volume, mask and sidecar; the SHA-256 of the volume file."""
    volume = stem.with_name(f"{stem.name}.nii.gz")
    write_volume(volume, scan.hu, scan.affine)
    write_volume(stem.with_name(f"{stem.name}_mask.nii.gz"), labels, scan.affine, np.uint8)
    write_json(stem.with_name(f"{stem.name}.json"), sidecar)
    return hashlib.sha256(volume.read_bytes()).hexdigest()


def _remove_outputs(folder: Path, scan: str) -> None:
    for ending in (".nii.gz", "_mask.nii.gz", ".json"):
        (folder / f"{scan}{ending}").unlink(missing_ok=True)


def _missing(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))
