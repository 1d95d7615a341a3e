from ._bit_slices import SLICE as SLICE
from ._bit_slices import add_up as add_up
from ._bit_slices import make_choices as make_choices
from ._bit_slices import make_table as make_table
from ._bit_slices import n_triples as n_triples
from ._bit_slices import new_slices as new_slices
from ._block_code import BLOCK as BLOCK
from ._block_code import BlockCode as BlockCode
from ._block_code import block_code as block_code
from ._block_code import measure_code as measure_code
from ._block_code import member_code as member_code
from ._blocks import append_hits as append_hits
from ._blocks import append_members as append_members
from ._blocks import append_tile as append_tile
from ._blocks import below_bits as below_bits
from ._blocks import count_below as count_below
from ._blocks import fill_tile as fill_tile
from ._blocks import filter_rows as filter_rows
from ._blocks import filter_tile as filter_tile
from ._blocks import mask_bits as mask_bits
from ._blocks import measure_rows as measure_rows
from ._blocks import prefetch as prefetch
from ._blocks import rows_view as rows_view
from ._checksum import crc32 as crc32
from ._compile import is_compiled as is_compiled
from ._compile import kernel as kernel
from ._distance_counter import DistanceCounter as DistanceCounter
from ._lanes import LANES as LANES
from ._lanes import add_differing as add_differing
from ._lanes import below as below
from ._lanes import lanes_type as lanes_type
from ._lanes import load as load
from ._lanes import popcount as popcount
from ._lanes import smaller as smaller
from ._lanes import splat as splat
from ._lanes import store as store
from ._lanes import trailing_zeros as trailing_zeros
from ._lanes import view as view
from ._packing import pack_plain as pack_plain
from ._row_code import pattern_length as pattern_length
from ._running_counts import tabulate_values as tabulate_values
from ._score_code import N_CONSTANTS as N_CONSTANTS
from ._score_code import BitRun as BitRun
from ._score_code import Field as Field
from ._score_code import RecordForm as RecordForm
from ._score_code import append_scored as append_scored
from ._score_code import score_code as score_code
from ._score_code import score_distances as score_distances
from ._signs import SignProjection as SignProjection
from ._slice_values import tabulate_slices as tabulate_slices

__all__ = [
    "BLOCK",
    "BitRun",
    "BlockCode",
    "DistanceCounter",
    "Field",
    "LANES",
    "N_CONSTANTS",
    "RecordForm",
    "SLICE",
    "SignProjection",
    "add_differing",
    "add_up",
    "append_hits",
    "append_members",
    "append_scored",
    "append_tile",
    "below",
    "below_bits",
    "block_code",
    "count_below",
    "crc32",
    "fill_tile",
    "filter_rows",
    "filter_tile",
    "is_compiled",
    "kernel",
    "lanes_type",
    "load",
    "make_choices",
    "make_table",
    "mask_bits",
    "measure_code",
    "measure_rows",
    "member_code",
    "n_triples",
    "new_slices",
    "pack_plain",
    "pattern_length",
    "popcount",
    "prefetch",
    "rows_view",
    "score_code",
    "score_distances",
    "smaller",
    "splat",
    "store",
    "tabulate_slices",
    "tabulate_values",
    "trailing_zeros",
    "view",
]
