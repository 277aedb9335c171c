"""Outputs of a site that leaves, and of one that leaves twice."""

from ctharmony.commands.withdraw import archive, mark


def test_only_the_sites_own_folders_move(tmp_path):
    # a model that bears the site's name
    for place in ("ingested/ridge", "harmonized/ridge/ridge", "harmonized/ridge/delta",
                  "models/ridge", "evaluation/ridge"):  # fmt: skip
        (tmp_path / place / "b0000").mkdir(parents=True)
    assert archive(tmp_path, "ridge") == 2
    left = {path.parent.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("b0000")}
    assert left == {
        "harmonized/ridge/delta", "models/ridge", "evaluation/ridge",
        "withdrawn/ridge/ingested/ridge", "withdrawn/ridge/harmonized/ridge/ridge",
    }  # fmt: skip


def test_a_site_that_leaves_again_does_not_touch_what_was_kept(tmp_path):
    for content in ("first", "second"):
        (tmp_path / "ingested" / "ridge").mkdir(parents=True)
        (tmp_path / "ingested" / "ridge" / "scans.tsv").write_text(content)
        archive(tmp_path, "ridge")
    kept = [tmp_path / "withdrawn" / name for name in ("ridge", "ridge-2")]
    assert [(path / "ingested/ridge/scans.tsv").read_text() for path in kept] == ["first", "second"]


def test_the_sheet_is_marked_and_otherwise_kept(tmp_path):
    sheet = tmp_path / "sites.tsv"
    sheet.write_text(
        "site\trole\tmanifest\tscanner\ndelta\tquery\td.tsv\t\nridge\tquery\tr.tsv\t\n"
    )
    mark(sheet, "ridge", "2026-11")
    assert sheet.read_text().splitlines() == [
        "site\trole\tmanifest\tscanner\twithdrawn",
        "delta\tquery\td.tsv\t\t",
        "ridge\tquery\tr.tsv\t\t2026-11",
    ]
