"""shared/contracts."""
