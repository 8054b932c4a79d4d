import hashlib
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from safetensors.numpy import save

import spiq

IMAGE = {"Image": {"shape": [1, 16, 16], "mean": [0.5], "std": [0.5], "bits": 8}}
SIZES = dict(dim=16, depth=1, heads=2, mlp_ratio=2, pooling=[True, True, False, False])


def small(**arguments):
    return spiq.Model.family("SpikeDrivenV1", **{"input": IMAGE, "timesteps": 2, "classes": 3} | SIZES | arguments)


def state_dict():
    dice = np.random.default_rng(2)
    return {
        name: dice.uniform(0.5, 1.0, shape).astype(np.float32) for name, shape in small().parameters.items()
    }


def test_a_state_dict_is_the_file_that_holds_it():
    tensors = state_dict()
    model = small(state_dict=tensors)
    assert model.sha256 == hashlib.sha256(save(tensors)).hexdigest()
    assert small(state_dict={f"module.{k}": np.asfortranarray(v) for k, v in tensors.items()}).parameters == (
        model.parameters
    )
    halves = small(state_dict={name: value.astype(np.float16) for name, value in tensors.items()})
    assert "weights converted from F16 to F32" in halves.notes


def test_a_state_dict_that_does_not_fit_says_where():
    name = "patch_embed.proj_conv.weight"
    wrong = {
        "not finite": state_dict() | {name: np.full(small().parameters[name], np.nan, np.float32)},
        "misshapen": state_dict() | {name: np.zeros((1, 2), np.float32)},
        "complex": state_dict() | {name: np.zeros((1, 2), np.complex64)},
    }
    messages = {}
    for what, tensors in wrong.items():
        with pytest.raises(spiq.Error) as caught:
            small(state_dict=tensors)
        messages[what] = str(caught.value)
        assert caught.value.file == "state_dict"
        if what != "misshapen":
            assert caught.value.field == name
    assert "value 0 is NaN" in messages["not finite"]
    assert f"misshapen {name} [1, 2] instead of" in messages["misshapen"]
    assert "dtype complex64" in messages["complex"]
    assert small(state_dict=state_dict()).family_name == "SpikeDrivenV1"


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(
        st.sampled_from([np.uint8, np.int16, np.int64, np.float16, np.float32, np.float64, np.complex64]),
        arrays.array_shapes(min_dims=0, max_dims=6, min_side=0, max_side=4),
    ),
    arrays.arrays(st.sampled_from([np.int64, np.float32, np.uint8]), arrays.array_shapes(max_dims=2, max_side=4)),
)
def test_any_arrays_are_data_or_an_error(images, labels):
    try:
        data = spiq.Data(images, labels)
    except spiq.Error as error:
        assert "\n" not in str(error)
    else:
        assert len(data) == len(labels) == len(images)
        # The order in memory is no part of the data.
        assert spiq.Data(np.asfortranarray(images), labels).sha256 == data.sha256
        assert spiq.Data(images.astype(images.dtype.newbyteorder(">")), labels).sha256 == data.sha256


@pytest.mark.parametrize(
    "images, labels, message",
    [
        (np.zeros((2, 1, 4, 4)), [0], r"labels: shape: \[1\] for 2 images"),
        (np.zeros((1, 1, 4, 4)), [-1], r"labels: \[0\]: -1 is no class"),
        (np.full((1, 1, 2, 2), 0.3), [0], r"images: \[0, 0, 0, 0\]: 0.3 is neither"),
        (np.zeros((4, 4)), [0], "images: shape"),
        (np.zeros((0, 1, 4, 4)), [], "images: shape"),
        ([["a"]], [0], "images: dtype"),
    ],
)
def test_arrays_that_are_no_data(images, labels, message):
    with pytest.raises(spiq.Error, match=message):
        spiq.Data(images, np.asarray(labels, dtype=np.int64))


def test_labels_that_have_no_class():
    with pytest.raises(spiq.Error, match="7 of sample 1, and there are 3 classes"):
        spiq.Data(np.zeros((2, 1, 4, 4), np.uint8), [0, 7], classes=3)


def test_data_that_does_not_fit_the_model(samples):
    with pytest.raises(spiq.Error, match="looks at 1 x 28 x 28") as caught:
        spiq.simulate(data=spiq.Data(samples[0][:, :, :20], samples[1]), settings="w4", progress=False)
    assert caught.value.field == "images"


def test_settings_are_text_or_dicts(tmp_path):
    scheme = {"Uniform": {"bits": 4, "scale": "Free", "granularity": "Channel", "clip": "Max"}}
    described = {"name": "mine", "weights": scheme, "membrane_bits": 8, "residual_bits": 16}
    described["layers"] = [["head", {"weights": {"UnitFloor": {"bits": 3}}}]]
    setting = spiq.Setting(described)
    setting.save(tmp_path / "mine.ron")
    for other in [setting.to_ron(), tmp_path / "mine.ron"]:
        assert spiq.Setting(other).to_ron() == setting.to_ron()
    assert spiq.Setting("fp32").to_ron() is None
    scheme["Uniform"]["bits"] = 99
    with pytest.raises(spiq.Error) as caught:
        spiq.Setting(described)
    assert (caught.value.file, caught.value.field) == ("setting", "weights")
    with pytest.raises(spiq.Error) as caught:
        spiq.Setting(described | {"width": 1})
    assert caught.value.field == "width"


def test_a_layer_that_a_setting_lacks_is_named():
    text = spiq.Setting("w4").to_ron().replace("layers: []", 'layers: [("nowhere", Layer(membrane_bits: 4))]')
    with pytest.raises(spiq.Error, match="nowhere: matches no layer"):
        spiq.simulate(data="noise", settings=text, progress=False)


def test_errors_can_be_pickled():
    error = pickle.loads(pickle.dumps(spiq.Error("m", file="f", field="x", layer="l")))
    assert (str(error), error.file, error.field, error.layer) == ("m", "f", "x", "l")
