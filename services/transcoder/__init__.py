"""services/transcoder."""
