"""Faults that can be known before work starts are told then, in one sentence with the mend."""

import pytest
import yaml

from study import ROOT

pytestmark = pytest.mark.workflow


def refusal(study):
    """The sentence a dry run ends with; it fails before any job."""
    study.write()
    done = study.run("--dry-run")
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert not study.results.exists()
    return done.stdout


def test_misspelled_key(file_study):
    file_study.config["registration"]["templte"] = "medoid"
    said = refusal(file_study)
    assert "config key 'templte' in registration is not known; did you mean 'template'?" in said


def test_value_out_of_range(file_study):
    file_study.config["batch_size"] = 0
    assert "config key batch_size: 0 is less than the minimum of 1" in refusal(file_study)


def test_misspelled_key_of_a_model(file_study):
    file_study.config["models"] = {"plain": {"training": {"stpes": 3}}}
    assert "'stpes' in models.plain.training is not known; did you mean 'steps'?" in refusal(
        file_study
    )


def test_unknown_target_site(file_study):
    file_study.config["target"] = "gamma"
    said = refusal(file_study)
    assert "target names the site 'gamma', which is not a reference site" in said
    assert "write one of alpha" in said


def test_query_site_as_target(file_study):
    file_study.config["target"] = "beta"
    assert "'beta', which is not a reference site" in refusal(file_study)


def test_duplicate_scan(file_study):
    file_study.manifests["alpha"][2].append(dict(file_study.manifests["alpha"][2][0]))
    assert "the scan 'alpha-1' stands there twice" in refusal(file_study)


def test_missing_path(file_study):
    file_study.manifests["beta"][2][0]["path"] = "archive/nowhere"
    said = refusal(file_study)
    assert "scan beta-1 of site beta points to archive/nowhere, which does not exist" in said


def test_missing_sites_sheet(file_study):
    file_study.config["sites"] = "config/sights.tsv"
    assert "config/sights.tsv does not exist; correct the path" in refusal(file_study)


def test_unknown_virtual_scanner(file_study):
    role, _, rows = file_study.manifests["alpha"]
    file_study.manifests["alpha"] = (role, "tricorder", rows)
    assert "simulation.scanners names config/demo/scanners.yaml, which does not exist" in (
        refusal(file_study)
    )
    file_study.config["simulation"]["scanners"] = str(ROOT / "config" / "demo" / "scanners.yaml")
    assert "names the virtual scanner 'tricorder'" in refusal(file_study)


def test_fault_in_the_virtual_scanners(file_study):
    """Every fault of scanners.yaml is told before work starts, each in its own sentence."""
    role, _, rows = file_study.manifests["alpha"]
    file_study.manifests["alpha"] = (role, "alpine", rows)
    content = yaml.safe_load((ROOT / "config" / "demo" / "scanners.yaml").read_text())
    content["scanners"]["alpine"]["kvp"] = 95
    content["scanners"]["summit"]["kernal"] = content["scanners"]["summit"].pop("kernel")
    sheet = file_study.folder / "scanners.yaml"
    sheet.write_text(yaml.safe_dump(content))
    file_study.config["simulation"]["scanners"] = "scanners.yaml"
    said = refusal(file_study)
    assert "scanners.yaml: config key scanners.alpine.kvp: 95 is not one of [80, 90," in said
    assert "'kernal' in scanners.summit is not known; did you mean 'kernel'?" in said
    sheet.write_text("scanners: [alpine\n  kvp: 1")
    assert "scanners.yaml is not YAML" in refusal(file_study)


def test_command_line_misspelling(file_study):
    done = file_study.run("--dry-run", "--config", "tarjet=alpha")
    assert done.returncode != 0
    assert "config key 'tarjet' in the configuration is not known; did you mean 'target'?" in (
        done.stdout
    )
