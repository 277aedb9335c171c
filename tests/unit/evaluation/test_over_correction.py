"""Where scanners do not differ nothing may change; labels that mean nothing give nothing."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from ctharmony.evaluation.feature_harmonizers import table_harmonizer
from ctharmony.evaluation.multiple_testing import differing_share, site_differences
from ctharmony.evaluation.probes import Sample, probe
from ctharmony.evaluation.tables import FeatureSet
from ctharmony.harmonization.methods import make_baselines
from ctharmony.quality.measure import QualitySettings, analyse
from scanners import SPACING, blurred, body, noise, tissue

CONFIG = yaml.safe_load((Path(__file__).parents[3] / "config" / "config.yaml").read_text())
HOW = QualitySettings.from_config(CONFIG["ingest"]["quality"])
SOFT, SHARP = (0.6, 2000.0), (0.4, 4000.0)
PATIENTS = 8


def scan(patient: int, scanner: tuple[float, float]) -> np.ndarray:
    """One patient, moved and of another density, as a scanner shows it."""
    shift = (patient % 3 - 1, patient % 2)
    anatomy = np.roll(body(), shift, axis=(1, 2)) * (1 + 0.004 * (patient % 4))
    return (blurred(anatomy, scanner[0]) + noise(*scanner, 50 + patient)).astype(np.float32)


@pytest.fixture(scope="module")
def seen() -> dict:
    """(patient, scanner) -> HU, body mask, row, curves."""
    found = {}
    for name, scanner in (("soft", SOFT), ("sharp", SHARP)):
        for patient in range(PATIENTS):
            hu = scan(patient, scanner)
            labels, row, curves = analyse(hu, SPACING, HOW)
            key = f"p{patient}"
            known = {"scan": key, "status": "ok", "role": "query", "split": "test", "kvp": 120.0}
            known |= {"slices": 6, "spacing_z_mm": 5.0, "slice_thickness_mm": 5.0}
            found[patient, name] = (hu, labels > 0, row | known, curves.assign(scan=key))
    return found


def change(seen: dict, source: list[tuple[int, str]], target: list[tuple[int, str]]) -> np.ndarray:
    """Harmonized less untouched (slices, rows, columns) of the first scan of the source site."""
    sites = [
        (
            pd.concat([seen[key][3] for key in site]),
            pd.DataFrame([seen[key][2] | {"site": name} for key in site]),
        )
        for name, site in (("here", source), ("there", target))
    ]
    method = make_baselines(*sites, CONFIG["harmonization"])["physics_control"]
    hu, inside, _, curves = seen[source[0]]
    return method(hu, inside, SPACING, curves) - hu


def test_without_a_scanner_effect_scans_come_out_unchanged_within_noise(seen):
    first, second = ([(p, "soft") for p in half] for half in (range(4), range(4, 8)))
    inside = seen[0, "soft"][1]
    moved = change(seen, first, second)[inside]
    own_noise = float(noise(*SOFT, 1)[inside].std())
    assert np.sqrt(np.mean(moved**2)) < 0.35 * own_noise
    assert abs(change(seen, first, second)[tissue()].mean()) < 1.0
    # the same comparison is not blind: another kernel is changed far more
    sharp = [(p, "sharp") for p in range(4)]
    assert np.abs(change(seen, sharp, second)[inside]).mean() > 3 * np.abs(moved).mean()


def test_shuffled_site_labels_change_little(seen):
    def mixed(patients: tuple[int, ...]) -> list[tuple[int, str]]:
        return [(p, "sharp" if p % 2 else "soft") for p in patients]

    here, there = mixed((1, 0, 3, 2)), mixed((5, 4, 7, 6))
    inside = seen[1, "sharp"][1]
    true = change(seen, [(p, "sharp") for p in range(1, 5)], [(p, "soft") for p in range(4)])
    shuffled = change(seen, here, there)
    assert np.abs(shuffled[inside]).mean() < 0.5 * np.abs(true[inside]).mean()


@pytest.fixture
def table() -> Sample:
    """Features of one population; sites are labels that mean nothing."""
    generator = np.random.default_rng(3)
    latent = generator.normal(size=(80, 3))
    values = np.exp(0.4 * latent @ generator.normal(size=(3, 10)))
    sites = generator.permutation(np.repeat(["a", "b"], 40))[:, None]
    return Sample(values, np.array([f"s{k}" for k in range(80)]), sites)


def test_features_without_a_site_effect_come_out_unchanged_within_noise(table):
    ours = table_harmonizer("ctharmony", 2)
    values, sites = table.features, table.sites
    after, _ = ours(values, values[:0], sites, sites[:0])
    agreement = [np.corrcoef(values[:, k], after[:, k])[0, 1] for k in range(10)]
    assert min(agreement) > 0.9
    spread = values.std(axis=0)
    # the mean of 40 scans errs by spread / sqrt(40)
    assert np.all(np.abs(after.mean(axis=0) - values.mean(axis=0)) < 2 * spread / np.sqrt(40))


def test_labels_that_mean_nothing_give_nothing(table, quick):
    names = tuple(f"f{k}" for k in range(10))
    flat = replace(table, sites=table.sites[:, 0])
    features = FeatureSet("none", "features", "table", tuple(table.subjects), names, flat)
    assert differing_share(site_differences(features)) == 0
    for prepare in (None, table_harmonizer("ctharmony", 2)):
        found = probe(replace(table, prepare=prepare), flat.sites, "forest", quick)
        assert 0.3 < found.auc.value < 0.7 and found.p_value > 0.01
