"""Recordings, objects and slices over HTTP.

A server that keeps the objects of a laboratory in a database and their numbers in files, and gives
any window of any signal, downsampled if asked to. :func:`ephyrus.service.app.create_app` makes the
ASGI application; ``ephyrus serve`` runs it over a folder of recordings.
"""
