"""Scans of the same raw data are named as pairs when a study is made."""

import pandas as pd

from ctharmony.commands.sheets import FoundSite, best_target, one_subject_per_study, with_pairs


def found(site, acquisitions, kernel="B30f"):
    names = [f"{site}-s{k}" for k in range(len(acquisitions))]
    scans = pd.DataFrame({"scan": names, "kernel": kernel})
    return FoundSite(site, scans, pd.Series(acquisitions, dtype=str), scans.iloc[:0])


def test_scans_name_the_targets_scan_of_the_same_raw_data():
    sites = [found("soft", ["a1", "a2", ""]), found("sharp", ["", "a2"]), found("other", ["", ""])]
    soft, sharp, other = with_pairs(sites, "soft")
    assert sharp.scans["paired_scan"].fillna("").tolist() == ["", "soft/soft-s1"]
    assert "paired_scan" not in soft.scans
    assert "paired_scan" not in other.scans


def test_of_equal_sites_the_one_with_pairs_or_a_known_scanner_is_the_target():
    unknown = found("crop", [""], kernel=None)
    alone, soft, sharp = found("alone", ["a1"]), found("soft", ["a2"]), found("sharp", ["a2"])
    assert best_target([unknown, alone, soft, sharp]) == "soft"
    assert best_target([unknown, alone]) == "alone"
    assert best_target([unknown, alone, found("many", ["", ""], kernel=None)]) == "many"


def test_a_study_in_two_folders_is_one_subject():
    first = pd.DataFrame({"subject": ["n-p001", "n-p002"], "study": ["s1", "s2"]})
    # s2's patient came back (s3); another hospital's patient stays who he is
    second = pd.DataFrame({"subject": ["s-p001", "s-p001", "s-p002"], "study": ["s2", "s3", "s4"]})
    third = pd.DataFrame({"subject": ["t-p001"], "study": ["s3"]})
    joined = one_subject_per_study([first, second, third])
    assert [table["subject"].tolist() for table in joined] == [
        ["n-p001", "n-p002"], ["n-p002", "n-p002", "s-p002"], ["n-p002"],
    ]  # fmt: skip
