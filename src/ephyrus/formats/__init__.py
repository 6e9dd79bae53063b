"""One module per format; the registry finds them by their names.

A module is named after its IO class, in lower case and without ``IO`` (``AxonIO`` is in
``axon.py``), declares ``FORMAT`` and has the functions of
:class:`ephyrus.recording.declaration.FormatModule`. Formats never import each other.
"""
