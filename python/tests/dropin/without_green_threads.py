"""A plugin for pytest: there is neither gevent nor eventlet, as the suites of others expect
(`-p without_green_threads`)."""

import sys

sys.modules["gevent"] = None
sys.modules["eventlet"] = None
