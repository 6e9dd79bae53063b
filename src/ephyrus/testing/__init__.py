"""The contract suite for formats, ours and those of other packages (needs pytest).

Subclass `FormatContract` in a test module and give it `Sample` recordings. The parts it is made of
can be used alone: files that are counted or that fail (:mod:`~ephyrus.testing.faults`), seeded
damage (:mod:`~ephyrus.testing.mutate`), limits of time and memory
(:mod:`~ephyrus.testing.guards`).
"""

from ephyrus.testing.contract import FormatContract
from ephyrus.testing.damage import DamageLimits
from ephyrus.testing.faults import Counter, FailAt, InjectedError, WatchedFileSet, WatchedSource
from ephyrus.testing.guards import memory_limit, open_descriptors, opened_paths, time_limit
from ephyrus.testing.mutate import Mutation, lying_counts, mutation, truncation_places
from ephyrus.testing.sample import Sample
from ephyrus.testing.subject import Subject

__all__ = [
    "Counter",
    "DamageLimits",
    "FailAt",
    "FormatContract",
    "InjectedError",
    "Mutation",
    "Sample",
    "Subject",
    "WatchedFileSet",
    "WatchedSource",
    "lying_counts",
    "memory_limit",
    "mutation",
    "open_descriptors",
    "opened_paths",
    "time_limit",
    "truncation_places",
]
