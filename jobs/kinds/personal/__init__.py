"""What people can do with all that is theirs: take a copy of it, and have it deleted together with their account."""
