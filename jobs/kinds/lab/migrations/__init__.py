"""Migrations of the lab."""
