"""
Layers of the 1-bit runtime against torch
=========================================

How much faster is a binary 3 x 3 convolution on packed words than torch's convolution in single precision, on one
thread? For each shape there are three kernels: `kernel` multiplies sums by a scale and stores them, `full` is what a
residual network has between two convolutions (scale, batch normalisation, addition of the shortcut, storing, sign,
packing), `bits` is what a network without shortcuts has (comparison with integer thresholds). torch's time is the best
of its forms: eager, channels last, oneDNN's own layout and, with `--compile`, compiled with frozen weights; bfloat16 is
shown beside it. All times are thread CPU time, the best of interleaved rounds, in microseconds an image; `roof` is the
share of what a loop over registers reaches that counts bits and does nothing else. Integers are compared first::

    python examples/benchmarks/bench_runtime.py                      # 13 shapes, batches of 1 and 32: three minutes
    python examples/benchmarks/bench_runtime.py --compile --rounds 9
    python examples/benchmarks/bench_runtime.py --target avx2        # in a process where torch is held to AVX2, too:
    ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 python examples/benchmarks/bench_runtime.py --target avx2

The runtime computes image by image, so its time an image is the same at any batch.
"""

import argparse
import copy
import time
from importlib import import_module

import numpy as np
import torch
import torch.utils.mkldnn

from skhash.runtime import (
    Add,
    Affine,
    BinaryConv,
    GlobalAvgPool,
    Int8Conv,
    Network,
    PackedHasher,
    Sign,
    popcount_roof,
)

# in channels, side, out channels, stride
SHAPES = (
    *((64, 56, 64, 1), (64, 56, 128, 2), (128, 28, 128, 1), (128, 28, 256, 2), (256, 14, 256, 1), (256, 14, 512, 2)),
    *((512, 7, 512, 1), (64, 32, 64, 1), (128, 16, 128, 1), (256, 8, 256, 1), (512, 4, 512, 1), (128, 32, 128, 1)),
    (32, 32, 32, 1),
)
KINDS = ("kernel", "full", "bits")
SECONDS = 0.03  # of a form in a round


def make_network(kind, side, weight, stride, rng):
    """Make a network that contains the layer, and say which operation it is."""
    n_out, n_in = len(weight), weight.shape[3]
    first = rng.integers(-127, 128, size=(n_in, 1, 1, 1))
    operations = [Int8Conv(0, first), Affine(1, np.ones(n_in)), Sign(2)]
    scale, norm = rng.uniform(0.5, 1.5, n_out) / n_in, rng.normal(size=(2, n_out))
    if kind == "full":  # the shortcut must be there before the layer
        operations += [Int8Conv(0, rng.integers(-9, 9, size=(n_out, 1, 1, 1)), stride), Affine(4, scale)]
    number = len(operations)
    operations += [BinaryConv.from_signs(3, weight, stride=stride, padding=1), Affine(number + 1, scale)]
    if kind == "kernel":
        return Network((side, side, 1), operations), number
    last = np.ones((1, 1, 1, n_out))  # somebody who reads the bits
    operations.append(Affine(number + 2, *norm))
    if kind == "full":
        operations += [Add((number + 3, 5)), Sign(number + 4), BinaryConv.from_signs(number + 5, last)]
        operations += [GlobalAvgPool(number + 4)]
    else:
        operations += [Sign(number + 3), BinaryConv.from_signs(number + 4, last), Affine(number + 5, [1])]
    return Network((side, side, 1), operations), number


def check(weight, stride, target, rng):
    """Compare all integers of the layer with torch's."""
    n_in, side = weight.shape[3], 9
    network, _ = make_network("kernel", side, weight, stride, rng)
    first, _, sign, conv, _ = network.operations
    network = Network((side, side, 1), [first, Affine(1, np.ones(n_in)), sign, conv, Affine(4, np.ones(len(weight)))])
    X = rng.integers(0, 256, size=(2, side, side, 1), dtype=np.uint8)
    found = PackedHasher(network, target=target).decision_function(X)
    x = torch.from_numpy((X[..., 0].astype(np.float32) - 128)[:, None] * first.weight.reshape(1, n_in, 1, 1))
    filters = torch.from_numpy(weight.transpose(0, 3, 1, 2)).float()
    sums = torch.nn.functional.conv2d(torch.where(x >= 0, 1.0, -1.0), filters, stride=stride, padding=1)
    return int((sums.permute(0, 2, 3, 1).reshape(2, -1).numpy() != found).sum()), found.size


def torch_forms(shape, batch, with_compile):
    """Give functions that run the layer once, by name; "bf16" is no single precision."""
    n_in, side, n_out, stride = shape
    x = torch.randn(batch, n_in, side, side)
    conv = torch.nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False).eval().requires_grad_(False)
    last, x_last = copy.deepcopy(conv).to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    own = torch.utils.mkldnn.to_mkldnn(copy.deepcopy(conv))
    half, x_half, x_own = copy.deepcopy(last).bfloat16(), x_last.bfloat16(), x.to_mkldnn()
    forms = {
        "eager": lambda: conv(x),
        "channels last": lambda: last(x_last),
        "oneDNN layout": lambda: own(x_own),
        "bf16": lambda: half(x_half),
    }
    if with_compile:
        inductor = import_module("torch._inductor.config")
        inductor.freezing = True
        torch._dynamo.reset()
        compiled = torch.compile(copy.deepcopy(conv))
        forms["compiled"] = lambda: compiled(x)
    return forms


def seconds_of(form):
    """Time of one call, over as many calls as fill a moment."""
    n = 1
    while True:
        start = time.thread_time()
        for _ in range(n):
            form()
        taken = time.thread_time() - start
        if taken > SECONDS:
            return taken / n
        n = max(n + 1, int(1.2 * n * SECONDS / max(taken, 1e-6)))


def measure(shape, target, batches, rounds, with_compile):
    """Print a row for each batch; give the ratios."""
    n_in, side, n_out, stride = shape
    rng = np.random.default_rng(0)
    weight = rng.choice([-1, 1], size=(n_out, 3, 3, n_in))
    wrong, n = check(weight, stride, target, rng)
    packed = {}
    for kind in KINDS:
        network, number = make_network(kind, side, weight, stride, rng)
        packed[kind] = PackedHasher(network, target=target), f"{number} BinaryConv"
    X = rng.integers(0, 256, size=(1, side, side, 1), dtype=np.uint8)
    macs = (-(-side // stride)) ** 2 * weight.size
    forms = {batch: torch_forms(shape, batch, with_compile) for batch in batches}
    best = {batch: dict.fromkeys(forms[batch], np.inf) for batch in batches}
    ours, roof = dict.fromkeys(KINDS, np.inf), 0
    with torch.inference_mode():
        for _ in range(rounds):
            roof = max(roof, popcount_roof(target, 2))
            for kind, (hasher, name) in packed.items():
                ours[kind] = min(ours[kind], hasher.profile(X, 3)[name])
            for batch in batches:
                for name, form in forms[batch].items():
                    best[batch][name] = min(best[batch][name], 1e6 * seconds_of(form) / batch)
    ratios = {}
    for batch in batches:
        half = best[batch].pop("bf16")
        name = min(best[batch], key=best[batch].get)
        single = best[batch][name]
        ratios[batch] = {kind: single / ours[kind] for kind in KINDS}
        print(
            f"{n_in:4} -> {n_out:3}, {side:2} px, stride {stride}, batch {batch:2}: float32 {single:7.1f} us ({name}), "
            f"bf16 {half:7.1f}; "
            + ", ".join(f"{kind} {ours[kind]:6.1f} ({ratios[batch][kind]:4.1f}x)" for kind in KINDS)
            + f"; roof {100 * macs / ours['kernel'] * 1e6 / roof:3.0f} %; {wrong} of {n} integers differ",
            flush=True,
        )
    return ratios


def main():
    """Measure all shapes and print geometric means of the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--target", help="kernels of the runtime")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="torch.compile with frozen weights, too")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(
        f"torch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()}), target {arguments.target or 'best'}, "
        f"roof {popcount_roof(arguments.target) / 1e12:.2f} T binary multiply-adds a second"
    )
    rows = [
        measure(shape, arguments.target, arguments.batches, arguments.rounds, arguments.compile) for shape in SHAPES
    ]
    for batch in arguments.batches:
        means = {kind: np.exp(np.mean([np.log(row[batch][kind]) for row in rows])) for kind in KINDS}
        print(f"batch {batch}, geometric mean: " + ", ".join(f"{kind} {mean:.1f}x" for kind, mean in means.items()))


if __name__ == "__main__":
    main()
