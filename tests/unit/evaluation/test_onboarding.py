"""Subsets to onboard a site from, and the table of what they gave."""

import pandas as pd
import pytest

from ctharmony.evaluation.onboarding import ALL, TRAINED, subsets, summarise

SCANS = [f"s{index}" for index in range(8)]


def test_subsets_are_drawn_alike_for_a_seed_and_never_larger_than_the_site():
    found = subsets(SCANS, [3, 1, 8, 30], repeats=2, seed=4)
    assert [(part.size, part.repeat) for part in found] == [
        ("1", 0), ("1", 1), ("3", 0), ("3", 1), (ALL, 0),
    ]  # fmt: skip
    assert all(len(set(part.scans)) == int(part.size) for part in found[:-1])
    assert found[-1].scans == tuple(SCANS)
    assert found == subsets(SCANS, [1, 3], repeats=2, seed=4)
    assert found[2].scans != found[3].scans
    with pytest.raises(ValueError, match="no scan to be onboarded from"):
        subsets([], [1], 1, 0)


def test_errors_are_held_against_those_with_all_scans():
    rows = [("1", 0, "a", 12.0), ("1", 0, "b", 14.0), ("1", 1, "a", 11.0), ("1", 1, "b", 13.0)]
    rows += [(ALL, 0, "a", 9.0), (ALL, 0, "b", 11.0)]
    rows += [(TRAINED, 0, "a", 7.0), (TRAINED, 0, "b", 9.0)]
    errors = pd.DataFrame(rows, columns=["size", "repeat", "scan", "paired_mae_hu"])
    table = summarise(errors).set_index("size")
    assert table.loc["1", ["repeats", "n", "paired_mae_hu", "worst_mae_hu"]].tolist() == [
        2, 2, 12.5, 13.0,
    ]  # fmt: skip
    assert table.loc["1", "ratio"] == pytest.approx(1.25)
    assert table.loc[[ALL, TRAINED], "ratio"].tolist() == [1.0, 0.8]
    assert table.loc[[ALL, TRAINED], "ratio_to_trained"].tolist() == [1.25, 1.0]
