"""Steps from one form of the tables to the next."""

HEAD = "0001"
"""The form that this version of the package works with."""
