"""Units of the terms that history.tsv names."""

from collections.abc import Collection

from ctharmony.model.critics import SLICED, WASSERSTEIN

PLAIN = ("lipschitz", "lipschitz_high", "lipschitz_off", "density", "coverage")
# what a Wasserstein distance is told in: the samples' own unit, by place
SAMPLES = {"invariance": "SD", "realism": "1"}


def term_unit(term: str, terms: Collection[str]) -> str:
    """Unit of a term: nats, 1 for pure numbers, the samples' own for Wasserstein distances.

    Args:
        term: its name; terms: all names of the training, as a place's total (`invariance`,
            `realism`) has the unit of the divergence that stands beside it.
    """
    if term.endswith(PLAIN):
        return "1"
    place = term.partition("_")[0]
    distances = {f"{place}_{name}" for name in (SLICED, WASSERSTEIN)}
    apart = term in distances or (term == place and distances & set(terms))
    return SAMPLES.get(place, "nats") if apart else "nats"
