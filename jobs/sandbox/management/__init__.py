"""Management of the sandbox."""
