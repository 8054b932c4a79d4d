"""The command ``spiq``, and ``python -m spiq``."""

import signal
import sys

from . import _spiq


def main():
    # Python would only note Ctrl-C until the command returns.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(_spiq.main(["spiq", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
