//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/flagside/flagside/bench/http/load"
	"github.com/flagside/flagside/internal/process"
)

// sample is what one server did in one scenario in one round.
type sample struct {
	perSecond float64 // answers
	cpu       float64 // seconds of processor time for a million answers
	busy      float64 // share of the time in which the server had its core
	p50       float64 // in microseconds
	p99       float64
	p999      float64
	resident  float64 // in MB, at the end
}

const (
	million     = 1e6
	megabyte    = 1e6
	microsecond = 1e3 // in nanoseconds
)

// amount says how much is measured in each visit.
type amount struct {
	warmUp, measured time.Duration
	connections      int
}

// drive asks a server, of which the process is known, for a time.
func drive(ctx context.Context, p load.Plan, pid int, a amount, rate float64) (sample, error) {
	p.Connections = a.connections
	s, err := load.Open(p)
	if err != nil {
		return sample{}, err
	}
	found, err := driveSession(ctx, s, pid, a, rate)
	return found, errors.Join(err, s.Close())
}

func driveSession(ctx context.Context, s *load.Session, pid int, a amount, rate float64) (sample, error) {
	if _, err := s.Run(ctx, a.warmUp, rate); err != nil {
		return sample{}, fmt.Errorf("warm-up: %w", err)
	}
	before, err := process.UsedCPU(pid)
	if err != nil {
		return sample{}, err
	}
	r, err := s.Run(ctx, a.measured, rate)
	if err != nil {
		return sample{}, err
	}
	after, err := process.UsedCPU(pid)
	if err != nil {
		return sample{}, err
	}
	if r.Answers == 0 {
		return sample{}, errors.New("nothing was answered")
	}
	resident, err := process.ResidentBytes(pid)
	return newSample(r.Latency, r.Took, after-before, resident), err
}

// newSample returns the sample of answers whose times are known.
func newSample(latency *hdrhistogram.Histogram, took, used time.Duration, resident int64) sample {
	answers := float64(latency.TotalCount())
	return sample{
		perSecond: answers / took.Seconds(),
		cpu:       used.Seconds() / answers * million,
		busy:      used.Seconds() / took.Seconds(),
		p50:       float64(latency.ValueAtQuantile(50)) / microsecond,
		p99:       float64(latency.ValueAtQuantile(99)) / microsecond,
		p999:      float64(latency.ValueAtQuantile(99.9)) / microsecond,
		resident:  float64(resident) / megabyte,
	}
}

// settle waits until a process that nothing is asked of has nothing left to do, because a quarter of a second costs it less than a hundredth of a core.
func settle(ctx context.Context, pid int) error {
	const look = 250 * time.Millisecond
	before, err := process.UsedCPU(pid)
	if err != nil {
		return err
	}
	for {
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return ctx.Err()
		}
		after, err := process.UsedCPU(pid)
		if err != nil || after-before < look/100 {
			return err
		}
		before = after
	}
}
