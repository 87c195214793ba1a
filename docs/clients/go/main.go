// Asks for one user's recommendations, then for those of several users at once.
//
//	go mod init example.com/recommend
//	go install google.golang.org/protobuf/cmd/protoc-gen-go@latest
//	go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@latest
//	M=Mmatinee/v1/recommender.proto=example.com/recommend/matinee
//	protoc -I PROTO --go_out=. --go_opt=module=example.com/recommend,$M \
//	    --go-grpc_out=. --go-grpc_opt=module=example.com/recommend,$M matinee/v1/recommender.proto
//	go mod tidy
//	go run . 127.0.0.1:50051 42 7 8          plain text
//	MATINEE_CA=ca.pem MATINEE_TOKEN=… go run . reco.example.com:443 42
//
// PROTO is the folder that matinee/v1/recommender.proto lies under; retries.json lies beside this file.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	pb "example.com/recommend/matinee"
)

//go:embed retries.json
var retries string

// connect makes the connection; keep it, it is safe for many goroutines.
func connect(address string) (*grpc.ClientConn, error) {
	transport := insecure.NewCredentials()
	if ca := os.Getenv("MATINEE_CA"); ca != "" {
		var err error
		if transport, err = credentials.NewClientTLSFromFile(ca, ""); err != nil {
			return nil, err
		}
	}
	return grpc.NewClient(address, grpc.WithTransportCredentials(transport), grpc.WithDefaultServiceConfig(retries))
}

// within is a context with a deadline and the token. Send that only under TLS, or to this machine: in plain text anyone on
// the way can read it.
func within(d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	if token := os.Getenv("MATINEE_TOKEN"); token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	return ctx, cancel
}

func recommend(client pb.RecommenderClient, userID string) error {
	ctx, cancel := within(time.Second)
	defer cancel()
	answer, err := client.Recommend(ctx, &pb.RecommendRequest{UserId: userID, K: proto.Int32(5), NoTags: []string{"War"}})
	switch status.Code(err) {
	case codes.OK:
		for _, item := range answer.Items {
			fmt.Printf("%s %s %.4f %s\n", item.ItemId, item.Title, item.Score, answer.ScoreKind)
		}
		return nil
	case codes.NotFound:
		fmt.Println("new here:", status.Convert(err).Message())
		return nil
	case codes.Unavailable:
		fmt.Println("try again in a moment")
		return nil
	}
	return err
}

func recommendToMany(client pb.RecommenderClient, userIDs []string) error {
	ctx, cancel := within(10 * time.Minute)
	defer cancel()
	stream, err := client.BatchRecommend(ctx, &pb.BatchRecommendRequest{UserIds: userIDs, K: proto.Int32(5)})
	for err == nil {
		var answers *pb.BatchRecommendResponse
		if answers, err = stream.Recv(); err == nil {
			for _, user := range answers.Users {
				fmt.Println(user.UserId, len(user.Items))
			}
		}
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

func main() {
	connection, err := connect(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	client := pb.NewRecommenderClient(connection)
	if err := recommend(client, os.Args[2]); err != nil {
		log.Fatal(err)
	}
	if err := recommendToMany(client, os.Args[2:]); err != nil {
		log.Fatal(err)
	}
}
