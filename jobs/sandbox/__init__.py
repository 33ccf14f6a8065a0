"""Local stand-ins for the outside world: a mail catcher and a practice social network."""
