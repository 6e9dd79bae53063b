"""The Neuroshare C interface: structures, calls, vendors' libraries.

Knows nothing of recordings and objects. :mod:`ephyrus.neuroshare` gives files and entities over it.

`interface` says what a library is in Python terms. `library` has one of a vendor in this process,
on `calls` (locks, errors, structures) and `functions` (the C functions); `isolated` has it in a
child process, on `worker` (the child's life), `messages` and `memory`. `find` finds libraries and
says why they cannot be used, and `loading` and `opening` put this together.
"""
