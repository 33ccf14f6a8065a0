"""The arithmetic kind: exact numbers that several jobs change, one at a time and in order."""
