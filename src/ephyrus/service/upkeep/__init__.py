"""Backups of a service, reading them back, and checking that nothing is missing."""
