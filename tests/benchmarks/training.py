"""Training speed: patches per second, forward + backward + step, against two peers.

Run: python tests/benchmarks/training.py [--seconds 10] [--threads 2]. The models take turns on the
same patches (3 x 96 x 96, batches of 24), so that a busy machine slows all alike. MONAI's
AutoencoderKL takes part where MONAI is installed. The last line is JSON.
"""

import argparse
import itertools
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import yaml
from torch import nn
from torch.nn import functional

from ctharmony.model.settings import Settings
from ctharmony.model.training import Hooks, Trainer

ROOT = Path(__file__).resolve().parents[2]
SIDE, BATCH = 96, 24


class PlainVAE(nn.Module):
    """The convolutional beta-VAE of common libraries: stride-2 layers, dense latent, MSE."""

    def __init__(self, width: int = 8, latent: int = 16) -> None:
        super().__init__()
        sizes = [3, width, 2 * width, 4 * width, 8 * width]
        pairs = list(itertools.pairwise(sizes))
        down = [self._block(nn.Conv2d(a, b, 4, 2, 1), b) for a, b in pairs]
        up = [self._block(nn.ConvTranspose2d(b, a, 4, 2, 1), a) for a, b in reversed(pairs[1:])]
        self.encoder = nn.Sequential(*down, nn.Flatten())
        self.shape = (8 * width, SIDE // 16, SIDE // 16)
        flat = int(np.prod(self.shape))
        self.latent = nn.Linear(flat, 2 * latent)
        self.back = nn.Linear(latent, flat)
        self.decoder = nn.Sequential(*up, nn.ConvTranspose2d(width, 3, 4, 2, 1))

    @staticmethod
    def _block(layer: nn.Module, channels: int) -> nn.Sequential:
        return nn.Sequential(layer, nn.BatchNorm2d(channels), nn.ReLU())

    def loss(self, x: torch.Tensor) -> torch.Tensor:
        mean, logvar = self.latent(self.encoder(x)).chunk(2, 1)
        z = mean + torch.exp(0.5 * logvar) * torch.randn_like(mean)
        shown = self.decoder(self.back(z).reshape(-1, *self.shape))
        rate = 0.5 * (mean**2 + logvar.exp() - 1 - logvar).sum(1).mean()
        return functional.mse_loss(shown, x, reduction="none").sum((1, 2, 3)).mean() + rate


def ours() -> tuple[Callable[[], None], int]:
    """One training step of the config's model on noise-filled scans."""
    import sys

    sys.path.insert(0, str(ROOT / "tests" / "support"))
    import synthetic

    block = yaml.safe_load((ROOT / "config" / "config.yaml").read_text())["model"]
    block["training"].update(scans_per_step=6, patches_per_scan=4, steps=10_000, accelerator="cpu")
    scans = synthetic.study(per_site=2, validation=0, slices=3)
    trainer = Trainer(scans, Settings.from_dict(block), 0, Hooks())
    return trainer._step, sum(p.numel() for p in trainer.model.parameters())


def peer(model: nn.Module, loss: Callable) -> tuple[Callable[[], None], int]:
    """One training step of a peer with Adam."""
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    x = torch.randn(BATCH, 3, SIDE, SIDE)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        loss(x).backward()
        optimiser.step()

    return step, sum(p.numel() for p in model.parameters())


def monai() -> tuple[Callable[[], None], int] | None:
    """MONAI's AutoencoderKL of about as many parameters, or None where MONAI is missing."""
    try:
        from monai.networks.nets import AutoencoderKL
    except ImportError:
        return None
    model = AutoencoderKL(
        spatial_dims=2,
        in_channels=3,
        out_channels=3,
        channels=(8, 16, 24, 32),
        latent_channels=8,
        num_res_blocks=1,
        norm_num_groups=8,
        attention_levels=(False, False, False, False),
        with_encoder_nonlocal_attn=False,
        with_decoder_nonlocal_attn=False,
    )

    def loss(x: torch.Tensor) -> torch.Tensor:
        shown, mean, sigma = model(x)
        rate = 0.5 * (mean**2 + sigma**2 - 1 - 2 * sigma.log()).flatten(1).sum(1).mean()
        return functional.l1_loss(shown, x) + 1e-6 * rate

    return peer(model, loss)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10.0, help="for each model")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    plain = PlainVAE()
    runners = {"ctharmony": ours(), "plain_vae": peer(plain, plain.loss), "monai": monai()}
    runners = {name: runner for name, runner in runners.items() if runner}
    spent, steps = dict.fromkeys(runners, 0.0), dict.fromkeys(runners, 0)
    for step, _ in runners.values():
        step()
    while min(spent.values()) < arguments.seconds:
        for name, (step, _) in runners.items():
            start = time.perf_counter()
            step()
            spent[name] += time.perf_counter() - start
            steps[name] += 1
    speed = {name: BATCH * steps[name] / spent[name] for name in runners}
    for name, value in speed.items():
        print(f"{name}: {value:.1f} patches/s, {runners[name][1]} parameters")
    ratios = {
        f"ratio_vs_{name}": round(speed["ctharmony"] / speed[name], 3) if name in speed else None
        for name in ("monai", "plain_vae")
    }
    print(json.dumps(ratios))


if __name__ == "__main__":
    main()
