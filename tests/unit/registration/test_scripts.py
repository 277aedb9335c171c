"""The two rules' scripts, run as Snakemake runs them, on three small scans."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from ctharmony.io.files import read_json
from ctharmony.io.tables import read_table, write_table
from ctharmony.io.volumes import read_volume, write_volume
from ctharmony.jobs.harmonization import on_template
from ctharmony.jobs.registration import RegistrationJob
from ctharmony.registration.pyramid import Image
from ctharmony.registration.transforms import about, distance, from_itk, rotation
from pretended_device import DEVICE, PretendedDevice

SCRIPTS = Path(__file__).resolve().parents[3] / "workflow" / "scripts"
POSE = about(rotation(np.array([0, 0, 1.0]), 6.0), np.zeros(3), np.array([10.0, -5, 7]))
CONFIG = {
    "template": "medoid",
    "template_mask": None,
    "template_spacing_mm": 3.0,
    "candidates": 3,
    "group_mean_rounds": 1,
    "interpolation_order": 1,
    "device": "cpu",
    "device_batch": 2,
}


def write_batch(folder: Path, images: dict[str, Image]) -> None:
    rows = [
        {"site": folder.parent.name, "batch": folder.name, "scan": scan, "split": "train",
         "status": "ok", "reason": ""}
        for scan in images
    ]  # fmt: skip
    for scan, image in images.items():
        write_volume(folder / f"{scan}.nii.gz", image.hu, image.affine)
        write_volume(folder / f"{scan}_mask.nii.gz", image.mask, image.affine, np.uint8)
    rows.append(rows[0] | {"scan": "torn", "status": "set_aside", "reason": "two slices missing"})
    write_table(folder / "scans.tsv", pd.DataFrame(rows))


def run(script: str, inputs: dict, output: Path, settings: dict) -> None:
    snakemake = SimpleNamespace(
        input=SimpleNamespace(**inputs),
        output=[str(output)],
        params=SimpleNamespace(settings=settings, seed=1, rows=[]),
        config={"registration": settings},
        threads=1,
        log=[],
    )
    runpy.run_path(str(SCRIPTS / f"{script}.py"), init_globals={"snakemake": snakemake})


@pytest.fixture(scope="module")
def study(tmp_path_factory, block, fixed_scan, make_scan, make_organs) -> tuple[Path, dict]:
    """Two sites: one patient in two poses, and a noise volume."""
    root = tmp_path_factory.mktemp("study")
    moved = make_scan(make_organs(1), pose=POSE, seed=4)
    noise = np.random.default_rng(0).normal(0, 300, (40, 60, 60)).astype(np.float32)
    static = Image(noise, np.diag([5.0, 5, 5, 1]), np.ones(noise.shape, np.uint8))
    write_batch(root / "ingested/north/b0000", {"first": fixed_scan})
    write_batch(root / "ingested/south/b0000", {"second": moved, "static": static})
    settings = CONFIG | block
    folders = [str(root / f"ingested/{site}/b0000") for site in ("north", "south")]
    run("template", {"ingested": folders}, root / "template", settings)
    for site in ("north", "south"):
        inputs = {
            "ingested": str(root / f"ingested/{site}/b0000"),
            "template": str(root / "template"),
        }
        run("register", inputs, root / f"registered/{site}/b0000", settings)
    return root, settings


def test_template_is_the_scan_most_like_the_others(study):
    record = read_json(study[0] / "template/template.json")
    likeness = record["likeness"]
    assert set(likeness) == {"north/first", "south/second", "south/static"}
    assert record["source"] != "south/static"
    assert likeness["south/static"] < 0.1 * max(likeness.values())
    volume = read_volume(study[0] / "template/template.nii.gz")
    mask = read_volume(study[0] / "template/template_mask.nii.gz")
    assert volume.spacing == pytest.approx((3.0, 3.0, 3.0)) and mask.hu.shape == volume.hu.shape
    assert volume.hu[mask.hu > 0].mean() > -500 > volume.hu[mask.hu == 0].mean()


def test_rows_say_what_became_of_every_scan(study):
    table = read_table(study[0] / "registered/south/b0000/registration.tsv").set_index("scan")
    assert list(table.status) == ["ok", "failed", "set_aside"]
    assert table.reason["torn"] == "two slices missing" and "explains" in table.reason["static"]
    assert table.mi_after_nats["second"] >= table.mi_before_nats["second"]
    assert table.coverage["second"] > 0.8
    folder = study[0] / "registered/south/b0000"
    assert (folder / "static.png").exists() and not (folder / "static.nii.gz").exists()
    assert not (folder / "torn.tfm").exists()


def test_transforms_relate_the_two_poses(study):
    maps = [
        from_itk((study[0] / f"registered/{place}.tfm").read_text())
        for place in ("north/b0000/first", "south/b0000/second")
    ]
    points = np.random.default_rng(0).uniform(-90, 90, (100, 3))
    between = maps[1] @ np.linalg.inv(maps[0])
    assert np.median(distance(between, POSE, points)) < 0.3


def test_registered_volumes_lie_on_the_template(study):
    template = read_volume(study[0] / "template/template.nii.gz")
    mask = read_volume(study[0] / "template/template_mask.nii.gz").hu > 0
    for place in ("north/b0000/first", "south/b0000/second"):
        moved = read_volume(study[0] / f"registered/{place}.nii.gz")
        np.testing.assert_allclose(moved.affine, template.affine)
        shown = mask & (moved.hu > -1024)
        assert np.abs(moved.hu - template.hu)[shown].mean() < 25


def test_running_again_writes_the_same_bytes(study, tmp_path):
    root, settings = study
    inputs = {"ingested": str(root / "ingested/north/b0000"), "template": str(root / "template")}
    run("register", inputs, tmp_path / "again", settings)
    for path in sorted((root / "registered/north/b0000").iterdir()):
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes(), path.name


def test_a_device_takes_several_scans_at_once_and_a_bad_one_alone_is_left_out(
    study, tmp_path, make_scan, make_organs
):
    root, settings = study
    good = make_scan(make_organs(1), pose=POSE, seed=4)
    empty = Image(good.hu, good.affine, np.zeros_like(good.mask))
    folder = tmp_path / "west/b0000"
    write_batch(folder, {"good": good, "empty": empty, "again": good})
    few = {"iterations": [3, 2, 2], "points": [4000] * 3, "device_batch": 2}
    tables = {}
    for device in (torch.device("cpu"), DEVICE):
        output = tmp_path / device.type
        output.mkdir()
        job = RegistrationJob(str(root / "template"), str(folder), output, settings | few, 1)
        assert job.at_once == 1
        if device == DEVICE:
            job.device, job.at_once = device, 2
        with PretendedDevice():
            rows = list(job.rows(read_table(folder / "scans.tsv")))
        tables[device.type] = pd.DataFrame(rows).set_index("scan")
    for table in tables.values():
        assert list(table.index) == ["good", "empty", "again", "torn"]
        assert list(table.status) == ["ok", "failed", "ok", "set_aside"]
        assert "mask is empty" in table.reason["empty"]
    shifts = [table.shift_mm["good"] for table in tables.values()]
    assert shifts[0] == pytest.approx(shifts[1], abs=0.5)
    files = [{path.name for path in (tmp_path / kind).iterdir()} for kind in tables]
    assert files[0] == files[1] and {"good.tfm", "again.nii.gz", "good.png"} <= files[0]


def test_a_file_can_be_the_template(study, tmp_path):
    root, settings = study
    named = settings | {"template": str(root / "ingested/north/b0000/first.nii.gz")}
    run("template", {"ingested": []}, tmp_path / "template", named)
    volume = read_volume(tmp_path / "template/template.nii.gz")
    mask = read_volume(tmp_path / "template/template_mask.nii.gz").hu
    truth = read_volume(root / "ingested/north/b0000/first_mask.nii.gz")
    share = (mask > 0).sum() * 27.0 / ((truth.hu > 0).sum() * np.prod(truth.spacing))
    assert share == pytest.approx(1.0, abs=0.05) and volume.hu.min() < -900


def test_a_mean_of_the_group_leaves_out_what_failed(study, tmp_path):
    root, settings = study
    folders = [str(root / f"ingested/{site}/b0000") for site in ("north", "south")]
    run("template", {"ingested": folders}, tmp_path / "mean", settings | {"template": "group_mean"})
    record = read_json(tmp_path / "mean/template.json")
    assert record["source"].startswith("mean of 2 scans begun at ")
    mean = read_volume(tmp_path / "mean/template.nii.gz")
    medoid = read_volume(study[0] / "template/template.nii.gz")
    inside = read_volume(tmp_path / "mean/template_mask.nii.gz").hu > 0
    # one patient twice: the mean looks like either, with less noise
    assert mean.hu.shape == medoid.hu.shape
    assert np.abs(mean.hu - medoid.hu)[inside].mean() < 25
    assert (
        np.diff(mean.hu, axis=0)[20:30, 35:45].std()
        < np.diff(medoid.hu, axis=0)[20:30, 35:45].std()
    )


def test_deformed_volumes_come_with_a_displacement_that_itk_reads(study, tmp_path):
    root, settings = study
    inputs = {"ingested": str(root / "ingested/south/b0000"), "template": str(root / "template")}
    on = settings | {"deformable": settings["deformable"] | {"enabled": True}}
    run("register", inputs, tmp_path / "out", on)
    assert not (tmp_path / "out/static_displacement.nii.gz").exists()
    sitk = pytest.importorskip("SimpleITK")
    field = sitk.ReadImage(str(tmp_path / "out/second_displacement.nii.gz"), sitk.sitkVectorFloat64)
    by_itk = sitk.DisplacementFieldTransform(field)
    affine = from_itk((tmp_path / "out/second.tfm").read_text())
    flip = np.array([-1, -1, 1])
    points = np.random.default_rng(0).uniform(-60, 60, (50, 3))
    moved = np.array([by_itk.TransformPoint(tuple(p * flip)) for p in points]) * flip
    shift = np.linalg.norm(moved - (points @ affine[:3, :3].T + affine[:3, 3]), axis=1)
    assert np.median(shift) < 1.0  # one patient in two poses: little is left to deform
    template = read_volume(root / "template/template.nii.gz")
    volume = read_volume(tmp_path / "out/second.nii.gz")
    mask = read_volume(root / "template/template_mask.nii.gz").hu > 0
    shown = mask & (volume.hu > -1024)
    assert np.abs(volume.hu - template.hu)[shown].mean() < 25
    scan = read_volume(root / "ingested/south/b0000/second.nii.gz")
    again = on_template(scan, str(tmp_path / "out/second"), template)
    assert np.abs(again - volume.hu).max() <= 1.0  # as harmonization puts its result there


def test_no_training_scan_is_said_in_words(study, tmp_path):
    root, settings = study
    folder = tmp_path / "ingested/west/b0000"
    table = read_table(root / "ingested/north/b0000/scans.tsv")
    write_table(folder / "scans.tsv", table.assign(split="test"))
    with pytest.raises(ValueError, match="usable training scan"):
        run("template", {"ingested": [str(folder)]}, tmp_path / "template", settings)
