"""shared/runtime."""
