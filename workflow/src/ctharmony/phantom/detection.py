"""Compiled detection of rays: attenuation, blur, scatter, noise and corrections.

Helpers and constants stay in this file: the cache of compiled code does not notice changes in
other files. Paths are in g/cm3 mm.
"""

import math

import numba
import numpy as np

COMPILE = {"cache": True, "nogil": True, "fastmath": True, "error_model": "numpy"}
WATER_STEP, BONE_STEP, IODINE_STEP = 3.0, 2.0, 0.5  # g/cm3 mm
WATER_NODES, BONE_NODES, BONE_MARGIN, IODINE_NODES = 241, 112, 10, 33
LINEAR_NODES = 4096
FLOOR = 1e-6  # of the unattenuated signal; what a starved detector element reads


@numba.njit(**COMPILE)
def _look_up(table, water, bone, iodine):
    """-log of mean signal and of its variance for one ray, linear between the table's nodes."""
    w = min(max(water / WATER_STEP, 0.0), WATER_NODES - 1.001)
    b = min(max(bone / BONE_STEP + BONE_MARGIN, 0.0), BONE_NODES - 1.001)
    i, j = int(w), int(b)
    u, v = w - i, b - j
    if table.shape[0] == 1:
        return _between(table[0], i, j, u, v)
    place = min(max(iodine / IODINE_STEP, 0.0), IODINE_NODES - 1.001)
    k = int(place)
    s = place - k
    depth, spread = _between(table[k], i, j, u, v)
    more_depth, more_spread = _between(table[k + 1], i, j, u, v)
    return depth + s * (more_depth - depth), spread + s * (more_spread - spread)


@numba.njit(**COMPILE)
def _between(plane, i, j, u, v):
    a, b = (1.0 - u) * (1.0 - v), u * (1.0 - v)
    c, d = (1.0 - u) * v, u * v
    near, far = plane[j], plane[j + 1]
    depth = a * near[i, 0] + b * near[i + 1, 0] + c * far[i, 0] + d * far[i + 1, 0]
    spread = a * near[i, 1] + b * near[i + 1, 1] + c * far[i, 1] + d * far[i + 1, 1]
    return depth, spread


@numba.njit(**COMPILE)
def _to_water(curve, scale, value):
    place = min(max(value * scale, 0.0), LINEAR_NODES - 1.001)
    i = int(place)
    water = curve[i] + (place - i) * (curve[i + 1] - curve[i])
    # below zero (noise in air) the curve goes on with its first slope
    return water if value >= 0 else value * scale * curve[1]


@numba.njit(**COMPILE)
def measure_rays(paths, quanta, shape, tables, numbers, out):
    """Measure and correct every ray.

    Args: paths (water, bone, iodine), each (rays, bins); quanta (photons per ray, normal noise);
    shape (bowtie path per bin, blur taps); tables (attenuation, water for -log signal); numbers
    as `acquisition.measure` packs them; out (rays, bins).
    """
    bins = out.shape[1]
    signal, work = np.empty(bins), np.empty((4, bins))
    air, bowtie = _air(shape, tables, numbers[0], signal, work)
    for ray in range(out.shape[0]):
        _primary(paths, ray, (shape[0], bowtie), tables, work)
        _spread(work[3], numbers[7])
        _detect(ray, quanta, shape[1], numbers, signal, work)
        for b in range(bins):
            value = _to_water(tables[1], numbers[0], -math.log(signal[b])) - air[b]
            bone = paths[1][ray, b]
            if bone > 0:
                flat = _to_water(tables[1], numbers[0], work[1, b]) - shape[0][b]
                value -= numbers[6] * (flat - paths[0][ray, b] - numbers[1] * bone)
            out[ray, b] = value


@numba.njit(**COMPILE)
def _air(shape, tables, scale, signal, work):
    """The air calibration: water path that the blurred bowtie reads as, and its -log signal."""
    air, bowtie = np.empty(signal.size), np.empty(signal.size)
    for b in range(signal.size):
        bowtie[b] = _look_up(tables[0], shape[0][b], 0.0, 0.0)[0]
        work[2, b] = math.exp(-bowtie[b])
    _blur(work[2], shape[1], signal)
    for b in range(signal.size):
        air[b] = _to_water(tables[1], scale, -math.log(signal[b]))
    return air, bowtie


@numba.njit(**COMPILE)
def _blur(values, taps, out):
    reach = taps.size // 2
    out[:] = values
    # the ends see air only
    for b in range(reach, values.size - reach):
        total = 0.0
        for tap in range(taps.size):
            total += taps[tap] * values[b + tap - reach]
        out[b] = total


@numba.njit(**COMPILE)
def _spread(values, decay):
    """Convolve in place with a two-sided exponential of unit sum; beyond both ends lies air."""
    last = values.size - 1
    for b in range(1, last + 1):
        values[b] += decay * values[b - 1]
    values[last] /= 1.0 - decay * decay  # what the first pass carries beyond the end
    for b in range(last - 1, -1, -1):
        values[b] += decay * values[b + 1]
    for b in range(last + 1):
        values[b] *= (1.0 - decay) ** 2


@numba.njit(**COMPILE)
def _primary(paths, ray, bowtie, tables, work):
    """Rows of `work` along one view: variance, -log signal, signal, scatter source.

    `bowtie` holds its path and its -log signal. The -log signal kept for the bone correction
    leaves iodine out. The patient scatters like the primary times its -log signal (Ohnesorge et
    al., Eur Radiol 1999;9:563).
    """
    contrast = paths[2].shape[0] > 0
    for b in range(work.shape[1]):
        water, bone = paths[0][ray, b] + bowtie[0][b], paths[1][ray, b]
        depth, spread = _look_up(tables[0], water, bone, 0.0)
        work[1, b] = depth
        if contrast and paths[2][ray, b] > 0:
            depth, spread = _look_up(tables[0], water, bone, paths[2][ray, b])
        work[0, b] = math.exp(-spread)
        work[2, b] = math.exp(-depth)
        work[3, b] = work[2, b] * max(depth - bowtie[1][b], 0.0)


@numba.njit(**COMPILE)
def _detect(ray, quanta, blur, numbers, signal, work):
    """Write what the detector reads, with scatter and noise, into `signal`."""
    photons, noise = quanta
    _blur(work[2], blur, signal)
    dark = numbers[3] / photons[ray] ** 2
    for b in range(signal.size):
        scatter = numbers[4] * work[3, b]
        mean = signal[b] + scatter * (1.0 - numbers[5])
        if noise.shape[0]:
            quantum = numbers[2] * (work[0, b] + scatter) / photons[ray]
            mean += math.sqrt(quantum + dark) * noise[ray, b]
        signal[b] = max(mean, FLOOR)
