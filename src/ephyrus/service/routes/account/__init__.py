"""Handlers of the addresses of accounts; the table of them is in ``routes.accounts``."""
