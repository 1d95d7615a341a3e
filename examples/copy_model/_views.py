"""Random changes of gray pictures of 64 x 64 pixels, a batch at a time: what the code must not notice."""

import math

import torch
import torch.nn.functional as F

SIDE = 64
# Relative frequencies of the changes.
KINDS = {
    "crop": 1.3, "resize": 1.2, "jpeg": 0.4, "text": 2.6, "sticker": 4.0, "border": 1.1, "tone": 0.6, "blur": 1.0,
    "mirror": 0.6, "rotate": 1.0, "bars": 1.2, "window": 1.3, "noise": 0.1,
}  # fmt: skip
MORE = 0.15, 0.04  # probabilities of a second and a third change
# Steps of JPEG's luminance (ITU-T T.81, annex K).
STEPS = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""


class Views:
    """Changes of a batch (n, 1, 64, 64) of gray values from 0 to 1.

    Parameters
    ----------
    overlays : dict of str to Tensor
        What `draw_overlays` drew, by kind.
    generator : torch.Generator
        Source of randomness.
    """

    def __init__(self, overlays, generator):
        self.overlays = overlays
        self.generator = generator
        steps = torch.tensor([int(step) for step in STEPS.split()]).view(8, 8)
        k, x = torch.arange(8)[:, None], torch.arange(8)
        cosines = (math.pi * (2 * x + 1) * k / 16).cos() / 2
        cosines[0] /= math.sqrt(2)
        self.steps, self.cosines = steps.float(), cosines

    def __call__(self, images):
        n = len(images)
        order = torch.multinomial(torch.tensor(list(KINDS.values())).expand(n, -1), 3, generator=self.generator)
        chosen = F.one_hot(order[:, 0], len(KINDS)).bool()
        more = self._rand(n)
        for number, probability in enumerate(MORE, start=1):
            chosen |= F.one_hot(order[:, number], len(KINDS)).bool() & (more < probability)[:, None]
        masks = dict(zip(KINDS, chosen.T, strict=True))
        images = self._move(images.clone(), masks)
        for kind in ("text", "sticker"):
            self._lay_over(images, kind, masks[kind])
        for row in torch.nonzero(masks["window"])[:, 0].tolist():
            self._draw_title(images[row, 0])
        self._draw_bars(images, masks["bars"])
        self._change_tone(images, masks["tone"])
        return self._lose_quality(images, masks)

    def _rand(self, *shape):
        return torch.rand(*shape, generator=self.generator)

    def _uniform(self, n, low, high):
        return (low + (high - low) * self._rand(n))[:, None, None, None]

    def _colors(self, n):
        color, kind = self._rand(n), self._rand(n)
        return torch.where(kind < 0.35, 0.0, torch.where(kind < 0.7, 1.0, color))[:, None, None, None]

    def _move(self, images, masks):
        """Crop, surround, mirror and rotate: one affine map."""
        n, one = len(images), torch.ones(2, len(images))
        area, ratio = 0.22 + 0.68 * self._rand(n), ((self._rand(n) * 2 - 1) * 0.25).exp()
        crop = torch.stack([(area * ratio).sqrt(), (area / ratio).sqrt()]).clamp(max=1)
        border = self._rand(2, n) ** 1.3 * 0.3
        border = torch.where(self._rand(n) < 0.6, border[:1], border)
        window = torch.stack([1 + 0.25 * self._rand(n), 1.06 + 0.32 * self._rand(n)])
        scale = torch.where(masks["border"], 1 / (1 - 1.56 * border), one)
        scale = torch.where(masks["window"], scale * window, scale)
        scale = torch.where(masks["crop"], scale * crop, scale)
        slack, centered = (1 - scale).abs(), masks["border"] & (self._rand(n) < 0.7) & ~masks["crop"]
        shift = (self._rand(2, n) * 2 - 1) * slack * torch.where(centered, 0.0, 1.0)
        plain = masks["window"] & ~masks["crop"] & ~masks["border"]
        shift[1] = torch.where(plain, -slack[1] * (0.2 + 0.8 * self._rand(n)), shift[1])  # the title is at the top
        shift[0] = torch.where(plain, 0.0, shift[0])
        angle = (self._rand(n) * 2 - 1) * math.radians(18) * masks["rotate"]
        sign, aspect = 1 - 2 * masks["mirror"].float(), ((self._rand(n) * 2 - 1) * 0.3).exp()
        cos, sin = angle.cos(), angle.sin()
        across = [sign * cos * scale[0], -sign * sin / aspect * scale[1], sign * shift[0]]
        down = [sin * aspect * scale[0], cos * scale[1], shift[1]]
        theta = torch.stack([torch.stack(across, 1), torch.stack(down, 1)], 1)
        rows = torch.nonzero(masks["border"] | masks["window"] | masks["crop"] | masks["rotate"] | masks["mirror"])[
            :, 0
        ]
        grid = F.affine_grid(theta[rows], [len(rows), 1, SIDE, SIDE], align_corners=False)
        moved = F.grid_sample(images[rows], grid, padding_mode="border", align_corners=False)
        inside = ((1 - grid.abs()) * SIDE / 2 + 0.5).clamp(0, 1).prod(3)[:, None]
        images[rows] = torch.lerp(self._colors(len(rows)), moved, inside)
        return images

    def _lay_over(self, images, kind, mask):
        drawn = self.overlays[kind]
        rows = torch.nonzero(mask)[:, 0]
        overlays = drawn[torch.randint(len(drawn), (len(rows),), generator=self.generator)].float() / 255
        images[rows] = images[rows] * (1 - overlays[:, 1:]) + overlays[:, :1]

    def _draw_title(self, image):
        """Draw the title of a window, perhaps with something like letters in it."""
        height, dark, shade, length = 2 + int(self._rand(1) * 9), *self._rand(3).tolist()
        image[:height] = (0.15 if dark < 0.5 else 0.8) + 0.2 * shade
        if self._rand(1) < 0.6:
            width, rows = int(SIDE * (0.2 + 0.6 * length)), max(height // 2, 1)
            region = image[height // 4 : height // 4 + rows, 2 : 2 + width]
            region[self._rand(rows, width) < 0.5] = 0.5

    def _draw_bars(self, images, mask):
        rows = torch.nonzero(mask)[:, 0]
        n, place = len(rows), torch.arange(SIDE) + 0.5
        views, turned = images[rows], self._rand(n) < 0.45
        views[turned] = views[turned].transpose(2, 3)
        width, both, first = SIDE * (0.03 + 0.2 * self._rand(n)), self._rand(n) < 0.7, self._rand(n) < 0.5
        top = torch.where(both, width, torch.where(first, 1.5 * width, 0.0))
        bottom = torch.where(both, width, torch.where(first, 0.0, 1.5 * width))
        cover = torch.maximum(top[:, None] - place, bottom[:, None] - (SIDE - place)).add(0.5).clamp(0, 1)
        views = torch.lerp(views, self._colors(n), cover[:, None, :, None].expand_as(views))
        views[turned] = views[turned].transpose(2, 3)
        images[rows] = views

    def _change_tone(self, images, mask):
        rows = torch.nonzero(mask)[:, 0]
        n = len(rows)
        if n:
            views = images[rows]
            factor = self._rand(1) < 0.7
            views = views * self._uniform(n, 0.35, 1.7) if factor else views + self._uniform(n, -0.3, 0.3)
            views = views.clamp(0, 1)
            mean = views.mean((2, 3), keepdim=True)
            views = (mean + (views - mean) * self._uniform(n, 0.35, 1.7)).clamp(0, 1)
            images[rows] = views.pow(self._uniform(n, -0.5, 0.5).exp())

    def _lose_quality(self, images, masks):
        """Blur, resize, compress and add noise."""
        rows = torch.nonzero(masks["blur"])[:, 0]
        if len(rows):
            images[rows] = self._blur(images[rows])
        for part in torch.nonzero(masks["resize"])[:, 0].chunk(4):
            if len(part):
                images[part] = self._resize(images[part])
        often = masks["window"] & (self._rand(len(images)) < 0.6)
        rows = torch.nonzero(masks["jpeg"] | often | (self._rand(len(images)) < 0.12))[:, 0]
        if len(rows):
            images[rows] = self._compress(images[rows]).clamp(0, 1)
        rows = torch.nonzero(masks["noise"])[:, 0]
        noise = torch.randn((len(rows), 1, SIDE, SIDE), generator=self.generator) * self._uniform(len(rows), 0, 0.1)
        images[rows] = (images[rows] + noise).clamp(0, 1)
        return images

    def _blur(self, images):
        sigma = self._uniform(len(images), 0.4, 3.0)[:, :, 0]
        kernel = (-(torch.arange(-6, 7) ** 2) / (2 * sigma**2)).exp()
        kernel = kernel / kernel.sum(2, keepdim=True)
        stacked = F.pad(images.transpose(0, 1), (6, 6, 6, 6), mode="reflect")
        for shape in ((1, 13), (13, 1)):
            stacked = F.conv2d(stacked, kernel.view(-1, 1, *shape), groups=len(images))
        return stacked.transpose(0, 1)

    def _resize(self, images):
        height = int((0.1 + 0.5 * self._rand(1).item()) * SIDE)
        width = max(int(height * math.exp((self._rand(1).item() - 0.5) * 1.2)), 6)
        small = F.interpolate(images, (height, min(width, SIDE)), mode="area")
        mode = ("bilinear", "bicubic", "nearest")[int(self._rand(1) * 3)]
        return F.interpolate(small, (SIDE, SIDE), mode=mode).clamp(0, 1)

    def _compress(self, images):
        """Round the cosine transform of blocks, as JPEG does at a quality from 15 to 85."""
        n = len(images)
        quality = self._uniform(n, 15, 85)[..., None, None]
        percent = torch.where(quality < 50, 5000 / quality, 200 - 2 * quality)
        steps = (self.steps * percent / 100).clamp(1, 255) / 255
        blocks = images.view(n, 1, 8, 8, 8, 8).transpose(3, 4) - 0.5
        rounded = (self.cosines @ blocks @ self.cosines.T / steps).round() * steps
        return (self.cosines.T @ rounded @ self.cosines + 0.5).transpose(3, 4).reshape(n, 1, SIDE, SIDE)
