from ._card import make_card as make_card
from ._hub import from_pretrained as from_pretrained
from ._hub import push_to_hub as push_to_hub
from ._hub import save_pretrained as save_pretrained

__all__ = ["from_pretrained", "make_card", "push_to_hub", "save_pretrained"]
