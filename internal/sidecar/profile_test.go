package sidecar_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"net/http"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// While flags of each strategy are evaluated over HTTP, what the processor is seen doing for a request is never a policy for retries or
// breakers: those stand around questions to the log, which another goroutine asks for everybody.
func TestEvaluationsRunNoPolicies(t *testing.T) {
	p := newPlace(t)
	p.options.FreshnessDeadline = patience
	refreshed := strings.TrimSuffix(flag(1), "}") + `,"freshness":"background_refresh","refreshAfter":"1ms"}`
	p.publisher.put(map[string]string{"refreshed": refreshed})
	p.startLive()
	p.sidecar.awaitValue("refreshed", 1.0)
	for _, key := range []string{cached, "refreshed", strict} {
		requests, evaluations := 0, 0
		for deadline := time.Now().Add(patience); requests < 10 || evaluations < 1; {
			if time.Now().After(deadline) {
				t.Fatalf("%s: %d samples show a request, %d an evaluation", key, requests, evaluations)
			}
			for _, stack := range p.profile(key, 300*time.Millisecond) {
				if !has(stack, "/internal/sidecar/ofrep.") {
					continue
				}
				requests++
				if has(stack, "/internal/sidecar/resolver.") {
					evaluations++
				}
				if has(stack, "failsafe-go") {
					t.Fatalf("%s: a policy stands around a request:\n%s", key, strings.Join(stack, "\n"))
				}
			}
		}
		t.Logf("%s: %d samples show a request, %d an evaluation, none a policy", key, requests, evaluations)
	}
}

// profile returns the stacks in which the processor was seen while a flag was evaluated without a break.
func (p *place) profile(key string, d time.Duration) [][]string {
	p.t.Helper()
	var profile bytes.Buffer
	if err := pprof.StartCPUProfile(&profile); err != nil {
		p.t.Skipf("the processor is being profiled already: %v", err)
	}
	ctx, cancel := context.WithTimeout(p.t.Context(), d)
	defer cancel()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() { p.sidecar.hammer(ctx, key) })
	}
	all.Wait()
	pprof.StopCPUProfile()
	unpacked, err := gzip.NewReader(&profile)
	if err != nil {
		p.t.Fatal(err)
	}
	data, err := io.ReadAll(unpacked)
	if err != nil {
		p.t.Fatal(err)
	}
	return decodeProfile(p.t, data)
}

// hammer asks for a flag on one connection until ctx ends. The answers must have values.
func (r *running) hammer(ctx context.Context, key string) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for ctx.Err() == nil {
		url := "http://" + r.OFREPAddr().String() + "/ofrep/v1/evaluate/flags/" + key
		response, err := client.Post(url, "application/json", strings.NewReader(`{}`))
		if err != nil {
			r.t.Error(err)
			return
		}
		answer, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || response.StatusCode != http.StatusOK {
			r.t.Errorf("%s: %s %s, %v", key, response.Status, answer, err)
			return
		}
	}
}

func has(stack []string, part string) bool {
	return slices.ContainsFunc(stack, func(function string) bool { return strings.Contains(function, part) })
}

// decodeProfile returns the functions of every sample, the innermost first. The numbers are those of the fields in profile.proto of pprof.
func decodeProfile(t *testing.T, data []byte) [][]string {
	t.Helper()
	const sample, location, function, text = 2, 4, 5, 6
	profile := decodeMessage(t, data)
	names := make(map[uint64]string)    // of functions
	called := make(map[uint64][]uint64) // functions at a location: several where one stands inlined in another
	for _, f := range profile.messages[function] {
		m := decodeMessage(t, f)
		names[m.number(1)] = string(profile.messages[text][m.number(2)])
	}
	for _, l := range profile.messages[location] {
		m := decodeMessage(t, l)
		for _, line := range m.messages[4] {
			called[m.number(1)] = append(called[m.number(1)], decodeMessage(t, line).number(1))
		}
	}
	var stacks [][]string
	for _, s := range profile.messages[sample] {
		var stack []string
		for _, at := range decodeMessage(t, s).list(t, 1) {
			for _, f := range called[at] {
				stack = append(stack, names[f])
			}
		}
		stacks = append(stacks, stack)
	}
	return stacks
}

// message is a message of protocol buffers, its fields by number.
type message struct {
	numbers  map[protowire.Number][]uint64
	messages map[protowire.Number][][]byte // texts and packed lists, too
}

func decodeMessage(t *testing.T, data []byte) message {
	t.Helper()
	m := message{numbers: make(map[protowire.Number][]uint64), messages: make(map[protowire.Number][][]byte)}
	for len(data) > 0 {
		field, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		data = data[n:]
		switch kind {
		case protowire.VarintType:
			var value uint64
			value, n = protowire.ConsumeVarint(data)
			m.numbers[field] = append(m.numbers[field], value)
		case protowire.BytesType:
			var value []byte
			value, n = protowire.ConsumeBytes(data)
			m.messages[field] = append(m.messages[field], value)
		default:
			n = protowire.ConsumeFieldValue(field, kind, data)
		}
		if n < 0 {
			t.Fatal(protowire.ParseError(n))
		}
		data = data[n:]
	}
	return m
}

// number returns the value of a field, 0 if it is missing.
func (m message) number(field protowire.Number) uint64 {
	if values := m.numbers[field]; len(values) > 0 {
		return values[0]
	}
	return 0
}

// list returns the values of a repeated field, packed or not.
func (m message) list(t *testing.T, field protowire.Number) []uint64 {
	t.Helper()
	values := m.numbers[field]
	for _, packed := range m.messages[field] {
		for len(packed) > 0 {
			value, n := protowire.ConsumeVarint(packed)
			if n < 0 {
				t.Fatal(protowire.ParseError(n))
			}
			values, packed = append(values, value), packed[n:]
		}
	}
	return values
}
