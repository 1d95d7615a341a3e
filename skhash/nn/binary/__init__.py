"""Networks whose weights and activations are single bits, trained through latent real weights."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._activations": ["RPReLU", "RSign", "Sign"],
        "._bilinear": ["BilinearRule"],
        "._export": ["export_network"],
        "._large_images": ["bireal18", "irnet18", "reactnet18", "recu34", "xnor_resnet18", "xnor_resnet50"],
        "._layers": ["BinaryConv2d", "BinaryLinear"],
        "._mlp": ["BinaryMLP", "binary_mlp"],
        "._quantizers": ["binary_sign"],
        "._registry": ["BINARY_BACKBONES", "BinaryBackbone"],
        "._resnet": ["BinaryResNet"],
        "._rules": ["RULES", "Rule"],
        "._small_images": ["bireal18_32", "bireal_small", "bireal_tiny"],
        "._standardized_rules": ["IRNetRule", "ReCURule"],
        "._stem": ["Int8Stem"],
        "._training": ["binarize_weights_", "clip_latent_weights_", "set_progress_"],
        "._vgg": ["BinaryVGG", "vgg_small"],
        "._weight_rules": ["BiRealRule", "WeightRule", "XNORRule"],
    },
)
