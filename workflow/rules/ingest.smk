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
    conda:
        ENVIRONMENT
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        rows=rows_of_batch,
        role=lambda wildcards: COHORT.sites[wildcards.site].role,
        settings=config["ingest"],
        results=config["results"],
        seed=config["seed"],
        version=VERSIONS["ingest"],
    script:
        "../scripts/ingest.py"
