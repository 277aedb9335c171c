"""Onboard a query site from ever more scans and hold the results against the truth."""

from ctharmony.job import start_job

logger = start_job(snakemake)

from pathlib import Path  # noqa: E402

import pandas as pd  # noqa: E402

from ctharmony.evaluation.agreement import mean_absolute_error  # noqa: E402
from ctharmony.evaluation.onboarding import subsets, summarise  # noqa: E402
from ctharmony.harmonization.harmonizer import Measured, ScanHarmonizer, SiteScanner  # noqa: E402
from ctharmony.harmonization.operators import ScannerOperator, estimate_operator  # noqa: E402
from ctharmony.io.files import read_json  # noqa: E402
from ctharmony.io.models import (  # noqa: E402
    encode_scans,
    read_curves,
    read_model,
    read_usable_rows,
)
from ctharmony.io.registered import read_masked  # noqa: E402
from ctharmony.io.tables import write_table  # noqa: E402
from ctharmony.io.truth import travelling_truth  # noqa: E402
from ctharmony.io.volumes import read_volume  # noqa: E402
from ctharmony.model.adaptation import adapt  # noqa: E402

given, params, site = snakemake.input, snakemake.params, snakemake.wildcards.site
block, how = params.settings["harmonization"], params.settings["onboarding_study"]
model, folder = read_model(given.model), Path(given.model)
prior = ScannerOperator.from_dict(read_json(folder / "reference.json")["operator"])
target = SiteScanner.from_profile(read_json(folder / "sites" / f"{params.target}.json"))
rows = read_usable_rows(given.ingested, given.registered)
curves, truth = read_curves(rows), travelling_truth(given.simulated)
own = rows[~rows["scan"].isin(truth)]
posteriors = encode_scans(model, own, logger)


def harmonizer(scans):
    """The study's harmonizer, the site known from these scans alone."""
    profile = adapt(model, [posteriors[scan] for scan in scans])
    seen = own[own["scan"].isin(scans)]
    operator = estimate_operator(curves[curves["scan"].isin(scans)], seen, block["operator"], prior)
    known = {site: SiteScanner(operator, profile.prior_mean, profile.reason)}
    return ScanHarmonizer(known | {params.target: target}, params.target, block, model.decode)


def error(carrier, row):
    """Body MAE of one travelling scan to the target scanner's, HU."""
    scan = row["scan"]
    volume, mask = read_masked(row["folder"], scan)
    measured = Measured(row, curves[curves["scan"] == scan])
    result, _ = carrier.carry(volume.hu, volume.spacing, site, measured)
    return mean_absolute_error(result.hu, read_volume(truth[scan]).hu, mask > 0)


found = []
for part in subsets(list(posteriors), how["sizes"], how["repeats"], params.seed):
    carrier = harmonizer(part.scans)
    for row in rows[rows["scan"].isin(truth)].to_dict("records"):
        found.append(
            {"size": part.size, "repeat": part.repeat, "scan": row["scan"],
             "paired_mae_hu": error(carrier, row)}
        )  # fmt: skip
    logger.info("%s scans, draw %d", part.size, part.repeat)
out = Path(snakemake.output[0])
write_table(out / "errors.tsv", pd.DataFrame(found))
write_table(out / "onboarding.tsv", summarise(pd.DataFrame(found)))
