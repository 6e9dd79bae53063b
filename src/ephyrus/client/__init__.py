"""Client of the data service: objects, windows of signals, and whole recordings over HTTP.

`Client` makes one call after the other, `AsyncClient` is for asynchronous programs; both know the
same. Objects are those of the documented interface (`RemoteObject`); `Client.block` gives the
object model, whose lazy signals fetch just the window that is asked for.

Needs the extra ``client``.
"""

from ephyrus.client.aio import AsyncClient
from ephyrus.client.appending import Appended
from ephyrus.client.cache import BodyCache
from ephyrus.client.objects import ArrayFacts, FetchedArray, Page, RemoteObject
from ephyrus.client.selections import SavedSelection
from ephyrus.client.sync import Client

__all__ = [
    "Appended",
    "ArrayFacts",
    "AsyncClient",
    "BodyCache",
    "Client",
    "FetchedArray",
    "Page",
    "RemoteObject",
    "SavedSelection",
]
