"""E-mail: every mail that Django sends becomes a job, and the account pages show it on its way."""
