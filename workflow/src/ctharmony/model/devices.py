"""Where training runs: CPU or one GPU, by what is there (Lightning Fabric)."""

from typing import Any

import torch

from ctharmony.model.vae import Batch


def make_fabric(accelerator: str, precision: str) -> Any:
    """Fabric on one device. `accelerator` auto, cpu or cuda; `precision` auto, 32-true, bf16-mixed.

    `auto` precision is bf16 on a GPU and single precision on the CPU.
    """
    # imported here: inference needs none of it, and the import costs seconds
    from lightning.fabric import Fabric

    if accelerator == "auto":
        accelerator = "cuda" if torch.cuda.is_available() else "cpu"
    if precision == "auto":
        precision = "bf16-mixed" if accelerator == "cuda" else "32-true"
    return Fabric(accelerator=accelerator, devices=1, precision=precision)


def moved(batch: Batch, device: torch.device) -> Batch:
    """The batch on `device`."""
    return Batch(
        native=[part.to(device) for part in batch.native],
        pixel_mm=batch.pixel_mm,
        anchors=batch.anchors.to(device),
        site=batch.site.to(device),
    )
