"""Arrays of an archive are known by their headers: what no reader wants, or what cannot be, is never unpacked."""

import io
import tracemalloc
import zipfile

import numpy as np
import pytest

from workloads import InputError, load_network
from workloads.archive import npz_headers, read_npz

SHAPES = "name: t\ninput: [4, 1, 1]\nlayers:\n  - {name: c, kind: conv, M: 4}\n"


def header(shape, dtype="|u1", fortran=False):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": dtype, "fortran_order": fortran, "shape": shape})
    return file.getvalue()


def archive(path, **members):
    """A zip of these members, whatever they hold; zeros: {name: bytes before, number of zeros behind}."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, (data, zeros) in members.items():
            with file.open(name.replace("__", "."), "w", force_zip64=True) as member:
                member.write(data)
                for _ in range(zeros // 1_000_000):
                    member.write(bytes(1_000_000))
    return path


def string(text):
    file = io.BytesIO()
    np.save(file, np.array(text))
    return file.getvalue(), 0


SIZE = 200_000_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "message"),
    [("c__weight__npy", "layer 'c': weight has shape [200000000], expected [4, 4, 1, 1]"),
     ("c__bias__npy", "layer 'c': bias: expected [4], not [200000000]"),
     ("d__weight__npy", "unknown array 'd.weight'")],
)  # fmt: skip
def test_a_zip_bomb_takes_no_memory(name, message, tmp_path):
    path = archive(tmp_path / "bomb.npz", network__npy=string(SHAPES), **{name: (header((SIZE,)), SIZE)})
    tracemalloc.start()
    with pytest.raises(InputError) as caught:
        load_network(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert message in str(caught.value)
    assert peak < 4_000_000


def test_headers_say_what_arrays_hold(tmp_path):
    arrays = {"a": np.arange(6, dtype="<i2").reshape(2, 3).T, "b": np.array(1.5), "c": np.zeros((0, 4), ">f4")}
    np.savez(tmp_path / "a.npz", **arrays)
    found = npz_headers(tmp_path / "a.npz", "file")
    assert {name: (each.shape, each.dtype, each.size, each.bytes) for name, each in found.items()} == {
        name: (array.shape, array.dtype, array.size, array.nbytes) for name, array in arrays.items()
    }
    read = read_npz(tmp_path / "a.npz", 100, "file", ["a", "b"])
    assert list(read) == ["a", "b"]
    assert all(np.array_equal(read[name], arrays[name]) for name in read)
    with pytest.raises(InputError, match=r"^file .*a\.npz: its arrays unpack to 20 bytes; 19 is the limit$"):
        read_npz(tmp_path / "a.npz", 19, "file")


BROKEN = {
    "a is no .npy array": {"a__npy": (b"garbage", 0)},
    "b is no .npy array": {"b__npy": (b"", 0)},
    "c is no .npy array": {"c__npy": (b"\x93NUMPY\x09\x00" + bytes(200), 0)},
    "d: its header says [3] uint8, 3 bytes; it holds 2": {"d__npy": (header((3,)) + b"12", 0)},
    "e: its header says [1] uint8, 1 bytes; it holds 2": {"e__npy": (header((1,)) + b"12", 0)},
    "f holds Python objects, not numbers": {"f__npy": (header((1,), "|O"), 0)},
    "g: negative size in shape [-1, -1]": {"g__npy": (header((-1, -1)) + b"1", 0)},
    "h is there twice": {"h__npy": (header((1,)) + b"1", 0), "h": (header((1,)) + b"1", 0)},
    "note.txt is no .npy array": {"note__txt": (b"hello", 0)},
}


@pytest.mark.parametrize("message", BROKEN)
def test_a_member_that_is_no_array_is_named(message, tmp_path):
    path = archive(tmp_path / "x.npz", **BROKEN[message])
    with pytest.raises(InputError) as caught:
        npz_headers(path, "network")
    assert str(caught.value).startswith(f"network {path}: {message}")
    with pytest.raises(InputError):
        load_network(path)
    with pytest.raises(InputError, match=r"^--activations "):
        load_network("lenet5", activations=path)
