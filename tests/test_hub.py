"""torch.hub: entry points of a folder, files from an address, and no GitHub."""

import hashlib

import pytest

import flambeau as torch

CONF = '''
dependencies = ["numpy"]
from helper import scale

def tiny(width=2, **options):
    """A tiny model."""
    import flambeau
    return flambeau.nn.Linear(width, scale)

def _hidden():
    pass
'''


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "hubconf.py").write_text(CONF)
    (tmp_path / "helper.py").write_text("scale = 3\n")
    return tmp_path


def test_local_folders(folder):
    model = torch.hub.load(str(folder), "tiny", width=4, source="local")
    assert (model.in_features, model.out_features) == (4, 3)
    assert torch.hub.list(folder, source="local") == ["tiny"] and torch.hub.help(folder, "tiny", source="local") == "A tiny model."
    with pytest.raises(RuntimeError, match="Cannot find callable big in hubconf"):
        torch.hub.load(folder, "big", source="local")
    (folder / "hubconf.py").write_text("dependencies = ['no_such_package']")
    with pytest.raises(RuntimeError, match="Missing dependencies: no_such_package"):
        torch.hub.load(folder, "tiny", source="local")


def test_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError):
        torch.hub.load(tmp_path, "tiny", source="local")
    with pytest.raises(ValueError, match=r'Unknown source: "bogus". Allowed values: "github" | "local".'):
        torch.hub.load("a/b", "m", source="bogus")
    with pytest.raises(NotImplementedError, match="fetches nothing from GitHub"):
        torch.hub.load("pytorch/vision", "resnet18")


def test_files_from_an_address(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "home"))
    assert torch.hub.get_dir() == str(tmp_path / "home" / "hub")
    torch.save({"w": torch.ones(2)}, tmp_path / "model.pt")
    digest = hashlib.sha256((tmp_path / "model.pt").read_bytes()).hexdigest()
    name = f"model-{digest[:8]}.pt"
    (tmp_path / "model.pt").rename(tmp_path / name)
    url = (tmp_path / name).as_uri()
    assert torch.equal(torch.hub.load_state_dict_from_url(url, check_hash=True)["w"], torch.ones(2))
    assert capsys.readouterr().out.startswith(f'Downloading: "{url}" to ')
    (tmp_path / name).unlink()  # it is kept, and not fetched again
    torch.hub.load_state_dict_from_url(url)
    assert capsys.readouterr().out == ""
    (tmp_path / "other-00000000.pt").write_bytes(b"junk")
    with pytest.raises(RuntimeError, match="invalid hash value"):
        torch.hub.load_state_dict_from_url((tmp_path / "other-00000000.pt").as_uri(), check_hash=True)
    assert not list((tmp_path / "home" / "hub" / "checkpoints").glob("other*"))
    monkeypatch.setitem(torch.hub._settings, "dir", None)
    torch.hub.set_dir(tmp_path / "set")
    assert torch.hub.get_dir() == str(tmp_path / "set")
