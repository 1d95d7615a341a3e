from ._ce import CELoss as CELoss
from ._center_targets import center_targets as center_targets
from ._cib import CIBLoss as CIBLoss
from ._cib import bernoulli_divergence as bernoulli_divergence
from ._cib import cib_loss as cib_loss
from ._classification import imbalanced_binary_cross_entropy as imbalanced_binary_cross_entropy
from ._classification import soft_cross_entropy as soft_cross_entropy
from ._classification import to_multi_hot as to_multi_hot
from ._copy import CopyLoss as CopyLoss
from ._copy import copy_loss as copy_loss
from ._copy import koleo_loss as koleo_loss
from ._csq import CSQLoss as CSQLoss
from ._csq import csq_loss as csq_loss
from ._dbdh import DBDHLoss as DBDHLoss
from ._dbdh import dbdh_loss as dbdh_loss
from ._dch import DCHLoss as DCHLoss
from ._dch import dch_loss as dch_loss
from ._dpn import DPNLoss as DPNLoss
from ._dpn import dpn_loss as dpn_loss
from ._dpsh import dpsh_loss as dpsh_loss
from ._dsdh import DSDHLoss as DSDHLoss
from ._dsdh import dsdh_classifier as dsdh_classifier
from ._dsdh import dsdh_codes as dsdh_codes
from ._dsdh import dsdh_loss as dsdh_loss
from ._dtsh import DTSHLoss as DTSHLoss
from ._dtsh import dtsh_loss as dtsh_loss
from ._greedy import GreedyHashLoss as GreedyHashLoss
from ._greedy import GreedySimilarityLoss as GreedySimilarityLoss
from ._greedy import greedy_hash_loss as greedy_hash_loss
from ._greedy import greedy_penalty as greedy_penalty
from ._greedy import greedy_similarity_loss as greedy_similarity_loss
from ._hashnet import HashNetLoss as HashNetLoss
from ._hashnet import hashnet_beta as hashnet_beta
from ._hashnet import hashnet_loss as hashnet_loss
from ._jmlh import JMLHLoss as JMLHLoss
from ._jmlh import bernoulli_codes as bernoulli_codes
from ._jmlh import jmlh_loss as jmlh_loss
from ._neighborhood import neighborhood_loss as neighborhood_loss
from ._ntxent import nt_xent_loss as nt_xent_loss
from ._odh import aggregation_loss as aggregation_loss
from ._odh import class_aggregation_loss as class_aggregation_loss
from ._odh import hash_center_loss as hash_center_loss
from ._one_bit import ClassEmbeddings as ClassEmbeddings
from ._one_bit import OneBitLoss as OneBitLoss
from ._ortho import OrthoLoss as OrthoLoss
from ._ortho import label_log_odds as label_log_odds
from ._ortho import margin_logits as margin_logits
from ._ortho import ortho_loss as ortho_loss
from ._pairing import Pairing as Pairing
from ._pairing import PairMemory as PairMemory
from ._pairs import pair_likelihood_loss as pair_likelihood_loss
from ._pairs import pair_mean as pair_mean
from ._pairs import share_label as share_label
from ._quantization import cosine_quantization_loss as cosine_quantization_loss
from ._sdc import SDCLoss as SDCLoss
from ._sdc import sdc_loss as sdc_loss
from ._sdc import sdc_targets as sdc_targets
from ._sdhc import SDHCLoss as SDHCLoss
from ._sdhc import sdhc_loss as sdhc_loss
from ._semantic_centers import CENTER_SAMPLING as CENTER_SAMPLING
from ._semantic_centers import SemanticCenters as SemanticCenters
from ._similarity import SimilarityLoss as SimilarityLoss
from ._similarity import half_cosines as half_cosines
from ._similarity import similarity_loss as similarity_loss
from ._ssdh import SSDHLoss as SSDHLoss
from ._ssdh import ssdh_loss as ssdh_loss
from ._ssdh import ssdh_similarity as ssdh_similarity
from ._ssdh import ssdh_thresholds as ssdh_thresholds
from ._surrogate import PosteriorSurrogate as PosteriorSurrogate
from ._tbh import TBHLoss as TBHLoss
from ._tbh import adversarial_loss as adversarial_loss
from ._tbh import code_adjacency as code_adjacency
from ._tbh import graph_mean as graph_mean

__all__ = [
    "CELoss",
    "CENTER_SAMPLING",
    "CIBLoss",
    "CSQLoss",
    "ClassEmbeddings",
    "CopyLoss",
    "DBDHLoss",
    "DCHLoss",
    "DPNLoss",
    "DSDHLoss",
    "DTSHLoss",
    "GreedyHashLoss",
    "GreedySimilarityLoss",
    "HashNetLoss",
    "JMLHLoss",
    "OneBitLoss",
    "OrthoLoss",
    "PairMemory",
    "Pairing",
    "PosteriorSurrogate",
    "SDCLoss",
    "SDHCLoss",
    "SSDHLoss",
    "SemanticCenters",
    "SimilarityLoss",
    "TBHLoss",
    "adversarial_loss",
    "aggregation_loss",
    "bernoulli_codes",
    "bernoulli_divergence",
    "center_targets",
    "cib_loss",
    "class_aggregation_loss",
    "code_adjacency",
    "copy_loss",
    "cosine_quantization_loss",
    "csq_loss",
    "dbdh_loss",
    "dch_loss",
    "dpn_loss",
    "dpsh_loss",
    "dsdh_classifier",
    "dsdh_codes",
    "dsdh_loss",
    "dtsh_loss",
    "graph_mean",
    "greedy_hash_loss",
    "greedy_penalty",
    "greedy_similarity_loss",
    "half_cosines",
    "hash_center_loss",
    "hashnet_beta",
    "hashnet_loss",
    "imbalanced_binary_cross_entropy",
    "jmlh_loss",
    "koleo_loss",
    "label_log_odds",
    "margin_logits",
    "neighborhood_loss",
    "nt_xent_loss",
    "ortho_loss",
    "pair_likelihood_loss",
    "pair_mean",
    "sdc_loss",
    "sdc_targets",
    "sdhc_loss",
    "share_label",
    "similarity_loss",
    "soft_cross_entropy",
    "ssdh_loss",
    "ssdh_similarity",
    "ssdh_thresholds",
    "to_multi_hot",
]
