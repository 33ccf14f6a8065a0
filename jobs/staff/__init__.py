"""What staff see and do: the monitor and its actions."""
