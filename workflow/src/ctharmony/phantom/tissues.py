"""What organs are made of, as g/cm3 of the basis materials water, bone and iodine."""

from typing import NamedTuple

import numpy as np

from ctharmony.phantom.population import Factors
from ctharmony.phantom.spectrum import basis_shares

Mixture = tuple[float, float, float, int]  # g/cm3 of water, bone and iodine, and a label
LABELS = {
    "outside": 0,
    "soft_tissue": 1,
    "fat": 2,
    "lung": 3,
    "hole": 4,
    "bone": 5,
    "blood": 6,
    "airway": 7,
    "nodule": 8,
    "calcium": 9,
}


class Tissues(NamedTuple):
    """What everything but lung parenchyma is made of."""

    muscle: Mixture
    fat: Mixture
    blood: Mixture
    cartilage: Mixture
    cortical: Mixture
    trabecular: Mixture
    calcium: Mixture
    nodule: Mixture
    air: Mixture
    airway_wall: Mixture


CALCIUM_DENSITY = 0.45  # g/cm3 of bone mineral in a calcified plaque
CORTICAL_BONE, TRABECULAR_WATER = 1.35, 0.93


def make_tissues(factors: Factors, contrast_mg_ml: float) -> Tissues:
    """Tissues of a patient; densities from ICRU Report 44, trabecular bone from the factors."""
    return Tissues(
        muscle=_mixture("muscle", 1.05, "soft_tissue"),
        fat=_mixture("adipose", 0.95, "fat"),
        blood=_mixture("blood", 1.06, "blood", contrast_mg_ml / 1000.0),
        cartilage=(1.03, 0.04, 0.0, LABELS["soft_tissue"]),
        cortical=(0.35, CORTICAL_BONE, 0.0, LABELS["bone"]),
        trabecular=(TRABECULAR_WATER, factors.bone_density / 1000.0, 0.0, LABELS["bone"]),
        calcium=(0.9, CALCIUM_DENSITY, 0.0, LABELS["calcium"]),
        nodule=_mixture("muscle", 1.02, "nodule"),
        air=(0.0, 0.0, 0.0, LABELS["airway"]),
        airway_wall=_mixture("muscle", 1.02, "airway"),
    )


def _mixture(material: str, density: float, label: str, iodine: float = 0.0) -> Mixture:
    shares: np.ndarray = basis_shares(material) * density
    return (float(shares[0]), float(shares[1]), iodine, LABELS[label])
