"""The files of TensorBoard's projector: vectors and labels as tab-separated values, pictures as one sprite, a configuration."""

import math
import os
from typing import Any

import numpy as np

from ._image import make_grid, make_np, png


def write_embedding(log_dir: Any, mat: Any, metadata: Any, label_img: Any, global_step: Any, tag: str, header: Any) -> str:
    """Writes the files of one embedding below `log_dir`; returns its part of the configuration.

    Raises AssertionError where the numbers of vectors, labels and pictures differ, or `mat` has not two dimensions.
    """
    mat = make_np(mat)
    step = str(0 if global_step is None else global_step).zfill(5)
    encoded = tag.replace("%", "%25").replace("/", "%2f").replace("\\", "%5c")
    folder = f"{step}/{encoded}"
    path = os.path.join(log_dir, folder)
    if os.path.isdir(path):
        print("warning: Embedding dir exists, did you set global_step for add_embedding()?")
    os.makedirs(path, exist_ok=True)
    if metadata is not None:
        if mat.shape[0] != len(metadata):
            raise AssertionError("#labels should equal with #data points")
        _write_labels(metadata, path, header)
    if label_img is not None:
        if mat.shape[0] != label_img.shape[0]:
            raise AssertionError("#images should equal with #data points")
        _write_sprite(make_np(label_img), path)
    if mat.ndim != 2:
        raise AssertionError("mat should be 2D, where mat.size(0) is the number of data points")
    with open(os.path.join(path, "tensors.tsv"), "w") as file:
        file.writelines("\t".join(map(str, row)) + "\n" for row in mat.tolist())
    lines = [f'tensor_name: "{tag}:{step}"']
    if metadata is not None:
        lines.append(f'metadata_path: "{folder}/metadata.tsv"')
    if label_img is not None:
        sizes = label_img.shape[3], label_img.shape[2]
        lines += ["sprite {", f'  image_path: "{folder}/sprite.png"', *(f"  single_image_dim: {size}" for size in sizes), "}"]
    lines.append(f'tensor_path: "{folder}/tensors.tsv"')
    return "embeddings {\n" + "".join(f"  {line}\n" for line in lines) + "}\n"


def _write_labels(metadata: Any, path: str, header: Any) -> None:
    if header:
        if len(header) != len(metadata[0]):
            raise AssertionError("len of header must be equal to the number of columns in metadata")
        lines = ["\t".join(str(e) for e in row) for row in [header, *metadata]]
    else:
        lines = [str(label) for label in metadata]
    with open(os.path.join(path, "metadata.tsv"), "wb") as file:
        file.write(("\n".join(lines) + "\n").encode())


def _write_sprite(images: Any, path: str) -> None:
    """All pictures in one, which the projector wants to be square."""
    grid = make_grid(images, ncols=math.ceil(len(images) ** 0.5)).transpose(1, 2, 0)
    square = np.zeros((grid.shape[1], grid.shape[1], 3))
    square[: grid.shape[0]] = grid
    with open(os.path.join(path, "sprite.png"), "wb") as file:
        file.write(png((square * 255).clip(0, 255).astype(np.uint8)))
