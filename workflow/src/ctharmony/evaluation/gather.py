"""Tables of all batches put together; reading is left to the caller's function."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pandas as pd

from ctharmony.evaluation.cases import OURS, USABLE, StudyTables
from ctharmony.evaluation.given import StudyInput

ReadTable = Callable[[Path], pd.DataFrame]


def gather(
    folders: Mapping[str, Sequence[Path]],
    read: ReadTable,
    pairs: Mapping[str, str],
) -> tuple[StudyTables, dict[str, pd.DataFrame]]:
    """Join the tables of every batch of every stage.

    Args:
        folders: stage -> batch directories: ingested, harmonized, baselines, truth,
            features_before, features_after, and model (one directory).
        read: reads a table.
        pairs: scan -> scan of the same acquisition on the target scanner.

    Returns:
        Tables that name files, and by name those that hold numbers: before, after, latents,
        history.
    """

    def stacked(stage: str, name: str) -> pd.DataFrame:
        frames = [_in_folder(read(folder / name), folder) for folder in folders[stage]]
        return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()

    files = StudyTables(
        scans=stacked("ingested", "scans.tsv"),
        harmonized=stacked("harmonized", "harmonized.tsv").assign(method=OURS),
        baselines=stacked("baselines", "baselines.tsv"),
        truth=stacked("truth", "truth.tsv"),
        pairs=pairs,
    )
    numbers = {
        "before": stacked("features_before", "features.tsv"),
        "after": stacked("features_after", "features.tsv"),
        "latents": stacked("harmonized", "latents.tsv"),
        "history": stacked("model", "history.tsv"),
    }
    return files, numbers


def study_input(files: StudyTables, numbers: Mapping[str, pd.DataFrame], target: str) -> StudyInput:
    """What an evaluation takes besides images: usable scans only."""
    scans = files.scans[files.scans["status"].isin(USABLE)].reset_index(drop=True)
    return StudyInput(scans=scans, truth=files.truth, target=target, **numbers)


def baseline_status(files: StudyTables) -> pd.DataFrame:
    """Columns site, scan, method, status, reason: how each baseline fared, when its images go."""
    columns = ["scan", "method", "status", "reason"]
    own = files.baselines.reindex(columns=columns).astype({"scan": str})
    return files.scans[["site", "scan"]].astype({"scan": str}).merge(own, on="scan")


def _in_folder(table: pd.DataFrame, folder: Path) -> pd.DataFrame:
    return pd.concat([table, pd.Series(str(folder), table.index, name="folder", dtype=str)], axis=1)
