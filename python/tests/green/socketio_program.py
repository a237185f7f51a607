"""A program of python-socketio's users in which a library has replaced threads: the library, and what the
program of `dropin` takes."""

import runpy
import sys
from pathlib import Path

if sys.argv.pop(1) == "gevent":
    from gevent import monkey

    monkey.patch_all()
else:
    import eventlet

    eventlet.monkey_patch()

runpy.run_path(str(Path(__file__).parent.parent / "dropin/socketio_program.py"), run_name="__main__")
