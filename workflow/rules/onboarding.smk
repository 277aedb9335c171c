# How many scans a new site needs: a study of truth, not part of the default run


use rule train as train_with_site with:
    input:
        ingested=batches_of_training("ingested/{site}/{batch}"),
        registered=batches_of_training("registered/{site}/{batch}"),
    output:
        directory(at("trained_with_site/{model}/{site}")),
    log:
        log_of("train_with_site", "model", "site"),
    benchmark:
        benchmark_of("train_with_site", "model", "site")
    params:
        **training_with_site(),
        settings=training_settings,
        operator_settings=config["harmonization"]["operator"],
        checkpoint=at("checkpoints/{model}_with_{site}"),
        seed=lambda wildcards: MODELS[wildcards.model]["seed"],
        version=VERSIONS["train"],


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
