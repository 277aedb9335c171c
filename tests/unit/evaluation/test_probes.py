"""Site probes on features whose site signal is known."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ctharmony.evaluation.probes import (
    Sample,
    hand_till_auc,
    judge,
    probe,
    refusal,
    shuffled_labels,
    subject_folds,
)

SITES = np.repeat(["a", "b", "c"], 16)


def sample(shift: float, seed: int = 0, prepare=None) -> Sample:
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(48, 6))
    features[:, 0] += shift * np.repeat([0, 1, 2], 16)
    return Sample(features, np.array([f"s{index}" for index in range(48)]), SITES, prepare)


@pytest.mark.parametrize("kind", ["linear", "forest"])
def test_a_strong_signal_is_found_and_none_is_not_invented(kind, quick):
    strong = probe(sample(6.0), SITES, kind, quick)
    assert strong.auc.value > 0.95 and strong.p_value == pytest.approx(1 / 100)
    nothing = [probe(sample(0.0, seed), SITES, kind, quick).auc.value for seed in range(6)]
    assert abs(np.mean(nothing) - 0.5) < 0.08


def test_forest_sees_what_a_linear_probe_cannot(quick):
    generator = np.random.default_rng(3)
    labels = np.repeat(["a", "b"], 40)
    # same mean, other spread: ComBat's residue on real features looks like this
    features = generator.normal(size=(80, 3)) * np.where(labels == "a", 0.2, 2.0)[:, None]
    given = Sample(features, np.array([f"s{i}" for i in range(80)]), labels)
    assert probe(given, labels, "linear", quick).auc.value < 0.65
    assert probe(given, labels, "forest", quick).auc.value > 0.9


def test_auc_equals_scikit_learn_one_versus_one():
    generator = np.random.default_rng(0)
    scores = generator.dirichlet(np.ones(3), 48)
    codes = generator.integers(0, 3, 48)
    expected = roc_auc_score(codes, scores, multi_class="ovo", average="macro")
    assert hand_till_auc(scores, np.eye(3)[codes][None])[0] == pytest.approx(expected)


def test_weights_count_like_copies():
    generator = np.random.default_rng(1)
    scores, codes = generator.dirichlet(np.ones(2), 20), generator.integers(0, 2, 20)
    weights = generator.integers(0, 3, 20)
    held = np.eye(2)[codes]
    copies = np.repeat(np.arange(20), weights)
    expected = hand_till_auc(scores[copies], held[copies][None])
    assert hand_till_auc(scores, (weights[:, None] * held)[None]) == pytest.approx(expected)


def test_folds_never_split_a_subject_and_hold_every_class(quick):
    labels = np.tile(["a", "b"], 20)
    subjects = np.array([f"s{index // 2}" for index in range(40)])
    folds = subject_folds(labels, subjects, quick)
    assert all(len(set(folds[subjects == name])) == 1 for name in set(subjects))
    assert all(set(labels[folds == number]) == {"a", "b"} for number in set(folds))


def test_a_subject_that_names_the_site_does_not_leak(quick):
    """Scans of a subject are alike: split over folds they would give its site away."""
    subjects = np.repeat(np.arange(24), 4)
    sites = np.array(["a", "b"])[subjects % 2]
    found = []
    for seed in range(8):
        generator = np.random.default_rng(seed)
        own = generator.normal(size=(24, 8))[subjects]
        features = own + 0.01 * generator.normal(size=own.shape)
        given = Sample(features, subjects.astype(str), sites)
        found.append(probe(given, sites, "forest", quick).auc.value)
    assert abs(np.mean(found) - 0.5) < 0.15


def test_p_values_of_chance_predictions_are_not_small(quick):
    generator = np.random.default_rng(2)
    subjects = np.array([f"s{index}" for index in range(48)])
    found = [
        judge(generator.dirichlet(np.ones(3), 48), SITES, subjects, ("a", "b", "c"), quick).p_value
        for _ in range(60)
    ]
    assert np.mean(np.array(found) < 0.05) < 0.15 and 0.3 < np.mean(found) < 0.7


def test_shuffles_keep_travelling_subjects_whole():
    codes = np.array([0, 0, 1, 1, 0, 1, 2])
    subjects = np.array(["p", "p", "q", "q", "t", "t", "t"])
    for row in shuffled_labels(codes, subjects, 50, 0):
        assert row[0] == row[1] and row[2] == row[3] and {row[0], row[2]} == {0, 1}
        assert sorted(row[4:]) == [0, 1, 2]


def test_too_few_subjects_are_refused_in_words(quick):
    reason = refusal(["a", "a", "b"], ["p", "p", "q"], quick)
    assert reason and "cannot be answered" in reason and "a has 1 subject" in reason
    assert "two classes" in str(refusal(["a"] * 9, list("pqrstuvwx"), quick))
    with pytest.raises(ValueError, match="cannot be answered"):
        probe(Sample(np.ones((2, 1)), np.array(["p", "q"]), np.array(["a", "b"])),
              ["a", "b"], "linear", quick)  # fmt: skip


def test_missing_features_are_borne(quick):
    given = sample(6.0)
    features = given.features.copy()
    features[::5, 1] = np.nan
    features[:, 5] = np.nan
    found = probe(Sample(features, given.subjects, SITES), SITES, "linear", quick)
    assert found.auc.value > 0.9
