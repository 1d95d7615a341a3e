"""How good retrievals and codes are: metrics that say their definition, statistics, scorers and Displays."""

from skhash.utils import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "._at_k": ["precision_at_k", "recall_at_k"],
        "._average_precision": ["average_precision"],
        "._bit_balance": ["bit_balance"],
        "._bit_balance_display": ["BitBalanceDisplay"],
        "._bit_correlation": ["bit_correlation"],
        "._center_orthogonality": ["center_orthogonality"],
        "._code_embedding_display": ["CodeEmbeddingDisplay"],
        "._code_entropy": ["bit_entropy", "code_entropy"],
        "._code_scorer": ["make_code_scorer"],
        "._code_statistics": ["CodeStatistics", "code_statistics"],
        "._collision_rate": ["collision_rate"],
        "._curves": ["RetrievalCurve", "precision_recall_by_radius", "precision_recall_by_rank"],
        "._distance_histogram_display": ["DistanceHistogramDisplay"],
        "._distance_histograms": ["DistanceHistograms", "distance_histograms", "separability"],
        "._lower_bound_ratio": ["lower_bound_ratio"],
        "._map_against_lower_bound_display": ["MapAgainstLowerBoundDisplay"],
        "._mean_average_precision": ["mean_average_precision"],
        "._ndcg": ["ndcg"],
        "._precision_at_k_display": ["PrecisionAtKDisplay"],
        "._precision_recall_display": ["RetrievalPrecisionRecallDisplay"],
        "._protocols": ["RANKING_PROTOCOLS", "RankingProtocol"],
        "._quantization_error": ["quantization_error"],
        "._radius": ["precision_within_radius", "recall_within_radius"],
        "._recognition": ["knn_accuracy"],
        "._retrieved_images_display": ["RetrievedImagesDisplay"],
        "._revisited": ["RevisitedScores", "gldv2_map", "revisited_average_precision", "revisited_map"],
        "._retrieval_scores": ["retrieval_scores"],
        "._score": ["Score"],
        "._scorers": ["make_map_scorer", "make_retrieval_scorer"],
        "._training_history_display": ["TrainingHistoryDisplay"],
    },
)
