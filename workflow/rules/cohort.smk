# Virtual scans with known truth, for the demo and for studies of truth
from ctharmony.phantom.scanner import job_size

SIMULATE_MB, SIMULATE_MINUTES = job_size(config.get("simulation"), config["batch_size"])


rule simulate:
    output:
        dicom=passing("simulated", "simulated/{site}/{batch}"),
        truth=directory(at("truth/{site}/{batch}")),
    log:
        log_of("simulate", "site", "batch"),
    benchmark:
        benchmark_of("simulate", "site", "batch")
    conda:
        ENVIRONMENT
    resources:
        **for_batch(mem_mb=SIMULATE_MB, runtime=SIMULATE_MINUTES),
    params:
        rows=lambda wildcards: COHORT.rows(wildcards.site, wildcards.batch),
        site=lambda wildcards: COHORT.sites[wildcards.site].describe(),
        scanner=lambda wildcards: SCANNERS[COHORT.sites[wildcards.site].scanner],
        target_scanner=lambda wildcards: SCANNERS[COHORT.sites[config["target"]].scanner],
        settings=simulation_of_site,
        seed=config["seed"],
        version=VERSIONS["simulate"],
    script:
        "../scripts/simulate.py"
