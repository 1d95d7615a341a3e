"""
The 1-bit runtime against torch
===============================

How much faster are binary networks on packed words than networks in single precision in torch, on one thread? The
sections can be run one by one (`--sections nets mlp`):

- `layers`: a 3 x 3 convolution of 13 shapes. `kernel` multiplies sums by a scale and stores them. `full` adds the
  operations that a residual network has between two convolutions (scale, batch normalization, addition of the
  shortcut, storing, sign, packing), `bits` those of a network without shortcuts (comparison with integer thresholds).
  `roof` is the share of the peak popcount throughput: of a loop over registers that only counts bits.
- `nets`: whole networks with 64 bits against ResNets in single precision, with batch normalization folded into their
  convolutions. The paper of one-bit deep hashing compares with ResNet-50; ResNet-18 has the layout of the binary ones.
- `mlp`: 512-1024-1024-64 and 2048-2048-2048-64, with a hash layer that is binary, too, or real (the default).
- `threads`: two threads against one.
- `files`: the size of a packed file against that of a ResNet-50's weights.
- `memory`: a process that loads a packed network and hashes an image, without torch, against one that uses torch:
  seconds until the first code, and resident memory.

torch's time is the best of its forms: eager with channels first and last, oneDNN's own layout (layers) and, with
`--compile`, compiled with frozen weights, which needs a C++ compiler and a minute per network. bfloat16 and int8 are
shown separately; int8 is quantized statically by torch's FX mode (including the conversion from and to single
precision, which matters for a single layer). All times are thread CPU time, the best of interleaved rounds. Codes are
compared first. Everything takes ten minutes::

    python examples/benchmarks/bench_runtime.py
    python examples/benchmarks/bench_runtime.py --sections nets --compile --rounds 5
    python examples/benchmarks/bench_runtime.py --target avx2        # in a process where torch is held to AVX2, too:
    ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2 python examples/benchmarks/bench_runtime.py --target avx2

The runtime computes image by image, so its time per image is the same at any batch size. A CPU with matrix units (AMX)
runs bfloat16 faster than one without.
"""

import argparse
import copy
import json
import pickle
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
import torch.utils.mkldnn
from torch import nn

from skhash.nn import HashHead, ResNet, float_twin, fold_batch_norm
from skhash.nn import binary as bnn
from skhash.runtime import (
    Add,
    Affine,
    BinaryConv,
    GlobalAvgPool,
    Int8Conv,
    Network,
    PackedHasher,
    Sign,
    compare_codes,
    popcount_roof,
)

# in channels, side, out channels, stride
SHAPES = (
    *((64, 56, 64, 1), (64, 56, 128, 2), (128, 28, 128, 1), (128, 28, 256, 2), (256, 14, 256, 1), (256, 14, 512, 2)),
    *((512, 7, 512, 1), (64, 32, 64, 1), (128, 16, 128, 1), (256, 8, 256, 1), (512, 4, 512, 1), (128, 32, 128, 1)),
    (32, 32, 32, 1),
)
KINDS = ("kernel", "full", "bits")
OTHERS = ("bf16", "int8")  # forms in lower precision
SECONDS = 0.03  # duration of a form in a round


def make_network(kind, side, weight, stride, rng):
    """Return a network that contains the layer, and the number of the layer's operation."""
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
    last = np.ones((1, 1, 1, n_out))  # a consumer of the bits
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
    """Return functions that run the layer once, by name."""
    n_in, side, n_out, stride = shape
    x = torch.randn(batch, n_in, side, side)
    conv = torch.nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False).eval().requires_grad_(False)
    last, x_last = copy.deepcopy(conv).to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    own = torch.utils.mkldnn.to_mkldnn(copy.deepcopy(conv))
    half, x_half, x_own = copy.deepcopy(last).bfloat16(), x_last.bfloat16(), x.to_mkldnn()
    quantized = quantize(nn.Sequential(conv), x)
    forms = {
        "eager": lambda: conv(x),
        "channels last": lambda: last(x_last),
        "oneDNN layout": lambda: own(x_own),
        "bf16": lambda: half(x_half),
        "int8": lambda: quantized(x),
    }
    if with_compile:
        compiled = compile_frozen(conv)
        forms["compiled"] = lambda: compiled(x)
    return forms


def compile_frozen(module):
    """Compile a copy of a module with frozen weights, whose memory layout torch may choose."""
    import_module("torch._inductor.config").freezing = True
    torch._dynamo.reset()
    return torch.compile(copy.deepcopy(module))


def quantize(module, x):
    """Return a copy of a module that computes with 8 bits; ranges are taken from one batch."""
    with warnings.catch_warnings():  # torch deprecates this in favor of a separate package
        warnings.simplefilter("ignore")
        from torch.ao.quantization import get_default_qconfig_mapping
        from torch.ao.quantization.quantize_fx import convert_fx, prepare_fx

        prepared = prepare_fx(copy.deepcopy(module), get_default_qconfig_mapping("x86"), (x,))
        with torch.no_grad():
            prepared(x)
        return convert_fx(prepared)


def seconds_of(form):
    """Return the time of one call, averaged over `SECONDS`."""
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
    """Print a row for each batch size, and return the ratios."""
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
        others = {name: best[batch].pop(name) for name in OTHERS}
        name = min(best[batch], key=best[batch].get)
        single = best[batch][name]
        ratios[batch] = {kind: single / ours[kind] for kind in KINDS}
        print(
            f"{n_in:4} -> {n_out:3}, {side:2} px, stride {stride}, batch {batch:2}: float32 {single:7.1f} us ({name}), "
            + ", ".join(f"{other} {taken:7.1f}" for other, taken in others.items())
            + "; "
            + ", ".join(f"{kind} {ours[kind]:6.1f} ({ratios[batch][kind]:4.1f}x)" for kind in KINDS)
            + f"; roof {100 * macs / ours['kernel'] * 1e6 / roof:3.0f} %; {wrong} of {n} integers differ",
            flush=True,
        )
    return ratios


def measure_layers(arguments):
    """Measure all shapes and print geometric means of the ratios."""
    settings = arguments.target, arguments.batches, arguments.rounds, arguments.compile
    rows = [measure(shape, *settings) for shape in SHAPES]
    for batch in arguments.batches:
        means = {kind: np.exp(np.mean([np.log(row[batch][kind]) for row in rows])) for kind in KINDS}
        print(f"batch {batch}, geometric mean: " + ", ".join(f"{kind} {mean:.1f}x" for kind, mean in means.items()))


def hashing(backbone, bits=64):
    """Append a hash head to a backbone."""
    return nn.Sequential(backbone, HashHead(backbone.out_features, bits)).eval()


def samples(shape, n):
    """Return images or vectors in the layout of the runtime, and in that of torch."""
    rng = np.random.default_rng(0)
    if len(shape) == 1:
        X = rng.normal(size=(n, *shape)).astype(np.float32)
        return X, torch.from_numpy(X)
    pixels = rng.integers(0, 256, size=(n, *shape), dtype=np.uint8)
    return np.ascontiguousarray(pixels.transpose(0, 2, 3, 1)), torch.from_numpy(pixels) / 255


def settle(network, shape):
    """Set the statistics of batch normalization from random samples, so that activations are of the order of 1."""
    norms = [module for module in network.modules() if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d))]
    for norm in norms:
        norm.momentum = 1.0
    with torch.inference_mode():
        network.train()(samples(shape, 8)[1])
    return network.eval()


def pack(network, shape, target):
    """Pack a network and compare its codes with torch's."""
    packed = PackedHasher(bnn.export_network(network, shape), target=target, n_jobs=1)
    X, x = samples(shape, 16)
    with torch.inference_mode():
        return packed, compare_codes(network(x).numpy(), packed.decision_function(X))


def reference_forms(reference, shape, batch, with_compile):
    """Return functions that run a network in torch once, by name."""
    _, x = samples(shape, batch)
    folded = fold_batch_norm(reference)
    forms = {"eager": lambda: folded(x)}
    layout = torch.channels_last if len(shape) == 3 else torch.contiguous_format
    last, x_last = copy.deepcopy(folded).to(memory_format=layout), x.contiguous(memory_format=layout)
    half, x_half = copy.deepcopy(last).bfloat16(), x_last.bfloat16()
    if len(shape) == 3:
        forms["channels last"] = lambda: last(x_last)
    forms["bf16"] = lambda: half(x_half)
    quantized = quantize(folded, x)
    forms["int8"] = lambda: quantized(x)
    if with_compile:
        compiled = compile_frozen(folded)
        forms["compiled"] = lambda: compiled(x)
    return forms


def compare(title, shape, networks, references, arguments, batches):
    """Time packed networks against references, in interleaved rounds, and print a row for each pair and batch."""
    packed = {name: pack(settle(network, shape), shape, arguments.target) for name, network in networks.items()}
    best = {}
    for batch in batches:
        X, _ = samples(shape, batch)
        forms = {("packed", name): lambda p=p, X=X: p.codes(X) for name, (p, _) in packed.items()}
        for name, reference in references.items():
            found = reference_forms(reference, shape, batch, arguments.compile)
            forms |= {(name, form): function for form, function in found.items()}
        times = dict.fromkeys(forms, np.inf)
        with torch.inference_mode():
            for _ in range(arguments.rounds):
                for key, form in forms.items():
                    times[key] = min(times[key], 1e3 * seconds_of(form) / batch)
        best[batch] = times
    for batch, times in best.items():
        for name, (_, comparison) in packed.items():
            ours = times["packed", name]
            for reference in references:
                theirs = {form: t for (which, form), t in times.items() if which == reference}
                print(
                    f"{title}, batch {batch:3}: {name} {ours:.4g} ms; {reference} "
                    + ", ".join(f"{form} {t:.4g} ({t / ours:.1f}x)" for form, t in theirs.items())
                    + f"; {comparison.n_differing_bits} of {comparison.n_samples * comparison.bits} bits differ",
                    flush=True,
                )
    for name, (hasher, _) in packed.items():
        times = hasher.profile(samples(shape, 1)[0], 3)
        print(f"  {name}, us alone: " + ", ".join(f"{part} {t:.1f}" for part, t in top(times).items()))


def top(times, n=5):
    """Return the times of the slowest kernels, and of the rest."""
    order = sorted(times, key=times.get, reverse=True)
    return {**{name: times[name] for name in order[:n]}, "rest": sum(times[name] for name in order[n:])}


def measure_nets(arguments):
    """Measure whole image networks."""
    small, large = (3, 32, 32), (3, 224, 224)
    resnets = {"ResNet-18": hashing(ResNet(18)), "ResNet-50": hashing(ResNet(50))}
    networks = {
        "bireal18": hashing(bnn.bireal18()),
        "reactnet18": hashing(bnn.reactnet18()),
        "bireal18, real shortcuts": hashing(bnn.bireal18(shortcut="real")),
    }
    compare("224 px", large, networks, resnets, arguments, arguments.batches)
    for name, network, shape, twin in (
        ("bireal18_32", bnn.bireal18_32(), small, ResNet(18, small_images=True)),
        ("half as wide", bnn.bireal18_32(width=32), small, ResNet(18, width=32, small_images=True)),
        ("vgg_small", bnn.vgg_small(), small, None),
        ("bireal_small", bnn.bireal_small(), small, None),
        ("bireal_tiny", bnn.bireal_tiny(), (1, 28, 28), None),
    ):
        network = hashing(network)
        twin = float_twin(network) if twin is None else hashing(twin)
        compare(f"{shape[1]} px", shape, {name: network}, {"float twin": twin}, arguments, arguments.batches)


def measure_mlp(arguments):
    """Measure networks for features, whose float twins are three linear layers with ReLU."""
    for n_in, width in ((512, 1024), (2048, 2048)):
        body = bnn.binary_mlp(n_in, width=width, depth=1, stem="binary")
        last = bnn.BinaryLinear(width, 64)
        networks = {
            "binary hash layer": nn.Sequential(body, bnn.Sign(), last, nn.BatchNorm1d(64), bnn.Sign()).eval(),
            "real hash layer": hashing(copy.deepcopy(body)),
        }
        layers = (nn.Linear(n_in, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 64))
        twin = {"float": nn.Sequential(*layers).eval()}
        compare(f"{n_in}-{width}-{width}-64", (n_in,), networks, twin, arguments, (1, 32, 256))


def measure_files(arguments):
    """Measure sizes on disk and in memory."""
    resnet = sum(t.numel() * t.element_size() for t in hashing(ResNet(50)).state_dict().values() if t.ndim)
    print(f"ResNet-50 with 64 bits: {resnet:,} bytes of weights")
    for name, network, shape in (
        ("bireal18", bnn.bireal18(), (3, 224, 224)),
        ("bireal18, real shortcuts", bnn.bireal18(shortcut="real"), (3, 224, 224)),
        ("reactnet18", bnn.reactnet18(), (3, 224, 224)),
        ("bireal18_32", bnn.bireal18_32(), (3, 32, 32)),
        ("bireal_small", bnn.bireal_small(), (3, 32, 32)),
    ):
        packed = PackedHasher(bnn.export_network(hashing(network), shape))
        counts = packed.network.count_parameters()
        values = -(-counts["binary"] // 8) + counts["int8"] + 4 * counts["real"]
        with tempfile.TemporaryDirectory() as folder:
            packed.save(f"{folder}/model.skhash")
            size = Path(folder, "model.skhash").stat().st_size
        print(
            f"{name:25} file {size:,} bytes, {size - values:,} more than its numbers, {resnet / size:.1f}x smaller "
            f"than ResNet-50; weights of convolutions in memory {packed.weight_bytes:,} bytes, "
            f"{packed.weight_bytes / size:.2f} of the file"
        )


def measure_threads(arguments):
    """Measure one thread against two by wall-clock time: the other core must be free."""
    for name, network, shape, n in (
        ("bireal18", bnn.bireal18(), (3, 224, 224), 128),
        ("bireal18_32", bnn.bireal18_32(), (3, 32, 32), 512),
    ):
        exported, X = bnn.export_network(hashing(network), shape), samples(shape, n)[0]
        hashers = {n_jobs: PackedHasher(exported, target=arguments.target, n_jobs=n_jobs) for n_jobs in (1, 2)}
        best = dict.fromkeys(hashers, np.inf)
        for _ in range(max(arguments.rounds, 5)):
            for n_jobs, hasher in hashers.items():
                start = time.perf_counter()
                hasher.codes(X)
                best[n_jobs] = min(best[n_jobs], (time.perf_counter() - start) / n)
        print(f"{name}: {1e3 * best[1]:.3f} ms an image, {1e3 * best[2]:.3f} on two threads: {best[1] / best[2]:.2f}x")


PACKED_PROCESS = """
import sys, time
start = time.perf_counter()
import numpy as np
from skhash import load_packed
imported = time.perf_counter()
hasher = load_packed(sys.argv[1])
X = np.zeros((1, *hasher.input_shape), np.uint8)
hasher.codes(X)
done = time.perf_counter()
assert "torch" not in sys.modules
"""
TORCH_PROCESS = """
import pickle, sys, time
start = time.perf_counter()
import torch
torch.set_num_threads(1)
imported = time.perf_counter()
with open(sys.argv[1], "rb") as file:
    network, shape = pickle.load(file)
with torch.inference_mode():
    network(torch.zeros((1, *shape))) >= 0
done = time.perf_counter()
"""
REPORT = """
import json
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
memory = {key: int(status[name].split()[0]) / 1024 for key, name in (("resident", "VmRSS"), ("peak", "VmHWM"))}
print(json.dumps({"import": imported - start, "first": done - imported, **memory}))
"""


def measure_memory(arguments):
    """Measure start-up time and memory of whole processes."""
    shape = (3, 224, 224)
    network = hashing(bnn.bireal18())
    processes = {
        "packed, without torch": PACKED_PROCESS,
        "the same in torch": TORCH_PROCESS,
        "ResNet-50": TORCH_PROCESS,
    }
    with tempfile.TemporaryDirectory() as folder:
        PackedHasher(bnn.export_network(network, shape)).save(f"{folder}/packed, without torch")
        for name, module in (("the same in torch", network), ("ResNet-50", hashing(ResNet(50)))):
            Path(folder, name).write_bytes(pickle.dumps((module, shape)))
        for name, code in processes.items():
            command = [sys.executable, "-c", code + REPORT, f"{folder}/{name}"]
            runs = [json.loads(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(3)]
            least = {key: min(run[key] for run in runs) for key in runs[0]}
            print(
                f"{name:22} import {least['import']:.2f} s, until the first code {least['first']:.2f} s more; resident "
                f"{least['resident']:.0f} MB, at most {least['peak']:.0f} MB"
            )


SECTIONS = {
    "layers": measure_layers,
    "nets": measure_nets,
    "mlp": measure_mlp,
    "threads": measure_threads,
    "files": measure_files,
    "memory": measure_memory,
}


def main():
    """Run the requested sections."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--target", help="kernels of the runtime")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="torch.compile with frozen weights, too")
    arguments = parser.parse_args()

    if arguments.compile and not (shutil.which("g++") or shutil.which("clang++")):
        print("no C++ compiler found: torch.compile is skipped")
        arguments.compile = False
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(
        f"torch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()}), target {arguments.target or 'best'}, "
        f"roof {popcount_roof(arguments.target) / 1e12:.2f} T binary multiply-adds per second"
    )
    for section in arguments.sections:
        start = time.perf_counter()
        print(f"--- {section}", flush=True)
        SECTIONS[section](arguments)
        print(f"--- {section} took {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
