"""Who the virtual patients are: known factors with stated distributions and couplings.

| factor | unit | distribution |
|---|---|---|
| age | years | normal with the population's mean and deviation, 20 to 90 |
| sex | F, M | share of women of the population |
| body_fat | share of mass | .24 (M), .32 (F), +.001 a year over 60, SD .06, .10 to .48 |
| emphysema_fraction | share of lung | log-normal around .004 exp(3.9 severity), up to .35 |
| lung_density_hu | HU | -855 - 25 (severity - .5), SD 15, -900 to -800 |
| bone_density | mg/cm3 | 150 - 1.9 (age - 60), women over 50 10 less, SD 22, 40 to 260 |
| coronary_calcium | mg | zero, or log-normal with age, sex and severity |
| nodule_count | | Poisson |
| nodule_volume_mm3 | mm3 | of spheres with log-normal diameters, median 6 mm |
| hole_mm | mm | size of emphysematous holes, log-normal around the population's |
| stature | | size of the rib cage, standard normal, -2 to 2 |

A latent severity in 0..1 (copula of age and chance, correlation .5) stands for smoking and wear.
The dial `confounding` c moves it: a site sees the quantiles from c * low to 1 - c * (1 - high) of
its segment [low, high]; c = 0 makes all sites alike, c = 1 makes disjoint segments disjoint.
"""

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from ctharmony.phantom.streams import stream

NORMAL = NormalDist()
TRAVELLING_PREFIX = "travel-"


@dataclass(frozen=True)
class Factors:
    """A patient's biology; see the module's table for units."""

    age: int
    sex: str
    body_fat: float
    emphysema_fraction: float
    lung_density_hu: float
    bone_density: float
    coronary_calcium: float
    nodule_count: int
    nodule_volume_mm3: float
    hole_mm: float
    stature: float
    nodules_mm: tuple[float, ...]

    def as_row(self) -> dict[str, Any]:
        """Columns of the truth table: everything but the single nodules."""
        return {name: value for name, value in asdict(self).items() if name != "nodules_mm"}


@dataclass(frozen=True)
class Population:
    """Distribution of a site's patients.

    Attributes:
        age_mean, age_deviation: years.
        share_of_women: 0 to 1.
        quantiles: the part of the severity distribution that is seen, within 0..1.
        hole_mm: mean size of emphysematous holes.
        nodules: mean number.
    """

    age_mean: float
    age_deviation: float
    share_of_women: float
    quantiles: tuple[float, float]
    hole_mm: float
    nodules: float


def site_population(settings: dict[str, Any], site: str, travelling: bool) -> Population:
    """Population of a site, or the unconfounded one that travelling patients come from.

    Args:
        settings: block `population` of scanners.yaml: age_mean, age_deviation, share_of_women,
            hole_mm, nodules, confounding, segments (site -> [low, high]).
        site: the site; one without a segment sees all quantiles.
        travelling: whether the patient is scanned at every site.
    """
    low, high = (0.0, 1.0) if travelling else settings["segments"].get(site, (0.0, 1.0))
    dial = settings["confounding"]
    return Population(
        age_mean=settings["age_mean"],
        age_deviation=settings["age_deviation"],
        share_of_women=settings["share_of_women"],
        quantiles=(dial * low, 1.0 - dial * (1.0 - high)),
        hole_mm=settings["hole_mm"],
        nodules=settings["nodules"],
    )


def is_travelling(row: dict[str, Any]) -> bool:
    """Whether a manifest row is of a patient who is scanned at every site."""
    marked = str(row.get("travelling") or "0") in ("1", "1.0", "True")
    return marked or str(row["subject"]).startswith(TRAVELLING_PREFIX)


def draw_factors(population: Population, seed: int, subject: str) -> Factors:
    """The patient's biology, from the subject's own stream."""
    random = stream(seed, "factors", subject)
    normal = random.standard_normal(10)
    low, high = population.quantiles
    quantile = low + (high - low) * NORMAL.cdf(float(normal[0]))
    severity_score = NORMAL.inv_cdf(min(max(quantile, 1e-6), 1 - 1e-6))
    age_score = 0.5 * severity_score + math.sqrt(0.75) * normal[1]
    age = round(_clip(population.age_mean + population.age_deviation * age_score, 20, 90))
    sex = "F" if NORMAL.cdf(float(normal[2])) < population.share_of_women else "M"
    diameters = _nodule_diameters(random, population.nodules)
    fat = (0.32 if sex == "F" else 0.24) + 0.001 * (age - 60) + 0.06 * normal[3]
    lung = -855.0 - 25.0 * (quantile - 0.5) + 15.0 * normal[4]
    bone = 150.0 - 1.9 * (age - 60) - 10.0 * (sex == "F" and age > 50) + 22.0 * normal[5]
    return Factors(
        age=age,
        sex=sex,
        body_fat=round(_clip(fat, 0.10, 0.48), 4),
        emphysema_fraction=round(min(0.004 * math.exp(3.9 * quantile + 0.3 * normal[6]), 0.35), 5),
        lung_density_hu=round(_clip(lung, -900.0, -800.0), 2),
        bone_density=round(_clip(bone, 40.0, 260.0), 2),
        coronary_calcium=round(_calcium(age, sex, quantile, float(normal[7])), 3),
        nodule_count=len(diameters),
        nodule_volume_mm3=round(float((math.pi / 6 * diameters**3).sum()), 2),
        hole_mm=round(_clip(population.hole_mm * math.exp(0.2 * normal[8]), 1.5, 8.0), 3),
        stature=round(_clip(normal[9], -2.0, 2.0), 4),
        nodules_mm=tuple(diameters.round(4).tolist()),
    )


def _nodule_diameters(random: np.random.Generator, mean: float) -> np.ndarray:
    count = min(int(random.poisson(mean)), 8)
    return np.clip(6.0 * np.exp(0.35 * random.standard_normal(count)), 3.0, 20.0)


def _calcium(age: int, sex: str, severity: float, chance: float) -> float:
    score = (age - 62) / 12 + (0.4 if sex == "M" else -0.2) + 1.2 * (severity - 0.5) + 0.6 * chance
    return 0.0 if score < -0.3 else min(8.0 * math.exp(1.1 * score), 400.0)


def _clip(value: float, low: float, high: float) -> float:
    return float(min(max(value, low), high))
