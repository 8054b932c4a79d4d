"""What a converter can not take: one message, with file and field, and exit code 2, as spiq itself."""

import sys


class Refused(Exception):
    """`Refused(where, field, message)`: what is wrong, and where; either place may be empty."""

    def __init__(self, *parts):
        super().__init__(": ".join(str(part) for part in parts if part))


def run(main):
    """Runs a command; what it refuses is printed."""
    try:
        main()
    except Refused as refused:
        print(f"error: {refused}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


def note(message):
    """What a user must know of a result."""
    print(f"note: {message}", file=sys.stderr)
