"""The lung's noise has its own relation to soft tissue's on every scanner, and comes out right."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from ctharmony.harmonization import bands
from ctharmony.harmonization.gains import Gains
from ctharmony.harmonization.lung_noise import lung_factor, lung_weight, noise_share
from ctharmony.harmonization.settings import TransportSettings
from ctharmony.harmonization.transport import transport
from scanners import FREQUENCIES, SHAPE, SPACING, TRANSPORT, body, noise, scanner

SETTINGS = TransportSettings.from_dict(TRANSPORT)
ONE = np.ones_like(FREQUENCIES)
EQUAL = Gains(FREQUENCIES, ONE, ONE, 0 * ONE, 0 * ONE)
CALM = ndimage.minimum_filter(body()[0] == -860, 11)  # lung, far from vessels and wall


def seen(relation: float):
    """A scanner whose lung has `relation` times the noise power of its soft tissue."""
    own = scanner(0.4, 3000.0)
    return replace(own, lung=relation * own.nps)


def test_the_factor_is_the_ratio_of_the_two_relations() -> None:
    factor = lung_factor(seen(1.0), seen(0.64), ONE)
    known = FREQUENCIES < 0.6
    assert factor[known] == pytest.approx(0.8, abs=0.01)


def test_another_dose_is_not_the_lungs_business() -> None:
    brighter = scanner(0.4, 900.0)
    factor = lung_factor(seen(0.7), replace(brighter, lung=0.7 * brighter.nps), ONE)
    assert factor[:20] == pytest.approx(1.0, abs=0.01)


def test_anatomy_is_not_taken_for_noise() -> None:
    own = seen(1.0)
    anatomy = 50 * own.nps[8] * np.exp(-FREQUENCIES / 0.03)
    factor = lung_factor(own, replace(own, lung=own.lung + anatomy), ONE)
    assert factor[FREQUENCIES < 0.1] == pytest.approx(1.0, abs=0.02)
    share = noise_share(replace(own, lung=own.lung + anatomy))
    assert (share[FREQUENCIES < 0.1] < 0.5).all()
    assert share[(FREQUENCIES > 0.4) & (FREQUENCIES < 0.6)] == pytest.approx(1.0, abs=0.01)


def test_without_a_lung_there_is_no_factor() -> None:
    nothing = replace(seen(1.0), lung=np.full(40, np.nan))
    assert lung_factor(nothing, seen(1.0), ONE) is None
    assert not noise_share(nothing).any()
    plan = bands.make_plan(SHAPE[1:], SPACING[1:], EQUAL, nothing.nps, SETTINGS.bands)
    assert bands.with_lung(plan, SPACING[1:], FREQUENCIES, None) is plan


def test_only_the_lungs_noise_is_touched() -> None:
    hu = (body() + noise(0.4, 3000.0, 4)).astype(np.float32)
    same = transport(hu, SPACING, (seen(1.0), seen(1.0)), SETTINGS).hu
    less = transport(hu, SPACING, (seen(1.0), seen(0.64)), SETTINGS).hu
    flat = (slice(None), slice(70, 110), slice(120, 160))
    assert np.abs(less - same)[flat].max() < 0.5
    assert (less - same).mean(axis=0)[CALM].mean() == pytest.approx(0.0, abs=2)
    spread = [hu.std(axis=0)[CALM].mean() for hu in (less, same)]
    assert 0.9 < spread[0] / spread[1] < 0.96  # 0.8 in the highest band, 1 below


def test_weight_is_one_in_lung_and_nothing_in_tissue() -> None:
    weight = lung_weight(body()[0])
    assert CALM.any() and (weight[CALM] == 1).all() and weight[96, 140] == 0
    assert ((weight >= 0) & (weight <= 1)).all()
