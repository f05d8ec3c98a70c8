"""deploy/embedded."""
