# The reference sites train the model; a query site is onboarded with the network frozen


rule train:
    input:
        **each_batch("ingested", "registered", sites=COHORT.of_role("reference")),
    output:
        directory(at("models/{model}")),
    log:
        log_of("train", "model"),
    benchmark:
        benchmark_of("train", "model")
    wildcard_constraints:
        model="|".join(sorted(set(MODELS) - set(FETCHED))) or NEVER,
    conda:
        ENVIRONMENT
    threads: lambda wildcards: MODELS[wildcards.model]["threads"]
    resources:
        **training_resources(),
    params:
        **training_study(),
        settings=training_settings,
        operator_settings=config["harmonization"]["operator"],
        checkpoint=at("checkpoints/{model}"),
        seed=lambda wildcards: MODELS[wildcards.model]["seed"],
        version=VERSIONS["train"],
    script:
        "../scripts/train.py"


rule adapt:
    input:
        ingested=batches_of_site("ingested/{site}/{batch}"),
        registered=batches_of_site("registered/{site}/{batch}"),
        model=at("models/{model}"),
    output:
        directory(at("adapted/{model}/{site}")),
    log:
        log_of("adapt", "model", "site"),
    benchmark:
        benchmark_of("adapt", "model", "site")
    conda:
        ENVIRONMENT
    resources:
        **growing(mem_mb=3000, runtime=60),
    params:
        rows=lambda wildcards: Rows(COHORT.sites[wildcards.site].rows),
        settings=training_settings,
        operator_settings=config["harmonization"]["operator"],
        seed=config["seed"],
        version=VERSIONS["adapt"],
    script:
        "../scripts/adapt.py"
