# Paths and inputs that the stages share
from ctharmony.phantom.population import is_travelling


def at(path):
    """A path inside the study's results folder; its wildcards stay open."""
    return f"{config['results']}/{path}"


def path_of_job(root, ending, rule_name, wildcards):
    """<root>/<rule>/<wildcards><ending>; a rule without wildcards bears its own name there."""
    parts = [f"{{{wildcard}}}" for wildcard in wildcards] or [rule_name]
    return str(Path(root, rule_name, *parts)) + ending


def passing(kind, path):
    """A folder that can be made again: it stays where the config keeps its kind."""
    folder = directory(at(path))
    return folder if config["keep"][kind] else temp(folder)


def log_of(rule_name, *wildcards):
    """logs/<results>/<rule>/<wildcards>.log"""
    root = Path("logs", Path(config["results"]).name)
    return path_of_job(root, ".log", rule_name, wildcards)


def benchmark_of(rule_name, *wildcards):
    """<results>/benchmarks/<rule>/<wildcards>.tsv: seconds and peak memory of each job."""
    return path_of_job(at("benchmarks"), ".tsv", rule_name, wildcards)


def every_batch(path, sites=None):
    """`path` for each batch of the given sites (all by default); other wildcards stay open."""
    return [
        at(path).replace("{site}", site).replace("{batch}", batch)
        for site, batch in COHORT.places(sites)
    ]


def batches_of_site(path):
    """Input function: `path` for each batch of the wildcard's site."""
    return lambda wildcards: [
        name.format(**wildcards) for name in every_batch(path, [wildcards.site])
    ]


def references_and(site):
    """The reference sites and one site more, in order."""
    return [known for known in COHORT.sites if known in (*COHORT.of_role("reference"), site)]


def batches_of_training(path):
    """Input function: `path` for each batch of the reference sites and the wildcard's site."""
    return lambda wildcards: [
        name for site in references_and(wildcards.site) for name in every_batch(path, [site])
    ]


def scans_that_stay(site):
    """Ids of a virtual site's scans whose patients do not travel."""
    return [row["scan"] for row in COHORT.sites[site].rows if not is_travelling(row)]


def each_batch(*stages, sites=None):
    """Stage -> its batches of the given sites (all by default)."""
    return {stage: every_batch(f"{stage}/{{site}}/{{batch}}", sites) for stage in stages}


def each_model(*stages):
    """Stage -> its folder of every model."""
    return {stage: expand(at(f"{stage}/{{model}}"), model=list(MODELS)) for stage in stages}


def adapted_sites(*models):
    """The profile of every query site for each of the models (all by default)."""
    known = {"model": models or list(MODELS), "site": COHORT.of_role("query")}
    return expand(at("adapted/{model}/{site}"), **known)


def evaluated_stages():
    """All that the measures of one model are taken from, by stage."""
    stages = each_batch("ingested", "registered", "baselines")
    return stages | {
        "harmonized": every_batch("harmonized/{model}/{site}/{batch}"),
        "features_before": every_batch("features/none/{site}/{batch}"),
        "features_after": every_batch("features/{model}/{site}/{batch}"),
        "truth": every_batch("truth/{site}/{batch}", simulated_sites()),
        "model": at("models/{model}"),
    }


def simulated_batch(wildcards):
    """The simulated batch that ingest reads, or nothing where the scans are real."""
    if COHORT.sites[wildcards.site].scanner is None:
        return []
    return at("simulated/{site}/{batch}").format(**wildcards)


def simulated_sites():
    """Sites whose scans are simulated."""
    return [site.site for site in COHORT.sites.values() if site.scanner]


def profile_of_site(wildcards):
    """The folder that holds a query site's profile; a reference site's is in the model's."""
    if COHORT.sites[wildcards.site].role == "reference":
        return []
    return at("adapted/{model}/{site}").format(**wildcards)


def exported():
    """DICOM of every harmonized batch, where the study asks for it."""
    if not config["export"]["dicom"]:
        return []
    return expand(every_batch("dicom/{model}/{site}/{batch}"), model=list(MODELS))
