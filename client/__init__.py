"""Counterfoil's Python client: `from client import Counterfoil`. It speaks HTTP only."""

from client.counterfoil import Counterfoil
from client.models import Job

__all__ = ["Counterfoil", "Job"]
