"""Places of a slice: a site's texture and a patient's trait are found where they were planted."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.ndimage import gaussian_filter

from ctharmony.evaluation.descriptors import DescriptorSettings, described
from ctharmony.evaluation.findings import Findings
from ctharmony.evaluation.patches import PatchSettings, body_patches
from ctharmony.evaluation.place_rows import ExplanationSettings, explain_places
from ctharmony.evaluation.probes import ProbeSettings
from ctharmony.evaluation.slice_windows import WindowSettings, slice_windows
from ctharmony.evaluation.streaming import Measured
from ctharmony.evaluation.tables import FeatureSet

PATCHES = PatchSettings(pixel_mm=1.0, pixels=16, smoothing_mm=0.6, per_scan=24)
COUNTED = DescriptorSettings(
    1.0, (-900.0, -800.0, -100.0, 100.0), (0.05, 0.2, 0.35, 0.5),
    {"lung": (-1000.0, -600.0), "soft_tissue": (-50.0, 90.0)},
)  # fmt: skip
SHAPE, SPACING = (3, 96, 120), (3.0, 1.0, 1.0)
PLANTED, LUNG = np.s_[:, 8:88, 8:40], np.s_[:, 8:88, 68:112]
COUNT = 24


def labels() -> np.ndarray:
    found = np.zeros(SHAPE, np.uint8)
    found[:, 6:90, 6:114] = 1
    found[LUNG] = 2
    return found


def patient(number: int, marked: bool) -> np.ndarray:
    """Soft tissue and lung under noise; a marked site's is coarse at the left; odd ones are ill."""
    generator = np.random.default_rng(number)
    noise = 20 * generator.normal(size=SHAPE)
    hu = np.full(SHAPE, 30.0)
    hu[LUNG] = -850 if number % 2 else -750
    if marked:
        coarse = gaussian_filter(noise, (0, 1.2, 1.2))
        noise[PLANTED] = (20 * coarse / coarse.std())[PLANTED]
    return (hu + noise).astype(np.float32)


def measured() -> list[Measured]:
    """Two sites; `ctharmony` takes the marked site's texture away."""
    how = WindowSettings(PATCHES, COUNTED, 6.0)
    found = []
    for number in range(COUNT):
        site = "marked" if number // 2 % 2 else "plain"
        name = f"{site}-{number:02d}"
        one = Measured(SimpleNamespace(site=site, scan=name, subject=name))
        versions = {"none": patient(number, site == "marked"), "ctharmony": patient(number, False)}
        for method, hu in versions.items():
            one.patches[method] = body_patches(hu, labels(), SPACING, PATCHES, name)
            one.windows[method] = slice_windows(hu, labels(), SPACING, how)
        found.append(one)
    return found


@pytest.fixture(scope="module")
def explained() -> tuple[pd.DataFrame, pd.DataFrame, Findings]:
    probes = ProbeSettings(4, 3, 1.0, 10, 100, 19, 0)
    given, findings = measured(), Findings()
    sets = [
        FeatureSet(name, "image", "image", (), (), SimpleNamespace())
        for name in ("none", "ctharmony")
    ]
    scans = [one.case.scan for one in given]
    noise = np.random.default_rng(5).normal(size=COUNT)
    density = np.where(np.arange(COUNT) % 2, -850.0, -750.0) + noise
    factors = pd.DataFrame({"scan": scans, "luck": noise, "density": density})
    how = ExplanationSettings(COUNTED, 6.0, ("unheard", "luck", "density"), 0.8, 6, probes)
    return (*explain_places(findings, given, sets, factors, how), findings)


def mean_of(maps: pd.DataFrame, question: str, method: str, left: bool) -> float:
    own = maps[maps["method"] == method]
    place = own["column"] < 28 if left else own["column"] > 80
    return own[place].groupby("site")[f"{question}_gain_nats"].mean().mean()


def test_the_site_is_read_where_its_texture_was_planted_and_no_longer_after(explained):
    _, maps, findings = explained
    assert mean_of(maps, "site", "none", True) > 0.4
    assert abs(mean_of(maps, "site", "none", False)) < 0.2
    assert mean_of(maps, "site", "ctharmony", True) < 0.1
    metrics = findings.metrics_frame().set_index(["metric", "method"])["value"]
    assert metrics["site_evidence_nats_soft_tissue", "none"] > 0.2
    assert metrics["site_evidence_nats_soft_tissue", "ctharmony"] < 0.1
    assert abs(metrics["site_evidence_nats_lung", "none"]) < 0.2


def test_the_trait_is_read_in_the_lung_before_and_after(explained):
    _, maps, findings = explained
    assert {"site_gain_nats", "density_gain_nats"} <= set(maps) and "luck_gain_nats" not in maps
    for method in ("none", "ctharmony"):
        assert mean_of(maps, "density", method, False) > 0.4
        assert abs(mean_of(maps, "density", method, True)) < 0.1
    metrics = findings.metrics_frame().set_index(["metric", "method"])["value"]
    before, after = (metrics["trait_evidence_nats_lung", m] for m in ("none", "ctharmony"))
    assert after == pytest.approx(before, abs=0.1)


def test_bands_tell_texture_from_density(explained):
    evidence, _, findings = explained
    mean = evidence.query("method == 'none'").groupby(["question", "evidence"])["gain_nats"].mean()
    assert mean["site"].idxmax() != "patch_grey_values"
    assert mean["density"].idxmax() == "patch_grey_values"
    probes = findings.probes_frame().set_index(["question", "method", "part"])["value"]
    assert probes["site_auc_linear", "none", "places"] > 0.9
    assert probes["site_auc_linear", "ctharmony", "places"] < 0.75
    assert probes["biology_auc_density", "ctharmony", "places"] > 0.9


def test_maps_are_of_few_scans_and_of_the_same_places(explained):
    _, maps, _ = explained
    assert maps["scan"].nunique() == 6 and "subject" not in maps
    places = maps.groupby(["scan", "method"])[["row", "column"]]
    assert len({group.to_numpy().tobytes() for _, group in places}) == 1
    assert maps["row"].between(13, 83).all() and maps["column"].between(13, 107).all()


def test_a_trait_that_images_do_not_tell_is_said_in_words(quick):
    given, findings = measured()[:12], Findings()
    factors = pd.DataFrame({"scan": [one.case.scan for one in given], "luck": np.arange(12) // 4})
    sets = [FeatureSet("none", "image", "image", (), (), SimpleNamespace())]
    how = ExplanationSettings(COUNTED, 6.0, ("luck",), 1.0, 0, quick)
    _, maps = explain_places(findings, given, sets, factors, how)
    assert findings.notes_frame()["reason"].str.contains("too weak to be read: luck").any()
    assert maps.empty


def test_a_pure_tone_has_its_power_in_its_band():
    x = np.arange(16.0)
    tone = np.tile(20 * np.sin(2 * np.pi * 0.25 * x), (16, 1))[None]
    shares, powers = np.split(described(tone, COUNTED)[0], [5])
    assert shares.tolist() == [0, 0, 0, 1, 0]
    assert powers[1] > powers[0] + 1 and powers[1] > powers[2] + 8
    assert described(tone[:0], COUNTED).shape == (0, 8)
