"""The graph of a NIR file: nodes in order of execution, each with its fields and what it reads."""

import dataclasses

import numpy as np

import hdf5
from refusal import Refused

# A graph may hold graphs; more levels than anyone writes.
MAX_DEPTH = 16


@dataclasses.dataclass
class Node:
    """A node; `reads` are names of nodes."""

    name: str
    kind: str
    fields: hdf5.Fields
    reads: list


def read(path):
    """The nodes of the file at `path`, sources first, and the metadata of the graph."""
    top = hdf5.Fields(path, "", hdf5.read(path)).child("node")
    nodes, edges = flat(top, "", MAX_DEPTH)
    for source, target in edges:
        if source not in nodes or target not in nodes:
            missing = source if source not in nodes else target
            raise Refused(path, "edges", f"{source} -> {target}: no node is called {missing!r}")
        nodes[target].reads.append(source)
    metadata = top.fields.get("metadata", {})
    return ordered(nodes, path), metadata if isinstance(metadata, dict) else {}


def flat(graph, prefix, depth):
    """Nodes and edges of a graph, those of graphs inside it under the name of their node."""
    if graph.text("type") != "NIRGraph" or depth == 0:
        graph.refuse("type", "is no NIRGraph" if depth else f"graphs within graphs, more than {MAX_DEPTH} deep")
    nodes, edges = {}, []
    for name in graph.child("nodes").fields:
        fields = graph.child("nodes").child(name)
        fields.name, kind = f"node {prefix}{name}", fields.text("type")
        if kind != "NIRGraph":
            nodes[prefix + name] = Node(prefix + name, kind, fields, [])
            continue
        inner, between = flat(fields, f"{prefix}{name}.", depth - 1)
        nodes.update(inner)
        edges += between
    return nodes, edges + [
        (end(graph, nodes, prefix, source, "Output"), end(graph, nodes, prefix, target, "Input"))
        for source, target in pairs(graph)
    ]


def pairs(graph):
    """The edges of a graph, as names."""
    edges = np.asarray(graph.get("edges"))
    if edges.size == 0:
        return []
    if edges.ndim != 2 or edges.shape[1] != 2:
        graph.refuse("edges", "are no pairs of names")
    try:
        return [tuple(x.decode() if isinstance(x, bytes) else str(x) for x in edge) for edge in edges.tolist()]
    except UnicodeDecodeError:
        graph.refuse("edges", "are no pairs of names")


def end(graph, nodes, prefix, name, kind):
    """The node at the end of an edge: of a graph, its one input or output."""
    inner = graph.child("nodes").fields.get(name)
    if not isinstance(inner, dict) or inner.get("type") != "NIRGraph":
        return prefix + name
    ends = [node for node in nodes.values() if node.name.startswith(f"{prefix}{name}.") and node.kind == kind]
    own = [node.name for node in ends if node.name in {f"{prefix}{name}.{x}" for x in inner.get("nodes", {})}]
    if len(own) != 1:
        graph.refuse(f"nodes/{name}", f"a graph with {len(own)} nodes of type {kind}, where 1 is read")
    return own[0]


def ordered(nodes, path):
    """Nodes with sources first."""
    done, waiting = [], dict(nodes)
    while waiting:
        ready = [node for node in waiting.values() if not any(name in waiting for name in node.reads)]
        if not ready:
            raise Refused(path, f"node {cycle(waiting)[0]}", f"is on a cycle: {' -> '.join(cycle(waiting))}")
        done += ready
        for node in ready:
            del waiting[node.name]
    return done


def cycle(waiting):
    """Names along a cycle of nodes that all wait for one another."""
    name, path = next(iter(waiting)), []
    while name not in path:
        path.append(name)
        name = next(source for source in waiting[name].reads if source in waiting)
    around = path[path.index(name) :][::-1]
    return [*around, around[0]]
