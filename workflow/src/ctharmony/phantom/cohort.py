"""Patients and scans of a virtual study, as the simulate rule and the sheets need them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from ctharmony.phantom.anatomy import make_anatomy
from ctharmony.phantom.dicom import Series, series_datasets
from ctharmony.phantom.population import (
    Factors,
    draw_factors,
    is_travelling,
    site_population,
)
from ctharmony.phantom.scanner import Sampling, Scanner, parse_sampling, parse_scanner
from ctharmony.phantom.tissues import LABELS
from ctharmony.phantom.visit import (
    Exposure,
    Gantry,
    PosedPatient,
    Visit,
    draw_pose,
    expose,
    grid_affine,
)


@dataclass(frozen=True)
class SimulatedScan:
    """One scan with its truth.

    Attributes:
        scan: id.
        datasets: the DICOM series.
        truth: row of the truth table.
        target, clean: (slices, rows, columns) float32 HU on the scan's own RAS grid, the same
            pose on the target scanner with independent noise and without noise; None for
            patients who do not travel.
        labels: (slices, rows, columns) uint8 as of `tissues.LABELS` on that grid.
        affine: (4, 4) of that grid, upright also where the gantry was tilted.
    """

    scan: str
    datasets: list[Dataset]
    truth: dict[str, Any]
    target: np.ndarray | None
    clean: np.ndarray | None
    labels: np.ndarray
    affine: np.ndarray


def patient_factors(row: dict[str, Any], site: str, population: dict[str, Any]) -> Factors:
    """The patient of a manifest row.

    Args:
        row: needs `subject`; `age` and `sex`, where given, must be the patient's.
        site: the site.
        population: block `population` of the simulation settings.

    Raises:
        ValueError: the manifest's age or sex are not the patient's.
    """
    chosen = site_population(population, site, is_travelling(row))
    factors = draw_factors(chosen, population["seed"], str(row["subject"]))
    known = {"age": str(factors.age), "sex": factors.sex}
    for name, value in known.items():
        if row.get(name) is not None and str(row[name]).removesuffix(".0") != value:
            raise ValueError(
                f"site {site}: the manifest gives subject {row['subject']} the {name} "
                f"{row[name]}, but the virtual patient's is {value}; write the sheet anew with "
                "python -m ctharmony.phantom.sheets"
            )
    return factors


class Study:
    """One site's scanner and the study's target, ready to scan patients."""

    def __init__(
        self,
        site: dict[str, Any],
        scanner: dict[str, Any],
        target_scanner: dict[str, Any],
        settings: dict[str, Any],
        seed: int,
    ):
        """Check all settings.

        Args:
            site: `site` and `scanner` (name) of the site.
            scanner, target_scanner: blocks of scanners.yaml.
            settings: the simulation block of the configuration.
            seed: the study's seed.

        Raises:
            ValueError: settings that are missing, unknown or out of range.
        """
        self.site = str(site["site"])
        self.scanner: Scanner = parse_scanner(str(site["scanner"]), scanner)
        self.target: Scanner = parse_scanner("of the target site", target_scanner)
        self.sampling: Sampling = parse_sampling(settings)
        self.settings = settings
        self.seed = int(seed)

    def scans(self, rows: list[dict[str, Any]]) -> Iterator[SimulatedScan]:
        """Scan the patients of manifest rows, one after the other."""
        for row in rows:
            yield self.scan(row)

    def scan(self, row: dict[str, Any]) -> SimulatedScan:
        """Scan one patient; depends on seed, row and settings only."""
        population = self.settings["population"]
        factors = patient_factors(row, self.site, population)
        visit = Visit(self.seed, str(row["subject"]), self.site, str(row["scan"]))
        contrast = self.settings["contrast_mg_ml"]
        anatomy = make_anatomy(factors, population["seed"], visit.subject, contrast)
        pose = draw_pose(visit, self.scanner)
        tilt = self.scanner.tilt_degrees
        patient = PosedPatient(anatomy, pose, self.sampling, self._gantry(tilt))
        volumes = expose(patient, visit, self._exposures(is_travelling(row)))
        if tilt:
            # ingest straightens tilted scans, so their truth is what an upright gantry sees
            patient = PosedPatient(anatomy, pose, self.sampling, self._gantry(0.0))
            if is_travelling(row):
                volumes[1:] = expose(patient, visit, self._exposures(True)[1:])
        series = Series(visit, factors, self.scanner, self.sampling)
        return SimulatedScan(
            visit.scan,
            series_datasets(volumes[0], series),
            self._truth_row(row, factors, patient),
            *(volumes[1:] or (None, None)),
            patient.slice_labels(),
            grid_affine(self.sampling),
        )

    def _gantry(self, tilt_degrees: float) -> Gantry:
        reach = max(self.scanner.slice_thickness_mm, self.target.slice_thickness_mm)
        return Gantry(reach, self.scanner.table, tilt_degrees)

    def _exposures(self, travelling: bool) -> list[Exposure]:
        own = [Exposure(self.scanner, "scan", True)]
        truth = [Exposure(self.target, "target", True), Exposure(self.target, "clean", False)]
        return own + truth if travelling else own

    def _truth_row(
        self, row: dict[str, Any], factors: Factors, patient: PosedPatient
    ) -> dict[str, Any]:
        holes = int((patient.labels == LABELS["hole"]).sum())
        lung = holes + int((patient.labels == LABELS["lung"]).sum())
        return {
            "scan": row["scan"],
            "site": self.site,
            "subject": row["subject"],
            "travelling": int(is_travelling(row)),
            **factors.as_row(),
            "true_laa950_percent": 100.0 * holes / max(lung, 1),
        }
