"""What the mailer offers, for `GET /v1/services`: limits, and where mail goes. No secret in it."""

from collections.abc import Mapping
from typing import Any

from services.mailer.dkim_keys import dkim_keys
from services.mailer.policy import LONGEST_PACED
from services.mailer.settings import settings


def catalogue() -> Mapping[str, Any]:
    """Template language, recipient formats and limits, the relay's host and port, and the DNS records of the DKIM keys."""
    here = settings()
    return {
        "templates": {"language": "Jinja (minijinja), bounded; a missing variable fails its recipient", "variables": ["email", "name"]},
        "recipients": {
            "formats": ["text/csv", "application/x-ndjson"],
            "csv": "a header row with email, optionally name; other columns are variables",
            "max_inline": 100_000,
        },
        "relay": {
            "host": here.relay.host,
            "port": here.relay.port,
            "connections_per_batch": here.connections,
        },
        "dkim": [{"name": key.name, "algorithm": key.algorithm, "record": key.record} for key in dkim_keys(here.dkim_keys)],
        "limits": {"attachment_bytes": here.max_attachment_bytes, "longest_paced_seconds": LONGEST_PACED},
    }
