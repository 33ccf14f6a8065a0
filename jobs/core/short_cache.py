"""What all who wait at the same time share, asked once a second by each process and not once for each of them."""

from collections.abc import Callable
from functools import wraps
from threading import Lock
from time import monotonic
from typing import ParamSpec, TypeVar

MOMENT = 1.0
"""Seconds for which an answer holds: what is told of a waiting job may be so old, and no older."""

Params = ParamSpec("Params")
Answer = TypeVar("Answer")


def for_a_moment(ask: Callable[Params, Answer]) -> Callable[Params, Answer]:
    """Keep what `ask` returns (for each of its arguments, given by position) for at most MOMENT.

    One thread asks while the others wait for its answer.
    """
    lock = Lock()
    answers: dict[tuple[object, ...], Answer] = {}
    until = 0.0

    @wraps(ask)
    def answer(*args: Params.args, **kwargs: Params.kwargs) -> Answer:
        nonlocal until
        with lock:
            if monotonic() >= until:
                answers.clear()
                until = monotonic() + MOMENT
            if args not in answers:
                answers[args] = ask(*args, **kwargs)
            return answers[args]

    return answer
