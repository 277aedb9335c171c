# What all stages need: the checked configuration, the cohort, paths and parameters
from pathlib import Path

from ctharmony.cohort import StudyError, load_cohort
from ctharmony.settings import (
    check_settings,
    evaluation_block,
    expand_models,
    features_block,
    learned_baselines,
    load_scanners,
)
from ctharmony.versions import VERSIONS
from snakemake.exceptions import WorkflowError

SCHEMAS = Path(str(workflow.current_basedir)) / ".." / "schemas"
ENVIRONMENT = "../../envs/cpu.yaml"


def load_study():
    """The cohort of a configuration that keeps its schema; a fault becomes one clear sentence."""
    try:
        check_settings(config, SCHEMAS / "config.schema.yaml")
        cohort = load_cohort(config["sites"], config["batch_size"], config["split"])
        check_target(cohort)
    except StudyError as error:
        raise WorkflowError(str(error)) from None
    return cohort


def check_target(cohort):
    """Harmonization aims at a reference site of this study."""
    references = cohort.of_role("reference")
    if config["target"] not in references:
        raise StudyError(
            f"config key target names the site '{config['target']}', which is not a reference "
            f"site of {config['sites']}; write one of {', '.join(references)}"
        )


def study_scanners():
    """Settings of the virtual scanners by name; none where every site has real scans."""
    named = {site.scanner for site in COHORT.sites.values() if site.scanner}
    if not named:
        return {}
    if "simulation" not in config:
        raise WorkflowError(
            f"{config['sites']} names virtual scanners, but the configuration has no block "
            "simulation; copy it from config/config.yaml"
        )
    sheet = config["simulation"]["scanners"]
    try:
        scanners = load_scanners(sheet, SCHEMAS / "scanners.schema.yaml")
    except StudyError as error:
        raise WorkflowError(str(error)) from None
    strange = sorted(named - set(scanners))
    if strange:
        raise WorkflowError(
            f"{config['sites']} names the virtual scanner '{strange[0]}', which {sheet} does not "
            f"describe; write one of {', '.join(scanners)}"
        )
    return scanners


COHORT = load_study()
SCANNERS = study_scanners()
MODELS = expand_models(config)


wildcard_constraints:
    site="[A-Za-z0-9_-]+",
    batch=r"b\d+",
    model="|".join(MODELS),
    method="|".join(["none", *MODELS]),


def at(path):
    """A path inside the study's results folder; its wildcards stay open."""
    return f"{config['results']}/{path}"


def log_of(rule_name, *wildcards):
    """logs/<results>/<rule>/<wildcards>.log"""
    parts = [f"{{{wildcard}}}" for wildcard in wildcards] or [rule_name]
    return str(Path("logs", Path(config["results"]).name, rule_name, *parts)) + ".log"


def benchmark_of(rule_name, *wildcards):
    """<results>/benchmarks/<rule>/<wildcards>.tsv: seconds and peak memory of each job."""
    parts = [f"{{{wildcard}}}" for wildcard in wildcards] or [rule_name]
    return str(Path(config["results"], "benchmarks", rule_name, *parts)) + ".tsv"


def every_batch(path, sites=None):
    """`path` for each batch of the given sites (all by default); other wildcards stay open."""
    return [
        at(path).replace("{site}", site).replace("{batch}", batch)
        for site, batch in COHORT.places(sites)
    ]


def batches_of_site(path):
    """Input function: `path` for each batch of the wildcard's site."""
    return lambda wildcards: [
        name.format(**{**wildcards, "site": wildcards.site})
        for name in every_batch(path, [wildcards.site])
    ]


def rows_of_batch(wildcards):
    """Manifest rows of a batch; a simulated scan's path is where `simulate` writes it."""
    rows = COHORT.rows(wildcards.site, wildcards.batch)
    if COHORT.sites[wildcards.site].scanner is None:
        return rows
    folder = at(f"simulated/{wildcards.site}/{wildcards.batch}/dicom")
    return [{**row, "path": f"{folder}/{row['scan']}"} for row in rows]


def simulated_batch(wildcards):
    """The simulated batch that ingest reads, or nothing where the scans are real."""
    if COHORT.sites[wildcards.site].scanner is None:
        return []
    return at("simulated/{site}/{batch}").format(**wildcards)


def simulation_of_site(wildcards):
    """The simulation block without the other sites' populations, so that a new one reruns none."""
    population = config["simulation"]["population"]
    own = {site: part for site, part in population["segments"].items() if site == wildcards.site}
    return {**config["simulation"], "population": {**population, "segments": own}}


def simulated_sites():
    """Sites whose scans are simulated."""
    return [site.site for site in COHORT.sites.values() if site.scanner]


def sites_of(*roles):
    """Rows of the sites sheet for the given roles."""
    return [site.describe() for site in COHORT.sites.values() if site.role in roles]


def all_rows():
    """Manifest rows of the whole study, in order."""
    return [row for site in COHORT.sites.values() for row in site.rows]


def rows_of_role(role):
    """Manifest rows of the sites of one role, in order."""
    return [row for site in COHORT.of_role(role) for row in COHORT.sites[site].rows]


def profile_of_site(wildcards):
    """The folder that holds a query site's profile; a reference site's is in the model's."""
    if COHORT.sites[wildcards.site].role == "reference":
        return []
    return at("adapted/{model}/{site}").format(**wildcards)
