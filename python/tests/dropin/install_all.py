"""A plugin for pytest: `import engineio` and `import repod` mean heartwire (`-p install_all`)."""

import heartwire

heartwire.install()

import engineio
import repod

assert (engineio.__name__, repod.__name__) == ("heartwire.engineio", "heartwire.repod")
