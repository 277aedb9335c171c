"""How far the critics' numbers of a model can be trusted: curves, last values, how to read them."""

import pandas as pd

from ctharmony.evaluation.report import plots
from ctharmony.evaluation.report.blocks import Drawing, Table, Text, drawing, table
from ctharmony.evaluation.report.record import ModelRecord

PLACES = {"invariance": "z_b against site", "realism": "decoded against real tiles"}
READINGS = {
    "js": "JS as the critic tells it; log 2 = 0.69 nats is its ceiling, where it teaches nothing",
    "generator_gradient": "how much the generator still moves, nats per SD; below 0.01 nothing",
    "lipschitz": "slope of the critic between the samples; a Wasserstein critic needs 1",
    "lipschitz_high": "its 95th percentile",
    "lipschitz_off": "slope beyond the samples, where nothing holds the critic",
    "density": "decoded patches per neighbourhood of a real one; 1 where both are alike",
    "coverage": "share of real patches with a decoded one nearby; 0.97 where both are alike",
}
DECODED = {"decoded_density": "density", "decoded_coverage": "coverage"}


def told(term: str) -> tuple[str, str] | None:
    """(place, measure) of a critic's or a coverage term of the history; None for other terms."""
    if term in DECODED:
        return "decoded", DECODED[term]
    place, _, measure = str(term).partition("_")
    return (place, measure) if place in PLACES and measure else None


def honesty_blocks(model: ModelRecord) -> list[Drawing | Table | Text]:
    """The critics' curves and the monitors' last values; empty where none was kept."""
    history = model.history
    if not {"epoch", "term", "split", "value"} <= set(history.columns):
        return []
    own = history[history["term"].map(lambda term: told(term) is not None)]
    if own.empty:
        return []
    panels: dict[str, dict[str, tuple]] = {}
    for (term, split), rows in own.groupby(["term", "split"], sort=False):
        line = (rows["epoch"].to_numpy(), rows["value"].to_numpy(float))
        panels.setdefault(str(term), {})[str(split)] = line
    caption = (
        "What each critic says and how far to trust it. An estimate that is higher on training "
        "than on validation scans is learned by heart."
    )
    figure = plots.histories(panels, "")
    title = f"Can the critics of {model.name} be trusted?"
    columns = {"of": "of", "measure": "measure", "value": "value", "reading": "how to read it"}
    last = _last(own)
    return [
        drawing(figure, "Estimates and monitors of the critics over the epochs", caption, True),
        table(title, "At the last epoch, on validation scans.", last, columns, last),
    ]


def _last(own: pd.DataFrame) -> pd.DataFrame:
    rows = own[(own["split"] == "validation") & (own["epoch"] == own["epoch"].max())]
    found = []
    for row in rows.itertuples():
        place, measure = told(row.term) or ("", "")
        reading = READINGS.get(measure, "the divergence itself, per place or tile, held out")
        name = PLACES.get(place, "decoded patches")
        found.append({"of": name, "measure": measure.replace("_", " "), "value": row.value})
        found[-1]["reading"] = reading
    return pd.DataFrame(found, columns=["of", "measure", "value", "reading"])
