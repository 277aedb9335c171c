"""Makes the two small tables of the package with spekpy and xraydb, so that no run needs either.

    python -m ctharmony.phantom.tabulate attenuation > attenuation.tsv
    python -m ctharmony.phantom.tabulate spectra > spectra.tsv

Both programs are imported only here. Compositions are mass fractions from ICRU Report 44 (tissues)
and the chemical formulas (plastics of the Catphan, metals of the filters).
"""

import sys

import numpy as np
import pandas as pd

ENERGIES_KEV = np.arange(16.0, 140.0, 2.0) + 1.0
TUBE_VOLTAGES_KV = (80, 90, 100, 110, 120, 130, 140)
ANODE_ANGLE_DEGREES = 8.0
WATER = {"H": 0.1119, "O": 0.8881}
COMPOSITIONS = {
    "water": WATER,
    "bone": {
        "H": 0.034,
        "C": 0.155,
        "N": 0.042,
        "O": 0.435,
        "Na": 0.001,
        "Mg": 0.002,
        "P": 0.103,
        "S": 0.003,
        "Ca": 0.225,
    },
    "iodine": {"I": 1.0},
    "adipose": {
        "H": 0.114,
        "C": 0.598,
        "N": 0.007,
        "O": 0.278,
        "Na": 0.001,
        "S": 0.001,
        "Cl": 0.001,
    },
    "muscle": {
        "H": 0.102,
        "C": 0.143,
        "N": 0.034,
        "O": 0.710,
        "Na": 0.001,
        "P": 0.002,
        "S": 0.003,
        "Cl": 0.001,
        "K": 0.004,
    },
    "blood": {
        "H": 0.102,
        "C": 0.110,
        "N": 0.033,
        "O": 0.745,
        "Na": 0.001,
        "P": 0.001,
        "S": 0.002,
        "Cl": 0.003,
        "K": 0.002,
        "Fe": 0.001,
    },
    "polyethylene": {"H": 0.1437, "C": 0.8563},
    "acrylic": {"H": 0.0805, "C": 0.5999, "O": 0.3196},
    "teflon": {"C": 0.2402, "F": 0.7598},
    "aluminium": {"Al": 1.0},
    "copper": {"Cu": 1.0},
    "tin": {"Sn": 1.0},
}


def attenuation_table() -> pd.DataFrame:
    """Mass attenuation with coherent scattering, cm2/g, a column per material (Elam tables)."""
    import xraydb

    table = {"energy_kev": ENERGIES_KEV}
    for material, composition in COMPOSITIONS.items():
        table[material] = sum(
            share * xraydb.mu_elam(element, ENERGIES_KEV * 1e3)
            for element, share in composition.items()
        )
    return pd.DataFrame(table)


def spectra_table(voltages: tuple[int, ...] = TUBE_VOLTAGES_KV) -> pd.DataFrame:
    """Photons per cm2, keV and mAs at 1 m from an unfiltered tungsten anode (spekpy, casim)."""
    import spekpy

    table = {"energy_kev": ENERGIES_KEV}
    for voltage in voltages:
        tube = spekpy.Spek(kvp=voltage, th=ANODE_ANGLE_DEGREES, dk=1.0, z=100.0)
        tube.filter("Air", 1000.0)
        centres, fluence = tube.get_spectrum()
        binned = [fluence[abs(centres - energy) < 1.0].mean() if energy < voltage + 1 else 0.0
                  for energy in ENERGIES_KEV]  # fmt: skip
        table[f"kvp_{voltage}"] = np.nan_to_num(binned)
    return pd.DataFrame(table)


def main(arguments: list[str]) -> None:
    """Print the named table as tab-separated text."""
    table = {"attenuation": attenuation_table, "spectra": spectra_table}[arguments[0]]()
    table.to_csv(sys.stdout, sep="\t", index=False, float_format="%.5g", lineterminator="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
