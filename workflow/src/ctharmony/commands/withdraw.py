"""`withdraw`: a site leaves the study; its outputs are kept aside, and nothing else reads them."""

import argparse
import shutil
from pathlib import Path

from ctharmony.cohort import StudyError
from ctharmony.commands.sheets import edited_sheet
from ctharmony.commands.study import open_study
from ctharmony.io.tables import write_sheet

ARCHIVE = "withdrawn"
# folders that hold a folder of every site; a model may bear a site's name
STAGES = (
    "simulated", "truth", "ingested", "registered", "baselines", "harmonized/*", "features/*",
    "adapted/*", "dicom/*", "onboarding_study/*", "trained_with_site/*",
    "benchmarks/*",
)  # fmt: skip


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
    frame = edited_sheet(sheet)
    if "withdrawn" not in frame:
        frame["withdrawn"] = ""
    frame.loc[frame["site"] == site, "withdrawn"] = why
    write_sheet(sheet, frame)


def archive(results: Path, site: str) -> int:
    """Move every stage's folder of the site aside; how many there were.

    A site that was withdrawn before, and came back, gets a numbered folder beside the first.
    """
    found = [path for stage in STAGES for path in sorted(results.glob(f"{stage}/{site}"))]
    aside, count = results / ARCHIVE / site, 1
    while aside.exists():
        count += 1
        aside = results / ARCHIVE / f"{site}-{count}"
    for path in found:
        place = aside / path.relative_to(results).parent
        place.mkdir(parents=True, exist_ok=True)
        shutil.move(path, place)
    return len(found)
