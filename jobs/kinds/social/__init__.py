"""Posts to social networks: Mastodon, Bluesky, and webhooks."""
