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
        **for_batch(mem_mb=4000, runtime=120),
    params:
        rows=rows_of_batch,
        target=config["target"],
        settings=carrying_block(config),
        seed=config["seed"],
        version=VERSIONS["harmonize"],
    script:
        "../scripts/harmonize.py"


rule train_peer:
    input:
        **each_batch("ingested", "registered", sites=COHORT.of_role("reference")),
    output:
        directory(at("peers/{peer}")),
    log:
        log_of("train_peer", "peer"),
    benchmark:
        benchmark_of("train_peer", "peer")
    conda:
        ENVIRONMENT
    threads: config["model"]["threads"]
    resources:
        **growing(mem_mb=6000, runtime=720),
    params:
        rows=rows_of_role("reference"),
        model=without(config["model"], "seed"),
        settings=config["harmonization"]["peers"],
        seed=config["seed"],
        version=VERSIONS["train_peer"],
    script:
        "../scripts/train_peer.py"


rule baseline:
    input:
        ingested=at("ingested/{site}/{batch}"),
        peers=[at(f"peers/{name}") for name in learned_baselines(config)],
        source=batches_of_site("ingested/{site}/{batch}"),
        target=every_batch("ingested/{site}/{batch}", [config["target"]]),
    output:
        passing("baselines", "baselines/{site}/{batch}"),
    log:
        log_of("baseline", "site", "batch"),
    benchmark:
        benchmark_of("baseline", "site", "batch")
    conda:
        ENVIRONMENT
    resources:
        **for_batch(mem_mb=3000, runtime=120),
    params:
        rows=rows_of_batch,
        target=config["target"],
        settings=baselines_block(config),
        methods=config["harmonization"]["baselines"],
        seed=config["seed"],
        version=VERSIONS["baseline"],
    script:
        "../scripts/baseline.py"
