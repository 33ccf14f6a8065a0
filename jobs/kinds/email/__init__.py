"""E-mail: every mail that Django sends becomes a job."""
