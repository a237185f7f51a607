"""A plugin for pytest: `import engineio` means heartwire (`-p install_all`)."""

import heartwire

heartwire.install()
