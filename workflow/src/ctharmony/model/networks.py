"""Convolutional encoder and decoder of z_b, the same for a patch and for a whole slice."""

import torch
from torch import Tensor, nn
from torch.nn import functional

STEM = 4  # pixels per side folded into channels before the first convolution
STRIDE = 8
SLAB = 3  # adjacent slices
LOGVAR_RANGE = (-8.0, 2.0)
SD_RANGE_HU = (3.0, 400.0)


class ChannelNorm(nn.Module):
    """Root-mean-square norm over channels at each place: blind to the size of the image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-4) * self.gain


class Film(nn.Module):
    """Feature-wise modulation by z_s, bounded by `scale` (Perez et al., arXiv 1709.07871)."""

    def __init__(self, dimensions: int, channels: int, scale: float) -> None:
        super().__init__()
        self.linear = nn.Linear(dimensions, 2 * channels)
        self.scale = scale
        nn.init.normal_(self.linear.weight, std=0.02)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: Tensor, z_s: Tensor) -> Tensor:
        gain, bias = (self.scale * torch.tanh(self.linear(z_s)))[:, :, None, None].chunk(2, dim=1)
        return x * (1.0 + gain) + bias


class Block(nn.Module):
    """Norm, convolution, SiLU on a residual branch."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels)
        self.convolution = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return x + functional.silu(self.convolution(self.norm(x)))


class BiologyEncoder(nn.Module):
    """q(z_b|x): maps at stride 8 from three adjacent slices."""

    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(SLAB * STEM**2, width, 3, padding=1)
        self.fine = Block(width)
        self.down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1)
        self.coarse = Block(2 * width)
        self.head = nn.Conv2d(2 * width, 2 * channels, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
        """x (n, 3, h, w), sides divisible by 8: mean, logvar (n, c, h/8, w/8), features."""
        fine = self.fine(functional.silu(self.stem(functional.pixel_unshuffle(x, STEM))))
        coarse = self.coarse(functional.silu(self.down(fine)))
        mean, logvar = self.head(coarse).chunk(2, dim=1)
        return mean, logvar.clamp(*LOGVAR_RANGE), [fine, coarse]


class Decoder(nn.Module):
    """D(z_b, z_s): centre slice in network units and the log of its SD in HU.

    With `skips` it also sees the encoder's features, as a U-Net does. Then nothing forces
    information through z_b: it is here to show posterior collapse, not to harmonize.
    """

    def __init__(
        self, width: int, channels: int, dimensions: int, film_scale: float, skips: bool
    ) -> None:
        super().__init__()
        self.skips = skips
        self.enter = nn.Conv2d(channels + (2 * width if skips else 0), 2 * width, 3, padding=1)
        self.coarse = Block(2 * width)
        self.film_coarse = Film(dimensions, 2 * width, film_scale)
        self.up = nn.Conv2d(2 * width, 4 * width, 1)
        self.merge = nn.Conv2d(2 * width, width, 1) if skips else None
        self.fine = Block(width)
        self.film_fine = Film(dimensions, width, film_scale)
        self.spread = nn.Conv2d(width, 8 * STEM**2, 1)
        self.leave = nn.Conv2d(8, 2, 3, padding=1)

    def forward(
        self, z_b: Tensor, z_s: Tensor, features: list[Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """z_b (n, c, h, w), z_s (n, d): units and log SD, each (n, 8 h, 8 w).

        Raises:
            ValueError: a decoder with skips is called without the encoder's features.
        """
        if self.skips and features is None:
            raise ValueError("a unet decoder needs the encoder's features")
        x = torch.cat([z_b, features[1]], dim=1) if self.skips else z_b
        x = self.film_coarse(self.coarse(functional.silu(self.enter(x))), z_s)
        x = functional.pixel_shuffle(functional.silu(self.up(x)), 2)
        if self.merge is not None:
            x = self.merge(torch.cat([x, features[0]], dim=1))
        x = functional.silu(self.film_fine(self.fine(x), z_s))
        x = self.leave(functional.silu(functional.pixel_shuffle(self.spread(x), STEM)))
        low, high = (torch.tensor(value).log().item() for value in SD_RANGE_HU)
        return x[:, 0], low + (high - low) * torch.sigmoid(x[:, 1])
