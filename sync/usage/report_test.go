package usage_test

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/flagside/flagside/sync/usage"
)

const boot = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

func full() usage.Report {
	from := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	return usage.Report{
		Version: usage.Version, Boot: boot, N: 7, From: from, To: from.Add(time.Minute), Epoch: "00112233445566778899aabbccddeeff",
		Pod: "shop-7", Namespace: "shop", Application: "shop", Release: "1.2.3",
		Flags: []usage.Flag{{Key: "checkout", Revision: 42, Counts: []usage.Count{
			{Variant: "on", Reason: "TARGETING_MATCH", Rule: 2, N: 17}, {Reason: "ERROR", Code: "GENERAL", Application: "cart", Bulk: true, N: 1},
		}}},
		Other: []usage.Count{{Reason: "STATIC", Application: "other", N: 3}}, NotFound: map[string]uint64{"chekout": 4}, NotFoundOthers: 1,
		Unknown: map[string]int{"flagd.sync": 2}, Unchanged: 3, Lost: usage.Lost{Reports: 1, Evaluations: 10, Exposures: 5, Outcomes: 6},
		Exposures: []usage.Exposure{{At: from, Flag: "checkout", Variant: "on", Revision: 42, Rule: 2, Subject: strings.Repeat("ab", 32), Application: "cart"}},
		Outcomes:  []usage.Outcome{{At: from, Event: "purchase", Subject: strings.Repeat("cd", 32), Value: 9.5, Flags: []string{"checkout"}}},
	}
}

func TestReportsComeBack(t *testing.T) {
	t.Parallel()
	data, err := usage.Encode(full())
	if err != nil {
		t.Fatal(err)
	}
	got, err := usage.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if n := got.Sum(); n != 21 {
		t.Errorf("%d evaluations, want 21", n)
	}
}

// Whatever a sidecar counts can be sent, in as many messages as it takes, and nothing is in two of them.
func TestLargeReportsAreSplit(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"plain": "x", "quotes": `"`, "no UTF-8": "\xff", "wide": "語"} {
		r := full()
		r.Flags = nil
		for i := range 300 {
			f := usage.Flag{Key: fmt.Sprint(strings.Repeat("k", 900), i), Revision: 1}
			for j := range 1 + i%3*200 {
				f.Counts = append(f.Counts, usage.Count{Variant: strings.Repeat(text, j%500*4), Reason: "STATIC", Rule: j, N: 1})
			}
			r.Flags = append(r.Flags, f)
		}
		r.Exposures, r.Outcomes = slices.Repeat(r.Exposures, 3_000), slices.Repeat(r.Outcomes, 3_000)
		parts, err := usage.Split(r)
		if err != nil {
			t.Fatal(err)
		}
		var sum, lost, notFound, unchanged, exposures, outcomes uint64
		for i, part := range parts {
			part.N = uint64(i + 1)
			data, err := usage.Encode(part)
			if err != nil {
				t.Fatalf("%s: part %d: %v", name, i, err)
			}
			got, err := usage.Decode(data)
			if err != nil {
				t.Fatalf("%s: part %d: %v", name, i, err)
			}
			sum += got.Sum()
			lost += got.Lost.Evaluations
			unchanged += got.Unchanged
			notFound += got.NotFound["chekout"]
			exposures += uint64(len(got.Exposures))
			outcomes += uint64(len(got.Outcomes))
		}
		if exposures != 3_000 || outcomes != 3_000 {
			t.Errorf("%s: %d exposures and %d outcomes of 3000", name, exposures, outcomes)
		}
		if sum != r.Sum() || lost != 10 || notFound != 4 || unchanged != 3 || len(parts) < 2 {
			t.Errorf("%s: %d evaluations of %d, %d lost, %d not found, %d unchanged in %d parts", name, sum, r.Sum(), lost, notFound, unchanged, len(parts))
		}
	}
}

// Clients choose the keys of flags that do not exist. Whatever they are, all counts of flags are sent, and every request is in the sum.
func TestKeysOfClientsCostNoCounts(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"plain": "x", "control characters": "\x01", "quotes": `"`, "backslashes": `\`, "no UTF-8": "\xff", "wide": "語"} {
		for _, length := range []int{250, 4 << 10} {
			r := full()
			r.NotFound = make(map[string]uint64)
			var requests uint64
			for i := range uint64(201) {
				r.NotFound[fmt.Sprint(i, strings.Repeat(text, length/len(text)))] = i
				requests += i
			}
			requests += r.NotFoundOthers
			for i := range 1_500 {
				counts := []usage.Count{{Variant: "on", Reason: "TARGETING_MATCH", Rule: 1, N: 5}}
				r.Flags = append(r.Flags, usage.Flag{Key: fmt.Sprintf("flag-%05d", i), Revision: 1, Counts: counts})
			}
			for i := range 1_000 {
				r.Other = append(r.Other, usage.Count{Variant: strings.Repeat("\x01", 100), Reason: "STATIC", Rule: i, N: 1})
			}
			sum, gotRequests, names := sent(t, r)
			if sum != r.Sum() || gotRequests != requests || names == 0 || names > usage.MaxNotFound {
				t.Errorf("%s, %d bytes: %d evaluations of %d, %d requests of %d, %d names", name, length, sum, r.Sum(), gotRequests, requests, names)
			}
		}
	}
}

// sent returns how many evaluations, and requests for how many flags that do not exist, come in the parts of a report.
func sent(t *testing.T, r usage.Report) (evaluations, requests uint64, names int) {
	t.Helper()
	parts, err := usage.Split(r)
	if err != nil {
		t.Fatal(err)
	}
	for i, part := range parts {
		part.N = math.MaxUint64 - uint64(i)
		data, err := usage.Encode(part)
		if err != nil {
			t.Fatalf("part %d: %v", i, err)
		}
		got, err := usage.Decode(data)
		if err != nil {
			t.Fatalf("part %d: %v", i, err)
		}
		evaluations += got.Sum()
		requests += got.NotFoundOthers
		for _, n := range got.NotFound {
			requests += n
		}
		names += len(got.NotFound)
	}
	return evaluations, requests, names
}

func TestReportsAreRefused(t *testing.T) {
	t.Parallel()
	data, err := usage.Encode(full())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, old, replacement string }{
		{"another format", `"v":1`, `"v":2`},
		{"no boot", boot, ""},
		{"another boot", boot, strings.ToLower(boot)},
		{"no number", `"n":7`, `"n":0`},
		{"a time that runs backwards", "12:01:00", "11:01:00"},
		{"no key", `"key":"checkout"`, `"key":""`},
		{"a long key", `"key":"checkout"`, `"key":"` + strings.Repeat("k", 1025) + `"`},
		{"a long pod", `"shop-7"`, `"` + strings.Repeat("k", 254) + `"`},
		{"a long application", `"cart"`, `"` + strings.Repeat("k", 64) + `"`},
		{"a negative rule", `"rule":2`, `"rule":-2`},
		{"a negative count", `"n":17`, `"n":-17`},
		{"negative clients", `"flagd.sync":2`, `"flagd.sync":-2`},
		{"half", `"lost"`, ``},
	} {
		altered := strings.Replace(string(data), test.old, test.replacement, 1)
		if altered == string(data) {
			t.Fatalf("%s: nothing was changed in %s", test.name, data)
		}
		_, err := usage.Decode([]byte(altered))
		if err == nil {
			t.Errorf("%s: decoded", test.name)
		}
		if test.name == "another format" && !errors.Is(err, usage.ErrVersion) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	if _, err := usage.Decode([]byte(strings.Repeat(" ", usage.MaxBytes+1))); err == nil {
		t.Error("decoded more than a message may have")
	}
}

func FuzzDecode(f *testing.F) {
	data, err := usage.Encode(full())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"v":1,"boot":"` + boot + `","n":1,"flags":[{"key":"f","counts":null}]}`))
	f.Add([]byte(`{"v":1,"boot":"` + boot + `","n":1,"notFound":{"\u0001":3,"\u0002":4,"\"\\":5},"other":[{"reason":"\u0001","n":6}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := usage.Decode(data)
		if err != nil {
			return
		}
		want := r.NotFoundOthers
		for _, n := range r.NotFound {
			want += n
		}
		if sum, requests, _ := sent(t, r); sum != r.Sum() || requests != want {
			t.Fatalf("%d evaluations in parts of %d, and %d requests of %d", sum, r.Sum(), requests, want)
		}
	})
}
