"""Tables and profiles know when a bit of theirs has changed."""

import subprocess

import pandas as pd
import pytest

from ctharmony.io.seals import copy_sealed, read_sealed_json, seal, write_sealed_json
from ctharmony.io.tables import read_table, write_sheet, write_table
from flipped import flip_digit

FRAME = pd.DataFrame({"scan": ["a-01", "a-02"], "noise_sd_hu": [11.25, 13.5]})


@pytest.mark.parametrize("bit", range(3))
def test_a_flipped_digit_is_refused_with_the_mend(tmp_path, bit):
    path = tmp_path / "b0000" / "scans.tsv"
    write_table(path, FRAME)
    assert read_table(path).equals(FRAME)
    flip_digit(path, bit)
    with pytest.raises(ValueError, match=f"{path} is damaged .* remove the folder {path.parent}"):
        read_table(path)


def test_a_profile_that_is_still_json_is_refused(tmp_path):
    path = tmp_path / "site.json"
    write_sealed_json(path, {"mtf50_per_mm": 0.41})
    assert read_sealed_json(path) == {"mtf50_per_mm": 0.41}
    flip_digit(path)
    with pytest.raises(ValueError, match=r"site\.json is damaged"):
        read_sealed_json(path)


def test_a_damaged_file_is_not_copied_and_a_copy_is_sealed(tmp_path):
    path, copy = tmp_path / "a.json", tmp_path / "b.json"
    write_sealed_json(path, {"gain": 2})
    copy_sealed(path, copy)
    flip_digit(copy)
    with pytest.raises(ValueError, match=r"b\.json is damaged"):
        read_sealed_json(copy)
    with pytest.raises(ValueError, match=r"b\.json is damaged"):
        copy_sealed(copy, path)


def test_what_was_never_sealed_is_taken_as_it_is(tmp_path):
    path = tmp_path / "sites.tsv"
    write_sheet(path, FRAME)
    flip_digit(path)
    assert len(read_table(path)) == 2
    assert [file.name for file in tmp_path.iterdir()] == ["sites.tsv"]


def test_the_seal_of_a_cut_file_or_an_empty_seal_does_not_pass(tmp_path):
    path = tmp_path / "scans.tsv"
    write_table(path, FRAME)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(ValueError, match="is damaged"):
        read_table(path)
    write_table(path, FRAME)
    path.with_name(".scans.tsv.sha256").write_text("")
    with pytest.raises(ValueError, match="is damaged"):
        read_table(path)


def test_the_seal_is_what_sha256sum_reads(tmp_path):
    path = tmp_path / "scans.tsv"
    write_table(path, FRAME)
    seal(path)
    check = ["sha256sum", "--check", "--strict", ".scans.tsv.sha256"]
    assert subprocess.run(check, cwd=tmp_path, capture_output=True).returncode == 0
