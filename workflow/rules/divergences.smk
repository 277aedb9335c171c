# Can the divergences be trusted? Problems of known truth; only `snakemake divergence_study` runs them
DEMONSTRATIONS = [name for name in config["divergence_study"] if name != "seeds"]


def demonstrated():
    """Demonstrations whose results are there: name -> when they were made."""
    folders = {name: Path(at("divergence_study"), name) for name in DEMONSTRATIONS}
    return {name: folder.stat().st_mtime_ns for name, folder in folders.items() if folder.is_dir()}


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
