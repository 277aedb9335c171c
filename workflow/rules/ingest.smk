# DICOM and NIfTI become de-identified volumes in HU with quality and physics measured


rule ingest:
    input:
        simulated=simulated_batch,
    output:
        directory(at("ingested/{site}/{batch}")),
    log:
        log_of("ingest", "site", "batch"),
    benchmark:
        benchmark_of("ingest", "site", "batch")
    # before more is simulated, whose DICOM would wait
    priority: 1
    conda:
        ENVIRONMENT
    resources:
        **for_batch(mem_mb=2000, runtime=60),
    params:
        rows=rows_of_batch,
        role=lambda wildcards: COHORT.sites[wildcards.site].role,
        settings=config["ingest"],
        results=lambda wildcards: config["results"],
        seed=config["seed"],
        version=VERSIONS["ingest"],
    script:
        "../scripts/ingest.py"


rule survey:
    input:
        ingested=every_batch("ingested/{site}/{batch}"),
    output:
        directory(at("survey")),
    log:
        log_of("survey"),
    benchmark:
        benchmark_of("survey")
    conda:
        ENVIRONMENT
    resources:
        **growing(mem_mb=1000, runtime=30),
    params:
        rows=all_rows(),
        settings=config["survey"],
        seed=config["seed"],
        version=VERSIONS["survey"],
    script:
        "../scripts/survey.py"
