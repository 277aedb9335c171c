# Parameters and resources that the stages share
from ctharmony.sheets import Rows


def rows_of_batch(wildcards):
    """Manifest rows of a batch; a simulated scan's path is where `simulate` writes it."""
    rows = COHORT.rows(wildcards.site, wildcards.batch)
    if COHORT.sites[wildcards.site].scanner is None:
        return rows
    folder = at(f"simulated/{wildcards.site}/{wildcards.batch}/dicom")
    return Rows({**row, "path": f"{folder}/{row['scan']}"} for row in rows)


def for_batch(rows=rows_of_batch, **amounts):
    """Resources that grow with every attempt, and how many scans the job holds, for its pace."""
    return {**growing(**amounts), "scans": lambda wildcards: len(rows(wildcards))}


def simulation_of_site(wildcards):
    """The simulation block without the other sites' populations, so that a new one reruns none."""
    population = config["simulation"]["population"]
    own = {site: part for site, part in population["segments"].items() if site == wildcards.site}
    return {**config["simulation"], "population": {**population, "segments": own}}


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
        **growing(mem_mb=6000, runtime=720),
        "gpu": 0,
        "tasks_per_gpu": 1,
        "nodes": lambda wildcards: layout(wildcards)["nodes"],
        "tasks": lambda wildcards: layout(wildcards)["nodes"] * layout(wildcards)["devices"],
    }


def all_rows():
    """Manifest rows of the whole study, in order; from a function, or Snakemake rebuilds them."""
    rows = Rows(row for site in COHORT.sites.values() for row in site.rows)
    return lambda wildcards: rows


def rows_of_role(role):
    """Manifest rows of the sites of one role, in order."""
    rows = Rows(row for site in COHORT.of_role(role) for row in COHORT.sites[site].rows)
    return lambda wildcards: rows


def whole_study(stage):
    """What rules that look at the whole study are told of it."""
    return {
        "rows": all_rows(),
        "sites": sites_of("reference", "query"),
        "target": config["target"],
        "seed": config["seed"],
        "version": VERSIONS[stage],
    }


def training_study():
    """What `train` is told of the reference sites."""
    return {
        "rows": rows_of_role("reference"),
        "sites": sites_of("reference"),
        "withdrawn": withdrawn_sites("reference"),
    }


def training_with_site():
    """What `train` is told of the reference sites and one query site; its scans train too."""
    own = lambda wildcards: [COHORT.sites[site] for site in references_and(wildcards.site)]
    return {
        "rows": lambda wildcards: Rows(row for site in own(wildcards) for row in site.rows),
        "sites": lambda wildcards: [site.describe() for site in own(wildcards)],
        "withdrawn": [],
        "taken_in": lambda wildcards: scans_that_stay(wildcards.site),
    }


def demonstrated():
    """Folders of the demonstrations that have been run -> when; the report shows them."""
    folders = [Path(at("divergence_study"), name) for name in DEMONSTRATIONS]
    return {str(folder): folder.stat().st_mtime_ns for folder in folders if folder.is_dir()}


def training_settings(wildcards):
    """The model's settings; where a fetched model comes from and its seed are none of them."""
    return without(MODELS[wildcards.model], "source", "seed")


def packaged_settings(model):
    """What a harmonizer needs to know beside its weights."""
    return {
        "study": config["study"],
        "model": model,
        "target": config["target"],
        "harmonization": carrying_block(config),
        "quality": config["ingest"]["quality"],
        "input": config["ingest"]["input"],
    }
