"""Registration of many scans to one fixed scan, on a processor or a GPU."""

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

from ctharmony.registration.engine import RegistrationResult, register_to, steps_of
from ctharmony.registration.pyramid import Image, Level, build_levels
from ctharmony.registration.sampling import FixedScan
from ctharmony.registration.settings import RegistrationSettings
from ctharmony.registration.steps import Step, Steps
from ctharmony.registration.together import Together

Outcome = RegistrationResult | ValueError


def find_device(name: str) -> torch.device:
    """The device of a name: auto (the GPU where there is one), cpu, cuda or another of torch's.

    Raises:
        ValueError: cuda is asked for and there is none.
    """
    there = torch.cuda.is_available()
    if name.startswith("cuda") and not there:
        raise ValueError(
            "registration.device is cuda but torch finds no GPU; set it to auto or cpu, or run "
            "the job where there is one"
        )
    return torch.device(("cuda" if there else "cpu") if name == "auto" else name)


def register_batch(
    fixed: FixedScan,
    movings: Sequence[Image],
    settings: RegistrationSettings,
    device: str | torch.device = "cpu",
) -> list[Outcome]:
    """`register_to` for many scans; a scan's result does not depend on those beside it.

    On the processor they are registered one after another in compiled passes; elsewhere all at
    once, one gather serving every map of every scan. The two agree to rounding, not to the bit.

    Args:
        fixed: what all are registered to (engine.prepare_fixed).
        movings: the scans.
        settings: how they are registered.
        device: a device's name (find_device) or the device.

    Returns:
        for each scan its result or, where its body mask is empty or it is flat, the error.

    Raises:
        ValueError: the device is not there.
    """
    where = find_device(device) if isinstance(device, str) else device
    if where.type == "cpu":
        return [_tried(register_to, fixed, image, settings) for image in movings]
    return register_together(fixed, movings, settings, where)


def register_together(
    fixed: FixedScan,
    movings: Sequence[Image],
    settings: RegistrationSettings,
    device: torch.device,
) -> list[Outcome]:
    """`register_batch` with all scans at once, also on the processor."""
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        built = list(pool.map(lambda image: _tried(build_levels, image, settings), movings))
    usable = [number for number, levels in enumerate(built) if not isinstance(levels, ValueError)]
    found = carry_out_together(
        [steps_of(fixed, built[number], settings) for number in usable],
        [built[number] for number in usable],
        device,
    )
    return [found[usable.index(n)] if n in usable else built[n] for n in range(len(built))]


def carry_out_together(
    several: list[Steps[Any]], scans: list[list[Level]], device: torch.device
) -> list[Any]:
    """What each registration comes to, or the ValueError that ended it.

    Registrations wait for one another only to be answered together.
    """
    together, ends = Together(scans, device) if scans else None, [None] * len(several)
    waiting: dict[int, Step] = {}

    def go_on(number: int, answer: Any) -> None:
        """Hand a registration its answer; it waits for another, or is over."""
        try:
            waiting[number] = several[number].send(answer)
        except StopIteration as end:
            ends[number] = end.value
        except ValueError as error:
            ends[number] = error

    for number in range(len(several)):
        go_on(number, None)
    while waiting:
        kinds = defaultdict(list)
        for number, step in waiting.items():
            kinds[step.kind].append(number)
        now, waiting = waiting, {}
        for numbers in kinds.values():
            answers = together.answer([now[number] for number in numbers])
            for number, answer in zip(numbers, answers, strict=True):
                go_on(number, answer)
    return ends


def _tried(work: Any, *given: Any) -> Any:
    """What `work` returns, or the ValueError it raises."""
    try:
        return work(*given)
    except ValueError as error:
        return error
