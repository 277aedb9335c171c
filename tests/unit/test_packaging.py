"""What the ecosystem reads of the repository: environments, citation, catalogue, CI, studies."""

import re

import yaml

from ctharmony.settings import check_settings, merge


def load(path):
    return yaml.safe_load(path.read_text())


def test_the_apptainer_image_takes_its_pins_from_the_constraints(root):
    definition = (root / "envs" / "ctharmony.def").read_text()
    installs = [line for line in definition.splitlines() if "pip install" in line]
    assert len(installs) == 2
    assert all("-c constraints.txt" in line for line in installs)
    assert "project']['dependencies']" in definition
    # a version written here could go its own way
    assert not re.search(r"==\d", definition)


def test_both_conda_environments_hold_the_same_packages(root):
    cpu, gpu = (load(root / "envs" / f"{name}.yaml") for name in ("cpu", "gpu"))
    assert cpu == gpu
    python = next(item for item in cpu["dependencies"] if str(item).startswith("python="))
    assert (root / "pyproject.toml").read_text().count(python.replace("python=", ">=")) == 1


def test_the_citation_is_whole(root):
    citation = load(root / "CITATION.cff")
    for key in ("cff-version", "message", "title", "authors", "version", "license"):
        assert citation[key]
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] == "software"
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}", str(citation["date-released"]))
    assert f'version = "{citation["version"]}"' in (root / "pyproject.toml").read_text()


def test_the_workflow_catalogue_finds_what_it_needs(root):
    usage = load(root / ".snakemake-workflow-catalog.yml")["usage"]
    assert {"mandatory-flags", "software-stack-deployment", "report"} <= set(usage)
    for name in ("README.md", "LICENSE", "workflow/Snakefile", "config/README.md"):
        assert (root / name).is_file()
    assert (root / "workflow" / "documentation.md").is_file()


def test_github_runs_what_ci_runs(root):
    steps = load(root / ".github" / "workflows" / "ci.yml")["jobs"]["test"]["steps"]
    commands = [step["run"] for step in steps if "run" in step]
    assert len(commands) == 1
    assert commands[0].split()[-1] == ".ci/run"


def test_ready_studies_keep_the_schema(root):
    studies = sorted((root / "config").glob("*/config.yaml"))
    assert root / "config" / "small" / "config.yaml" in studies
    for path in studies:
        config = merge(load(root / "config" / "config.yaml"), load(path))
        check_settings(config, root / "workflow" / "schemas" / "config.schema.yaml")
        assert config["results"].startswith("results/")


def test_links_of_the_documents_lead_somewhere(root):
    for document in ("README.md", "workflow/documentation.md"):
        for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", (root / document).read_text()):
            assert (root / document).parent.joinpath(target).exists(), f"{document}: {target}"
