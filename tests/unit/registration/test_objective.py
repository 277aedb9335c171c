"""The measure as a function of the map: gradient, curvature, batches, invariances."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ctharmony.information import discrete
from ctharmony.registration.engine import prepare_fixed
from ctharmony.registration.grids import MovingGrid, moving_grid
from ctharmony.registration.judgement import joints_of_ranks, measure
from ctharmony.registration.objective import align, from_matrix, to_matrix
from ctharmony.registration.pyramid import Image, build_levels
from ctharmony.registration.sampling import FixedPoints
from ctharmony.registration.transforms import about, rotation


@pytest.fixture(scope="module")
def pair(fixed_scan, make_scan, make_organs, settings) -> tuple[FixedPoints, MovingGrid]:
    """Both scans at 4 mm in double precision, where finite differences are exact enough."""
    fixed = prepare_fixed(fixed_scan, settings).points[1].thinned(4)
    pose = about(rotation(np.array([0, 0, 1.0]), 4.0), np.zeros(3), np.array([5.0, -3, 4]))
    grid = moving_grid(build_levels(make_scan(make_organs(1), pose=pose, seed=2), settings)[1], 24)
    return replace(fixed, unit=fixed.unit.double()), replace(grid, flat=grid.flat.double())


@pytest.mark.parametrize("normalized", [False, True])
def test_gradient_equals_finite_differences(pair, normalized):
    fixed, moving = pair
    here = from_matrix(about(rotation(np.ones(3), 2.0), np.zeros(3), np.ones(3)), fixed)[None]
    gradient = align(fixed, moving, here, normalized, True).gradient[0]
    for entry in range(12):
        step = torch.zeros(12, dtype=torch.float64)
        step[entry] = 1e-5
        ahead = align(fixed, moving, here + step.reshape(1, 3, 4), normalized, False).value
        behind = align(fixed, moving, here - step.reshape(1, 3, 4), normalized, False).value
        difference = float((ahead - behind) / 2e-5)
        assert float(gradient[entry]) == pytest.approx(difference, rel=2e-2, abs=2e-5)


def test_curvature_is_symmetric_and_positive(pair):
    fixed, moving = pair
    here = from_matrix(np.eye(4), fixed)[None]
    curvature = align(fixed, moving, here, False, True).curvature[0]
    torch.testing.assert_close(curvature, curvature.T)
    assert float(torch.linalg.eigvalsh(curvature)[0]) > 0


def test_maps_of_a_batch_do_not_touch_one_another(pair):
    fixed, moving = pair
    maps = torch.stack(
        [
            from_matrix(about(np.eye(3), np.zeros(3), np.array([x, 0.0, 2.0])), fixed)
            for x in (-30.0, 0.0, 8.0, 400.0)
        ]
    )
    together = align(fixed, moving, maps, False, True)
    alone = [align(fixed, moving, one[None], False, True) for one in maps]
    torch.testing.assert_close(together.value, torch.cat([one.value for one in alone]))
    torch.testing.assert_close(together.gradient, torch.cat([one.gradient for one in alone]))
    assert float(together.overlap[3]) == 0.0 and float(together.value[3]) == 0.0


def test_matrix_and_map_are_one_another(pair):
    fixed, _ = pair
    matrix = about(rotation(np.array([1.0, 0, 2]), 30) * 1.1, np.ones(3), np.array([9.0, 8, 7]))
    np.testing.assert_allclose(to_matrix(from_matrix(matrix, fixed), fixed), matrix, atol=1e-9)


def test_reported_information_ignores_strictly_monotone_intensity_maps(
    fixed_scan, make_scan, make_organs, settings
):
    ranks_only = replace(settings, linear_share=0.0)
    other = make_scan(make_organs(1), seed=3)
    bent = Image(2000 * np.tanh(other.hu / 1500) + 100, other.affine, other.mask)
    fixed = build_levels(fixed_scan, ranks_only)[-1]
    plain, changed = (
        measure(fixed, build_levels(i, ranks_only)[-1], np.eye(4)) for i in (other, bent)
    )
    assert changed.nats == pytest.approx(plain.nats, rel=0.01)
    assert plain.nats > 0.5


def test_ranks_are_exactly_invariant_and_hold_the_whole_entropy():
    values = torch.from_numpy(np.random.default_rng(0).normal(size=6400))
    changed = torch.stack([values.exp(), values**3])
    joints, held = joints_of_ranks(values, changed, torch.ones_like(changed, dtype=torch.bool))
    assert discrete.mutual_information(joints[0].numpy()) == pytest.approx(np.log(32), abs=1e-12)
    assert torch.equal(joints[0], joints[1]) and held.tolist() == [6400, 6400]
