"""Many scans at once: the same results in any company and on any device."""

from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from ctharmony.registration import batches, objective
from ctharmony.registration.engine import RegistrationResult, prepare_fixed, register_to
from ctharmony.registration.grids import moving_grid
from ctharmony.registration.pyramid import Image, build_levels
from ctharmony.registration.transforms import about, distance, rotation
from pretended_device import DEVICE, PretendedDevice

NORMALIZED = "normalized_mutual_information"
CPU = torch.device("cpu")
TOLERANCE_MM = 0.05  # between sums taken in two ways; the registration error itself is 0.1 to 0.3
# operations on floating-point numbers whose order depends on how many rows there are
UNSAFE = {"mm", "bmm", "addmm", "baddbmm", "dot", "mv", "bincount", "mean", "cumsum", "prod"}
UNSAFE |= {"linalg_solve_ex", "_linalg_solve_ex", "linalg_matrix_exp", "linalg_vector_norm"}
ADDING = {"sum", "scatter_add_", "index_add_"}  # safe for whole numbers alone


@pytest.fixture(scope="module")
def fixed(fixed_scan, settings):
    return prepare_fixed(fixed_scan, settings, seed=1)


@pytest.fixture(scope="module")
def scans(fixed_scan, make_scan, make_organs) -> dict[str, Image]:
    """Of different shapes and difficulty: they need more and fewer steps."""
    turned = about(rotation(np.array([1.0, 1, 2]), 15.0), np.zeros(3), np.array([20.0, -10, 8]))
    noise = np.random.default_rng(0).normal(0, 300, (40, 80, 80)).astype(np.float32)
    return {
        "moved": make_scan(make_organs(1), (3.0, 2.8, 2.8), (80, 90, 124), turned, 7),
        "another patient": make_scan(make_organs(2), seed=5),
        "noise": Image(noise, np.diag([4.0, 3, 5, 1]), np.ones(noise.shape, np.uint8)),
        "slab": Image(fixed_scan.hu[4:30], fixed_scan.affine, fixed_scan.mask[4:30]),
    }


@pytest.fixture(scope="module")
def together(fixed, scans, settings) -> dict[str, RegistrationResult]:
    found = batches.register_together(fixed, list(scans.values()), settings, CPU)
    return dict(zip(scans, found, strict=True))


def same(one: RegistrationResult, two: RegistrationResult) -> bool:
    """Bit for bit."""
    pairs = zip(asdict(one).values(), asdict(two).values(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("name", ["moved", "another patient", "noise", "slab"])
def test_one_batch_of_four_equals_four_batches_of_one(name, fixed, scans, together, settings):
    (alone,) = batches.register_together(fixed, [scans[name]], settings, CPU)
    assert same(alone, together[name])


def test_at_once_or_one_by_one_is_the_same_map(fixed, scans, together, settings):
    points = fixed.points[-1].world()
    for name, image in scans.items():
        single = register_to(fixed, image, settings)
        assert (single.status, single.reason) == (together[name].status, together[name].reason)
        assert single.mi_before_nats == pytest.approx(together[name].mi_before_nats, abs=1e-3)
        assert single.mi_after_nats == pytest.approx(together[name].mi_after_nats, abs=2e-3)
        assert single.coverage == pytest.approx(together[name].coverage, abs=1e-3)
        if single.status != "failed":
            error = distance(single.transform, together[name].transform, points)
            assert error.max() <= TOLERANCE_MM, name


def test_a_bad_scan_is_set_aside_alone(fixed, scans, together, settings):
    good = scans["moved"]
    empty = replace(good, mask=np.zeros_like(good.mask))
    flat = replace(good, hu=np.zeros_like(good.hu))
    found = batches.register_together(fixed, [empty, good, flat], settings, CPU)
    assert "empty" in str(found[0]) and isinstance(found[0], ValueError)
    assert "flat" in str(found[2]) and isinstance(found[2], ValueError)
    assert same(found[1], together["moved"])
    plain = batches.register_batch(fixed, [empty, flat], settings)
    assert [type(error) for error in plain] == [ValueError, ValueError]
    assert batches.register_together(fixed, [empty], settings, CPU)[0].args == found[0].args


def test_on_the_processor_a_batch_is_its_scans_one_by_one(fixed, scans, settings):
    chosen = [scans["slab"], scans["moved"]]
    found = batches.register_batch(fixed, chosen, settings, "cpu")
    for image, result in zip(chosen, found, strict=True):
        assert same(result, register_to(fixed, image, settings))


@pytest.mark.parametrize("turned", [False, True])
def test_a_device_gives_the_same_and_no_tensor_strays(turned, fixed_scan, scans, settings):
    # few steps, as every operation is looked at on the way
    how = replace(settings, iterations=(2, 1, 1), points=(4000, 4000, 4000), shift_step_mm=60)
    chosen = [scans["another patient"], scans["slab"]]
    if turned:
        how = replace(how, orientation_search="always", motion="rigid", measure=NORMALIZED)
        header = about(np.eye(3)[[1, 2, 0]], np.zeros(3), np.zeros(3))
        chosen = [replace(chosen[0], affine=header @ chosen[0].affine)]
    few = prepare_fixed(fixed_scan, how, seed=1)
    with PretendedDevice() as device:
        found = batches.register_batch(few, chosen, how, DEVICE)
    expected = batches.register_together(few, chosen, how, CPU)
    assert all(same(one, two) for one, two in zip(found, expected, strict=True))
    names = {name.removeprefix("aten.").split(".")[0] for name, _ in device.used}
    assert {"take", "scatter_add_", "log"} <= names and not names & UNSAFE
    added = {kind for name, kind in device.used if name.split(".")[1] in ADDING}
    assert added <= {torch.int64, torch.bool}


def test_a_stray_tensor_of_the_processor_is_noticed(fixed, scans, settings):
    level = build_levels(scans["slab"], settings)[0]
    points = fixed.points[0].quick()
    maps = objective.from_matrix(np.eye(4), points)[None]
    with PretendedDevice():
        grid = moving_grid(level, points.count)
        there = replace(grid, flat=grid.flat.to(DEVICE))
        on_device = objective.align(points.on(DEVICE), there, maps.to(DEVICE), False, True)
        assert on_device.curvature.device == DEVICE
        with pytest.raises(RuntimeError, match="tensors of the processor and of the device"):
            objective.align(points, there, maps.to(DEVICE), False, True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU at hand")
def test_on_a_gpu_a_batch_of_four_equals_four_batches_of_one(fixed, scans, together, settings):
    found = batches.register_batch(fixed, list(scans.values()), settings, "cuda")
    points = fixed.points[-1].world()
    for (name, image), result in zip(scans.items(), found, strict=True):
        assert same(result, batches.register_batch(fixed, [image], settings, "cuda")[0]), name
        assert result.status == together[name].status
        if result.status != "failed":
            error = distance(result.transform, together[name].transform, points)
            assert error.max() <= TOLERANCE_MM, name


def test_a_gpu_that_is_not_there_is_said_in_words():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert batches.find_device("auto") == CPU
    with pytest.raises(ValueError, match="finds no GPU"):
        batches.find_device("cuda")
