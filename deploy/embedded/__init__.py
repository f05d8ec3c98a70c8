"""The embedded home: every process on one machine, supervised; `python -m deploy.embedded` runs it."""
