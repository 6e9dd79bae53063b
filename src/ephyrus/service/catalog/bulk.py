"""Many objects at once, on behalf of the server: no rights are asked."""

from __future__ import annotations

from ephyrus.service.catalog.inserting import Existing, NewObject, insert_tree
from ephyrus.service.catalog.recordings import remove_recording, replace_recording

__all__ = ["Existing", "NewObject", "insert_tree", "remove_recording", "replace_recording"]
