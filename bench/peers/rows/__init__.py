"""A Django row for each job, as an application keeps it that wants to show its users where their work stands."""
