//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/flagside/flagside/bench/http/load"
	"github.com/flagside/flagside/eval"
)

func TestTheContextIsAsLongAsItSays(t *testing.T) {
	t.Parallel()
	if len(someContext) != 203 {
		t.Errorf("the context has %d bytes, not 203", len(someContext))
	}
}

// Visitors are valid, and of all countries.
func TestVisitors(t *testing.T) {
	t.Parallel()
	countries := make(map[string]int)
	for _, context := range visitors() {
		var v struct{ TargetingKey, Country string }
		if err := json.Unmarshal([]byte(context), &v); err != nil || v.TargetingKey != load.Number {
			t.Fatalf("%v: %s", err, context)
		}
		countries[v.Country]++
	}
	if len(countries) != 6 {
		t.Error(countries)
	}
}

// The flags of all sets load without a word, and those that scenarios name decide as they say.
func TestFlagFiles(t *testing.T) {
	t.Parallel()
	for _, n := range []int{fewestFlags, 25, 1000} {
		documents, problems := eval.ParseFile(flagFile(n), "")
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		for i := range documents {
			documents[i].Revision = uint64(i) + 1
		}
		rules, problems := eval.New().Update(documents)
		if len(problems) > 0 || rules.Len() != n {
			t.Fatalf("%d of %d flags were loaded: %v", rules.Len(), n, problems)
		}
		keys, err := enabledFlags(n)
		if err != nil || len(keys) > n || !slices.Equal(keys[:3], []string{askStatic, askTargeted, askFractional}) {
			t.Errorf("%d flags: %v are enabled, %v", n, keys, err)
		}
	}
}

func TestScenariosOfTheFileAreGood(t *testing.T) {
	t.Parallel()
	all, err := readScenarios("")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(peerScenarios(), askStatic, scenarioUnix, scenarioOpen, scenarioMixed, scenarioMixed10k, scenarioBulk, scenarioBulkKnown, scenarioBulkNew, scenarioGRPC) {
		if named(all, name) == nil {
			t.Errorf("there is no scenario %s", name)
		}
	}
	short, err := choose(all, nil, false)
	if err != nil || len(short) == 0 || len(short) == len(all) {
		t.Errorf("%d of %d scenarios are in the short run, %v", len(short), len(all), err)
	}
	for _, s := range all {
		if s.Ask == askStream || s.Flags > 10_000 { // which is asked for as fewer are, and takes seconds
			continue
		}
		requests, err := s.requests(`"x"`)
		if err != nil || len(requests) == 0 {
			t.Errorf("%s: %d requests, %v", s.Name, len(requests), err)
		}
	}
}

// The figures of the last line need a limit where they are ratios.
func TestFiguresHaveTheirScenarios(t *testing.T) {
	t.Parallel()
	all, err := readScenarios("")
	if err != nil {
		t.Fatal(err)
	}
	short, err := choose(all, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	r := &results{samples: make(map[visited][]sample)}
	for _, s := range short {
		r.samples[visited{s.Name, nameSidecar}] = []sample{{perSecond: 1, cpu: 1, p99: 1, resident: 1}}
		if s.Limit {
			r.samples[visited{s.Name, nameLimit}] = []sample{{perSecond: 2, cpu: 2, p99: 2, resident: 2}}
		}
	}
	var names []string
	for _, f := range closing(r, started{idle: 1, ready10k: 1, ready100k: 1}, shared{}, 1) {
		names = append(names, f.Name)
		fromBoth := slices.Contains([]string{"fanout1000_p99_ms", "writes_per_s", "writes_r3_per_s"}, f.Name)
		want := 1.0
		if strings.HasSuffix(f.Name, "_ratio") || strings.HasPrefix(f.Name, "cpu_ratio") {
			want = 0.5
		}
		if f.Value != want && !fromBoth {
			t.Errorf("%s is %v, want %v", f.Name, f.Value, want)
		}
	}
	const want = "single_ratio cpu_ratio cpu_ratio_mixed uds_ratio p99_ratio bulk_ratio bulk304_ratio bulk_new_per_s grpc_per_s idle_mb rss1k_mb rss10k_mb " +
		"start10k_ms start100k_ms binary_mb fanout1000_p99_ms writes_per_s writes_r3_per_s"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("the last line has %s", got)
	}
}

func TestBadScenarios(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`[{"name":"a","flags":25,"ask":"static","speed":1}]`:                                                          "unknown field",
		`[{"flags":25,"ask":"static"}]`:                                                                               "name is missing",
		`[{"name":"a","flags":1,"ask":"static"}]`:                                                                     "flags: 1",
		`[{"name":"a","flags":25,"ask":"all"}]`:                                                                       `ask: "all"`,
		`[{"name":"a","flags":25,"ask":"static","network":"udp"}]`:                                                    `network: "udp"`,
		`[{"name":"a","flags":25,"ask":"mixed","protocol":"grpc"}]`:                                                   "protocol: grpc",
		`[{"name":"a","flags":25,"ask":"static","share":0.5,"of":"b"}]`:                                               `of: "b" is no scenario`,
		`[{"name":"a","flags":25,"ask":"static","share":0.5,"of":"b"},{"name":"b","flags":25,"ask":"static"}]`:        `of: "b" is no closed loop`,
		`[{"name":"a","flags":25,"ask":"stream","changes":1}]`:                                                        "streams need a number",
		`[{"name":"a","flags":25,"ask":"static","share":1,"of":"a"},{"name":"b","flags":25,"ask":"static","of":"b"}]`: `of: "a"`,
	} {
		file := filepath.Join(t.TempDir(), "scenarios.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readScenarios(file)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// An open loop needs the rate of a closed one, which comes along.
func TestChoose(t *testing.T) {
	t.Parallel()
	all, err := readScenarios("")
	if err != nil {
		t.Fatal(err)
	}
	chosen, err := choose(all, []string{"mixed-1k-open"}, false)
	if got := namesOf(chosen); err != nil || !slices.Equal(got, []string{"mixed-1k", "mixed-1k-open"}) {
		t.Errorf("chosen were %v, %v", got, err)
	}
	if _, err := choose(all, []string{"fast"}, false); err == nil || !strings.Contains(err.Error(), `"fast"`) {
		t.Errorf("got %v", err)
	}
}

// Each round has all visits, in another order.
func TestRotated(t *testing.T) {
	t.Parallel()
	var all []visit
	for i := range 7 {
		all = append(all, visit{visited: visited{scenario: fmt.Sprint(i)}})
	}
	seen := map[string]bool{}
	for round := range 5 {
		order := ""
		for _, v := range rotated(all, round, 5) {
			order += v.scenario
		}
		letters := strings.Split(order, "")
		if slices.Sort(letters); strings.Join(letters, "") != "0123456" || seen[order] {
			t.Errorf("round %d: %s", round, order)
		}
		seen[order] = true
	}
}

// A ratio is that within a round: a machine that is slow for one round does not change it.
func TestRatiosAreWithinRounds(t *testing.T) {
	t.Parallel()
	r := &results{samples: map[visited][]sample{
		{"s", nameLimit}:   {{cpu: 10}, {cpu: 100}, {cpu: 10}},
		{"s", nameSidecar}: {{cpu: 15}, {cpu: 150}, {cpu: 30}},
	}}
	if got := r.ratio(visited{"s", nameSidecar}, cpu); got != 1.5 {
		t.Errorf("the ratio is %v, want 1.5", got)
	}
	if got := r.median(visited{"s", nameSidecar}, cpu); got != 30 {
		t.Errorf("the median is %v, want 30", got)
	}
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("the median of four is %v, want 2.5", got)
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		found, committed float64
		good             bool
	}{{1.5, 1.5, true}, {1.2, 1.5, true}, {2.2, 1.5, true}, {2.3, 1.5, false}, {0, 1.5, false}, {1.5, 0, false}} {
		if err := judge("it", c.found, c.committed); (err == nil) != c.good {
			t.Errorf("%v after %v: %v", c.found, c.committed, err)
		}
	}
}

func TestPeers(t *testing.T) {
	t.Parallel()
	pid := fmt.Sprint(os.Getpid())
	got, err := peers{[]string{"flagd=http://127.0.0.1:8016", "other=unix:/run/o.sock"}, []string{pid, pid}}.parse()
	want := []peer{
		{"flagd", load.Target{Network: "tcp", Address: "127.0.0.1:8016"}, os.Getpid()},
		{"other", load.Target{Network: "unix", Address: "/run/o.sock"}, os.Getpid()},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	for want, p := range map[string]peers{
		"1 times --peer and 0 times --pid": {[]string{"a=http://h:1"}, nil},
		"write name=URL":                   {[]string{"http://h:1"}, []string{pid}},
		"write http://host:port":           {[]string{"a=http://h"}, []string{pid}},
		"the name limit is taken":          {[]string{"limit=http://h:1"}, []string{pid}},
		"the name a is taken":              {[]string{"a=http://h:1", "a=http://h:2"}, []string{pid, pid}},
		"not the number of a process":      {[]string{"a=http://h:1"}, []string{"x"}},
		"processor time of process":        {[]string{"a=http://h:1"}, []string{"99999999"}},
	} {
		if _, err := p.parse(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", p, err, want)
		}
	}
}

// What a server answers without evaluating anything is no answer, however fast it is.
func TestAnswersAreChecked(t *testing.T) {
	t.Parallel()
	one, all, same := &scenario{Ask: askStatic, Protocol: overOFREP}, &scenario{Ask: askBulk, Protocol: overOFREP, Flags: 10}, &scenario{Ask: askBulkKnown, Protocol: overOFREP}
	many := `{"flags":[` + strings.Repeat(`{"variant":"on"},`, 9) + `{"variant":"on"}]}`
	for _, c := range []struct {
		scenario *scenario
		status   int
		body     string
		good     bool
	}{
		{one, http.StatusOK, `{"value":true,"variant":"on"}`, true},
		{one, http.StatusOK, `{"value":null}`, false},
		{one, http.StatusOK, `{"errorCode":"GENERAL"}`, false},
		{one, http.StatusOK, `pong`, false},
		{one, http.StatusNotFound, `{"value":true,"variant":"on"}`, false},
		{all, http.StatusOK, many, true},
		{all, http.StatusOK, `{"flags":[{"variant":"on"}]}`, false},
		{all, http.StatusOK, `{"flags":[]}`, false},
		{same, http.StatusNotModified, "", true},
		{same, http.StatusOK, many, false},
	} {
		if err := c.scenario.checkAnswer(load.Answer{Status: c.status, Body: []byte(c.body)}); (err == nil) != c.good {
			t.Errorf("%s: %d %s: %v", c.scenario.Ask, c.status, c.body, err)
		}
	}
}

// The message is what flagd's schema says: the key in field 1, a Struct in field 2.
func TestResolveBoolean(t *testing.T) {
	t.Parallel()
	message, err := resolveBoolean("static")
	if err != nil {
		t.Fatal(err)
	}
	field, kind, n := protowire.ConsumeTag(message)
	if field != 1 || kind != protowire.BytesType {
		t.Fatalf("field %d is %v", field, kind)
	}
	key, m := protowire.ConsumeString(message[n:])
	if field, _, _ := protowire.ConsumeTag(message[n+m:]); key != "static" || field != 2 {
		t.Errorf("the key is %q, and then comes field %d", key, field)
	}
}
