"""Which files belong to which scan: tables joined into cases, nothing read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

UNTOUCHED, OURS = "none", "ctharmony"  # methods in every table
USABLE = ("ok", "warned")


@dataclass(frozen=True)
class Case:
    """One usable scan, its versions and its truth.

    Attributes:
        site, scan, subject: ids.
        mask: path of its labels (0 outside, 1 body, 2 lung).
        images: method -> path of the scan as that method leaves it; `none` is the scan itself.
        target: path of the same patient on the target scanner, on the same grid, or None.
        clean: path of the noise-free truth, or None.
        tissues: path of its true tissues, or None.
    """

    site: str
    scan: str
    subject: str
    mask: str
    images: Mapping[str, str]
    target: str | None
    clean: str | None
    tissues: str | None

    @property
    def has_truth(self) -> bool:
        """Whether the scan can be held against the target scanner."""
        return self.target is not None


@dataclass(frozen=True)
class StudyTables:
    """Tables of every stage; `folder` is the directory a row's files lie in.

    Attributes:
        scans: site, scan, subject, status, folder and the measurements of ingest.
        harmonized: scan, status, folder, method (the model's name in metrics.tsv).
        baselines: scan, method, status, folder.
        truth: scan, travelling, factors, folder; empty without simulated sites.
        pairs: scan -> scan of the same acquisition on the target scanner (the manifest's pairs).
    """

    scans: pd.DataFrame
    harmonized: pd.DataFrame
    baselines: pd.DataFrame
    truth: pd.DataFrame
    pairs: Mapping[str, str]


def list_cases(tables: StudyTables) -> list[Case]:
    """Every usable scan, in the order of the scans table."""
    images = _images(tables)
    travelling = _travelling(tables.truth)
    folders = dict(zip(tables.scans["scan"], tables.scans["folder"], strict=True))
    cases = []
    for row in tables.scans[tables.scans["status"].isin(USABLE)].itertuples():
        target, clean, tissues = _truth_paths(row.scan, travelling, tables.pairs, folders)
        cases.append(
            Case(
                site=row.site,
                scan=row.scan,
                subject=row.subject,
                mask=f"{row.folder}/{row.scan}_mask.nii.gz",
                images=images[row.scan],
                target=target,
                clean=clean,
                tissues=tissues,
            )
        )
    return cases


def methods_of(cases: list[Case]) -> list[str]:
    """Every method that some case knows, `none` first, in order of appearance."""
    return list(dict.fromkeys(method for case in cases for method in case.images))


def _images(tables: StudyTables) -> dict[str, dict[str, str]]:
    found = {
        row.scan: {UNTOUCHED: f"{row.folder}/{row.scan}.nii.gz"}
        for row in tables.scans.itertuples()
    }
    # set_aside is what a row says that has no image
    for row in _usable(tables.baselines):
        found[row.scan][row.method] = f"{row.folder}/{row.method}/{row.scan}.nii.gz"
    for row in _usable(tables.harmonized):
        found[row.scan][row.method] = f"{row.folder}/{row.scan}.nii.gz"
    return found


def _usable(table: pd.DataFrame) -> Iterable[Any]:
    return table[table["status"].isin(USABLE)].itertuples() if len(table) else ()


def _travelling(truth: pd.DataFrame) -> dict[str, str]:
    if truth.empty:
        return {}
    known = truth[truth["travelling"].astype(int) == 1]
    return dict(zip(known["scan"], known["folder"], strict=True))


def _truth_paths(
    scan: str, travelling: Mapping[str, str], pairs: Mapping[str, str], folders: Mapping[str, str]
) -> tuple[str | None, str | None, str | None]:
    if scan in travelling:
        start = f"{travelling[scan]}/{scan}"
        return f"{start}_target.nii.gz", f"{start}_clean.nii.gz", f"{start}_labels.nii.gz"
    other = pairs.get(scan)
    if other in folders:
        return f"{folders[other]}/{other}.nii.gz", None, None
    return None, None, None
