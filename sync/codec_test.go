package flagsync

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/nats-io/nats.go"

	"github.com/flagside/flagside/sync/changelog"
)

func testBeat() beat {
	state := changelog.Sum([]byte("state"))
	return beat{
		Version: 1, Epoch: changelog.Epoch(strings.Repeat("0a", 16)), Head: 42,
		Digest: changelog.Sum([]byte("entry")), StateDigest: &state, By: "PUBLISHER",
	}
}

// golden compares bytes with a file that older versions wrote and must be read
// for ever.
func golden(t *testing.T, path string, got []byte) []byte {
	t.Helper()
	want, err := os.ReadFile(filepath.Join("testdata", path))
	if err != nil {
		t.Fatal(err)
	}
	want = bytes.TrimSpace(want)
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
	return want
}

func TestBeatGolden(t *testing.T) {
	t.Parallel()
	for file, b := range map[string]beat{
		"beat/v1-state.json": testBeat(),
		"beat/v1.json":       {Version: 1, Epoch: testBeat().Epoch, Head: 1, Digest: testBeat().Digest, By: "P"},
	} {
		data, err := b.encode()
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := decodeBeat(golden(t, file, data))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b, decoded); diff != "" {
			t.Errorf("%s decodes (-want +got):\n%s", file, diff)
		}
	}
}

func TestDecodeBeatRefuses(t *testing.T) {
	t.Parallel()
	good, err := testBeat().encode()
	if err != nil {
		t.Fatal(err)
	}
	replace := func(old, with string) string { return strings.Replace(string(good), old, with, 1) }
	for name, data := range map[string]string{
		"nothing":         "",
		"no object":       "[]",
		"unfinished":      string(good[:len(good)-1]),
		"trailing bytes":  string(good) + "{}",
		"unknown member":  replace(`"v":1`, `"v":1,"more":1`),
		"twice":           replace(`"head":42`, `"head":42,"head":43`),
		"another version": replace(`"v":1`, `"v":2`),
		"no version":      replace(`"v":1,`, ``),
		"no head":         replace(`"head":42`, `"head":0`),
		"negative head":   replace(`"head":42`, `"head":-1`),
		"short epoch":     replace(`"epoch":"0a`, `"epoch":"`),
		"upper case":      replace(`0a0a`, `0A0A`),
		"short digest":    replace(`"digest":"`, `"digest":"0`),
		"no digest":       replace(testBeat().Digest.String(), strings.Repeat("0", 64)),
		"no sender":       replace("PUBLISHER", ""),
		"a long sender":   replace("PUBLISHER", strings.Repeat("P", 65)),
	} {
		if b, err := decodeBeat([]byte(data)); err == nil {
			t.Errorf("%s: %s was decoded to %+v", name, data, b)
		}
	}
	if _, err := decodeBeat([]byte(replace(`"v":1`, `"v":2`))); !errors.Is(err, changelog.ErrVersion) {
		t.Errorf("another version: %v, want ErrVersion", err)
	}
}

// FuzzDecodeBeat decodes anything; what is accepted encodes to something that
// decodes to the same.
func FuzzDecodeBeat(f *testing.F) {
	good, err := testBeat().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"v":1}`))
	f.Add([]byte(`{"v":1,"epoch":"","head":18446744073709551615,"digest":null,"state":null,"by":"\u0000"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := decodeBeat(data)
		if err != nil {
			return
		}
		again, err := b.encode()
		if err != nil {
			t.Fatalf("%+v was decoded and cannot be encoded: %v", b, err)
		}
		decoded, err := decodeBeat(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b, decoded); diff != "" {
			t.Errorf("(-first +second):\n%s", diff)
		}
	})
}

func TestReconnectDelay(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	r := &reconnects{now: func() time.Time { return now }}
	check := func(after time.Duration, longest time.Duration) {
		t.Helper()
		now = time.Unix(0, 0).Add(after)
		for range 100 {
			if d := r.delay(); d < 50*time.Millisecond || d > longest {
				t.Errorf("after %s it waits %s, want 50ms to %s", after, d, longest)
			}
		}
	}
	check(0, 500*time.Millisecond)
	check(29*time.Second, 500*time.Millisecond)
	check(32*time.Second, 1500*time.Millisecond)
	check(time.Hour, 10*time.Second)
	var longest time.Duration
	for range 100 {
		longest = max(longest, r.delay())
	}
	if longest < time.Second {
		t.Errorf("after an hour it waits at most %s", longest)
	}
	r.connected()
	if d := r.delay(); d > 500*time.Millisecond { // the next outage
		t.Errorf("a new outage begins with %s", d)
	}
}

// TestReconnectTakesServersInTurn waits before each server, the second and the
// third too.
func TestReconnectTakesServersInTurn(t *testing.T) {
	t.Parallel()
	servers := make([]nats.Server, 3)
	r := newReconnects()
	tried := make(map[*nats.Server]int)
	for range 9 {
		server, wait := r.next(servers, nats.ServerInfo{})
		tried[server]++
		if wait < 50*time.Millisecond {
			t.Errorf("it waits %s, want 50ms or more", wait)
		}
	}
	for i := range servers {
		if tried[&servers[i]] != 3 {
			t.Errorf("server %d was tried %d times of 9, want 3", i, tried[&servers[i]])
		}
	}
}

func TestVerifyLease(t *testing.T) {
	t.Parallel()
	fresh, old := replicaInfo{Active: int64(time.Second)}, replicaInfo{Active: int64(3 * time.Second)}
	gone := replicaInfo{Active: int64(time.Second), Offline: true}
	for name, tc := range map[string]struct {
		cluster *clusterInfo
		holds   bool
	}{
		"one server":            {&clusterInfo{Leader: "n1"}, true},
		"no cluster":            {nil, false},
		"no leader":             {&clusterInfo{Replicas: []replicaInfo{fresh, fresh}}, false},
		"all of three":          {&clusterInfo{Leader: "n1", Replicas: []replicaInfo{fresh, fresh}}, true},
		"two of three":          {&clusterInfo{Leader: "n1", Replicas: []replicaInfo{fresh, old}}, true},
		"one of three":          {&clusterInfo{Leader: "n1", Replicas: []replicaInfo{old, old}}, false},
		"one and one offline":   {&clusterInfo{Leader: "n1", Replicas: []replicaInfo{gone, old}}, false},
		"two of five":           {&clusterInfo{Leader: "n1", Replicas: []replicaInfo{fresh, old, old, old}}, false},
		"three of five":         {&clusterInfo{Leader: "n1", Replicas: []replicaInfo{fresh, fresh, old, old}}, true},
		"two of four, no major": {&clusterInfo{Leader: "n1", Replicas: []replicaInfo{fresh, old, old}}, false},
	} {
		err := (&streamInfo{Cluster: tc.cluster}).verifyLease()
		if (err == nil) != tc.holds {
			t.Errorf("%s: %v, want that it holds: %t", name, err, tc.holds)
		}
	}
}
