"""Mutual-information registration.

For notebooks:

    >>> import numpy as np, yaml
    >>> from ctharmony.registration import Image, RegistrationSettings, register
    >>> block = yaml.safe_load(open("config/config.yaml"))["registration"]
    >>> settings = RegistrationSettings.from_config(block)
    >>> z, y, x = np.mgrid[-20:20, -34:34, -40:40]
    >>> body = (y / 22) ** 2 + (x / 28) ** 2 < 1
    >>> lungs = ((np.abs(x) - 13) / 8) ** 2 + (y / 14) ** 2 + (z / 15) ** 2 < 1
    >>> spine = (x / 3) ** 2 + ((y + 15) / 3) ** 2 < 1
    >>> hu = np.select([spine, lungs, body], [400.0, -850.0, 30.0], -1000.0)
    >>> hu += np.random.default_rng(0).normal(0, 20, hu.shape)
    >>> fixed = Image(hu, np.diag([4.0, 4.0, 4.0, 1.0]))
    >>> moving = Image(hu, fixed.affine + np.outer([10.0, 0, 0, 0], [0, 0, 0, 1]))  # 10 mm right
    >>> result = register(fixed, moving, settings)
    >>> bool(result.mi_after_nats > result.mi_before_nats)
    True
    >>> float(result.transform[0, 3].round())  # mm, from points of fixed to points of moving
    10.0
"""

from importlib import import_module
from typing import Any

PLACES = {
    "Image": "pyramid",
    "RegistrationResult": "engine",
    "RegistrationSettings": "settings",
    "prepare_fixed": "engine",
    "register": "engine",
    "register_batch": "batches",
    "register_to": "engine",
    "resample": "resampling",
}
__all__ = list(PLACES)


def __getattr__(name: str) -> Any:
    # torch is imported when something that needs it is asked for
    if name in PLACES:
        return getattr(import_module(f"{__name__}.{PLACES[name]}"), name)
    raise AttributeError(f"module {__name__} has no attribute {name}")
