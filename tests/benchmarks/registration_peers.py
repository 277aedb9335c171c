"""Peers of the registration benchmark, each as its makers' defaults run it, on one thread.

Each function takes two SimpleITK images and returns the (4, 4) map of fixed to moving world points
(RAS, mm). A peer that is not installed is left out of the table.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

from ctharmony.registration.engine import register
from ctharmony.registration.pyramid import Image
from ctharmony.registration.settings import RegistrationSettings
from ctharmony.registration.transforms import LPS_FROM_RAS, about

Peer = Callable[[sitk.Image, sitk.Image], np.ndarray]


def from_lps(linear: np.ndarray, centre: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """RAS map of an ITK affine transform's parameters."""
    return LPS_FROM_RAS @ about(np.reshape(linear, (3, 3)), centre, shift) @ LPS_FROM_RAS


def as_image(image: sitk.Image) -> Image:
    """The arrays of a SimpleITK image (LPS) as a scan in RAS, without a mask."""
    direction = np.reshape(image.GetDirection(), (3, 3))
    if np.any(direction != np.eye(3)):
        affine = np.eye(4)
        affine[:3, :3] = direction * image.GetSpacing()
        affine[:3, 3] = image.GetOrigin()
        return Image(sitk.GetArrayFromImage(image), LPS_FROM_RAS @ affine)
    affine = np.diag([*image.GetSpacing(), 1.0])
    affine[:3, 3] = image.GetOrigin()
    # turning both axes of the array keeps its voxels in RAS order
    hu = sitk.GetArrayFromImage(image)[:, ::-1, ::-1]
    size = np.array(image.GetSize())
    last = affine[:3, :3] @ (size - 1) + affine[:3, 3]
    affine[:3, 3] = [-last[0], -last[1], affine[2, 3]]
    return Image(np.ascontiguousarray(hu), affine)


def as_itk(hu: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """A scan in RAS as SimpleITK sees it (LPS, axes along the patient's)."""
    if np.any(affine[:3, :3] != np.diag(np.diag(affine)[:3])):
        return turned_itk(hu, affine)
    image = sitk.GetImageFromArray(np.ascontiguousarray(hu[:, ::-1, ::-1], dtype=np.float32))
    last = affine[:3, :3] @ (np.array(hu.shape[::-1]) - 1) + affine[:3, 3]
    image.SetSpacing([float(step) for step in np.diag(affine)[:3]])
    image.SetOrigin([-float(last[0]), -float(last[1]), float(affine[2, 3])])
    return image


def turned_itk(hu: np.ndarray, affine: np.ndarray) -> sitk.Image:
    """A scan whose axes are not the patient's, with its direction."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(hu, dtype=np.float32))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    lps = LPS_FROM_RAS @ affine
    image.SetSpacing([float(step) for step in spacing])
    image.SetOrigin([float(value) for value in lps[:3, 3]])
    image.SetDirection([float(value) for value in (lps[:3, :3] / spacing).ravel()])
    return image


def ours(settings: RegistrationSettings) -> Peer:
    """This project's engine without masks, as the peers run."""
    return lambda fixed, moving: register(as_image(fixed), as_image(moving), settings).transform


def simpleitk() -> Peer:
    """Mattes mutual information, gradient descent on three levels."""

    def run(fixed: sitk.Image, moving: sitk.Image) -> np.ndarray:
        start = sitk.CenteredTransformInitializer(fixed, moving, sitk.AffineTransform(3))
        method = sitk.ImageRegistrationMethod()
        method.SetMetricAsMattesMutualInformation(32)
        method.SetMetricSamplingStrategy(method.RANDOM)
        method.SetMetricSamplingPercentage(0.1, 1)
        method.SetInterpolator(sitk.sitkLinear)
        method.SetOptimizerAsRegularStepGradientDescent(2.0, 1e-4, 200, 0.6)
        method.SetOptimizerScalesFromPhysicalShift()
        method.SetShrinkFactorsPerLevel([4, 2, 1])
        method.SetSmoothingSigmasPerLevel([2, 1, 0])
        method.SetInitialTransform(start, inPlace=False)
        found = sitk.AffineTransform(
            sitk.CompositeTransform(method.Execute(fixed, moving)).GetNthTransform(0)
        )
        linear, shift = np.array(found.GetMatrix()), np.array(found.GetTranslation())
        return from_lps(linear, np.array(found.GetCenter()), shift)

    return run


def by_elastix(fixed: sitk.Image, moving: sitk.Image, motion: str) -> tuple[object, object]:
    """The moving image as ITK's, and what elastix finds with its default map of a motion."""
    import itk

    def convert(image: sitk.Image) -> object:
        made = itk.image_from_array(sitk.GetArrayFromImage(image).astype(np.float32))
        made.SetSpacing(image.GetSpacing())
        made.SetOrigin(image.GetOrigin())
        made.SetDirection(np.reshape(image.GetDirection(), (3, 3)))
        return made

    how = itk.ParameterObject.New()
    how.AddParameterMap(how.GetDefaultParameterMap(motion))
    one, two = convert(fixed), convert(moving)
    _, found = itk.elastix_registration_method(one, two, parameter_object=how, number_of_threads=1)
    return two, found


def elastix() -> Peer:
    """Default affine parameter map of itk-elastix."""
    import itk  # noqa: F401  loaded before the clock starts

    def run(fixed: sitk.Image, moving: sitk.Image) -> np.ndarray:
        last = by_elastix(fixed, moving, "affine")[1].GetParameterMap(0)
        numbers = np.array(last["TransformParameters"], dtype=float)
        centre = np.array(last["CenterOfRotationPoint"], dtype=float)
        return from_lps(numbers[:9], centre, numbers[9:])

    return run


def greedy() -> Peer:
    """Greedy's affine with normalized mutual information."""
    from picsl_greedy import Greedy3D

    def run(fixed: sitk.Image, moving: sitk.Image) -> np.ndarray:
        engine = Greedy3D()
        engine.execute(
            "-i fixed moving -a -dof 12 -m NMI -ia-image-centers -n 100x50x10 -threads 1 -o map",
            fixed=fixed,
            moving=moving,
            map=None,
        )
        return np.array(engine["map"])

    return run


def ants() -> Peer:
    """ANTs' quick affine (rigid, then affine)."""
    import ants

    def convert(image: sitk.Image) -> object:
        array = sitk.GetArrayFromImage(image).astype(np.float32).transpose(2, 1, 0)
        direction = np.reshape(image.GetDirection(), (3, 3))
        return ants.from_numpy(
            array, origin=image.GetOrigin(), spacing=image.GetSpacing(), direction=direction
        )

    def run(fixed: sitk.Image, moving: sitk.Image) -> np.ndarray:
        found = ants.registration(
            convert(fixed), convert(moving), "antsRegistrationSyNQuick[a]", random_seed=1
        )
        read = ants.read_transform(found["fwdtransforms"][0])
        numbers = np.array(read.parameters)
        return from_lps(numbers[:9], np.array(read.fixed_parameters), numbers[9:])

    return run


def niimath() -> Peer:
    """niimath's `-allineate` (its default cost), files in memory, result by nearest neighbour."""
    from niimath import bin_path

    folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))

    def run(fixed: sitk.Image, moving: sitk.Image) -> np.ndarray:
        for name, image in (("fixed", fixed), ("moving", moving)):
            sitk.WriteImage(image, str(folder / f"{name}.nii"))
        names = {key: str(folder / key) for key in ("moving.nii", "fixed.nii", "m.json", "o.nii")}
        subprocess.run(
            f"{bin_path} {names['moving.nii']} -allineate {names['fixed.nii']} -nearest "
            f"-savemat {names['m.json']} {names['o.nii']}".split(),
            check=True,
            capture_output=True,
            env=os.environ | {"FSLOUTPUTTYPE": "NIFTI", "AFNI_COMPRESSOR": "NONE"},
        )
        return np.array(json.loads(Path(names["m.json"]).read_text())["fixed_to_moving"])

    return run


def monai() -> Peer:
    """MONAI's global mutual information with Adam on an affine, half and full resolution."""
    import torch
    from monai.losses import GlobalMutualInformationLoss

    def level(image: sitk.Image, shrink: int) -> tuple[torch.Tensor, np.ndarray]:
        small = sitk.BinShrink(image, [shrink] * 3)
        array = sitk.GetArrayFromImage(small)
        low, high = np.percentile(array, [0.5, 99.5])
        scaled = ((array - low) / (high - low)).clip(0, 1).astype(np.float32)
        affine = np.eye(4)
        affine[:3, :3] = np.reshape(small.GetDirection(), (3, 3)) * small.GetSpacing()
        affine[:3, 3] = small.GetOrigin()
        return torch.from_numpy(scaled)[None, None], affine @ unit_to_voxel(scaled.shape)

    def run(fixed: sitk.Image, moving: sitk.Image) -> np.ndarray:
        change = torch.zeros(3, 4, requires_grad=True)
        for shrink, steps, rate in ((4, 60, 2e-2), (2, 40, 5e-3)):
            (one, here), (two, there) = level(fixed, shrink), level(moving, shrink)
            loss = GlobalMutualInformationLoss(num_bins=23)
            optimiser = torch.optim.Adam([change], lr=rate)
            inner = torch.tensor(np.linalg.inv(there) @ here, dtype=torch.float32)
            start = torch.eye(4)
            for _ in range(steps):
                full = torch.cat([torch.eye(4)[:3] + change, torch.eye(4)[3:]])
                grid = torch.nn.functional.affine_grid(
                    (inner @ full @ start)[None, :3], one.shape, align_corners=True
                )
                seen = torch.nn.functional.grid_sample(two, grid, align_corners=True)
                optimiser.zero_grad()
                loss(seen, one).backward()
                optimiser.step()
        full = torch.cat([torch.eye(4)[:3] + change, torch.eye(4)[3:]]).detach().double().numpy()
        return LPS_FROM_RAS @ here @ full @ np.linalg.inv(here) @ LPS_FROM_RAS

    return run


def unit_to_voxel(shape: tuple[int, int, int]) -> np.ndarray:
    """(4, 4) from -1 .. 1 along x, y, z to voxels of a (z, y, x) grid."""
    half = (np.array(shape[::-1]) - 1) / 2
    matrix = np.diag([*half, 1.0])
    matrix[:3, 3] = half
    return matrix


PEERS: dict[str, Callable[[], Peer]] = {
    "elastix": elastix,
    "greedy": greedy,
    "ants": ants,
    "simpleitk": simpleitk,
    "niimath": niimath,
    "monai": monai,
}
