# Does biology stay where sites differ in patients? Virtual; only `snakemake confounding_study` runs it
use rule simulate as confounding_simulate with:
    output:
        dicom=passing("simulated", "confounding_study/simulated/{site}/{batch}"),
        truth=directory(at("confounding_study/truth/{site}/{batch}")),
    log:
        log_of("confounding_simulate", "site", "batch"),
    benchmark:
        benchmark_of("confounding_simulate", "site", "batch")
    resources:
        **for_batch(pool_rows, mem_mb=SIMULATE_MB, runtime=SIMULATE_MINUTES),
    params:
        rows=pool_rows,
        site=lambda wildcards: pool_site(wildcards).describe(),
        scanner=lambda wildcards: SCANNERS[pool_site(wildcards).scanner],
        target_scanner=lambda wildcards: SCANNERS[COHORT.sites[config["target"]].scanner],
        settings=pool_simulation,
        seed=config["seed"],
        version=VERSIONS["simulate"],


use rule ingest as confounding_ingest with:
    input:
        simulated=at("confounding_study/simulated/{site}/{batch}"),
    output:
        directory(at("confounding_study/ingested/{site}/{batch}")),
    log:
        log_of("confounding_ingest", "site", "batch"),
    benchmark:
        benchmark_of("confounding_ingest", "site", "batch")
    resources:
        **for_batch(pool_rows, mem_mb=2000, runtime=60),
    params:
        rows=pool_rows,
        role="reference",
        settings=config["ingest"],
        results=lambda wildcards: config["results"],
        seed=config["seed"],
        version=VERSIONS["ingest"],


use rule features as confounding_features with:
    input:
        ingested=at("confounding_study/ingested/{site}/{batch}"),
    output:
        directory(at("confounding_study/features/{site}/{batch}")),
    log:
        log_of("confounding_features", "site", "batch"),
    benchmark:
        benchmark_of("confounding_features", "site", "batch")
    resources:
        **for_batch(pool_rows, mem_mb=2000, runtime=60),
    params:
        rows=pool_rows,
        settings=features_block(config),
        seed=config["seed"],
        version=VERSIONS["features"],


rule confounding:
    input:
        truth=pool_batches("truth/{site}/{batch}"),
        ingested=pool_batches("ingested/{site}/{batch}"),
        features=pool_batches("features/{site}/{batch}"),
    output:
        at("confounding_study/answers/{correlation}.tsv"),
    log:
        log_of("confounding", "correlation"),
    benchmark:
        benchmark_of("confounding", "correlation")
    conda:
        ENVIRONMENT
    resources:
        **growing(mem_mb=4000, runtime=60),
    params:
        settings=confounding_settings(),
        target=config["target"],
        seed=config["seed"],
        version=[VERSIONS[stage] for stage in ("train", "harmonize", "features", "confounding")],
    script:
        "../scripts/confounding.py"


rule confounding_study:
    input:
        expand(rules.confounding.output, correlation=CONFOUNDING["correlations"]),
    output:
        report(
            directory(at("confounding_study/table")),
            patterns=["{name}.png", "{name}.tsv"],
            caption="../report/confounding_study.rst",
            category="Confounding study",
        ),
    log:
        log_of("confounding_study"),
    conda:
        ENVIRONMENT
    params:
        loss=CONFOUNDING["biology_loss"],
        version=VERSIONS["confounding"],
    script:
        "../scripts/confounding_study.py"
