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
        **for_batch(mem_mb=2000, runtime=60),
    params:
        rows=rows_of_batch,
        settings=features_block(config),
        seed=config["seed"],
        version=VERSIONS["features"],
    script:
        "../scripts/features.py"


rule evaluate:
    input:
        **evaluated_stages(),
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
        **growing(mem_mb=4000, runtime=120),
    params:
        **whole_study("evaluate"),
        settings=evaluation_block(config),
    script:
        "../scripts/evaluate.py"


rule report:
    input:
        **each_batch("ingested", "registered"),
        **each_model("models", "evaluation", "traversals"),
        survey=at("survey"),
        harmonized=expand(every_batch("harmonized/{model}/{site}/{batch}"), model=list(MODELS)),
        adapted=adapted_sites(),
    output:
        report(at("report.html"), caption="../report/report.rst", category="Report"),
    log:
        log_of("report"),
    benchmark:
        benchmark_of("report")
    conda:
        ENVIRONMENT
    resources:
        **growing(mem_mb=2000, runtime=30),
    params:
        **whole_study("report"),
        study=config["study"],
        aim=config["harmonization"]["aim"],
        models=list(MODELS),
        settings=report_block(config),
        demonstrations=demonstrated(),
    script:
        "../scripts/report.py"
