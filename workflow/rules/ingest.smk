# DICOM and NIfTI become de-identified volumes in HU with quality and physics measured


rule ingest:
    input:
        simulated=simulated_batch,
    output:
        directory(at("ingested/{site}/{batch}")),
    log:
        log_of("ingest", "site", "batch"),
    conda:
        ENVIRONMENT
    params:
        rows=rows_of_batch,
        settings=config["ingest"],
        seed=config["seed"],
        version=VERSIONS["ingest"],
    resources:
        mem_mb=2000,
        runtime=60,
    script:
        "../scripts/ingest.py"
