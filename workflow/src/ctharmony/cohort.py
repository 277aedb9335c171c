"""Sites, manifests and batch membership.

The Snakefile imports this file while it is parsed, so it needs pandas and nothing heavier.
Membership of a batch is manifest order // batch size: manifests are append-only, so a new row
touches one batch and leaves the others as they are.
"""

import hashlib
import importlib
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from ctharmony.sheets import Row, Rows, StudyError, read_sheet, records, refuse_duplicates

ROLES = ("reference", "query")
SPLITS = ("train", "validation", "test")
IDENTIFIER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
# endings of the files that stages write beside a scan's own
DERIVED = ("_mask", "_change", "_uncertainty", "_template", "_displacement")
SITE_COLUMNS = ("site", "role", "manifest")
SCAN_COLUMNS = ("scan", "subject")


@dataclass(frozen=True)
class Site:
    """One hospital scanner or protocol.

    Attributes:
        site: its id; role: `reference` (trains the model) or `query` (onboarded by `adapt`).
        scanner: name of the virtual scanner that makes its scans, or None for real scans.
        rows: one dict per scan, in manifest order, missing values None, `split` always set.
        manifest: path of the sheet that names them.
    """

    site: str
    role: str
    scanner: str | None
    rows: tuple[Row, ...]
    manifest: str = ""

    def describe(self) -> Row:
        """The row of the sites sheet, as rules pass it to scripts."""
        return {"site": self.site, "role": self.role, "scanner": self.scanner}


@dataclass(frozen=True)
class Cohort:
    """All sites of a study and how their scans fall into batches.

    Attributes:
        sites: by id, in the order of their ids (a sheet sorted anew changes nothing), without the
            withdrawn ones.
        batch_size: scans per batch.
        withdrawn: id -> role of the sites that left the study.
    """

    sites: dict[str, Site]
    batch_size: int
    withdrawn: dict[str, str] = field(default_factory=dict)

    def of_role(self, role: str) -> list[str]:
        """Ids of the sites of one role, in order."""
        return [site.site for site in self.sites.values() if site.role == role]

    def batches(self, site: str) -> list[str]:
        """Batch ids of a site, in order."""
        count = -(-len(self.sites[site].rows) // self.batch_size)
        return [f"b{index:04d}" for index in range(count)]

    def rows(self, site: str, batch: str) -> Rows:
        """Manifest rows of one batch."""
        start = int(batch[1:]) * self.batch_size
        return Rows(self.sites[site].rows[start : start + self.batch_size])

    def places(self, sites: list[str] | None = None) -> list[tuple[str, str]]:
        """(site, batch) of every batch of the given sites (all by default), in order."""
        chosen = list(self.sites) if sites is None else sites
        return [(site, batch) for site in chosen for batch in self.batches(site)]


def load_cohort(sites_sheet: str | Path, batch_size: int, split: Row) -> Cohort:
    """Read the sites sheet and every manifest it names.

    Args:
        sites_sheet: TSV with columns site, role, manifest and optionally scanner and withdrawn
            (a date or a word: the site left the study and its manifest is not read).
        batch_size: scans per batch.
        split: `test_fraction`, `validation_fraction` and `seed` for rows that name no split.

    Raises:
        StudyError: anything that would fail later and can be seen now.
    """
    sheet = read_sheet(Path(sites_sheet), SITE_COLUMNS)
    refuse_duplicates(sheet, "site", sites_sheet)
    sites, withdrawn = {}, {}
    for row in records(sheet.sort_values("site", kind="stable")):
        if row.get("withdrawn") is not None:
            withdrawn[str(row["site"])] = str(row["role"])
            continue
        site = _load_site(row, Path(sites_sheet), split)
        sites[site.site] = site
    cohort = Cohort(sites, batch_size, withdrawn)
    _check_cohort(cohort, sites_sheet)
    return cohort


def parse_pair(row: Row) -> tuple[str, str] | None:
    """(site, scan) named by a manifest row's `paired_scan`, or None."""
    named = row.get("paired_scan")
    if named is None:
        return None
    site, _, scan = str(named).partition("/")
    return site, scan


def _load_site(row: Row, sheet: Path, split: Row) -> Site:
    _check_identifier(row["site"], "site", sheet)
    name, role = str(row["site"]), row["role"]
    if role not in ROLES:
        raise StudyError(
            f"{sheet}: site {name} has the role '{role}'; write one of {', '.join(ROLES)}"
        )
    if row["manifest"] is None:
        raise StudyError(f"{sheet}: site {name} names no manifest; give the path of its scans")
    manifest = Path(str(row["manifest"]))
    frame = read_sheet(manifest, SCAN_COLUMNS)
    refuse_duplicates(frame, "scan", manifest)
    scanner = row.get("scanner")
    rows = tuple(_scan_row(record, name, str(role), manifest, split) for record in records(frame))
    if not rows:
        raise StudyError(f"{manifest}: site {name} has no scans; add rows or remove the site")
    if scanner is None:
        _check_paths(rows, name, manifest)
    scanner = None if scanner is None else str(scanner)
    return Site(name, str(role), scanner, rows, str(manifest))


def _scan_row(record: Row, site: str, role: str, manifest: Path, split: Row) -> Row:
    _check_identifier(record["scan"], "scan", manifest)
    _check_identifier(record["subject"], "subject", manifest)
    given = record.get("split")
    if given is not None and given not in SPLITS:
        raise StudyError(
            f"{manifest}: scan {record['scan']} has the split '{given}'; "
            f"write one of {', '.join(SPLITS)} or leave it empty"
        )
    # a query site never trains anything, so all its scans judge
    drawn = "test" if role == "query" else draw_split(str(record["subject"]), split)
    path = _expand(record, manifest)
    return {**record, "path": path, "site": site, "role": role, "split": given or drawn}


def _expand(record: Row, manifest: Path) -> str | None:
    """The row's path with environment variables such as ${ARCHIVE} filled in."""
    if record.get("path") is None:
        return None
    path = os.path.expandvars(str(record["path"]))
    unset = re.search(r"\$\{?(\w+)", path)
    if unset:
        raise StudyError(
            f"{manifest}: the path of scan {record['scan']} uses the environment variable "
            f"{unset[1]}, which is not set; set it to the folder of the scans"
        )
    return path


def draw_split(subject: str, split: Row) -> str:
    """Split of a subject from a hash of its id: the same at every site, in every run."""
    digest = hashlib.sha256(f"{split['seed']}/{subject}".encode()).digest()
    position = int.from_bytes(digest[:8], "big") / 2**64
    test, validation = float(split["test_fraction"]), float(split["validation_fraction"])
    if position < test:
        return "test"
    return "validation" if position < test + validation else "train"


def _check_identifier(name: object, kind: str, path: Path) -> None:
    if name is None or not IDENTIFIER.fullmatch(str(name)):
        shown = "" if name is None else name
        raise StudyError(
            f"{path}: the {kind} id '{shown}' must be 1 to 64 letters, digits, '-' or '_', "
            "beginning with a letter or digit; rename it"
        )
    ending = next((each for each in DERIVED if str(name).endswith(each)), None)
    if kind == "scan" and ending:
        raise StudyError(
            f"{path}: the scan id '{name}' ends in {ending}, as files beside a scan do; rename it"
        )


def _check_paths(rows: tuple[Row, ...], site: str, manifest: Path) -> None:
    for row in rows:
        if row.get("path") is None:
            raise StudyError(f"{manifest}: scan {row['scan']} of site {site} has no path; add it")
        if not Path(str(row["path"])).exists():
            raise StudyError(
                f"{manifest}: scan {row['scan']} of site {site} points to {row['path']}, "
                "which does not exist; correct the path or remove the row"
            )


def _check_cohort(cohort: Cohort, sheet: str | Path) -> None:
    if not cohort.of_role("reference"):
        raise StudyError(f"{sheet} has no site with the role reference; the model needs one")
    owners: dict[str, str] = {}
    splits: dict[str, str] = {}
    for site in cohort.sites.values():
        for row in site.rows:
            _check_owner(owners, str(row["scan"]), site.site)
            if site.role == "reference":
                _check_split(splits, row)
            _check_pair(cohort, row, site.site)


def _check_owner(owners: dict[str, str], scan: str, site: str) -> None:
    if scan in owners:
        raise StudyError(
            f"the scan id '{scan}' is used by the sites {owners[scan]} and {site}; "
            "scan ids are unique in a study: rename one"
        )
    owners[scan] = site


def _check_split(splits: dict[str, str], row: Row) -> None:
    subject, split = str(row["subject"]), str(row["split"])
    if splits.setdefault(subject, split) != split:
        raise StudyError(
            f"subject {subject} is in the splits {splits[subject]} and {split}; "
            "all reference scans of a subject share one split"
        )


def _check_pair(cohort: Cohort, row: Row, site: str) -> None:
    pair = parse_pair(row)
    if pair is None:
        return
    other = cohort.sites.get(pair[0])
    if other is None or pair[1] not in {str(entry["scan"]) for entry in other.rows}:
        raise StudyError(
            f"scan {row['scan']} of site {site} names the paired scan '{row['paired_scan']}', "
            "which is not in the study; write site/scan of an existing row"
        )


if __name__ == "__main__":
    # what reads images is too heavy for a file that the Snakefile imports
    importlib.import_module("ctharmony.io.discover").command(sys.argv[1:])
