"""Objects of the service: reading, filters, writing, versions and rights."""
