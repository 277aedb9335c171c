"""What a job asks of the cluster. The Snakefile imports this file, so it needs nothing."""

from collections.abc import Callable


def growing(amount: int) -> Callable[..., int]:
    """A rule's resource that grows with every attempt: `amount` times 1, 2, 3.

    A job that a cluster ended for want of memory or time so gets more of both the next time.
    """

    def of_attempt(wildcards: object, attempt: int) -> int:
        return amount * attempt

    return of_attempt
