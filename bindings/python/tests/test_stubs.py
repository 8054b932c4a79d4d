"""The stubs say what there is: names, and parameters with their kinds and whether they have defaults."""

import ast
import inspect
from pathlib import Path

import pytest

import spiq

FOLDER = Path(spiq.__file__).parent


def sets(node):
    """True for what sets a property, whose name is that of what gets it."""
    return any(isinstance(d, ast.Attribute) and d.attr == "setter" for d in node.decorator_list)


def stubbed(path):
    """Functions of a stub by their dotted name."""

    def walk(body, prefix):
        for node in body:
            if isinstance(node, ast.ClassDef):
                yield from walk(node.body, f"{node.name}.")
            elif isinstance(node, ast.FunctionDef) and not sets(node):
                yield prefix + node.name, node

    return dict(walk(ast.parse(path.read_text(encoding="utf-8")).body, ""))


def parameters(node):
    """Name, kind and whether it has a default, of each parameter of a stub."""
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    missing = len(plain) - len(arguments.defaults)
    found = [(a.arg, "POSITIONAL_OR_KEYWORD", i >= missing) for i, a in enumerate(plain)]
    found += [(arguments.vararg.arg, "VAR_POSITIONAL", False)] if arguments.vararg else []
    found += [(a.arg, "KEYWORD_ONLY", d is not None) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults)]
    return found + ([(arguments.kwarg.arg, "VAR_KEYWORD", False)] if arguments.kwarg else [])


def real(value):
    value = value.fget if isinstance(value, property) else getattr(value, "__func__", value)
    signature = inspect.signature(value)
    return [(p.name, p.kind.name, p.default is not p.empty) for p in signature.parameters.values()]


@pytest.mark.parametrize("module, stub", [(spiq, "__init__.pyi"), (spiq.torch, "torch.pyi")])
def test_functions_are_those_of_the_stubs(module, stub):
    functions = stubbed(FOLDER / stub)
    assert len(functions) > 5
    for name, node in functions.items():
        owner, _, last = name.rpartition(".")
        if owner and not hasattr(module, owner):
            # A dataclass that needs PyTorch, or a type that only the stub has.
            continue
        kind = getattr(module, owner) if owner else module
        value = inspect.getattr_static(kind, last)
        assert real(value) == parameters(node), name


@pytest.mark.parametrize("module, stub", [(spiq, "__init__.pyi"), (spiq.torch, "torch.pyi")])
def test_what_is_public_is_in_the_stubs(module, stub):
    functions = stubbed(FOLDER / stub)
    for name in module.__all__:
        value = getattr(module, name)
        if not inspect.isclass(value):
            assert inspect.ismodule(value) or name.startswith("__") or name in functions, name
            continue
        own = {member for kind in value.__mro__ for member in vars(kind) if not member.startswith("_")}
        own = {m for m in own if callable(getattr(value, m, None)) or isinstance(vars(value).get(m), property)}
        said = {full.split(".")[1] for full in functions if "." in full}
        # Of every exception.
        assert own <= said | {"add_note", "with_traceback"}, name
