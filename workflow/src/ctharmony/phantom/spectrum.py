"""X-ray beams and what materials do to them, from the package's two tables.

Unit of path: g/cm3 mm, that is the line integral in mm of a mass density in g/cm3.
"""

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import pandas as pd

BASIS = ("water", "bone", "iodine")
DENSITIES = {"aluminium": 2.699, "copper": 8.96, "tin": 7.287, "teflon": 2.16}
CM_PER_MM = 0.1


@dataclass(frozen=True)
class Beam:
    """A tube spectrum behind its filters.

    Attributes:
        energies_kev: (energies,) centres of the 2 keV bins.
        photons: (energies,) per cm2 and mAs at 1 m.
    """

    energies_kev: np.ndarray
    photons: np.ndarray


def make_beam(kvp: int, filters_mm: dict[str, float]) -> Beam:
    """The beam of a tungsten tube with 8 degrees anode angle.

    Args:
        kvp: tube voltage, one of the tabled voltages (80 to 140 in steps of 10).
        filters_mm: material -> thickness in mm, materials of the attenuation table.

    Raises:
        ValueError: a voltage or a filter that is not tabled.
    """
    spectra = _table("spectra.tsv")
    column = f"kvp_{int(kvp)}"
    if column not in spectra:
        voltages = ", ".join(name[4:] for name in spectra.columns[1:])
        raise ValueError(f"no spectrum for {kvp} kVp; choose one of {voltages}")
    photons = spectra[column].to_numpy(copy=True)
    for material, thickness in filters_mm.items():
        if material not in DENSITIES:
            raise ValueError(f"no filter material {material!r}; choose one of {list(DENSITIES)}")
        mass = DENSITIES[material] * thickness * CM_PER_MM
        photons *= np.exp(-mass_attenuation(material) * mass)
    return Beam(spectra["energy_kev"].to_numpy(float), photons)


def mass_attenuation(material: str) -> np.ndarray:
    """(energies,) mass attenuation coefficient, cm2/g.

    Raises:
        ValueError: the material is not tabled.
    """
    table = _table("attenuation.tsv")
    if material not in table or material == "energy_kev":
        raise ValueError(f"no attenuation for {material!r}; choose one of {list(table)[1:]}")
    return table[material].to_numpy()


@cache
def basis_shares(material: str) -> np.ndarray:
    """How much water and bone together attenuate like one g of a material without K-edge.

    Least squares over 31-139 keV on relative attenuation (Alvarez and Macovski, Phys Med Biol
    1976;21:733).

    Returns:
        (2,) g of water and g of bone, float64; bone is negative for materials lighter than water.
    """
    energies = _table("attenuation.tsv")["energy_kev"].to_numpy()
    used = energies > 30
    target = mass_attenuation(material)[used]
    basis = np.stack([mass_attenuation(name)[used] for name in BASIS[:2]], axis=1)
    return np.linalg.lstsq(basis / target[:, None], np.ones(used.sum()), rcond=None)[0]


@cache
def _table(name: str) -> pd.DataFrame:
    with resources.files("ctharmony.phantom").joinpath(name).open(encoding="utf-8") as lines:
        return pd.read_csv(lines, sep="\t")
