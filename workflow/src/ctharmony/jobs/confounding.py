"""A study whose sites' patients differ, drawn from patients who were scanned at every site."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ctharmony.evaluation.cases import OURS, UNTOUCHED
from ctharmony.evaluation.confounding import (
    ConfoundingSettings,
    Judged,
    confounding_rows,
    sent_to,
    stacked_features,
)
from ctharmony.evaluation.feature_row import FeatureSettings, scan_features
from ctharmony.evaluation.probes import ProbeSettings
from ctharmony.evaluation.tables import factor_table
from ctharmony.harmonization.harmonizer import Measured, ScanHarmonizer
from ctharmony.io.models import read_curves
from ctharmony.io.registered import ingested_scans, read_masked
from ctharmony.io.tables import read_tables
from ctharmony.jobs.harmonization import read_references
from ctharmony.jobs.training import training_scans, write_reference_sites
from ctharmony.model.settings import Settings
from ctharmony.model.training import train

LOGGER = logging.getLogger("ctharmony")


def confounding_settings(block: Mapping[str, Any], seed: int) -> ConfoundingSettings:
    """Read what `params.settings` of the rule says of the answers."""
    study, probes = block["study"], ProbeSettings(**block["probes"], seed=seed)
    names = ("divisions", "overlap_minimum", "least_r2", "biology_loss")
    return ConfoundingSettings(probes, **{name: study[name] for name in names})


class ConfoundingStudy:
    """Patients sent to sites by a factor: a harmonizer learned from some, judged on the others.

    Args:
        given: batch folders `ingested`, `truth` and `features` of the patients' scans.
        block: `study` (the config block `confounding_study`), `model`, `harmonization`,
            `features`, `probes`.
        target: the target site; seed: of the study.

    Raises:
        ValueError: the target is none of the study's sites.
    """

    def __init__(self, given: Any, block: Mapping[str, Any], target: str, seed: int) -> None:
        self.block, self.study, self.target, self.seed = block, block["study"], target, seed
        if target not in self.study["sites"]:
            raise ValueError(
                f"confounding_study.sites lacks the target site {target}, whose scans are the "
                "truth; add it"
            )
        rows = ingested_scans(given.ingested)
        truth = read_tables([f"{folder}/truth.tsv" for folder in given.truth])
        ages = truth.drop_duplicates("subject").set_index("subject")[["age", "sex"]]
        usable = rows[rows["status"] != "set_aside"].drop(columns=["age", "sex"], errors="ignore")
        self.rows = usable.join(ages, on="subject")
        self.truth = truth.drop_duplicates("subject").set_index("subject")
        self.before = read_tables([f"{folder}/features.tsv" for folder in given.features])

    def table(self, correlation: float, threads: int, folder: Path) -> pd.DataFrame:
        """Rows of `confounding_rows` at one correlation of site and factor.

        Args:
            correlation: 0 to 1; threads: of the training; folder: for the model's files.
        """
        sent = self._sent(correlation)
        seen = self.rows["subject"].map(sent) == self.rows["site"]
        fitted = self.rows[seen & (self.rows["split"] == "train")]
        harmonizer = self._harmonizer(fitted, threads, folder)
        judged = self.rows[self.rows["split"] == "test"]
        after = self._features(judged, harmonizer)
        methods = {UNTOUCHED: self.before.merge(judged[["scan"]], on="scan"), OURS: after}
        stacks = {name: self._stacked(table) for name, table in methods.items()}
        patients = stacks[OURS][1]
        sites = list(self.study["sites"])
        index = np.array([sites.index(sent[patient]) for patient in patients])
        views = {name: Judged(stack, index, sites.index(self.target))
                 for name, (stack, _) in stacks.items()}  # fmt: skip
        how = confounding_settings(self.block, self.seed)
        found = confounding_rows(views, self._factors(patients), sites, how)
        return pd.DataFrame([{"correlation": correlation} | row for row in found])

    def _sent(self, correlation: float) -> dict[str, str]:
        """Subject -> the site that the study sees them at; both splits are dealt out alike."""
        sites, found = list(self.study["sites"]), {}
        for part, split in enumerate(("train", "test")):
            own = self.rows.loc[self.rows["split"] == split, "subject"].drop_duplicates()
            factor = self.truth.loc[own, self.study["factor"]]
            index = sent_to(factor, correlation, len(sites), self.seed + part)
            found |= {subject: sites[place] for subject, place in zip(own, index, strict=True)}
        return found

    def _harmonizer(self, fitted: pd.DataFrame, threads: int, folder: Path) -> ScanHarmonizer:
        """Trained on these scans alone, as `train` does it for a study's reference sites."""
        settings = Settings.from_dict(self.block["model"])
        manifest = fitted[["site", "scan", "age", "sex"]].to_dict("records")
        scans = training_scans(fitted, manifest, settings, folder / "scans")
        model, _ = train(scans, settings, self.seed, threads)
        numbers = self.block["harmonization"]
        sites = [{"site": site} for site in self.study["sites"]]
        write_reference_sites(folder, model, sites, fitted, numbers["operator"])
        profiles = read_references(folder)
        return ScanHarmonizer.from_profiles(profiles, profiles, self.target, numbers, model.decode)

    def _features(self, rows: pd.DataFrame, harmonizer: ScanHarmonizer) -> pd.DataFrame:
        """Features of the scans as the harmonizer leaves them, in whole HU."""
        how = FeatureSettings.from_dict(self.block["features"])
        curves, found = read_curves(rows), []
        known = {row["scan"]: row for row in self.before.to_dict("records")}
        for row in rows.to_dict("records"):
            scan = row["scan"]
            volume, mask = read_masked(row["folder"], scan)
            measured = Measured(row, curves[curves["scan"] == scan])
            result, reason = harmonizer.carry(volume.hu, volume.spacing, row["site"], measured)
            labels = np.rint(mask).astype(np.uint8)
            if np.array_equal(result.hu, volume.hu):
                found.append(known[scan])
            else:
                found.append(
                    {"scan": scan} | scan_features(np.rint(result.hu), labels, volume.spacing, how)
                )
            LOGGER.info("%s: %s", scan, reason or "harmonized")
        return pd.DataFrame(found)

    def _stacked(self, table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
        named = table.merge(self.rows[["scan", "site", "subject"]], on="scan")
        return stacked_features(named, self.study["sites"])

    def _factors(self, patients: list[str]) -> pd.DataFrame:
        own = self.truth.loc[patients].reset_index()
        return factor_table(own, own, ()).drop(columns=["scan"])
