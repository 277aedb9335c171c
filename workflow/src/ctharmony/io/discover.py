"""Proposes a site's manifest from a folder of any layout: DICOM exports, archives, NIfTI, BIDS.

Run as `python -m ctharmony.cohort discover FOLDER --site NAME`.
"""

import argparse
import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from ctharmony.io.candidates import Taken, candidates
from ctharmony.io.quiet import quiet
from ctharmony.io.tables import write_sheet

__all__ = ["COLUMNS", "NOTES", "Taken", "command", "discover"]

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
)
NOTES = ("study", "acquisition", "left_out")


@quiet()
def discover(folder: Path, site: str, taken: Taken) -> pd.DataFrame:
    """One row per series or NIfTI file found below a folder, in the order of their paths.

    Scans and subjects are numbered (`site-s001`, `site-p001`): no name or number of a patient
    becomes an id. A DICOM PatientID, a BIDS `sub-` label or else the study tells subjects apart.

    Args:
        folder: searched with all its subfolders; links are not followed.
        site: prefix of the ids.
        taken: what ingest would take (`Taken.from_config(config["ingest"])`).

    Returns:
        COLUMNS, of which `spacing_mm` is slices x rows x columns, and NOTES: `study` and
        `acquisition` are equal, in whatever folders, for scans of one study and for reconstructions
        of the same raw data, `acquisition` is empty where the headers do not tell; `left_out` holds
        the reason, empty for what ingest would take.
    """
    found = sorted(candidates(folder, taken), key=lambda row: (row["path"], row["series"]))
    _choose_within_studies(found, taken.rule.series_per_study)
    people = _numbers(row["person"] for row in found)
    for number, row in enumerate(found, start=1):
        row["scan"] = f"{site}-s{number:03d}"
        row["subject"] = f"{site}-p{people[row['person']]:03d}"
        row["study"], row["acquisition"] = _mark(row["study"]), _mark(row["acquisition"])
    return pd.DataFrame(found, columns=[*COLUMNS, *NOTES])


def _numbers(names: Iterable[Hashable]) -> dict[Hashable, int]:
    """1, 2, ... by first appearance."""
    return {name: k for k, name in enumerate(dict.fromkeys(names), start=1)}


def _mark(content: Hashable | None) -> str:
    """The same for the same content, which it does not show; empty for None."""
    return "" if content is None else hashlib.sha256(repr(content).encode()).hexdigest()[:16]


def _choose_within_studies(rows: list[dict[str, Any]], count: int) -> None:
    """Mark all but the best `count` series of each study as left out."""
    studies = defaultdict(list)
    for row in rows:
        if not row["left_out"]:
            studies[row["study"]].append(row)
    for usable in studies.values():
        for row in sorted(usable, key=lambda row: row["rank"])[count:]:
            row["left_out"] = (
                "another series of its study goes first (by ingest.selection: preferred kernel, "
                "then most slices)"
            )


def command(arguments: list[str] | None = None) -> None:
    """`discover FOLDER --site NAME`: write the manifest, and beside it what was left out."""
    parser = argparse.ArgumentParser(prog="python -m ctharmony.cohort")
    found = parser.add_subparsers(required=True).add_parser(
        "discover",
        help="propose the manifest of a site's scans",
        description="Propose the manifest of a site's scans: DICOM, archives, NIfTI or BIDS.",
    )
    found.add_argument("folder", type=Path, help="folder to search")
    found.add_argument("--site", required=True, help="the site's id")
    found.add_argument(
        "--config", type=Path, default=Path("config/config.yaml"), help="the study's config.yaml"
    )
    found.add_argument(
        "--output", type=Path, help="manifest to write (default: config/scans/SITE.tsv)"
    )
    given = parser.parse_args(arguments)
    output = given.output or Path("config", "scans", f"{given.site}.tsv")
    _refuse(parser, given, output)
    block = yaml.safe_load(given.config.read_text(encoding="utf-8"))["ingest"]
    table = discover(given.folder, given.site, Taken.from_config(block))
    taken = table["left_out"] == ""
    rest = output.with_name(f"{output.stem}_left_out.tsv")
    write_sheet(output, table.loc[taken, list(COLUMNS)])
    write_sheet(rest, table.loc[~taken, [*COLUMNS, "left_out"]])
    print(f"{taken.sum()} scans in {output}, {(~taken).sum()} left out in {rest}")
    for reason, number in table.loc[~taken, "left_out"].value_counts().items():
        print(f"  {number} left out: {reason}")


def _refuse(parser: argparse.ArgumentParser, given: argparse.Namespace, output: Path) -> None:
    """End with a sentence where the command cannot do its work."""
    if not given.folder.is_dir():
        parser.error(f"{given.folder} is not a folder; name the folder of the site's scans")
    if not given.config.is_file():
        parser.error(f"{given.config} does not exist; give the study's with --config")
    if output.exists():
        parser.error(
            f"{output} exists and manifests are only ever appended to; write elsewhere with "
            "--output and append the new rows"
        )
