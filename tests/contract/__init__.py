"""Tests of what others rely on: the wire, and the rules of the house."""
