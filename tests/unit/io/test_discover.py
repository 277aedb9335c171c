import json

import numpy as np

from ctharmony.io.discover import Taken, discover, main
from ctharmony.io.tables import read_table
from ctharmony.io.volumes import write_volume

AFFINE = np.diag([1.25, 1.5, 3, 1])


def archive(folder, write_dicom, patient):
    """Two patients; one with a scout, a coronal and two kernels in one folder, one in BIDS."""
    doe = {"PatientID": "DOE-77", "PatientAge": "061Y", "PatientSex": "F"}
    export = folder / "EXPORT" / "DOE^JANE"
    write_dicom(export, patient, SeriesNumber=2, ConvolutionKernel="B30f", **doe)
    write_dicom(export, patient, SeriesNumber=3, ConvolutionKernel="B70f", **doe)
    scout = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    write_dicom(export, patient[:1], SeriesNumber=1, ImageType=scout, **doe)
    flat = [1, 0, 0, 0, 0, -1]
    write_dicom(export, patient, SeriesNumber=4, ImageOrientationPatient=flat, **doe)
    (export / "readme.txt").write_text("hello")
    bids = folder / "bids" / "sub-07" / "ct"
    bids.mkdir(parents=True)
    write_volume(bids / "sub-07_ct.nii.gz", patient, AFFINE)
    (bids / "sub-07_ct.json").write_text(json.dumps({"ConvolutionKernel": "D", "KVP": 100}))
    write_volume(bids / "sub-07_mask.nii.gz", patient > 0, AFFINE, np.uint8)
    (bids / "sub-07_broken_ct.nii.gz").write_bytes(b"nothing")
    return folder


def test_series_and_files_are_proposed_or_left_out_with_a_reason(
    tmp_path, write_dicom, patient, rule, limits, words
):
    folder = archive(tmp_path / "a", write_dicom, patient)
    table = discover(folder, "north", Taken(rule, limits, words))
    assert table["scan"].tolist() == [f"north-s{k:03d}" for k in range(1, 8)]
    assert table["scan"].is_unique
    taken = table[table["left_out"] == ""]
    assert sorted(taken["kernel"]) == ["B30f", "B70f", "D"]
    assert taken["slices"].tolist() == [8, 8, 8]
    assert taken["subject"].nunique() == 2
    dicom = taken[taken["series"] != ""].iloc[0]
    assert (dicom["age"], dicom["sex"], dicom["manufacturer"]) == ("61", "F", "Siemens")
    assert dicom["spacing_mm"] == "1.5 x 1.25"
    reasons = sorted(table.loc[table["left_out"] != "", "left_out"])
    assert reasons == [
        "it cannot be read as NIfTI",
        "it is a localizer",
        "its name is that of a mask",
        "its slices are not axial",
    ]
    ids = " ".join(table["scan"]) + " ".join(table["subject"])
    assert "DOE" not in ids


def test_what_is_proposed_is_what_ingest_takes(
    tmp_path, root, write_dicom, patient, intake, capsys
):
    from ctharmony.io.ingest import ingest_batch

    folder = archive(tmp_path / "a", write_dicom, patient)
    output = tmp_path / "north.tsv"
    config = str(root / "config" / "config.yaml")
    main([str(folder), "--site", "north", "--config", config, "--output", str(output)])
    assert "3 scans" in capsys.readouterr().out
    assert len(read_table(tmp_path / "north_left_out.tsv")) == 4
    rows = read_table(output, text=("series",)).to_dict("records")
    ingest_batch(rows, intake(tmp_path / "out"))
    found = read_table(tmp_path / "out" / "scans.tsv")
    assert "set_aside" not in set(found["status"])
    assert sorted(found["kernel"]) == ["B30f", "B70f", "D"]


def test_words_that_no_vocabulary_knows_do_not_enter_the_manifest(
    tmp_path, write_dicom, patient, rule, limits, words
):
    write_dicom(tmp_path / "s", patient, ConvolutionKernel="Doe", ManufacturerModelName="Jane's")
    row = discover(tmp_path / "s", "north", Taken(rule, limits, words)).iloc[0]
    assert row["kernel"] is None
    assert row["model_name"] is None
    assert row["manufacturer"] == "Siemens"
