"""Images of every kind give the same pixels; what cannot be read is refused in one line."""

import numpy as np
import pytest
from PIL import Image

from workloads import InputError
from workloads.images import attach_images
from workloads.layer import Layer
from workloads.network import Network

RGB = np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)
NETWORK = Network("n", (Layer(name="a", kind="conv", C=3, H=6, W=6, M=1),), (3, 6, 6))


def pixels(spec, network=NETWORK):
    return attach_images(network, str(spec)).images


@pytest.fixture
def files(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    np.save(tmp_path / "b.npy", RGB)
    np.savez(tmp_path / "c.npz", one=RGB, two=RGB[::-1])
    return tmp_path


def test_png_npy_and_npz_give_the_same_planes(files):
    expected = RGB.transpose(2, 0, 1)[None]
    for name in ("a.png", "b.npy", "c.npz:one"):
        assert np.array_equal(pixels(files / name), expected)


def test_a_directory_is_a_batch_in_the_order_of_names(files):
    network = attach_images(NETWORK, str(files))
    assert network.image_names == ("a", "b", "one", "two")
    assert network.batch == 4
    assert np.array_equal(network.images[3], RGB[::-1].transpose(2, 0, 1))


def test_jpeg_is_read(tmp_path):
    Image.fromarray(np.full((6, 6, 3), 200, np.uint8)).save(tmp_path / "a.jpg", quality=100)
    assert np.abs(pixels(tmp_path / "a.jpg").astype(int) - 200).max() <= 2


def test_caffe_networks_get_blue_first(files):
    from dataclasses import replace

    flipped = pixels(files / "a.png", replace(NETWORK, bgr=True))
    assert np.array_equal(flipped, RGB.transpose(2, 0, 1)[None, ::-1])


def test_other_sizes_are_scaled_and_cropped_and_grey_is_spread(tmp_path):
    np.save(tmp_path / "wide.npy", np.repeat(RGB[:, :, 0], 3, axis=1))
    found = pixels(tmp_path / "wide.npy")
    assert found.shape == (1, 3, 6, 6)
    assert np.array_equal(found[0, 0], found[0, 2])


def write(path, data):
    path.write_bytes(data)
    return path


REFUSED = {
    "no such file or directory": lambda d: d / "none.png",
    "unknown kind '.gif' (known: .png, .jpg, .jpeg, .npy, .npz)": lambda d: write(d / "a.gif", b"GIF89a"),
    "cannot read it as PNG or JPEG": lambda d: write(d / "a.png", b"this is text"),
    "cannot read it as .npz": lambda d: write(d / "a.npz", b"PK no zip"),
    "cannot read it as .npy": lambda d: write(d / "a.npy", b"\x93NUMPY\x01\x00"),
    "expected [H, W, 3] or [H, W] uint8 pixels, not [6, 6, 3] float64": lambda d: saved(d, RGB / 255),
    "expected [H, W, 3] or [H, W] uint8 pixels, not [3, 6, 6] uint8": lambda d: saved(
        d, RGB.transpose(2, 0, 1)[:, :, :]
    ),
    "is empty": lambda d: saved(d, RGB[:0]),
    "holds no image (.png, .jpg, .jpeg, .npy, .npz)": lambda d: d,
}


def saved(folder, array):
    np.save(folder / "a.npy", array)
    return folder / "a.npy"


@pytest.mark.parametrize("message", REFUSED)
def test_refuses(message, tmp_path):
    spec = REFUSED[message](tmp_path)
    with pytest.raises(InputError) as caught:
        pixels(spec)
    assert str(caught.value).startswith(f"--image {spec}: {message}")
    assert "\n" not in str(caught.value)


def test_a_missing_array_names_those_there_are(files):
    with pytest.raises(InputError, match=r"has no array 'three' \(it has: one, two\)$"):
        pixels(f"{files}/c.npz:three")


def test_pickles_are_not_opened(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match="cannot read it as"):
        pixels(tmp_path / "a.npy")


def test_an_archive_that_unpacks_to_too_much_is_refused_unread(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", bomb=np.zeros(100 << 20, np.uint8))
    with pytest.raises(InputError, match=r"its arrays unpack to 104857600 bytes; 67108864 is the limit$"):
        pixels(tmp_path / "a.npz")
