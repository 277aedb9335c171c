"""Optimiser for few steps: orthogonalised momentum for convolutions, Adam for all else."""

import torch
from torch import Tensor

# quintic Newton-Schulz coefficients of Jordan et al. (Muon, 2024)
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
MOMENTUM = 0.95
BETAS = (0.9, 0.98)
EPSILON = 1e-8


def orthogonalised(matrix: Tensor) -> Tensor:
    """Nearly the orthogonal factor of a matrix (rows, columns): all singular values near 1."""
    a, b, c = COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = a * x + (b * square + c * square @ square) @ x
    return x.T if tall else x


class Optimiser(torch.optim.Optimizer):
    """Groups with `orthogonal` True hold convolution weights, the others take Adam's step.

    An orthogonalised step moves every direction of a layer alike, which in some hundred steps
    reaches what takes Adam many more. Group keys: params, lr, base_rate, orthogonal.
    """

    def __init__(self, groups: list[dict]) -> None:
        super().__init__(groups, {"lr": 1e-3, "base_rate": 1e-3, "orthogonal": False})

    @torch.no_grad()
    def step(self, closure=None):
        """One step on all parameters that have a gradient."""
        for group in self.param_groups:
            move = self._orthogonal if group["orthogonal"] else self._adam
            for parameter in group["params"]:
                if parameter.grad is not None:
                    move(parameter, self.state[parameter], group["lr"])

    def _orthogonal(self, parameter: Tensor, state: dict, rate: float) -> None:
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].mul_(MOMENTUM).add_(parameter.grad, alpha=1.0 - MOMENTUM)
        ahead = torch.lerp(parameter.grad, state["momentum"], MOMENTUM).flatten(1)
        rows, columns = ahead.shape
        # the size of Adam's step on a matrix of this shape (Liu et al., arXiv 2502.16982)
        size = 0.2 * max(rows, columns) ** 0.5
        parameter.add_(orthogonalised(ahead).reshape(parameter.shape), alpha=-rate * size)

    def _adam(self, parameter: Tensor, state: dict, rate: float) -> None:
        if not state:
            state["count"] = torch.zeros(())
            state["mean"] = torch.zeros_like(parameter)
            state["square"] = torch.zeros_like(parameter)
        state["count"] += 1
        count = float(state["count"])
        state["mean"].lerp_(parameter.grad, 1.0 - BETAS[0])
        state["square"].lerp_(parameter.grad.square(), 1.0 - BETAS[1])
        scale = (state["square"] / (1.0 - BETAS[1] ** count)).sqrt_().add_(EPSILON)
        parameter.addcdiv_(state["mean"], scale, value=-rate / (1.0 - BETAS[0] ** count))


def parameter_groups(
    slow: list[Tensor], fast: list[Tensor], rates: tuple[float, float, float]
) -> list[dict]:
    """Convolutions of `slow` (orthogonal), its other parameters, and `fast`, with these rates."""
    weights = [parameter for parameter in slow if parameter.dim() == 4]
    rest = [parameter for parameter in slow if parameter.dim() != 4]
    chosen = zip((weights, rest, fast), rates, (True, False, False), strict=True)
    return [
        {"params": part, "lr": rate, "base_rate": rate, "orthogonal": orthogonal}
        for part, rate, orthogonal in chosen
    ]
