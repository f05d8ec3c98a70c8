"""tests/players."""
