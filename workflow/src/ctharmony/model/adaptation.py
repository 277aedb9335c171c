"""Onboarding a site: the network stays frozen, only p(z_s|site) is new."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from ctharmony.model.inference import ScanPosterior, TrainedModel
from ctharmony.model.settings import Settings


@dataclass(frozen=True)
class SiteProfile:
    """A site as the model knows it.

    Attributes:
        n_scans: scans behind it.
        prior_mean, prior_logvar: (d,) of p(z_s|site).
        out_of_distribution: how far the site's scans lie from the training scans, in the latter's
            own SDs of the scanner features (1 is typical); above the threshold it is refused.
        reason: empty, or why the site must not be harmonized.
    """

    n_scans: int
    prior_mean: np.ndarray
    prior_logvar: np.ndarray
    out_of_distribution: float
    reason: str

    def to_dict(self, site: str, operator: dict[str, Any]) -> dict[str, Any]:
        """The content of a site's file: this profile and the scanner's physical operator."""
        return {"site": site, "operator": operator, **asdict(self)}


def adapt(model: TrainedModel, posteriors: Sequence[ScanPosterior]) -> SiteProfile:
    """p(z_s|site) from 1..n scans, shrunk toward the hyperprior that the reference sites make.

    The site's mean is drawn to N(m, T) of the reference sites' means by its own precision
    (normal-normal model, per dimension); the within-site variance, to the reference sites' mean
    variance with the weight of `adaptation.shrinkage_scans` scans.

    Raises:
        ValueError: no posterior.
    """
    if not posteriors:
        raise ValueError("no usable scan to adapt to; add a scan of this site")
    count, weight = len(posteriors), model.settings.adaptation.shrinkage_scans
    hyper_mean, between, within = hyperprior(model)
    least = model.settings.adaptation.least_variance
    centre, own = _moments(posteriors, least)
    variance = (count * own + weight * within) / (count + weight)
    # the hyperprior counts as `weight` scans where the sites differ as much as scans of one do
    trust = between / (between + weight * variance / count) if weight else np.ones_like(variance)
    mean = trust * centre + (1.0 - trust) * hyper_mean
    distance = float(np.median([posterior.distance for posterior in posteriors]))
    return SiteProfile(
        n_scans=count,
        prior_mean=mean.astype(np.float32),
        prior_logvar=np.log(np.maximum(variance, least)).astype(np.float32),
        out_of_distribution=distance,
        reason=_refusal(distance, _tissues_seen(posteriors), model.settings),
    )


def fit_priors(model: TrainedModel, posteriors: dict[str, Sequence[ScanPosterior]]) -> None:
    """Put p(z_s|site) of the reference sites at its optimum for these training scans.

    The KL to the prior is least where the prior has the moments of the site's posteriors, so the
    learned priors need not be waited for; and reference and query sites are then known by the
    same estimate from the same patches.

    Raises:
        ValueError: a reference site has no posterior.
    """
    for index, site in enumerate(model.sites):
        if not posteriors.get(site):
            raise ValueError(f"site {site} has no usable training scan")
        least = model.settings.adaptation.least_variance
        mean, variance = _moments(posteriors[site], least)
        with torch.no_grad():
            model.network.priors.mean[index] = torch.from_numpy(mean)
            model.network.priors.logvar[index] = torch.from_numpy(np.log(variance))


def _moments(
    posteriors: Sequence[ScanPosterior], least_variance: float
) -> tuple[np.ndarray, np.ndarray]:
    means = np.stack([posterior.mean for posterior in posteriors])
    own = np.mean([np.exp(posterior.logvar) for posterior in posteriors], axis=0)
    return means.mean(axis=0), np.maximum(own + means.var(axis=0), least_variance)


def reference_profile(model: TrainedModel, site: str, scans: int) -> SiteProfile:
    """The profile of a site that the model was trained on: its own prior, never refused."""
    mean, logvar = model.site_prior(site)
    return SiteProfile(scans, mean, logvar, 0.0, "")


def unseen_profile(model: TrainedModel, site: str) -> SiteProfile:
    """The profile of a site none of whose scans could be used: the hyperprior, refused."""
    mean, between, within = hyperprior(model)
    reason = f"not adapted to {site}, none of whose scans could be used; see its scans.tsv"
    logvar = np.log(between + within).astype(np.float32)
    return SiteProfile(0, mean.astype(np.float32), logvar, float("nan"), reason)


def hyperprior(model: TrainedModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over reference sites, variance between them, mean variance within them, each (d,).

    Site means are draws of N(0, 1) in the objective, so the between-site variance counts that
    prior as one more site: three sites alone would make it far too sure.
    """
    priors = [model.site_prior(site) for site in model.sites]
    means = np.stack([mean for mean, _ in priors])
    between = (((means - means.mean(0)) ** 2).sum(0) + 1.0) / len(means)
    return means.mean(0), between, np.exp([logvar for _, logvar in priors]).mean(0)


def _tissues_seen(posteriors: Sequence[ScanPosterior]) -> float:
    """Share of the tissues that the middle scan shows."""
    return float(np.median([np.isfinite(p.anchors).mean() for p in posteriors]))


def _refusal(distance: float, tissues: float, settings: Settings) -> str:
    if tissues < settings.adaptation.least_tissues:
        names = ", ".join(settings.anchors_hu)
        return (
            f"out of distribution: most of its scans lack the HU of most of {names}; "
            "check that they are chest CT in HU"
        )
    threshold = settings.adaptation.refuse_above
    if distance <= threshold:
        return ""
    return (
        f"out of distribution: its scans lie {distance:.1f} training SDs away, "
        f"more than model.adaptation.refuse_above = {threshold:g}; train with such a site"
    )
