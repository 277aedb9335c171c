"""HU curves from what the tissues of two scanners' patients show."""

import numpy as np
import pytest

from ctharmony.harmonization.calibration import bone_scale, hu_curve
from scanners import ANCHORS, TRANSPORT, scanner

SD = TRANSPORT["anchor_sd"]


def with_bone(level: float, scans: int = 8, **changes):
    return scanner(0.4, 1000.0, hu_anchors={**ANCHORS, "bone": level}, n_scans=scans, **changes)


def test_tube_voltage_alone_scales_bone_where_no_bone_was_measured():
    low, high = scanner(0.4, 1000.0, kvp=100.0), scanner(0.4, 1000.0, kvp=120.0)
    # Nakazato 2009: calcium of 130 HU at 120 kVp shows 147 at 100 kVp
    assert bone_scale(high, low, 25.0, 0.08) == pytest.approx(147 / 130, abs=0.02)
    unknown = scanner(0.4, 1000.0, kvp=float("nan"))
    assert bone_scale(unknown, low, 25.0, 0.08) == 1.0


def test_bone_of_many_patients_outweighs_the_voltage_and_of_few_does_not():
    scales = [bone_scale(with_bone(390, n), with_bone(430, n), 25.0, 0.08) for n in (1, 8, 10_000)]
    truth = (430 - 70) / (390 - 70)
    assert 1.0 < scales[0] < scales[1] < scales[2]
    assert scales[2] == pytest.approx(truth, rel=1e-3)
    assert scales[1] == pytest.approx(truth, rel=0.03)
    assert bone_scale(with_bone(390), with_bone(430), 25.0, 0.0) == 1.0


def test_the_curve_takes_bone_to_the_targets_level_and_leaves_soft_tissue():
    curve = hu_curve(with_bone(390, 1000), with_bone(430, 1000), SD, 10.0, 0.08)
    assert curve(np.array([390.0])) == pytest.approx(430.0, abs=2.0)
    for hu in (-1000.0, -100.0, 50.0):
        assert curve(np.array([hu])) == pytest.approx(hu, abs=0.5)
    assert (np.diff(curve(np.arange(-1000.0, 3000.0, 5.0))) > 0).all()
