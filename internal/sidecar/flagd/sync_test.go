package flagd_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	syncv1 "buf.build/gen/go/open-feature/flagd/protocolbuffers/go/flagd/sync/v1"
	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/internal/sidecar/historytest"
)

// keys returns the keys of the flags in a document.
func keys(t *testing.T, document string) []string {
	t.Helper()
	var content struct{ Flags map[string]any }
	if err := json.Unmarshal([]byte(document), &content); err != nil {
		t.Fatalf("%v: %s", err, document)
	}
	return slices.Sorted(maps.Keys(content.Flags))
}

func TestSyncInAllDialects(t *testing.T) {
	t.Parallel()
	for _, d := range dialects() {
		t.Run(d.name, func(t *testing.T) {
			h := historytest.New(t)
			h.Commit(historytest.Flag("a", 1), historytest.Flag("web", 1, `"metadata":{"flagSetId":"web"}`))
			s := start(t, h)
			stream, err := s.syncs(d).SyncFlags(t.Context(), connect.NewRequest(&syncv1.SyncFlagsRequest{}))
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Close()
			receive := func() []string {
				t.Helper()
				if !stream.Receive() {
					t.Fatal(stream.Err())
				}
				if got := stream.Msg().GetSyncContext().AsMap()["region"]; got != "eu" {
					t.Errorf("context %v", stream.Msg().GetSyncContext())
				}
				return keys(t, stream.Msg().FlagConfiguration)
			}
			if diff := cmp.Diff([]string{"a", "web"}, receive()); diff != "" {
				t.Errorf("first (-want +got):\n%s", diff)
			}
			h.Commit(historytest.Flag("b", 1), historytest.Deleted("web"))
			if diff := cmp.Diff([]string{"a", "b"}, receive()); diff != "" {
				t.Errorf("second (-want +got):\n%s", diff)
			}
			fetched, err := s.syncs(d).FetchAllFlags(t.Context(), connect.NewRequest(&syncv1.FetchAllFlagsRequest{}))
			if err != nil || fetched.Msg.FlagConfiguration != stream.Msg().FlagConfiguration {
				t.Errorf("fetched %v, %v", fetched, err)
			}
			metadata, err := s.syncs(d).GetMetadata(t.Context(), connect.NewRequest(&syncv1.GetMetadataRequest{})) //nolint:staticcheck // old providers still call it
			if err != nil || metadata.Msg.Metadata.AsMap()["region"] != "eu" {
				t.Errorf("metadata %v, %v", metadata, err)
			}
			s.cancel()
			if stream.Receive() || stream.Err() != nil {
				t.Errorf("the stream goes on: %v", stream.Err())
			}
		})
	}
}

// TestSelectionsOfNothingTakeNoMemory asks for many flag sets that do not exist.
func TestSelectionsOfNothingTakeNoMemory(t *testing.T) {
	h := historytest.New(t)
	h.Commit(historytest.Flag("a", 1), historytest.Flag("web", 1, `"metadata":{"flagSetId":"web"}`))
	s := start(t, h)
	client := s.syncs(dialects()[0])
	for i := range 50 {
		for _, set := range []string{"web", "none" + strconv.Itoa(i)} {
			request := connect.NewRequest(&syncv1.FetchAllFlagsRequest{})
			request.Header().Set("Flagd-Selector", "flagSetId="+set)
			if _, err := client.FetchAllFlags(t.Context(), request); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := s.documents.Joined(); got != 1 {
		t.Errorf("%d documents are kept, want that of the flag set that exists", got)
	}
}

func TestSyncSelects(t *testing.T) {
	h := historytest.New(t)
	h.Commit(historytest.Flag("a", 1), historytest.Flag("web", 1, `"metadata":{"flagSetId":"web"}`))
	s := start(t, h)
	client := s.syncs(dialects()[0])
	fetch := func(inBody, header string) ([]string, error) {
		request := connect.NewRequest(&syncv1.FetchAllFlagsRequest{Selector: inBody}) //nolint:staticcheck // providers still set it
		if header != "" {
			request.Header().Set("Flagd-Selector", header)
		}
		answer, err := client.FetchAllFlags(t.Context(), request)
		if err != nil {
			return nil, err
		}
		return keys(t, answer.Msg.FlagConfiguration), nil
	}
	for _, test := range []struct {
		body, header string
		want         []string
	}{
		{"", "", []string{"a", "web"}},
		{"flagSetId=web", "", []string{"web"}},
		{"flagSetId=web", "flagSetId=", []string{"a"}},
		{"", "flagSetId=none", nil},
	} {
		if got, err := fetch(test.body, test.header); err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%q, %q: %v, %v", test.body, test.header, got, err)
		}
	}
	_, err := fetch("source=x", "")
	wantCode(t, "a bad selector", err, connect.CodeInvalidArgument)
	stream, err := client.SyncFlags(t.Context(), connect.NewRequest(&syncv1.SyncFlagsRequest{Selector: "x=y"})) //nolint:staticcheck // providers still set it
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	if stream.Receive() {
		t.Error("a bad selector has flags")
	}
	wantCode(t, "a bad selector of a stream", stream.Err(), connect.CodeInvalidArgument)
}

func TestNothingToSync(t *testing.T) {
	s := start(t, historytest.Open(t))
	client := s.syncs(dialects()[0])
	_, err := client.FetchAllFlags(t.Context(), connect.NewRequest(&syncv1.FetchAllFlagsRequest{}))
	wantCode(t, "fetch", err, connect.CodeUnavailable)
}

// What a provider could not answer as the sidecar does is not sent, and told.
func TestFlagsThatAreLeftOut(t *testing.T) {
	h := historytest.New(t)
	computed := historytest.Flag("computed", 1, `"targeting":{"var":"x"}`)
	h.Commit(historytest.Flag("a", 1), computed, historytest.Flag("dependent", 1, `"prerequisites":[{"flag":"computed","variants":["b"]}]`))
	s := start(t, h)
	client := s.syncs(dialects()[0])
	fetch := func() []string {
		answer, err := client.FetchAllFlags(t.Context(), connect.NewRequest(&syncv1.FetchAllFlagsRequest{}))
		if err != nil {
			t.Fatal(err)
		}
		return keys(t, answer.Msg.FlagConfiguration)
	}
	if diff := cmp.Diff([]string{"a", "computed"}, fetch()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if reason := s.documents.LeftOut()["dependent"]; !strings.Contains(reason, "computed") {
		t.Errorf("left out: %v", s.documents.LeftOut())
	}
	h.Commit(historytest.Flag("computed", 2))
	if diff := cmp.Diff([]string{"a", "computed", "dependent"}, fetch()); diff != "" || len(s.documents.LeftOut()) > 0 {
		t.Errorf("left out %v (-want +got):\n%s", s.documents.LeftOut(), diff)
	}
	h.Commit(document.Document{Kind: document.KindFlag, Key: "computed"}, document.Document{Kind: document.KindFlag, Key: "dependent"})
	if diff := cmp.Diff([]string{"a"}, fetch()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
