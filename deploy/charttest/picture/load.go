package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"
)

// flags are those of the environment; changes of payments need a second person, because of its tag.
var flags = map[string]string{
	"new-checkout":  `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"fractional":[["on",20],["off",80]]}}`,
	"free-shipping": `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off","targeting":{"if":[{"==":[{"var":"country"},"DE"]},"on",null]}}`,
	"banner":        `{"state":"ENABLED","variants":{"none":"","summer":"Sale"},"defaultVariant":"none"}`,
	"search-limit":  `{"state":"ENABLED","variants":{"low":10,"high":50},"defaultVariant":"low","freshness":"background_refresh"}`,
	"catalog":       `{"state":"ENABLED","variants":{"all":"` + strings.Repeat("shirt ", 40_000) + `"},"defaultVariant":"all"}`,
	"stock":         `{"state":"ENABLED","variants":{"live":true,"cached":false},"defaultVariant":"live","freshness":"always_fresh"}`,
	"payments":      `{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on","tags":["payments"]}`,
	"old-cart":      `{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}`,
}

// provision creates the environments and the flags.
func (s *system) provision(ctx context.Context) error {
	for _, environment := range []string{"shop", "staging"} {
		if err := s.flagside(ctx, "", "environment", "create", environment); err != nil {
			return err
		}
	}
	for key, document := range flags {
		if err := s.flagside(ctx, document, "flag", "put", key, "--break-glass", "--reason=the first flags"); err != nil {
			return err
		}
	}
	return s.flagside(ctx, flags["banner"], "flag", "put", "banner", "-e", "staging")
}

// play puts load on the system, changes flags, and breaks what the dashboard is there to show.
func (s *system) play(ctx context.Context, length time.Duration) {
	ctx, stop := context.WithTimeout(ctx, length)
	defer stop()
	var all sync.WaitGroup
	for i := range sidecars {
		for key := range flags {
			all.Go(func() { s.evaluate(ctx, i, key) })
		}
		all.Go(func() { repeat(ctx, 200*time.Millisecond, func(int) { post(ctx, s.ofrep[i], "", "u1") }) })
		all.Go(func() {
			repeat(ctx, time.Second/time.Duration(i+1), func(int) { post(ctx, s.ofrep[i], "/chekcout", "u1") })
		})
	}
	all.Go(func() { repeat(ctx, 2500*time.Millisecond, func(n int) { s.change(ctx, "shop", n) }) })
	all.Go(func() { repeat(ctx, 7*time.Second, func(n int) { s.change(ctx, "staging", n) }) })
	for _, event := range s.events() {
		all.Go(func() {
			if sleep(ctx, time.Duration(event.at*float64(length))) {
				report(event.do(ctx))
			}
		})
	}
	all.Wait()
}

// event is something that happens once, at a share of the time.
type event struct {
	at float64
	do func(ctx context.Context) error
}

func (s *system) events() []event {
	cli := func(args ...string) func(context.Context) error {
		return func(ctx context.Context) error { return s.flagside(ctx, "", args...) }
	}
	cut := func(context.Context) error { s.cable.cut(); return nil }
	return []event{
		{0.15, cli("flag", "toggle", "payments", "off", "--propose")},
		{0.20, cut},
		{0.27, func(context.Context) error { return s.cable.mend() }},
		{0.40, cli("flag", "rollout", "new-checkout", "on=50", "--propose")},
		{0.48, s.stall},
		{0.62, cli("flag", "toggle", "payments", "off", "--break-glass", "--reason=the bank does not answer")},
		{0.72, cli("flag", "toggle", "payments", "on", "--propose")},
		{0.80, cut}, // and it stays cut
	}
}

// evaluate asks for a flag, more often and less often in turns.
func (s *system) evaluate(ctx context.Context, sidecar int, key string) {
	begin := time.Now()
	repeat(ctx, 40*time.Millisecond, func(n int) {
		wave := math.Sin(2*math.Pi*time.Since(begin).Minutes()/3 + float64(len(key)))
		if float64(n%10) < 6+3*wave {
			post(ctx, s.ofrep[sidecar], "/"+key, fmt.Sprintf("u%d", n%1000))
		}
	})
}

// change turns a flag off and on.
func (s *system) change(ctx context.Context, environment string, n int) {
	if err := s.flagside(ctx, "", "flag", "toggle", "banner", []string{"off", "on"}[n%2], "-e", environment); ctx.Err() == nil {
		report(err)
	}
}

// stall asks the first sidecar for all flags, again and again, and takes none of the answers for a while. Others are refused meanwhile.
func (s *system) stall(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, 20*time.Second)
	defer stop()
	const body = `{"context":{"targetingKey":"u1"}}`
	one := fmt.Sprintf("POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	for range 8 {
		connection, err := new(net.Dialer).DialContext(ctx, "tcp", s.ofrep[0])
		if err != nil {
			return err
		}
		defer connection.Close()
		if _, err := io.WriteString(connection, strings.Repeat(one, 50)); err != nil {
			return err
		}
	}
	<-ctx.Done()
	return nil
}

var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

// post asks for a flag, or for all. The metrics count the answers and the failures.
func post(ctx context.Context, address, path, user string) {
	body := strings.NewReader(fmt.Sprintf(`{"context":{"targetingKey":%q,"country":"DE"}}`, user))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+"/ofrep/v1/evaluate/flags"+path, body)
	if err != nil {
		report(err)
		return
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
}

func repeat(ctx context.Context, every time.Duration, do func(n int)) {
	for n := 0; sleep(ctx, every); n++ {
		do(n)
	}
}

// sleep reports whether the time passed before the end.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

func report(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
	}
}
