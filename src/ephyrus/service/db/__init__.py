"""Database of the service: engines, schema, migrations and the counter of changes."""
