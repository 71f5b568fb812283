"""Exchanges files between flambeau and PyTorch, in both directions, for every layer, and prints a table. Needs torch.

    python tools/exchange.py                 all layers
    python tools/exchange.py --only 'LSTM|Transformer' --verbose

One process writes with one library: for each layer a state dict, the whole module, and a checkpoint of a training (model, optimizer,
scheduler, random numbers), and what the training gives when it goes on. Another process reads with the other library, goes on
with the same training, and compares: outputs, names, texts, parameters. Parametrized modules are saved whole by neither library.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

SOURCES = Path(__file__).resolve().parent.parent / "src"
KINDS = ("state dict", "module", "resuming", "map_location")  # what is exchanged

LAYERS = {
    "Linear": ("Linear(4, 3)", "(5, 4)"),
    "Bilinear": ("Bilinear(4, 4, 3)", "(5, 4) (5, 4)"),
    "LazyLinear": ("LazyLinear(3)", "(5, 4)"),
    "Identity": ("Identity()", "(5, 4)"),
    "Flatten": ("Flatten()", "(2, 3, 4)"),
    "Unflatten": ("Unflatten(1, (2, 2))", "(5, 4)"),
    "Embedding": ("Embedding(9, 4, padding_idx=0)", "int(3, 5)"),
    "EmbeddingBag": ("EmbeddingBag(9, 4)", "int(3, 5)"),
    "Conv1d": ("Conv1d(2, 3, 3, padding=1)", "(2, 2, 6)"),
    "Conv2d": ("Conv2d(2, 4, 3, groups=2, padding_mode='reflect', padding=1)", "(2, 2, 5, 5)"),
    "Conv3d": ("Conv3d(1, 2, 2)", "(2, 1, 3, 3, 3)"),
    "ConvTranspose1d": ("ConvTranspose1d(2, 3, 2)", "(2, 2, 4)"),
    "ConvTranspose2d": ("ConvTranspose2d(2, 3, 2, stride=2)", "(2, 2, 3, 3)"),
    "ConvTranspose3d": ("ConvTranspose3d(1, 2, 2)", "(1, 1, 2, 2, 2)"),
    "LazyConv2d": ("LazyConv2d(3, 2)", "(2, 2, 5, 5)"),
    "LazyConvTranspose2d": ("LazyConvTranspose2d(3, 2)", "(2, 2, 3, 3)"),
    "Fold": ("Fold((4, 4), 2)", "(1, 8, 9)"),
    "Unfold": ("Unfold(2)", "(1, 2, 4, 4)"),
    "BatchNorm1d": ("BatchNorm1d(4)", "(5, 4)"),
    "BatchNorm2d": ("BatchNorm2d(2, momentum=None)", "(3, 2, 4, 4)"),
    "BatchNorm3d": ("BatchNorm3d(2, affine=False)", "(3, 2, 2, 2, 2)"),
    "LazyBatchNorm1d": ("LazyBatchNorm1d()", "(5, 4)"),
    "SyncBatchNorm": ("SyncBatchNorm(4)", "(5, 4)"),
    "InstanceNorm1d": ("InstanceNorm1d(2, affine=True)", "(3, 2, 5)"),
    "InstanceNorm2d": ("InstanceNorm2d(2, track_running_stats=True)", "(3, 2, 4, 4)"),
    "InstanceNorm3d": ("InstanceNorm3d(2)", "(3, 2, 2, 2, 2)"),
    "LayerNorm": ("LayerNorm(4)", "(5, 4)"),
    "GroupNorm": ("GroupNorm(2, 4)", "(3, 4, 5)"),
    "RMSNorm": ("RMSNorm(4)", "(5, 4)"),
    "LocalResponseNorm": ("LocalResponseNorm(2)", "(2, 4, 5)"),
    "CrossMapLRN2d": ("CrossMapLRN2d(5)", "(2, 3, 3, 3)"),
    "RNN": ("RNN(4, 5, 2, nonlinearity='relu')", "(6, 3, 4)"),
    "LSTM": ("LSTM(4, 5, 2, bidirectional=True, batch_first=True)", "(3, 6, 4)"),
    "LSTM, projected": ("LSTM(4, 5, proj_size=3)", "(6, 3, 4)"),
    "LSTM, dropout": ("LSTM(4, 5, 2, dropout=0.3)", "(6, 3, 4)"),
    "GRU": ("GRU(4, 5, 2, bidirectional=True)", "(6, 3, 4)"),
    "RNNCell": ("RNNCell(4, 5)", "(3, 4)"),
    "LSTMCell": ("LSTMCell(4, 5)", "(3, 4)"),
    "GRUCell": ("GRUCell(4, 5, bias=False)", "(3, 4)"),
    "MultiheadAttention": ("MultiheadAttention(4, 2, dropout=0.1)", "(3, 2, 4) (3, 2, 4) (3, 2, 4)"),
    "MultiheadAttention, kdim": ("MultiheadAttention(4, 2, kdim=3, vdim=5, add_bias_kv=True)", "(3, 2, 4) (5, 2, 3) (5, 2, 5)"),
    "TransformerEncoderLayer": ("TransformerEncoderLayer(4, 2, 8)", "(3, 2, 4)"),
    "TransformerDecoderLayer": ("TransformerDecoderLayer(4, 2, 8, activation='gelu')", "(3, 2, 4) (5, 2, 4)"),
    "TransformerEncoder": ("TransformerEncoder(nn.TransformerEncoderLayer(4, 2, 8, batch_first=True), 2)", "(3, 2, 4)"),
    "TransformerDecoder": ("TransformerDecoder(nn.TransformerDecoderLayer(4, 2, 8), 1, nn.LayerNorm(4))", "(3, 2, 4) (5, 2, 4)"),
    "Transformer": ("Transformer(4, 2, 1, 1, 8, norm_first=True)", "(3, 2, 4) (5, 2, 4)"),
    "Sequential": ("Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Dropout(0.2), nn.Linear(6, 2))", "(5, 4)"),
    "Sequential, named": ("Sequential(collections.OrderedDict(a=nn.Linear(4, 6), b=nn.Tanh()))", "(5, 4)"),
    "ModuleList": ("ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])", "each (5, 4)"),
    "ModuleDict": ("ModuleDict({'x': nn.Linear(4, 4), 'y': nn.ReLU()})", "each (5, 4)"),
    "ParameterList": ("ParameterList([torch.ones(4), torch.zeros(4)])", "sum (5, 4)"),
    "ParameterDict": ("ParameterDict({'w': torch.ones(4)})", "sum (5, 4)"),
    "PReLU": ("PReLU(4)", "(5, 4)"),
    "ReLU": ("ReLU(inplace=True)", "(5, 4)"),
    "GELU": ("GELU('tanh')", "(5, 4)"),
    "Hardtanh": ("Hardtanh(-0.5, 0.5)", "(5, 4)"),
    "Threshold": ("Threshold(0.1, 20)", "(5, 4)"),
    "Softmax": ("Softmax(dim=1)", "(5, 4)"),
    "Dropout": ("Dropout(0.4)", "(5, 4)"),
    "Dropout1d": ("Dropout1d()", "(3, 4, 5)"),
    "Dropout2d": ("Dropout2d()", "(3, 4, 2, 2)"),
    "Dropout3d": ("Dropout3d()", "(3, 4, 2, 2, 2)"),
    "AlphaDropout": ("AlphaDropout(0.3)", "(5, 4)"),
    "FeatureAlphaDropout": ("FeatureAlphaDropout(0.3)", "(3, 4, 5)"),
    "MaxPool1d": ("MaxPool1d(2)", "(2, 3, 6)"),
    "MaxPool2d": ("MaxPool2d(2, stride=1, padding=1)", "(2, 3, 4, 4)"),
    "MaxPool3d": ("MaxPool3d(2)", "(1, 2, 4, 4, 4)"),
    "AvgPool1d": ("AvgPool1d(2)", "(2, 3, 6)"),
    "AvgPool2d": ("AvgPool2d(2, ceil_mode=True)", "(2, 3, 5, 5)"),
    "AvgPool3d": ("AvgPool3d(2)", "(1, 2, 4, 4, 4)"),
    "LPPool1d": ("LPPool1d(2, 2)", "(2, 3, 6)"),
    "LPPool2d": ("LPPool2d(2, 2)", "(2, 3, 4, 4)"),
    "AdaptiveAvgPool2d": ("AdaptiveAvgPool2d((2, None))", "(2, 3, 5, 5)"),
    "AdaptiveMaxPool1d": ("AdaptiveMaxPool1d(2)", "(2, 3, 6)"),
    "FractionalMaxPool2d": ("FractionalMaxPool2d(2, output_size=2)", "(2, 3, 5, 5)"),
    "Upsample": ("Upsample(scale_factor=2, mode='bilinear')", "(1, 2, 3, 3)"),
    "PixelShuffle": ("PixelShuffle(2)", "(1, 4, 2, 2)"),
    "PixelUnshuffle": ("PixelUnshuffle(2)", "(1, 1, 4, 4)"),
    "ChannelShuffle": ("ChannelShuffle(2)", "(1, 4, 2, 2)"),
    "ReflectionPad2d": ("ReflectionPad2d(1)", "(1, 2, 3, 3)"),
    "ConstantPad1d": ("ConstantPad1d(2, 3.5)", "(1, 2, 3)"),
    "ZeroPad2d": ("ZeroPad2d(1)", "(1, 2, 3, 3)"),
    "CosineSimilarity": ("CosineSimilarity()", "(5, 4) (5, 4)"),
    "PairwiseDistance": ("PairwiseDistance()", "(5, 4) (5, 4)"),
    "AdaptiveLogSoftmaxWithLoss": ("AdaptiveLogSoftmaxWithLoss(4, 9, [3, 6])", "(5, 4) classes"),
    "CrossEntropyLoss": ("CrossEntropyLoss(torch.linspace(0.5, 2, 4), label_smoothing=0.1)", "(5, 4) labels"),
    "NLLLoss": ("NLLLoss()", "(5, 4) labels"),
    "MSELoss": ("MSELoss()", "(5, 4) (5, 4)"),
    "BCEWithLogitsLoss": ("BCEWithLogitsLoss(pos_weight=torch.full((4,), 2.0))", "(5, 4) (5, 4)"),
    "SmoothL1Loss": ("SmoothL1Loss(beta=0.5)", "(5, 4) (5, 4)"),
    "KLDivLoss": ("KLDivLoss(reduction='batchmean')", "(5, 4) (5, 4)"),
    "TripletMarginLoss": ("TripletMarginLoss()", "(5, 4) (5, 4) (5, 4)"),
    "weight_norm": ("utils.parametrizations.weight_norm(nn.Linear(4, 3))", "(5, 4)"),
    "spectral_norm": ("utils.parametrizations.spectral_norm(nn.Linear(4, 3))", "(5, 4)"),
    "weight_norm, old": ("utils.weight_norm(nn.Linear(4, 3))", "(5, 4)"),
    "spectral_norm, old": ("utils.spectral_norm(nn.Linear(4, 3))", "(5, 4)"),
    "bfloat16": ("Linear(4, 3, dtype=torch.bfloat16)", "bfloat16(5, 4)"),
    "float16": ("Linear(4, 3, dtype=torch.float16)", "float16(5, 4)"),
    "float64": ("Linear(4, 3, dtype=torch.float64)", "float64(5, 4)"),
    "complex64": ("Linear(4, 3, dtype=torch.complex64)", "complex64(5, 4)"),
}
OPTIMIZERS = (
    "SGD(p, 0.05, momentum=0.9, nesterov=True)", "Adam(p, 0.05, amsgrad=True)", "AdamW(p, 0.05)",
    "RMSprop(p, 0.01, momentum=0.5, centered=True)", "Adagrad(p, 0.05)", "Adadelta(p)", "Adamax(p, 0.02)", "NAdam(p, 0.02)",
    "RAdam(p, 0.02)", "ASGD(p, 0.02)", "Rprop(p, 0.02)", "Adafactor(p, 0.02)", "SGD(p, 0.05)",
)  # fmt: skip
SCHEDULERS = (
    "StepLR(o, 2, 0.5)",
    "CosineAnnealingLR(o, 9)",
    "OneCycleLR(o, 0.1, 20, cycle_momentum=False)",
    "ReduceLROnPlateau(o)",
    "ExponentialLR(o, 0.9)",
)


def inputs(torch, text, seed):
    """Tensors for a layer, of what the table says about them."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for name, shape in re.findall(r"([a-z]*\d*)(\([\d, ]+\))|classes|labels", text.replace("each ", "").replace("sum ", "")):
        if not shape:
            found.append(torch.tensor([0, 3, 8, 6, 2] if "classes" in text else [0, 3, 1, 2, 2]))
        elif name == "int":
            found.append(torch.randint(0, 9, eval(shape), generator=generator))
        else:
            found.append(torch.randn(eval(shape), generator=generator).to(getattr(torch, name) if name else torch.float32))
    return found


def output(torch, layer, text, tensors):
    """One number, of all tensors that the layer returns, and the first of these."""
    if text.startswith("each"):
        result = list(layer.values() if isinstance(layer, torch.nn.ModuleDict) else layer)
        result = [module(*tensors) for module in result]
    elif text.startswith("sum"):
        result = [tensors[0] * w for w in (layer.values() if isinstance(layer, torch.nn.ParameterDict) else layer)]
    else:
        result = layer(*tensors)
    flat = []

    def collect(value):
        if isinstance(value, torch.Tensor):
            flat.append(value)
        elif isinstance(value, (list, tuple)):
            for each in value:
                collect(each)

    collect(result)
    total = sum((t.abs() if t.is_complex() else t).double().pow(2).mean() for t in flat)
    return total, flat[0].detach()


def training(torch, name, number):
    """Layer, optimizer and scheduler as they begin."""
    import collections

    torch.manual_seed(number)
    nn = torch.nn
    layer = eval(f"nn.{LAYERS[name][0]}", {"nn": nn, "torch": torch, "collections": collections})
    if name.startswith("Lazy"):
        layer(*inputs(torch, LAYERS[name][1], 0))
    return (layer, *optimizing(torch, layer, number))


def optimizing(torch, layer, number):
    parameters = list(layer.parameters())
    if not parameters:
        return None, None
    # The gradient of an attention's key bias is rounding alone, which optimizers that divide by it would blow up.
    plain = any(p.is_complex() or p.itemsize == 2 for p in parameters) or any("in_proj" in n for n, _ in layer.named_parameters())
    chosen = OPTIMIZERS[0 if plain else number % len(OPTIMIZERS)]
    optimizer = eval(f"torch.optim.{chosen}", {"torch": torch, "p": parameters})
    scheduler = eval(f"torch.optim.lr_scheduler.{SCHEDULERS[number % len(SCHEDULERS)]}", {"torch": torch, "o": optimizer})
    return optimizer, scheduler


def train(torch, name, layer, optimizer, scheduler, steps):
    """Goes on with the training; returns the outputs and, at the end, the parameters and buffers."""
    found = []
    for step in steps:
        total, first = output(torch, layer, LAYERS[name][1], inputs(torch, LAYERS[name][1], step))
        found.append(first)
        if optimizer is not None:
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
            scheduler.step(*((total.item(),) if "Plateau" in type(scheduler).__name__ else ()))
    return found + [t.detach().clone() for t in layer.state_dict().values() if isinstance(t, torch.Tensor)]


def numbers(torch, tensors):
    """Tensors as nested lists, for comparing."""
    wide = [t if t.dtype in (torch.int64, torch.bool) else (torch.view_as_real(t) if t.is_complex() else t).double() for t in tensors]
    return [t.tolist() for t in wide]


def numbered(names):
    """Each name with its number, which is also the seed."""
    return [(number, name) for number, name in enumerate(LAYERS) if name in names]


def saved_whole(torch, layer, file):
    """Saves a module; why it is refused, or nothing."""
    try:
        torch.save(layer, file)
    except RuntimeError as error:
        return str(error)
    return ""


def write(torch, folder, names):
    """Writes the files of all layers, and what must come out where they are read."""
    for number, name in numbered(names):
        place, answer = folder / str(number), {}
        place.mkdir()
        try:
            layer, optimizer, scheduler = training(torch, name, number)
            train(torch, name, layer, optimizer, scheduler, range(3))
            torch.save(layer.state_dict(), place / "state.pt")
            answer["refused"] = saved_whole(torch, layer, place / "module.pt")
            checkpoint = {"model": layer.state_dict(), "random": torch.get_rng_state(), "step": 3}
            if optimizer is not None:
                checkpoint |= {"optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict()}
            torch.save(checkpoint, place / "checkpoint.pt")
            answer |= {"text": repr(layer), "keys": list(layer.state_dict())}
            answer["resumed"] = numbers(torch, train(torch, name, layer, optimizer, scheduler, range(3, 6)))
        except Exception as error:
            answer["error"] = f"{type(error).__name__}: {error}"
        (place / "answer.json").write_text(json.dumps(answer))


def close(torch, found, expected, name):
    """Raises AssertionError where numbers differ by more than rounding."""
    assert len(found) == len(expected), f"{len(found)} tensors, expected {len(expected)}"
    rtol, atol = (2e-2, 1e-2) if name in ("bfloat16", "float16") else (2e-4, 2e-5)
    for a, b in zip(numbers(torch, found), expected):
        torch.testing.assert_close(torch.tensor(a).double(), torch.tensor(b).double(), rtol=rtol, atol=atol, equal_nan=True)


def read(torch, folder, names):
    """Reads the files of all layers, goes on and compares; what is wrong with each kind of file."""
    found = {}
    for number, name in numbered(names):
        place = folder / str(number)
        answer = json.loads((place / "answer.json").read_text())
        found[name] = {kind: answer.get("error", "") for kind in KINDS}
        if "error" in answer:
            continue
        for kind in KINDS:
            try:
                CHECKS[kind](torch, name, number, place, answer)
            except Exception as error:
                found[name][kind] = f"{type(error).__name__}: {error}"
    (folder / "found.json").write_text(json.dumps(found))


def go_on(torch, name, number, place, answer, layer):
    """The rest of the training with a layer that was read."""
    checkpoint = torch.load(place / "checkpoint.pt")
    optimizer, scheduler = optimizing(torch, layer, number)
    if optimizer is not None:
        optimizer.load_state_dict(checkpoint["optimizer"])
        scheduler.load_state_dict(checkpoint["scheduler"])
    torch.set_rng_state(checkpoint["random"])
    close(torch, train(torch, name, layer, optimizer, scheduler, range(3, 6)), answer["resumed"], name)


def from_state_dict(torch, name, number, place, answer, **options):
    layer, _, _ = training(torch, name, number + 1000)
    state = torch.load(place / "state.pt", **options)
    assert list(state) == answer["keys"], f"keys {list(state)}, expected {answer['keys']}"
    missing, unexpected = layer.load_state_dict(state)
    assert not missing and not unexpected
    assert list(layer.state_dict()) == answer["keys"]
    go_on(torch, name, number, place, answer, layer)


def from_module(torch, name, number, place, answer):
    if answer["refused"]:
        refused = saved_whole(torch, training(torch, name, number)[0], place / "other.pt")
        assert refused == answer["refused"], f"refused: {answer['refused']}"
        return
    layer = torch.load(place / "module.pt", weights_only=False)
    assert repr(layer) == answer["text"], f"{layer!r}, expected {answer['text']}"
    assert isinstance(layer, torch.nn.Module) and type(layer).__module__.startswith("torch.")
    go_on(torch, name, number, place, answer, layer)


def resuming(torch, name, number, place, answer):
    layer, _, _ = training(torch, name, number + 2000)
    checkpoint = torch.load(place / "checkpoint.pt")
    assert checkpoint["step"] == 3
    layer.load_state_dict(checkpoint["model"])
    go_on(torch, name, number, place, answer, layer)


def with_map_location(torch, name, number, place, answer):
    from_state_dict(torch, name, number, place, answer, map_location=torch.device("cpu"), mmap=True)


CHECKS = {"state dict": from_state_dict, "module": from_module, "resuming": resuming, "map_location": with_map_location}


def run(library, action, folder, only):
    """This program in a process of its own, with one of the libraries as torch."""
    environment = os.environ | {"PYTHONPATH": str(SOURCES)}
    done = subprocess.run(
        [sys.executable, __file__, "--library", library, "--action", action, "--folder", str(folder), "--only", only], env=environment
    )
    if done.returncode:
        sys.exit(f"{library} could not {action}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    option = parser.add_argument
    option("--only", default="", help="layers whose names match a regular expression")
    option("--verbose", action="store_true", help="say what is wrong")
    for name in ("--library", "--action", "--folder"):
        option(name, help=argparse.SUPPRESS)
    given = parser.parse_args()
    names = [name for name in LAYERS if re.search(given.only, name)]
    if given.action:
        warnings.simplefilter("ignore")
        if given.library == "flambeau":
            import flambeau

            torch = flambeau.alias_torch()
        else:
            import torch
        torch.set_num_threads(1)
        return {"write": write, "read": read}[given.action](torch, Path(given.folder), names)
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for writer, reader in (("torch", "flambeau"), ("flambeau", "torch")):
            place = Path(folder) / writer
            place.mkdir()
            run(writer, "write", place, given.only)
            run(reader, "read", place, given.only)
            found[f"{writer} to {reader}"] = json.loads((place / "found.json").read_text())
    header = [f"{kind}, {way}" for way in found for kind in KINDS]
    print("| layer | " + " | ".join(header) + " |\n|---" + "|---" * len(header) + "|")
    wrong = 0
    for name in names:
        cells = [found[way][name][kind] for way in found for kind in KINDS]
        wrong += sum(map(bool, cells))
        print(f"| {name} | " + " | ".join("no" if cell else "yes" for cell in cells) + " |")
    if given.verbose:
        for way in found:
            for name in names:
                for kind in KINDS:
                    if found[way][name][kind]:
                        print(f"{way}, {name}, {kind}: {found[way][name][kind][:600]}")
    print(f"{len(names)} layers, {len(names) * len(header)} exchanges, {wrong} fail")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
