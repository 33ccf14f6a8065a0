"""Pictures, videos and sounds, converted for the web."""
