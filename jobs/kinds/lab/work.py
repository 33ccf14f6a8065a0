"""The work that the lab gives to processors. Nothing else is imported, so that a bare Python can do it:

python -m jobs.kinds.lab.work 1000000
"""

import sys


def work(rounds: int, seed: int = 1) -> int:
    """Compute in Python alone, about 0.1 µs for each of the rounds, and return a number from 1 to 1000.

    A linear congruential generator: each round needs the one before, so none can be left out.
    """
    state = seed
    for _ in range(rounds):
        state = (state * 1_103_515_245 + 12_345) & 0x7FFF_FFFF
    return state % 1000 + 1


if __name__ == "__main__":
    sys.stdout.write(str(work(int(sys.argv[1]))))
