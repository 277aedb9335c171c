"""What must happen to each real case, awkward ones first (folder named by CTHARMONY_REAL_DATA)."""

import numpy as np
import pytest

from ctharmony.io.ingest import ingest_batch
from ctharmony.io.tables import read_table
from ctharmony.io.volumes import read_volume

pytestmark = pytest.mark.real

# source, status, words of the reason
AWKWARD = {
    "coronal": ("awkward/acrin_flt_013_coronal", "set_aside", "its slices are not axial"),
    "jpeg2000": ("awkward/totalseg_biograph_mct_j2k", "warned", "no lung was found"),
    "tilt": ("awkward/head_ge_hispeed_tilt", "set_aside", "slice gaps run from 1.08 to 7.00 mm"),
    "signs": ("awkward/hitachi_supria_j2k", "set_aside", "it has 1 slice(s)"),
    "truncated": ("awkward/truncated_lidc_0001", "set_aside", "1 DICOM files are truncated"),
    "metaimage": (
        "awkward/elastix_3DCT_lung_baseline_small.mha",
        "set_aside",
        "MHA files are not read; convert it to NIfTI",
    ),
    "singles": ("dicom/sbu_single_slices", "set_aside", "it has 1 slice(s)"),
    "crop": (
        "nifti/totalseg_pulm_ct_cropped_nosidecar.nii.gz",
        "warned",
        "the body leaves the image on 96% of its border",
    ),
}
NIFTI = {
    "philips": "nifti/lidc_0314_philips_brilliance16p_D_every5th.nii.gz",
    "b10f": "nifti/acrin_flt_013_siemens_sensation16_B10f.nii.gz",
}
# source, then slices, maker, kernel, noise SD (HU) and soft tissue (HU) as measured once
CHESTS = {
    "b40f": ("dicom/lungdx_A0002_B40f", 30, "Siemens", "B40f", 11.3, 42),
    "b70f": ("dicom/lungdx_A0002_B70f", 30, "Siemens", "B70f", 41.9, 41),
    "philips": (
        "nifti/lidc_0314_philips_brilliance16p_D_every5th.nii.gz",
        55,
        "Philips",
        "D",
        26,
        54,
    ),
    "b10f": (NIFTI["b10f"], 49, "Siemens", "B10f", 6.4, 45),
}


@pytest.fixture(scope="module")
def awkward(real_data, module_intake):
    """(table by scan, folder) of all awkward cases as one batch."""
    return ingested({name: case[0] for name, case in AWKWARD.items()}, real_data, module_intake)


@pytest.fixture(scope="module")
def chests(real_data, module_intake):
    """(table by scan, folder) of the chests of which age or kernel is known."""
    return ingested({name: case[0] for name, case in CHESTS.items()}, real_data, module_intake)


@pytest.fixture(scope="module")
def module_intake(tmp_path_factory, intake):
    return lambda: intake(tmp_path_factory.mktemp("real"))


def ingested(sources, real_data, module_intake):
    intake = module_intake()
    rows = [
        {"scan": name, "subject": name, "path": str(real_data / source)}
        for name, source in sources.items()
    ]
    ingest_batch(rows, intake)
    return read_table(intake.folder / "scans.tsv").set_index("scan"), intake.folder


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_case(awkward, name):
    table, folder = awkward
    _, status, words = AWKWARD[name]
    assert table["status"][name] == status
    assert words in table["reason"][name]
    assert (folder / f"{name}.nii.gz").exists() == (status != "set_aside")


def test_jpeg2000_with_empty_uids_is_read_and_its_kernel_kept(awkward):
    table, folder = awkward
    assert table["kernel"]["jpeg2000"] == "Br38f\\3"
    volume = read_volume(folder / "jpeg2000.nii.gz")
    assert volume.hu.shape == (20, 512, 512)
    assert volume.spacing == pytest.approx((2.0, 0.9766, 0.9766), abs=1e-3)
    assert table["air_mode_hu"]["jpeg2000"] == pytest.approx(-1000, abs=8)
    assert table["fat_mode_hu"]["jpeg2000"] == pytest.approx(-85, abs=20)


@pytest.mark.parametrize("name", CHESTS)
def test_chest_is_ingested_with_plausible_physics(chests, name):
    table, _ = chests
    _, slices, manufacturer, kernel, noise_sd, soft = CHESTS[name]
    row = table.loc[name]
    assert row["status"] in ("ok", "warned")
    assert (row["slices"], row["manufacturer"], row["kernel"]) == (slices, manufacturer, kernel)
    assert row["noise_sd_hu"] == pytest.approx(noise_sd, rel=0.05)
    assert row["soft_tissue_mode_hu"] == pytest.approx(soft, abs=3)
    assert row["air_mode_hu"] == pytest.approx(-1000, abs=8)
    assert 2000 < row["lung_volume_ml"] < 4000
    assert 0.25 < row["mtf50_per_mm"] < 0.6


def test_the_sharp_kernel_of_one_acquisition_is_told_from_the_smooth(chests):
    table, folder = chests
    smooth, sharp = table.loc["b40f"], table.loc["b70f"]
    assert sharp["mtf50_per_mm"] > 1.3 * smooth["mtf50_per_mm"]
    assert sharp["nps_mean_per_mm"] > 1.5 * smooth["nps_mean_per_mm"]
    assert sharp["noise_sd_hu"] > 3 * smooth["noise_sd_hu"]
    assert sharp["laa950_percent"] - smooth["laa950_percent"] == pytest.approx(4.7, abs=0.7)
    assert sharp["lung_volume_ml"] == pytest.approx(smooth["lung_volume_ml"], rel=0.01)
    one, other = (read_volume(folder / f"{name}.nii.gz") for name in ("b40f", "b70f"))
    np.testing.assert_array_equal(one.affine, other.affine)
    mask = read_volume(folder / "b40f_mask.nii.gz").hu > 0
    assert np.abs(one.hu - other.hu)[mask].mean() == pytest.approx(31, abs=2)
