"""One scan after the other to the target site's scanner, from what is known of every site."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ctharmony.harmonization.individual import Limits, refusal, scan_operator, unchanged
from ctharmony.harmonization.operators import ScannerOperator, mean_operator
from ctharmony.harmonization.settings import TransportSettings
from ctharmony.harmonization.transport import Decoded, Harmonized, transport

Spacing = tuple[float, float, float]
# (hu, spacing, z_s of the source, z_s of the target or None) -> mean as source, as target, SD
Decode = Callable[
    [np.ndarray, Spacing, np.ndarray, np.ndarray | None], tuple[np.ndarray | None, ...]
]


@dataclass(frozen=True)
class SiteScanner:
    """A site as harmonization needs it.

    Attributes:
        operator: what its scanner does to a patient.
        prior_mean: (d,) mean of p(z_s | site).
        reason: empty, or why the network must not be asked about this site.
    """

    operator: ScannerOperator
    prior_mean: np.ndarray
    reason: str

    @classmethod
    def from_profile(cls, profile: Mapping[str, Any]) -> "SiteScanner":
        """Read a site's profile as `train` and `adapt` write it."""
        operator = ScannerOperator.from_dict(profile["operator"])
        return cls(operator, np.array(profile["prior_mean"]), profile["reason"])


def barycentre(references: Sequence[SiteScanner]) -> SiteScanner:
    """A scanner in the middle of the reference sites': no site has to be the model for all.

    Raises:
        ValueError: no site is given.
    """
    operator = mean_operator([site.operator for site in references])
    prior = np.mean([site.prior_mean for site in references], axis=0)
    return SiteScanner(operator, prior, "")


def scanner_to_aim_at(references: Sequence[SiteScanner], aim: str) -> SiteScanner | None:
    """What the config asks for: None for the target site, or the reference sites' barycentre.

    Args:
        references: every reference site; aim: `target` or `barycentre`.
    """
    return None if aim == "target" else barycentre(references)


@dataclass(frozen=True)
class Measured:
    """What quality control measured on one scan.

    Attributes:
        row: its row of scans.tsv; `scan`, `noise_sd_hu` and the geometry are used.
        curves: its rows of curves.tsv: scan, curve, x, y.
    """

    row: Mapping[str, Any]
    curves: pd.DataFrame


class ScanHarmonizer:
    """Carries scans to one target site. It keeps no state: a scan's result is its own.

    Args:
        sites: the sites known; the target is among them.
        target: the site to look like.
        block: the config block `harmonization`.
        decode: the network's decoder, or None for physics alone.
        aim: another scanner to look like than the target site's; its scans are then carried too.

    Raises:
        ValueError: the target is not among the sites.
    """

    def __init__(
        self,
        sites: Mapping[str, SiteScanner],
        target: str,
        block: Mapping[str, Any],
        decode: Decode | None,
        aim: SiteScanner | None = None,
    ) -> None:
        if target not in sites:
            known = ", ".join(sorted(sites))
            raise ValueError(f"the target site {target} is none of the model's ({known})")
        self.sites, self.target, self.decode = dict(sites), target, decode
        self.aimed_elsewhere, self.aim = aim is not None, aim or sites[target]
        self.transport = TransportSettings.from_dict(block["transport"])
        self.limits = Limits.from_dict(block["limits"])
        self.operator_settings = block["operator"]

    @classmethod
    def from_profiles(
        cls,
        profiles: Mapping[str, Mapping[str, Any]],
        references: Iterable[str],
        target: str,
        block: Mapping[str, Any],
        decode: Decode | None,
    ) -> "ScanHarmonizer":
        """A harmonizer that aims where the config says.

        Args:
            profiles: site -> its profile, as `train` and `adapt` write it.
            references: those sites that the model was trained on.
            target, block, decode: as above.
        """
        sites = {name: SiteScanner.from_profile(profile) for name, profile in profiles.items()}
        aim = scanner_to_aim_at([sites[name] for name in references], block["aim"])
        return cls(sites, target, block, decode, aim)

    def carry(
        self, hu: np.ndarray, spacing: Spacing, site: str, measured: Measured
    ) -> tuple[Harmonized, str]:
        """Harmonize one scan of a known site.

        Args:
            hu: (slices, rows, columns) float32 HU.
            spacing: (dz, dy, dx) mm.
            site: the scan's site.
            measured: what quality control measured on it.

        Returns:
            The result, and a remark: empty, or why it is not the ordinary one; a remark that
            begins with "out of distribution" means that the scan is returned as it is.

        Raises:
            ValueError: the site is not known.
        """
        if site not in self.sites:
            known = ", ".join(sorted(self.sites))
            raise ValueError(f"site {site} is none of the model's ({known}); onboard it with adapt")
        if site == self.target and not self.aimed_elsewhere:
            return unchanged(hu), "scan of the target site: returned as it is"
        source = self.sites[site]
        own = self._own_operator(source.operator, measured)
        reason = refusal(own, self.aim.operator, self.limits)
        if reason:
            return unchanged(hu), reason
        decoded, note = self._decoded(hu, spacing, source)
        return transport(hu, spacing, (own, self.aim.operator), self.transport, decoded), note

    def _own_operator(self, site: ScannerOperator, measured: Measured) -> ScannerOperator:
        numbers = self.operator_settings
        rows = pd.DataFrame([measured.row])
        smoothing, weight = numbers["smoothing_bins"], numbers["scan_weight"]
        return scan_operator(site, measured.curves, rows, smoothing, weight)

    def _decoded(
        self, hu: np.ndarray, spacing: Spacing, source: SiteScanner
    ) -> tuple[Decoded | None, str]:
        if source.reason:
            return None, f"carried by physics alone, the network being {source.reason}"
        if self.decode is None or self.transport.decoder_trust is None:
            return None, ""
        # an untrusted mean need not be decoded
        trusted = self.transport.decoder_trust > 0.0
        target = self.sites[self.target].prior_mean if trusted else None
        return Decoded(*self.decode(hu, spacing, source.prior_mean, target)), ""
