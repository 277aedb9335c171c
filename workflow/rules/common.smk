# Paths, inputs and parameters that the stages share


def at(path):
    """A path inside the study's results folder; its wildcards stay open."""
    return f"{config['results']}/{path}"


def path_of_job(root, ending, rule_name, wildcards):
    """<root>/<rule>/<wildcards><ending>; a rule without wildcards bears its own name there."""
    parts = [f"{{{wildcard}}}" for wildcard in wildcards] or [rule_name]
    return str(Path(root, rule_name, *parts)) + ending


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


def sheets_of_study():
    """Paths of the sites sheet and of the manifests of the sites that are in the study."""
    return [config["sites"], *(site.manifest for site in COHORT.sites.values())]


def withdrawn_sites(role):
    """Ids of the sites of one role that left the study."""
    return [site for site, former in COHORT.withdrawn.items() if former == role]


def training_resources():
    """What `train` asks of a cluster; a profile asks for GPUs by `set-resources`."""
    layout = lambda wildcards: MODELS[wildcards.model]["training"]
    return {
        "mem_mb": growing(6000),
        "runtime": growing(720),
        "gpu": 0,
        "tasks_per_gpu": 1,
        "nodes": lambda wildcards: layout(wildcards)["nodes"],
        "tasks": lambda wildcards: layout(wildcards)["nodes"] * layout(wildcards)["devices"],
    }


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


def demonstrated():
    """Folders of the demonstrations that have been run -> when; the report shows them."""
    folders = [Path(at("divergence_study"), name) for name in DEMONSTRATIONS]
    return {str(folder): folder.stat().st_mtime_ns for folder in folders if folder.is_dir()}


def training_settings(wildcards):
    """The model's settings; where a fetched model comes from is none of them."""
    return {key: value for key, value in MODELS[wildcards.model].items() if key != "source"}


def packaged_settings(model):
    """What a harmonizer needs to know beside its weights."""
    return {
        "study": config["study"],
        "model": model,
        "target": config["target"],
        "harmonization": config["harmonization"],
        "quality": config["ingest"]["quality"],
        "input": config["ingest"]["input"],
    }


def exported():
    """DICOM of every harmonized batch, where the study asks for it."""
    if not config["export"]["dicom"]:
        return []
    return expand(every_batch("dicom/{model}/{site}/{batch}"), model=list(MODELS))
