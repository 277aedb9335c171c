"""Intervals: coverage, independence of scans of a subject, honesty about small numbers."""

import numpy as np
import pytest

from ctharmony.evaluation.bootstrap import bootstrap_mean, subject_weights


def test_scans_of_a_subject_are_drawn_together():
    weights = subject_weights(["a", "a", "b", "c"], 50, 0)
    assert np.array_equal(weights[:, 0], weights[:, 1])
    assert np.all(weights[:, 1:].sum(1) == 3)


def test_interval_covers_the_true_mean_about_nineteen_times_in_twenty():
    generator = np.random.default_rng(0)
    subjects = [str(index) for index in range(60)]
    hits = 0
    for seed in range(150):
        found = bootstrap_mean(generator.normal(3, 1, 60), subjects, 300, seed)
        hits += found.low <= 3 <= found.high
    assert 0.89 <= hits / 150 <= 0.99


def test_copies_of_scans_do_not_narrow_the_interval():
    values = np.random.default_rng(1).normal(size=20)
    names = [str(index) for index in range(20)]
    once = bootstrap_mean(values, names, 500, 3)
    tenfold = bootstrap_mean(np.repeat(values, 10), np.repeat(names, 10).tolist(), 500, 3)
    assert tenfold.n == once.n == 20
    assert (tenfold.low, tenfold.high) == pytest.approx((once.low, once.high))


def test_one_subject_has_a_value_and_no_interval():
    found = bootstrap_mean(np.array([4.0, 6.0]), ["a", "a"], 100, 0)
    assert found.value == 5 and found.n == 1
    assert np.isnan(found.low) and np.isnan(found.high)


def test_missing_values_are_left_out_and_counted_out():
    found = bootstrap_mean(np.array([1.0, np.nan, 3.0]), ["a", "b", "c"], 100, 0)
    assert found.value == 2 and found.n == 2
    assert bootstrap_mean(np.array([np.nan]), ["a"], 100, 0).n == 0
