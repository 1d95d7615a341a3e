"""Random networks of every kind of operation, and inputs for them."""

import numpy as np
import pytest

from skhash import runtime as rt


class NetworkMaker:
    """Draws operations that fit the values so far."""

    def __init__(self, seed, features=None, channels=(1, 3, 8, 31, 32, 40, 64)):
        self.rng = np.random.default_rng(seed)
        self.channels = channels
        side = self.rng.integers(5, 12, size=2)
        self.shape = (features,) if features else (*side.tolist(), int(self.rng.choice((1, 3, 4))))
        self.operations = []

    def build(self, n_blocks, bits=20):
        value = self.stem()
        for _ in range(n_blocks):
            value = getattr(self, self.rng.choice(["residual", "react", "preactivated", "pooled", "widened", "plain"]))(
                value
            )
        if len(self.shape) == 3:
            value = self.add(rt.GlobalAvgPool(value))
        head = self.rng.choice(["real", "binary"])
        if head == "real":
            value = self.affine(
                self.add(rt.RealConv(value, self.rng.normal(size=(bits, 1, 1, self.map(value).channels))))
            )
            return rt.Network(self.shape, self.operations)
        self.sign(self.affine(self.conv(self.sign(value), bits, 1)))
        return rt.Network(self.shape, self.operations)

    def map(self, value):
        if value == 0:
            return rt.Map("pixels", *self.shape) if len(self.shape) == 3 else rt.Map("real", 1, 1, *self.shape)
        maps = [self.map(0)]
        for operation in self.operations:
            maps.append(operation.result(*(maps[source] for source in operation.sources)))
        return maps[value]

    def add(self, operation):
        self.operations.append(operation)
        return len(self.operations)

    def width(self):
        return int(self.rng.choice(self.channels))

    def affine(self, value):
        map_ = self.map(value)
        scale = self.rng.normal(size=map_.channels) * (0.3 if map_.kind == "real" else 0.1)
        scale[self.rng.random(map_.channels) < 0.1] = 0
        offset = self.rng.normal(size=map_.channels)
        offset[self.rng.random(map_.channels) < 0.2] = 0
        if self.rng.integers(4) == 0:
            return self.add(rt.Affine(value, scale))
        return self.add(rt.Affine(value, scale, offset, bool(self.rng.integers(2))))

    def sign(self, value):
        threshold = self.rng.normal(size=self.map(value).channels) if self.rng.integers(2) else None
        return self.add(rt.Sign(value, threshold))

    def conv(self, value, channels, kernel=None, stride=1):
        map_ = self.map(value)
        kernel = kernel or int(self.rng.choice((1, 3, 5))) if len(self.shape) == 3 else 1
        weight = self.rng.choice([-1, 1], size=(channels, kernel, kernel, map_.channels))
        mode = str(self.rng.choice(["zero", "minus", "plus"]))
        return self.add(rt.BinaryConv.from_signs(value, weight, stride=stride, padding=kernel // 2, padding_value=mode))

    def stem(self):
        channels = self.width()
        if len(self.shape) == 1:
            if self.rng.integers(2):
                return 0
            return self.affine(self.add(rt.RealConv(0, self.rng.normal(size=(channels, 1, 1, *self.shape)))))
        shape = (channels, 3, 3, self.shape[2])
        if self.rng.integers(3):
            value = self.add(rt.Int8Conv(0, self.rng.integers(-128, 128, size=shape), int(self.rng.integers(1, 3)), 1))
            scale = self.rng.normal(size=channels) * 1e-3
            value = self.add(rt.Affine(value, scale, self.rng.normal(size=channels)))
        else:
            value = self.add(rt.Lookup(0, self.rng.normal(size=(self.shape[2], 256))))
            value = self.affine(self.add(rt.RealConv(value, self.rng.normal(size=shape) * 0.2, 1, 1)))
        if self.rng.integers(2) and min(self.map(value).height, self.map(value).width) > 3:
            value = self.add(rt.MaxPool(value, (3, 3), 2, 1))
        return value

    def residual(self, value):
        channels = self.map(value).channels
        return self.add(rt.Add((self.affine(self.conv(self.sign(value), channels)), value)))

    def react(self, value):
        value = self.residual(value)
        channels = self.map(value).channels
        return self.add(rt.RPReLU(value, *self.rng.normal(size=(3, channels))))

    def preactivated(self, value):
        channels = self.map(value).channels
        return self.add(rt.Add((value, self.affine(self.conv(self.sign(self.affine(value)), channels)))))

    def plain(self, value):
        value = self.conv(self.sign(value), self.width())
        for _ in range(int(self.rng.integers(3))):
            value = self.affine(value)
            value = self.add(rt.Clip(value)) if self.rng.integers(2) else self.affine(value)
            value = self.conv(self.sign(value), self.width())
        return self.add(rt.Clip(self.affine(value)))

    def pooled(self, value):
        value = self.conv(self.sign(value), self.width())
        if self.rng.integers(2):
            value = self.affine(value)
        map_ = self.map(value)
        if len(self.shape) == 3 and min(map_.height, map_.width) >= 2:
            value = self.add(rt.MaxPool(value))
        for _ in range(int(self.rng.integers(3))):
            value = self.affine(value)
        value = self.sign(value)
        if self.rng.integers(2):
            value = self.sign(self.affine(self.add(rt.SignsToReal(value))))
        return self.affine(self.conv(value, self.width()))

    def widened(self, value):
        map_ = self.map(value)
        stride, shortcut = 1, value
        signs = self.sign(value)
        if len(self.shape) == 3 and min(map_.height, map_.width) >= 2:
            stride, shortcut = 2, self.add(rt.AvgPool(value, partial=True))
        shortcut = self.add(rt.Concat((shortcut, shortcut)))
        value = self.affine(self.conv(signs, 2 * map_.channels, 3, stride))
        return self.add(rt.Add((value, shortcut)))


@pytest.fixture(scope="session")
def make_network():
    """Draw a network: `make_network(seed, n_blocks, features)`; features None is for images."""

    def make(seed, n_blocks=3, features=None):
        return NetworkMaker(seed, features).build(n_blocks)

    return make


@pytest.fixture(scope="session")
def make_input():
    """Draw inputs of a network, with whole numbers among them, so that sums meet thresholds exactly."""

    def make(network, n, seed=0):
        rng = np.random.default_rng(seed)
        if network.takes_images:
            return rng.integers(0, 256, size=(n, *network.input_shape), dtype=np.uint8)
        return np.round(rng.normal(size=(n, *network.input_shape)) * 4).astype(np.float32) / 2

    return make
