package flagd_test

import (
	"strconv"
	"strings"
	"testing"

	syncv1 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/sync/v1"
	"connectrpc.com/connect"

	"github.com/flagside/flagside/internal/sidecar/historytest"
)

// A document is encoded once a state for all streams, and once for all answers of FetchAllFlags, in each encoding that is asked for.
func TestADocumentIsEncodedOnceAState(t *testing.T) {
	h := historytest.New(t)
	h.Commit(historytest.Flag("a", 1))
	s := start(t, h)
	const streams, fetches = 20, 5
	asked := []dialect{dialects()[0], dialects()[1], dialects()[3]} // Protocol Buffers, in all protocols
	for _, d := range dialects() {
		if strings.Contains(d.name, "JSON") {
			asked = append(asked, d)
		}
	}
	var open []*connect.ServerStreamForClient[syncv1.SyncFlagsResponse]
	for _, d := range asked {
		client := s.syncs(d)
		for range streams {
			stream, err := client.SyncFlags(t.Context(), connect.NewRequest(&syncv1.SyncFlagsRequest{}))
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Close()
			open = append(open, stream)
		}
	}
	for state := range 3 {
		for _, stream := range open {
			if !stream.Receive() {
				t.Fatal(stream.Err())
			}
			if got := keys(t, stream.Msg().FlagConfiguration); len(got) != state+1 {
				t.Fatalf("state %d has %v", state, got)
			}
		}
		for _, d := range asked {
			for range fetches {
				fetched, err := s.syncs(d).FetchAllFlags(t.Context(), connect.NewRequest(&syncv1.FetchAllFlagsRequest{}))
				if err != nil || len(keys(t, fetched.Msg.FlagConfiguration)) != state+1 {
					t.Fatalf("%s: %v, %v", d.name, fetched, err)
				}
			}
		}
		if got, want := s.documents.Encodings(), 4*(state+1); got != want {
			t.Fatalf("%d streams and %d fetches of %d states cost %d encodings, want %d", len(open), fetches*len(asked), state+1, got, want)
		}
		h.Commit(historytest.Flag("b"+strconv.Itoa(state), 1))
	}
}
