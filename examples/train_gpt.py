"""Trains a small GPT, byte by byte, on the sources of Python's standard library or on any text that you have.

    python examples/train_gpt.py                              # about three minutes on two cores
    python examples/train_gpt.py --data my_texts/ --out run1  # a file, or a folder of files
    python examples/train_gpt.py --resume                     # go on from the last checkpoint
    python examples/train_gpt.py --backend torch              # the same program under PyTorch

In the output folder it leaves `checkpoint.pt`, `loss.png` and `sample.txt`. The model and the loop follow Radford et al.,
"Language Models are Unsupervised Multitask Learners" (GPT-2), at a size that a laptop trains while you wait.
"""

import argparse
import fnmatch
import importlib
import math
import os
import sysconfig
import time
from pathlib import Path

from tqdm import tqdm

started = time.perf_counter()
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
option = parser.add_argument
# where things come from and go to
option("--backend", default="flambeau", choices=["flambeau", "torch"], help="the library that trains")
option("--data", type=Path, help="a text file or a folder (default: Python's standard library)")
option("--pattern", default="*", help="which files of the folder are read (default: all)")
option("--max-bytes", type=int, default=10_000_000, help="at most so much text is read")
option("--out", type=Path, default=Path(__file__).parent / "out" / "gpt", help="the output folder")
option("--resume", action="store_true", help="continue from the checkpoint in the output folder")
option("--seed", type=int, default=1337)
# the model
option("--layers", type=int, default=4)
option("--heads", type=int, default=4)
option("--width", type=int, default=128)
option("--context", type=int, default=128, help="bytes that the model sees at once")
option("--dropout", type=float, default=0.0)
# the training
option("--steps", type=int, default=2000, help="optimizer steps of the whole training")
option("--minutes", type=float, default=3.0, help="where the steps would take longer, the schedule is shortened")
option("--batch", type=int, default=8, help="sequences per step")
option("--rate", type=float, default=3e-3, help="the highest learning rate")
option("--min-rate", type=float, default=1e-4, help="the learning rate at the end")
option("--warmup", type=float, default=0.05, help="the fraction of the training in which the rate rises")
option("--weight-decay", type=float, default=0.1)
option("--clip", type=float, default=1.0, help="gradients are scaled down to this norm")
option("--eval-every", type=int, default=250, help="steps between evaluations; each also writes a checkpoint")
option("--eval-sequences", type=int, default=128, help="sequences of validation text per evaluation, four times as many at the end")
# the sample
option("--prompt", default="def ", help="what the sample begins with")
option("--sample-bytes", type=int, default=600)
option("--temperature", type=float, default=0.8)
option("--top-k", type=int, default=40)
config = parser.parse_args()

torch = importlib.import_module(config.backend)
nn, F = torch.nn, torch.nn.functional

# --- data --------------------------------------------------------------------------------------------------------

VOCABULARY = 256  # the model reads and writes bytes
NOT_READ = {"test", "tests", "idle_test", "site-packages", "dist-packages", "encodings", "pydoc_data", "__pycache__"}  # not prose


def read_text(path, pattern, limit):
    """The training text and the validation text: every tenth file, or the last tenth of the text where there are few."""
    if standard_library := path is None:
        path, pattern = sysconfig.get_paths()["stdlib"], "*.py"
    files = [path] if os.path.isfile(path) else []
    for folder, folders, names in os.walk(path):
        folders[:] = sorted(set(folders) - NOT_READ) if standard_library else sorted(folders)
        files += [os.path.join(folder, name) for name in sorted(fnmatch.filter(names, pattern))]
    texts = []
    for file in files:
        with open(file, "rb") as stream:
            texts.append(stream.read(limit))
        if (limit := limit - len(texts[-1])) == 0:
            break
    if len(texts) < 10:
        whole = b"\n".join(texts)
        return whole[: len(whole) * 9 // 10], whole[len(whole) * 9 // 10 :]
    return b"\n".join(text for i, text in enumerate(texts) if i % 10 != 9), b"\n".join(texts[9::10])


train_text, validation_text = read_text(config.data, config.pattern, config.max_bytes)
if min(len(train_text), len(validation_text)) <= config.context:
    parser.error(f"too little text: {len(train_text)} bytes to train on, {len(validation_text)} to validate; both must exceed --context")
train_data = torch.frombuffer(bytearray(train_text), dtype=torch.uint8)
validation_data = torch.frombuffer(bytearray(validation_text), dtype=torch.uint8)


def sequences(data, starts):
    """Sequences of bytes that begin at `starts`, and the same moved on by one byte: what the model sees and must predict."""
    rows = data[starts[:, None] + torch.arange(config.context + 1)].long()
    return rows[:, :-1], rows[:, 1:]


def evaluation_starts(count):
    """Sequences spread evenly over the validation text: every evaluation sees the same ones."""
    return torch.linspace(0, len(validation_data) - config.context - 1, count).long()


def unigram_loss():
    """The loss of a model that knows only how often each byte occurs in the training text (every byte counted once more)."""
    counts = torch.bincount(train_data.long(), minlength=VOCABULARY) + 1.0
    _, targets = sequences(validation_data, evaluation_starts(4 * config.eval_sequences))
    return -torch.log(counts / counts.sum())[targets].mean().item()


# --- model -------------------------------------------------------------------------------------------------------


class Attention(nn.Module):
    """Causal self-attention. With a cache, `x` holds only the new positions and the cache the keys and values before them."""

    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(config.width, 3 * config.width)
        self.projection = nn.Linear(config.width, config.width)

    def forward(self, x, cache=None):
        batch, length, width = x.shape
        q, k, v = self.qkv(x).view(batch, length, 3, config.heads, width // config.heads).permute(2, 0, 3, 1, 4).unbind(0)
        if cache:
            k, v = torch.cat([cache["k"], k], dim=2), torch.cat([cache["v"], v], dim=2)
        if cache is not None:
            cache["k"], cache["v"] = k, v
        dropout = config.dropout if self.training else 0.0
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=length > 1)
        return self.projection(y.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    """Attention and a two-layer perceptron, each with a layer norm before it and a residual connection around it."""

    def __init__(self):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.attention = Attention()
        self.expand, self.projection = nn.Linear(config.width, 4 * config.width), nn.Linear(4 * config.width, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x, cache=None):
        x = x + self.dropout(self.attention(self.norm1(x), cache))
        return x + self.dropout(self.projection(F.gelu(self.expand(self.norm2(x)))))


class GPT(nn.Module):
    """Bytes in, logits of the next byte out."""

    def __init__(self):
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, config.width)
        self.position = nn.Embedding(config.context, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList([Block() for _ in range(config.layers)])
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, VOCABULARY, bias=False)
        self.head.weight = self.token.weight
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:  # residual branches add up, so each begins smaller
                scale = math.sqrt(2 * config.layers) if name.endswith("projection.weight") else 1.0
                nn.init.normal_(parameter, mean=0.0, std=0.02 / scale)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, tokens, caches=None):
        start = caches[0]["k"].shape[2] if caches and caches[0] else 0
        x = self.token(tokens) + self.position(torch.arange(start, start + tokens.shape[1]))
        x = self.dropout(x)
        for i, block in enumerate(self.blocks):
            x = block(x, caches[i] if caches else None)
        return self.head(self.norm(x))


def loss_of(inputs, targets):
    """The mean cross-entropy of the next byte, in nats."""
    return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


@torch.no_grad()
def validation_loss(count):
    """The loss on `count` sequences of the validation text."""
    model.eval()
    inputs, targets = sequences(validation_data, evaluation_starts(count))
    pieces = [loss_of(*pair) * len(pair[0]) for pair in zip(inputs.split(32), targets.split(32))]
    model.train()
    return sum(pieces).item() / count


@torch.no_grad()
def generate(prompt, count):
    """`count` bytes drawn one after the other. Keys and values of what was read are kept, so each step reads one byte."""
    model.eval()
    tokens, caches = list(prompt), [{} for _ in model.blocks]
    new = tokens[-config.context :]
    for _ in range(count):
        if caches[0] and caches[0]["k"].shape[2] + len(new) > config.context:  # full: start anew from the last half
            new, caches = tokens[-(config.context // 2) :], [{} for _ in model.blocks]
        logits = model(torch.tensor([new]), caches)[0, -1] / config.temperature
        best = torch.topk(logits, min(config.top_k, VOCABULARY))
        new = [best.indices[torch.multinomial(F.softmax(best.values, dim=-1), 1)].item()]
        tokens += new
    model.train()
    return bytes(tokens)


# --- training ----------------------------------------------------------------------------------------------------


def learning_rate(progress):
    """Linear warm-up, then half a cosine; `progress` runs from 0 to 1."""
    if progress < config.warmup:
        return config.rate * max(progress / config.warmup, 0.01)
    falling = 0.5 + 0.5 * math.cos(math.pi * (progress - config.warmup) / (1 - config.warmup))
    return config.min_rate + falling * (config.rate - config.min_rate)


def save_checkpoint(path):
    """Writes all that a later run needs; the old checkpoint stays whole until the new one is."""
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "random": torch.get_rng_state()}
    torch.save(state | {"shape": shape, "step": step, "losses": losses, "evaluations": evaluations}, f"{path}.new")
    os.replace(f"{path}.new", path)


def plot_losses(path):
    """Draws the loss curve, or says what is missing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return "no loss curve: matplotlib is not installed (pip install matplotlib, or flambeau's extra 'plot')"
    axes = (figure := Figure(figsize=(8, 5))).subplots()
    axes.plot(range(1, len(losses) + 1), losses, linewidth=0.6, label="training batch")
    axes.plot(*zip(*evaluations), marker="o", label="validation")
    axes.axhline(baseline, linestyle="--", color="gray", label="byte frequencies")
    axes.set(xlabel="step", ylabel="cross-entropy per byte (nats)", title=f"GPT, {size / 1e6:.2f} million parameters")
    axes.legend()
    figure.savefig(path, dpi=120)
    return f"loss curve: {path}"


torch.manual_seed(config.seed)
model = GPT()
size = sum(p.numel() for p in model.parameters())
shape = {name: getattr(config, name) for name in ("layers", "heads", "width", "context")}
matrices = [p for p in model.parameters() if p.dim() == 2]
others = [p for p in model.parameters() if p.dim() != 2]  # biases and the scales of norms are not pulled towards 0
groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
optimizer = torch.optim.AdamW(groups, lr=config.rate, betas=(0.9, 0.99))
step, losses, evaluations = 0, [], []

config.out.mkdir(parents=True, exist_ok=True)
checkpoint = config.out / "checkpoint.pt"
if config.resume:
    state = torch.load(checkpoint)
    if state["shape"] != shape:
        parser.error(f"{checkpoint} holds a model of another shape: {state['shape']}")
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    torch.set_rng_state(state["random"])
    step, losses, evaluations = state["step"], state["losses"], state["evaluations"]
    print(f"resumed {checkpoint} at step {step}")

print(f"{len(train_data):,} bytes to train on, {len(validation_data):,} to validate; {size:,} parameters; {config.backend}")
baseline = unigram_loss()
total, first_step = config.steps, step
bar = tqdm(total=total, initial=step, unit="step", dynamic_ncols=True)
while step < total:
    for group in optimizer.param_groups:
        group["lr"] = learning_rate(step / total)
    starts = torch.randint(len(train_data) - config.context, (config.batch,))
    loss = loss_of(*sequences(train_data, starts))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), config.clip)
    optimizer.step()

    step += 1
    losses.append(loss.item())
    if step == first_step + 1:  # the first step also compiles kernels: the speed is that of the steps after it
        second_began = time.perf_counter()
    speed = (step - first_step - 1) / max(time.perf_counter() - second_began, 1e-9)
    if step % 10 == 0:  # where the time does not suffice for all steps, the schedule is shortened
        remaining = 60 * config.minutes - (time.perf_counter() - started)
        total = bar.total = min(config.steps, max(step, int(step + speed * remaining)))
    bar.set_postfix_str(f"loss {losses[-1]:.3f}, {speed * config.batch * config.context:,.0f} tokens/s", refresh=False)
    bar.update()
    if step % config.eval_every == 0:
        evaluations.append((step, validation_loss(config.eval_sequences)))
        save_checkpoint(checkpoint)
        bar.write(f"step {step}: training loss {sum(losses[-50:]) / len(losses[-50:]):.4f}, validation loss {evaluations[-1][1]:.4f}")
bar.close()

# --- results -----------------------------------------------------------------------------------------------------

if step > first_step:
    final = validation_loss(4 * config.eval_sequences)
    evaluations.append((step, final))
    save_checkpoint(checkpoint)
    print(f"checkpoint: {checkpoint}")
else:
    final = evaluations[-1][1]
    print("nothing left to train: raise --steps to go on")
print(plot_losses(config.out / "loss.png"))

sample_began = time.perf_counter()
sample = generate(config.prompt.encode(), config.sample_bytes)
(config.out / "sample.txt").write_bytes(sample)
print(f"\nA sample ({config.sample_bytes / (time.perf_counter() - sample_began):.0f} bytes/s):\n\n{sample.decode(errors='replace')}\n")
print(f"validation loss after {step} steps: {final:.4f} nats per byte ({final / math.log(2):.3f} bits)")
print(f"loss of byte frequencies:  {baseline:.4f} nats per byte ({baseline / math.log(2):.3f} bits)")
print(f"{time.perf_counter() - started:.0f} seconds in all")
