# Patients that are scanned at every site, for the confounding study
from ctharmony.settings import merge

CONFOUNDING = config["confounding_study"]


def pool_batches(path):
    """`path` for each batch of the study's patients at each of its sites."""
    count = -(-sum(CONFOUNDING["patients"].values()) // CONFOUNDING["batch_size"])
    names = [f"b{number:04d}" for number in range(count)]
    return expand(at(f"confounding_study/{path}"), site=CONFOUNDING["sites"], batch=names)


def pool_site(wildcards):
    """The virtual site that scans a batch; one that is not in the study is told in a sentence."""
    site = COHORT.sites.get(wildcards.site)
    if site is None or site.scanner is None:
        raise WorkflowError(
            f"config key confounding_study.sites names '{wildcards.site}', which is no virtual site "
            f"of {config['sites']}; write sites whose column scanner is filled"
        )
    return site


def pool_rows(wildcards):
    """The patients of a batch: the same at every site."""
    parts = CONFOUNDING["patients"]
    splits = [split for split, count in parts.items() for _ in range(count)]
    start, size = int(wildcards.batch[1:]) * CONFOUNDING["batch_size"], CONFOUNDING["batch_size"]
    folder = at(f"confounding_study/simulated/{wildcards.site}/{wildcards.batch}/dicom")
    rows = []
    for number, split in list(enumerate(splits, start=1))[start : start + size]:
        subject, scan = f"pool-{number:03d}", f"{wildcards.site}-pool-{number:03d}"
        named = {"scan": scan, "subject": subject, "split": split, "site": wildcards.site}
        rows.append({**named, "path": f"{folder}/{scan}"})
    return Rows(rows)


def pool_simulation(wildcards):
    """The study's grids; the patients of all sites come from one population."""
    settings = merge(config["simulation"], CONFOUNDING["simulation"])
    own = {"confounding": 0.0, "segments": {}}
    return {**settings, "population": {**settings["population"], **own}}


def confounding_settings():
    """What the answers at one degree of confounding depend on."""
    return {
        "harmonization": carrying_block(config),
        "study": without(CONFOUNDING, "correlations"),
        "model": without(merge(config["model"], CONFOUNDING["model"]), "seed"),
        "features": features_block(config),
        "probes": config["evaluation"]["probes"],
    }
