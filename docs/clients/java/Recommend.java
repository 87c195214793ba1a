// Asks for one user's recommendations, then for those of several users at once.
//
// Dependencies: io.grpc:grpc-netty-shaded, io.grpc:grpc-protobuf, io.grpc:grpc-stub, com.google.code.gson:gson. The code
// below matinee/v1 is made by Maven's or Gradle's protobuf plug-in, or by
//   protoc -I PROTO --java_out=. --grpc-java_out=. --plugin=protoc-gen-grpc-java=… matinee/v1/recommender.proto
// where PROTO is the folder that it lies under. Run it with
//   java Recommend 127.0.0.1:50051 42 7 8          plain text
//   MATINEE_CA=ca.pem MATINEE_TOKEN=… java Recommend reco.example.com:443 42

import static java.util.concurrent.TimeUnit.SECONDS;

import com.google.gson.Gson;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.MetadataUtils;
import java.io.File;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import matinee.v1.RecommenderGrpc;
import matinee.v1.RecommenderGrpc.RecommenderBlockingStub;
import matinee.v1.RecommenderOuterClass.BatchRecommendRequest;
import matinee.v1.RecommenderOuterClass.RecommendRequest;
import matinee.v1.RecommenderOuterClass.RecommendResponse;
import matinee.v1.RecommenderOuterClass.ScoredItem;
import matinee.v1.RecommenderOuterClass.UserRecommendations;

public final class Recommend {
  public static void main(String[] arguments) throws Exception {
    List<String> userIds = Arrays.asList(arguments).subList(1, arguments.length);
    ManagedChannel channel = connect(arguments[0]);
    try {
      RecommenderBlockingStub stub = RecommenderGrpc.newBlockingStub(channel)
          .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(metadata()));
      recommend(stub, userIds.get(0));
      recommendToMany(stub, userIds);
    } finally {
      channel.shutdown().awaitTermination(5, SECONDS);
    }
  }

  /** The channel; make it once and keep it, it is safe for many threads. */
  @SuppressWarnings("unchecked")
  private static ManagedChannel connect(String address) throws Exception {
    String ca = System.getenv("MATINEE_CA");
    ChannelCredentials credentials = ca == null
        ? InsecureChannelCredentials.create()
        : TlsChannelCredentials.newBuilder().trustManager(new File(ca)).build();
    try (Reader retries = Files.newBufferedReader(Path.of("retries.json"))) {
      Map<String, Object> config = new Gson().fromJson(retries, Map.class);
      return Grpc.newChannelBuilder(address, credentials).defaultServiceConfig(config).enableRetry().build();
    }
  }

  /** The token. Only under TLS, or to this machine: in plain text anyone on the way can read it. */
  private static Metadata metadata() {
    Metadata sent = new Metadata();
    String token = System.getenv("MATINEE_TOKEN");
    if (token != null) {
      sent.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
    }
    return sent;
  }

  private static void recommend(RecommenderBlockingStub stub, String userId) {
    RecommendRequest request = RecommendRequest.newBuilder().setUserId(userId).setK(5).addNoTags("War").build();
    try {
      RecommendResponse answer = stub.withDeadlineAfter(1, SECONDS).recommend(request);
      for (ScoredItem item : answer.getItemsList()) {
        System.out.printf("%s %s %.4f %s%n", item.getItemId(), item.getTitle(), item.getScore(), answer.getScoreKind());
      }
    } catch (StatusRuntimeException error) {
      switch (error.getStatus().getCode()) {
        case NOT_FOUND -> System.out.println("new here: " + error.getStatus().getDescription());
        case UNAVAILABLE -> System.out.println("try again in a moment");
        default -> throw error;
      }
    }
  }

  /** Prints an answer for each user, as they come; a failure is thrown here too. */
  private static void recommendToMany(RecommenderBlockingStub stub, List<String> userIds) {
    BatchRecommendRequest request = BatchRecommendRequest.newBuilder().addAllUserIds(userIds).setK(5).build();
    for (var answers = stub.withDeadlineAfter(600, SECONDS).batchRecommend(request); answers.hasNext(); ) {
      for (UserRecommendations user : answers.next().getUsersList()) {
        System.out.println(user.getUserId() + " " + user.getItemsCount());
      }
    }
  }
}
