"""The released compressed SqueezeNet and real photographs: the classes and scores of the golden file, however given."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from .calls import call

NET = "data/squeezenet_deep_compression/compressed_SqueezeNet.net"
PROTOTXT = "data/squeezenet_deep_compression/SqueezeNet_deploy.prototxt"
PHOTOS = "data/images/photos_227_rgb_uint8.npz"
#: the forward pass runs in full; of the simulation only the last, small layer
QUICK = ("--layers", "pool10", "--json", "--out", "r")


@pytest.fixture(scope="module")
def golden(shared) -> dict[str, list[list[int]]]:
    """photo -> [[class, score] ...], best first."""
    found: dict[str, list[list[int]]] = {}
    with (shared / "data/reference/golden_int8_top5.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["image"], []).append([int(row["class_index"]), int(row["sum_of_225_u8"])])
    return found


@pytest.fixture(scope="module")
def photos(shared) -> dict[str, np.ndarray]:
    with np.load(shared / PHOTOS) as arrays:
        return dict(arrays)


def summary(done) -> dict:
    assert (done.code, done.err) == (0, ""), done
    return json.loads(done.out)


@pytest.mark.parametrize("hardware", ["eie", pytest.param("systolic", marks=pytest.mark.slow)])
def test_a_checked_run_classifies_as_the_reference(hardware, here, shared, golden):
    data = ("--weights", shared / NET, "--image", f"{shared / PHOTOS}:chelsea")
    found = summary(call("run", "squeezenet1_0", hardware, *data, "--check", "--json", "--out", "r"))
    assert (found["data"], found["top5"]) == ("real", golden["chelsea"])
    assert found["check"] == {"passed": True, "layers": 26, "overflows": 0}
    assert found["weight_file_bytes"] == 675_763
    provenance = json.loads((here / "r/provenance.json").read_text())
    assert set(provenance["files"]) == {"compressed_SqueezeNet.net", "photos_227_rgb_uint8.npz"}
    assert provenance["images"] == ["chelsea"]


@pytest.mark.slow
def test_the_released_network_file_is_the_same_network(here, shared, golden):
    data = ("--weights", shared / NET, "--image", f"{shared / PHOTOS}:rocket")
    assert (
        summary(call("run", shared / PROTOTXT, "eie", *data, "--check", "--json", "--out", "r"))["top5"]
        == (golden["rocket"])
    )


@pytest.mark.slow
def test_all_photos_of_one_file_are_a_batch(here, shared, golden):
    data = ("--weights", shared / NET, "--image", shared / PHOTOS)
    found = summary(call("run", "squeezenet1_0", "eie", *data, *QUICK))
    assert (found["batch"], found["top5_images"]) == (7, golden)


@pytest.mark.parametrize("suffix", ["png", "npy"])
def test_a_lossless_file_of_a_photo_is_the_photo(suffix, here, shared, golden, photos):
    pixels = photos["coffee"]
    Image.fromarray(pixels).save(here / "a.png") if suffix == "png" else np.save(here / "a.npy", pixels)
    found = summary(call("run", "squeezenet1_0", "eie", "--weights", shared / NET, "--image", f"a.{suffix}", *QUICK))
    assert found["top5"] == golden["coffee"]


def test_a_directory_is_a_batch_in_the_order_of_names(here, shared, golden, photos):
    (here / "d").mkdir()
    Image.fromarray(photos["china"]).save(here / "d/2.PNG")
    Image.fromarray(photos["rocket"]).save(here / "d/1.jpeg", quality=100, subsampling=0)
    (here / "d/readme.txt").write_text("no image")
    found = summary(call("run", "squeezenet1_0", "systolic", "--weights", shared / NET, "--image", "d", *QUICK))
    assert list(found["top5_images"]) == ["1", "2"]
    assert found["top5_images"]["2"] == golden["china"]
    assert found["top5_images"]["1"][0][0] == golden["rocket"][0][0]  # JPEG loses little


def test_a_batch_repeats_the_image_and_loses_none(here, shared, golden):
    data = ("--weights", shared / NET, "--image", f"{shared / PHOTOS}:camera", "--batch", "2")
    found = summary(call("run", "squeezenet1_0", "eie", *data, *QUICK))
    assert (found["batch"], found["top5"]) == (2, golden["camera"])
    assert len(found["top5_images"]) == 2


def test_real_weights_alone_run_on_made_up_activations(here, shared):
    found = summary(call("run", "squeezenet1_0", "eie", "--weights", shared / NET, "--layers", "fire2*", *QUICK[2:]))
    assert (found["data"], found["top5"]) == ("synthetic", None)
    assert found["weight_file_bytes"] > 0
