"""A thousand hostile sources: `python -m tests.hostile`; a sample of them is part of the suite."""
