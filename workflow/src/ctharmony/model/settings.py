"""Every number that shapes the model, as the config gives it; no value has a default here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from typing import Any, get_type_hints


@dataclass(frozen=True)
class Network:
    """`decoder` plain or unet (skips, to show collapse); widths in channels; lengths in mm."""

    decoder: str
    width: int
    biology_channels: int
    scanner_dimensions: int
    patch_mm: float
    grid_mm: float
    biology_blur_mm: float
    film_scale: float


@dataclass(frozen=True)
class Objective:
    """Weights of the named terms; floors in nats (per latent dimension of z_s, per map of z_b)."""

    beta_biology: float
    beta_scanner: float
    free_bits_biology: float
    free_bits_scanner: float
    mutual_information: float
    spectrum: float
    anchors: float
    twins: float
    warmup_share: float


@dataclass(frozen=True)
class Invariance:
    """`divergence` between z_b and site given the manifests' columns `covariates`.

    Weighed by `weight`, which is ramped up over `ramp_share` of the steps.
    """

    divergence: str
    weight: float
    ramp_share: float
    covariates: tuple[str, ...]


@dataclass(frozen=True)
class Realism:
    """`divergence` between residual tiles of the scans and of decoded draws; weight, ramp."""

    divergence: str
    weight: float
    ramp_share: float


@dataclass(frozen=True)
class CriticSettings:
    """Critics: hidden `width`, `steps` per step of the model, `samples` seen in each.

    `lipschitz`: penalty holds the critic of wasserstein_gp, weighed by `penalty_weight`;
    spectral_norm holds every critic. `projections`: directions of sliced_wasserstein.
    """

    width: int
    steps: int
    samples: int
    learning_rate: float
    lipschitz: str
    penalty_weight: float
    projections: int


@dataclass(frozen=True)
class Training:
    """Steps and batches: `scans_per_step` scans x `patches_per_scan` patches over all processes.

    `simulated_share` of the scans are shown as scanners that do not exist would show them.
    Training ends early after `patience_epochs` epochs without a lower validation loss (0: never).
    `devices` x `nodes` processes share each step. `channels_last` and `compiled`: never, auto
    (where there is a GPU) or always; both change the speed and the last digits alone. Training
    gives up after `bad_steps` steps in a row whose gradient is not a number.
    """

    steps: int
    steps_per_epoch: int
    scans_per_step: int
    patches_per_scan: int
    simulated_share: float
    learning_rate: float
    gradient_norm: float
    checkpoint_minutes: float
    validation_patches: int
    patience_epochs: int
    accelerator: str
    precision: str
    channels_last: str
    compiled: str
    bad_steps: int
    devices: int
    nodes: int


@dataclass(frozen=True)
class Adaptation:
    """Shrinkage weight in scans, refusal threshold in training SDs, patches read per scan.

    Refused, too, where the middle scan shows less than the share `least_tissues` of the tissues;
    no dimension of p(z_s|site) has less than `least_variance`.
    """

    shrinkage_scans: float
    refuse_above: float
    patches_per_scan: int
    least_tissues: float
    least_variance: float


@dataclass(frozen=True)
class Monitor:
    """From where on the monitors speak.

    Attributes:
        least_biology_nats, least_scanner_nats: a latent that costs less when swapped for another's
            is not used; nats per pixel, nats per patch.
        near_ceiling: share of log 2 within which JS is at its ceiling.
        vanished_gradient: nats per SD of the samples under which the generator does not move.
        lipschitz_tolerance: a Wasserstein critic's slope may differ from 1 by this.
        overfit_share, overfit_least: a bound on training samples may exceed that on held-out ones
            by this share of itself, or by this many nats (or the samples' unit).
        least_coverage: coverage by decoded patches under which modes are dropped.
    """

    least_biology_nats: float
    least_scanner_nats: float
    near_ceiling: float
    vanished_gradient: float
    lipschitz_tolerance: float
    overfit_share: float
    overfit_least: float
    least_coverage: float


@dataclass(frozen=True)
class Settings:
    """The `model` block of the config. `anchors_hu` and `anchor_sd_hu` are keyed by tissue."""

    network: Network
    objective: Objective
    invariance: Invariance
    realism: Realism
    critics: CriticSettings
    training: Training
    monitor: Monitor
    adaptation: Adaptation
    anchors_hu: dict[str, float]
    anchor_sd_hu: dict[str, float]

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> "Settings":
        """Read the block; keys of other stages (such as threads) are left alone.

        Tissues are put in the order of their HU, whatever order the file has them in.

        Raises:
            ValueError: a key is missing, an unknown key stands inside a group, or the two tables
                of tissues differ in their keys.
        """
        settings = _read(cls, content, "model", strict=False)
        order = sorted(settings.anchors_hu, key=settings.anchors_hu.__getitem__)
        if set(order) != set(settings.anchor_sd_hu):
            raise ValueError("config: model.anchors_hu and model.anchor_sd_hu name other tissues")
        return replace(
            settings,
            anchors_hu={name: settings.anchors_hu[name] for name in order},
            anchor_sd_hu={name: settings.anchor_sd_hu[name] for name in order},
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain nested dictionaries."""
        content = asdict(self)
        content["invariance"]["covariates"] = list(self.invariance.covariates)
        return content


def _read(kind: type, content: Mapping[str, Any], where: str, strict: bool = True) -> Any:
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    missing = [name for name in names if name not in content]
    unknown = [name for name in content if name not in names] if strict else []
    if missing or unknown:
        fault = f"lacks {', '.join(missing)}" if missing else f"does not know {', '.join(unknown)}"
        raise ValueError(f"config: {where} {fault}; see workflow/schemas/model.schema.yaml")
    values = {}
    for name in names:
        kind_of, value = hints[name], content[name]
        if is_dataclass(kind_of):
            values[name] = _read(kind_of, value, f"{where}.{name}")
        elif kind_of in (int, float, str):
            values[name] = kind_of(value)
        elif kind_of == tuple[str, ...]:
            values[name] = tuple(str(item) for item in value)
        else:
            values[name] = {str(key): float(item) for key, item in value.items()}
    return kind(**values)
