"""The released compressed SqueezeNet and real photographs: the classes and scores of the golden file, however given."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from .calls import call, tiny

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


def test_a_batch_repeats_the_image_and_loses_none(here):
    found = summary(call(*tiny(here), "--batch", "3", "--json", "--out", "r"))
    assert found["batch"] == len(found["top5_images"]) == 3
    assert all(top5 == found["top5"] for top5 in found["top5_images"].values())


@pytest.mark.parametrize("suffix", ["png", "npy", "npz", "npz:only"])
def test_a_lossless_file_of_a_picture_is_the_picture(suffix, here):
    command = [*tiny(here), "--json", "--out", "r"]
    expected = summary(call(*command))
    pixels = np.asarray(Image.open(here / "tiny.png"))
    Image.fromarray(pixels).save(here / "a.png")
    np.save(here / "a.npy", pixels)
    np.savez(here / "a.npz", only=pixels)
    assert summary(call(*command, "--image", f"a.{suffix}")) == expected


@pytest.mark.slow
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


def test_a_directory_of_files_of_every_kind_is_a_batch_in_the_order_of_names(here, shared, golden, photos):
    (here / "d").mkdir()
    Image.fromarray(photos["rocket"]).save(here / "d/1.jpeg", quality=100, subsampling=0)
    Image.fromarray(photos["china"]).save(here / "d/2.PNG")
    np.save(here / "d/3.npy", photos["coffee"])
    (here / "d/readme.txt").write_text("no image")
    found = summary(call("run", "squeezenet1_0", "systolic", "--weights", shared / NET, "--image", "d", *QUICK))
    assert list(found["top5_images"]) == ["1", "2", "3"]
    assert [found["top5_images"][name] for name in "23"] == [golden["china"], golden["coffee"]]
    assert found["top5_images"]["1"][0][0] == golden["rocket"][0][0]  # JPEG loses little


def test_real_weights_alone_run_on_made_up_activations(here, shared):
    found = summary(call("run", "squeezenet1_0", "eie", "--weights", shared / NET, "--layers", "fire2*", *QUICK[2:]))
    assert (found["data"], found["top5"]) == ("synthetic", None)
    assert found["weight_file_bytes"] > 0
