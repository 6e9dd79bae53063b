"""The version of the package, read by the build and by :mod:`ephyrus`."""

__version__ = "0.1.0"
