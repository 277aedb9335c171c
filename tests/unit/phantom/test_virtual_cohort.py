"""Whole virtual scans: repeatability, independence, truth and sheets."""

import copy
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pytest
import yaml

from ctharmony.phantom.cohort import patient_factors
from ctharmony.phantom.sheets import make_sheet
from virtual_study import SMALL, make_study, pixels, scan_row


def test_scans_repeat_exactly_whoever_else_is_scanned(scanners: dict, travelled) -> None:
    rows = [scan_row("summit", "summit-01"), scan_row("summit", "travel-01")]
    again = list(make_study(scanners, "summit").scans(rows))[1]
    np.testing.assert_array_equal(pixels(again), pixels(travelled))
    np.testing.assert_array_equal(again.target, travelled.target)
    assert again.truth == travelled.truth
    uids = [data.SOPInstanceUID for data in again.datasets]
    assert uids == [data.SOPInstanceUID for data in travelled.datasets]
    assert len(set(uids)) == len(uids)


def test_another_seed_gives_the_same_patient_and_another_scan(scanners: dict, travelled) -> None:
    other = make_study(scanners, "summit", seed=10).scan(scan_row("summit", "travel-01"))
    assert other.truth == travelled.truth | {
        "true_laa950_percent": other.truth["true_laa950_percent"]
    }
    assert not np.array_equal(pixels(other), pixels(travelled))


def test_travellers_are_the_same_everywhere_and_come_with_truth(scanners, travelled) -> None:
    elsewhere = make_study(scanners, "harbour").scan(scan_row("harbour", "travel-01"))
    own = make_study(scanners, "summit").scan(scan_row("summit", "summit-01"))
    same = ("age", "sex", "emphysema_fraction", "bone_density", "nodule_volume_mm3", "travelling")
    assert all(elsewhere.truth[name] == travelled.truth[name] for name in same)
    assert (own.target, own.clean, own.truth["travelling"]) == (None, None, 0)


def test_target_is_the_target_scanner_with_noise_of_its_own(scanners: dict) -> None:
    """At the target site, scan and target differ by noise only, and are independent."""
    found = make_study(scanners, "alpine").scan(scan_row("alpine", "travel-01"))
    scan = pixels(found)[:, ::-1, ::-1] - 1024.0
    body = found.clean > -300
    one, two = (scan - found.clean)[body], (found.target - found.clean)[body]
    assert abs(one.mean()) < 3.0
    assert abs(two.mean()) < 3.0
    assert one.std() == pytest.approx(two.std(), rel=0.05)
    assert abs(np.corrcoef(one - one.mean(), two - two.mean())[0, 1]) < 0.1


def test_sheets_of_the_demo_are_what_the_generator_writes(root: Path) -> None:
    config = yaml.safe_load((root / "config/config.yaml").read_text())
    sites = pd.read_csv(root / config["sites"], sep="\t")
    for site in sites.itertuples():
        written = pd.read_csv(root / site.manifest, sep="\t")
        made = make_sheet(site.site, site.role, config["simulation"]["population"])
        pd.testing.assert_frame_equal(written, made, check_dtype=False)


def test_a_manifest_that_contradicts_the_patient_is_refused() -> None:
    sheet = make_sheet("alpine", "reference", SMALL["population"])
    row = {name: str(value) for name, value in sheet.iloc[0].items()}
    assert patient_factors(row, "alpine", SMALL["population"]).age == int(row["age"])
    row["age"] = str(int(row["age"]) + 1)
    with pytest.raises(ValueError, match=r"alpine-01 the age .* write the sheet anew"):
        patient_factors(row, "alpine", SMALL["population"])


def test_more_patients_or_sites_change_no_other_patient() -> None:
    few, many = SMALL["population"], copy.deepcopy(SMALL["population"])
    many["patients"]["test"] += 3
    many["segments"]["delta"] = [0.2, 0.4]
    before = make_sheet("alpine", "reference", few).set_index("subject")
    after = make_sheet("alpine", "reference", many).set_index("subject")
    columns = ["age", "sex"]
    pd.testing.assert_frame_equal(before[columns], after.loc[before.index, columns])


def test_scanners_and_settings_keep_their_schemas(root: Path) -> None:
    schemas = root / "workflow/schemas"
    content = yaml.safe_load((root / "config/demo/scanners.yaml").read_text())
    schema = yaml.safe_load((schemas / "scanners.schema.yaml").read_text())
    jsonschema.validate(content, schema)
    jsonschema.validate(SMALL, yaml.safe_load((schemas / "simulation.schema.yaml").read_text()))
    assert len(content["scanners"]) >= 8
    sites = pd.read_csv(root / "config/demo/sites.tsv", sep="\t")
    assert len(set(content["scanners"]) - set(sites["scanner"])) >= 4


def test_wrong_scanner_settings_name_scanner_and_key(scanners: dict) -> None:
    wrong = {**scanners["alpine"], "kvpp": 120}
    with pytest.raises(ValueError, match="scanner 'alpine' has unknown keys kvpp"):
        make_study({"alpine": wrong}, "alpine")
    del wrong["kvpp"], wrong["mas"]
    with pytest.raises(ValueError, match="scanner 'alpine' lacks mas"):
        make_study({"alpine": wrong}, "alpine")
