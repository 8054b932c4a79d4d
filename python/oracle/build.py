"""Builds the PyTorch module of a model description (models/*.ron)."""

from pathlib import Path

import ron
from families.qk_former import QkFormer
from families.spike_driven_v1 import SpikeDrivenV1
from families.spike_driven_v2 import SpikeDrivenV2
from families.spike_driven_v3 import SpikeDrivenV3
from families.spikformer import Spikformer
from families.spikingformer import Spikingformer

FAMILIES = {
    family.__name__: family
    for family in (QkFormer, SpikeDrivenV1, SpikeDrivenV2, SpikeDrivenV3, Spikformer, Spikingformer)
}


def build(description):
    """The module of a description as `ron.read` returns it, in evaluation mode, with random weights."""
    hyperparameters = dict(description["family"])
    name = hyperparameters.pop("")
    if name not in FAMILIES:
        raise ValueError(f"{name} is none of {', '.join(FAMILIES)}")
    if description.get("neurons"):
        raise ValueError("`neurons` are not built: these modules have the neurons of the family")
    channels = description["input"]["shape"][0]
    module = FAMILIES[name](channels, description["timesteps"], description["classes"], **hyperparameters)
    return module.eval()


def load(path):
    """The module of the description at `path`."""
    return build(ron.read(Path(path)))
