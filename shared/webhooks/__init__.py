"""Webhooks: who tells receivers of jobs' events, and how. `python -m shared.webhooks` delivers; docs/adr/0009 says why it is a process."""
