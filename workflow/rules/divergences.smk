# Can the divergences be trusted? Problems of known truth; only `snakemake divergence_study` runs them
DEMONSTRATIONS = [name for name in config["divergence_study"] if name != "seeds"]


def demonstrated():
    """Folders of the demonstrations that have been run -> when; the report shows them."""
    folders = [Path(at("divergence_study"), name) for name in DEMONSTRATIONS]
    return {str(folder): folder.stat().st_mtime_ns for folder in folders if folder.is_dir()}


rule demonstrate:
    output:
        report(
            directory(at("divergence_study/{demonstration}")),
            patterns=["{name}.png"],
            caption="../report/divergence_study.rst",
            category="Divergence study",
            subcategory="{demonstration}",
        ),
    log:
        log_of("demonstrate", "demonstration"),
    benchmark:
        benchmark_of("demonstrate", "demonstration")
    wildcard_constraints:
        demonstration="|".join(DEMONSTRATIONS),
    conda:
        ENVIRONMENT
    resources:
        mem_mb=1000,
        runtime=30,
    params:
        settings=lambda wildcards: config["divergence_study"][wildcards.demonstration],
        seeds=config["divergence_study"]["seeds"],
        version=VERSIONS["demonstrate"],
    script:
        "../scripts/demonstrate.py"
