"""The Neuroshare C interface: structures, calls, vendors' libraries.

Knows nothing of recordings and objects. :mod:`ephyrus.neuroshare` gives files and entities over it.
"""
