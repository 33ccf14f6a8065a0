"""The ways to convert in plain words, and the finer options that change them."""

from jobs.kinds.media.presets import PRESETS, recipe_of


def test_finer_options_win_over_the_preset():
    assert recipe_of({"preset": "small_video"}) == PRESETS["small_video"].recipe
    recipe = recipe_of({"preset": "small_video", "height": 360, "quality": "best"})
    assert (recipe.lines, recipe.quality) == (360, "best")
