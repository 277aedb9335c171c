import json
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from ctharmony.io.discover import COLUMNS, NOTES, Taken, command, discover
from ctharmony.io.tables import read_table
from ctharmony.io.volumes import write_volume

AFFINE = np.diag([1.25, 1.5, 3, 1])


@pytest.fixture(scope="module")
def taken(settings) -> Taken:
    return Taken.from_config(settings)


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
    bids(folder / "bids", patient)
    return folder


def bids(folder, patient):
    """A dataset of two subjects, one with a mask and a broken file, and a derivative."""
    place = folder / "sub-07" / "ct"
    for path in (place, folder / "sub-08" / "ses-1" / "ct", folder / "derivatives" / "sub-07"):
        path.mkdir(parents=True)
    write_volume(place / "sub-07_ct.nii.gz", patient, AFFINE)
    (place / "sub-07_ct.json").write_text(json.dumps({"ConvolutionKernel": "D", "KVP": 100}))
    write_volume(place / "sub-07_mask.nii.gz", patient > 0, AFFINE, np.uint8)
    (place / "sub-07_broken_ct.nii.gz").write_bytes(b"nothing")
    write_volume(folder / "derivatives" / "sub-07" / "sub-07_ct.nii.gz", patient, AFFINE)
    write_volume(folder / "sub-08" / "ses-1" / "ct" / "sub-08_ses-1_ct.nii.gz", patient, AFFINE)
    rows = ["participant_id\tage\tsex", "sub-07\t55\tmale", "sub-08\tn/a\tF"]
    (folder / "participants.tsv").write_text("\n".join(rows) + "\n")


def test_series_and_files_are_proposed_or_left_out_with_a_reason(
    tmp_path, write_dicom, patient, taken
):
    folder = archive(tmp_path / "a", write_dicom, patient)
    table = discover(folder, "north", taken)
    assert tuple(table.columns) == (*COLUMNS, *NOTES)
    assert table["scan"].tolist() == [f"north-s{k:03d}" for k in range(1, 10)]
    found = table[table["left_out"] == ""]
    assert sorted(found["kernel"].dropna()) == ["B30f", "B70f", "D"]
    assert found["slices"].tolist() == [8, 8, 8, 8]
    assert found["subject"].nunique() == 3
    dicom = found[found["series"] != ""].iloc[0]
    assert (dicom["age"], dicom["sex"], dicom["manufacturer"]) == ("61", "F", "Siemens")
    assert (dicom["model_name"], dicom["kvp"], dicom["slice_thickness_mm"]) == (
        "Sensation 16",
        120,
        3,
    )
    assert set(found["spacing_mm"]) == {"3 x 1.5 x 1.25"}
    assert sorted(table.loc[table["left_out"] != "", "left_out"]) == [
        "it cannot be read as NIfTI; export it again",
        "it is a localizer",
        "it lies among derivatives",
        "its name is that of a mask",
        "its slices are not axial",
    ]
    assert "DOE" not in " ".join(table["scan"]) + " ".join(table["subject"])


def test_a_bids_dataset_works_as_it_is(tmp_path, patient, taken):
    bids(tmp_path / "set", patient)
    bids(tmp_path / "other", patient)
    table = discover(tmp_path / "set", "north", taken)
    found = table[table["left_out"] == ""].reset_index()
    assert found["path"].str.endswith(("sub-07_ct.nii.gz", "sub-08_ses-1_ct.nii.gz")).all()
    assert found["age"].tolist()[:1] == ["55"]
    assert found["age"].isna().tolist() == [False, True]
    assert found["sex"].tolist() == ["M", "F"]
    both = discover(tmp_path, "north", taken)
    # the subjects 07 of two datasets are two people, all files of one are one
    scans = both[both["left_out"] == ""]
    assert scans["subject"].nunique() == len(scans) == 4


def test_one_series_of_a_study_is_taken_by_the_rule(tmp_path, write_dicom, patient, taken):
    one = {"StudyInstanceUID": "2.25.1", "PatientID": "7"}
    write_dicom(tmp_path / "a", patient, SeriesNumber=2, ConvolutionKernel="B30f", **one)
    write_dicom(tmp_path / "b", patient[:6], SeriesNumber=3, ConvolutionKernel="B70f", **one)
    table = discover(tmp_path, "north", taken)
    assert table["left_out"].tolist()[0] == ""
    assert "another series of its study goes first" in table["left_out"][1]
    sharp = replace(taken, rule=replace(taken.rule, kernels=("B70f",)))
    kept = discover(tmp_path, "north", sharp)
    assert kept.loc[kept["left_out"] == "", "kernel"].tolist() == ["B70f"]
    pairs = replace(taken, rule=replace(taken.rule, series_per_study=2))
    assert (discover(tmp_path, "north", pairs)["left_out"] == "").all()


def test_reconstructions_of_the_same_raw_data_are_known(tmp_path, write_dicom, patient, taken):
    one = {"StudyInstanceUID": "2.25.1", "PatientID": "7", "AcquisitionTime": "101112.5"}
    write_dicom(tmp_path / "a", patient, SeriesNumber=2, ConvolutionKernel="B30f", **one)
    write_dicom(tmp_path / "b", patient, SeriesNumber=3, ConvolutionKernel="B70f", **one)
    later = one | {"AcquisitionTime": "101530.0"}
    write_dicom(tmp_path / "c", patient, SeriesNumber=4, ConvolutionKernel="B70f", **later)
    write_dicom(tmp_path / "d", patient[:6], SeriesNumber=5, **one)
    write_dicom(tmp_path / "e", patient, SeriesNumber=6, StudyInstanceUID="2.25.1", PatientID="7")
    every = replace(taken, rule=replace(taken.rule, series_per_study=9))
    soft, sharp, repeated, shorter, untold = discover(tmp_path, "north", every)["acquisition"]
    assert soft == sharp
    assert len({soft, repeated, shorter}) == 3 and untold == ""
    assert "2.25" not in soft + repeated
    # in whatever folder, and under whatever site, they are found
    elsewhere = discover(tmp_path / "b", "south", every)
    assert elsewhere["acquisition"].tolist() == [soft]
    assert len(set(discover(tmp_path, "north", every)["study"]) | set(elsewhere["study"])) == 1


def test_series_without_uids_are_told_apart_by_place_and_geometry(
    tmp_path, write_dicom, patient, taken, intake
):
    nameless = {"SeriesInstanceUID": "", "StudyInstanceUID": "", "PatientID": ""}
    write_dicom(tmp_path / "a", patient, SeriesNumber=2, **nameless)
    write_dicom(tmp_path / "a", patient, SeriesNumber=3, PixelSpacing=[1.0, 1.0], **nameless)
    write_dicom(tmp_path / "b", patient, SeriesNumber=2, **nameless)
    table = discover(tmp_path, "north", taken)
    assert table["slices"].tolist() == [8, 8, 8]
    # one series of each folder, which stands for the study, and two people
    assert (table["left_out"] == "").sum() == 2
    assert table["subject"].nunique() == 2


def test_archives_are_looked_into(tmp_path, write_dicom, patient, taken):
    folder = write_dicom(tmp_path / "loose", patient, PatientID="7")
    place = tmp_path / "exports"
    place.mkdir()
    with zipfile.ZipFile(place / "one.zip", "w") as packed:
        for path in folder.iterdir():
            packed.write(path, path.name)
    (place / "bad.tar.gz").write_bytes(b"nothing")
    table = discover(place, "north", taken)
    assert table["path"].tolist() == [str(place / "bad.tar.gz"), str(place / "one.zip")]
    assert "damaged" in table["left_out"][0]
    assert (table["left_out"][1], table["slices"][1], table["kernel"][1]) == ("", 8, "B30f")


def test_what_is_proposed_is_what_ingest_takes(
    tmp_path, root, write_dicom, patient, intake, capsys
):
    from ctharmony.io.ingest import ingest_batch

    folder = archive(tmp_path / "a", write_dicom, patient)
    output = tmp_path / "north.tsv"
    config = str(root / "config" / "config.yaml")
    arguments = ["discover", str(folder), "--site", "north", "--config", config]
    command([*arguments, "--output", str(output)])
    said = capsys.readouterr().out
    assert "4 scans" in said
    assert "1 left out: it is a localizer" in said
    assert len(read_table(tmp_path / "north_left_out.tsv")) == 5
    rows = read_table(output, text=("series",)).to_dict("records")
    ingest_batch(rows, intake(tmp_path / "out"))
    found = read_table(tmp_path / "out" / "scans.tsv")
    assert "set_aside" not in set(found["status"])
    assert sorted(found["kernel"].dropna()) == ["B30f", "B70f", "D"]
    with pytest.raises(SystemExit):
        command([*arguments, "--output", str(output)])
    assert "only ever appended to" in capsys.readouterr().err


def test_the_command_writes_a_manifest_that_a_study_can_name(tmp_path, root, patient):
    (tmp_path / "scans").mkdir()
    write_volume(tmp_path / "scans" / "a.nii.gz", patient, AFFINE)
    config = str(root / "config" / "config.yaml")
    call = [sys.executable, "-m", "ctharmony.cohort", "discover", "scans", "--site", "north"]
    subprocess.run([*call, "--config", config], cwd=tmp_path, check=True)
    table = read_table(tmp_path / "config" / "scans" / "north.tsv")
    assert table["scan"].tolist() == ["north-s001"]
    assert table["subject"].tolist() == ["north-p001"]


def test_words_that_no_vocabulary_knows_do_not_enter_the_manifest(
    tmp_path, write_dicom, patient, taken
):
    write_dicom(tmp_path / "s", patient, ConvolutionKernel="Doe", ManufacturerModelName="Jane's")
    row = discover(tmp_path / "s", "north", taken).iloc[0]
    assert row["kernel"] is None
    assert row["model_name"] is None
    assert row["manufacturer"] == "Siemens"
