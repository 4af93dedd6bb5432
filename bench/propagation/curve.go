package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/flagside/flagside/bench/propagation/fan"
	"github.com/flagside/flagside/internal/figures"
	"github.com/flagside/flagside/internal/process"
)

// deliveries is how many deliveries a point of a curve takes, so that all of them together take minutes.
const deliveries = 100_000

// Bounds of the changes of one point.
const (
	fewestChanges = 30
	mostChanges   = 200
)

// drawCurve measures with more and more followers, each time with a publisher of its own, whose memory they are in.
func (b *bench) drawCurve(ctx context.Context) error {
	sizes, err := numbers("--curve", b.curve, 1)
	if err != nil {
		return err
	}
	fmt.Printf("%9s %8s %8s %8s %8s   %12s %12s %12s %12s %12s\n", "followers", "changes", "p50 ms", "p99 ms", "max ms",
		"publisher us", "follower us", "rest us", "rest us", "publisher KB")
	var results []figures.Figure
	for _, size := range sizes {
		m, err := b.point(ctx, size)
		if err != nil {
			return fmt.Errorf("%d followers: %w", size, err)
		}
		n := float64(size)
		fmt.Printf("%9d %8d %8.1f %8.1f %8.1f   %12.1f %12.1f %12.1f %12.1f %12.1f\n", size, len(m.Times),
			m.Times.Milliseconds(50), m.Times.Milliseconds(99), m.Times.Milliseconds(100),
			m.Publisher.Change/n, m.Followers.Change/n, m.Publisher.Rest/n, m.Followers.Rest/n, float64(m.Publisher.Grown)/n/1000)
		results = append(results,
			figures.Figure{Name: fmt.Sprintf("curve%d_p50_ms", size), Value: m.Times.Milliseconds(50)},
			figures.Figure{Name: fmt.Sprintf("curve%d_p99_ms", size), Value: m.Times.Milliseconds(99)},
			figures.Figure{Name: fmt.Sprintf("curve%d_publisher_us", size), Value: m.Publisher.Change / n},
		)
	}
	figures.Print(results...)
	return nil
}

// point measures with so many followers.
func (b *bench) point(ctx context.Context, size int) (fan.Measured, error) {
	addresses, err := process.FreeAddresses(2)
	if err != nil {
		return fan.Measured{}, err
	}
	p, err := b.StartPublisher(ctx, filepath.Join(b.Dir, fmt.Sprint("curve-", size)), addresses[0], addresses[1])
	if p != nil {
		defer p.Kill()
	}
	if err != nil {
		return fan.Measured{}, err
	}
	changes := min(max(deliveries/size, fewestChanges), mostChanges)
	return fan.Measure(ctx, b.Binaries, p, "curve", fan.Options{Size: size, Changes: changes, Listen: b.listen})
}

// numbers reads the value of an option that is a list.
func numbers(option, text string, least int) ([]int, error) {
	var all []int
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(word))
		if err != nil || n < least {
			return nil, fmt.Errorf("%s: %q is no whole number from %d on", option, word, least)
		}
		all = append(all, n)
	}
	return all, nil
}
