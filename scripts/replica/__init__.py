"""A replica of Kompasiana for tests and benchmarks, made from the facts that are known of its pages.

Posts are invented: the demonstration posts of this repository, or texts assembled from their sentences.
"""

from scripts.replica.faults import Fault, Faults
from scripts.replica.server import Request
from scripts.replica.site import Response, Site
from scripts.replica.start import Replica, build_site, start_replica
from scripts.replica.truth import Era, State, Truth

__all__ = [
    "Era",
    "Fault",
    "Faults",
    "Replica",
    "Request",
    "Response",
    "Site",
    "State",
    "Truth",
    "build_site",
    "start_replica",
]
