package main

import (
	"fmt"
	"runtime"
	"strconv"
	"time"

	"github.com/flagside/flagside/internal/publisher/fleet"
	"github.com/flagside/flagside/sync/changelog"
	"github.com/flagside/flagside/sync/status"
)

// sizesOf are the constants of what a fleet of any size takes.
type sizesOf struct {
	row    float64 // bytes of memory that a publisher has for a sidecar
	report int     // bytes on the wire, with the subject and the frame of NATS
	ack    int     // likewise
}

// constants measures them with the reports of claimed sidecars.
func constants() (s sizesOf, err error) {
	position := changelog.Position{Epoch: changelog.NewEpoch(time.Now(), ""), Revision: 1 << 20, Digest: changelog.Sum([]byte("entry"))}
	encode := func(kind status.Kind) ([]byte, error) {
		return status.Encode(claim(kind, status.NewBoot(), position, changelog.Sum([]byte("state"))))
	}
	for kind, to := range map[status.Kind]*int{status.KindState: &s.report, status.KindAck: &s.ack} {
		data, err := encode(kind)
		if err != nil {
			return s, err
		}
		*to = len("PUB status."+environment+".") + len(status.NewBoot()) + len(" "+strconv.Itoa(len(data))+"\r\n") + len(data) + len("\r\n")
	}
	s.row, err = rowBytes(func() ([]byte, error) { return encode(status.KindState) })
	return s, err
}

// rowBytes fills the table of a publisher with as many sidecars as it takes, each as it comes over the wire, and returns what the heap has grown by.
func rowBytes(encode func() ([]byte, error)) (float64, error) {
	began := time.Now()
	table := fleet.New(fleet.Options{Gathering: fleet.Rebuilding}, began)
	before := heap()
	for range fleet.MaxSidecars {
		data, err := encode()
		if err != nil {
			return 0, err
		}
		r, err := status.Decode(data)
		if err != nil {
			return 0, err
		}
		table.Observe(r, began)
	}
	grown := heap() - before
	if n := len(table.Fleet(began).Sidecars); n != fleet.MaxSidecars {
		return 0, fmt.Errorf("the table has %d sidecars, want %d", n, fleet.MaxSidecars)
	}
	return float64(grown) / fleet.MaxSidecars, nil
}

// heap returns the bytes that are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
