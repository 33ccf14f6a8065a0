"""What runs jobs: the loop, its runners, one attempt, the sweep, the supervisor."""
