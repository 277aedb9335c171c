"""A trained harmonizer for notebooks and servers: read once, then scan after scan.

>>> from ctharmony.harmonization import Harmonizer
>>> harmonizer = Harmonizer.load("results/demo/packages/factorised")  # doctest: +SKIP
>>> result = harmonizer(volume, spacing=(3.0, 0.7, 0.7), site="harbour")  # doctest: +SKIP
>>> result.hu.shape == volume.shape  # doctest: +SKIP
True
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ctharmony.harmonization.harmonizer import Measured, ScanHarmonizer
from ctharmony.io.models import read_model
from ctharmony.io.nifti import read_scan
from ctharmony.io.packages import ABOUT
from ctharmony.io.scan import InputLimits, SetAside, check_hounsfield
from ctharmony.io.seals import read_sealed_json
from ctharmony.io.volumes import write_volume
from ctharmony.quality.measure import QualitySettings, analyse

INSIDE_MODEL = Path("artifacts") / "harmonizer"
UNKNOWN = "(unknown)"


@dataclass(frozen=True)
class HarmonizedScan:
    """One harmonized scan; arrays are (slices, rows, columns) float32 HU.

    Attributes:
        hu: the scan as the target site's scanner would have shown it.
        change: `hu` minus the scan.
        uncertainty: SD of `hu` around the noise-free target rendering.
        status: ok, or warned where the scan is out of distribution and returned as it is.
        reason: empty, or a remark.
    """

    hu: np.ndarray
    change: np.ndarray
    uncertainty: np.ndarray
    status: str
    reason: str


class Harmonizer:
    """What the workflow trained, ready to harmonize arrays.

    Attributes:
        target: the site whose scanner the results look like.
        sites: the sites it knows.
        about: study, model and hashes, as the rule `package` wrote them.
    """

    def __init__(
        self, carrier: ScanHarmonizer, quality: QualitySettings, about: Mapping[str, Any]
    ) -> None:
        self._carrier, self._quality, self.about = carrier, quality, dict(about)
        self.target = carrier.target
        self.sites = sorted(set(carrier.sites) - {UNKNOWN})

    @classmethod
    def load(cls, path: str | Path) -> "Harmonizer":
        """Read a harmonizer: a folder `results/<study>/packages/<model>` or a copy of it.

        Raises:
            ValueError: the folder holds no harmonizer, or one of another version.
        """
        folder = Path(path)
        if not (folder / ABOUT).is_file():
            folder = folder / INSIDE_MODEL
        if not (folder / ABOUT).is_file():
            raise ValueError(
                f"{path} holds no harmonizer; name a folder results/<study>/packages/<model>"
            )
        about = read_sealed_json(folder / ABOUT)
        profiles = {
            file.stem: read_sealed_json(file) for file in sorted(folder.glob("sites/*.json"))
        }
        block, target = about["harmonization"], about["target"]
        profiles[UNKNOWN] = _unknown(folder, profiles[target])
        decode, references = read_model(folder).decode, about["reference_sites"]
        try:
            carrier = ScanHarmonizer.from_profiles(profiles, references, target, block, decode)
            return cls(carrier, QualitySettings.from_config(about["quality"]), about)
        except KeyError as error:
            raise ValueError(
                f"{path} was packaged by another version of ctharmony: its settings lack {error}; "
                "run its study again, which packages it anew"
            ) from error

    def __call__(
        self,
        volume: np.ndarray,
        spacing: tuple[float, float, float],
        site: str | None,
        slice_thickness_mm: float | None = None,
    ) -> HarmonizedScan:
        """Harmonize one scan.

        Args:
            volume: (slices, rows, columns) HU, any number type; axes grow superior, anterior,
                right, as `ctharmony.io.volumes.read_volume` gives them.
            spacing: (dz, dy, dx) mm.
            site: a site of `sites`; None for a scanner never seen: physics alone then carries the
                scan, by what is measured on it.
            slice_thickness_mm: from the header; None: the site's.

        Raises:
            ValueError: the volume is not three-dimensional, or the site is unknown.
        """
        hu = np.ascontiguousarray(volume, dtype=np.float32)
        if hu.ndim != 3:
            raise ValueError(f"a scan has three dimensions, not {hu.ndim}")
        _, row, curves = analyse(hu, spacing, self._quality)
        row |= {"slices": len(hu), "spacing_z_mm": spacing[0], "scan": "scan"}
        row |= {"slice_thickness_mm": np.nan if slice_thickness_mm is None else slice_thickness_mm}
        measured = Measured(row, curves.assign(scan="scan"))
        result, reason = self._carrier.carry(hu, spacing, site or UNKNOWN, measured)
        status = "warned" if reason.startswith("out of distribution") else "ok"
        return HarmonizedScan(result.hu, result.change, result.uncertainty, status, reason)


def _unknown(folder: Path, target: Mapping[str, Any]) -> dict[str, Any]:
    """A scanner never seen: the reference sites' mean, until the scan itself says more."""
    operator = read_sealed_json(folder / "reference.json")["operator"]
    reason = "unasked (no site)"
    return {"operator": operator, "prior_mean": target["prior_mean"], "reason": reason}


def harmonize_file(
    harmonizer: Harmonizer, path: str | Path, site: str | None, output: str | Path
) -> dict[str, Any]:
    """Harmonize one NIfTI file and write the result, int16 HU in RAS+.

    Args:
        harmonizer: a loaded one; path: the scan, in HU; site: its site, None for a new scanner.
        output: file to write (.nii.gz).

    Returns:
        path, output (empty when set aside), status (ok, warned, set_aside), reason and
        mean_absolute_change_hu. A scan that cannot be used raises nothing.
    """
    told = {"path": str(path), "output": "", "mean_absolute_change_hu": float("nan")}
    try:
        scan = read_scan(Path(path), InputLimits(**harmonizer.about["input"]))
        check_hounsfield(scan.hu, InputLimits(**harmonizer.about["input"]))
        result = harmonizer(scan.hu, scan.spacing, site)
    except (SetAside, ValueError, OSError) as error:
        return told | {"status": "set_aside", "reason": f"{path}: {error}"}
    write_volume(output, result.hu, scan.affine)
    change = float(np.abs(result.change).mean())
    told |= {"output": str(output), "mean_absolute_change_hu": change}
    return told | {"status": result.status, "reason": result.reason}
