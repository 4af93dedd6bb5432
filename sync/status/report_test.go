package status_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/document"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/status"
)

const boot = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

func full() status.Report {
	return status.Report{
		Version: status.Version, Kind: status.KindState, Boot: boot, N: 7,
		Position: changelog.Position{Epoch: "00112233445566778899aabbccddeeff", Revision: 42, Digest: changelog.Sum([]byte("entry"))},
		State:    changelog.Sum([]byte("state")),
		Identity: status.Identity{
			Pod: "shop-7", Namespace: "shop", Node: "node-1", Zone: "eu-1a", Host: "shop-7", Application: "shop", ApplicationVersion: "1.2.3",
			Labels: map[string]string{"team": "pay", "ring": "first"}, Program: "v0.9.0",
		},
		Serving: "live", AgeMs: new(int64(200)), UpMs: 12_000, Conditions: []string{"flag-errors"}, Clients: map[string]int{"ofrep": 2},
		Flags: 100, Refused: 1, RefusedKeys: []string{"checkout"},
	}
}

func TestReportsComeBack(t *testing.T) {
	t.Parallel()
	for _, r := range []status.Report{full(), {Version: status.Version, Kind: status.KindBye, Boot: boot}} {
		data, err := status.Encode(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := status.Decode(data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, got); diff != "" {
			t.Errorf("decoded (-want +got):\n%s", diff)
		}
		again, err := status.Encode(got)
		if err != nil || string(again) != string(data) {
			t.Errorf("encoded again as %s, %v; want %s", again, err, data)
		}
	}
}

// A report is about 1 KB, and fits into its limit whatever a sidecar has to say.
func TestReportsAreShortened(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"long": "x", "quotes": `"`, "control characters": "\x00", "no UTF-8": "\xff", "wide": "語"} {
		long := strings.Repeat(text, 5000)
		r := full()
		r.Identity = status.Identity{
			Pod: long, Namespace: long, Node: long, Zone: long, Host: long, Application: long, ApplicationVersion: long, Program: long,
			Labels: make(map[string]string),
		}
		r.Conditions, r.RefusedKeys = nil, nil
		for i := range 100 {
			r.Identity.Labels[fmt.Sprint(i, long)] = long
			r.Conditions = append(r.Conditions, strings.Repeat("c", status.MaxLabel))
			r.RefusedKeys = append(r.RefusedKeys, strings.Repeat("k", document.MaxKey))
		}
		before := maps.Clone(r.Identity.Labels)
		data, err := status.Encode(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := status.Decode(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got.Identity.Pod == "" || got.Position != r.Position {
			t.Errorf("%s: what is most needed is missing from %s", name, data)
		}
		if !maps.Equal(before, r.Identity.Labels) {
			t.Errorf("%s: the labels of the caller were changed", name)
		}
	}
}

func TestReportsAreRefused(t *testing.T) {
	t.Parallel()
	data, err := status.Encode(full())
	if err != nil {
		t.Fatal(err)
	}
	f := func(name, old, replacement string) {
		t.Helper()
		altered := strings.Replace(string(data), old, replacement, 1)
		if altered == string(data) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if r, err := status.Decode([]byte(altered)); err == nil {
			t.Errorf("%s: decoded as %+v", name, r)
		}
	}
	f("no JSON", `{`, `[`)
	f("something behind it", `["checkout"]}`, `["checkout"]}{}`)
	f("another format", `"v":1`, `"v":2`)
	f("no kind", `"kind":"state"`, `"kind":"other"`)
	f("a short boot id", boot, "ABC")
	f("a boot id with a wildcard", boot, "ABCDEFGHIJKLMNOPQRSTUVWX.>")
	f("a member twice", `"n":7`, `"n":7,"n":8`)
	f("a negative age", `"ageMs":200`, `"ageMs":-200`)
	f("negative clients", `"ofrep":2`, `"ofrep":-2`)
	f("a number that is none", `"revision":42`, `"revision":-42`)
	f("no epoch", "00112233445566778899aabbccddeeff", "x")
	f("a long pod", `"shop-7"`, `"`+strings.Repeat("p", status.MaxText+1)+`"`)
	f("a long state", `"live"`, `"`+strings.Repeat("p", status.MaxLabel+1)+`"`)
	f("a long label", `"pay"`, `"`+strings.Repeat("p", status.MaxLabel+1)+`"`)
	f("a long condition", `"flag-errors"`, `"`+strings.Repeat("p", status.MaxLabel+1)+`"`)
	f("a long key", `"checkout"`, `"`+strings.Repeat("p", document.MaxKey+1)+`"`)
	f("many conditions", `"flag-errors"`, `"x"`+strings.Repeat(`,"x"`, status.MaxConditions))
	f("too long", `"serving"`, `"later":"`+strings.Repeat("p", status.MaxBytes)+`","serving"`)
	if _, err := status.Decode([]byte(strings.Replace(string(data), `"v":1`, `"v":2`, 1))); !errors.Is(err, status.ErrVersion) {
		t.Errorf("another format is refused with %v", err)
	}
	if _, err := status.Decode([]byte(strings.Replace(string(data), `"serving"`, `"later":[1],"serving"`, 1))); err != nil {
		t.Errorf("a report with a member of later is refused: %v", err)
	}
}

// Those who are within a share are within a larger one, and about as many are within it as it says.
func TestShares(t *testing.T) {
	t.Parallel()
	const processes = 4000
	counts := make(map[uint32]int)
	shares := []uint32{0, status.WholeShare / 10, status.WholeShare / 2, status.WholeShare}
	for range processes {
		id, was := status.NewBoot(), false
		for _, share := range shares {
			is := status.Within(id, share)
			if was && !is {
				t.Fatalf("%s leaves a share that grows", id)
			}
			if was = is; is {
				counts[share]++
			}
		}
	}
	if counts[0] != 0 || counts[status.WholeShare] != processes {
		t.Errorf("%d are within nothing, %d within all", counts[0], counts[status.WholeShare])
	}
	for _, share := range shares[1:3] {
		want := processes * int(share) / status.WholeShare
		if got := counts[share]; got < want*3/4 || got > want*5/4 {
			t.Errorf("%d of %d are within %d of %d, want about %d", got, processes, share, status.WholeShare, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, r := range []status.Report{full(), {Kind: status.KindAck, Boot: boot, N: 1}, {Kind: status.KindBye, Boot: boot}} {
		data, err := status.Encode(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"v":1,"kind":"state","boot":"ABCDEFGHIJKLMNOPQRSTUVWXYZ","identity":{"labels":{"":""}},"clients":{"":0}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := status.Decode(data)
		if err != nil {
			return
		}
		again, err := status.Encode(r)
		if err != nil {
			t.Fatalf("%+v cannot be encoded: %v", r, err)
		}
		if len(again) > status.MaxBytes {
			t.Fatalf("encoded to %d bytes", len(again))
		}
		if _, err := status.Decode(again); err != nil {
			t.Fatalf("%s cannot be decoded: %v", again, err)
		}
	})
}
