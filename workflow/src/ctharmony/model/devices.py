"""Where training runs: CPU or GPU, one process or several, by what is there (Lightning Fabric)."""

from typing import Any

import torch
from torch import nn

from ctharmony.model.settings import Training
from ctharmony.model.vae import Batch


def make_fabric(how: Training) -> Any:
    """A launched Fabric.

    `auto` accelerator is CUDA where there is a GPU; `auto` precision is bf16 on a GPU and single
    precision on the CPU. With several devices of one node this process starts the others, which
    run the same program from its start; over several nodes a launcher (srun) has started all.
    """
    # imported here: inference needs none of it, and the import costs seconds
    from lightning.fabric import Fabric
    from lightning.fabric.plugins.environments import LightningEnvironment, SLURMEnvironment

    accelerator, precision = how.accelerator, how.precision
    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    if precision == "auto":
        precision = "bf16-mixed" if accelerator == "cuda" else "32-true"
    shared: dict[str, Any] = {}
    if how.devices * how.nodes > 1:
        # named, as a job of one task inside a Slurm allocation would be taken for a rank of it
        place = LightningEnvironment() if how.nodes == 1 else SLURMEnvironment()
        shared = {"num_nodes": how.nodes, "strategy": "ddp", "plugins": [place]}
    fabric = Fabric(accelerator=accelerator, devices=how.devices, precision=precision, **shared)
    fabric.launch()
    return fabric


def laid_out(model: nn.Module, how: Training, on_gpu: bool, backend: str = "inductor") -> nn.Module:
    """The model with its convolutions in the layout and form that `how` asks for, in place.

    Neither weights nor their names change, so checkpoints fit whatever was asked for.

    Args:
        model: has the submodules `biology` and `decoder`; how: `channels_last`, `compiled`.
        on_gpu: what `auto` means yes for; backend: of `torch.compile`.
    """
    wanted = {"never": False, "auto": on_gpu, "always": True}
    parts = (model.biology, model.decoder)
    for part in parts:
        if wanted[how.channels_last]:
            part.to(memory_format=torch.channels_last)
        if wanted[how.compiled]:
            # patches have one size, but the last batch of a validation scan may be smaller
            part.compile(backend=backend, dynamic=False)
    return model


def leads() -> bool:
    """Whether this process is the one that writes; true where there is no other."""
    distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
    return not distributed or torch.distributed.get_rank() == 0


def moved(batch: Batch, device: torch.device) -> Batch:
    """The batch on `device`."""
    return Batch(
        native=[part.to(device, non_blocking=True) for part in batch.native],
        pixel_mm=batch.pixel_mm,
        anchors=batch.anchors.to(device),
        site=batch.site.to(device),
        covariates=batch.covariates.to(device),
    )
