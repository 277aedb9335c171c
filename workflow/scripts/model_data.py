"""Shared by train, adapt and harmonize: scans and site files of a study, from and to disk."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ctharmony.harmonization.operators import ScannerOperator, estimate_operator
from ctharmony.io.files import read_json, write_json
from ctharmony.io.tables import read_table, read_tables
from ctharmony.io.volumes import read_volume
from ctharmony.model.adaptation import SiteProfile
from ctharmony.model.inference import ScanPosterior, TrainedModel
from ctharmony.model.scans import ScanData
from ctharmony.model.settings import Settings

REFERENCE = "reference.json"


def usable_rows(ingested: Sequence[str], registered: Sequence[str]) -> pd.DataFrame:
    """Rows of scans.tsv that neither ingest nor registration set aside, with their folder."""
    tables = [read_table(Path(folder) / "scans.tsv").assign(folder=folder) for folder in ingested]
    rows = pd.concat(tables, ignore_index=True)
    placed = read_tables([Path(folder) / "registration.tsv" for folder in registered])
    bad = placed["status"].isin(["set_aside", "failed"])
    failed = set(placed.loc[bad, "scan"])
    return rows[(rows["status"] != "set_aside") & ~rows["scan"].isin(failed)]


def load_scans(rows: pd.DataFrame) -> Iterator[ScanData]:
    """Each row's scan, one at a time; HU as int16 to keep a study in memory."""
    for row in rows.itertuples():
        folder = Path(row.folder)
        volume = read_volume(folder / f"{row.scan}.nii.gz")
        mask = read_volume(folder / f"{row.scan}_mask.nii.gz").hu.astype("uint8")
        hu = volume.hu.round().astype("int16")
        yield ScanData(hu, mask, volume.spacing, row.site, row.scan, str(row.subject), row.split)


def load_model(folder: str | Path) -> TrainedModel:
    """A trained model from its directory."""
    from safetensors.torch import load_file

    settings = Settings.from_dict(read_json(Path(folder) / "model_card.json")["settings"])
    return TrainedModel.from_state(settings, load_file(Path(folder) / "weights.safetensors"))


def encode_usable(
    model: TrainedModel, rows: pd.DataFrame, logger: logging.Logger
) -> list[ScanPosterior]:
    """Posteriors of these scans; one that cannot be encoded is left out and logged."""
    posteriors = []
    for name, row in rows.groupby("scan", sort=False):
        try:
            scan = next(load_scans(row))
            posteriors.append(model.encode_scan(scan.hu, scan.mask, scan.spacing))
        except ValueError as error:
            logger.warning("%s is left out: %s", name, error)
    return posteriors


def scanner_operator(rows: pd.DataFrame, settings: dict[str, Any], prior: Any = None) -> Any:
    """The physical operator of a site from the curves of these scans."""
    curves = read_tables([Path(folder) / "curves.tsv" for folder in rows["folder"].unique()])
    return estimate_operator(curves, rows.drop(columns="folder"), settings, prior)


def reference_operator(model_folder: str | Path) -> ScannerOperator:
    """The mean scanner of the reference sites, toward which a new site is drawn."""
    return ScannerOperator.from_dict(read_json(Path(model_folder) / REFERENCE)["operator"])


def write_site(path: str | Path, site: str, profile: SiteProfile, operator: Any) -> None:
    """One site's file, in the same form for reference and query sites."""
    content = {
        "site": site,
        "n_scans": profile.n_scans,
        "prior_mean": profile.prior_mean,
        "prior_logvar": profile.prior_logvar,
        "out_of_distribution": profile.out_of_distribution,
        "reason": profile.reason,
        "operator": operator.to_dict(),
    }
    write_json(path, content)
