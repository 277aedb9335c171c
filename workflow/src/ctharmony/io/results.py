"""Reads what the rules left in the results folder, for the report and for tracking."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ctharmony.io.seals import read_sealed_json
from ctharmony.io.tables import read_table

Place = tuple[str, str]  # site, scan
LOGGER = logging.getLogger("ctharmony")


def stacked(directories: Iterable[str], name: str) -> pd.DataFrame:
    """The table `name` of every batch folder, one under the other, with columns site and batch.

    A folder's last two parts are its site and batch. Folders without that table are passed over.
    """
    frames = []
    for directory in map(Path, directories):
        if (directory / name).is_file():
            frame = read_table(directory / name, text=("status", "reason", "method"))
            others = frame.drop(columns=["site", "batch"], errors="ignore")
            others.insert(0, "site", directory.parent.name)
            others.insert(1, "batch", directory.name)
            frames.append(others)
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def histograms(scans: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """Histograms of the scans, index (site, subject, scan), one column per HU bin.

    Args:
        scans: rows with site, subject, scan; curves: rows with site, scan, curve, x, y.
    """
    index = ["site", "subject", "scan"]
    if "curve" not in curves:
        return pd.DataFrame(index=pd.MultiIndex.from_tuples([], names=index))
    rows = curves[curves["curve"] == "histogram"].merge(scans[index], on=["site", "scan"])
    return rows.pivot(index=index, columns="x", values="y")


def read_model(
    name: str,
    evaluation: str,
    model: str,
    traversals: str,
    harmonized: Sequence[str],
    adapted: Sequence[str],
) -> dict[str, Any]:
    """Everything one model left: its tables, figures, history, card and priors.

    Args:
        name: the model's name; evaluation, model, traversals: its folders.
        harmonized: batch folders, adapted: site folders of all models; its own are read.
    """
    own = [folder for folder in harmonized if Path(folder).parts[-3] == name]
    tables = {path.stem: read_table(path) for path in sorted(Path(evaluation).rglob("*.tsv"))}
    history = Path(model) / "history.tsv"
    card = Path(model) / "model_card.json"
    return {
        "name": name,
        "metrics": tables.pop("metrics", pd.DataFrame()),
        "tables": tables,
        "figures": {p.name: p.read_bytes() for p in sorted(Path(evaluation).rglob("*.png"))},
        "history": read_table(history) if history.is_file() else pd.DataFrame(),
        "card": read_sealed_json(card) if card.is_file() else {},
        "priors": _profiles(name, Path(model), adapted),
        "harmonized": stacked(own, "harmonized.tsv"),
        "latents": stacked(own, "latents.tsv"),
        "traversals": {p.name: p.read_bytes() for p in sorted(Path(traversals).glob("z_*"))},
    }


def _profiles(name: str, model: Path, adapted: Sequence[str]) -> dict[str, Any]:
    """Site -> profile: reference sites from the model's folder, query sites as adapted to it."""
    found = {path.stem: read_sealed_json(path) for path in sorted(model.glob("sites/*.json"))}
    for folder in map(Path, adapted):
        if folder.parent.name == name and (folder / "site.json").is_file():
            found[folder.name] = read_sealed_json(folder / "site.json")
    return found


def demonstrations(made: Mapping[str, int]) -> dict[str, Any]:
    """Name -> (tables, figures as PNG) of each demonstration's folder.

    Args:
        made: folder -> when it was made (which only makes the report new).
    """
    found = {}
    for folder in map(Path, made):
        tables = {path.stem: read_table(path) for path in sorted(folder.glob("*.tsv"))}
        pictures = {path.name: path.read_bytes() for path in sorted(folder.glob("*.png"))}
        found[folder.name] = (tables, pictures)
    return found
