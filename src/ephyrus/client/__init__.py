"""Client of the data service: objects, windows of signals, and whole recordings over HTTP."""
