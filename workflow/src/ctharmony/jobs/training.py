"""What the rule train leaves: the model, its history, and a profile of every reference site."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ctharmony.harmonization.operators import estimate_operator
from ctharmony.io.models import read_curves, read_scans, read_usable_rows, write_model
from ctharmony.io.seals import write_sealed_json
from ctharmony.io.tables import write_table
from ctharmony.model.adaptation import reference_profile, unseen_profile
from ctharmony.model.card import health_rows
from ctharmony.model.conditioning import covariate_values
from ctharmony.model.inference import TrainedModel
from ctharmony.model.scans import ScanData
from ctharmony.model.settings import Settings
from ctharmony.sheets import Row


def training_rows(given: Any, taken_in: Sequence[str] = ()) -> pd.DataFrame:
    """Usable rows of scans.tsv with `folder`.

    Args:
        given: batch folders `ingested` and `registered`.
        taken_in: scans of a query site that train here too.
    """
    rows = read_usable_rows(given.ingested, given.registered)
    return rows.assign(split=rows["split"].mask(rows["scan"].isin(taken_in), "train"))


def training_scans(
    rows: pd.DataFrame, manifest: Sequence[Row], settings: Settings, mapped: Path
) -> list[ScanData]:
    """Scans of the splits train and validation, with the covariates that the settings name.

    Args:
        rows: usable rows of scans.tsv with `folder`; manifest: rows of the sheets.
        settings: of the model; mapped: folder of uncompressed copies, see `read_scans`.
    """
    covariates = covariate_values(manifest, settings.invariance.covariates)
    return list(read_scans(rows[rows["split"].isin(["train", "validation"])], mapped, covariates))


def write_trained(
    folder: Path, model: TrainedModel, card: dict[str, Any], history: list[dict[str, Any]]
) -> None:
    """Weights, card and history.tsv, which ends with the rows of the model's health."""
    write_model(folder, model, card)
    health = health_rows(card, epoch=history[-1]["epoch"])
    write_table(folder / "history.tsv", pd.DataFrame(history + health))


def write_reference_sites(
    folder: Path,
    model: TrainedModel,
    sites: Sequence[Row],
    rows: pd.DataFrame,
    settings: dict[str, Any],
) -> None:
    """The operator of all training scans together, and a profile of every reference site.

    Args:
        folder: of the model; model: the trained one.
        sites: rows of the reference sites; one without a usable training scan is refused.
        rows: usable rows of scans.tsv with `folder`; the training scans are taken.
        settings: the config block `harmonization.operator`.
    """
    fitted = rows[rows["split"] == "train"]
    curves = read_curves(fitted)
    pooled = estimate_operator(curves, fitted, settings)
    write_sealed_json(folder / "reference.json", {"operator": pooled.to_dict()})
    for site in (row["site"] for row in sites):
        own = fitted[fitted["site"] == site]
        profile, operator = unseen_profile(model, site), pooled
        if len(own):
            profile = reference_profile(model, site, len(own))
            operator = estimate_operator(curves, own, settings)
        write_sealed_json(
            folder / "sites" / f"{site}.json", profile.to_dict(site, operator.to_dict())
        )
