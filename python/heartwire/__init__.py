"""Realtime connections that stay up and lose nothing.

`heartwire.engineio` speaks Engine.IO v4, `heartwire.repod` speaks repod. Both have the names of the
packages that they replace; `install()` lets programs that say ``import engineio`` or ``import repod``
run on them unchanged, and so does ``python -m heartwire run SCRIPT``.
"""

import atexit
import os

from heartwire import _native
from heartwire._install import install
from heartwire._native import __version__

__all__ = ["__version__", "install"]

# What is registered later is called earlier: connections have ended by then.
atexit.register(_native.at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_native.after_fork)
