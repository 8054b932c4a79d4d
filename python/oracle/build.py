"""Builds the PyTorch module of a model description (models/*.ron)."""

from fnmatch import fnmatchcase
from pathlib import Path

import ron
from families.qk_former import QkFormer
from families.spike_driven_v1 import SpikeDrivenV1
from families.spike_driven_v2 import SpikeDrivenV2
from families.spike_driven_v3 import SpikeDrivenV3
from families.spikformer import Spikformer
from families.spikingformer import Spikingformer
from neurons import Lif

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
    channels = description["input"]["shape"][0]
    module = FAMILIES[name](channels, description["timesteps"], description["classes"], **hyperparameters)
    change_neurons(module, description.get("neurons", []))
    return module.eval()


def change_neurons(module, overrides):
    """Gives the LIF neurons of `module` what `neurons` of a description say; the last override that names a layer holds."""
    for override in overrides:
        names = override.get("layers", "*").replace("[", "[[]")
        neurons = [lif for name, lif in module.named_modules() if isinstance(lif, Lif) and fnmatchcase(name, names)]
        if not neurons or override.keys() - {"", "layers", "threshold", "leak", "reset"}:
            raise ValueError(f"{override} is not built")
        for lif in neurons:
            lif.v_threshold = override.get("threshold", lif.v_threshold)
            lif.tau = time_constant(override["leak"]) if "leak" in override else lif.tau
            lif.v_reset = reset_value(override["reset"]) if "reset" in override else lif.v_reset


def time_constant(leak):
    """tau of a leak with decayed input: others are another module of SpikingJelly."""
    if leak == "HalfWithInput":
        return 2.0
    if leak[""] == "Tau" and leak["decay_input"]:
        return leak["tau"]
    raise ValueError(f"the leak {leak} is not built")


def reset_value(reset):
    """v_reset of SpikingJelly, which subtracts the threshold where there is none."""
    return {"Zero": 0.0, "Subtract": None}[reset] if isinstance(reset, str) else reset["items"][0]


def load(path):
    """The module of the description at `path`."""
    return build(ron.read(Path(path)))
