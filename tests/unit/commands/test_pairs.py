"""Scans of the same raw data are named as pairs when a study is made."""

import pandas as pd

from ctharmony.commands.sheets import FoundSite, with_pairs


def found(site, acquisitions):
    scans = pd.DataFrame({"scan": [f"{site}-s{k}" for k in range(len(acquisitions))]})
    return FoundSite(site, scans, pd.Series(acquisitions, dtype=str), scans.iloc[:0])


def test_scans_name_the_targets_scan_of_the_same_raw_data():
    sites = [found("soft", ["a1", "a2", ""]), found("sharp", ["", "a2"]), found("other", ["", ""])]
    soft, sharp, other = with_pairs(sites, "soft")
    assert sharp.scans["paired_scan"].fillna("").tolist() == ["", "soft/soft-s1"]
    assert "paired_scan" not in soft.scans
    assert "paired_scan" not in other.scans
