"""Vacancies: what other people call jobs."""
