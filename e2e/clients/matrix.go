package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"reflect"
	"strings"
	"time"
)

// result is one cell of the matrix.
type result struct {
	client, mode, test string
	err                error // nil if it passed
}

// Bounds of what clients may take. Their own backoff after a lost sidecar goes up to 12 s.
const (
	startTimeout   = time.Minute
	answerTimeout  = 5 * time.Second
	changeTimeout  = time.Second
	offlineTimeout = 20 * time.Second
	restartTimeout = 30 * time.Second
)

// column runs all tests with one client.
func (s *system) column(ctx context.Context, c client) []result {
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	driver, err := c.open(starting, s)
	if err != nil {
		return []result{{c.name, c.mode, "start", err}}
	}
	defer driver.Close()
	results := []result{{c.name, c.mode, "start", nil}}
	for _, t := range cases() {
		if !t.appliesTo(c) {
			continue
		}
		results = append(results, result{c.name, c.mode, t.name, t.run(ctx, driver)})
	}
	for _, t := range lifecycle() {
		if c.silent && t.ofEvents {
			continue
		}
		results = append(results, result{c.name, c.mode, t.name, t.run(ctx, s, driver)})
	}
	return results
}

// run asks and compares.
func (t testCase) run(ctx context.Context, d Driver) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	answer, err := d.Evaluate(ctx, t.question)
	if err != nil {
		return err
	}
	differs := !sameJSON(string(answer.Value), t.value) || answer.Reason != t.reason || answer.ErrorCode != t.code
	if differs || t.code == "" && answer.Variant != t.variant {
		return fmt.Errorf("got %s %q %s %s (%s), want %s %q %s %s",
			answer.Value, answer.Variant, answer.Reason, answer.ErrorCode, answer.Message, t.value, t.variant, t.reason, t.code)
	}
	return nil
}

// sameJSON compares values. 10.0 is 10, but numbers past 2^53 must be the same digit for digit.
func sameJSON(a, b string) bool {
	x, errX := decode(a)
	y, errY := decode(b)
	return errX == nil && errY == nil && reflect.DeepEqual(x, y)
}

func decode(text string) (value any, err error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	return exact(value), nil
}

// exact replaces numbers by rational ones.
func exact(value any) any {
	switch v := value.(type) {
	case json.Number:
		if number, ok := new(big.Rat).SetString(v.String()); ok {
			return number.String()
		}
	case map[string]any:
		for name, member := range v {
			v[name] = exact(member)
		}
	case []any:
		for i := range v {
			v[i] = exact(v[i])
		}
	}
	return value
}
