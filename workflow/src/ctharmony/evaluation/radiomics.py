"""Radiomics of body and lung: IBSI first-order statistics and nyxus textures.

Textures are IBSI's "2D, averaged" aggregation (averages over the four directions of a slice, then
over slices) of evenly spaced slices, resampled in plane, after discretisation with a fixed bin
width in HU. nyxus' GLCM, GLRLM and NGTDM reproduce IBSI's reference values of the digital phantom
once its offset is set to 1 (its default of 0 compares a voxel with itself); its GLSZM does not, so
zones are left out.

Source: Zwanenburg et al., Radiology 2020, and the IBSI reference manual, arXiv 1612.07003.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from nyxus import Nyxus
from scipy.ndimage import zoom

from ctharmony.evaluation.image_features import BODY, LUNG

FAMILIES = ("*ALL_GLCM*", "*ALL_GLRLM*", "*ALL_NGTDM*")
REGIONS = {"body": BODY, "lung": LUNG}
# IBSI short names (mirp writes the same) -> columns of nyxus
TEXTURES = {
    "cm_joint_max": "GLCM_JMAX_AVE",
    "cm_joint_avg": "GLCM_JAVE_AVE",
    "cm_joint_var": "GLCM_JVAR_AVE",
    "cm_joint_entr": "GLCM_JE_AVE",
    "cm_diff_avg": "GLCM_DIFAVE_AVE",
    "cm_diff_var": "GLCM_DIFVAR_AVE",
    "cm_diff_entr": "GLCM_DIFENTRO_AVE",
    "cm_sum_avg": "GLCM_SUMAVERAGE_AVE",
    "cm_sum_var": "GLCM_SUMVARIANCE_AVE",
    "cm_sum_entr": "GLCM_SUMENTROPY_AVE",
    "cm_energy": "GLCM_ASM_AVE",
    "cm_contrast": "GLCM_CONTRAST_AVE",
    "cm_dissimilarity": "GLCM_DIS_AVE",
    "cm_inv_diff": "GLCM_ID_AVE",
    "cm_inv_diff_norm": "GLCM_IDN_AVE",
    "cm_inv_diff_mom": "GLCM_IDM_AVE",
    "cm_inv_diff_mom_norm": "GLCM_IDMN_AVE",
    "cm_inv_var": "GLCM_IV_AVE",
    "cm_corr": "GLCM_CORRELATION_AVE",
    "cm_auto_corr": "GLCM_ACOR_AVE",
    "cm_clust_tend": "GLCM_CLUTEND_AVE",
    "cm_clust_shade": "GLCM_CLUSHADE_AVE",
    "cm_clust_prom": "GLCM_CLUPROM_AVE",
    "cm_info_corr1": "GLCM_INFOMEAS1_AVE",
    "cm_info_corr2": "GLCM_INFOMEAS2_AVE",
    "rlm_sre": "GLRLM_SRE_AVE",
    "rlm_lre": "GLRLM_LRE_AVE",
    "rlm_lgre": "GLRLM_LGLRE_AVE",
    "rlm_hgre": "GLRLM_HGLRE_AVE",
    "rlm_srlge": "GLRLM_SRLGLE_AVE",
    "rlm_srhge": "GLRLM_SRHGLE_AVE",
    "rlm_lrlge": "GLRLM_LRLGLE_AVE",
    "rlm_lrhge": "GLRLM_LRHGLE_AVE",
    "rlm_glnu_norm": "GLRLM_GLNN_AVE",
    "rlm_rlnu_norm": "GLRLM_RLNN_AVE",
    "rlm_r_perc": "GLRLM_RP_AVE",
    "rlm_gl_var": "GLRLM_GLV_AVE",
    "rlm_rl_var": "GLRLM_RV_AVE",
    "rlm_rl_entr": "GLRLM_RE_AVE",
    "ngt_coarseness": "NGTDM_COARSENESS",
    "ngt_contrast": "NGTDM_CONTRAST",
    "ngt_busyness": "NGTDM_BUSYNESS",
    "ngt_complexity": "NGTDM_COMPLEXITY",
    "ngt_strength": "NGTDM_STRENGTH",
}
SMALLEST_REGION = 64  # voxels of a slice below which textures mean nothing


@dataclass(frozen=True)
class RadiomicsSettings:
    """How radiomics are measured.

    Attributes:
        slices: number of evenly spaced slices for textures.
        pixel_mm: in-plane pixel of textures, mm.
        bin_width_hu: width of a grey level, HU.
        ranges_hu: region -> (low, high) HU; voxels outside do not count (re-segmentation).
    """

    slices: int
    pixel_mm: float
    bin_width_hu: float
    ranges_hu: dict[str, tuple[float, float]]


def radiomics(
    hu: np.ndarray,
    labels: np.ndarray,
    spacing: tuple[float, float, float],
    how: RadiomicsSettings,
) -> dict[str, float]:
    """All features of a scan by name, `<region>_<family>_<feature>`; NaN where a region is absent.

    Args:
        hu: (slices, rows, columns) HU.
        labels: same shape: 0 outside, 1 body, 2 lung.
        spacing: (dz, dy, dx) mm.
        how: settings; its ranges name the regions.
    """
    voxel_ml = float(np.prod(spacing)) / 1000
    found: dict[str, float] = {}
    textures = region_textures(hu, labels, spacing, how)
    for region, limits in how.ranges_hu.items():
        inside = labels == REGIONS[region]
        found[f"{region}_morph_volume_ml"] = float(np.count_nonzero(inside)) * voxel_ml
        values = hu[inside]
        values = values[(values >= limits[0]) & (values <= limits[1])]
        statistics = first_order(values)
        found |= {f"{region}_stat_{name}": value for name, value in statistics.items()}
        found |= {f"{region}_{name}": value for name, value in textures[region].items()}
    return found


def first_order(values: np.ndarray) -> dict[str, float]:
    """IBSI intensity statistics of HU values (n,); NaN without values.

    mean, var, skew, kurt (excess), median, min, p10, p90, max, iqr, range, mad (mean absolute
    deviation), rmad (robust, between p10 and p90), rms; energy is left out: it counts voxels.
    """
    names = ("mean", "var", "skew", "kurt", "median", "min", "p10", "p90", "max", "iqr", "range")
    if values.size == 0:
        return dict.fromkeys((*names, "mad", "rmad", "rms"), float("nan"))
    x = values.astype(np.float64)
    mean, variance = x.mean(), x.var()
    low, p25, median, p75, high = np.percentile(x, (10, 25, 50, 75, 90))
    centred = x - mean
    third, fourth = (centred**3).mean(), (centred**4).mean()
    skew, kurt = (third / variance**1.5, fourth / variance**2 - 3) if variance else (0.0, 0.0)
    core = x[(x >= low) & (x <= high)]
    found = (mean, variance, skew, kurt, median, x.min(), low, high, x.max(), p75 - p25, np.ptp(x))
    spread = np.abs(centred).mean(), np.abs(core - core.mean()).mean(), np.sqrt((x * x).mean())
    named = zip((*names, "mad", "rmad", "rms"), (*found, *spread), strict=True)
    return {name: float(value) for name, value in named}


def region_textures(
    hu: np.ndarray,
    labels: np.ndarray,
    spacing: tuple[float, float, float],
    how: RadiomicsSettings,
) -> dict[str, dict[str, float]]:
    """Textures of every region in `how.ranges_hu`, means over slices; NaN where absent."""
    chosen = _texture_slices(labels, how.slices)
    factors = (1.0, spacing[1] / how.pixel_mm, spacing[2] / how.pixel_mm)
    image = zoom(hu[chosen], factors, order=1, grid_mode=True, mode="nearest")
    regions = zoom(labels[chosen], factors, order=0, grid_mode=True, mode="nearest")
    levels = np.zeros(image.shape, dtype=np.uint32)
    marks = np.zeros(image.shape, dtype=np.uint32)
    for region, (low, high) in how.ranges_hu.items():
        inside = (regions == REGIONS[region]) & (image >= low) & (image <= high)
        inside &= inside.sum(axis=(1, 2), keepdims=True) >= SMALLEST_REGION
        levels[inside] = discretised(image[inside], low, how.bin_width_hu)
        marks[inside] = REGIONS[region]
    found = slice_textures(levels, marks)
    nothing = dict.fromkeys(TEXTURES, float("nan"))
    return {region: found.get(REGIONS[region], nothing) for region in how.ranges_hu}


def discretised(values: np.ndarray, lowest: float, width: float) -> np.ndarray:
    """Grey levels from 1 by fixed bin width (IBSI 3.4.2), counted from `lowest` HU."""
    return (np.floor((values - lowest) / width) + 1).astype(np.uint32)


def slice_textures(levels: np.ndarray, marks: np.ndarray) -> dict[int, dict[str, float]]:
    """TEXTURES of every label, averaged over slices.

    Args:
        levels: (slices, rows, columns) grey levels from 1 inside, 0 outside.
        marks: same shape, labels of the regions, 0 outside.
    """
    held = marks.any(axis=(1, 2))
    if not held.any():
        return {}
    engine = Nyxus(list(FAMILIES), ibsi=True, n_feature_calc_threads=1)
    engine.set_metaparam("glcm/offset=1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # nyxus keeps the names it invents for the next call, whatever its number of slices
        names = [str(index) for index in np.flatnonzero(held)]
        table = engine.featurize(levels[held], marks[held], names, list(names))
    means = table.groupby("ROI_label")[list(TEXTURES.values())].mean()
    return {
        int(label): {name: float(row[column]) for name, column in TEXTURES.items()}
        for label, row in means.iterrows()
    }


def _texture_slices(labels: np.ndarray, count: int) -> np.ndarray:
    """Indices of evenly spaced slices through the lung, or through the body without a lung."""
    region = LUNG if (labels == LUNG).any() else BODY
    held = np.flatnonzero((labels == region).any(axis=(1, 2)))
    held = held if len(held) else np.arange(len(labels))
    return np.unique(held[np.linspace(0, len(held) - 1, count).round().astype(int)])
