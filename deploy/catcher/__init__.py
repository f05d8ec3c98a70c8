"""deploy/catcher."""
