"""How good retrievals and codes are: metrics that say their definition, statistics, scorers and Displays."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        ".ranking._at_k": ["precision_at_k", "recall_at_k"],
        ".ranking._average_precision": ["average_precision"],
        ".codes._bit_balance": ["bit_balance"],
        ".displays._bit_balance": ["BitBalanceDisplay"],
        ".codes._bit_correlation": ["bit_correlation"],
        ".codes._center_orthogonality": ["center_orthogonality"],
        ".displays._code_embedding": ["CodeEmbeddingDisplay"],
        ".codes._code_entropy": ["bit_entropy", "code_entropy"],
        ".scoring._code_scorer": ["make_code_scorer"],
        ".codes._code_statistics": ["CodeStatistics", "code_statistics"],
        ".codes._collision_rate": ["collision_rate"],
        ".ranking._curves": ["RetrievalCurve", "precision_recall_by_radius", "precision_recall_by_rank"],
        ".displays._distance_histogram": ["DistanceHistogramDisplay"],
        ".codes._distance_histograms": ["DistanceHistograms", "distance_histograms", "separability"],
        ".codes._lower_bound_ratio": ["lower_bound_ratio"],
        ".displays._map_against_lower_bound": ["MapAgainstLowerBoundDisplay"],
        ".ranking._mean_average_precision": ["mean_average_precision"],
        ".ranking._ndcg": ["ndcg"],
        ".displays._precision_at_k": ["PrecisionAtKDisplay"],
        ".displays._precision_recall": ["RetrievalPrecisionRecallDisplay"],
        ".ranking._protocols": ["RANKING_PROTOCOLS", "RankingProtocol"],
        ".codes._quantization_error": ["quantization_error"],
        ".ranking._radius": ["precision_within_radius", "recall_within_radius"],
        ".ranking._recognition": ["knn_accuracy"],
        ".displays._retrieved_images": ["RetrievedImagesDisplay"],
        ".ranking._revisited": ["RevisitedScores", "gldv2_map", "revisited_average_precision", "revisited_map"],
        ".ranking._retrieval_scores": ["retrieval_scores"],
        "._score": ["Score"],
        ".scoring._scorers": ["make_map_scorer", "make_retrieval_scorer"],
        ".displays._training_history": ["TrainingHistoryDisplay"],
    },
)
