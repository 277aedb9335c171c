"""Peers of the registration benchmark, each as its makers' defaults run it, on one thread.

Each function takes two SimpleITK images and returns the (4, 4) map of fixed to moving world points
(RAS, mm). A peer that is not installed is left out of the table.
"""

from collections.abc import Callable

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
    """The arrays of an axis-aligned SimpleITK image (LPS) as a scan in RAS, without a mask."""
    affine = np.diag([*image.GetSpacing(), 1.0])
    affine[:3, 3] = image.GetOrigin()
    # turning both axes of the array keeps its voxels in RAS order
    hu = sitk.GetArrayFromImage(image)[:, ::-1, ::-1]
    size = np.array(image.GetSize())
    last = affine[:3, :3] @ (size - 1) + affine[:3, 3]
    affine[:3, 3] = [-last[0], -last[1], affine[2, 3]]
    return Image(np.ascontiguousarray(hu), affine)


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


def elastix() -> Peer:
    """Default affine parameter map of itk-elastix."""
    import itk

    def convert(image: sitk.Image) -> object:
        made = itk.image_from_array(sitk.GetArrayFromImage(image).astype(np.float32))
        made.SetSpacing(image.GetSpacing())
        made.SetOrigin(image.GetOrigin())
        return made

    def run(fixed: sitk.Image, moving: sitk.Image) -> np.ndarray:
        how = itk.ParameterObject.New()
        how.AddParameterMap(how.GetDefaultParameterMap("affine"))
        _, found = itk.elastix_registration_method(
            convert(fixed), convert(moving), parameter_object=how, number_of_threads=1
        )
        last = found.GetParameterMap(0)
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
        return ants.from_numpy(array, origin=image.GetOrigin(), spacing=image.GetSpacing())

    def run(fixed: sitk.Image, moving: sitk.Image) -> np.ndarray:
        found = ants.registration(
            convert(fixed), convert(moving), "antsRegistrationSyNQuick[a]", random_seed=1
        )
        read = ants.read_transform(found["fwdtransforms"][0])
        numbers = np.array(read.parameters)
        return from_lps(numbers[:9], np.array(read.fixed_parameters), numbers[9:])

    return run


PEERS: dict[str, Callable[[], Peer]] = {
    "elastix": elastix,
    "greedy": greedy,
    "ants": ants,
    "simpleitk": simpleitk,
}
