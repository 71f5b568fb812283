"""SummaryWriter: what it writes, read back by a reader of its own: TFRecords, protobuf fields, PNG."""

import math
import struct
import zlib

import numpy as np
import pytest

import flambeau as torch
from flambeau.utils.tensorboard import SummaryWriter

# --- the reader ----------------------------------------------------------------------------------------------------


def crc32c(data):
    """CRC-32C bit by bit, from the definition."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 * (crc & 1)
    return crc ^ 0xFFFFFFFF


def unmasked(stored):
    crc = (stored - 0xA282EAD8) & 0xFFFFFFFF
    return (crc >> 17 | crc << 15) & 0xFFFFFFFF


def records(path):
    data = path.read_bytes()
    while data:
        length, check = struct.unpack("<QI", data[:12])
        assert unmasked(check) == crc32c(data[:8])
        body, (check,) = data[12 : 12 + length], struct.unpack("<I", data[12 + length : 16 + length])
        assert unmasked(check) == crc32c(body)
        yield fields(body)
        data = data[16 + length :]


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """A message as {number of the field: list of values}."""
    found, at = {}, 0
    while at < len(data):
        key, at = varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 1:
            value, at = struct.unpack("<d", data[at : at + 8])[0], at + 8
        elif kind == 5:
            value, at = struct.unpack("<f", data[at : at + 4])[0], at + 4
        else:
            length, at = varint(data, at)
            value, at = data[at : at + length], at + length
        found.setdefault(key >> 3, []).append(value)
    return found


def doubles(data):
    return list(struct.unpack(f"<{len(data) // 8}d", data))


def floats(data):
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def picture(data):
    """The pixels of a PNG with 8 bits and no interlacing."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, packed, header = 8, b"", None
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + body)
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", body)
        packed += body if kind == b"IDAT" else b""
        at += 12 + length
    width, height, depth, color, *rest = header
    assert (depth, rest) == (8, [0, 0, 0]) and kind == b"IEND"
    channels = {0: 1, 2: 3, 6: 4}[color]
    lines = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, 1 + width * channels)
    assert not lines[:, 0].any()
    return lines[:, 1:].reshape(height, width, channels)


def files(folder):
    return sorted(folder.glob("events.out.tfevents.*"))


def events(folder):
    (path,) = files(folder)
    return list(records(path))


def values(folder):
    """(tag, step, fields of the value) of each summary."""
    found = []
    for event in events(folder):
        for summary in event.get(5, ()):
            for value in fields(summary)[1]:
                value = fields(value)
                found.append((value[1][0].decode(), event.get(2, [0])[0], value))
    return found


def written(tmp_path, add):
    with SummaryWriter(tmp_path) as writer:
        add(writer)
    return values(tmp_path)


def plugin(value):
    data = fields(fields(value[9][0])[1][0])
    return data[1][0].decode(), data.get(2, [b""])[0]


# --- what is written ---------------------------------------------------------------------------------------------------


def test_a_file_begins_with_its_version(tmp_path):
    with SummaryWriter(tmp_path, filename_suffix=".end", purge_step=5) as writer:
        writer.add_scalar("a", 1.0, 7, walltime=12.5)
    first, purge, start, scalar = events(tmp_path)
    assert first[3] == [b"brain.Event:2"] and abs(first[1][0] - purge[1][0]) < 10
    assert purge[2] == [5] and start[2] == [5] and fields(start[7][0])[1] == [1]
    assert scalar[1] == [12.5] and scalar[2] == [7]
    assert files(tmp_path)[0].name.endswith(".end")


def test_scalars(tmp_path):
    def add(w):
        w.add_scalar("loss", 0.5, 1)
        w.add_scalar("loss", torch.tensor([0.0]), 2)
        w.add_scalar("n", np.int64(-3))
        w.add_scalar("new", 1.5, 3, new_style=True)
        w.add_scalar("double", 0.1, 3, new_style=True, double_precision=True)
        w.add_scalar("half", torch.tensor(1.5, dtype=torch.bfloat16), torch.tensor(9))

    found = written(tmp_path, add)
    assert [(tag, step, v.get(2)) for tag, step, v in found[:3]] == [("loss", 1, [0.5]), ("loss", 2, [0.0]), ("n", 0, [-3.0])]
    new, double = (fields(found[i][2][8][0]) for i in (3, 4))
    assert new[1] == [1] and floats(new[5][0]) == [1.5] and plugin(found[3][2]) == ("scalars", b"")
    assert double[1] == [2] and doubles(double[6][0]) == [0.1]
    assert found[5][1:2] == (9,) and found[5][2][2] == [1.5]


def test_several_scalars_go_to_runs_of_their_own(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_scalars("a/b", {"x": 1.0, "y": 2.0}, 4)
        writer.add_scalars("a/b", {"x": 3.0}, 5)
    assert [(t, s, v[2]) for t, s, v in values(tmp_path / "a_b_x")] == [("a/b", 4, [1.0]), ("a/b", 5, [3.0])]
    assert [(t, s, v[2]) for t, s, v in values(tmp_path / "a_b_y")] == [("a/b", 4, [2.0])]


def test_histograms(tmp_path):
    x = torch.tensor([-1.0, 0.5, 0.5, 2.0])

    def add(w):
        w.add_histogram("default", x, 1)
        w.add_histogram("four", x.numpy(), 1, bins=4)
        w.add_histogram("joined", torch.arange(12.0), 1, bins=12, max_bins=5)
        w.add_histogram_raw("raw", 0, 1, 3, 1.5, 1.25, [0.5, 1.0], [1, 2])

    default, four, joined, raw = (fields(v[5][0]) for _, _, v in written(tmp_path, add))
    assert [default[i][0] for i in range(1, 6)] == [-1.0, 2.0, 4.0, 2.0, 5.5]
    limits, counts = doubles(default[6][0]), doubles(default[7][0])
    assert len(limits) == len(counts) and sum(counts) == 4 and counts[0] == 0
    for low, high, count in zip(limits, limits[1:], counts[1:]):
        assert count == sum(low <= v < high for v in x.tolist())
        assert high == 0 or low == 0 or abs(low) < 1e-11 or math.isclose(max(high / low, low / high), 1.1, rel_tol=1e-6)
    assert doubles(four[6][0]) == [-1.0, -0.25, 0.5, 1.25, 2.0] and doubles(four[7][0]) == [0, 1, 0, 2, 1]
    assert doubles(joined[7][0]) == [0, 2, 2, 2, 2, 2, 2]
    assert raw.get(1) is None and doubles(raw[6][0]) == [0.5, 1.0] and doubles(raw[7][0]) == [1, 2]


def test_images(tmp_path):
    rgb = torch.arange(60).reshape(3, 4, 5)
    batch = torch.rand(3, 1, 2, 2)

    def add(w):
        w.add_image("bytes", rgb.to(torch.uint8), 1)
        w.add_image("floats", rgb / 60, 1)
        w.add_image("hwc", rgb.permute(1, 2, 0).to(torch.uint8), dataformats="HWC")
        w.add_image("gray", torch.tensor([[0, 255]], dtype=torch.uint8), dataformats="HW")
        w.add_image("rgba", torch.full((2, 2, 4), 7, dtype=torch.uint8), dataformats="HWC")
        w.add_images("grid", batch, 1)
        w.add_image_with_boxes("boxes", torch.zeros(3, 20, 20), torch.tensor([[4, 5, 10, 12]]))

    found = {tag: fields(v[4][0]) for tag, _, v in written(tmp_path, add)}
    pixels = {tag: picture(image[4][0]) for tag, image in found.items()}
    assert (found["bytes"][1], found["bytes"][2], found["bytes"][3]) == ([4], [5], [3])
    assert np.array_equal(pixels["bytes"], rgb.permute(1, 2, 0).numpy()) and np.array_equal(pixels["hwc"], pixels["bytes"])
    assert np.array_equal(pixels["floats"], (rgb / 60 * 255).permute(1, 2, 0).numpy().astype(np.uint8))
    assert pixels["gray"].tolist() == [[[0] * 3, [255] * 3]] and pixels["rgba"].shape == (2, 2, 4)
    assert np.array_equal(pixels["grid"][:, 2:4, 0], (batch[1, 0] * 255).numpy().astype(np.uint8)) and pixels["grid"].shape == (2, 6, 3)
    assert pixels["boxes"][5, 4].tolist() == [255, 0, 0] and pixels["boxes"][8, 7].tolist() == [0, 0, 0]


def test_figures(tmp_path):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    def figure():
        made = pyplot.figure(figsize=(1, 1), dpi=20)
        made.patch.set_facecolor("red")
        return made

    def add(w):
        w.add_figure("one", figure())
        w.add_figure("two", [figure(), figure()], close=False)

    one, two = (picture(fields(v[4][0])[4][0]) for _, _, v in written(tmp_path, add))
    assert one.shape == (20, 20, 3) and one[3, 3].tolist() == [255, 0, 0] and two.shape == (20, 40, 3)
    assert len(pyplot.get_fignums()) == 2
    pyplot.close("all")


def test_texts_sounds_and_tensors(tmp_path):
    def add(w):
        w.add_text("note", "**h\u00e9llo**", 2)
        w.add_audio("tone", torch.linspace(-1, 1, 50).reshape(1, -1), 1, 8000)
        w.add_tensor("ints", torch.tensor([[1, -2]]), 1)
        w.add_tensor("floats", torch.tensor([0.5, 1.5]), 1)

    (tag, step, text), (_, _, sound), (_, _, ints), (_, _, numbers) = written(tmp_path, add)
    assert (tag, step) == ("note/text_summary", 2) and fields(text[8][0])[8] == ["**h\u00e9llo**".encode()] and plugin(text)[0] == "text"
    audio = fields(sound[6][0])
    assert (audio[1], audio[2], audio[3], audio[5]) == ([8000.0], [1], [50], [b"audio/wav"]) and audio[4][0][:4] == b"RIFF"
    content = fields(ints[8][0])
    assert content[1] == [9] and [fields(d)[1] for d in fields(content[2][0])[2]] == [[1], [2]]
    one, at = varint(content[10][0], 0)
    assert (one, varint(content[10][0], at)[0]) == (1, 2**64 - 2)
    assert floats(fields(numbers[8][0])[5][0]) == [0.5, 1.5]


def test_precision_recall_curves(tmp_path):
    labels, scores = torch.tensor([0, 1, 1, 0, 1]), torch.tensor([0.1, 0.9, 0.4, 0.6, 0.8])
    rows = [torch.tensor([1.0, 2.0])] * 6

    def add(w):
        w.add_pr_curve("pr", labels, scores, 1, num_thresholds=5)
        w.add_pr_curve_raw("raw", *rows, num_thresholds=2)

    (_, _, curve), (_, _, raw) = written(tmp_path, add)
    data = np.array(floats(fields(curve[8][0])[5][0])).reshape(6, 5)
    predicted = np.floor(scores.numpy() * 4)[:, None] >= np.arange(5)
    truth = labels.numpy().astype(bool)[:, None]
    tp, fp, fn = (predicted & truth).sum(0), (predicted & ~truth).sum(0), (~predicted & truth).sum(0)
    assert np.array_equal(data[0], tp) and np.array_equal(data[1], fp) and np.array_equal(data[3], fn)
    assert np.allclose(data[4], tp / np.maximum(tp + fp, 1e-7)) and np.allclose(data[5], tp / (tp + fn))
    assert plugin(curve) == ("pr_curves", b"\x10\x05") and plugin(raw) == ("pr_curves", b"\x10\x02")


def test_hyperparameters(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_hparams({"lr": 0.1, "name": "sgd", "flag": True, "skip": None}, {"acc": 0.9}, {"name": ["sgd", "adam"]}, "run", 7)
    experiment, start, end, metric = values(tmp_path / "run")
    assert [t for t, *_ in (experiment, start, end, metric)] == [
        "_hparams_/experiment", "_hparams_/session_start_info", "_hparams_/session_end_info", "acc",
    ]  # fmt: skip
    infos = [fields(i) for i in fields(fields(plugin(experiment[2])[1])[2][0])[4]]
    assert [(i[1][0], i[4][0]) for i in infos] == [(b"lr", 3), (b"name", 1), (b"flag", 3)]
    assert [fields(v)[3] for v in fields(infos[1][5][0])[1]] == [[b"sgd"], [b"adam"]]
    entries = [fields(e) for e in fields(fields(plugin(start[2])[1])[3][0])[1]]
    assert {e[1][0]: fields(e[2][0]) for e in entries} == {b"lr": {2: [0.1]}, b"name": {3: [b"sgd"]}, b"flag": {2: [1.0]}}
    assert fields(fields(plugin(end[2])[1])[4][0]) == {1: [1]} and metric[1] == 7


def test_charts_and_meshes(tmp_path):
    def add(w):
        w.add_custom_scalars_multilinechart(["a", "b"], "category", "title")
        w.add_custom_scalars_marginchart(["v", "low", "high"])
        w.add_mesh("m", torch.zeros(1, 3, 3), torch.zeros(1, 3, 3), torch.tensor([[[0, 1, 2]]]))

    lines, margin, *meshes = written(tmp_path, add)
    category = fields(fields(fields(lines[2][8][0])[8][0])[2][0])
    chart = fields(category[2][0])
    assert (category[1], chart[1], fields(chart[2][0])[1]) == ([b"category"], [b"title"], [b"a", b"b"])
    series = fields(fields(fields(fields(fields(margin[2][8][0])[8][0])[2][0])[2][0])[3][0])[1]
    assert fields(series[0]) == {1: [b"v"], 2: [b"low"], 3: [b"high"]}
    assert [tag for tag, *_ in meshes] == ["m_VERTEX", "m_FACE", "m_COLOR"]
    assert [fields(plugin(v)[1])[7] for *_, v in meshes] == [[14]] * 3


def test_embeddings(tmp_path):
    with SummaryWriter(tmp_path) as writer:
        writer.add_embedding(torch.arange(6.0).reshape(2, 3), ["a", "b"], torch.rand(2, 3, 4, 4), 1, "t/x")
        writer.add_embedding(torch.zeros(1, 2), [["c", 1]], metadata_header=["name", "n"])
    folder = tmp_path / "00001" / "t%2fx"
    assert (folder / "tensors.tsv").read_text() == "0.0\t1.0\t2.0\n3.0\t4.0\t5.0\n" and (folder / "metadata.tsv").read_text() == "a\nb\n"
    assert picture((folder / "sprite.png").read_bytes()).shape == (8, 8, 3)
    assert (tmp_path / "00000" / "default" / "metadata.tsv").read_text() == "name\tn\nc\t1\n"
    config = (tmp_path / "projector_config.pbtxt").read_text()
    assert 'tensor_name: "t/x:00001"' in config and config.count("embeddings {") == 2 and "single_image_dim: 4" in config


def test_graphs(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.ReLU())
    with SummaryWriter(tmp_path) as writer:
        writer.add_graph(model, torch.ones(2, 3))
    graph = fields(events(tmp_path)[1][4][0])
    nodes = {fields(n)[1][0].decode(): fields(n) for n in graph[1]}
    linear = nodes["Sequential/Linear[0]/linear3"]
    assert linear[2] == [b"aten::linear"] and linear[3] == [b"input/input", b"Sequential/Linear[0]/weight", b"Sequential/Linear[0]/bias"]
    assert nodes["Sequential/ReLU[1]/relu4"][3] == [b"Sequential/Linear[0]/linear3"]
    assert nodes["output/output.1"][3] == [b"Sequential/ReLU[1]/relu4"]


ERRORS = [
    (lambda w: w.add_scalar("a", torch.ones(2)), AssertionError, "Tensor should contain one element"),
    (lambda w: w.add_scalar("a", "s"), ValueError, "could not convert string to float: 's'"),
    (lambda w: w.add_scalar("a", [1]), NotImplementedError, "Got <class 'list'>, but numpy array or torch tensor are expected."),
    (lambda w: w.add_histogram("a", torch.ones(0)), ValueError, "The input has no element."),
    (lambda w: w.add_histogram("a", torch.tensor([math.nan])), ValueError, "The histogram is empty"),
    (lambda w: w.add_image("a", torch.ones(3, 4)), AssertionError, "size of input tensor and input format are different."),
    (lambda w: w.add_image("a", torch.ones(3, 4), dataformats="HH"), AssertionError, "You can not use the same dimension shorthand twice."),
    (lambda w: w.add_hparams({"a": [1]}, {"b": 1}), ValueError, "value should be one of int, float, str, bool, or torch.Tensor"),
    (lambda w: w.add_hparams(1, {"b": 1}), TypeError, "hparam_dict and metric_dict should be dictionary."),
    (lambda w: w.add_text("a", 3), AttributeError, "'int' object has no attribute 'encode'"),
    (lambda w: w.add_embedding(torch.ones(3, 2), metadata=["a"]), AssertionError, "#labels should equal with #data points"),
    (lambda w: w.add_embedding(torch.ones(3)), AssertionError, "mat should be 2D"),
    (lambda w: w.add_tensor("a", torch.ones(1, dtype=torch.complex64)), ValueError, "a has unsupported tensor dtype torch.complex64"),
    (lambda w: w.add_video("a", torch.ones(1, 1, 3, 2, 2)), NotImplementedError, "flambeau does not support SummaryWriter.add_video"),
]


@pytest.mark.parametrize(("add", "error", "message"), ERRORS, ids=[message[:40] for *_, message in ERRORS])
def test_errors(tmp_path, add, error, message):
    with SummaryWriter(tmp_path) as writer, pytest.raises(error) as raised:
        add(writer)
    assert message in str(raised.value)


def test_closing_and_flushing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    writer = SummaryWriter(comment="_note")
    folder = tmp_path / writer.log_dir
    assert folder.parent.name == "runs" and folder.name.endswith("_note")
    writer.add_scalar("a", 1.0)
    writer.flush()
    assert len(values(folder)) == 1
    writer.close()
    writer.close()
    writer.add_scalar("b", 1.0)  # a new file
    writer.close()
    assert len(files(folder)) == 2
    many = SummaryWriter(tmp_path / "many", max_queue=3)
    for i in range(5):
        many.add_scalar("a", i, i)
    assert len(values(tmp_path / "many")) == 4  # what is beyond the queue's length waits
    many.close()
