"""Descriptions as users write them: the name of a built-in one, a file, RON text, or a dict."""

import json
import os

from ._error import Error


def text_of(value, what):
    """The text of a description that ``value`` holds itself: a dict, or RON or JSON; nothing for a name or a path."""
    if isinstance(value, dict):
        try:
            return json.dumps(value, allow_nan=False, default=_plain)
        except (TypeError, ValueError) as error:
            raise Error(f"{what}: {error}", file=what) from None
    # Neither names nor paths have a parenthesis with something behind it on a line of its own.
    if isinstance(value, str) and ("\n" in value or value.lstrip().startswith("{") or value.rstrip().endswith(")")):
        return value
    return None


def spec_of(value, what):
    """The name or path that ``value`` is."""
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)
    message = f"{what}: {type(value).__name__} is no name, path, text or dict of a description"
    raise Error(message, file=what)


def _plain(value):
    """Numbers of NumPy as those of Python."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no part of a description")
