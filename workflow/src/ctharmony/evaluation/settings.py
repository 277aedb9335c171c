"""The `evaluation` block of the configuration as values that measures take."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ctharmony.evaluation.cases import OURS, UNTOUCHED
from ctharmony.evaluation.cnn_probe import CnnSettings
from ctharmony.evaluation.descriptors import DescriptorSettings
from ctharmony.evaluation.feature_study import FeatureStudySettings
from ctharmony.evaluation.image_features import ImageFeatureSettings
from ctharmony.evaluation.paired import PairedSettings
from ctharmony.evaluation.patches import PatchSettings
from ctharmony.evaluation.place_rows import ExplanationSettings
from ctharmony.evaluation.probes import ProbeSettings
from ctharmony.evaluation.slice_windows import WindowSettings
from ctharmony.evaluation.streaming import SeenSettings
from ctharmony.quality.noise import NoiseSettings


@dataclass(frozen=True)
class EvaluationSettings:
    """Everything `evaluate` needs to know.

    Attributes:
        probes, cnn, paired, explanation: settings of those measures.
        seen: what the probes see of an image.
        covariates: columns of the manifest that are biology where no truth is known.
        overlap_minimum: overlap of a covariate below which two sites are not comparable.
        known_share: share of every site's scans that must know a feature for it to be compared.
        distance_repeats: resamples of subjects for distances between sites.
        wiener_slices: slices of each training pair that the paired filter is fitted on.
        ccc_threshold: concordance from which a feature counts as reproducible.
        headline_features: radiomic features whose ICC is written to metrics.tsv.
        strongest_features: features that count in effect_bias.
        feature_harmonizers: methods run on the untouched features.
    """

    probes: ProbeSettings
    cnn: CnnSettings
    paired: PairedSettings
    explanation: ExplanationSettings
    seen: SeenSettings
    covariates: tuple[str, ...]
    overlap_minimum: float
    known_share: float
    distance_repeats: int
    wiener_slices: int
    ccc_threshold: float
    headline_features: tuple[str, ...]
    strongest_features: int
    feature_harmonizers: tuple[str, ...]


def evaluation_settings(block: Mapping[str, Any], seed: int) -> EvaluationSettings:
    """Read the block; it has been checked against its schema before."""
    noise = NoiseSettings.from_dict(block["noise"])
    paired = dict(block["paired"])
    tissues = {
        name: (float(low), float(high)) for name, (low, high) in paired["tissues_hu"].items()
    }
    probes, cnn = ProbeSettings(**block["probes"], seed=seed), _cnn_settings(block["cnn"])
    paired = PairedSettings(**(paired | {"tissues_hu": tissues}), noise=noise)
    explanation = _explanation(block["explanation"], probes, cnn, tissues)
    windows = WindowSettings(cnn.patches, explanation.descriptors, explanation.step_mm)
    image = ImageFeatureSettings(noise, tuple(block["band_edges_per_mm"]))
    return EvaluationSettings(
        probes=probes,
        cnn=cnn,
        paired=paired,
        explanation=explanation,
        seen=SeenSettings(image, cnn.patches, windows, (UNTOUCHED, OURS)),
        covariates=tuple(block["covariates"]),
        overlap_minimum=block["overlap_minimum"],
        known_share=block["known_share"],
        distance_repeats=block["distance_repeats"],
        wiener_slices=block["wiener_slices"],
        ccc_threshold=block["ccc_threshold"],
        headline_features=tuple(block["headline_features"]),
        strongest_features=block["strongest_features"],
        feature_harmonizers=tuple(block["feature_harmonizers"]),
    )


def _cnn_settings(block: Mapping[str, Any]) -> CnnSettings:
    edges = tuple(map(float, block["evidence_edges_per_mm"]))
    patches = PatchSettings(**block["patches"])
    return CnnSettings(**{**block, "patches": patches, "evidence_edges_per_mm": edges})


def _explanation(
    block: Mapping[str, Any],
    probes: ProbeSettings,
    cnn: CnnSettings,
    tissues: Mapping[str, tuple[float, float]],
) -> ExplanationSettings:
    grey = tuple(map(float, block["grey_edges_hu"]))
    numbers = (cnn.patches.pixel_mm, grey, cnn.evidence_edges_per_mm, tissues)
    own = {**block, "traits": tuple(block["traits"])}
    del own["grey_edges_hu"]
    return ExplanationSettings(**own, descriptors=DescriptorSettings(*numbers), probes=probes)


def feature_study_settings(
    block: Mapping[str, Any], probes: Mapping[str, Any], seed: int
) -> FeatureStudySettings:
    """Read the block `feature_study`; its probes are those of the evaluation."""
    own = {name: value for name, value in block.items() if name != "tables"}
    return FeatureStudySettings(**own, probes=ProbeSettings(**probes, seed=seed))
