"""What owners see and ask for: pages, forms, JSON, polling."""
