"""Losses as pure functions and thin modules: tensors in, a scalar out, usable without any estimator."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._ce": ["CELoss"],
        "._center_targets": ["center_targets"],
        "._cib": ["CIBLoss", "bernoulli_divergence", "cib_loss"],
        "._classification": ["imbalanced_binary_cross_entropy", "soft_cross_entropy", "to_multi_hot"],
        "._csq": ["CSQLoss", "csq_loss"],
        "._dbdh": ["DBDHLoss", "dbdh_loss"],
        "._dch": ["DCHLoss", "dch_loss"],
        "._dpn": ["DPNLoss", "dpn_loss"],
        "._dpsh": ["dpsh_loss"],
        "._dsdh": ["DSDHLoss", "dsdh_classifier", "dsdh_codes", "dsdh_loss"],
        "._dtsh": ["DTSHLoss", "dtsh_loss"],
        "._greedy": [
            "GreedyHashLoss",
            "GreedySimilarityLoss",
            "greedy_hash_loss",
            "greedy_penalty",
            "greedy_similarity_loss",
        ],
        "._hashnet": ["HashNetLoss", "hashnet_beta", "hashnet_loss"],
        "._jmlh": ["JMLHLoss", "bernoulli_codes", "jmlh_loss"],
        "._odh": ["aggregation_loss", "class_aggregation_loss", "hash_center_loss"],
        "._one_bit": ["ClassEmbeddings", "OneBitLoss"],
        "._ntxent": ["nt_xent_loss"],
        "._ortho": ["OrthoLoss", "margin_logits", "ortho_loss"],
        "._pairing": ["PairMemory", "Pairing"],
        "._pairs": ["pair_likelihood_loss", "pair_mean", "share_label"],
        "._quantization": ["cosine_quantization_loss"],
        "._sdc": ["SDCLoss", "sdc_loss", "sdc_targets"],
        "._sdhc": ["SDHCLoss", "sdhc_loss"],
        "._semantic_centers": ["CENTER_SAMPLING", "SemanticCenters"],
        "._ssdh": ["SSDHLoss", "ssdh_loss", "ssdh_similarity", "ssdh_thresholds"],
        "._similarity": ["SimilarityLoss", "half_cosines", "similarity_loss"],
        "._surrogate": ["PosteriorSurrogate"],
        "._tbh": ["TBHLoss", "adversarial_loss", "code_adjacency", "graph_mean"],
    },
)
