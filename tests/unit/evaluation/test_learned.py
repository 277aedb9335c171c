"""The training's last terms reach metrics.tsv under its words."""

import math

import pandas as pd
import pytest

from ctharmony.evaluation.learned import final_terms


def history(*rows):
    return pd.DataFrame(rows, columns=["epoch", "term", "split", "value"]).assign(unit="nats")


def words(table):
    return {row["metric"]: row["value"] for row in final_terms(table, "ctharmony")}


def test_last_epoch_of_the_validation_split_wins():
    table = history(
        (1, "reconstruction", "validation", 9.0),
        (2, "reconstruction", "validation", 7.0),
        (2, "reconstruction", "train", 1.0),
    )
    assert words(table) == {"distortion_nats": 7.0}


def test_rate_is_the_sum_of_both_latents_and_each_alone():
    table = history((1, "rate_biology", "train", 3.0), (1, "rate_scanner", "train", 0.5))
    assert words(table) == {
        "rate_nats": 3.5,
        "rate_nats_biology": 3.0,
        "rate_nats_scanner": 0.5,
    }


def test_rate_splits_into_information_and_marginal_divergence():
    table = history(
        (1, "scanner_mutual_information", "validation", 0.4),
        (1, "scanner_marginal_kl", "validation", 3.0),
    )
    found = words(table)
    assert found["mutual_information_nats_scanner"] == 0.4
    assert found["marginal_kl_nats_scanner"] == 3.0


def test_active_units_of_both_latents_are_counted_together():
    table = history((2, "active_biology", "train", 5.0), (2, "active_scanner", "train", 3.0))
    assert words(table) == {
        "active_units": 8.0,
        "active_units_biology": 5.0,
        "active_units_scanner": 3.0,
    }


def test_monitors_of_the_critics_and_of_decoded_patches_are_told():
    table = history(
        (3, "invariance_js", "validation", math.log(2.0) / 4),
        (3, "realism_lipschitz", "validation", 1.2),
        (3, "decoded_density", "validation", 0.9),
        (3, "decoded_coverage", "validation", 0.95),
    )
    assert words(table) == {
        "density": 0.9,
        "coverage": 0.95,
        "lipschitz_realism": 1.2,
        "js_saturation_invariance": pytest.approx(0.25),
    }


def test_unknown_terms_are_left_out():
    assert words(history((1, "loss", "train", 1.0))) == {}
