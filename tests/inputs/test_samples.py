import tracemalloc

import numpy as np
import pytest
import torch

from skhash.inputs import DatasetSamples, ImageFiles, Samples, SampleSubset, read_images

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 7, 3)).astype(np.uint8)


def test_every_form_of_the_same_images_gives_the_same_batch(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    files = []
    for number, pixels in enumerate(PIXELS):
        files.append(tmp_path / f"{number}.png")
        image_module.fromarray(pixels).save(files[-1])
    channels_first = PIXELS.transpose(0, 3, 1, 2)
    forms = {
        "channels last": PIXELS,
        "channels first": channels_first,
        "tensor": torch.from_numpy(channels_first.copy()),
        "read-only": np.broadcast_to(PIXELS, PIXELS.shape),
        "paths": files,
        "strings": [str(file) for file in files],
        "array of strings": np.array([str(file) for file in files]),
        "PIL images": [image_module.fromarray(pixels) for pixels in PIXELS],
        "dataset": torch.utils.data.TensorDataset(torch.from_numpy(channels_first.copy()), torch.arange(6)),
    }
    for name, form in forms.items():
        samples = read_images(form)
        assert samples.kind == "images"
        assert tuple(samples.sample_shape) == (3, 5, 7), name
        assert len(samples) == 6
        batch = samples.batch(torch.tensor([4, 0]))
        assert batch.dtype == torch.float32
        np.testing.assert_array_equal(batch.numpy(), (channels_first[[4, 0]] / np.float32(255)), err_msg=name)
        np.testing.assert_array_equal(samples.batch(range(1, 3)).numpy(), channels_first[1:3] / np.float32(255))


def test_gray_images_and_floats():
    samples = read_images(PIXELS[..., 0])
    assert tuple(samples.sample_shape) == (1, 5, 7)
    floats = PIXELS[..., 0] * 3.5 - 9
    np.testing.assert_allclose(read_images(floats).batch(range(6))[:, 0].numpy(), floats, rtol=1e-6)


def test_what_could_be_either_follows_the_habit_of_its_library():
    ambiguous = np.zeros((2, 3, 9, 3), np.uint8)
    assert tuple(read_images(ambiguous).sample_shape) == (3, 3, 9)
    assert tuple(read_images(torch.from_numpy(ambiguous)).sample_shape) == (3, 9, 3)


def test_features_are_left_to_scikit_learn():
    assert read_images(np.zeros((3, 4))) is None
    assert read_images([[1.0, 2.0], [3.0, 4.0]]) is None
    assert read_images(np.zeros(3)) is None


def test_integer_features_are_not_scaled():
    assert Samples(np.array([[3, 4]])).batch(range(1)).tolist() == [[3.0, 4.0]]


@pytest.mark.parametrize("rows", [range(2), [0, 1]], ids=["range", "list"])
def test_byte_swapped_memory(rows):
    data = np.arange(4.0).reshape(2, 2)
    assert Samples(data.astype(data.dtype.newbyteorder("S"))).batch(rows).tolist() == data.tolist()


def test_files_and_pil_images_are_color_whatever_the_first_one_is(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    color = image_module.fromarray(PIXELS[1])
    for mode in ("1", "L", "I", "F"):
        gray = image_module.fromarray(PIXELS[0]).convert("L").convert(mode)
        if mode == "I":  # from 0 to 65,535
            gray = image_module.fromarray(np.asarray(gray) * 257)
        for items in ([gray, color], [color, gray]):
            samples = read_images(items)
            assert tuple(samples.sample_shape) == (3, 5, 7)
            batch = samples.batch(range(2)).numpy() * 255
            np.testing.assert_allclose(batch[items.index(color)], PIXELS[1].transpose(2, 0, 1), atol=1e-4)
            assert (batch[items.index(gray)] == batch[items.index(gray), :1]).all()
        assert tuple(read_images([color, gray], mode="L").sample_shape) == (1, 5, 7)
    gray.convert("L").save(tmp_path / "gray.png")
    color.save(tmp_path / "color.png")
    paths = [tmp_path / "gray.png", tmp_path / "color.png"]
    np.testing.assert_allclose(read_images(paths).batch([1])[0] * 255, PIXELS[1].transpose(2, 0, 1), atol=1e-4)
    with pytest.raises(ValueError, match="mode must be one of"):
        read_images(paths, mode="CMYK")


def test_a_subset_takes_its_rows():
    samples = Samples(np.arange(20.0).reshape(10, 2))
    subset = SampleSubset(samples, np.array([7, 2, 5]))
    assert len(subset) == 3
    assert subset.batch(range(0, 2)).tolist() == [[14.0, 15.0], [4.0, 5.0]]


def test_files_are_resized(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    images = [image_module.fromarray(PIXELS[0]), image_module.fromarray(PIXELS[1]).resize((20, 30))]
    assert isinstance(read_images(images[:1]), ImageFiles)
    assert read_images(images[:1]).sample_shape == (3, 5, 7)
    with pytest.warns(UserWarning, match=r"X has images of 2 sizes .* 5 x 7, 30 x 20.. All are resized to"):
        assert read_images(images).sample_shape == (3, 224, 224)
    assert read_images(images, size=6).batch(range(2)).shape == (2, 3, 6, 6)
    assert read_images(images, (1, 4, 4)).batch(range(2)).shape == (2, 1, 4, 4)
    with pytest.raises(ValueError, match=r"X holds image files .* samples of shape \(4, 5, 7\) were seen"):
        read_images(images, (4, 5, 7))


def test_the_size_of_a_turned_photo_is_the_upright_one(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    turned = image_module.fromarray(PIXELS[0])
    exif = turned.getexif()
    exif[0x0112] = 6
    for name in ("x.png", "x.jpg"):
        turned.save(tmp_path / name, exif=exif)
        assert read_images([tmp_path / name, image_module.new("RGB", (5, 7))]).sample_shape == (3, 7, 5)


def test_a_file_that_is_not_an_image(tmp_path):
    pytest.importorskip("PIL.Image")
    path = tmp_path / "notes.txt"
    path.write_text("not an image")
    with pytest.raises(ValueError, match=r"notes.txt' is not an image file"):
        read_images([path])


def test_lists_of_arrays_and_series_of_paths(tmp_path):
    pandas = pytest.importorskip("pandas")
    image_module = pytest.importorskip("PIL.Image")
    expected = read_images(PIXELS).batch(range(6))
    tensors = list(torch.from_numpy(PIXELS.transpose(0, 3, 1, 2).copy()))
    paths = [str(tmp_path / f"{number}.png") for number in range(6)]
    for path, pixels in zip(paths, PIXELS, strict=True):
        image_module.fromarray(pixels).save(path)
    for form in (list(PIXELS), tensors, pandas.Series(paths, index=range(10, 16))):
        torch.testing.assert_close(read_images(form).batch(range(6)), expected)
    with pytest.raises(ValueError, match=r"X is a list of arrays of shapes \[\(5, 7, 3\), \(5, 8, 3\)\]"):
        read_images([np.zeros((5, 7, 3)), np.zeros((5, 8, 3))])
    with pytest.raises(ValueError, match=r"X\[1\] is NoneType; expected a path or a PIL image"):
        read_images([paths[0], None])


def test_datasets_of_pil_images_or_channels_last():
    image_module = pytest.importorskip("PIL.Image")

    class Items(torch.utils.data.Dataset):
        def __init__(self, items):
            self.items = items

        def __len__(self):
            return len(self.items)

        def __getitem__(self, row):
            return self.items[row], 0

    expected = read_images(PIXELS).batch(range(6))
    for items in ([image_module.fromarray(pixels) for pixels in PIXELS], list(PIXELS)):
        torch.testing.assert_close(read_images(Items(items)).batch(range(6)), expected)
    gray = Items([image_module.fromarray(pixels[..., 0]) for pixels in PIXELS])
    assert tuple(read_images(gray).sample_shape) == (3, 5, 7)
    assert tuple(read_images(gray, mode="L").sample_shape) == (1, 5, 7)
    assert tuple(read_images(gray, (1, 5, 7)).sample_shape) == (1, 5, 7)
    with pytest.raises(ValueError, match=r"X: item 1 of the Dataset has type torch.float32, item 0 has torch.uint8"):
        read_images(Items([PIXELS[0], PIXELS[1] / np.float32(255)])).batch(range(2))
    with pytest.raises(ValueError, match="X: item 1 of the Dataset contains NaN"):
        read_images(Items([np.zeros(3), np.full(3, np.nan)])).batch(range(2))
    with pytest.raises(ValueError, match=r"X: item 1 of the Dataset has shape \(3, 4, 7\), expected \(3, 5, 7\)"):
        read_images(Items([PIXELS[0], PIXELS[1][:4]])).batch(range(2))


def test_sixteen_bits_are_scaled_and_cameras_held_upright(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    deep = np.arange(0, 65536, 8192, dtype=np.uint16).reshape(2, 4)
    image_module.fromarray(deep).save(tmp_path / "deep.png")
    batch = read_images([tmp_path / "deep.png"]).batch(range(1))
    np.testing.assert_array_equal((batch * 255).round().int().numpy()[0, 0], deep >> 8)
    turned = image_module.fromarray(PIXELS[0])
    exif = turned.getexif()
    exif[0x0112] = 6  # shown upright after a quarter turn clockwise
    turned.save(tmp_path / "turned.png", exif=exif)
    batch = read_images([tmp_path / "turned.png"]).batch(range(1))
    np.testing.assert_array_equal((batch[0] * 255).round().int().numpy(), np.rot90(PIXELS[0], -1).transpose(2, 0, 1))


def test_a_damaged_file_is_named(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    path = tmp_path / "photo.jpg"
    image_module.fromarray(np.tile(PIXELS[0], (30, 30, 1))).save(path)
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(ValueError, match=r"photo.jpg' is damaged: "):
        read_images([path], (3, 5, 7)).batch(range(1))


def test_booleans_are_zero_and_one():
    assert Samples(np.array([[[[True, False]]]])).batch(range(1)).ravel().tolist() == [1.0, 0.0]


def test_dataset_labels_from_items_or_from_the_attribute():
    data = torch.zeros(3, 4)
    dataset = torch.utils.data.TensorDataset(data, torch.tensor([2, 0, 1]))
    samples = read_images(dataset)
    assert isinstance(samples, DatasetSamples)
    assert samples.kind == "features"
    assert samples.targets().tolist() == [2, 0, 1]
    dataset.targets = ["a", "b", "c"]
    assert samples.targets().tolist() == ["a", "b", "c"]
    assert read_images(torch.utils.data.TensorDataset(data)).targets() is None


@pytest.mark.parametrize(
    ("X", "shape", "message"),
    [
        (np.zeros((2, 5, 7, 2)), None, r"X has shape \(2, 5, 7, 2\); expected images of shape \(n, height, width\)"),
        (np.zeros((2, 2, 5, 7, 3)), None, r"X has shape \(2, 2, 5, 7, 3\)"),
        (np.zeros((2, 5, 7)), (1, 28, 28), r"samples of shape \(1, 5, 7\), but \(1, 28, 28\) was seen in fit"),
        (np.zeros((2, 5, 7)), (64,), r"samples of shape \(1, 5, 7\), but \(64,\) was seen in fit"),
        (np.full((2, 5, 7), np.nan), None, "contains NaN"),
        (np.full((2, 5, 7), np.inf), None, "contains infinity"),
        (np.zeros((0, 5, 7)), None, r"Found array with 0 sample\(s\)"),
    ],
)
def test_bad_images(X, shape, message):
    with pytest.raises(ValueError, match=message):
        read_images(X, shape)


def test_an_empty_dataset():
    with pytest.raises(ValueError, match=r"0 sample\(s\)"):
        read_images(torch.utils.data.TensorDataset(torch.zeros(0, 4)))


def transparent(mode):
    """Return a picture whose left half is a transparent red, and the same picture on white."""
    image_module = pytest.importorskip("PIL.Image")
    pixels = np.full((6, 8, 4), 255, np.uint8)
    pixels[:, :4] = (200, 200, 200, 0)
    pixels[:, 4:, :3] = 90
    image = image_module.fromarray(pixels)
    if mode == "P":
        image = image.convert("RGB").quantize(2, dither=0)
        image.info["transparency"] = image.getpixel((0, 0))
        return image
    return image.convert(mode)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "RGBa"])
def test_transparent_pictures_are_composited(tmp_path, mode):
    image = transparent(mode)
    samples = read_images([image], (3, 6, 8)).batch([0])
    np.testing.assert_allclose(samples[0, :, :, :4], 1, atol=0)
    np.testing.assert_allclose(samples[0, :, :, 4:], 90 / 255, atol=1e-6)
    black = read_images([image], (3, 6, 8), background="black").batch([0])
    np.testing.assert_allclose(black[0, :, :, :4], 0, atol=0)
    if mode != "RGBa":
        image.save(tmp_path / "x.png")
        torch.testing.assert_close(read_images([tmp_path / "x.png"], (3, 6, 8)).batch([0]), samples)


def test_transparent_arrays_are_composited_unless_they_are_floats():
    pixels = np.array(transparent("RGBA"))
    for background in ("white", (10, 20, 30)):
        expected = read_images([transparent("RGBA")], background=background).batch([0])
        for form in (
            pixels[None],
            pixels[None].astype(np.uint16) << 8,
            torch.from_numpy(pixels.transpose(2, 0, 1))[None],
        ):
            torch.testing.assert_close(read_images(form, background=background).batch([0]), expected)
        dataset = torch.utils.data.TensorDataset(torch.from_numpy(pixels)[None])
        torch.testing.assert_close(read_images(dataset, background=background).batch([0]), expected)
    assert read_images(pixels[None] / 255).sample_shape == (4, 6, 8)


@pytest.mark.parametrize("background", ["#ffffff80", "nothing", (1, 2), (1, 2, 256), 5])
def test_a_background_that_is_no_color(background):
    with pytest.raises(ValueError, match="background must be an opaque color"):
        read_images(PIXELS, background=background)


def test_gray_values_of_more_than_8_bits(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    values = np.array([[0, 255, 256], [4000, 65280, 65535]], np.uint16)
    wide = image_module.fromarray(values.astype(np.int32))
    narrow = image_module.fromarray(values)
    assert (wide.mode, narrow.mode) == ("I", "I;16")
    narrow.save(tmp_path / "x.png")
    for item in (wide, narrow, tmp_path / "x.png"):
        assert (read_images([item]).batch([0])[0, 0] * 255).round().tolist() == (values >> 8).tolist()
    for bad, seen in ((values.astype(np.int32) * 2, "0 to 131070"), (values.astype(np.int32) - 1, "-1 to 65534")):
        with pytest.raises(ValueError, match=f"X: a PIL image of mode 'I' has gray values from {seen}; expected"):
            read_images([image_module.fromarray(bad)]).batch([0])
    with pytest.raises(ValueError, match=r"X: .* floating-point gray values from 0.0 to 300.0; expected 0 to 255"):
        read_images([image_module.fromarray(np.array([[0, 300]], np.float32))]).batch([0])


def test_damaged_exif_keeps_the_picture(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    picture = image_module.fromarray(PIXELS[0])
    for number, exif in enumerate((b"Exif\0\0garbage no tiff", b"Exif\0\0II*\0", b"Exif\0\0II*\0\xff\xff\xff\x7f")):
        path = tmp_path / f"{number}.png"
        picture.save(path, exif=exif)
        np.testing.assert_allclose(read_images([path]).batch([0])[0].numpy() * 255, PIXELS[0].transpose(2, 0, 1))
    upright = image_module.fromarray(np.rot90(PIXELS[0]).copy())
    exif = image_module.Exif()
    exif[0x0112] = 6
    upright.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_allclose(
        read_images([tmp_path / "turned.png"]).batch([0])[0].numpy() * 255, PIXELS[0].transpose(2, 0, 1), atol=1e-4
    )


def test_a_huge_image_names_its_file(tmp_path, monkeypatch):
    image_module = pytest.importorskip("PIL.Image")
    image_module.fromarray(PIXELS[0]).save(tmp_path / "big.png")
    for limit in (30, 10):
        monkeypatch.setattr(image_module, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(ValueError, match=r"big.png' is larger than Pillow's limit"):
            read_images([tmp_path / "big.png"])


def test_columns_of_paths_and_single_paths(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    polars = pytest.importorskip("polars")
    pandas = pytest.importorskip("pandas")
    path = str(tmp_path / "x.png")
    image_module.fromarray(PIXELS[0]).save(path)
    for form in (
        polars.Series([path]),
        polars.DataFrame({"a": [path]}),
        pandas.DataFrame({"a": [path]}),
        pandas.Series([path], dtype="string"),
        np.array([[path]]),
    ):
        assert read_images(form).batch([0]).shape == (1, 3, 5, 7)
    with pytest.raises(TypeError, match=r"X is the single path .*; expected a folder or a list of paths"):
        read_images(path)


def test_datasets_that_fail_or_have_no_length():
    class Failing(torch.utils.data.Dataset):
        def __len__(self):
            return 3

        def __getitem__(self, row):
            if row == 1:
                raise OSError("disk")
            return None if row == 2 else torch.zeros(4)

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(())

    samples = read_images(Failing())
    with pytest.raises(ValueError, match="X: item 1 of the Dataset raised OSError: disk"):
        samples.batch([0, 1])
    with pytest.raises(ValueError, match="X: item 2 of the Dataset is None"):
        samples.batch([2])
    with pytest.raises(TypeError, match="X is an IterableDataset; expected a Dataset with __len__"):
        read_images(Stream())
    with pytest.raises(TypeError, match=r"X is a DataLoader; expected its Dataset: pass X.dataset"):
        read_images(torch.utils.data.DataLoader(Failing()))


def test_tensors_of_bfloat16_and_masked_images():
    pixels = torch.rand(2, 3, 5, 7).bfloat16().requires_grad_()
    torch.testing.assert_close(read_images(pixels).batch([0, 1]), pixels.detach().float())
    with pytest.raises(ValueError, match="X is a masked array"):
        read_images(np.ma.array(np.zeros((1, 5, 7)), mask=True))


@pytest.mark.parametrize(("dtype", "values"), [(np.int16, (0, 256)), (np.int64, (-1, 255)), (np.int32, (0, 256))])
def test_integer_pixels_out_of_range_are_refused(dtype, values):
    X = np.zeros((2, 5, 7), dtype)
    X[1, 0, :2] = values
    with pytest.raises(ValueError, match=f"X has integer pixels from {values[0]} to {values[1]}; expected 0 to 255"):
        read_images(X)
    assert read_images(np.full((2, 5, 7), 255, dtype)).batch([0]).max() == 1


def test_arrays_of_16_bits_are_read_like_files_of_16_bits(tmp_path):
    image_module = pytest.importorskip("PIL.Image")
    values = np.array([[0, 255, 256], [4000, 65280, 65535]], np.uint16)
    image_module.fromarray(values).save(tmp_path / "x.png")
    expected = read_images([tmp_path / "x.png"], mode="L").batch([0])
    for form in (values[None], values[None].astype(">u2"), torch.from_numpy(values)[None]):
        torch.testing.assert_close(read_images(form).batch([0]), expected)


def test_samples_are_read_as_they_are():
    image_module = pytest.importorskip("PIL.Image")
    files = read_images([image_module.fromarray(PIXELS[0])], background="black", mode="L")
    assert read_images(files) is files
    assert read_images(files, (3, 4, 4)) == ImageFiles(files.items, (3, 4, 4), "black")
    samples = read_images(PIXELS)
    torch.testing.assert_close(read_images(samples).batch([0]), samples.batch([0]))


def test_lists_of_different_arrays_are_refused():
    pixels = PIXELS[0]
    for other in (pixels / 255, torch.from_numpy(pixels)):
        with pytest.raises(ValueError, match=r"X is a list of "):
            read_images([pixels, other])
    with pytest.raises(ValueError, match=r"X\[1\] is a masked array"):
        read_images([pixels, np.ma.masked_less(pixels, 9)])


@pytest.mark.parametrize("dtype", ["<u2", ">u2"])
def test_a_memory_map_of_16_bits_is_converted_without_a_second_copy(tmp_path, dtype):
    wide = np.lib.format.open_memmap(tmp_path / "wide.npy", "w+", dtype, (40, 64, 64, 3))
    wide[:] = np.random.default_rng(0).integers(0, 2**16, wide.shape)
    wide.flush()
    mapped = np.load(tmp_path / "wide.npy", mmap_mode="r")
    tracemalloc.start()
    samples = read_images(mapped)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(samples.data, (np.array(mapped, np.uint16) // 256).transpose(0, 3, 1, 2))
    assert samples.data.dtype == np.uint8
    assert peak < 1.5 * samples.data.nbytes
