"""A device that is none: real numbers, and an error wherever a processor's tensor meets one of its.

Where no GPU is at hand this shows whether code would run on one. A tensor of the pretended device
holds one of the processor; operations look through, but only if all of them are of one kind.
"""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only

DEVICE = torch.device("lazy")  # torch lets a tensor say that it is there without such a device
CARRIERS = {"aten._to_copy.default", "aten.copy_.default"}


class Elsewhere(torch.Tensor):
    """A tensor of the pretended device."""

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> "Elsewhere":
        return torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, strides=inner.stride(), dtype=inner.dtype, device=DEVICE
        )

    def __init__(self, inner: torch.Tensor):
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise RuntimeError(f"{function} outside `with PretendedDevice()`")


class _Carried(TorchFunctionMode):
    """torch.tensor of Python numbers, which would ask the device for memory of its own."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        kwargs = dict(kwargs or {})
        if function is not torch.tensor:
            return function(*args, **kwargs)
        device = kwargs.pop("device", None)
        found = function(*args, **kwargs)
        return found if device is None else found.to(device)


class PretendedDevice(TorchDispatchMode):
    """Within it, DEVICE can be named wherever torch takes a device.

    Attributes:
        used: names of the operations that ran on the pretended device, each with the type of the
            numbers that it took.

    Raises (as CUDA would):
        RuntimeError: tensors of both devices meet, other than to be carried over; a number without
            axes may come from the processor.
    """

    def __init__(self) -> None:
        super().__init__()
        self.used: set[tuple[str, torch.dtype]] = set()
        self.carried = _Carried()

    def __enter__(self) -> "PretendedDevice":
        self.carried.__enter__()
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self.carried.__exit__(*error)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else every operation passes the compiler, whose import takes seconds

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None):
        kwargs = dict(kwargs or {})
        if not types and kwargs.get("device") != DEVICE:
            return function(*args, **kwargs)
        tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor)]
        there = any(isinstance(tensor, Elsewhere) for tensor in tensors)
        here = any(not isinstance(tensor, Elsewhere) and tensor.dim() for tensor in tensors)
        if there and here and str(function) not in CARRIERS:
            raise RuntimeError(f"{function}: tensors of the processor and of the device")
        if kwargs.get("device") is not None:
            there = kwargs["device"] == DEVICE
            kwargs["device"] = torch.device("cpu")
        args, kwargs = tree_map_only(Elsewhere, lambda tensor: tensor.inner, (args, kwargs))
        found = function(*args, **kwargs)
        if not there:
            return found
        self.used.add((str(function), (tensors or [found])[0].dtype))
        return tree_map_only(torch.Tensor, Elsewhere, found)
