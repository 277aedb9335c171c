"""From folders of scans to the sheets of a study: what was found, under which site."""

import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from ctharmony.cohort import StudyError
from ctharmony.io.discover import COLUMNS, Taken, discover
from ctharmony.io.tables import write_sheet

SCANNER = ("manufacturer", "model_name", "kernel")
EVERY = 1_000_000  # series of a study
FACTS = ("age", "sex", "kernel", "kvp")


@dataclass(frozen=True)
class FoundSite:
    """The scans of one site as they were found.

    Attributes:
        site: its id.
        scans: manifest rows of what ingest would take.
        acquisitions: per scan, equal for reconstructions of the same raw data, at whatever site;
            empty if unknown.
        left_out: rows of what it would not, with the column `left_out` saying why.
    """

    site: str
    scans: pd.DataFrame
    acquisitions: pd.Series
    left_out: pd.DataFrame

    def lacking(self) -> dict[str, int]:
        """How many scans lack each of FACTS, for those that any lacks."""
        counts = {name: int(self.scans[name].isna().sum()) for name in FACTS}
        return {name: count for name, count in counts.items() if count}


def find_sites(data: list[str], by: str, ingest: dict[str, Any]) -> list[FoundSite]:
    """Search folders for scans.

    Args:
        data: `FOLDER` or `SITE=FOLDER`, as typed.
        by: folder (one site each) or scanner (one site per maker, model and kernel).
        ingest: the config block `ingest`.

    Raises:
        StudyError: a folder is missing, two make the same site, or nothing usable is found.
    """
    takes = Taken.from_config(ingest)
    if by == "scanner":  # kernels of one study belong to different sites
        takes = replace(takes, rule=replace(takes.rule, series_per_study=EVERY))
    found: list[FoundSite] = []
    named = [_named_folder(given) for given in data]
    tables = one_subject_per_study([discover(folder, site, takes) for site, folder in named])
    for (site, _), table in zip(named, tables, strict=True):
        found += _by_scanner(site, table) if by == "scanner" else [_found(site, table)]
    names = [each.site for each in found]
    for name in names:
        if names.count(name) > 1:
            raise StudyError(f"two folders make the site '{name}'; name one: --data NAME=FOLDER")
    if not any(len(each.scans) for each in found):
        raise StudyError(f"no usable CT scan below {', '.join(data)}{_reasons(found)}")
    return found


def one_subject_per_study(tables: list[pd.DataFrame]) -> list[pd.DataFrame]:
    """The tables, a study's series in several of them under one subject: the first that names it.

    A split by subject would otherwise train and judge on the same patient.

    Args:
        tables: of `discover`; their columns `subject` and `study` are read.
    """
    known: dict[str, str] = {}
    joined = []
    for table in tables:
        seen = zip(table["subject"], table["study"].map(known), strict=True)
        earlier = {subject: first for subject, first in seen if isinstance(first, str)}
        table = table.assign(subject=table["subject"].replace(earlier))
        known = dict(zip(table["study"], table["subject"], strict=True)) | known
        joined.append(table)
    return joined


def best_target(found: list[FoundSite]) -> str:
    """The site of most scans; of equals the one of most pairs, then one of a known scanner."""
    counts = Counter(mark for each in found for mark in set(each.acquisitions) if mark)

    def merit(each: FoundSite) -> tuple[int, int, int]:
        pairs = sum(counts[mark] - 1 for mark in set(each.acquisitions) if mark)
        return len(each.scans), pairs, int(each.scans["kernel"].notna().sum())

    return max(found, key=merit).site


def with_pairs(found: list[FoundSite], target: str) -> list[FoundSite]:
    """The sites, scans naming the target's scan of the same raw data in `paired_scan`."""
    judge = next(each for each in found if each.site == target)
    known = {
        acquisition: f"{target}/{scan}"
        for acquisition, scan in zip(judge.acquisitions, judge.scans["scan"], strict=True)
        if acquisition
    }
    paired = []
    for each in found:
        named = each.acquisitions.map(known)
        if each.site != target and named.notna().any():
            each = replace(each, scans=each.scans.assign(paired_scan=named))
        paired.append(each)
    return paired


def identifier(text: str) -> str:
    """`text` as an id: lower case, other characters than letters and digits become '-'."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:48]


def write_manifests(found: list[FoundSite], folder: Path) -> None:
    """One manifest per site with scans, and beside it the table of what was left out."""
    for each in found:
        if len(each.scans):
            write_sheet(folder / f"{each.site}.tsv", each.scans)
        if len(each.left_out):
            write_sheet(folder / f"{each.site}_left_out.tsv", each.left_out)


def edited_sheet(sheet: Path) -> pd.DataFrame:
    """A sheet as text, cell by cell, to be changed and written again."""
    return pd.read_csv(sheet, sep="\t", dtype=str, keep_default_na=False)


def _named_folder(given: str) -> tuple[str, Path]:
    name, mark, path = given.rpartition("=")
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise StudyError(f"{folder} is not a folder; give --data the folder of a site's scans")
    site = name if mark else identifier(folder.resolve().name)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,47}", site):
        raise StudyError(f"'{given}' makes no site id; name the site: --data NAME={folder}")
    return site, folder


def _found(site: str, table: pd.DataFrame) -> FoundSite:
    taken = table["left_out"] == ""
    scans, rest = table.loc[taken, list(COLUMNS)], table.loc[~taken, [*COLUMNS, "left_out"]]
    return FoundSite(site, scans, table.loc[taken, "acquisition"], rest)


def _by_scanner(site: str, table: pd.DataFrame) -> list[FoundSite]:
    """A site per maker, model and kernel; what names none of them stays under `site`."""
    names = [
        identifier("-".join(str(row[key]) for key in SCANNER if pd.notna(row[key]))) or site
        for row in table.to_dict("records")
    ]
    groups = table.groupby(pd.Series(names, index=table.index, dtype=str), sort=True)
    return [_found(str(name), group) for name, group in groups]


def _reasons(found: list[FoundSite]) -> str:
    told = pd.concat([each.left_out["left_out"] for each in found])
    if told.empty:
        return "; it holds neither DICOM nor NIfTI"
    return "; left out: " + "; ".join(f"{n} x {why}" for why, n in told.value_counts().items())
