"""How many bytes a conversion may leave."""

import pytest

from jobs.kinds.media import bounds
from jobs.kinds.media.conversion import Quality, Recipe

pytestmark = pytest.mark.apart


def test_what_is_made_is_bounded_by_what_was_sent_and_by_what_is_right() -> None:
    assert bounds.allowed(100_000, right=10**9) == bounds.SMALLEST + 20 * 100_000
    assert bounds.allowed(10**9, right=5_000_000) == bounds.SMALLEST + 5_000_000
    assert bounds.allowed(0, right=10**9) == bounds.SMALLEST


@pytest.mark.parametrize(
    ("recipe", "megabits"),
    [
        (Recipe(), 8.3),
        (Recipe(lines=480, quality=Quality.SMALL), 1.8),
        (Recipe(lines=1080, quality=Quality.BEST), 37.3),
    ],
)
def test_each_size_and_quality_of_a_film_has_its_most_bits(recipe, megabits) -> None:
    assert round(bounds.film_bits(recipe) / 1e6, 1) == megabits
