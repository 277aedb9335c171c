"""What a job asks of the cluster. The Snakefile imports this file, so it needs nothing."""

from collections.abc import Callable


def growing(**amounts: int) -> dict[str, Callable[..., int]]:
    """A rule's resources that grow with every attempt: each amount times 1, 2, 3.

    A job that a cluster ended for want of memory or time so gets more of both the next time.
    """
    return {name: _of_attempt(amount) for name, amount in amounts.items()}


def _of_attempt(amount: int) -> Callable[..., int]:
    return lambda wildcards, attempt: amount * attempt
