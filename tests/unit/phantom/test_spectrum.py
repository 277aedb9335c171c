"""The tables against the programs that made them and against known physics."""

import numpy as np
import pytest

from ctharmony.phantom.spectrum import basis_shares, make_beam, mass_attenuation
from ctharmony.phantom.tabulate import ENERGIES_KEV, attenuation_table, spectra_table


def test_attenuation_table_is_what_xraydb_says() -> None:
    table = attenuation_table()
    for material in ("water", "bone", "iodine", "teflon"):
        np.testing.assert_allclose(table[material], mass_attenuation(material), rtol=1e-4)


def test_spectra_are_what_spekpy_says() -> None:
    table = spectra_table((120,))
    np.testing.assert_allclose(table["kvp_120"], make_beam(120, {}).photons, rtol=1e-4)


def test_water_at_60_kev_is_nist() -> None:
    # NIST XCOM: .2059 cm2/g at 60 keV
    assert np.interp(60.0, ENERGIES_KEV, mass_attenuation("water")) == pytest.approx(
        0.206, abs=1e-3
    )


@pytest.mark.parametrize("material", ["adipose", "muscle", "blood", "acrylic", "teflon"])
def test_two_basis_materials_stand_for_all_without_k_edge(material: str) -> None:
    shares = basis_shares(material)
    fit = shares[0] * mass_attenuation("water") + shares[1] * mass_attenuation("bone")
    used = ENERGIES_KEV > 40
    np.testing.assert_allclose(fit[used], mass_attenuation(material)[used], rtol=0.006)


def test_filters_harden_the_beam() -> None:
    def mean_energy(filters: dict[str, float]) -> float:
        beam = make_beam(120, filters)
        return float((beam.photons * beam.energies_kev).sum() / beam.photons.sum())

    bare, aluminium = mean_energy({}), mean_energy({"aluminium": 6.0})
    assert bare < aluminium < mean_energy({"aluminium": 6.0, "tin": 0.4})
    assert mean_energy({"aluminium": 6.0}) == pytest.approx(61.0, abs=4.0)


def test_unknown_voltage_and_filter_are_named() -> None:
    with pytest.raises(ValueError, match="no spectrum for 95 kVp; choose one of 80"):
        make_beam(95, {})
    with pytest.raises(ValueError, match="no filter material 'lead'"):
        make_beam(120, {"lead": 1.0})
