"""The whole system, driven by HTTP only."""
