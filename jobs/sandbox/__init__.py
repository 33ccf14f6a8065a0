"""Stand-ins for the outside world, and what the embedded default starts: a mail catcher, a practice network, Valkey."""
