from ._score import Score as Score
from .codes._bit_balance import bit_balance as bit_balance
from .codes._bit_correlation import bit_correlation as bit_correlation
from .codes._center_orthogonality import center_orthogonality as center_orthogonality
from .codes._code_entropy import bit_entropy as bit_entropy
from .codes._code_entropy import code_entropy as code_entropy
from .codes._code_statistics import CodeStatistics as CodeStatistics
from .codes._code_statistics import code_statistics as code_statistics
from .codes._collision_rate import collision_rate as collision_rate
from .codes._distance_histograms import DistanceHistograms as DistanceHistograms
from .codes._distance_histograms import distance_histograms as distance_histograms
from .codes._distance_histograms import separability as separability
from .codes._lower_bound_ratio import lower_bound_ratio as lower_bound_ratio
from .codes._quantization_error import quantization_error as quantization_error
from .displays._bit_balance import BitBalanceDisplay as BitBalanceDisplay
from .displays._code_embedding import CodeEmbeddingDisplay as CodeEmbeddingDisplay
from .displays._distance_histogram import DistanceHistogramDisplay as DistanceHistogramDisplay
from .displays._map_against_lower_bound import MapAgainstLowerBoundDisplay as MapAgainstLowerBoundDisplay
from .displays._precision_at_k import PrecisionAtKDisplay as PrecisionAtKDisplay
from .displays._precision_recall import RetrievalPrecisionRecallDisplay as RetrievalPrecisionRecallDisplay
from .displays._retrieved_images import RetrievedImagesDisplay as RetrievedImagesDisplay
from .displays._training_history import TrainingHistoryDisplay as TrainingHistoryDisplay
from .ranking._at_k import precision_at_k as precision_at_k
from .ranking._at_k import recall_at_k as recall_at_k
from .ranking._average_precision import average_precision as average_precision
from .ranking._curves import RetrievalCurve as RetrievalCurve
from .ranking._curves import precision_recall_by_radius as precision_recall_by_radius
from .ranking._curves import precision_recall_by_rank as precision_recall_by_rank
from .ranking._knn_recall import knn_recall as knn_recall
from .ranking._mean_average_precision import mean_average_precision as mean_average_precision
from .ranking._ndcg import ndcg as ndcg
from .ranking._protocols import RANKING_PROTOCOLS as RANKING_PROTOCOLS
from .ranking._protocols import RankingProtocol as RankingProtocol
from .ranking._radius import precision_within_radius as precision_within_radius
from .ranking._radius import recall_within_radius as recall_within_radius
from .ranking._recognition import knn_accuracy as knn_accuracy
from .ranking._retrieval_scores import retrieval_scores as retrieval_scores
from .ranking._revisited import RevisitedScores as RevisitedScores
from .ranking._revisited import gldv2_map as gldv2_map
from .ranking._revisited import revisited_average_precision as revisited_average_precision
from .ranking._revisited import revisited_map as revisited_map
from .scoring._code_scorer import make_code_scorer as make_code_scorer
from .scoring._scorers import make_map_scorer as make_map_scorer
from .scoring._scorers import make_retrieval_scorer as make_retrieval_scorer

__all__ = [
    "BitBalanceDisplay",
    "CodeEmbeddingDisplay",
    "CodeStatistics",
    "DistanceHistogramDisplay",
    "DistanceHistograms",
    "MapAgainstLowerBoundDisplay",
    "PrecisionAtKDisplay",
    "RANKING_PROTOCOLS",
    "RankingProtocol",
    "RetrievalCurve",
    "RetrievalPrecisionRecallDisplay",
    "RetrievedImagesDisplay",
    "RevisitedScores",
    "Score",
    "TrainingHistoryDisplay",
    "average_precision",
    "bit_balance",
    "bit_correlation",
    "bit_entropy",
    "center_orthogonality",
    "code_entropy",
    "code_statistics",
    "collision_rate",
    "distance_histograms",
    "gldv2_map",
    "knn_accuracy",
    "knn_recall",
    "lower_bound_ratio",
    "make_code_scorer",
    "make_map_scorer",
    "make_retrieval_scorer",
    "mean_average_precision",
    "ndcg",
    "precision_at_k",
    "precision_recall_by_radius",
    "precision_recall_by_rank",
    "precision_within_radius",
    "quantization_error",
    "recall_at_k",
    "recall_within_radius",
    "retrieval_scores",
    "revisited_average_precision",
    "revisited_map",
    "separability",
]
