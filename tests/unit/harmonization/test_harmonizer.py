"""Which scanner a scan is carried to, and what is asked of the network on the way."""

import numpy as np
import pandas as pd
import pytest

from ctharmony.harmonization.harmonizer import (
    Measured,
    ScanHarmonizer,
    SiteScanner,
    barycentre,
)
from scanners import SHAPE, SPACING, TRANSPORT, blurred, body, noise, scanner

BLOCK = {
    "aim": "barycentre",
    "transport": TRANSPORT,
    "limits": {"noise_ratio": 20, "anchor_hu": 60},
    "operator": {"shrinkage_scans": 0.2, "smoothing_bins": 1.0, "scan_weight": 4},
}
MEASURED = Measured({"scan": "a"}, pd.DataFrame({"scan": [], "curve": [], "x": [], "y": []}))


@pytest.fixture(scope="module")
def sites() -> dict[str, SiteScanner]:
    made = {"sharp": (0.3, 3000.0), "middle": (0.45, 2500.0), "soft": (0.6, 2000.0)}
    return {
        name: SiteScanner(scanner(*how), np.full(2, index), "")
        for index, (name, how) in enumerate(made.items())
    }


@pytest.fixture(scope="module")
def hu() -> np.ndarray:
    return (blurred(body(), 0.3) + noise(0.3, 3000.0, 1)).astype(np.float32)


def test_the_barycentre_lies_in_the_middle(sites):
    found = barycentre(list(sites.values()))
    assert found.operator.mtf == pytest.approx(sites["middle"].operator.mtf)
    assert found.prior_mean.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("aim, aimed", [("target", "soft"), ("barycentre", "middle")])
def test_the_aim_follows_the_config(sites, aim, aimed):
    profiles = {
        name: {"operator": s.operator.to_dict(), "prior_mean": s.prior_mean, "reason": ""}
        for name, s in sites.items()
    }
    # a query site is carried, but has no part in the middle of the reference sites
    profiles["query"] = profiles["soft"]
    block = BLOCK | {"aim": aim}
    found = ScanHarmonizer.from_profiles(profiles, sites, "soft", block, None)
    assert found.aim.operator.noise_sd == sites[aimed].operator.noise_sd
    assert sorted(found.sites) == ["middle", "query", "sharp", "soft"]


def test_scans_of_the_target_site_are_left_alone_unless_the_aim_is_elsewhere(sites, hu):
    plain = ScanHarmonizer(sites, "sharp", BLOCK, None)
    same, remark = plain.carry(hu, SPACING, "sharp", MEASURED)
    assert np.array_equal(same.hu, hu) and "target site" in remark
    aimed = ScanHarmonizer(sites, "sharp", BLOCK, None, sites["soft"])
    moved, remark = aimed.carry(hu, SPACING, "sharp", MEASURED)
    assert remark == "" and np.abs(moved.change).mean() > 1.0
    other = ScanHarmonizer(sites, "soft", BLOCK, None)
    assert np.array_equal(moved.hu, other.carry(hu, SPACING, "sharp", MEASURED)[0].hu)


def test_a_target_without_trust_is_not_decoded(sites, hu):
    asked = []

    def decode(hu, spacing, source, target):
        asked.append((source, target))
        return hu, None, None

    ScanHarmonizer(sites, "soft", BLOCK, decode).carry(hu, SPACING, "sharp", MEASURED)
    assert asked[0][0].tolist() == [0.0, 0.0] and asked[0][1] is None
    assert hu.shape == SHAPE
    with pytest.raises(ValueError, match="onboard it with adapt"):
        ScanHarmonizer(sites, "soft", BLOCK, decode).carry(hu, SPACING, "elsewhere", MEASURED)
