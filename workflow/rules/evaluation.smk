# Did the scanner go, did the patient stay: measures with intervals, and a report


rule features:
    input:
        ingested=at("ingested/{site}/{batch}"),
        harmonized=lambda wildcards: (
            []
            if wildcards.method == "none"
            else at("harmonized/{method}/{site}/{batch}").format(**wildcards)
        ),
    output:
        directory(at("features/{method}/{site}/{batch}")),
    log:
        log_of("features", "method", "site", "batch"),
    benchmark:
        benchmark_of("features", "method", "site", "batch")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=growing(60),
    params:
        rows=rows_of_batch,
        settings=features_block(config),
        seed=config["seed"],
        version=VERSIONS["features"],
    script:
        "../scripts/features.py"


rule evaluate:
    input:
        ingested=every_batch("ingested/{site}/{batch}"),
        registered=every_batch("registered/{site}/{batch}"),
        harmonized=every_batch("harmonized/{model}/{site}/{batch}"),
        baselines=every_batch("baselines/{site}/{batch}"),
        features_before=every_batch("features/none/{site}/{batch}"),
        features_after=every_batch("features/{model}/{site}/{batch}"),
        simulated=every_batch("simulated/{site}/{batch}", simulated_sites()),
        model=at("models/{model}"),
    output:
        report(
            directory(at("evaluation/{model}")),
            patterns=["{name}.tsv"],
            caption="../report/metrics.rst",
            category="Evaluation",
            subcategory="{model}",
        ),
    log:
        log_of("evaluate", "model"),
    benchmark:
        benchmark_of("evaluate", "model")
    conda:
        ENVIRONMENT
    threads: 2
    resources:
        mem_mb=growing(4000),
        runtime=growing(120),
    params:
        rows=all_rows(),
        sites=sites_of("reference", "query"),
        target=config["target"],
        settings=evaluation_block(config),
        seed=config["seed"],
        version=VERSIONS["evaluate"],
    script:
        "../scripts/evaluate.py"


rule report:
    input:
        ingested=every_batch("ingested/{site}/{batch}"),
        survey=at("survey"),
        registered=every_batch("registered/{site}/{batch}"),
        baselines=every_batch("baselines/{site}/{batch}"),
        harmonized=expand(every_batch("harmonized/{model}/{site}/{batch}"), model=list(MODELS)),
        models=expand(at("models/{model}"), model=list(MODELS)),
        adapted=expand(
            at("adapted/{model}/{site}"), model=list(MODELS), site=COHORT.of_role("query")
        ),
        traversals=expand(at("traversals/{model}"), model=list(MODELS)),
        evaluation=expand(at("evaluation/{model}"), model=list(MODELS)),
    output:
        report(at("report.html"), caption="../report/report.rst", category="Report"),
    log:
        log_of("report"),
    benchmark:
        benchmark_of("report")
    conda:
        ENVIRONMENT
    resources:
        mem_mb=growing(2000),
        runtime=growing(30),
    params:
        study=config["study"],
        models=list(MODELS),
        rows=all_rows(),
        sites=sites_of("reference", "query"),
        target=config["target"],
        settings=config["report"],
        demonstrations=demonstrated(),
        seed=config["seed"],
        version=VERSIONS["report"],
    script:
        "../scripts/report.py"
