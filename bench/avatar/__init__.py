"""bench/avatar."""
