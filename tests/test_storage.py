"""Storages: as PyTorch's, but that memory which tensors look at cannot be moved."""

import pickle
import warnings

import pytest

import flambeau
import flambeau.storage


@pytest.fixture(scope="session")
def torch():
    """The real PyTorch, where it is installed."""
    return pytest.importorskip("torch")


def test_storages_of_tensors(torch):
    for package in (flambeau, torch):
        x = package.arange(4.0)
        storage = x.untyped_storage()
        assert (len(storage), storage.nbytes(), storage.size(), storage.element_size()) == (16, 16, 16, 1)
        assert storage[7] == 63 and storage[-1] == 64 and storage[4:8].tolist() == [0, 0, 128, 63]
        assert storage == x[1:].untyped_storage() and storage.data_ptr() == x.data_ptr() == x[1:].data_ptr() - 4
        storage[3] = 64
        assert x[0].item() == 2.0
        twin = storage.clone()
        twin.fill_(0)
        assert x[0].item() == 2.0 and twin.tolist() == [0] * 16
        storage.copy_(twin)
        assert x.tolist() == [0.0] * 4
        with pytest.raises(RuntimeError, match="size does not match, self was 16 bytes but src was 4 bytes"):
            storage.copy_(package.UntypedStorage(4) if hasattr(package, "UntypedStorage") else package.storage.UntypedStorage(4))
        assert repr(package.storage.UntypedStorage([1, 2])) == " 1\n 2\n[torch.storage.UntypedStorage(device=cpu) of size 2]"
        with pytest.raises(IndexError, match="index 16 out of range for storage of size 16"):
            storage[16]
        typed = x._typed_storage()
        assert typed._size() == 4 and typed._pickle_storage_type() == "FloatStorage"
        y = package.empty(0).set_(package.arange(6.0).untyped_storage(), 1, (2, 2), (1, 2))
        assert y.tolist() == [[1.0, 3.0], [2.0, 4.0]]


def test_typed_storages(torch):
    for package in (flambeau, torch):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            storage = package.storage.TypedStorage([1.0, 2.0])
            assert storage.type() == "torch.FloatStorage" and storage.tolist() == [1.0, 2.0] and storage[1] == 2.0
            assert storage.int().tolist() == [1, 2] and storage.untyped().nbytes() == 8
            storage[0] = 5
            storage.fill_(3)
            assert list(storage) == [3.0, 3.0] and storage.size() == 2
            with pytest.raises(RuntimeError, match=r"slices are only supported in UntypedStorage.__getitem__"):
                storage[:1]
            with pytest.raises(RuntimeError, match="value cannot be converted to type int8_t without overflow"):
                package.storage.TypedStorage([1], dtype=package.int8).fill_(500)
            loaded = pickle.loads(pickle.dumps(package.arange(3.0).storage()))
            assert loaded.tolist() == [0.0, 1.0, 2.0] and loaded.dtype == package.float32


def test_storages_resize_where_nothing_looks_at_them():
    storage = flambeau.storage.UntypedStorage([1, 2, 3])
    assert storage.resize_(2).tolist() == [1, 2] and storage.resizable()
    x = flambeau.arange(4.0)
    assert not x.untyped_storage().resizable()
    with pytest.raises(RuntimeError, match="Trying to resize storage that is not resizable"):
        x.untyped_storage().resize_(0)
    with pytest.raises(RuntimeError, match=r"setStorage: sizes .* out of bounds for storage of size 16"):
        flambeau.empty(0).set_(x.untyped_storage(), 2, (3,), (1,))


def test_storages_of_files(tmp_path):
    path = tmp_path / "bytes"
    path.write_bytes(bytes(range(16)))
    storage = flambeau.storage.UntypedStorage.from_file(path, False, 16)
    assert storage.tolist() == list(range(16)) and storage.filename is None
    shared = flambeau.storage.UntypedStorage.from_file(path, True, 32)
    shared[0] = 99
    assert path.read_bytes()[:2] == b"c\1" and path.stat().st_size == 32 and shared.filename == str(path)
    with pytest.raises(RuntimeError, match="size <32> is smaller than the required mapping size <64>"):
        flambeau.storage.UntypedStorage.from_file(path, False, 64)
    assert flambeau.storage.UntypedStorage.from_buffer(b"\0\0\0\1", "big", dtype=flambeau.int32).tolist() == [1, 0, 0, 0]
