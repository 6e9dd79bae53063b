"""Partial data: from the parameters of a request to ranges of indices."""
