"""The operator of a scanner: robust over scans, shrunk for few, the same after a round trip."""

import json

import numpy as np
import pandas as pd
import pytest

from ctharmony.harmonization.curves import smooth_bins
from ctharmony.harmonization.operators import (
    OperatorSettings,
    ScannerOperator,
    estimate_operator,
    mean_operator,
)

FREQUENCIES = 0.0125 + 0.025 * np.arange(40)
SETTINGS = OperatorSettings(shrinkage_scans=4, smoothing_bins=0)


def true_nps(level: float) -> np.ndarray:
    return level * FREQUENCIES * np.exp(-((FREQUENCIES / 0.3) ** 2))


def curves_of(scan: str, level: float, nyquist: float = 1.1) -> pd.DataFrame:
    values = {
        "nps": true_nps(level),
        "mtf": np.exp(-((FREQUENCIES / 0.5) ** 2)),
        "spectrum": 1e4 / (1 + (FREQUENCIES / 0.05) ** 3),
        "lung": 0.5 * true_nps(level),
    }
    frames = [
        pd.DataFrame({"scan": scan, "curve": name, "x": FREQUENCIES, "y": y})
        for name, y in values.items()
    ]
    frame = pd.concat(frames)
    frame.loc[frame["x"] > nyquist, "y"] = np.nan
    return frame


def rows_of(scans: list[str], **columns: object) -> pd.DataFrame:
    content = {
        "scan": scans,
        "status": "ok",
        "noise_sd_hu": 20.0,
        "air_mode_hu": -1000.0,
        "lung_mode_hu": -860.0,
        "fat_mode_hu": -100.0,
        "soft_tissue_mode_hu": 50.0,
        "body_volume_ml": 9600.0,
        "slices": 24,
        "spacing_z_mm": 5.0,
        "slice_thickness_mm": 5.0,
        "kvp": 120.0,
    }
    return pd.DataFrame({**content, **columns})


def test_one_broken_scan_does_not_move_the_site() -> None:
    scans = ["a", "b", "c", "d", "e"]
    levels = [90.0, 100.0, 100.0, 110.0, 1e6]
    curves = pd.concat([curves_of(s, v) for s, v in zip(scans, levels, strict=True)])
    operator = estimate_operator(curves, rows_of(scans), SETTINGS)
    np.testing.assert_allclose(operator.nps, true_nps(100.0), rtol=1e-9)
    assert operator.n_scans == 5
    assert operator.body_area_cm2 == pytest.approx(800.0)
    np.testing.assert_allclose(operator.nps_log_sd, 1.4826 * np.log(1.1), rtol=1e-2)


def test_set_aside_scans_do_not_count() -> None:
    curves = pd.concat([curves_of("a", 100.0), curves_of("b", 900.0)])
    rows = rows_of(["a", "b"], status=["ok", "set_aside"])
    operator = estimate_operator(curves, rows, SETTINGS)
    np.testing.assert_allclose(operator.nps, true_nps(100.0), rtol=1e-9)
    with pytest.raises(ValueError, match="no usable scan"):
        estimate_operator(curves, rows.iloc[1:], SETTINGS)


def test_no_noise_spectrum_is_said_with_the_scan_named() -> None:
    curves = curves_of("lone", 100.0)
    with pytest.raises(ValueError, match="lone"):
        estimate_operator(curves[curves["curve"] != "nps"], rows_of(["lone"]), SETTINGS)


def test_beyond_nyquist_is_unknown_or_the_priors() -> None:
    rows = rows_of(["a"])
    coarse = estimate_operator(curves_of("a", 100.0, nyquist=0.5), rows, SETTINGS)
    assert np.isnan(coarse.nps[FREQUENCIES > 0.5]).all()
    prior = estimate_operator(curves_of("a", 400.0), rows, SETTINGS)
    filled = estimate_operator(curves_of("a", 100.0, nyquist=0.5), rows, SETTINGS, prior)
    # same shape, a quarter of the prior's level: filling keeps the site's own level
    np.testing.assert_allclose(filled.nps, true_nps(100.0), rtol=1e-9)


def test_shrinkage_weighs_shape_by_number_of_scans() -> None:
    rows = rows_of(["a"], noise_sd_hu=33.0)
    own = estimate_operator(curves_of("a", 100.0), rows, SETTINGS)
    soft = curves_of("a", 100.0)
    soft.loc[soft["curve"] == "mtf", "y"] **= 2
    prior = estimate_operator(soft, rows_of(["a"]), SETTINGS)
    shrunk = estimate_operator(curves_of("a", 100.0), rows, SETTINGS, prior)
    # one scan against a prior worth four: a fifth of the logarithm is the site's own
    expected = 0.2 * np.log(own.mtf) + 0.8 * np.log(prior.mtf)
    np.testing.assert_allclose(np.log(shrunk.mtf), expected, rtol=1e-9)
    assert shrunk.noise_sd == 33.0


def test_round_trip_through_json() -> None:
    rows = rows_of(["a"], kvp=np.nan)
    operator = estimate_operator(curves_of("a", 100.0, nyquist=0.6), rows, SETTINGS)
    text = json.dumps(operator.to_dict()).replace("NaN", "null")
    again = ScannerOperator.from_dict(json.loads(text))
    np.testing.assert_array_equal(again.nps, operator.nps)
    assert again.hu_anchors == pytest.approx(operator.hu_anchors, nan_ok=True)
    assert np.isnan(again.kvp)
    with pytest.raises(ValueError, match="mtf"):
        ScannerOperator.from_dict({k: v for k, v in operator.to_dict().items() if k != "mtf"})


def test_smoothing_keeps_constants_and_gaps() -> None:
    values = np.full(20, 3.0)
    values[7] = np.nan
    smoothed = smooth_bins(values, 1.5)
    np.testing.assert_allclose(np.delete(smoothed, 7), 3.0)
    assert np.isnan(smoothed[7])


def test_mean_of_two_scanners_is_their_geometric_middle() -> None:
    rows = rows_of(["a"])
    pair = [estimate_operator(curves_of("a", level), rows, SETTINGS) for level in (100.0, 400.0)]
    middle = mean_operator(pair)
    np.testing.assert_allclose(middle.nps, true_nps(200.0), rtol=1e-9)
    assert middle.n_scans == 2
    with pytest.raises(ValueError, match="reference site"):
        mean_operator([])


def test_settings_are_found_in_the_whole_block() -> None:
    block = {"transport": {}, "operator": {"shrinkage_scans": 3, "smoothing_bins": 0.5}}
    assert OperatorSettings.from_dict(block) == OperatorSettings(3.0, 0.5)
