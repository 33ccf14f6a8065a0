"""What a job is and what becomes of it: every transition, the queue, the wait reasons. Knows no kind and no page."""
