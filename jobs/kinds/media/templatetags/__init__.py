"""Template tags of the media kind."""
