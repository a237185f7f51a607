"""A plugin for pytest: there is no gevent, as the suites of others expect (`-p without_gevent`)."""

import sys

sys.modules["gevent"] = None
