import json

import numpy as np
import pandas as pd
import pytest

from ctharmony.io.columns import GEOMETRY, IDENTITY, MEASURES
from ctharmony.io.ingest import ingest_batch
from ctharmony.io.sidecar import ACQUISITION
from ctharmony.io.tables import read_table
from ctharmony.io.volumes import read_volume, write_volume

AFFINE = np.array([[1.25, 0, 0, -40], [0, 1.5, 0, -50], [0, 0, 3, 100], [0, 0, 0, 1.0]])
TABLES = {"scans.tsv", "curves.tsv", ".scans.tsv.sha256", ".curves.tsv.sha256"}


def row(scan, path, **more):
    return {"scan": scan, "subject": scan, "path": str(path), "split": "train", **more}


def lines(folder):
    """Lines of scans.tsv without the covariates, which are columns only where a mate has them."""
    table = pd.read_csv(folder / "scans.tsv", sep="\t", dtype=str, keep_default_na=False)
    kept = table.drop(columns=["age", "sex"], errors="ignore")
    return kept.to_csv(sep="\t", index=False).splitlines()


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def rows(tmp_path, write_dicom, patient):
    """A good DICOM series, a good NIfTI, a warned one, and three that cannot be used."""
    write_volume(tmp_path / "n.nii.gz", patient, AFFINE)
    (tmp_path / "n.json").write_text(json.dumps({"KVP": 140, "Manufacturer": "GE"}))
    (tmp_path / "broken.nii.gz").write_bytes(b"\x1f\x8b not a scan")
    (tmp_path / "picture.mha").write_text("ObjectType = Image")
    odd = write_dicom(tmp_path / "odd", patient, ConvolutionKernel="XYZZY")
    return [
        row("d1", write_dicom(tmp_path / "d", patient), age="61", sex="F"),
        row("broken", tmp_path / "broken.nii.gz"),
        row("n1", tmp_path / "n.nii.gz", kernel="STANDARD", kvp="120"),
        row("missing", tmp_path / "nowhere"),
        row("odd", odd),
        row("mha", tmp_path / "picture.mha"),
    ]


def test_every_row_has_its_outcome(tmp_path, rows, intake, patient):
    ingest_batch(rows, intake(tmp_path / "out"))
    table = read_table(tmp_path / "out" / "scans.tsv").set_index("scan")
    assert table["status"].to_dict() == {
        "d1": "ok",
        "broken": "set_aside",
        "n1": "ok",
        "missing": "set_aside",
        "odd": "warned",
        "mha": "set_aside",
    }
    assert "site alpine, scan broken: it cannot be read as NIfTI" in table["reason"]["broken"]
    assert "is not there; correct the row's `path`" in table["reason"]["missing"]
    assert "ConvolutionKernel not in the vocabulary" in table["reason"]["odd"]
    assert "MHA files are not read" in table["reason"]["mha"]
    written = {path.name for path in (tmp_path / "out").iterdir()}
    kept = {f"{s}{e}" for s in ("d1", "n1", "odd") for e in (".nii.gz", "_mask.nii.gz", ".json")}
    assert written == kept | TABLES
    volume = read_volume(tmp_path / "out" / "n1.nii.gz")
    np.testing.assert_array_equal(volume.hu, patient)
    np.testing.assert_allclose(volume.affine, AFFINE)


def test_columns_values_and_which_source_wins(tmp_path, rows, intake):
    ingest_batch(rows, intake(tmp_path / "out"))
    table = read_table(tmp_path / "out" / "scans.tsv")
    fixed = [*IDENTITY, *GEOMETRY, *ACQUISITION, *MEASURES]
    assert table.columns.tolist() == [*fixed, "age", "sex"]
    table = table.set_index("scan")
    assert table.loc["d1", ["kernel", "manufacturer", "kvp"]].tolist() == ["B30f", "Siemens", 120]
    assert table.loc["n1", ["kernel", "manufacturer", "kvp"]].tolist() == ["STANDARD", "GE", 120]
    assert table.loc["d1", ["slices", "rows", "columns"]].tolist() == [8, 64, 72]
    assert table.loc["d1", "spacing_x_mm"] == pytest.approx(1.25)
    assert table.loc["d1", ["age", "sex", "role"]].tolist() == [61, "F", "reference"]
    assert table.loc["d1", "lung_mode_hu"] == pytest.approx(-850, abs=8)
    assert len(table.loc["d1", "sha256"]) == 64
    assert pd.isna(table.loc["broken", "sha256"])


def test_mask_and_curves_go_with_each_usable_scan(tmp_path, rows, intake):
    ingest_batch(rows, intake(tmp_path / "out"))
    curves = read_table(tmp_path / "out" / "curves.tsv")
    assert curves.columns.tolist() == ["scan", "curve", "x", "y"]
    assert curves["scan"].unique().tolist() == ["d1", "n1", "odd"]
    mask = read_volume(tmp_path / "out" / "d1_mask.nii.gz").hu
    assert set(np.unique(mask)) == {0, 1, 2}


def test_a_body_that_leaves_the_image_is_warned_of(tmp_path, patient, intake):
    write_volume(tmp_path / "cut.nii.gz", patient[:, :, 12:60], AFFINE)
    ingest_batch([row("cut", tmp_path / "cut.nii.gz")], intake(tmp_path / "out"))
    table = read_table(tmp_path / "out" / "scans.tsv").set_index("scan")
    assert table["status"]["cut"] == "warned"
    share = 100 * table["truncated_fraction"]["cut"]
    assert f"the body leaves the image on {share:.0f}% of its border" in table["reason"]["cut"]


def test_no_scan_depends_on_its_batch_mates(tmp_path, rows, intake):
    ingest_batch(rows, intake(tmp_path / "all"))
    together = contents(tmp_path / "all")
    for index in range(len(rows)):
        ingest_batch(rows[index : index + 1], intake(tmp_path / f"one{index}"))
        alone = contents(tmp_path / f"one{index}")
        for name in alone.keys() - TABLES:
            assert alone[name] == together[name]
        assert lines(tmp_path / f"one{index}")[1] == lines(tmp_path / "all")[1 + index]


def test_the_same_bytes_twice(tmp_path, rows, intake):
    for name in ("first", "second"):
        ingest_batch(rows, intake(tmp_path / name))
    assert contents(tmp_path / "first") == contents(tmp_path / "second")


def test_a_batch_without_one_usable_scan_still_has_its_tables(tmp_path, rows, intake):
    ingest_batch([rows[1], rows[3]], intake(tmp_path / "out"))
    assert len(read_table(tmp_path / "out" / "scans.tsv")) == 2
    curves = read_table(tmp_path / "out" / "curves.tsv")
    assert curves.columns.tolist() == ["scan", "curve", "x", "y"]
    assert len(curves) == 0


def test_an_unforeseen_error_sets_one_scan_aside_without_its_message(
    tmp_path, rows, intake, caplog, monkeypatch
):
    def fails(*arguments):
        raise RuntimeError("secret /home/jane/doe.dcm")

    monkeypatch.setattr("ctharmony.io.ingest.read_scan", fails)
    with caplog.at_level("INFO"):
        ingest_batch(rows, intake(tmp_path / "out"))
    table = read_table(tmp_path / "out" / "scans.tsv").set_index("scan")
    assert table["status"]["n1"] == "set_aside"
    assert table["status"]["d1"] == "ok"
    assert "RuntimeError" in table["reason"]["n1"]
    assert "jane" not in (tmp_path / "out" / "scans.tsv").read_text() + caplog.text


@pytest.mark.parametrize("scan", ["../up", "a/b", "", ".hidden", "x" * 65, "a b", "a_mask"])
def test_a_scan_id_that_could_leave_the_folder_writes_nothing(tmp_path, rows, intake, scan):
    with pytest.raises(ValueError, match="scan id"):
        ingest_batch([{**rows[0], "scan": scan}], intake(tmp_path / "deep" / "out"))
    assert not (tmp_path / "deep").exists()
