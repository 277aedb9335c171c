"""The spectrum of the result's noise is closed in on, and left alone where it is right."""

from dataclasses import replace

import numpy as np
import pytest

from ctharmony.harmonization import bands
from ctharmony.harmonization.gains import Gains
from ctharmony.harmonization.noise_spectrum import level_spectrum
from ctharmony.harmonization.settings import TransportSettings
from ctharmony.quality.noise import power_spectrum
from ctharmony.quality.patches import cut
from scanners import FREQUENCIES, SHAPE, SPACING, TRANSPORT, noise, noise_power

SETTINGS = TransportSettings.from_dict(TRANSPORT)
KERNEL = (0.4, 3000.0)
PLACES = np.array(
    [(z, y, x) for z in range(SHAPE[0]) for y in (16, 60, 104) for x in (16, 60, 104)]
)


@pytest.fixture
def flat() -> np.ndarray:
    """(slices, rows, columns) HU of soft tissue with noise."""
    return (50.0 + noise(*KERNEL, 3)).astype(np.float32)


def plan_of(noise_gain: np.ndarray) -> bands.Plan:
    one = np.ones_like(FREQUENCIES)
    gains = Gains(FREQUENCIES, one, noise_gain, 0 * one, 0 * one)
    return bands.make_plan(SHAPE[1:], SPACING[1:], gains, noise_power(*KERNEL), SETTINGS.bands)


def carried_by(hu: np.ndarray):
    """Slices under a plan, all of them taken for noise."""
    return lambda plan: np.stack(
        [bands.filtered(plane, replace(plan, signal=plan.noise)) for plane in hu]
    )


def levelled(plan: bands.Plan, hu: np.ndarray, ratio: np.ndarray) -> bands.Plan:
    return level_spectrum(plan, hu, carried_by(hu), ratio, SPACING, SETTINGS.noise)


def spectrum(hu: np.ndarray) -> np.ndarray:
    patches = cut(hu, PLACES, (40, 40))
    return power_spectrum(patches - patches.mean(axis=(1, 2), keepdims=True), SPACING)


def test_power_changes_by_the_ratio_at_every_frequency(flat) -> None:
    wrong = 1 - 0.4 * np.exp(-((FREQUENCIES / 0.2) ** 2))
    ratio = 0.5 + FREQUENCIES  # more of the high frequencies
    plan = levelled(plan_of(wrong), flat, ratio)
    found = spectrum(carried_by(flat)(plan)) / spectrum(flat)
    known = (FREQUENCIES > 0.08) & (FREQUENCIES < 0.5)
    assert found[known] == pytest.approx(ratio[known], rel=0.15)


def test_what_is_right_stays(flat) -> None:
    plan = plan_of(np.ones_like(FREQUENCIES))
    assert levelled(plan, flat, np.ones(40)).noise == pytest.approx(plan.noise, abs=0.01)


def test_unknown_ratios_and_too_few_patches_change_nothing(flat) -> None:
    plan = plan_of(np.full_like(FREQUENCIES, 0.7))
    same = levelled(plan, flat, np.full(40, np.nan))
    assert np.array_equal(same.noise, plan.noise)
    assert levelled(plan, flat - 900.0, np.ones(40)) is plan
