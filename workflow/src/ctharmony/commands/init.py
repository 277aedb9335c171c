"""`init`: a new study from folders of scans."""

import argparse
from pathlib import Path

import pandas as pd

from ctharmony.cohort import SITE_COLUMNS, StudyError
from ctharmony.commands.findings import tell
from ctharmony.commands.looks import make_console
from ctharmony.commands.sheets import (
    FoundSite,
    best_target,
    edited_sheet,
    find_sites,
    identifier,
    with_pairs,
    write_manifests,
)
from ctharmony.commands.study import base_config, open_study
from ctharmony.io.tables import write_sheet

FEW_SUBJECTS = 12  # below, every subject of a reference site trains
CONFIG = """\
# The study {name}. It is laid over config/config.yaml: only what differs stands here.
# Every key with its meaning, unit and range: config/README.md
study: {name}
# everything is written below this folder
results: results/{name}
# sheet of sites; one manifest per site in {folder}/scans/
sites: {folder}/sites.tsv
# reference site whose scanner the harmonized scans look like
target: {target}
batch_size: 16             # scans per job; a new scan reruns one batch

split:                     # how subjects of reference sites are divided
  test_fraction: {test:<9}  # share that only judges{why}
  validation_fraction: {validation:<3}  # share that only watches the training

model:
  threads: 2               # CPU threads of the training job
  training:
    steps: 350             # optimiser steps; a study of hundreds of scans gains from 2000 and a GPU
    accelerator: auto      # auto, cpu, cuda

# export:
#   dicom: true            # harmonized scans also as derived DICOM series
# tracking:
#   uri: https://mlflow.example.org   # an MLflow server instead of the embedded store
"""


def fill(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("study", type=Path, help="folder to make; its name is the study's")
    take_data(parser)
    parser.add_argument("--query", nargs="*", default=[], metavar="SITE", help=QUERY_HELP)
    parser.add_argument("--target", metavar="SITE", help=TARGET_HELP)


TARGET_HELP = "reference site to look like (default: of most scans; of equals, of most pairs)"
QUERY_HELP = "sites that are onboarded with the network frozen; all others train the model"


def take_data(parser: argparse.ArgumentParser) -> None:
    """Arguments about where scans lie."""
    parser.add_argument(
        "--data", nargs="+", required=True, metavar="FOLDER", help="folders, or SITE=FOLDER"
    )
    parser.add_argument(
        "--by",
        choices=("folder", "scanner"),
        default="folder",
        help="a site per folder, or per maker, model and kernel found in the headers",
    )


def run(given: argparse.Namespace) -> int:
    """Write the study's folder and say what was found; 0.

    Raises:
        StudyError: nothing usable, or the folder is taken.
    """
    if given.study.exists() and any(given.study.iterdir()):
        raise StudyError(
            f"{given.study} exists and is not empty; take another name, or add sites to it with "
            f"`python -m ctharmony add {given.study} --data ...`"
        )
    name = identifier(given.study.name)
    if not name:
        raise StudyError(f"'{given.study}' makes no study name; use letters, digits and '-'")
    found = find_sites(given.data, given.by, base_config()["ingest"])
    roles = _roles(found, given.query)
    references = [site for site, role in roles.items() if role == "reference"]
    target = given.target or best_target([_by_name(found)[site] for site in references])
    if target not in references:
        raise StudyError(f"--target {target} is no reference site; name {', '.join(references)}")
    found = with_pairs(found, target)
    write_manifests(found, given.study / "scans")
    write_sites(given.study / "sites.tsv", given.study / "scans", roles)
    subjects = {s for each in found if each.site in references for s in each.scans["subject"]}
    config = _config(name, given.study, target, len(subjects))
    (given.study / "config.yaml").write_text(config, encoding="utf-8")
    tell(make_console(), found, roles, open_study(given.study))
    return 0


def write_sites(sheet: Path, scans: Path, roles: dict[str, str]) -> None:
    """Add sites to a sheet, which is made when it is missing; its columns stay.

    Args:
        sheet: the sites sheet; scans: folder of the manifests; roles: by site.
    """
    rows = [
        {"site": site, "role": role, "manifest": f"{scans}/{site}.tsv"}
        for site, role in roles.items()
    ]
    new = pd.DataFrame(rows, columns=list(SITE_COLUMNS))
    if sheet.is_file():
        new = pd.concat([edited_sheet(sheet), new], ignore_index=True).fillna("")
    write_sheet(sheet, new)


def _by_name(found: list[FoundSite]) -> dict[str, FoundSite]:
    return {each.site: each for each in found if len(each.scans)}


def _roles(found: list[FoundSite], query: list[str]) -> dict[str, str]:
    sites = _by_name(found)
    strange = [site for site in query if site not in sites]
    if strange:
        raise StudyError(f"--query names {strange[0]}, but the sites are {', '.join(sites)}")
    if set(query) == set(sites):
        raise StudyError("every site is a query site; the model needs at least one reference site")
    return {site: "query" if site in query else "reference" for site in sites}


def _config(name: str, folder: Path, target: str, subjects: int) -> str:
    few = subjects < FEW_SUBJECTS
    return CONFIG.format(
        name=name,
        folder=folder,
        target=target,
        test=0.0 if few else 0.25,
        validation=0.0 if few else 0.15,
        why=": with few subjects all train" if few else "",
    )
