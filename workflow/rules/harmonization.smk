# Each scan as the target site's scanner would have shown it, beside the simpler methods


rule harmonize:
    input:
        ingested=at("ingested/{site}/{batch}"),
        registered=at("registered/{site}/{batch}"),
        template=at("template"),
        model=at("models/{model}"),
        adapted=profile_of_site,
    output:
        directory(at("harmonized/{model}/{site}/{batch}")),
    log:
        log_of("harmonize", "model", "site", "batch"),
    benchmark:
        benchmark_of("harmonize", "model", "site", "batch")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        rows=rows_of_batch,
        target=config["target"],
        settings=config["harmonization"],
        seed=config["seed"],
        version=VERSIONS["harmonize"],
    script:
        "../scripts/harmonize.py"


rule baseline:
    input:
        ingested=at("ingested/{site}/{batch}"),
        source=batches_of_site("ingested/{site}/{batch}"),
        target=every_batch("ingested/{site}/{batch}", [config["target"]]),
    output:
        directory(at("baselines/{site}/{batch}")),
    log:
        log_of("baseline", "site", "batch"),
    benchmark:
        benchmark_of("baseline", "site", "batch")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=3000,
        runtime=120,
    params:
        rows=rows_of_batch,
        target=config["target"],
        settings=config["harmonization"],
        methods=config["harmonization"]["baselines"],
        seed=config["seed"],
        version=VERSIONS["baseline"],
    script:
        "../scripts/baseline.py"
