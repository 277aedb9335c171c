"""Registration finds what was done to the chest, and says when it did not."""

from dataclasses import replace

import numpy as np
import pytest

from ctharmony.registration.engine import prepare_fixed, register, register_to
from ctharmony.registration.orientation import right_angles
from ctharmony.registration.pyramid import Image
from ctharmony.registration.settings import RegistrationSettings
from ctharmony.registration.transforms import about, distance, rotation

CASES = {
    "rigid": (rotation(np.array([1.0, 1, 2]), 15.0), (20.0, -10.0, 8.0)),
    "affine": (rotation(np.array([0, 1.0, 1]), 8.0) @ np.diag([1.1, 0.9, 1.05]), (-9.0, 12.0, 6.0)),
    "sheared": (np.array([[1, 0.08, 0], [0, 1, 0.05], [0, 0, 0.93]]), (0.0, 5.0, -15.0)),
}


@pytest.fixture(scope="module")
def fixed(fixed_scan, settings):
    return prepare_fixed(fixed_scan, settings, seed=1)


@pytest.mark.parametrize("case", CASES)
def test_known_maps_are_recovered(case, fixed, make_scan, make_organs, settings):
    linear, shift = CASES[case]
    truth = about(linear, np.zeros(3), np.array(shift))
    moving = make_scan(make_organs(1), (3.0, 2.8, 2.8), (80, 90, 124), truth, 7)
    result = register_to(fixed, moving, settings)
    error = distance(result.transform, truth, fixed.points[-1].world())
    assert result.status == "ok" and result.reason == ""
    assert np.median(error) <= 0.15 and error.max() <= 0.3
    assert result.mi_after_nats > result.mi_before_nats


@pytest.mark.parametrize("name", ["inverted", "non-monotone"])
def test_other_contrasts_are_aligned_too(name, fixed, make_scan, make_organs, settings):
    truth = about(rotation(np.array([1.0, 0, 1]), 7.0), np.zeros(3), np.array([6.0, -4, 10]))
    moving = make_scan(make_organs(1), (3.0, 2.8, 2.8), (80, 90, 124), truth, 7)
    maps = {
        "inverted": lambda hu: -hu,
        "non-monotone": lambda hu: 900 * np.cos(hu / 250) + 0.3 * hu,
    }
    result = register_to(fixed, replace(moving, hu=maps[name](moving.hu)), settings)
    error = distance(result.transform, truth, fixed.points[-1].world())
    assert np.median(error) <= 0.2


def test_large_turn_and_far_header_are_captured(fixed, make_scan, make_organs, settings):
    turn = rotation(np.array([0.3, -0.2, 1.0]), 58.0)
    truth = about(turn, np.zeros(3), np.array([5.0, 5, 0]))
    moving = make_scan(make_organs(1), (3.5, 3.0, 3.0), (70, 110, 116), truth, 4)
    header = np.eye(4)
    header[:3, 3] = [120.0, -90, 130]
    result = register_to(fixed, replace(moving, affine=header @ moving.affine), settings)
    error = distance(result.transform, header @ truth, fixed.points[-1].world())
    assert np.median(error) <= 0.3
    assert np.linalg.det(result.transform[:3, :3]) > 0


def test_a_slab_finds_its_stretch_of_the_body(fixed, fixed_scan, settings):
    low = Image(fixed_scan.hu[4:30], fixed_scan.affine, fixed_scan.mask[4:30])
    header = np.eye(4)
    header[2, 3] = 60.0
    result = register_to(fixed, replace(low, affine=header @ low.affine), settings)
    origin = fixed_scan.affine.copy()
    origin[2, 3] += 4 * fixed_scan.affine[2, 2]
    truth = header @ fixed_scan.affine @ np.linalg.inv(origin)
    error = distance(result.transform, truth, fixed.points[-1].world())
    assert np.median(error) <= 0.3
    assert 0.3 < result.coverage < 0.6


@pytest.mark.parametrize("turn", [np.diag([1.0, -1, -1]), np.eye(3)[[1, 2, 0]]])
def test_a_header_turned_by_right_angles_is_mended_and_flagged(turn, fixed, fixed_scan, settings):
    header = about(turn, np.zeros(3), np.zeros(3))
    wrong = replace(fixed_scan, affine=header @ fixed_scan.affine)
    result = register_to(fixed, wrong, replace(settings, orientation_search="always"))
    assert result.turned and result.status == "warned" and "orientation" in result.reason
    error = distance(result.transform, header, fixed.points[-1].world())
    assert np.median(error) <= 0.15


def test_the_other_orientations_are_not_taken_for_a_right_header(fixed, fixed_scan, settings):
    result = register_to(fixed, fixed_scan, replace(settings, orientation_search="always"))
    assert not result.turned and result.status == "ok"
    assert result.confidence == pytest.approx(1.0)


def test_the_24_orientations_are_rotations_and_differ():
    turns = right_angles()
    assert turns.shape == (24, 3, 3) and np.allclose(turns[0], np.eye(3))
    assert np.allclose(np.linalg.det(turns), 1.0)
    assert len({tuple(turn.ravel()) for turn in turns}) == 24


def test_there_and_back_and_over_a_third_scan_agree(
    fixed, fixed_scan, make_scan, make_organs, settings
):
    poses = [
        about(rotation(np.array([0, 1.0, 0]), 6.0), np.zeros(3), np.array([8.0, 2, -9])),
        about(rotation(np.array([1.0, 0, 0]), -5.0), np.zeros(3), np.array([-4.0, 6, 7])),
    ]
    one, two = (make_scan(make_organs(1), pose=pose, seed=3 + i) for i, pose in enumerate(poses))
    to_one = register_to(fixed, one, settings).transform
    to_two = register_to(fixed, two, settings).transform
    back = register(one, fixed_scan, settings).transform
    across = register(one, two, settings).transform
    points = fixed.points[-1].world()
    assert np.median(distance(back @ to_one, np.eye(4), points)) <= 0.15
    assert np.median(distance(across @ to_one, to_two, points)) <= 0.2


def test_noise_fails_and_says_so(fixed, settings):
    noise = np.random.default_rng(0).normal(0, 300, (40, 80, 80)).astype(np.float32)
    image = Image(noise, np.diag([4.0, 3, 5, 1]), np.ones(noise.shape, np.uint8))
    result = register_to(fixed, image, settings)
    assert result.status == "failed"
    assert "explains" in result.reason


def test_too_little_of_the_body_is_flagged(fixed, fixed_scan, settings):
    thin = Image(fixed_scan.hu[20:34], fixed_scan.affine, fixed_scan.mask[20:34])
    result = register_to(fixed, thin, settings)
    assert result.status == "warned"
    assert "shows" in result.reason and result.coverage < 0.3


def test_empty_mask_and_flat_scan_are_refused_in_words(fixed, fixed_scan, settings):
    with pytest.raises(ValueError, match="body mask is empty"):
        register_to(fixed, replace(fixed_scan, mask=np.zeros_like(fixed_scan.mask)), settings)
    with pytest.raises(ValueError, match="flat"):
        register_to(fixed, replace(fixed_scan, hu=np.zeros_like(fixed_scan.hu)), settings)


def test_same_seed_same_result_and_scans_do_not_matter_to_one_another(
    fixed_scan, make_scan, make_organs, settings
):
    moving = [
        make_scan(make_organs(1), pose=about(np.eye(3), np.zeros(3), np.full(3, s)), seed=s)
        for s in (2, 5)
    ]
    one = prepare_fixed(fixed_scan, settings, seed=3)
    together = [register_to(one, image, settings) for image in moving]
    alone = [register(fixed_scan, image, settings, seed=3) for image in moving]
    for first, second in zip(together, alone, strict=True):
        np.testing.assert_array_equal(first.transform, second.transform)
        assert first.mi_after_nats == second.mi_after_nats


def test_rigid_motion_never_stretches(fixed, make_scan, make_organs, settings):
    truth = about(rotation(np.array([1.0, 0, 0]), 10.0), np.zeros(3), np.array([0.0, 7, 3]))
    moving = make_scan(make_organs(1), pose=truth, seed=9)
    result = register_to(fixed, moving, replace(settings, motion="rigid"))
    linear = result.transform[:3, :3]
    np.testing.assert_allclose(linear @ linear.T, np.eye(3), atol=1e-9)
    assert np.median(distance(result.transform, truth, fixed.points[-1].world())) <= 0.15


def test_normalized_measure_finds_the_same_map(fixed, make_scan, make_organs, settings):
    truth = about(rotation(np.array([0, 1.0, 0]), 6.0), np.zeros(3), np.array([8.0, 2, -9]))
    moving = make_scan(make_organs(1), pose=truth, seed=9)
    how = replace(settings, measure="normalized_mutual_information")
    result = register_to(fixed, moving, how)
    assert np.median(distance(result.transform, truth, fixed.points[-1].world())) <= 0.15


def test_settings_name_what_is_missing(block):
    with pytest.raises(ValueError, match="bins"):
        RegistrationSettings.from_config({k: v for k, v in block.items() if k != "bins"})
    with pytest.raises(ValueError, match="same length"):
        RegistrationSettings.from_config(block | {"points": [100]})
