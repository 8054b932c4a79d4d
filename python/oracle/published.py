"""The 33 published variants, described as `ron.read` describes models."""

IMAGENET, CIFAR, EVENTS = (3, 224, 224), (3, 32, 32), (2, 128, 128)
ALL, LAST_THREE, LAST_TWO = (True, True, True, True), (False, True, True, True), (False, False, True, True)
QUERY_KEY, KEY_VALUE = "QueryKeyFirst", "KeyValueFirst"


def spikformer(dim, depth, heads, layers, order, **changes):
    pooling = LAST_TWO if layers == "Linear" else ALL
    shape = {"dim": dim, "depth": depth, "heads": heads, "mlp_ratio": 4, "pooling": pooling}
    return {"": "Spikformer", **shape, "layers": layers, "order": order, "scale": 0.125, **changes}


def spikingformer(dim, depth, heads, pooling, stem, order, **changes):
    shape = {"dim": dim, "depth": depth, "heads": heads, "mlp_ratio": 4, "pooling": pooling}
    return {"": "Spikingformer", **shape, "stem": stem, "order": order, **changes}


def spike_driven_v1(dim, depth, pooling, **changes):
    shape = {"dim": dim, "depth": depth, "heads": 8, "mlp_ratio": 4, "pooling": pooling}
    return {"": "SpikeDrivenV1", **shape, **changes}


def spike_driven_v2(*dims):
    return {"": "SpikeDrivenV2", "dims": dims, "depths": (6, 2), "heads": 8, "mlp_ratio": 4}


def spike_driven_v3(*dims):
    return {"": "SpikeDrivenV3", "dims": dims, "depths": (6, 2), "heads": 8, "mlp_ratio": 4, "value_ratio": 4}


def qk_former(dim, depths, heads, mlp_ratio, style):
    shape = {"dim": dim, "depths": depths, "heads": heads, "mlp_ratio": mlp_ratio}
    return {"": "QkFormer", **shape, "style": style}


# Name, family, input shape, timesteps, classes.
VARIANTS = [
    ("qkformer_10-384_imagenet", qk_former(384, (1, 2, 7), 6, 4, "ImageNet"), IMAGENET, 4, 1000),
    ("qkformer_10-512_imagenet", qk_former(512, (1, 2, 7), 8, 4, "ImageNet"), IMAGENET, 4, 1000),
    ("qkformer_10-768_imagenet", qk_former(768, (1, 2, 7), 12, 4, "ImageNet"), IMAGENET, 4, 1000),
    ("qkformer_4-256_cifar10dvs_mlp1", qk_former(256, (1, 0, 1), 16, 1, "Events"), EVENTS, 16, 10),
    ("qkformer_4-256_gesture", qk_former(256, (1, 0, 1), 16, 4, "Events"), EVENTS, 16, 11),
    ("qkformer_4-384_cifar10", qk_former(384, (1, 1, 2), 8, 4, "Cifar"), CIFAR, 4, 10),
    ("sdtv1_2-256_cifar10", spike_driven_v1(256, 2, LAST_TWO), CIFAR, 4, 10),
    ("sdtv1_2-256_cifar10dvs", spike_driven_v1(256, 2, LAST_TWO, pool_keys=True), (2, 64, 64), 10, 10),
    ("sdtv1_2-256_gesture", spike_driven_v1(256, 2, LAST_THREE, pool_keys=True), EVENTS, 16, 11),
    ("sdtv1_2-512_cifar10", spike_driven_v1(512, 2, LAST_TWO), CIFAR, 4, 10),
    ("sdtv1_8-384_imagenet", spike_driven_v1(384, 8, ALL), IMAGENET, 4, 1000),
    ("sdtv1_8-512_imagenet", spike_driven_v1(512, 8, ALL), IMAGENET, 4, 1000),
    ("sdtv1_8-768_imagenet", spike_driven_v1(768, 8, ALL), IMAGENET, 4, 1000),
    ("sdtv2_15M", spike_driven_v2(64, 128, 256, 360), IMAGENET, 4, 1000),
    ("sdtv2_31M_8_384", spike_driven_v2(96, 192, 384, 480), IMAGENET, 4, 1000),
    ("sdtv2_55M_8_512", spike_driven_v2(128, 256, 512, 640), IMAGENET, 4, 1000),
    ("sdtv2_5M_dims_32_64_128_192", spike_driven_v2(32, 64, 128, 192), IMAGENET, 1, 1000),
    ("sdtv3_l_19M", spike_driven_v3(64, 128, 256, 360), IMAGENET, 1, 1000),
    ("sdtv3_m_10M", spike_driven_v3(48, 96, 192, 240), IMAGENET, 1, 1000),
    ("sdtv3_s_5M", spike_driven_v3(32, 64, 128, 192), IMAGENET, 1, 1000),
    ("sdtv3_t", spike_driven_v3(24, 48, 96, 128), IMAGENET, 1, 1000),
    (
        "spikformer_2-256_cifar10dvs",
        spikformer(256, 2, 16, "Conv", QUERY_KEY, scale=0.25, unused_tokens=64),
        EVENTS, 16, 10,
    ),
    ("spikformer_2-384_cifar10", spikformer(384, 2, 12, "Linear", QUERY_KEY), CIFAR, 4, 10),
    ("spikformer_4-256_cifar10", spikformer(256, 4, 8, "Linear", QUERY_KEY), CIFAR, 4, 10),
    ("spikformer_4-384_cifar10", spikformer(384, 4, 12, "Linear", QUERY_KEY), CIFAR, 4, 10),
    ("spikformer_8-384_imagenet", spikformer(384, 8, 8, "Conv", KEY_VALUE), IMAGENET, 4, 1000),
    ("spikformer_8-512_imagenet", spikformer(512, 8, 8, "Conv", KEY_VALUE), IMAGENET, 4, 1000),
    ("spikformer_8-768_imagenet", spikformer(768, 8, 8, "Conv", KEY_VALUE), IMAGENET, 4, 1000),
    (
        "spikingformer_2-256_cifar10dvs",
        spikingformer(256, 2, 16, ALL, "Proj", QUERY_KEY, tau=1.5),
        EVENTS, 16, 10,
    ),
    ("spikingformer_4-384_cifar10", spikingformer(384, 4, 12, LAST_TWO, "Block", QUERY_KEY), CIFAR, 4, 10),
    ("spikingformer_8-384_imagenet", spikingformer(384, 8, 8, ALL, "Proj", KEY_VALUE), IMAGENET, 4, 1000),
    ("spikingformer_8-512_imagenet", spikingformer(512, 8, 8, ALL, "Proj", KEY_VALUE), IMAGENET, 4, 1000),
    ("spikingformer_8-768_imagenet", spikingformer(768, 8, 8, ALL, "Proj", KEY_VALUE), IMAGENET, 4, 1000),
]  # fmt: skip


def descriptions():
    """All variants by name."""
    fields = ("name", "family", "input", "timesteps", "classes")
    return {
        name: {"": "Model", **dict(zip(fields, (name, family, {"shape": shape}, timesteps, classes)))}
        for name, family, shape, timesteps, classes in VARIANTS
    }
