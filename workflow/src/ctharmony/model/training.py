"""Training: scans in, weights and history out. Nothing here touches disk."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ctharmony.model.adaptation import fit_priors
from ctharmony.model.devices import make_fabric, moved
from ctharmony.model.inference import ScanPosterior, TrainedModel
from ctharmony.model.invariance import penalty
from ctharmony.model.monitor import validation_rows
from ctharmony.model.objective import ramp, terms, weighted
from ctharmony.model.preparation import prepare
from ctharmony.model.sampling import PatchSource, latent_generator, stream_rng
from ctharmony.model.scans import ScanData
from ctharmony.model.schedule import make_optimiser, rate_factor, split_scans
from ctharmony.model.settings import Settings
from ctharmony.model.twins import make_twin, simulate_scanners, twin_penalty
from ctharmony.model.vae import Batch, FactorisedVAE

MAX_BAD_STEPS = 20
Checkpoint = dict[str, Any]
Row = dict[str, Any]


class TrainingInterruptedError(RuntimeError):
    """Training was asked to stop; its checkpoint has been handed out."""


@dataclass
class Hooks:
    """What the caller wants to hear of: checkpoints, epochs' rows, and whether to stop now."""

    on_checkpoint: Callable[[Checkpoint], None] = lambda state: None
    on_epoch: Callable[[list[Row]], None] = lambda rows: None
    should_stop: Callable[[], bool] = lambda: False


@dataclass
class Progress:
    """Where a run stands; with the weights and the optimiser, all that a resume needs."""

    step: int = 0
    bad_steps: int = 0
    sums: dict[str, Tensor] = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)


def train(
    scans: Sequence[ScanData],
    settings: Settings,
    seed: int,
    threads: int,
    checkpoint: Checkpoint | None = None,
    hooks: Hooks | None = None,
) -> tuple[TrainedModel, list[Row]]:
    """Fit the model on the scans of split `train`; `validation` only watches, `test` is refused.

    Args:
        scans: reference sites' scans.
        settings: the config's `model` block.
        seed: everything random follows from it; the same seed gives the same weights.
        threads: CPU threads.
        checkpoint: what an earlier `on_checkpoint` was given, to go on from there.
        hooks: see `Hooks`.

    Returns:
        The model and history rows (epoch, term, split, value, unit).

    Raises:
        ValueError: no training scan, or a test scan among them.
        FloatingPointError: the loss stayed not-a-number for 20 steps.
        TrainingInterruptedError: `hooks.should_stop` said so.
    """
    torch.set_num_threads(threads)
    return Trainer(scans, settings, seed, hooks or Hooks()).run(checkpoint)


class Trainer:
    """One run: sources, network, optimiser and the loop."""

    def __init__(
        self, scans: Sequence[ScanData], settings: Settings, seed: int, hooks: Hooks
    ) -> None:
        self.settings, self.seed, self.hooks = settings, seed, hooks
        fitted, watched = split_scans(scans)
        self.sites = sorted({scan.site for scan in fitted})
        self.source = PatchSource(fitted, self.sites, settings)
        self.watched = PatchSource(watched or fitted, self.sites, settings)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = FactorisedVAE(settings, len(self.sites))
        prepare(model, self.source, settings.training.validation_patches)
        optimizer = make_optimiser(model, settings.training.learning_rate)
        self.fabric = make_fabric(settings.training.accelerator, settings.training.precision)
        self.model, self.optimizer = self.fabric.setup(model, optimizer)
        self.penalty = penalty(settings.invariance.divergence)
        self.warm = ramp(settings.training.steps, settings.objective.warmup_share)
        self.invariance = ramp(settings.training.steps, settings.invariance.ramp_share)
        self.progress = Progress()

    def run(self, checkpoint: Checkpoint | None) -> tuple[TrainedModel, list[Row]]:
        """Train to the last step from the start or from a checkpoint."""
        if checkpoint is not None:
            self._restore(checkpoint)
        training, saved = self.settings.training, time.monotonic()
        while self.progress.step < training.steps:
            self._step()
            if self.progress.step % training.steps_per_epoch == 0:
                self._close_epoch()
            stop = self.hooks.should_stop()
            if stop or time.monotonic() - saved > 60.0 * training.checkpoint_minutes:
                self.hooks.on_checkpoint(self.checkpoint())
                saved = time.monotonic()
            if stop:
                raise TrainingInterruptedError(
                    f"stopped at step {self.progress.step} of {training.steps}"
                )
        if self.progress.sums:
            self._close_epoch()
        return self.trained(), self.progress.history

    def trained(self) -> TrainedModel:
        """The model as it stands, on the CPU, with the site priors at their optimum."""
        state = {
            name: value.detach().cpu() for name, value in self.model.module.state_dict().items()
        }
        model = TrainedModel.from_parts(self.settings, self.sites, state)
        posteriors: dict[str, list[ScanPosterior]] = {site: [] for site in self.sites}
        for scan in self.source.scans:
            posteriors[scan.site].append(model.encode_scan(scan.hu, scan.mask, scan.spacing))
        fit_priors(model, posteriors)
        return model

    def checkpoint(self) -> Checkpoint:
        """Tensors and plain containers only, so that it loads with weights_only."""
        return {
            "model": {
                name: value.clone() for name, value in self.model.module.state_dict().items()
            },
            "optimizer": self.optimizer.state_dict(),
            "progress": copy.deepcopy(vars(self.progress)),
            "settings": self.settings.to_dict(),
            "seed": self.seed,
        }

    def _restore(self, checkpoint: Checkpoint) -> None:
        if checkpoint["settings"] != self.settings.to_dict() or checkpoint["seed"] != self.seed:
            raise ValueError("the checkpoint is of other settings or another seed; remove it")
        self.model.module.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.progress = Progress(**copy.deepcopy(checkpoint["progress"]))

    def _step(self) -> None:
        step = self.progress.step
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_rate"] * rate_factor(step, self.settings)
        parts = self._parts(step)
        loss = weighted(
            parts,
            self.settings.objective,
            self.settings.invariance.weight * self.invariance(step),
            self.warm(step),
        )
        self.optimizer.zero_grad(set_to_none=True)
        # per pixel, so that the clipping norm means the same for every patch size
        self.fabric.backward(loss / self.model.module.grid**2)
        norm = torch.nn.utils.clip_grad_norm_(
            self.model.module.parameters(), self.settings.training.gradient_norm
        )
        self._apply(bool(torch.isfinite(norm)), parts, loss)

    def _apply(self, finite: bool, parts: dict[str, Tensor], loss: Tensor) -> None:
        progress = self.progress
        progress.step += 1
        if not finite:
            progress.bad_steps += 1
            if progress.bad_steps >= MAX_BAD_STEPS:
                bad = [name for name, value in parts.items() if not torch.isfinite(value)]
                raise FloatingPointError(
                    f"training: {', '.join(bad) or 'the gradient'} stayed not-a-number for "
                    f"{MAX_BAD_STEPS} steps; lower model.training.learning_rate"
                )
            return
        self.optimizer.step()
        progress.bad_steps = 0
        # summed where they are: reading a value off a GPU would make it wait at every step
        for name, value in {**parts, "loss": loss, "steps": torch.ones(())}.items():
            progress.sums[name] = progress.sums.get(name, 0.0) + value.detach().double()

    def _parts(self, step: int) -> dict[str, Tensor]:
        batch = moved(self.source.draw(self.seed, step), self.fabric.device)
        model: FactorisedVAE = self.model.module
        share, tissues = (
            self.settings.training.simulated_share,
            (model.head.tissues, model.head.reach),
        )
        rng = stream_rng(self.seed, step, "simulated")
        batch = simulate_scanners(batch, share, tissues, rng)
        outcome = self.model(batch, latent_generator(self.seed, step))
        parts = terms(model, outcome, batch.site, batch.anchors, self.settings.objective)
        patches = len(batch.native[0])
        if self.penalty is not None:
            site = batch.site.repeat_interleave(patches)
            parts["invariance"] = self.penalty(*outcome.z_b[:2], site)
        if self.settings.objective.twins > 0:
            parts["twins"] = self._twins(model, batch, outcome, step)
        return parts

    def _twins(self, model: FactorisedVAE, batch: Batch, outcome, step: int) -> Tensor:
        """One patch per scan is shown again by another kernel and dose; z_b must not notice."""
        rng = stream_rng(self.seed, step, "twins")
        patches = len(batch.native[0])
        pairs = zip(batch.native, batch.pixel_mm, strict=True)
        twins = torch.cat([model.to_grid(make_twin(part[:1], px, rng)) for part, px in pairs])
        second = model.encode_biology(twins, outcome.z_s[0].detach())[:2]
        return twin_penalty(tuple(part[::patches] for part in outcome.z_b[:2]), second)

    def _close_epoch(self) -> None:
        progress, training = self.progress, self.settings.training
        epoch = -(-progress.step // training.steps_per_epoch)
        sums = {name: float(value) for name, value in progress.sums.items()}
        count = sums.pop("steps", 0.0)
        rows = [
            {"epoch": epoch, "term": name, "split": "train", "value": value / count, "unit": "nats"}
            for name, value in sums.items()
        ]
        rows += validation_rows(self.model.module, self.watched, self.settings, epoch)
        progress.sums = {}
        progress.history += rows
        self.hooks.on_epoch(rows)
