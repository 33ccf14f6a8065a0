"""Posts to social networks and webhooks. Each is an object in `networks`."""
