from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ScoreKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCORE_KIND_UNSPECIFIED: _ClassVar[ScoreKind]
    SCORE_KIND_RATING: _ClassVar[ScoreKind]
    SCORE_KIND_PREFERENCE: _ClassVar[ScoreKind]
    SCORE_KIND_POPULARITY: _ClassVar[ScoreKind]
    SCORE_KIND_WEIGHTED: _ClassVar[ScoreKind]
SCORE_KIND_UNSPECIFIED: ScoreKind
SCORE_KIND_RATING: ScoreKind
SCORE_KIND_PREFERENCE: ScoreKind
SCORE_KIND_POPULARITY: ScoreKind
SCORE_KIND_WEIGHTED: ScoreKind

class ScoredItem(_message.Message):
    __slots__ = ("item_id", "score", "title")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    score: float
    title: str
    def __init__(self, item_id: _Optional[str] = ..., score: _Optional[float] = ..., title: _Optional[str] = ...) -> None: ...

class RecommendRequest(_message.Message):
    __slots__ = ("user_id", "k", "include_seen", "exclude_item_ids", "only_item_ids", "any_tags", "no_tags", "item_bias_weight", "popular_if_unknown")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_SEEN_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    ONLY_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    ANY_TAGS_FIELD_NUMBER: _ClassVar[int]
    NO_TAGS_FIELD_NUMBER: _ClassVar[int]
    ITEM_BIAS_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    POPULAR_IF_UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    k: int
    include_seen: bool
    exclude_item_ids: _containers.RepeatedScalarFieldContainer[str]
    only_item_ids: _containers.RepeatedScalarFieldContainer[str]
    any_tags: _containers.RepeatedScalarFieldContainer[str]
    no_tags: _containers.RepeatedScalarFieldContainer[str]
    item_bias_weight: float
    popular_if_unknown: bool
    def __init__(self, user_id: _Optional[str] = ..., k: _Optional[int] = ..., include_seen: bool = ..., exclude_item_ids: _Optional[_Iterable[str]] = ..., only_item_ids: _Optional[_Iterable[str]] = ..., any_tags: _Optional[_Iterable[str]] = ..., no_tags: _Optional[_Iterable[str]] = ..., item_bias_weight: _Optional[float] = ..., popular_if_unknown: bool = ...) -> None: ...

class RecommendResponse(_message.Message):
    __slots__ = ("items", "model_version", "score_kind")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    SCORE_KIND_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ScoredItem]
    model_version: str
    score_kind: ScoreKind
    def __init__(self, items: _Optional[_Iterable[_Union[ScoredItem, _Mapping]]] = ..., model_version: _Optional[str] = ..., score_kind: _Optional[_Union[ScoreKind, str]] = ...) -> None: ...

class SimilarItemsRequest(_message.Message):
    __slots__ = ("item_id", "k", "exclude_item_ids", "only_item_ids", "any_tags", "no_tags")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    ONLY_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    ANY_TAGS_FIELD_NUMBER: _ClassVar[int]
    NO_TAGS_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    k: int
    exclude_item_ids: _containers.RepeatedScalarFieldContainer[str]
    only_item_ids: _containers.RepeatedScalarFieldContainer[str]
    any_tags: _containers.RepeatedScalarFieldContainer[str]
    no_tags: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, item_id: _Optional[str] = ..., k: _Optional[int] = ..., exclude_item_ids: _Optional[_Iterable[str]] = ..., only_item_ids: _Optional[_Iterable[str]] = ..., any_tags: _Optional[_Iterable[str]] = ..., no_tags: _Optional[_Iterable[str]] = ...) -> None: ...

class SimilarItemsResponse(_message.Message):
    __slots__ = ("items", "model_version")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ScoredItem]
    model_version: str
    def __init__(self, items: _Optional[_Iterable[_Union[ScoredItem, _Mapping]]] = ..., model_version: _Optional[str] = ...) -> None: ...

class PredictRatingsRequest(_message.Message):
    __slots__ = ("user_id", "item_ids")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, user_id: _Optional[str] = ..., item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class PredictedRating(_message.Message):
    __slots__ = ("item_id", "rating")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    rating: float
    def __init__(self, item_id: _Optional[str] = ..., rating: _Optional[float] = ...) -> None: ...

class PredictRatingsResponse(_message.Message):
    __slots__ = ("ratings", "model_version")
    RATINGS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    ratings: _containers.RepeatedCompositeFieldContainer[PredictedRating]
    model_version: str
    def __init__(self, ratings: _Optional[_Iterable[_Union[PredictedRating, _Mapping]]] = ..., model_version: _Optional[str] = ...) -> None: ...

class GetItemsRequest(_message.Message):
    __slots__ = ("item_ids",)
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Item(_message.Message):
    __slots__ = ("item_id", "title", "tags")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    title: str
    tags: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, item_id: _Optional[str] = ..., title: _Optional[str] = ..., tags: _Optional[_Iterable[str]] = ...) -> None: ...

class GetItemsResponse(_message.Message):
    __slots__ = ("items", "model_version")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[Item]
    model_version: str
    def __init__(self, items: _Optional[_Iterable[_Union[Item, _Mapping]]] = ..., model_version: _Optional[str] = ...) -> None: ...

class Rating(_message.Message):
    __slots__ = ("item_id", "rating")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    rating: float
    def __init__(self, item_id: _Optional[str] = ..., rating: _Optional[float] = ...) -> None: ...

class RecommendFromRatingsRequest(_message.Message):
    __slots__ = ("ratings", "k", "include_seen", "exclude_item_ids", "only_item_ids", "any_tags", "no_tags", "item_bias_weight")
    RATINGS_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_SEEN_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    ONLY_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    ANY_TAGS_FIELD_NUMBER: _ClassVar[int]
    NO_TAGS_FIELD_NUMBER: _ClassVar[int]
    ITEM_BIAS_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    ratings: _containers.RepeatedCompositeFieldContainer[Rating]
    k: int
    include_seen: bool
    exclude_item_ids: _containers.RepeatedScalarFieldContainer[str]
    only_item_ids: _containers.RepeatedScalarFieldContainer[str]
    any_tags: _containers.RepeatedScalarFieldContainer[str]
    no_tags: _containers.RepeatedScalarFieldContainer[str]
    item_bias_weight: float
    def __init__(self, ratings: _Optional[_Iterable[_Union[Rating, _Mapping]]] = ..., k: _Optional[int] = ..., include_seen: bool = ..., exclude_item_ids: _Optional[_Iterable[str]] = ..., only_item_ids: _Optional[_Iterable[str]] = ..., any_tags: _Optional[_Iterable[str]] = ..., no_tags: _Optional[_Iterable[str]] = ..., item_bias_weight: _Optional[float] = ...) -> None: ...

class RecommendFromRatingsResponse(_message.Message):
    __slots__ = ("items", "model_version", "score_kind", "ignored_item_ids")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    SCORE_KIND_FIELD_NUMBER: _ClassVar[int]
    IGNORED_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ScoredItem]
    model_version: str
    score_kind: ScoreKind
    ignored_item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, items: _Optional[_Iterable[_Union[ScoredItem, _Mapping]]] = ..., model_version: _Optional[str] = ..., score_kind: _Optional[_Union[ScoreKind, str]] = ..., ignored_item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class BatchRecommendRequest(_message.Message):
    __slots__ = ("user_ids", "k", "include_seen", "exclude_item_ids", "only_item_ids", "any_tags", "no_tags", "item_bias_weight", "popular_if_unknown")
    USER_IDS_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_SEEN_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    ONLY_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    ANY_TAGS_FIELD_NUMBER: _ClassVar[int]
    NO_TAGS_FIELD_NUMBER: _ClassVar[int]
    ITEM_BIAS_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    POPULAR_IF_UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    user_ids: _containers.RepeatedScalarFieldContainer[str]
    k: int
    include_seen: bool
    exclude_item_ids: _containers.RepeatedScalarFieldContainer[str]
    only_item_ids: _containers.RepeatedScalarFieldContainer[str]
    any_tags: _containers.RepeatedScalarFieldContainer[str]
    no_tags: _containers.RepeatedScalarFieldContainer[str]
    item_bias_weight: float
    popular_if_unknown: bool
    def __init__(self, user_ids: _Optional[_Iterable[str]] = ..., k: _Optional[int] = ..., include_seen: bool = ..., exclude_item_ids: _Optional[_Iterable[str]] = ..., only_item_ids: _Optional[_Iterable[str]] = ..., any_tags: _Optional[_Iterable[str]] = ..., no_tags: _Optional[_Iterable[str]] = ..., item_bias_weight: _Optional[float] = ..., popular_if_unknown: bool = ...) -> None: ...

class UserRecommendations(_message.Message):
    __slots__ = ("user_id", "items", "is_unknown", "score_kind")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    IS_UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    SCORE_KIND_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    items: _containers.RepeatedCompositeFieldContainer[ScoredItem]
    is_unknown: bool
    score_kind: ScoreKind
    def __init__(self, user_id: _Optional[str] = ..., items: _Optional[_Iterable[_Union[ScoredItem, _Mapping]]] = ..., is_unknown: bool = ..., score_kind: _Optional[_Union[ScoreKind, str]] = ...) -> None: ...

class BatchRecommendResponse(_message.Message):
    __slots__ = ("users", "model_version")
    USERS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    users: _containers.RepeatedCompositeFieldContainer[UserRecommendations]
    model_version: str
    def __init__(self, users: _Optional[_Iterable[_Union[UserRecommendations, _Mapping]]] = ..., model_version: _Optional[str] = ...) -> None: ...
