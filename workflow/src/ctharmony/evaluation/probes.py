"""Can a classifier tell where a scan comes from? Out of fold, all scans of a subject in one fold.

The score is the AUC of Hand and Till (Machine Learning 2001): the mean over all pairs of classes,
so that no class counts more than another; .5 is chance, 1 a perfect probe.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ctharmony.evaluation.bootstrap import Estimate, interval, subject_weights

# (training features, test features, training sites, test sites) -> both transformed
Prepare = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class ProbeSettings:
    """How probes are trained and judged.

    Attributes:
        folds: number of folds, by subject.
        minimum_subjects: subjects a class must have to be probed.
        linear_c: inverse strength of the linear probe's L2 penalty.
        forest_trees: trees of the forest.
        bootstrap_repeats, permutations: resamples of subjects, shuffles of labels.
        seed: of folds, forest, resamples and shuffles.
    """

    folds: int
    minimum_subjects: int
    linear_c: float
    forest_trees: int
    bootstrap_repeats: int
    permutations: int
    seed: int


@dataclass(frozen=True)
class Sample:
    """Scans as a probe sees them.

    Attributes:
        features: (scans, features), NaN where missing.
        subjects: (scans,) ids; a subject is never split over folds.
        sites: (scans,) names, the batch of a harmonizer of features.
        prepare: such a harmonizer, fitted on the training fold alone, or None.
    """

    features: np.ndarray
    subjects: np.ndarray
    sites: np.ndarray
    prepare: Prepare | None = None

    def only(self, kept: np.ndarray) -> "Sample":
        """The scans for which `kept` (scans,) is true."""
        return replace(
            self,
            features=self.features[kept],
            subjects=self.subjects[kept],
            sites=self.sites[kept],
        )

    def fold(self, held: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Training and test features where `held` (scans,) marks the test fold."""
        train, test = self.features[~held], self.features[held]
        if self.prepare is None:
            return train, test
        return self.prepare(train, test, self.sites[~held], self.sites[held])


@dataclass(frozen=True)
class ProbeResult:
    """An out-of-fold probe.

    Attributes:
        auc: Hand-Till AUC with its interval over subjects.
        p_value: share of label shuffles that score at least as well (Phipson and Smyth 2010).
        probabilities: (scans, classes), every row from a probe that saw no scan of its subject.
        classes: names of the columns.
    """

    auc: Estimate
    p_value: float
    probabilities: np.ndarray
    classes: tuple[str, ...]


def refusal(labels: Sequence[str], subjects: Sequence[str], how: ProbeSettings) -> str | None:
    """Why these scans cannot be probed, in a sentence, or None where they can."""
    labels, subjects = np.asarray(labels, dtype=str), np.asarray(subjects, dtype=str)
    names = sorted(set(labels))
    if len(names) < 2:
        return "cannot be answered: a probe needs at least two classes"
    counts = {name: len(set(subjects[labels == name])) for name in names}
    scarce = min(counts, key=lambda name: counts[name])
    needed = max(2, how.minimum_subjects)
    if counts[scarce] < needed:
        return (
            f"cannot be answered: {scarce} has {counts[scarce]} subject(s), "
            f"a probe by subject needs at least {needed}"
        )
    return None


def linear_probe(how: ProbeSettings) -> ClassifierMixin:
    """Standardised logistic regression; missing values take the training median."""
    return make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True),
        StandardScaler(),
        LogisticRegression(C=how.linear_c, max_iter=500),
    )


def forest_probe(how: ProbeSettings) -> ClassifierMixin:
    """A random forest; missing values take the training median."""
    forest = RandomForestClassifier(how.forest_trees, random_state=how.seed, n_jobs=1)
    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), forest)


PROBES: dict[str, Callable[[ProbeSettings], ClassifierMixin]] = {
    "linear": linear_probe,
    "forest": forest_probe,
}


def subject_folds(labels: np.ndarray, subjects: np.ndarray, how: ProbeSettings) -> np.ndarray:
    """Fold of every scan (scans,): stratified by label, all scans of a subject together."""
    fewest = min(len(set(subjects[labels == name])) for name in set(labels))
    count = max(2, min(how.folds, fewest))
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=how.seed)
    folds = np.zeros(len(labels), dtype=int)
    for number, (_, held) in enumerate(splitter.split(labels[:, None], labels, subjects)):
        folds[held] = number
    return folds


def probe(sample: Sample, labels: Sequence[str], kind: str, how: ProbeSettings) -> ProbeResult:
    """Probe `labels` (scans,), for instance the sites, out of fold with a probe of PROBES.

    Raises:
        ValueError: `refusal` has something against these scans.
    """
    labels = np.asarray(labels, dtype=str)
    reason = refusal(labels, sample.subjects, how)
    if reason:
        raise ValueError(reason)
    folds = subject_folds(labels, sample.subjects, how)
    classes = tuple(sorted(set(labels)))
    found = np.zeros((len(labels), len(classes)))
    for number in np.unique(folds):
        held = folds == number
        train, test = sample.fold(held)
        model = PROBES[kind](how).fit(train, labels[~held])
        found[np.ix_(held, np.searchsorted(classes, model.classes_))] = model.predict_proba(test)
    return judge(found, labels, sample.subjects, classes, how)


def judge(
    probabilities: np.ndarray,
    labels: np.ndarray,
    subjects: np.ndarray,
    classes: tuple[str, ...],
    how: ProbeSettings,
) -> ProbeResult:
    """Score out-of-fold probabilities (scans, classes) with interval and permutation p-value."""
    codes = np.searchsorted(classes, labels)
    held = np.eye(len(classes))[codes]
    value = float(hand_till_auc(probabilities, held[None])[0])
    weights = subject_weights(subjects, how.bootstrap_repeats, how.seed)
    replicates = hand_till_auc(probabilities, weights[:, :, None] * held)
    estimate = interval(replicates, value, len(set(subjects)))
    shuffled = shuffled_labels(codes, subjects, how.permutations, how.seed)
    chance = hand_till_auc(probabilities, np.eye(len(classes))[shuffled])
    # not "at least": an undefined score speaks for chance
    p_value = (1 + np.count_nonzero(~(chance < value))) / (1 + how.permutations)
    return ProbeResult(estimate, float(p_value), probabilities, classes)


def hand_till_auc(probabilities: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Hand-Till AUC of out-of-fold probabilities under many memberships, (repeats,).

    Args:
        probabilities: (scans, classes).
        held: (repeats, scans, classes) weight of a scan in a class: one-hot labels, or those
            times how often a scan was drawn.

    Returns:
        Mean over ordered pairs of classes of P(own scan scores higher than other), ties half;
        NaN in a repeat where a class has no scan.
    """
    classes = probabilities.shape[1]
    areas = np.zeros(len(held))
    for own in range(classes):
        column = probabilities[:, own]
        wins = (column[:, None] > column[None]) + 0.5 * (column[:, None] == column[None])
        beaten = held[:, :, own] @ wins
        for other in range(classes):
            if other != own:
                with np.errstate(invalid="ignore", divide="ignore"):
                    pairs = held[:, :, own].sum(1) * held[:, :, other].sum(1)
                    areas += (beaten * held[:, :, other]).sum(1) / pairs
    return areas / (classes * (classes - 1))


def shuffled_labels(codes: np.ndarray, subjects: np.ndarray, repeats: int, seed: int) -> np.ndarray:
    """Label codes (scans,) shuffled as if labels meant nothing, (repeats, scans).

    Subjects with scans in one class swap classes among each other; a subject seen in several has
    its labels shuffled within itself. Both leave the scans of a subject exchangeable.
    """
    generator = np.random.default_rng(seed)
    _, owner = np.unique(subjects, return_inverse=True)
    groups = [np.flatnonzero(owner == index) for index in range(owner.max() + 1)]
    settled = [group for group in groups if np.ptp(codes[group]) == 0]
    moving = [group for group in groups if np.ptp(codes[group]) > 0]
    own = np.array([codes[group[0]] for group in settled], dtype=int)
    places = np.concatenate([*settled, np.zeros(0, dtype=int)]).astype(int)
    sizes = [len(group) for group in settled]
    shuffled = np.tile(codes, (repeats, 1))
    for row in shuffled:
        row[places] = np.repeat(generator.permutation(own), sizes)
        for group in moving:
            row[group] = generator.permutation(codes[group])
    return shuffled
