"""Recordings shown as objects where they lie, without copying them."""
