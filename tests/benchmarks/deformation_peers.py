"""Peers of the deformation benchmark, each as its makers advise, on one thread, from no motion.

Each function takes two SimpleITK images and returns the displacement of fixed points (LPS, mm) on
the fixed grid, or raises RuntimeError.
"""

import contextlib
import tempfile
from collections.abc import Callable

import numpy as np
import SimpleITK as sitk  # noqa: N813
from registration_peers import as_image, by_elastix

from ctharmony.registration.deformable import DeformableSettings, deform
from ctharmony.registration.pyramid import build_levels
from ctharmony.registration.settings import RegistrationSettings

Peer = Callable[[sitk.Image, sitk.Image], sitk.Image]


def ours(block: dict) -> Peer:
    """This project's deformation with the shipped settings, without masks, as the peers run."""
    how = DeformableSettings.from_config(block["deformable"])
    levels = RegistrationSettings.from_config(block).at(how.levels_mm)

    def run(fixed: sitk.Image, moving: sitk.Image) -> sitk.Image:
        one, two = (build_levels(as_image(image), levels) for image in (fixed, moving))
        found = deform(one, two, np.eye(4), how)
        vectors = found.vectors * np.array([-1, -1, 1], np.float32)[:, None, None, None]
        # arrays in RAS order are turned back to the image's
        field = np.moveaxis(vectors, 0, -1)[:, ::-1, ::-1]
        return like(fixed, field)

    return run


def like(fixed: sitk.Image, vectors: np.ndarray) -> sitk.Image:
    """Vectors (z, y, x, 3) on the grid of an image."""
    field = sitk.GetImageFromArray(np.ascontiguousarray(vectors, np.float64), isVector=True)
    field.CopyInformation(fixed)
    return field


def ants_syn() -> Peer:
    """ANTs' SyN with cross-correlation and the steps that ANTsPy runs by default."""
    import ants

    def convert(image: sitk.Image) -> object:
        array = sitk.GetArrayFromImage(image).transpose(2, 1, 0)
        return ants.from_numpy(array, origin=image.GetOrigin(), spacing=image.GetSpacing())

    def run(fixed: sitk.Image, moving: sitk.Image) -> sitk.Image:
        found = ants.registration(
            convert(fixed),
            convert(moving),
            "SyNOnly",
            initial_transform="identity",
            syn_metric="CC",
            syn_sampling=4,
            reg_iterations=(40, 20, 0),
            random_seed=1,
        )
        warp = ants.image_read(found["fwdtransforms"][0]).numpy()
        return like(fixed, warp.transpose(2, 1, 0, 3))

    return run


def elastix_bspline() -> Peer:
    """Default b-spline parameter map of itk-elastix."""
    import itk

    def run(fixed: sitk.Image, moving: sitk.Image) -> sitk.Image:
        two, found = by_elastix(fixed, moving, "bspline")
        # it leaves a copy of the field where it runs
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            field = itk.transformix_deformation_field(two, found)
            return like(fixed, itk.array_from_image(field))

    return run


def greedy() -> Peer:
    """Greedy's diffeomorphic mode with local correlation."""
    from picsl_greedy import Greedy3D

    def run(fixed: sitk.Image, moving: sitk.Image) -> sitk.Image:
        engine = Greedy3D()
        engine.execute(
            "-i fixed moving -m NCC 2x2x2 -n 100x50x10 -threads 1 -o warp",
            fixed=fixed,
            moving=moving,
            warp=None,
        )
        return like(fixed, sitk.GetArrayFromImage(engine["warp"]))

    return run


PEERS: dict[str, Callable[[], Peer]] = {
    "ANTs SyN": ants_syn,
    "elastix b-spline": elastix_bspline,
    "greedy": greedy,
}
