"""`init` and `add`: from folders to a study that its own checks accept."""

import pandas as pd
import pytest

from archive import write_archive
from ctharmony.commands.study import open_study


def test_init_writes_a_study_that_the_schema_accepts(clone, say):
    code, said, _ = say("init", "lung", "--data", "archive/north", "archive/south")
    assert code == 0
    study = open_study(clone / "lung")
    assert study.config["study"] == "lung"
    assert study.cohort.of_role("reference") == ["north", "south"]
    assert [len(site.rows) for site in study.cohort.sites.values()] == [2, 2]
    assert study.config["split"]["test_fraction"] == 0
    assert "python -m ctharmony check lung" in said
    assert "--configfile lung/config.yaml" in said


def test_init_says_what_it_left_out_and_what_is_missing(clone, say):
    _, said, _ = say("init", "lung", "--data", "archive/north", "archive/south")
    assert "north: 1 left out: it cannot be read as NIfTI" in said
    assert "age is unknown for 4 of 4 scans (north, south)" in said
    assert "lung/scans/" in said
    assert "kernel is unknown" not in said
    assert "fewer than 3 subjects at north, south" in said
    left = pd.read_csv(clone / "lung/scans/north_left_out.tsv", sep="\t")
    assert left["left_out"].tolist() == ["it cannot be read as NIfTI; export it again"]


def test_sites_by_scanner_and_by_given_name(clone, say):
    say("init", "lung", "--by", "scanner", "--data", "all=archive", "--query", "siemens-b30f")
    roles = {s.site: s.role for s in open_study(clone / "lung").cohort.sites.values()}
    assert roles == {"ge-bone": "reference", "siemens-b30f": "query"}


def test_the_configuration_is_commented(clone, say):
    say("init", "lung", "--data", "archive/north", "archive/south", "--target", "south")
    text = (clone / "lung" / "config.yaml").read_text()
    assert "target: south" in text
    lines = text.splitlines()
    for key in ("results:", "target:"):
        number = next(k for k, line in enumerate(lines) if line.startswith(key))
        assert lines[number - 1].startswith("# ")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--data", "nowhere"], "nowhere is not a folder"),
        (["--data", "archive/north", "--target", "east"], "--target east is no reference site"),
        (["--data", "archive/north", "--query", "east"], "--query names east"),
        (["--data", "archive/north", "--query", "north"], "at least one reference site"),
        (["--data", "archive/north", "north=archive/south"], "two folders make the site 'north'"),
        (["--data", "config"], "no usable CT scan below config; it holds neither DICOM nor NIfTI"),
    ],
)
def test_faults_are_one_sentence_and_write_nothing(clone, say, arguments, sentence):
    code, _, complaint = say("init", "lung", *arguments)
    assert code == 1
    assert sentence in complaint
    assert "Traceback" not in complaint
    assert not (clone / "lung").exists()


def test_init_never_writes_over_a_study(clone, say):
    say("init", "lung", "--data", "archive/north")
    code, _, complaint = say("init", "lung", "--data", "archive/south")
    assert code == 1
    assert "python -m ctharmony add lung" in complaint


def test_the_target_is_shown_and_mixed_scanners_are_told(clone, say):
    _, said, _ = say(
        "init", "lung", "--data", "archive/north", "archive/south", "--target", "south"
    )
    assert "reference (target)" in next(line for line in said.splitlines() if "BONE" in line)
    assert "scanners or kernels in one site" not in said
    _, said, _ = say("init", "one", "--data", "archive")
    assert "archive: 2 scanners or kernels in one site" in said
    assert "--by scanner makes a site of each" in said


def test_many_sites_are_named_in_a_word(clone, say):
    write_archive(clone / "archive", ("west",))
    _, said, _ = say("init", "lung", "--by", "scanner", "--data", "all=archive")
    assert "fewer than 3 subjects at all 3 sites" in said
    assert "age is unknown for 6 of 6 scans (all 3 sites)" in said


def test_add_brings_a_query_site_and_leaves_the_others(clone, say):
    say("init", "lung", "--data", "archive/north", "archive/south")
    before = (clone / "lung/scans/north.tsv").read_bytes()
    write_archive(clone / "later", ("west",))
    code, said, _ = say("add", "lung", "--data", "later/west")
    assert code == 0
    cohort = open_study(clone / "lung").cohort
    assert cohort.of_role("query") == ["west"]
    assert (clone / "lung/scans/north.tsv").read_bytes() == before
    assert "west" in said
    code, _, complaint = say("add", "lung", "--data", "later/west")
    assert code == 1
    assert "has a site 'west' already" in complaint


def test_add_keeps_what_stands_in_the_sheet(clone, say):
    say("init", "lung", "--data", "archive/north", "archive/south")
    sheet = clone / "lung" / "sites.tsv"
    edited_by_hand = pd.read_csv(sheet, sep="\t")[["role", "site", "manifest"]]
    edited_by_hand.assign(scanner=None).to_csv(sheet, sep="\t", index=False)
    write_archive(clone / "later", ("west",))
    assert say("add", "lung", "--data", "later/west")[0] == 0
    cohort = open_study(clone / "lung").cohort
    assert list(cohort.sites) == ["north", "south", "west"]
    assert cohort.of_role("query") == ["west"]


def test_add_leaves_the_sheet_alone_where_the_study_would_have_a_fault(clone, say, monkeypatch):
    say("init", "lung", "--data", "archive/north", "archive/south")
    before = (clone / "lung" / "sites.tsv").read_bytes()
    write_archive(clone / "later", ("west",))
    # a manifest that the study refuses
    monkeypatch.setattr(
        "ctharmony.commands.add.write_manifests",
        lambda found, folder: [
            (folder / f"{each.site}.tsv").write_text("scan\tsubject\n") for each in found
        ],
    )
    code, _, complaint = say("add", "lung", "--data", "later/west")
    assert code == 1 and "site west has no scans" in complaint
    assert (clone / "lung" / "sites.tsv").read_bytes() == before
    open_study(clone / "lung")


def test_outside_the_clone(tmp_path, monkeypatch, say):
    monkeypatch.chdir(tmp_path)
    code, _, complaint = say("init", "lung", "--data", ".")
    assert code == 1
    assert "change to the folder of the ctharmony clone" in complaint
