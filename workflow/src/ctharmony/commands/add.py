"""`add`: sites that join a study later; what is done stays as it is."""

import argparse
from pathlib import Path

from ctharmony.cohort import StudyError
from ctharmony.commands.findings import tell
from ctharmony.commands.init import take_data, write_sites
from ctharmony.commands.looks import make_console
from ctharmony.commands.sheets import find_sites, write_manifests
from ctharmony.commands.study import open_study


def fill(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("study", type=Path, help="folder of a study that `init` made")
    take_data(parser)


def run(given: argparse.Namespace) -> int:
    """Add the sites found as query sites: the model is not trained again; 0.

    Raises:
        StudyError: nothing usable, a site of that name is there, or the study has a fault, also
            one that it would have with the new sites; the sheet of sites is then as before.
    """
    study = open_study(given.study)
    found = find_sites(given.data, given.by, study.config["ingest"])
    taken = [each.site for each in found if each.site in study.cohort.sites]
    if taken:
        raise StudyError(
            f"the study has a site '{taken[0]}' already; name the new one (--data NAME=FOLDER), or "
            f"append new scans of that site to {given.study}/scans/{taken[0]}.tsv"
        )
    roles = {each.site: "query" for each in found if len(each.scans)}
    sheet = Path(study.config["sites"])
    before = sheet.read_text(encoding="utf-8")
    write_manifests(found, given.study / "scans")
    write_sites(sheet, given.study / "scans", roles)
    try:
        joined = open_study(given.study)
    except StudyError:
        sheet.write_text(before, encoding="utf-8")
        raise
    tell(make_console(), found, roles, joined)
    return 0
