"""A linear probe that answers for every place of an image, of the site or of a patient's trait.

It is trained on body patches (`patches`) in a few numbers each (`descriptors`); a scan's answer is
the mean over its patches. A place is taken away by putting patches of other patients there: the
mean answer about training patches of the same tissue, every class counted equally. A frequency
band is taken away by giving it the mean power of those patches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.base import ClassifierMixin

from ctharmony.evaluation.cases import UNTOUCHED
from ctharmony.evaluation.descriptors import DescriptorSettings, described, tissue_of
from ctharmony.evaluation.explanation import without_features
from ctharmony.evaluation.probes import (
    ProbeResult,
    ProbeSettings,
    judge,
    linear_probe,
    refusal,
    subject_folds,
)
from ctharmony.evaluation.streaming import Measured

ANY = ""  # stands for all tissues together
HALVES = ("high", "low")


@dataclass(frozen=True)
class Described:
    """Scans as the probe sees them.

    Attributes:
        descriptors: (patches, numbers); tissue: (patches,) names.
        owner: (patches,) index of the scan of each.
        scans, subjects, sites: (scans,) ids and names.
    """

    descriptors: np.ndarray
    tissue: np.ndarray
    owner: np.ndarray
    scans: np.ndarray
    subjects: np.ndarray
    sites: np.ndarray

    def only(self, kept: np.ndarray) -> "Described":
        """The scans for which `kept` (scans,) is true."""
        inside = kept[self.owner]
        return replace(
            self,
            descriptors=self.descriptors[inside],
            tissue=self.tissue[inside],
            owner=(np.cumsum(kept) - 1)[self.owner[inside]],
            scans=self.scans[kept],
            subjects=self.subjects[kept],
            sites=self.sites[kept],
        )


@dataclass(frozen=True)
class Question:
    """What is asked of every scan.

    Attributes:
        name: site, or the trait; classes: sorted names.
        values: (scans,) the class's column, or the trait's values where `halved`.
        halved: whether the classes are the halves of the values at the training median.
    """

    name: str
    classes: tuple[str, ...]
    values: np.ndarray
    halved: bool = False

    def codes(self, given: np.ndarray, subjects: np.ndarray) -> np.ndarray:
        """Column (scans,) of every scan's class; the median is over `given` (scans,) subjects."""
        if not self.halved:
            return self.values.astype(int)
        first = np.unique(subjects[given], return_index=True)[1]
        return (self.values <= np.median(self.values[given][first])).astype(int)


@dataclass(frozen=True)
class PlaceProbe:
    """A fitted probe of one fold.

    Attributes:
        model: on descriptors; held: (scans,) bool, those it never saw anything of.
        codes: (scans,) column of every scan's class.
        usual: tissue -> mean descriptors of its training patches, classes equal.
        unseen: tissue -> mean answer about them.
    """

    model: ClassifierMixin
    held: np.ndarray
    codes: np.ndarray
    usual: dict[str, np.ndarray]
    unseen: dict[str, np.ndarray]

    def __call__(self, descriptors: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes)."""
        return self.model.predict_proba(descriptors)

    def without_place(self, tissue: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes) where other patients' patches take the places (n,)."""
        return np.array([self.unseen.get(name, self.unseen[ANY]) for name in tissue])

    def without_each(
        self, descriptors: np.ndarray, tissue: np.ndarray, how: DescriptorSettings
    ) -> Iterator[tuple[str, np.ndarray]]:
        """Kind of evidence and the probabilities (n, classes) without it, one after the other."""
        usual = np.array([self.usual.get(name, self.usual[ANY]) for name in tissue])
        for name, columns in how.groups.items():
            yield name, self(without_features(descriptors, columns, usual))


def describe_scans(measured: Sequence[Measured], method: str, how: DescriptorSettings) -> Described:
    """The patches of every scan that has some under a method; tissues are the untouched image's."""
    own = [one for one in measured if len(one.patches.get(method, ()))]
    sizes = [len(one.patches[method]) for one in own]
    side = own[0].patches[method].shape[1:] if own else (1, 1)
    patches = [one.patches[method] for one in own] or [np.zeros((0, *side))]
    untouched = [one.patches[UNTOUCHED] for one in own] or patches
    words = ([getattr(one.case, key) for one in own] for key in ("scan", "subject", "site"))
    return Described(
        described(np.concatenate(patches), how),
        tissue_of(np.concatenate(untouched), how),
        np.repeat(np.arange(len(own)), sizes),
        *(np.array(names, dtype=str) for names in words),
    )


def site_question(seen: Described) -> Question:
    """Which site a scan comes from."""
    classes, codes = np.unique(seen.sites, return_inverse=True)
    return Question("site", tuple(map(str, classes)), codes)


def why_not(seen: Described, asked: Question, how: ProbeSettings) -> str | None:
    """Why a question cannot be asked, in a sentence, or None where it can."""
    return refusal(_labels(seen, asked), seen.subjects, how)


def fit_places(seen: Described, asked: Question, how: ProbeSettings) -> list[PlaceProbe]:
    """A probe for every fold by subject; ask `why_not` before."""
    folds = subject_folds(_labels(seen, asked), seen.subjects, how)
    return [_fitted(seen, asked, folds == fold, how) for fold in np.unique(folds)]


def judged(
    seen: Described, asked: Question, probes: Sequence[PlaceProbe], how: ProbeSettings
) -> ProbeResult:
    """Each scan by the probe that never saw its subject: the mean over its patches."""
    found = np.zeros((len(seen.scans), len(asked.classes)))
    truth = np.zeros(len(seen.scans), dtype=int)
    for probe in probes:
        for scan in np.flatnonzero(probe.held):
            found[scan] = probe(seen.descriptors[seen.owner == scan]).mean(axis=0)
        truth[probe.held] = probe.codes[probe.held]
    return judge(found, np.array(asked.classes)[truth], seen.subjects, asked.classes, how)


def _labels(seen: Described, asked: Question) -> np.ndarray:
    """Class of every scan, halves at the median of all: for folds and refusals alone."""
    return np.array(asked.classes)[asked.codes(np.ones(len(seen.scans), bool), seen.subjects)]


def _fitted(seen: Described, asked: Question, held: np.ndarray, how: ProbeSettings) -> PlaceProbe:
    codes = asked.codes(~held, seen.subjects)
    given = ~held[seen.owner]
    features, tissue = seen.descriptors[given], seen.tissue[given]
    labels = codes[seen.owner[given]]
    model = linear_probe(how).fit(features, labels)
    told, usual, unseen = model.predict_proba(features), {}, {}
    for name in (ANY, *np.unique(tissue)):
        inside = (tissue == name) | (name == ANY)
        # a tissue that a class lacks would tell the class by itself
        if len(np.unique(labels[inside])) == len(asked.classes):
            usual[str(name)] = _balanced(features[inside], labels[inside])
            unseen[str(name)] = _balanced(told[inside], labels[inside])
    return PlaceProbe(model, held, codes, usual, unseen)


def _balanced(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Mean over classes of the mean over each class's rows."""
    return np.mean([values[labels == label].mean(axis=0) for label in np.unique(labels)], axis=0)
