"""The HTTP face: addresses, envelopes, caching and negotiation."""
