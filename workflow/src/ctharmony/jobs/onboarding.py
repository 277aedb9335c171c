"""A site made known to a trained model, and how many of its scans that takes."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ctharmony.evaluation.agreement import mean_absolute_error
from ctharmony.evaluation.onboarding import TRAINED, Subset
from ctharmony.harmonization.harmonizer import Measured, ScanHarmonizer
from ctharmony.harmonization.operators import ScannerOperator, estimate_operator
from ctharmony.io.models import encode_scans, read_curves, read_model, read_usable_rows
from ctharmony.io.registered import read_masked
from ctharmony.io.seals import read_sealed_json
from ctharmony.io.truth import travelling_truth
from ctharmony.io.volumes import read_volume
from ctharmony.jobs.harmonization import read_references
from ctharmony.model.adaptation import adapt, unseen_profile
from ctharmony.model.inference import ScanPosterior, TrainedModel

LOGGER = logging.getLogger("ctharmony")


def read_prior(model: str | Path) -> ScannerOperator:
    """The reference sites' pooled operator from a model's folder."""
    return ScannerOperator.from_dict(read_sealed_json(Path(model) / "reference.json")["operator"])


def onboarded(
    model: TrainedModel,
    site: str,
    posteriors: Sequence[ScanPosterior],
    rows: pd.DataFrame,
    settings: dict[str, Any],
    prior: ScannerOperator,
) -> dict[str, Any]:
    """The profile of a site, as `adapt` writes it; the network stays frozen.

    Args:
        model: the trained model; site: the site's id.
        posteriors: of its scans; without any the profile refuses the network.
        rows: their rows of scans.tsv with `folder`; without any the operator is `prior`.
        settings: the config block `harmonization.operator`.
        prior: the reference sites' pooled operator.
    """
    profile = adapt(model, posteriors) if posteriors else unseen_profile(model, site)
    LOGGER.info("%s: %s", site, profile.reason or f"onboarded from {profile.n_scans} scans")
    operator = estimate_operator(read_curves(rows), rows, settings, prior) if len(rows) else prior
    return profile.to_dict(site, operator.to_dict())


class OnboardingStudy:
    """One virtual site onboarded from some of its scans, judged on those with a truth.

    Args:
        site: the site's id.
        given: `ingested`, `registered` and `truth` batch folders, and the folders `model` and
            `trained`, of the same model trained on the site too.
        target: the target site.
        block: the config block `harmonization`.
    """

    def __init__(self, site: str, given: Any, target: str, block: dict[str, Any]) -> None:
        self.site, self.target, self.block = site, target, block
        self.model, self.prior = read_model(given.model), read_prior(given.model)
        self.references = read_references(given.model)
        self.trained = given.trained
        rows = read_usable_rows(given.ingested, given.registered)
        self.curves, self.truth = read_curves(rows), travelling_truth(given.truth)
        known = rows["scan"].isin(self.truth)
        self.judged, self.own = rows[known].to_dict("records"), rows[~known]
        self.posteriors = encode_scans(self.model, self.own, LOGGER)

    def errors(self, part: Subset) -> list[dict[str, Any]]:
        """Rows size, repeat, scan and paired_mae_hu (HU, inside the body) of the judged scans."""
        LOGGER.info("%s scans, draw %d", part.size, part.repeat)
        return self._rows(part.size, part.repeat, self._harmonizer(part.scans))

    def errors_of_trained(self) -> list[dict[str, Any]]:
        """The same rows of the model that was trained on the site, of size TRAINED."""
        profiles, model = read_references(self.trained), read_model(self.trained)
        given = (profiles, profiles, self.target, self.block, model.decode)
        return self._rows(TRAINED, 0, ScanHarmonizer.from_profiles(*given))

    def _rows(self, size: str, repeat: int, carrier: ScanHarmonizer) -> list[dict[str, Any]]:
        return [
            {"size": size, "repeat": repeat, "scan": row["scan"],
             "paired_mae_hu": self._error(carrier, row)}
            for row in self.judged
        ]  # fmt: skip

    def _harmonizer(self, scans: Sequence[str]) -> ScanHarmonizer:
        """The study's harmonizer, the site known from these scans alone."""
        seen = self.own[self.own["scan"].isin(scans)]
        posteriors = [self.posteriors[scan] for scan in scans]
        numbers = self.block["operator"]
        profile = onboarded(self.model, self.site, posteriors, seen, numbers, self.prior)
        profiles = self.references | {self.site: profile}
        return ScanHarmonizer.from_profiles(
            profiles, self.references, self.target, self.block, self.model.decode
        )

    def _error(self, carrier: ScanHarmonizer, row: dict[str, Any]) -> float:
        scan = row["scan"]
        volume, mask = read_masked(row["folder"], scan)
        measured = Measured(row, self.curves[self.curves["scan"] == scan])
        result, _ = carrier.carry(volume.hu, volume.spacing, self.site, measured)
        return mean_absolute_error(result.hu, read_volume(self.truth[scan]).hu, mask > 0)
