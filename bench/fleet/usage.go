package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/flagside/flagside/internal/process"
	"github.com/flagside/flagside/internal/publisher/api"
)

// conservation is what became of evaluations.
type conservation struct {
	asked  uint64 // by clients, who had an answer
	folded uint64 // in the series of the publisher
	lost   uint64 // as it says
}

// conserve evaluates at every real sidecar and stops them. What they counted is with the publisher then.
func (b *bench) conserve(ctx context.Context) (conservation, error) {
	var c conservation
	for _, s := range b.sidecars {
		for range b.evaluations {
			if _, err := s.evaluate(ctx); err != nil {
				return c, err
			}
		}
		c.asked += s.asked
	}
	if err := stopAll(b.sidecars); err != nil {
		return c, err
	}
	counted := func() error {
		u, err := b.client.FlagUsage(ctx, environment, flagKey, api.FlagUsageQuery{})
		if err != nil {
			return err
		}
		c.folded, c.lost = 0, u.Lost+u.Missed
		for _, one := range u.Series {
			c.folded += one.Evaluations
		}
		return nil
	}
	err := process.Await(ctx, "waiting for counts", func() bool { return counted() == nil && c.folded >= c.asked })
	if err == nil {
		time.Sleep(10 * time.Second) // what is counted twice would come
		err = counted()
	}
	return c, err
}

// costs are what counting takes.
type costs struct {
	count         float64 // nanoseconds for an evaluation
	with, without float64 // microseconds of processor time for a request
}

// rounds is how often a sidecar with counts and one without are measured, in turn.
const rounds = 7

// countCost measures what counting takes, alone and in a request over OFREP.
func (b *bench) countCost(ctx context.Context) (costs, error) {
	var c costs
	var err error
	if c.count, err = countTime(ctx); err != nil {
		return c, err
	}
	var pair [2]*realSidecar
	for i, option := range []string{"--usage=true", "--usage=false"} {
		started, err := b.startSidecars(ctx, 1, option)
		for _, s := range started {
			defer s.Kill()
		}
		if err != nil {
			return c, err
		}
		pair[i] = started[0]
	}
	var took [2][]float64
	for round := range rounds {
		for i := range pair {
			which := (round + i) % 2
			one, err := b.requestCost(ctx, pair[which])
			if err != nil {
				return c, err
			}
			took[which] = append(took[which], one)
		}
	}
	c.with, c.without = median(took[0]), median(took[1])
	return c, nil
}

// nanoseconds is what a benchmark prints.
var nanoseconds = regexp.MustCompile(`\s([0-9.]+) ns/op`)

// countTime returns the nanoseconds that counting an evaluation takes.
func countTime(ctx context.Context) (float64, error) {
	out, err := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", "^BenchmarkEvaluation$", "./internal/sidecar/usage").CombinedOutput()
	found := nanoseconds.FindSubmatch(out)
	if err != nil || found == nil {
		return 0, fmt.Errorf("benchmark: %w\n%s", cmp.Or(err, errors.New("it says no time")), out)
	}
	return strconv.ParseFloat(string(found[1]), 64)
}

// requestCost returns the microseconds of processor time that a sidecar takes for a request.
func (b *bench) requestCost(ctx context.Context, s *realSidecar) (float64, error) {
	n := b.requests / rounds
	before, err := s.CPU()
	if err != nil {
		return 0, err
	}
	for range n {
		if _, err := s.evaluate(ctx); err != nil {
			return 0, err
		}
	}
	after, err := s.CPU()
	return float64((after - before).Microseconds()) / float64(n), err
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// publisherMetric returns the value of a metric of the publisher.
func (b *bench) publisherMetric(ctx context.Context, name string) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+b.publisher.Admin+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	token, err := os.ReadFile(b.publisher.TokenFile)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if text, found := strings.CutPrefix(lines.Text(), name+" "); found {
			return strconv.ParseFloat(text, 64)
		}
	}
	return 0, errors.Join(fmt.Errorf("the publisher has no metric %s", name), ctx.Err())
}
