"""Patients: factors, their couplings, and whether images show them."""

from dataclasses import replace

import numpy as np
import pytest

from ctharmony.phantom.anatomy import make_anatomy
from ctharmony.phantom.population import Population, draw_factors, site_population
from ctharmony.phantom.render import render_maps
from ctharmony.phantom.tissues import LABELS
from ctharmony.phantom.visit import Exposure, Gantry, PosedPatient, Visit, expose

EVERYBODY = Population(60, 11, 0.5, (0.0, 1.0), 2.5, 1.5)
FLAT = np.hstack([np.eye(3), np.zeros((3, 1))])


@pytest.fixture(scope="module")
def people() -> list:
    """Six hundred patients of one population."""
    return [draw_factors(EVERYBODY, 1, f"subject-{number}") for number in range(600)]


def column(people: list, name: str) -> np.ndarray:
    return np.array([getattr(person, name) for person in people], float)


def test_age_drives_bone_calcium_and_emphysema(people: list) -> None:
    age = column(people, "age")
    assert age.mean() == pytest.approx(60, abs=1.5)
    assert age.std() == pytest.approx(11, abs=1.0)
    for name, low, high in (
        ("bone_density", -0.85, -0.5),
        ("emphysema_fraction", 0.2, 0.7),
        ("body_fat", 0.0, 0.35),
    ):
        assert low < np.corrcoef(age, column(people, name))[0, 1] < high, name
    calcium = column(people, "coronary_calcium")
    assert (calcium[age > 70] > 0).mean() > 0.75 > 0.4 > (calcium[age < 50] > 0).mean()
    women = np.array([person.sex == "F" for person in people])
    assert women.mean() == pytest.approx(0.5, abs=0.06)
    fat = column(people, "body_fat")
    assert fat[women].mean() - fat[~women].mean() == pytest.approx(0.08, abs=0.02)


def test_confounding_is_one_dial() -> None:
    settings = {
        "age_mean": 60,
        "age_deviation": 11,
        "share_of_women": 0.5,
        "hole_mm": 2.5,
        "nodules": 1,
        "segments": {"low": [0.0, 0.5], "high": [0.5, 1.0]},
    }

    def medians(dial: float) -> dict[str, np.ndarray]:
        block = {**settings, "confounding": dial}
        return {
            site: column(
                [draw_factors(site_population(block, site, False), 1, f"s{k}") for k in range(150)],
                "emphysema_fraction",
            )
            for site in ("low", "high")
        }

    none, some, full = medians(0.0), medians(0.5), medians(1.0)
    np.testing.assert_array_equal(none["low"], none["high"])
    assert np.median(some["low"]) < np.median(none["low"]) < np.median(some["high"])
    assert np.quantile(full["low"], 0.9) < np.quantile(full["high"], 0.5)
    traveller = site_population({**settings, "confounding": 1.0}, "low", True)
    assert traveller.quantiles == (0.0, 1.0)


def posed(grids, **changes):
    factors = replace(draw_factors(EVERYBODY, 1, "patient"), **changes)
    sampling = grids(
        field_of_view_mm=320.0, matrix=320, slices=3, slab_mm=18.0, views=300, object_pixel_mm=0.8,
        detector_pitch_mm=0.8,
    )  # fmt: skip
    anatomy = make_anatomy(factors, 1, "patient", 0.0)
    return PosedPatient(anatomy, FLAT, sampling, Gantry(6.0))


def test_emphysema_fraction_is_the_share_of_holes() -> None:
    factors = replace(draw_factors(EVERYBODY, 1, "patient"), emphysema_fraction=0.15)
    anatomy = make_anatomy(factors, 1, "patient", 0.0)
    grid = np.array([[2.0, 0, 0, -150], [0, 2.0, 0, -150], [0, 0, 2.0, -60]])
    _, labels = render_maps(anatomy, grid, (60, 150, 150), 2)
    holes, lung = (labels == LABELS["hole"]).sum(), (labels == LABELS["lung"]).sum()
    assert holes / (holes + lung) == pytest.approx(0.15, abs=0.01)


def test_low_attenuation_area_depends_on_kernel_and_dose(reference, grids) -> None:
    """A soft, thick scan misses much of the emphysema, a sharp one less, noise adds false holes
    (Boedeker et al., Acad Radiol 2004;11:17; Gierada et al., Acad Radiol 2010;17:146)."""
    patient = posed(grids, emphysema_fraction=0.125, hole_mm=4.0, lung_density_hu=-875.0)
    ways = [
        reference(kernel="soft", slice_thickness_mm=5.0, mas=200.0),
        reference(kernel="bone", slice_thickness_mm=1.25, mas=2000.0),
        reference(kernel="bone", slice_thickness_mm=1.25, mas=15.0),
    ]
    visit = Visit(1, "patient", "site", "scan")
    volumes = expose(patient, visit, [Exposure(way, str(k), True) for k, way in enumerate(ways)])
    middle = patient.labels[patient.labels.shape[0] // 2]
    lung = (middle == LABELS["lung"]) | (middle == LABELS["hole"])
    index = ((np.arange(320) + 0.5) / 0.8).astype(int)
    lung = lung[index][:, index]
    soft, sharp, noisy = (100.0 * (volume[1][lung] < -950).mean() for volume in volumes)
    true = 100.0 * (middle[index][:, index] == LABELS["hole"])[lung].mean()
    assert soft < 0.6 * true
    assert soft + 2.0 < sharp < true
    assert noisy > sharp + 1.5


def test_image_shows_density_and_bone(reference, grids) -> None:
    visit, clean = Visit(1, "patient", "site", "scan"), Exposure(reference(), "clean", False)
    sampling = grids(
        field_of_view_mm=320.0, matrix=160, views=160, object_pixel_mm=1.0, detector_pitch_mm=1.3
    )
    index = ((np.arange(160) + 0.5) * 2.0).astype(int)

    def tissues(lung: float, bone: float) -> tuple[float, float]:
        factors = draw_factors(EVERYBODY, 1, "patient")
        chosen = replace(factors, emphysema_fraction=0.0, lung_density_hu=lung, bone_density=bone)
        anatomy = make_anatomy(chosen, 1, "patient", 0.0)
        patient = PosedPatient(anatomy, FLAT, sampling, Gantry(6.0))
        image = expose(patient, visit, [clean])[0][0]
        labels = patient.labels[patient.labels.shape[0] // 2][index][:, index]
        return tuple(float(np.median(image[labels == LABELS[name]])) for name in ("lung", "bone"))

    light, dense = tissues(-880.0, 80.0), tissues(-830.0, 200.0)
    assert dense[0] - light[0] == pytest.approx(50.0, abs=6.0)
    assert light[0] == pytest.approx(-880.0, abs=25.0)
    assert dense[1] - light[1] > 40.0


def test_current_follows_the_patient(reference, grids) -> None:
    """With modulation, noise of a stout patient comes closer to that of a slim one."""
    sampling = grids(
        field_of_view_mm=320.0, matrix=64, views=120, object_pixel_mm=2.0, detector_pitch_mm=2.0
    )
    factors = draw_factors(EVERYBODY, 1, "patient")
    visit, ratios = Visit(1, "patient", "site", "scan"), []
    for exponent in (0.0, 0.7):
        scanner, spread = reference(current_modulation=exponent), []
        for fat, stature in ((0.12, -2.0), (0.45, 2.0)):
            person = replace(factors, body_fat=fat, stature=stature)
            anatomy = make_anatomy(person, 1, "patient", 0.0)
            patient = PosedPatient(anatomy, FLAT, sampling, Gantry(6.0))
            noisy, clean = expose(
                patient, visit, [Exposure(scanner, "a", True), Exposure(scanner, "b", False)]
            )
            spread.append((noisy - clean)[0, 24:40, 24:40].std())
        ratios.append(spread[1] / spread[0])
    assert 1.0 < ratios[1] < 0.8 * ratios[0]


def test_contrast_medium_brightens_blood_only(reference, grids) -> None:
    factors = draw_factors(EVERYBODY, 1, "patient")
    sampling = grids(field_of_view_mm=320.0, matrix=64, slices=1, views=100, detector_pitch_mm=2.0,
                     object_pixel_mm=2.0)  # fmt: skip
    values = []
    for amount in (0.0, 10.0):
        patient = PosedPatient(
            make_anatomy(factors, 1, "patient", amount), FLAT, sampling, Gantry(5.0)
        )
        clean = Exposure(reference(), "clean", False)
        volume = expose(patient, Visit(1, "patient", "site", "scan"), [clean])[0][0]
        labels = patient.labels[patient.labels.shape[0] // 2]
        index = ((np.arange(64) + 0.5) * 2.5).astype(int)
        labels = labels[index][:, index]
        values.append([np.median(volume[labels == LABELS[name]]) for name in ("blood", "fat")])
    assert values[1][0] - values[0][0] > 180.0
    assert abs(values[1][1] - values[0][1]) < 10.0
