"""Settings of the harmonization stage, read once from the config block."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ctharmony.harmonization.bands import BandSettings
from ctharmony.harmonization.gains import GainSettings
from ctharmony.harmonization.through_plane import ThroughPlane
from ctharmony.quality.noise import NoiseSettings


@dataclass(frozen=True)
class TransportSettings:
    """How a scan is carried to the target scanner.

    Attributes:
        look: `match` keeps noise at the target scanner's level, `clean` removes it.
        clean_noise: what is left of the noise amplitude with `clean`.
        decoder_trust: None = the network is not asked; 0 = it tells mean from residual, but
            physics renders the target's mean; 1 = the network renders it.
        change_bound_hu: largest change of a voxel, HU.
        match_thickness: blend neighbouring slices toward the target's slice thickness.
        through_plane: see there.
        anchor_sd: SD of one scan's tissue modes around its scanner's calibration, HU, per tissue.
        calibration_sd: SD of calibration between scanners, HU; 0 = no HU curve.
        bone_scale_sd: SD of bone's contrast between scanners of one tube voltage, as a share.
        gains, bands: see there.
        noise: patches in which the noise of the result is measured.
    """

    look: str
    clean_noise: float
    decoder_trust: float | None
    change_bound_hu: float
    match_thickness: bool
    through_plane: ThroughPlane
    anchor_sd: dict[str, float]
    calibration_sd: float
    bone_scale_sd: float
    gains: GainSettings
    bands: BandSettings
    noise: NoiseSettings

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "TransportSettings":
        """Read the block `transport` of the harmonization config.

        Raises:
            ValueError: `look` is neither `match` nor `clean`.
        """
        if content["look"] not in ("match", "clean"):
            raise ValueError(f"harmonization look {content['look']!r}: choose match or clean")
        cut, trust = content["bands"], content["decoder_trust"]
        return cls(
            look=content["look"],
            clean_noise=float(content["clean_noise"]),
            decoder_trust=None if trust is None else float(trust),
            change_bound_hu=float(content["change_bound_hu"]),
            match_thickness=bool(content["match_thickness"]),
            through_plane=ThroughPlane.from_dict(content["through_plane"]),
            anchor_sd={name: float(sd) for name, sd in content["anchor_sd"].items()},
            calibration_sd=float(content["calibration_sd"]),
            bone_scale_sd=float(content["bone_scale_sd"]),
            gains=GainSettings.from_dict(content["gains"]),
            bands=BandSettings(
                tuple(float(edge) for edge in cut["edges_per_mm"]),
                float(cut["window_cycles"]),
                float(cut["noise_margin"]),
            ),
            noise=NoiseSettings.from_dict(content["noise"]),
        )
