"""Training: scans in, weights and history out. Nothing here touches disk."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ctharmony.model.adaptation import fit_priors
from ctharmony.model.devices import laid_out, make_fabric, moved
from ctharmony.model.games import Games
from ctharmony.model.honesty import Watch
from ctharmony.model.inference import ScanPosterior, TrainedModel
from ctharmony.model.monitor import validation_rows
from ctharmony.model.objective import ramp, terms, weighted
from ctharmony.model.parallel import Ranks
from ctharmony.model.preparation import prepare
from ctharmony.model.progress import Progress, Row
from ctharmony.model.sampling import Ahead, PatchSource, latent_draws, position_rngs
from ctharmony.model.scans import ScanData
from ctharmony.model.schedule import make_optimiser, rate_factor, split_scans
from ctharmony.model.settings import Settings
from ctharmony.model.twins import make_twin, simulate_scanners, twin_penalty
from ctharmony.model.vae import Batch, FactorisedVAE

Checkpoint = dict[str, Any]


class TrainingInterruptedError(RuntimeError):
    """Training was asked to stop; its checkpoint has been handed out."""


@dataclass
class Hooks:
    """What the caller wants to hear of: checkpoints, epochs' rows, and whether to stop now."""

    on_checkpoint: Callable[[Checkpoint], None] = lambda state: None
    on_epoch: Callable[[list[Row]], None] = lambda rows: None
    should_stop: Callable[[], bool] = lambda: False


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
        ValueError: no training scan, a test scan among them, or a batch that the processes cannot
            share.
        FloatingPointError: the loss stayed not-a-number for `training.bad_steps` steps.
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
        self.fabric = make_fabric(settings.training)
        self.ranks = Ranks(self.fabric)
        if settings.training.scans_per_step % self.ranks.world:
            raise ValueError(
                f"model.training.scans_per_step {settings.training.scans_per_step} cannot be "
                f"dealt out to {self.ranks.world} processes; make it a multiple"
            )
        laid_out(model, settings.training, self.fabric.device.type == "cuda")
        self.model, self.optimizer = self.fabric.setup(model, optimizer)
        self.games = Games(settings, self.source, seed).to(self.fabric.device)
        self.warm = ramp(settings.training.steps, settings.objective.warmup_share)
        self.progress = Progress()
        self.draw = Ahead(
            lambda step: self.source.draw(seed, step, self.ranks.shard), settings.training.steps
        )

    def run(self, checkpoint: Checkpoint | None) -> tuple[TrainedModel, list[Row]]:
        """Train to the last step from the start or from a checkpoint."""
        if checkpoint is not None:
            self._restore(checkpoint)
        training, saved = self.settings.training, time.monotonic()
        while self.progress.step < training.steps and not self._given_up():
            self._step()
            if self.progress.step % training.steps_per_epoch == 0:
                self._close_epoch()
            stop = self.ranks.any(self.hooks.should_stop())
            if stop or time.monotonic() - saved > 60.0 * training.checkpoint_minutes:
                self._hand_out()
                saved = time.monotonic()
            if stop:
                raise TrainingInterruptedError(
                    f"stopped at step {self.progress.step} of {training.steps}"
                )
        if self.progress.sums:
            self._close_epoch()
        if self.progress.best:
            self.model.module.load_state_dict(self.progress.best)
        return self.trained(), self.progress.history

    def _given_up(self) -> bool:
        epoch = self.progress.step // self.settings.training.steps_per_epoch
        return self.progress.stale(epoch, self.settings.training.patience_epochs)

    def _hand_out(self) -> None:
        if self.ranks.leader:
            self.hooks.on_checkpoint(self.checkpoint())

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
            "games": copy.deepcopy(self.games.state()),
            "progress": self.progress.to_dict(),
            "settings": self.settings.to_dict(),
            "seed": self.seed,
        }

    def _restore(self, checkpoint: Checkpoint) -> None:
        if checkpoint["settings"] != self.settings.to_dict() or checkpoint["seed"] != self.seed:
            raise ValueError("the checkpoint is of other settings or another seed; remove it")
        self.model.module.load_state_dict(checkpoint["model"])
        self.optimizer.load_state_dict(checkpoint["optimizer"])
        self.games.restore(copy.deepcopy(checkpoint["games"]))
        self.progress = Progress.from_dict(checkpoint["progress"])

    def _step(self) -> None:
        step = self.progress.step
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_rate"] * rate_factor(step, self.settings)
        parts = self._parts(step)
        loss = weighted(
            parts,
            self.settings.objective,
            self.games.ramped(step),
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
            if progress.bad_steps >= self.settings.training.bad_steps:
                bad = [name for name, value in parts.items() if not torch.isfinite(value)]
                raise FloatingPointError(
                    f"training: {', '.join(bad) or 'the gradient'} stayed not-a-number for "
                    f"{progress.bad_steps} steps; lower model.training.learning_rate"
                )
            return
        self.optimizer.step()
        progress.bad_steps = 0
        ones = torch.ones((), device=loss.device)
        progress.add(self.ranks.mean({**parts, "loss": loss, "steps": ones}))

    def _parts(self, step: int) -> dict[str, Tensor]:
        batch = moved(self.draw(step), self.fabric.device)
        model: FactorisedVAE = self.model.module
        share, tissues = (
            self.settings.training.simulated_share,
            (model.head.tissues, model.head.reach),
        )
        scans, gather = len(batch.site), self.ranks.gather
        rngs = position_rngs(self.seed, step, "simulated", scans, self.ranks.shard)
        batch = simulate_scanners(batch, share, tissues, rngs)
        outcome = self.model(batch, latent_draws(self.seed, step, scans, self.ranks.shard))
        parts = terms(model, outcome, batch, self.settings.objective, gather)
        parts |= self.games.terms(batch, outcome, step, gather)
        if self.settings.objective.twins > 0:
            parts["twins"] = self._twins(model, batch, outcome, step)
        return parts

    def _twins(self, model: FactorisedVAE, batch: Batch, outcome, step: int) -> Tensor:
        """One patch per scan is shown again by another kernel and dose; z_b must not notice."""
        patches = len(batch.native[0])
        rngs = position_rngs(self.seed, step, "twins", len(batch.site), self.ranks.shard)
        scans = zip(batch.native, batch.pixel_mm, rngs, strict=True)
        twins = torch.cat([model.to_grid(make_twin(part[:1], px, rng)) for part, px, rng in scans])
        second = model.encode_biology(twins, outcome.z_s[0].detach())[:2]
        return twin_penalty(tuple(part[::patches] for part in outcome.z_b[:2]), second)

    def _close_epoch(self) -> None:
        progress, training = self.progress, self.settings.training
        epoch = -(-progress.step // training.steps_per_epoch)
        rows = progress.epoch_rows(epoch)
        watched = None
        if self.ranks.leader:
            watch = Watch(self.games)
            watched = validation_rows(self.model.module, self.watched, self.settings, epoch, watch)
            watched += watch.rows(epoch)
        rows += self.ranks.from_leader(watched)
        progress.history += rows
        if training.patience_epochs:
            losses = [r["value"] for r in rows if (r["term"], r["split"]) == ("loss", "validation")]
            progress.watch(epoch, losses[0], self.model.module.state_dict())
        if self.ranks.leader:
            self.hooks.on_epoch(rows)
