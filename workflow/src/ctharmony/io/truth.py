"""Where virtual patients' truth lies."""

from collections.abc import Iterable
from pathlib import Path

from ctharmony.io.tables import read_table


def travelling_truth(batches: Iterable[str]) -> dict[str, Path]:
    """Scan -> the same patient at the same pose as the target scanner shows it.

    Args:
        batches: folders of truth; scans of patients who do not travel have none.
    """
    found = {}
    for folder in map(Path, batches):
        table = read_table(folder / "truth.tsv")
        for scan in table.loc[table["travelling"] == 1, "scan"]:
            found[scan] = folder / f"{scan}_target.nii.gz"
    return found
