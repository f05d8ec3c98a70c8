"""A service made for tests: its jobs sleep, fail, spin, fan out and leave marks, each on request."""
