"""The kinds of job that ship with the project: one Django app each."""
