"""Arrays of the service: where their numbers lie, and windows of them."""
