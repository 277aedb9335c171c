"""One integer per stage, bumped when the numbers it writes change.

Rules pass it as a parameter, so Snakemake reruns exactly what a release made stale, and an edit
that changes no number reruns nothing.
"""

VERSIONS = {
    "simulate": 4,
    "ingest": 5,
    "survey": 1,
    "template": 4,
    "register": 5,
    "train": 3,
    "adapt": 2,
    "train_peer": 2,
    "baseline": 2,
    "harmonize": 6,
    "traverse": 1,
    "package": 2,
    "fetch": 1,
    "export": 1,
    "features": 1,
    "demonstrate": 1,
    "confounding": 1,
    "evaluate": 8,
    "features_only": 2,
    "report": 12,
    "track": 1,
}
