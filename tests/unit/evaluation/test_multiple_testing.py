"""Many questions at once: q-values by hand, and features whose differences are put there."""

import numpy as np
import pytest

from ctharmony.evaluation.multiple_testing import differing_share, q_values, site_differences
from ctharmony.evaluation.probes import Sample
from ctharmony.evaluation.tables import FeatureSet


def test_q_values_are_those_of_the_definition():
    # sorted p times m / rank, then the running minimum from the largest: worked by hand
    assert q_values([0.01, 0.04, 0.03, 0.5]) == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])


def test_what_was_not_asked_does_not_count():
    found = q_values([0.01, np.nan, 0.04])
    assert np.isnan(found[1])
    assert found[[0, 2]] == pytest.approx([0.02, 0.04])
    assert len(q_values([])) == 0


def features(shift: float, seed: int = 0, count: int = 40) -> FeatureSet:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(36, count))
    values[:, :4] += shift * np.repeat([0, 1, 2], 12)[:, None]
    values[:, 4] = 7.0
    subjects = np.array([f"s{index}" for index in range(36)])
    sample = Sample(values, subjects, np.repeat(["a", "b", "c"], 12))
    names = tuple(f"f{index}" for index in range(count))
    return FeatureSet("none", "features", "radiomics", tuple(subjects), names, sample)


def test_shifted_features_are_named_and_others_are_not():
    table = site_differences(features(4.0)).set_index("feature")
    named = set(table.index[table["q_value"] <= 0.05])
    assert {"f0", "f1", "f2", "f3"} <= named and len(named) <= 6
    assert np.isnan(table.loc["f4", "p_value"])
    assert (table["n"] == 36).all()
    assert differing_share(table) == pytest.approx(len(named) / 39)


def test_without_a_difference_nothing_is_named():
    shares = [differing_share(site_differences(features(0.0, seed))) for seed in range(5)]
    assert np.mean(shares) < 0.03


def test_a_site_of_one_subject_is_not_compared():
    given = features(4.0)
    given.sample.sites[:11] = "b"
    table = site_differences(given)
    assert (table["n"] == 35).all()


def test_travelling_subjects_are_left_out():
    given = features(4.0)
    given.sample.subjects[12] = "s0"
    assert (site_differences(given)["n"] == 34).all()
