"""`withdraw`: a site leaves the study; its outputs are kept aside, and nothing else reads them."""

import argparse
import shutil
from pathlib import Path

import pandas as pd

from ctharmony.cohort import StudyError
from ctharmony.commands.study import open_study
from ctharmony.io.tables import write_table

ARCHIVE = "withdrawn"


def fill(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("study", type=Path, help="the study's folder or config file")
    parser.add_argument("site", help="the site that leaves")
    parser.add_argument("--why", default="yes", help="a date or a word for the sites sheet")


def run(given: argparse.Namespace) -> int:
    """Mark the site in the sites sheet and move its outputs to `withdrawn/<site>/`; 0.

    Raises:
        StudyError: the study has no such site, or the site is the target.
    """
    study = open_study(given.study)
    if given.site not in study.cohort.sites:
        raise StudyError(
            f"the study has no site '{given.site}'; write one of {', '.join(study.cohort.sites)}"
        )
    if given.site == study.config["target"]:
        raise StudyError(
            f"'{given.site}' is the target; name another reference site as `target` first"
        )
    mark(Path(study.config["sites"]), given.site, given.why)
    moved = archive(study.results, given.site)
    print(f"{given.site} is withdrawn; {moved} folders lie in {study.results / ARCHIVE}")
    print("Run the workflow again: the aggregates leave the site out.")
    return 0


def mark(sheet: Path, site: str, why: str) -> None:
    """Fill the column `withdrawn` of the site's row."""
    frame = pd.read_csv(sheet, sep="\t", dtype=str, keep_default_na=False)
    if "withdrawn" not in frame:
        frame["withdrawn"] = ""
    frame.loc[frame["site"] == site, "withdrawn"] = why
    write_table(sheet, frame)


def archive(results: Path, site: str) -> int:
    """Move every stage's folder of the site aside; how many there were."""
    found = [*results.glob(f"*/{site}"), *results.glob(f"*/*/{site}")]
    found = [path for path in found if path.relative_to(results).parts[0] != ARCHIVE]
    for path in found:
        place = results / ARCHIVE / site / path.relative_to(results).parent
        place.mkdir(parents=True, exist_ok=True)
        shutil.move(path, place)
    return len(found)
