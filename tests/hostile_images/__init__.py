"""Fuzzed and hostile images against the avatar service: `python -m tests.hostile_images`."""
