"""services/avatar."""
