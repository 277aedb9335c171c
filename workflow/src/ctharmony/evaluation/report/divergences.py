"""Section on the divergence study: what each divergence does where the truth is known."""

import pandas as pd

from ctharmony.evaluation.report.blocks import Drawing, Section, Text, data_uri, table
from ctharmony.evaluation.report.record import StudyRecord

# demonstration -> (what is shown, how to read it)
READINGS = {
    "bounds": (
        "Variational bounds against closed forms of Gaussians",
        "Every bound should reach its closed form from below: 1 is exact, and an interval that "
        "ends below 1 is a critic that has not learned all.",
    ),
    "supports": (
        "Two parallel lines",
        "Without overlap JS stands at log 2 with a slope of 0 and can teach nothing; Wasserstein "
        "is the distance itself, with slope 1.",
    ),
    "single_mode": (
        "One mode against two",
        "The forward KL spreads over both modes, the reverse KL sits down on one of them.",
    ),
    "constraint": (
        "Is the Wasserstein critic 1-Lipschitz?",
        "Inside the grey band its value is a distance. Beyond the samples nothing holds it.",
    ),
    "ring": ("Ring of 8 Gaussians", "Crosses are the modes, dots what was generated."),
    "grid": ("Grid of 25 Gaussians", "Crosses are the modes, dots what was generated."),
    "invariance": (
        "Invariance with a known answer",
        "Lower right loses biology, upper right keeps the scanner; upper left is asked for. An "
        "AUC of 0.5 is chance, judged on patients whose site was drawn by lot.",
    ),
}
MIXTURE = {
    "divergence": "divergence",
    "modes": "modes captured (mean)",
    "least": "fewest",
    "of": "modes",
    "near": "share near a mode",
    "coverage": "coverage",
    "dropped": "runs with modes dropped",
    "failures": "failures",
}


def divergence_section(study: StudyRecord) -> Section | None:
    """Figures and tables of every demonstration that was run; None where none was."""
    if not study.demonstrations:
        return None
    section = Section("divergences", "Divergence study",
        "Which divergence can be trusted where the truth is known.")  # fmt: skip
    for name, (tables, pictures) in study.demonstrations.items():
        title, reading = READINGS.get(name, (name, ""))
        for png in pictures.values():
            source = data_uri(png, "image/png")
            section.blocks.append(Drawing(source, title, f"{title}. {reading}", wide=True))
        section.blocks.extend(_tables(name, title, tables))
    return section


def _tables(name: str, title: str, tables: dict[str, pd.DataFrame]) -> list:
    found = []
    if "summary" in tables:
        picked = tables["summary"].loc[tables["summary"]["chosen"].astype(bool), "divergence"]
        if len(picked):
            text = (
                f"Chosen from this table: {picked.iloc[0]}, which hides the site best among those "
                "that keep biology within 0.05 of R2 and never failed."
            )
            found.append(Text(text, "note"))
    for key, frame in tables.items():
        shown = mixture_summary(frame) if "mixture" in frame else frame
        labels = {column: str(column).replace("_", " ") for column in shown.columns}
        labels = MIXTURE if "mixture" in frame else labels
        caption = title if key == name else f"{title}: {key.replace('_', ' ')}."
        found.append(table(f"{title}, {key.replace('_', ' ')}", caption, shown, labels, frame))
    return found


def mixture_summary(frame: pd.DataFrame) -> pd.DataFrame:
    """A row per divergence over the seeds of a mixture's table."""
    groups = frame.groupby("divergence", sort=False)
    return groups.agg(
        modes=("modes", "mean"),
        least=("modes", "min"),
        of=("of", "first"),
        near=("near", "mean"),
        coverage=("coverage", "mean"),
        dropped=("modes_dropped", "sum"),
        failures=("failed", "sum"),
    ).reset_index()
