"""Gains between scanners whose true ratio is known."""

import numpy as np
import pytest

from ctharmony.harmonization.gains import GainSettings, fused_gains, ratio_gains
from scanners import FREQUENCIES, TRANSPORT, kernel, scanner

SETTINGS = GainSettings.from_dict(TRANSPORT["gains"])
# the first bin's gain is 1: mean HU belongs to the calibration
SEEN = (FREQUENCIES > 0.02) & (FREQUENCIES < 0.6)


def test_both_gains_are_found_when_dose_and_kernel_differ() -> None:
    sharp, soft = scanner(0.3, 4000.0), scanner(0.6, 1000.0)
    gains = fused_gains(sharp, soft, SETTINGS)
    truth = kernel(0.6) / kernel(0.3)
    np.testing.assert_allclose(np.log(gains.signal[SEEN]), np.log(truth[SEEN]), atol=0.03)
    # a quarter of the noise power level on top of the kernel's ratio
    np.testing.assert_allclose(np.log(gains.noise[SEEN]), np.log(0.5 * truth[SEEN]), atol=0.03)


def test_one_scanner_to_itself_is_the_identity() -> None:
    same = scanner(0.45, 2000.0)
    gains = fused_gains(same, same, SETTINGS)
    np.testing.assert_allclose(gains.signal, 1.0, atol=1e-9)
    np.testing.assert_allclose(gains.noise, 1.0, atol=1e-9)


def test_edges_alone_or_noise_alone_suffice() -> None:
    unknown = np.full(40, np.nan)
    truth = np.log(kernel(0.6) / kernel(0.3))[SEEN]
    for hidden in ("mtf", "spectrum"):
        pair = [scanner(0.3, 4000.0, **{hidden: unknown}), scanner(0.6, 1000.0)]
        gains = fused_gains(*pair, SETTINGS)
        np.testing.assert_allclose(np.log(gains.signal[SEEN]), truth, atol=0.05)


def test_anatomy_in_the_noise_spectrum_hardly_moves_the_signal_gain() -> None:
    leak = 3000.0 * np.exp(-((FREQUENCIES / 0.1) ** 2))
    clean, soft = scanner(0.3, 4000.0), scanner(0.6, 1000.0)
    dirty = scanner(0.3, 4000.0, nps=clean.nps + leak)
    gains = fused_gains(dirty, soft, SETTINGS)
    truth = kernel(0.6) / kernel(0.3)
    np.testing.assert_allclose(np.log(gains.signal[SEEN]), np.log(truth[SEEN]), atol=0.08)


def test_sharpening_is_capped() -> None:
    gains = fused_gains(scanner(0.9, 100.0), scanner(0.2, 4000.0), SETTINGS)
    assert gains.signal.max() == pytest.approx(SETTINGS.signal_cap)
    assert gains.noise.max() == pytest.approx(SETTINGS.noise_cap)
    assert gains.signal[0] == gains.noise[0] == 1.0


def test_plain_ratios_equal_the_truth_where_everything_is_measured() -> None:
    gains = ratio_gains(scanner(0.3, 4000.0), scanner(0.6, 1000.0), SETTINGS)
    truth = kernel(0.6) / kernel(0.3)
    middle = (FREQUENCIES > 0.1) & (FREQUENCIES < 0.6)
    np.testing.assert_allclose(gains.signal[middle], truth[middle], rtol=0.05)
    assert gains.signal[0] == pytest.approx(1.0, abs=0.05)


def test_gains_beyond_nyquist_stay_at_the_last_measured_one() -> None:
    unseen = FREQUENCIES > 0.5
    coarse = scanner(0.6, 1000.0)
    for name in ("nps", "mtf", "spectrum"):
        getattr(coarse, name)[unseen] = np.nan
    gains = fused_gains(scanner(0.3, 4000.0), coarse, SETTINGS)
    assert np.ptp(gains.signal[unseen]) == 0.0
    assert np.isfinite(gains.noise).all()
