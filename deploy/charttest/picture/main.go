// Command picture draws the Grafana dashboard of the chart without Grafana. It runs a publisher and sidecars under load and with faults, lets a
// real Prometheus scrape them, asks it what the panels of the dashboard ask, and draws the answers where the dashboard has them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

const (
	dashboardFile = "../helm/flagside/files/dashboard.json"
	pictureFile   = "../../docs/pictures/dashboard.svg"
)

func main() {
	length := flag.Duration("time", 6*time.Minute, "time that the picture shows, at least a minute")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, max(*length, time.Minute)); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

// warmUp is left out of the picture: rates need some scrapes.
const warmUp = 6 * scrapeInterval

// run needs to be started in deploy/charttest.
func run(ctx context.Context, length time.Duration) error {
	board, err := readDashboard(dashboardFile)
	if err != nil {
		return err
	}
	s, err := startSystem(ctx)
	if err != nil {
		return err
	}
	defer s.stop()
	begin := time.Now().Add(warmUp)
	s.play(ctx, warmUp+length)
	if err := ctx.Err(); err != nil {
		return err
	}
	answers, err := ask(ctx, s.prometheus, board, begin, time.Now())
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(pictureFile), 0o755); err != nil {
		return err
	}
	return os.WriteFile(pictureFile, draw(answers), 0o644)
}
