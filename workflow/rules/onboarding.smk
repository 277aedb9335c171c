# How many scans a new site needs: a study of truth, not part of the default run
from ctharmony.phantom.population import is_travelling


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


def training_with_site():
    """What `train` is told of the reference sites and one query site; its scans train too."""
    own = lambda wildcards: [COHORT.sites[site] for site in references_and(wildcards.site)]
    return {
        "rows": lambda wildcards: Rows(row for site in own(wildcards) for row in site.rows),
        "sites": lambda wildcards: [site.describe() for site in own(wildcards)],
        "withdrawn": [],
        "taken_in": lambda wildcards: scans_that_stay(wildcards.site),
    }


rule train_with_site:
    input:
        ingested=batches_of_training("ingested/{site}/{batch}"),
        registered=batches_of_training("registered/{site}/{batch}"),
    output:
        directory(at("trained_with_site/{model}/{site}")),
    log:
        log_of("train_with_site", "model", "site"),
    benchmark:
        benchmark_of("train_with_site", "model", "site")
    conda:
        ENVIRONMENT
    threads: lambda wildcards: MODELS[wildcards.model]["threads"]
    resources:
        **training_resources(),
    params:
        **training_with_site(),
        settings=training_settings,
        operator_settings=config["harmonization"]["operator"],
        checkpoint=at("checkpoints/{model}_with_{site}"),
        seed=lambda wildcards: MODELS[wildcards.model]["seed"],
        version=VERSIONS["train"],
    script:
        "../scripts/train.py"


rule onboarding:
    input:
        ingested=batches_of_site("ingested/{site}/{batch}"),
        registered=batches_of_site("registered/{site}/{batch}"),
        truth=batches_of_site("truth/{site}/{batch}"),
        model=at("models/{model}"),
        trained=at("trained_with_site/{model}/{site}"),
    output:
        directory(at("onboarding_study/{model}/{site}")),
    log:
        log_of("onboarding", "model", "site"),
    benchmark:
        benchmark_of("onboarding", "model", "site")
    conda:
        ENVIRONMENT
    resources:
        **growing(mem_mb=4000, runtime=240),
    params:
        target=config["target"],
        carrying=carrying_block(config),
        study=config["onboarding_study"],
        seed=config["seed"],
        version=[VERSIONS[stage] for stage in ("adapt", "harmonize")],
    script:
        "../scripts/onboarding.py"


rule onboarding_study:
    input:
        expand(
            at("onboarding_study/{model}/{site}"),
            model=list(MODELS),
            site=[site for site in COHORT.of_role("query") if site in simulated_sites()],
        ),
