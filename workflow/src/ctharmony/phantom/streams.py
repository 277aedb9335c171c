"""Independent random streams by name, so that adding a patient or a site changes no other."""

import hashlib

import numpy as np


def stream(seed: int, *names: str) -> np.random.Generator:
    """A counter-based generator for one purpose (Salmon et al., SC 2011, Philox 4x64).

    Args:
        seed: the study's seed.
        names: what the numbers are for, such as ("noise", subject, site, scan).

    Returns:
        A generator that depends on seed and names only, never on what was drawn elsewhere.
    """
    text = "\x1f".join([str(int(seed)), *names]).encode()
    key = int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "little")
    return np.random.Generator(np.random.Philox(key=key))
