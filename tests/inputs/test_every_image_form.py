"""Images in random forms: the same pixels, or an error that names the argument.

SKHASH_EXAMPLES=25000 in the environment runs the long form.
"""

import functools
import os
import re
import warnings

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skhash import OrthoHasher
from skhash.inputs import read_images

image_module = pytest.importorskip("PIL.Image")

HEIGHT, WIDTH = 6, 7
SETTINGS = settings(
    max_examples=int(os.environ.get("SKHASH_EXAMPLES", "300")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class Items(torch.utils.data.Dataset):
    def __init__(self, items, labels=False):
        self.items, self.labels = items, labels

    def __len__(self):
        return len(self.items)

    def __getitem__(self, row):
        if isinstance(self.items[row], Exception):
            raise self.items[row]
        return (self.items[row], 0) if self.labels else self.items[row]


def first(x):
    """Return images with their channels first."""
    return np.ascontiguousarray(x.transpose(0, 3, 1, 2))


def tensor(x):
    return torch.from_numpy(first(x))


# Form of images: a function of uint8 pixels (n, height, width, channels), and whether it is read (else refused).
FORMS = {
    **{t: ((lambda x, t=t: x.astype(t)), True) for t in ("uint8", "int16", "int32", "int64", "uint64", ">i4")},
    **{f"{t} shifted": ((lambda x, t=t: (x.astype(np.uint16) << 8 | 37).astype(t)), True) for t in ("uint16", ">u2")},
    "list": (list, True),
    "tuple": (tuple, True),
    "tensor": (tensor, True),
    "int64 tensor": (lambda x: tensor(x).long(), True),
    "uint16 tensor": (lambda x: torch.from_numpy(first(x).astype(np.uint16) << 8), True),
    "list of tensors": (lambda x: list(tensor(x)), True),
    "channels first": (first, True),
    "fortran": (np.asfortranarray, True),
    "negative strides": (lambda x: x[::-1, ::-1].copy()[::-1, ::-1], True),
    "every second": (lambda x: np.repeat(x, 2, axis=2)[:, :, ::2], True),
    "read-only": (lambda x: np.broadcast_to(x, x.shape), True),
    "masked, nothing masked": (lambda x: np.ma.masked_array(x), True),
    "dataset": (lambda x: Items(list(x)), True),
    "dataset with labels": (lambda x: Items(list(x), True), True),
    "dataset of tensors": (lambda x: Items(list(tensor(x))), True),
    "dataset of int64": (lambda x: Items(list(x.astype(np.int64))), True),
    "dataset of uint16": (lambda x: Items(list(x.astype(np.uint16) << 8)), True),
    "dataset of read-only": (lambda x: Items(list(np.broadcast_to(x, x.shape))), True),
    "dataset of masked, nothing masked": (lambda x: Items([np.ma.masked_array(i) for i in x]), True),
    "tensor dataset": (lambda x: torch.utils.data.TensorDataset(tensor(x)), True),
    "subset": (lambda x: torch.utils.data.Subset(Items(list(x)), range(len(x))), True),
    "samples": (read_images, True),
    "PIL": (lambda x: [to_pil(i) for i in x], True),
    "tuple of PIL": (lambda x: tuple(to_pil(i) for i in x), True),
    "dataset of PIL": (lambda x: Items([to_pil(i) for i in x]), True),
    "complex": (lambda x: x * 1j, False),
    "complex tensor": (lambda x: tensor(x) * 1j, False),
    "object": (lambda x: x.astype(object), False),
    "strings": (lambda x: x.astype(str), False),
    "dates": (lambda x: x.astype("M8[D]"), False),
    "masked": (lambda x: np.ma.masked_array(x, mask=x >= 0), False),
    "list with masked": (lambda x: [*x[1:], np.ma.masked_array(x[0], mask=x[0] >= 0)], False),
    "negative": (lambda x: x.astype(int) - 256, False),
    "above a byte": (lambda x: x.astype(int) + 256, False),
    "int8": (lambda x: (x | 128).view(np.int8), False),
    "two channels": (lambda x: x[..., [0, 0]], False),
    "five channels": (lambda x: x[..., [0] * 5], False),
    "five dimensions": (lambda x: x[None], False),
    "sizes": (lambda x: [*x, x[0, 1:]], False),
    "types": (lambda x: [*x, x[0] / 255], False),
    "tensors and arrays": (lambda x: [*x, torch.from_numpy(x[0])], False),
    "none among arrays": (lambda x: [*x, None], False),
    "none among PIL": (lambda x: [to_pil(x[0]), None], False),
    "floats": (lambda x: x / 255, False),  # the hasher has seen integers
    "float tensor": (lambda x: tensor(x) / 255, False),
    "nan": (lambda x: np.where(np.arange(x.size).reshape(x.shape) == 0, np.nan, x), False),
    "infinite tensor": (lambda x: tensor(x) / 0.0, False),
    "too large": (lambda x: x + 1e300, False),
    "no images": (lambda x: x[:0], False),
    "no height": (lambda x: x[:, :0], False),
    "smaller": (lambda x: x[:, 1:], False),
    "flat": (lambda x: x.reshape(len(x), -1), False),
    "one image": (lambda x: x[0, :, :, 0], False),
    "sparse tensor": (lambda x: tensor(x).to_sparse(), False),
    "dataset of nothing": (lambda x: Items([]), False),
    "dataset of none": (lambda x: Items([*x, None]), False),
    "dataset that fails": (lambda x: Items([*x, RuntimeError("disk")]), False),
    "dataset of sizes": (lambda x: Items([*x, x[0, 1:]]), False),
    "dataset of types": (lambda x: Items([*x, x[0] / 255]), False),
    "dataset of nan": (lambda x: Items(list(x * np.nan)), False),
    "dataset of masked": (lambda x: Items([np.ma.masked_array(i, mask=i >= 0) for i in x]), False),
    "dataset of large integers": (lambda x: Items(list(x.astype(int) + 256)), False),
    "dataset of complex": (lambda x: Items(list(x * 1j)), False),
    "dataset of objects": (lambda x: Items(list(x.astype(object))), False),
    "dataset of text": (lambda x: Items(["a" for _ in x]), False),
    "dataset of numbers": (lambda x: Items([1.0 for _ in x]), False),
    "dataset of features": (lambda x: Items(list(x.reshape(len(x), -1))), False),
    "loader": (lambda x: torch.utils.data.DataLoader(Items(list(x))), False),
    "text": (lambda x: "photos", False),
    "bytes": (lambda x: [i.tobytes() for i in x], False),
    "none": (lambda x: None, False),
    "number": (lambda x: 5, False),
    "generator": (lambda x: (i for i in x), False),
    "dict": (lambda x: dict(enumerate(x)), False),
    "empty list": (lambda x: [], False),
}  # fmt: skip
NAMES = re.compile(r"\bX\b|dimensional|Expected 2D array|Reshape your data|0 sample\(s\)|array-like")


def to_pil(pixels):
    return image_module.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


@functools.cache
def fitted(channels):
    pixels = np.random.default_rng(0).integers(0, 256, (12, HEIGHT, WIDTH, channels)).astype(np.uint8)
    return OrthoHasher(bits=16, max_epochs=1, random_state=0).fit(pixels, np.arange(12) % 3)


def attempt(call):
    """Return the value of a call and None, or None and its error."""
    try:
        return call(), None
    except Exception as error:
        return None, error


def composite(rgba, background):
    base = image_module.new("RGBA", (rgba.shape[1], rgba.shape[0]), background)
    return np.asarray(image_module.alpha_composite(base, image_module.fromarray(rgba)).convert("RGB"))


@SETTINGS
@given(st.data())
def test_arrays_and_datasets(data):
    generator = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    channels = data.draw(st.sampled_from([1, 3, 4]))
    pixels = generator.integers(0, 256, (data.draw(st.integers(1, 3)), HEIGHT, WIDTH, channels)).astype(np.uint8)
    name = data.draw(st.sampled_from(sorted(FORMS)))
    make, is_read = FORMS[name]
    hasher = fitted(min(channels, 3))
    form = make(pixels)
    call = data.draw(st.sampled_from(["read_images", "decision_function"]))
    shape = (min(channels, 3), HEIGHT, WIDTH)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found, error = attempt(
            {
                "read_images": lambda: read_images(form, shape).batch(range(len(form))).numpy(),
                "decision_function": lambda: hasher.decision_function(form),
            }[call]
        )
    if error is not None:
        assert not is_read, (name, channels, call, error)
        if call == "read_images" and isinstance(error, AttributeError):
            return  # None: no images, and left to scikit-learn
        assert isinstance(error, (ValueError, TypeError)), (name, call, error)
        assert NAMES.search(str(error)), (name, call, error)
        return
    if call == "read_images" and "float" in name and channels != 4:
        return  # only a hasher knows that it has seen integers
    assert is_read, (name, channels, call)
    plain = np.stack([composite(i, "white") for i in pixels]) if channels == 4 else pixels
    expected = hasher.decision_function(plain) if call != "read_images" else first(plain) / np.float32(255)
    np.testing.assert_array_equal(found, expected, err_msg=f"{name} {call}")


MODES = {
    "1": lambda rgb, a: image_module.fromarray(rgb).convert("1"),
    "L": lambda rgb, a: image_module.fromarray(rgb).convert("L"),
    "LA": lambda rgb, a: image_module.fromarray(np.dstack([rgb[..., 0], a])),
    "La": lambda rgb, a: image_module.fromarray(np.dstack([rgb[..., 0], a])).convert("La"),
    "P": lambda rgb, a: image_module.fromarray(rgb).quantize(16),
    "P transparent": lambda rgb, a: with_info(image_module.fromarray(rgb).quantize(16), 3),
    "P transparent bytes": lambda rgb, a: with_info(image_module.fromarray(rgb).quantize(16), bytes(range(0, 256, 16))),
    "PA": lambda rgb, a: image_module.fromarray(rgb).quantize(16).convert("PA"),
    "RGB": lambda rgb, a: image_module.fromarray(rgb),
    "RGB transparent": lambda rgb, a: with_info(image_module.fromarray(rgb), tuple(int(v) for v in rgb[0, 0])),
    "L transparent": lambda rgb, a: with_info(image_module.fromarray(rgb[..., 0]), int(rgb[0, 0, 0])),
    "RGBA": lambda rgb, a: image_module.fromarray(np.dstack([rgb, a])),
    "RGBa": lambda rgb, a: image_module.fromarray(np.dstack([rgb, a])).convert("RGBa"),
    "RGBX": lambda rgb, a: image_module.fromarray(rgb).convert("RGBX"),
    "CMYK": lambda rgb, a: image_module.fromarray(rgb).convert("CMYK"),
    "YCbCr": lambda rgb, a: image_module.fromarray(rgb).convert("YCbCr"),
    "LAB": lambda rgb, a: image_module.frombytes("LAB", (WIDTH, HEIGHT), rgb.tobytes()),
    "HSV": lambda rgb, a: image_module.fromarray(rgb).convert("HSV"),
    "I": lambda rgb, a: image_module.fromarray(wide(rgb, a).astype(np.int32)),
    "I;16": lambda rgb, a: image_module.fromarray(wide(rgb, a)),
    "I;16 transparent": lambda rgb, a: with_info(image_module.fromarray(wide(rgb, a)), int(wide(rgb, a)[0, 0])),
    "I;16B": lambda rgb, a: image_module.frombytes("I;16B", (WIDTH, HEIGHT), wide(rgb, a).astype(">u2").tobytes()),
    "F": lambda rgb, a: image_module.fromarray(rgb[..., 0].astype(np.float32)),
}


def wide(rgb, alpha):
    return rgb[..., 0].astype(np.uint16) << 8 | alpha


def with_info(image, transparency):
    image.info["transparency"] = transparency
    return image


def expect(mode, image, rgb, alpha, background):
    """Return the 8-bit RGB pixels of a picture, by another way than the library's."""
    gray = rgb[..., [0, 0, 0]]
    if mode == "I;16 transparent":
        clear = wide(rgb, alpha) == wide(rgb, alpha)[0, 0]
        return np.where(clear[..., None], image_module.new("RGB", (1, 1), background).getpixel((0, 0)), gray)
    if mode[:1] in "IF":
        return gray
    if mode in ("RGBA", "LA"):
        return composite(np.dstack([rgb if mode == "RGBA" else gray, alpha]), background)
    if mode in ("La", "RGBa", "PA", "RGB transparent", "L transparent") or mode.startswith("P t"):
        image = image.convert("LA") if mode == "La" else image
        return composite(np.asarray(image.convert("RGBA")), background)
    return np.asarray(image.convert("RGB"))


@SETTINGS
@given(st.data())
def test_modes_of_pil(tmp_path_factory, data):
    generator = np.random.default_rng(data.draw(st.integers(0, 10**6)))
    rgb = generator.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8)
    alpha = generator.choice(np.array([0, 1, 100, 254, 255], np.uint8), (HEIGHT, WIDTH))
    mode = data.draw(st.sampled_from(sorted(MODES)))
    background = data.draw(st.sampled_from(["white", "black", "red", (10, 20, 30)]))
    image = MODES[mode](rgb, alpha)
    expected = expect(mode, image, rgb, alpha, background)
    forms = {"PIL": [image], "dataset": Items([image])}
    form = data.draw(st.sampled_from(["PIL", "dataset", "array", "png", "tiff", "webp"]))
    if form == "array":
        array = np.asarray(image)
        if mode not in ("1", "L", "RGB", "RGBA", "I", "I;16", "I;16B", "LA"):
            return  # an array says neither its color space nor which color is transparent
        found, error = attempt(lambda: read_images(array[None], background=background).batch([0]).numpy())
        if mode in ("I", "LA"):
            assert isinstance(error, ValueError), (mode, found)
            assert "X has" in str(error)
            return
    elif form in forms:
        found, error = attempt(lambda: read_images(forms[form], background=background).batch([0]).numpy())
    else:
        path = tmp_path_factory.getbasetemp() / f"every_form.{form}"
        options = {"lossless": True, "exact": True} if form == "webp" else {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if attempt(lambda: image.save(path, **options))[1] is not None:
                return  # not a mode of this format
        with image_module.open(path) as stored:
            stored.load()
            kept = "transparency" in stored.info or stored.has_transparency_data
            if stored.mode != image.mode or kept != (image.has_transparency_data or mode == "I;16 transparent"):
                return  # the format keeps something else
        found, error = attempt(lambda: read_images([path], background=background).batch([0]).numpy())
    assert error is None, (mode, form, error)
    batch = np.broadcast_to(found, (1, 3, HEIGHT, WIDTH)) * 255
    np.testing.assert_array_equal(np.rint(batch[0]), expected.transpose(2, 0, 1), err_msg=f"{mode} {form}")
