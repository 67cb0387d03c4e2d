"""
No network; see tests/offline.py.
"""

from tests.offline import factory, no_network

__all__ = ["factory", "no_network"]
