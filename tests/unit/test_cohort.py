"""Sheets are read into batches, and every fault is told in one sentence that names it."""

import pickle
from pathlib import Path

import pytest

from ctharmony.cohort import StudyError, draw_split, load_cohort, parse_pair

SPLIT = {"test_fraction": 0.25, "validation_fraction": 0.15, "seed": 1}


class Sheets:
    """A study's sheets in a folder, written row by row."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.sites = [("alpha", "reference"), ("beta", "query")]
        self.scans = {
            "alpha": [("a1", "s1", ""), ("a2", "s2", ""), ("a3", "s3", "")],
            "beta": [("b1", "s4", "")],
        }

    def load(self, batch_size=2, split=None):
        scan_file = self.folder / "scan.nii.gz"
        scan_file.touch()
        lines = ["site\trole\tmanifest"]
        for site, role in self.sites:
            lines.append(f"{site}\t{role}\t{self.folder / site}.tsv")
        for site, scans in self.scans.items():
            rows = ["scan\tsubject\tpath\tsplit\tpaired_scan"]
            for scan, subject, given, *pair in scans:
                rows.append("\t".join([scan, subject, str(scan_file), given, *(pair or [""])]))
            (self.folder / f"{site}.tsv").write_text("\n".join(rows) + "\n")
        (self.folder / "sites.tsv").write_text("\n".join(lines) + "\n")
        return load_cohort(self.folder / "sites.tsv", batch_size, split or SPLIT)


@pytest.fixture
def sheets(tmp_path):
    return Sheets(tmp_path)


def test_batches_follow_manifest_order(sheets):
    cohort = sheets.load()
    assert cohort.places() == [("alpha", "b0000"), ("alpha", "b0001"), ("beta", "b0000")]
    assert [row["scan"] for row in cohort.rows("alpha", "b0001")] == ["a3"]
    assert cohort.of_role("query") == ["beta"]
    assert cohort.sites["alpha"].rows[0]["paired_scan"] is None


def test_rows_as_a_parameter_show_that_they_changed_and_nothing_else(sheets):
    rows = sheets.load().rows("alpha", "b0000")
    again = pickle.loads(pickle.dumps(rows))
    assert again == rows
    assert repr(again) == repr(rows)
    shown = repr(rows)
    rows[0] = {**rows[0], "path": "archive/Doe_Jane.nii.gz"}
    assert repr(rows) != shown
    assert "Doe" not in repr(rows)


def test_an_appended_row_leaves_earlier_batches_as_they_are(sheets):
    before = sheets.load()
    sheets.scans["alpha"].append(("a4", "s9", ""))
    after = sheets.load()
    assert after.rows("alpha", "b0000") == before.rows("alpha", "b0000")
    assert len(after.rows("alpha", "b0001")) == 2


def test_split_is_by_subject_and_the_same_everywhere(sheets):
    sheets.scans["alpha"] = [("a1", "s1", ""), ("a2", "s1", ""), ("a3", "s2", "")]
    rows = sheets.load().sites["alpha"].rows
    assert rows[0]["split"] == rows[1]["split"]


def test_split_fractions_are_met_over_many_subjects():
    drawn = [draw_split(f"subject-{index}", SPLIT) for index in range(4000)]
    assert drawn.count("test") / 4000 == pytest.approx(0.25, abs=0.03)
    assert drawn.count("validation") / 4000 == pytest.approx(0.15, abs=0.03)


def test_query_scans_judge(sheets):
    assert sheets.load().sites["beta"].rows[0]["split"] == "test"


def test_pairs_are_parsed(sheets):
    sheets.scans["beta"] = [("b1", "s1", "", "alpha/a1")]
    assert parse_pair(sheets.load().sites["beta"].rows[0]) == ("alpha", "a1")


def check_refused(sheets, *words):
    with pytest.raises(StudyError) as caught:
        sheets.load()
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_duplicate_scan_is_named(sheets):
    sheets.scans["alpha"].append(("a1", "s5", ""))
    check_refused(sheets, "alpha.tsv", "'a1'", "twice", "remove or rename")


def test_scan_used_by_two_sites_is_named(sheets):
    sheets.scans["beta"].append(("a2", "s5", ""))
    check_refused(sheets, "'a2'", "alpha", "beta", "rename one")


def test_unknown_role_is_named(sheets):
    sheets.sites[1] = ("beta", "visitor")
    check_refused(sheets, "beta", "visitor", "reference, query")


def test_missing_manifest_is_named(sheets):
    sheets.sites.append(("gamma", "query"))
    check_refused(sheets, "gamma.tsv", "does not exist", "correct the path")


def test_missing_scan_path_is_named(sheets, monkeypatch):
    sheets.load()
    sheets.folder.joinpath("scan.nii.gz").unlink()
    with pytest.raises(StudyError, match=r"a1 of site alpha points to .*scan.nii.gz"):
        load_cohort(sheets.folder / "sites.tsv", 2, SPLIT)


@pytest.mark.parametrize("name", ["../escape", "a b", "", "-dash", "x" * 65])
def test_unsafe_ids_are_refused(sheets, name):
    sheets.scans["alpha"].append((name, "s5", ""))
    with pytest.raises(StudyError, match="scan id"):
        sheets.load()


def test_a_study_without_reference_is_refused(sheets):
    sheets.sites = [("alpha", "query"), ("beta", "query")]
    check_refused(sheets, "no site with the role reference")


def test_unknown_pair_is_named(sheets):
    sheets.scans["beta"] = [("b1", "s1", "", "alpha/zz")]
    check_refused(sheets, "b1", "alpha/zz", "not in the study")


def test_subject_in_two_splits_is_named(sheets):
    sheets.scans["alpha"] = [("a1", "s1", "train"), ("a2", "s1", "test")]
    check_refused(sheets, "subject s1", "train", "test")


def test_missing_column_is_named(sheets):
    sheets.load()
    (sheets.folder / "alpha.tsv").write_text("scan\tpath\na1\tx\n")
    with pytest.raises(StudyError, match=r"alpha.tsv lacks the column subject"):
        load_cohort(sheets.folder / "sites.tsv", 2, SPLIT)


def test_environment_variables_in_paths_are_filled_in(sheets, monkeypatch):
    sheets.load()
    manifest = sheets.folder / "alpha.tsv"
    manifest.write_text("scan\tsubject\tpath\na1\ts1\t${ARCHIVE}/scan.nii.gz\n")
    monkeypatch.delenv("ARCHIVE", raising=False)
    with pytest.raises(StudyError, match="a1 uses the environment variable ARCHIVE"):
        load_cohort(sheets.folder / "sites.tsv", 2, SPLIT)
    monkeypatch.setenv("ARCHIVE", str(sheets.folder))
    row = load_cohort(sheets.folder / "sites.tsv", 2, SPLIT).sites["alpha"].rows[0]
    assert row["path"] == str(sheets.folder / "scan.nii.gz")
