"""Mastodon, and the servers compatible with it."""
