"""Webhooks: posts to an address of one's own."""
