"""Maps of world points and their ITK form."""

import numpy as np
import pytest

from ctharmony.registration import transforms

sitk = pytest.importorskip("SimpleITK")


@pytest.fixture
def matrix() -> np.ndarray:
    turn = transforms.rotation(np.array([1.0, 2.0, -1.0]), 25.0)
    return transforms.about(turn @ np.diag([1.1, 0.9, 1.05]), np.array([10.0, -20, 5]), np.ones(3))


def points() -> np.ndarray:
    return np.random.default_rng(0).uniform(-200, 200, (50, 3))


def test_simpleitk_maps_points_to_the_same_place(tmp_path, matrix):
    path = tmp_path / "map.tfm"
    path.write_text(transforms.to_itk(matrix))
    read = sitk.ReadTransform(str(path))
    flip = np.array([-1, -1, 1])
    by_itk = np.array([read.TransformPoint(tuple(p * flip)) for p in points()]) * flip
    np.testing.assert_allclose(by_itk, transforms.apply(matrix, points()), atol=1e-9)


def test_what_simpleitk_writes_is_read_with_its_centre(tmp_path, matrix):
    made = sitk.AffineTransform(3)
    made.SetMatrix([float(v) for v in matrix[:3, :3].ravel()])
    made.SetCenter([7.0, -3.0, 11.0])
    made.SetTranslation([1.0, 2.0, 3.0])
    sitk.WriteTransform(made, str(tmp_path / "itk.tfm"))
    read = transforms.from_itk((tmp_path / "itk.tfm").read_text())
    flip = np.array([-1, -1, 1])
    by_itk = np.array([made.TransformPoint(tuple(p * flip)) for p in points()]) * flip
    np.testing.assert_allclose(transforms.apply(read, points()), by_itk, atol=1e-9)


def test_text_round_trip_is_exact(matrix):
    np.testing.assert_allclose(
        transforms.from_itk(transforms.to_itk(matrix)), matrix, rtol=0, atol=1e-12
    )


def test_another_kind_of_transform_is_refused():
    text = (
        "#Insight Transform File V1.0\nTransform: Euler3DTransform_double_3_3\nParameters: 0 0 0\n"
    )
    with pytest.raises(ValueError, match="Euler3DTransform"):
        transforms.from_itk(text)


def test_rotation_turns_right_handed_by_its_angle():
    turn = transforms.rotation(np.array([0.0, 0.0, 3.0]), 90.0)
    np.testing.assert_allclose(turn @ [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], atol=1e-12)


def test_polar_factor_recovers_the_rotation_of_a_stretched_map():
    turn = transforms.rotation(np.array([1.0, 1.0, 0.0]), 30.0)
    stretched = transforms.about(turn @ np.diag([1.2, 0.8, 1.0]), np.zeros(3), np.zeros(3))
    np.testing.assert_allclose(transforms.rotation_part(stretched), turn, atol=1e-12)
    np.testing.assert_allclose(transforms.stretches(stretched), [1.2, 1.0, 0.8], atol=1e-12)
