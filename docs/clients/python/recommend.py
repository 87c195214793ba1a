"""Asks for one user's recommendations, then for those of several users at once, with nothing but the .proto.

    pip install grpcio grpcio-tools
    python -m grpc_tools.protoc -I PROTO --python_out=. --grpc_python_out=. matinee/v1/recommender.proto
    python recommend.py 127.0.0.1:50051 42 7 8          plain text
    MATINEE_CA=ca.pem MATINEE_TOKEN=… python recommend.py reco.example.com:443 42

PROTO is the folder that matinee/v1/recommender.proto lies under. `pip install matinee-client` has all this done.
"""

import os
import sys
from pathlib import Path

import grpc

from matinee.v1 import recommender_pb2 as pb
from matinee.v1 import recommender_pb2_grpc as pb_grpc

RETRIES = Path(__file__).resolve().parent.parent / "retries.json"


def connect(address: str) -> grpc.Channel:
    """The channel; make it once and keep it."""
    options = [("grpc.service_config", RETRIES.read_text())]
    if ca := os.environ.get("MATINEE_CA"):
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(Path(ca).read_bytes()), options)
    return grpc.insecure_channel(address, options)


def metadata() -> list[tuple[str, str]]:
    """The token. Only under TLS, or to this machine: in plain text anyone on the way can read it."""
    token = os.environ.get("MATINEE_TOKEN")
    return [("authorization", f"Bearer {token}")] if token else []


def main(address: str, *user_ids: str) -> None:
    """Print what the server at `address` recommends."""
    with connect(address) as channel:
        stub = pb_grpc.RecommenderStub(channel)
        try:
            request = pb.RecommendRequest(user_id=user_ids[0], k=5, no_tags=["War"])
            answer = stub.Recommend(request, timeout=1.0, metadata=metadata())
            for item in answer.items:
                print(item.item_id, item.title, f"{item.score:.4f}", pb.ScoreKind.Name(answer.score_kind))
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                print(f"new here: {error.details()}")
            elif error.code() is grpc.StatusCode.UNAVAILABLE:
                print("try again in a moment")
            else:
                sys.exit(f"{error.code().name}: {error.details()}")
        # An answer for each user, as they come; a failure is raised here too.
        batch = pb.BatchRecommendRequest(user_ids=user_ids, k=5)
        for response in stub.BatchRecommend(batch, timeout=600.0, metadata=metadata()):
            for user in response.users:
                print(user.user_id, *(item.item_id for item in user.items))


main(*sys.argv[1:])
