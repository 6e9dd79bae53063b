"""What the object model and recordings both need: bins, drawing, HTML, words, optional packages.

Imports only :mod:`ephyrus.errors`.
"""
