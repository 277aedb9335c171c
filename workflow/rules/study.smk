# The study: a checked configuration, its cohort and its virtual scanners
import os
from pathlib import Path

from ctharmony.cohort import StudyError, load_cohort
from ctharmony.resources import growing
from ctharmony.settings import (
    baselines_block,
    carrying_block,
    check_settings,
    evaluation_block,
    expand_models,
    features_block,
    in_order,
    learned_baselines,
    load_scanners,
    registration_block,
    report_block,
    without,
)
from ctharmony.versions import VERSIONS
from snakemake.exceptions import WorkflowError

SCHEMAS = Path(str(workflow.current_basedir)) / ".." / "schemas"
ENVIRONMENT = "../../envs/cpu.yaml"


def load_study():
    """The cohort of a configuration that keeps its schema; a fault becomes one clear sentence."""
    try:
        check_settings(config, SCHEMAS / "config.schema.yaml")
        ordered = in_order(config, SCHEMAS / "config.schema.yaml")
        config.clear()
        config.update(ordered)
        cohort = load_cohort(config["sites"], config["batch_size"], config["split"])
        check_target(cohort)
        check_results()
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


def check_results():
    """Results can be written where they are to go."""
    place = Path(config["results"])
    existing = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
    if not os.access(existing, os.W_OK):
        raise StudyError(
            f"config key results names {place}, but {existing} is read-only for you; correct its "
            "owner or mode, or write elsewhere"
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
FETCHED = [name for name, settings in MODELS.items() if settings["source"]]
NEVER = "(?!)"  # matches no wildcard
DEMONSTRATIONS = [name for name in config["divergence_study"] if name != "seeds"]


wildcard_constraints:
    site="[A-Za-z0-9_-]+",
    batch=r"b\d+",
    model="|".join(MODELS),
    method="|".join(["none", *MODELS]),
