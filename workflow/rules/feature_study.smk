# A table of radiomics from elsewhere, harmonized and judged; only `snakemake features_only` runs it


rule features_only:
    output:
        report(
            directory(at("feature_study")),
            patterns=["{name}.tsv"],
            caption="../report/feature_study.rst",
            category="Feature study",
        ),
    log:
        log_of("features_only"),
    benchmark:
        benchmark_of("features_only")
    conda:
        ENVIRONMENT
    resources:
        **growing(mem_mb=2000, runtime=60),
    params:
        settings=config["feature_study"],
        probes=config["evaluation"]["probes"],
        seed=config["seed"],
        version=VERSIONS["features_only"],
    script:
        "../scripts/features_only.py"
