"""A reader for the part of RON (Rusty Object Notation) that model descriptions use."""

import re

TOKEN = re.compile(
    r"""\s*(?:(?P<comment>//[^\n]*|/\*.*?\*/)|(?P<number>[-+]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"""
    r"""|"(?P<string>(?:[^"\\]|\\.)*)"|(?P<word>[A-Za-z_]\w*)|(?P<mark>[()\[\]:,]))""",
    re.DOTALL,
)


class Reader:
    """Structs become dicts, with their name under "" where they have one; tuples and lists become lists."""

    def __init__(self, text):
        self.tokens, at = [], 0
        text = text.rstrip()
        while at < len(text):
            match = TOKEN.match(text, at)
            if match is None:
                line = text.count("\n", 0, at) + 1
                raise ValueError(f"line {line}: not understood: {text[at:].split()[0]}")
            if match.lastgroup != "comment":
                self.tokens.append((match.lastgroup, match.group(match.lastgroup)))
            at = match.end()
        self.at = 0

    def next(self, *expected):
        token = self.tokens[self.at] if self.at < len(self.tokens) else (None, "the end")
        if expected and token[1] not in expected:
            raise ValueError(f"{token[1]!r} where {' or '.join(expected)} is expected")
        self.at += 1
        return token

    def peek(self, ahead=0):
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else (None, None)

    def value(self):
        kind, text = self.next()
        if kind == "number":
            return float(text) if re.search(r"[.eE]", text) else int(text.replace("_", ""))
        if kind == "string":
            return re.sub(r"\\(.)", r"\1", text)
        if kind == "word":
            if text in ("true", "false"):
                return text == "true"
            return self.items(text, ")") if self.peek() == ("mark", "(") and self.next() else text
        if text in ("(", "["):
            return self.items(None, {"(": ")", "[": "]"}[text])
        raise ValueError(f"{text!r} where a value is expected")

    def items(self, name, end):
        """What stands between brackets; a struct if its first item has a field name."""
        fields, values = {}, []
        while self.peek() != ("mark", end):
            if self.peek()[0] == "word" and self.peek(1) == ("mark", ":"):
                field = self.next()[1]
                self.next(":")
                fields[field] = self.value()
            else:
                values.append(self.value())
            if self.peek() != ("mark", end):
                self.next(",", end)
        self.next(end)
        if name is None:
            return fields or values
        return {"": name, **fields, **({"items": values} if values else {})}


def read(path):
    """The value that the file at `path` holds."""
    return Reader(path.read_text()).value()
