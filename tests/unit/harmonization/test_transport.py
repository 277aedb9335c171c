"""A scan carried to a scanner whose own picture of the same body is known."""

from dataclasses import replace

import numpy as np
import pytest

from ctharmony.harmonization.settings import TransportSettings
from ctharmony.harmonization.through_plane import slice_weights
from ctharmony.harmonization.transport import Decoded, noise_floor, padding, transport
from scanners import SHAPE, SPACING, TRANSPORT, blurred, body, noise, scanner, tissue

SETTINGS = TransportSettings.from_dict(TRANSPORT)
SHARP, SOFT = (0.3, 3000.0), (0.6, 2000.0)


def scan(blur_mm: float, level: float, seed: int) -> np.ndarray:
    return (blurred(body(), blur_mm) + noise(blur_mm, level, seed)).astype(np.float32)


@pytest.fixture(scope="module")
def sharp_to_soft():
    result = transport(scan(*SHARP, 1), SPACING, (scanner(*SHARP), scanner(*SOFT)), SETTINGS)
    return result, blurred(body(), SOFT[0])


def test_edges_and_noise_become_the_targets(sharp_to_soft) -> None:
    result, clean = sharp_to_soft
    inside = body() > -1000
    before = np.abs(scan(*SHARP, 1) - clean)[inside].mean()
    after = np.abs(result.hu - clean)[inside].mean()
    own_noise = np.abs(noise(*SOFT, 2))[inside].mean()
    assert after < 0.4 * before
    # what is left is little more than the noise that the target scanner has itself
    assert after < 1.25 * own_noise


def test_noise_level_is_the_targets_within_five_percent(sharp_to_soft) -> None:
    result, _ = sharp_to_soft
    flat = tissue()
    assert result.hu[flat].std() == pytest.approx(noise(*SOFT, 3)[flat].std(), rel=0.05)
    assert result.hu[flat].mean() == pytest.approx(50.0, abs=0.5)


def test_uncertainty_is_the_noise_that_remains(sharp_to_soft) -> None:
    result, clean = sharp_to_soft
    flat = tissue()
    error = (result.hu - clean)[flat].std()
    assert np.sqrt((result.uncertainty[flat] ** 2).mean()) == pytest.approx(error, rel=0.15)


def test_separate_gains_beat_one_gain_when_dose_differs() -> None:
    low_dose, high_dose = (0.45, 6000.0), (0.45, 400.0)
    source, target = scanner(*low_dose), scanner(*high_dose)
    noisy, clean = scan(*low_dose, 4), blurred(body(), 0.45)
    result = transport(noisy, SPACING, (source, target), SETTINGS)
    flat, inside = tissue(), body() > -1000
    # the target has .26 of the noise; what lies below .05 cycles/mm cannot be told from anatomy
    assert result.hu[flat].std() < 0.31 * noisy[flat].std()
    lung_edges = inside & (np.abs(clean - body()) > 100)
    # the edges keep their contrast: a filter that denoised alike would blur them
    kept = np.polyfit(clean[lung_edges], result.hu[lung_edges], 1)[0]
    assert kept == pytest.approx(1.0, abs=0.05)


def test_same_scanner_changes_nothing() -> None:
    hu = scan(*SHARP, 6)
    result = transport(hu, SPACING, (scanner(*SHARP), scanner(*SHARP)), SETTINGS)
    np.testing.assert_allclose(result.hu, hu, atol=1e-2)


def test_clean_look_removes_noise_and_keeps_the_bone() -> None:
    settings = replace(SETTINGS, look="clean")
    result = transport(scan(*SHARP, 7), SPACING, (scanner(*SHARP), scanner(*SOFT)), settings)
    flat = tissue()
    assert result.hu[flat].std() < 0.4 * noise(*SOFT, 3)[flat].std()
    bone = body() == 600.0
    assert result.hu[bone].mean() == pytest.approx(blurred(body(), 0.6)[bone].mean(), abs=5)


def test_change_is_bounded_and_padding_stays() -> None:
    hu = scan(*SHARP, 8)
    hu[:, :20] = -1024.0
    settings = replace(SETTINGS, change_bound_hu=7.0)
    result = transport(hu, SPACING, (scanner(*SHARP), scanner(*SOFT)), settings)
    assert np.abs(result.change).max() <= 7.0 + 1e-3
    np.testing.assert_array_equal(result.hu[:, :17], -1024.0)
    assert padding(hu[0])[:17].all() and not padding(hu[0])[24:].any()


def test_calibration_moves_tissue_to_the_target() -> None:
    shifted = {"air": -1000.0, "lung": -860.0, "fat": -92.0, "soft_tissue": 62.0}
    source = scanner(*SHARP, hu_anchors=shifted, n_scans=10_000)
    target = scanner(*SHARP, n_scans=10_000)
    hu = scan(*SHARP, 9) + np.where(tissue(), 12.0, 0.0).astype(np.float32)
    result = transport(hu, SPACING, (source, target), SETTINGS)
    assert result.hu[tissue()].mean() == pytest.approx(50.0, abs=1.0)
    air = body() == -1000
    assert (result.hu - hu)[air].mean() == pytest.approx(0.0, abs=0.5)


def test_thinner_slices_are_blended_to_the_targets_thickness() -> None:
    source, target = scanner(*SHARP, slice_thickness_mm=2.0), scanner(*SHARP)
    hu = scan(*SHARP, 10)
    hu[3] += 100.0
    result = transport(hu, SPACING, (source, target), SETTINGS)
    thick, distance = target.slice_thickness_mm, SPACING[0]
    share = slice_weights(2.0, thick, distance, SETTINGS.through_plane)[-1]
    assert share > 0.02
    step = result.hu[2][tissue()[2]].mean() - result.hu[0][tissue()[0]].mean()
    assert step == pytest.approx(100 * share, abs=1.0)


def test_decoder_with_full_trust_sets_the_mean() -> None:
    clean = blurred(body(), SHARP[0]).astype(np.float32)
    target = (blurred(body(), SOFT[0]) + 20.0 * tissue()).astype(np.float32)
    decoded = Decoded(clean, target, np.full(SHAPE, 3.0, np.float32))
    pair = (scanner(*SHARP), scanner(*SOFT))
    results = [
        transport(scan(*SHARP, 11), SPACING, pair, replace(SETTINGS, decoder_trust=trust), decoded)
        for trust in (0.0, 1.0)
    ]
    means = [result.hu[tissue()].mean() for result in results]
    assert means[0] == pytest.approx(50.0, abs=0.5)
    assert means[1] == pytest.approx(70.0, abs=0.5)


def test_without_trust_the_target_is_not_asked_for() -> None:
    clean = blurred(body(), SHARP[0]).astype(np.float32)
    pair, hu = (scanner(*SHARP), scanner(*SOFT)), scan(*SHARP, 11)
    whole, half = (
        transport(hu, SPACING, pair, SETTINGS, decoded)
        for decoded in (Decoded(clean, clean + 500, clean), Decoded(clean, None, None))
    )
    assert np.array_equal(whole.hu, half.hu)
    assert np.array_equal(whole.uncertainty, half.uncertainty)


def test_decoded_on_another_grid_is_refused() -> None:
    wrong = np.zeros((2, 4, 4), np.float32)
    pair = (scanner(*SHARP), scanner(*SOFT))
    with pytest.raises(ValueError, match="grid"):
        transport(scan(*SHARP, 1), SPACING, pair, SETTINGS, Decoded(wrong, wrong, wrong))


def test_noise_floor_is_a_ramp_below_anatomy_and_zero_beyond_nyquist() -> None:
    operator = scanner(*SHARP)
    leaking = replace(operator, nps=operator.nps + 5e3 * np.exp(-operator.frequencies / 0.02))
    leaking.nps[-5:] = np.nan
    floor = noise_floor(leaking, 0.3)
    np.testing.assert_allclose(floor[-5:], 0.0)
    ratio = floor[:12] / operator.frequencies[:12]
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-9)
