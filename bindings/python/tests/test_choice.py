import numpy as np
import pytest

import spiq

torch = pytest.importorskip("torch")

from shortcuts import Shortcuts  # noqa: E402
from test_train import Surrogate, data, logits_of, made, read, train  # noqa: E402

LAYERS = ("stem", "conv1", "fc2", "fc3", "head")
CHOICES = ["w4u5", "w2", "pot3"]
COSTS = [
    {"layer": layer, "choice": choice, "energy_j": bits * 1e-9, "weight_bytes": bits / 8}
    for layer in LAYERS
    for choice, bits in zip(CHOICES, (4, 2, 3))
]

FLOORED = [row | {"choice": row["choice"].replace("w2", "floor8")} for row in COSTS]


def prepared(network, **changed):
    arguments = dict(settings=CHOICES, costs=COSTS, data=data(), surrogate=Surrogate.apply) | changed
    return spiq.torch.prepare_choice(network, **arguments)


def test_a_layer_computes_the_integers_of_what_it_chose(tmp_path):
    """Each choice alone is that setting; a mixture is the setting that says it, layer by layer."""
    network = made(Shortcuts)
    read(network)
    expected = {}
    with torch.no_grad():
        for choice in ("w4u5", "w2u5"):
            training = spiq.torch.prepare_qat(network, choice, data(), surrogate=Surrogate.apply)
            expected[choice] = logits_of(network)
            training.undo()
        choosing = prepared(network)
        assert torch.equal(logits_of(network), expected["w4u5"])
        for layer in LAYERS:
            getattr(network, layer).weight_choice[1] = 1.0
        assert torch.equal(logits_of(network), expected["w2u5"])
        network.head.weight_choice[2] = 2.0
        seen = logits_of(network)
    assert choosing.chosen == dict.fromkeys(LAYERS, "w2") | {"head": "pot3"}
    setting = choosing.finish()
    setting.save(tmp_path / "chosen.ron")
    assert not any("weight_" in name for name in network.state_dict())
    training = spiq.torch.prepare_qat(network, tmp_path / "chosen.ron", data(), surrogate=Surrogate.apply)
    with torch.no_grad():
        assert torch.equal(logits_of(network), seen)
    training.finish()
    found = spiq.torch.verify(network, training.setting, data(), model=read(network))
    assert found.equal, str(found)


def test_costs_alone_lead_to_the_cheapest():
    network = made(Shortcuts)
    read(network)
    choosing = prepared(network)
    assert choosing.expected("weight_bytes").item() == pytest.approx(5 * 3 / 8)
    optimizer = torch.optim.Adam([getattr(network, layer).weight_choice for layer in LAYERS], 0.1)
    for _ in range(30):
        loss = choosing.expected("energy_j") * 1e9
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert set(choosing.chosen.values()) == {"w2"}


def test_choices_and_weights_train_together():
    """What is drawn follows the seed; the choice of a layer has a gradient of the loss, and all trains on."""
    network = made(Shortcuts)
    read(network)
    choosing = prepared(network)
    choosing.temperature = 0.5
    network.train()

    def loss_of(seed):
        torch.manual_seed(seed)
        return torch.nn.functional.cross_entropy(logits_of(network), torch.arange(20) % 5)

    losses = [loss_of(seed) for seed in (1, 1, 2)]
    assert losses[0] == losses[1] != losses[2]
    losses[0].backward()
    for layer in LAYERS:
        part = getattr(network, layer)
        assert part.weight_choice.grad.abs().sum() > 0 and part.weight.grad.abs().sum() > 0
    optimizer = torch.optim.Adam(network.parameters(), 2e-3)
    before = loss_of(1).item()
    for _ in range(8):
        loss = loss_of(1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < before and choosing.steps == 12
    network.eval()
    setting = choosing.finish()
    training = spiq.torch.prepare_qat(network, setting, surrogate=Surrogate.apply)
    train(network, 1)
    training.finish()
    found = spiq.torch.verify(network, training.setting, data(), model=read(network))
    assert found.equal, str(found)


@pytest.mark.parametrize(
    "changed, message",
    [
        (dict(settings=["w4"]), "two or more"),
        (dict(settings=["w4", "w4"]), "names that differ"),
        (dict(costs=COSTS[1:]), "costs: stem: no row of w4u5"),
        (dict(costs=[row | {"energy_j": np.nan} for row in COSTS]), "costs: stem: w4u5: energy_j: nan is no cost"),
        (dict(settings=["w4u5", "floor8"], costs=FLOORED), "scheme UnitFloor have no step to learn"),
    ],
)
def test_what_cannot_be_chosen_leaves_the_module(changed, message):
    network = made(Shortcuts)
    read(network)
    before = list(network.state_dict())
    with pytest.raises(spiq.Error, match=message):
        prepared(network, **changed)
    assert list(network.state_dict()) == before
    assert not any("forward" in part.__dict__ or part._forward_pre_hooks for part in network.modules())
    choosing = prepared(network)
    with pytest.raises(spiq.Error, match="costs: stem: no column watts"):
        choosing.expected("watts")
    with torch.no_grad():
        network.fc2.weight_choice[0] = float("nan")
    with pytest.raises(spiq.Error, match="training step 0: fc2: its choice between schemes is not finite"):
        logits_of(network)
